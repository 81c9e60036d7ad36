package replay_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/cmd/spoor-verify/replay"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/casetest"
	"github.com/spoortrace/spoor/ledger"
)

func trials(t *testing.T, few int) int {
	t.Helper()
	text := os.Getenv("SPOOR_TRIALS")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SPOOR_TRIALS: want a number above 0, got %q", text)
	}
	return n
}

func filesOf(t *testing.T, d *evidence.Dossier) map[string][]byte {
	t.Helper()
	parts, err := d.Parts()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, p := range parts {
		files[p.Path] = p.Bytes
	}
	return files
}

// other is the verdict of the program that makes packages.
func other(t *testing.T, files map[string][]byte) bool {
	t.Helper()
	d, err := evidence.ReadDossier(func(path string) ([]byte, error) {
		if text, ok := files[path]; ok {
			return text, nil
		}
		return nil, ledger.ErrNotFound
	})
	return err == nil && evidence.Verify(t.Context(), d).OK()
}

// TestAgree: two implementations that share nothing come to the same figures on
// random cases, under every rule.
func TestAgree(t *testing.T) {
	n, rows := trials(t, 100), 0
	for range n {
		seed := rand.Uint64()
		d := []func(testing.TB, uint64) *evidence.Dossier{casetest.Build, casetest.Sparse}[seed%2](t, seed)
		files := filesOf(t, d)
		found, _ := replay.Check(files)
		if len(found) > 0 || !other(t, files) {
			t.Fatalf("seed %d: here %v; there it holds: %v", seed, found, other(t, files))
		}
		rows += len(d.Ledger)
	}
	t.Logf("%d packages, %d rows", n, rows)
}

// TestAgreeDisclosed: the same where money passes through accounts at an exchange.
func TestAgreeDisclosed(t *testing.T) {
	n, rows, disclosed, crossed := trials(t, 100), 0, 0, 0
	for range n {
		seed := rand.Uint64()
		d := casetest.Disclosed(t, seed)
		files := filesOf(t, d)
		found, _ := replay.Check(files)
		if len(found) > 0 || !other(t, files) {
			t.Fatalf("seed %d: here %v; there it holds: %v", seed, found, other(t, files))
		}
		for _, r := range d.Ledger {
			rows++
			if r.Class == evidence.ClassDisclosed {
				disclosed++
			}
			if r.Crossing != nil && r.Crossing.Kind == "DISCLOSED" {
				crossed++
			}
		}
	}
	if disclosed == 0 || crossed == 0 {
		t.Errorf("%d disclosed rows, %d in and out", disclosed, crossed)
	}
	t.Logf("%d packages, %d rows, %d disclosed, %d in and out of accounts", n, rows, disclosed, crossed)
}

var figure = regexp.MustCompile(`"(traced|amount|seeded|resting|stopped|low|high|lost|allocated|recoverable|digest|collided|unexplained)":"(\d+)"`)

// TestForged changes one figure that follows from the record: both find it.
func TestForged(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 9))
	files := filesOf(t, casetest.Build(t, seed))
	names := []string{"payments.json", "ledger.json", "results.json", "holdings.json", "restitution.json"}
	n := trials(t, 100)
	for range n {
		name := names[random.IntN(len(names))]
		all := figure.FindAllSubmatchIndex(files[name], -1)
		if len(all) == 0 {
			continue
		}
		m := all[random.IntN(len(all))]
		forged := maps.Clone(files)
		forged[name] = slices.Concat(files[name][:m[4]], []byte(another(string(files[name][m[4]:m[5]]), random)), files[name][m[5]:])
		what := fmt.Sprintf("seed %d: %s: %s", seed, name, files[name][m[0]:m[1]])
		if found, _ := replay.Check(forged); len(found) == 0 {
			t.Errorf("%s: not found here", what)
		}
		if other(t, forged) {
			t.Errorf("%s: not found there", what)
		}
	}
}

func another(digits string, random *rand.Rand) string {
	b := []byte(digits)
	i := random.IntN(len(b))
	b[i] = '1' + (b[i]-'0'+byte(random.IntN(8)))%9
	if string(b) == digits {
		return digits + "0"
	}
	return strings.TrimLeft(string(b), "0")
}

// TestNonsense: files that are none, or say impossible things, are findings.
func TestNonsense(t *testing.T) {
	good := filesOf(t, casetest.Build(t, 3))
	for _, path := range []string{"payments.json", "ledger.json", "record.json", "results.json", "holdings.json", "restitution.json", "method.json", "case.json"} {
		for _, text := range []string{"", "null", "[]", "{}", "[1]", `"x"`, `[{"amount":"-1"}]`, `{"histories":[{"opening":"1e9"}]}`} {
			files := maps.Clone(good)
			files[path] = []byte(text)
			if found, _ := replay.Check(files); len(found) == 0 {
				t.Errorf("%s: %q holds", path, text)
			}
		}
	}
}
