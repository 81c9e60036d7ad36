package evidence_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

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

func partsOf(t testing.TB, d *evidence.Dossier) map[string][]byte {
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

func read(files map[string][]byte) (*evidence.Dossier, error) {
	return evidence.ReadDossier(func(path string) ([]byte, error) {
		text, ok := files[path]
		if !ok {
			return nil, ledger.ErrNotFound
		}
		return text, nil
	})
}

// TestVerify builds random cases, writes them down, reads them again and traces
// them from their own record alone.
func TestVerify(t *testing.T) {
	rows := 0
	n := trials(t, 60)
	for range n {
		seed := rand.Uint64()
		d, err := read(partsOf(t, casetest.Build(t, seed)))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		r := evidence.Verify(t.Context(), d)
		for _, c := range r.Checks {
			if !c.OK {
				t.Errorf("seed %d: %s: %s", seed, c.Name, c.Detail)
			}
		}
		if t.Failed() {
			return
		}
		rows += len(d.Ledger)
	}
	if rows < n {
		t.Errorf("%d rows in %d cases: the worlds are too poor", rows, n)
	}
	t.Logf("%d cases, %d rows", n, rows)
}

// TestEdits changes one figure or address of a written dossier at a time. Who
// knows how manifests work can make the hashes fit again; the arithmetic cannot.
func TestEdits(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 7))
	files := partsOf(t, casetest.Build(t, seed))
	names := []string{"payments.json", "ledger.json", "results.json", "holdings.json", "restitution.json"}
	n, refused := trials(t, 300), 0
	for i := range n {
		name := names[random.IntN(len(names))]
		edited, what := edit(random, files[name])
		if what == "" {
			continue
		}
		changed := maps.Clone(files)
		changed[name] = edited
		d, err := read(changed)
		if err != nil {
			refused++
			continue
		}
		if evidence.Verify(t.Context(), d).OK() {
			t.Fatalf("seed %d, edit %d of %s is not found: %s", seed, i, name, what)
		}
	}
	if refused > n/2 {
		t.Errorf("seed %d: %d of %d edits cannot be read at all: this tests the form alone", seed, refused, n)
	}
	t.Logf("seed %d: %d edits, %d of them of the form", seed, n, refused)
}

// TestRecordEdits changes the record itself. What no other part of it
// contradicts changes the figures, or none; nothing crashes.
func TestRecordEdits(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 8))
	files := partsOf(t, casetest.Build(t, seed))
	found, n := 0, trials(t, 300)
	for range n {
		changed := maps.Clone(files)
		changed["record.json"], _ = edit(random, files["record.json"])
		d, err := read(changed)
		if err != nil || !evidence.Verify(t.Context(), d).OK() {
			found++
		}
	}
	if found < n/2 {
		t.Errorf("seed %d: %d of %d edits are found", seed, found, n)
	}
	t.Logf("seed %d: %d of %d edits are found without any hash", seed, found, n)
}

// pair is a field of a JSON object with a plain value, as it is written.
var pair = regexp.MustCompile(`"(\w+)":("[^"]*"|\d+|true|false)`)

// edit changes one value somewhere in a JSON file, in place, and says what.
func edit(random *rand.Rand, text []byte) (edited []byte, what string) {
	all := pair.FindAllSubmatchIndex(text, -1)
	for range 100 {
		if len(all) == 0 {
			break
		}
		m := all[random.IntN(len(all))]
		key, value := string(text[m[2]:m[3]]), string(text[m[4]:m[5]])
		if free(key) {
			continue
		}
		other := changed(strings.Trim(value, `"`), random)
		switch value {
		case "true":
			other = "false"
		case "false":
			other = "true"
		}
		if value[0] == '"' {
			other = `"` + other + `"`
		}
		return slices.Concat(text[:m[4]], []byte(other), text[m[5]:]), key + " " + value + " -> " + other
	}
	return nil, ""
}

// free are fields that the record does not determine: texts for people.
func free(key string) bool {
	switch key {
	case "why", "grade", "usd", "usd_source", "proof", "payment", "victim", "status", "id":
		return true
	}
	return false
}

func changed(s string, random *rand.Rand) string {
	if s == "" {
		return "1"
	}
	b := []byte(s)
	i := random.IntN(len(b))
	if b[i] >= '0' && b[i] <= '8' {
		b[i]++
	} else {
		b[i] = '1'
	}
	if string(b) == s {
		return s + "1"
	}
	return string(b)
}

// TestHoldings checks the seizure table by hand sums over the terminals.
func TestHoldings(t *testing.T) {
	for range trials(t, 30) {
		seed := rand.Uint64()
		d := casetest.Build(t, seed)
		sums := map[string]ledger.Amount{}
		for _, x := range d.Results[0].Terminals {
			if x.Address != "" && x.Reason != "BURN" && x.Reason != "PRUNED" && (x.Reason != "PENDING" || x.Rests) {
				k := x.Network + x.Address + x.Asset
				sums[k] = sums[k].Plus(amount(t, x.Traced))
			}
		}
		for _, h := range d.Holdings {
			k := h.Network + h.Address + h.Asset
			if amount(t, h.Traced) != sums[k] {
				t.Errorf("seed %d: %s has %s, terminals sum to %s", seed, h.ID, h.Traced, sums[k])
			}
			delete(sums, k)
			var victims, labels ledger.Amount
			for _, v := range h.Victims {
				victims = victims.Plus(amount(t, v.Amount))
			}
			for _, s := range h.Shares {
				labels = labels.Plus(amount(t, s.Amount))
			}
			if victims != amount(t, h.Traced) || labels != victims {
				t.Errorf("seed %d: %s: traced %s, victims %s, labels %s", seed, h.ID, h.Traced, victims, labels)
			}
			if h.Held && amount(t, h.BalanceNow).Plus(amount(t, h.Missing)) != amount(t, h.Traced).Plus(amount(t, h.Unexplained)) {
				t.Errorf("seed %d: %s: balance %s + missing %s != traced %s + unexplained %s", seed, h.ID, h.BalanceNow, h.Missing, h.Traced, h.Unexplained)
			}
		}
		if len(sums) > 0 {
			t.Errorf("seed %d: terminals in no holding: %v", seed, sums)
		}
		restitutionAdds(t, seed, d)
	}
}

// restitutionAdds checks that nobody is allotted more than can be stopped.
func restitutionAdds(t *testing.T, seed uint64, d *evidence.Dossier) {
	t.Helper()
	recoverable, allotted, traced := map[string]ledger.Amount{}, map[string]ledger.Amount{}, map[string]ledger.Amount{}
	for _, h := range d.Holdings {
		recoverable[h.Asset] = recoverable[h.Asset].Plus(amount(t, h.Recoverable))
	}
	for _, a := range d.Shares {
		allotted[a.Asset] = allotted[a.Asset].Plus(amount(t, a.Allocated))
		traced[a.Asset] = traced[a.Asset].Plus(amount(t, a.Traced))
	}
	for asset, sum := range recoverable {
		if allotted[asset] != sum || traced[asset] != sum {
			t.Errorf("seed %d: %s: recoverable %s, allotted %s, traced %s", seed, asset, sum, allotted[asset], traced[asset])
		}
	}
}

func amount(t testing.TB, text string) ledger.Amount {
	t.Helper()
	if text == "" {
		return ledger.Amount{}
	}
	a, err := ledger.ParseAmount(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
