package pack_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/bag"
	"github.com/spoortrace/spoor/evidence/casetest"
	"github.com/spoortrace/spoor/evidence/letter"
	"github.com/spoortrace/spoor/evidence/pack"
)

// builtSeed is the seed of the package that TestBuilt makes as a child.
const builtSeed = "SPOOR_TEST_PACKAGE_SEED"

// TestBuilt builds a package twice and prints its hash.
func TestBuilt(t *testing.T) {
	seed := uint64(7)
	if text := os.Getenv(builtSeed); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	hash := hashOf(write(t, withLetters(t, casetest.Build(t, seed))))
	if again := hashOf(write(t, withLetters(t, casetest.Build(t, seed)))); again != hash {
		t.Errorf("%s, then %s", hash, again)
	}
	if _, err := os.Stdout.WriteString("package " + hash + "\n"); err != nil {
		t.Error(err)
	}
}

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

func write(t testing.TB, d *evidence.Dossier) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := pack.Write(&b, d, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func withLetters(t testing.TB, d *evidence.Dossier) *evidence.Dossier {
	t.Helper()
	var err error
	if d.Requests, err = letter.Write(d, letter.Options{}); err != nil {
		t.Fatal(err)
	}
	return d
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func open(t testing.TB, zip []byte) *bag.Bag {
	t.Helper()
	b, err := bag.Open(bytes.NewReader(zip), int64(len(zip)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSame builds one case in other processes, with one and with two processors
// and map seeds of their own: the bytes are the same.
func TestSame(t *testing.T) {
	seed := rand.Uint64()
	want := hashOf(write(t, withLetters(t, casetest.Build(t, seed))))
	n := trials(t, 10)
	for i := range n {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBuilt$")
		cmd.Env = append(os.Environ(), builtSeed+"="+strconv.FormatUint(seed, 10), fmt.Sprint("GOMAXPROCS=", 1+i%2))
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, out)
		}
		if !strings.Contains(string(out), "package "+want+"\n") {
			t.Fatalf("seed %d: build %d: want %s, got %s", seed, i, want, out)
		}
	}
	t.Logf("seed %d: %d processes, one package", seed, n)
}

// TestRead: what is written is read back, verifies, and every rendering is what
// the records give.
func TestRead(t *testing.T) {
	for range trials(t, 10) {
		seed := rand.Uint64()
		b := open(t, write(t, withLetters(t, casetest.Build(t, seed))))
		d, err := pack.Read(b)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if r := evidence.Verify(t.Context(), d); !r.OK() {
			t.Errorf("seed %d: %+v", seed, r.Checks)
		}
		if err := pack.Check(b, d); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// TestDerived makes every level of a package; each is derived from the full one,
// and one that says anything else is not.
func TestDerived(t *testing.T) {
	d := withLetters(t, casetest.Build(t, 11))
	full := open(t, write(t, d))
	manifest, err := pack.Manifest(d)
	if err != nil {
		t.Fatal(err)
	}
	for level, shown := range evidence.Levels() {
		if level == evidence.ForCourt {
			continue
		}
		var zip bytes.Buffer
		if _, err := pack.Write(&zip, d.Redact(level, ""), manifest); err != nil {
			t.Fatal(err)
		}
		b := open(t, zip.Bytes())
		if err := pack.Derived(b, full); err != nil {
			t.Errorf("%s: %v", level, err)
		}
		named := false
		for _, f := range shown {
			named = named || f == "name"
		}
		if got := bytes.Contains(zip.Bytes(), []byte("Maria")); got != named {
			t.Errorf("%s: the victim's name is in it: %v, want %v", level, got, named)
		}
		forged := d.Redact(level, "")
		forged.Payments = append([]evidence.Payment{}, forged.Payments...)
		forged.Payments[0].Victim = "V-99"
		zip.Reset()
		if _, err := pack.Write(&zip, forged, manifest); err != nil {
			t.Fatal(err)
		}
		if pack.Derived(open(t, zip.Bytes()), full) == nil {
			t.Errorf("%s: another victim is not found", level)
		}
	}
}

// TestHostile: whatever people and labels are called, no format acts on it.
func TestHostile(t *testing.T) {
	d := withLetters(t, casetest.Hostile(t, 12))
	b := open(t, write(t, d))
	for _, f := range b.Files() {
		text, err := b.Read(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		if f.Role != evidence.RoleRendering && f.Role != evidence.RoleLetter {
			continue // records hold what was given, as JSON
		}
		if strings.ContainsAny(string(text), "\u202e\u202c\u2066\u2067\x1b") && !strings.HasSuffix(f.Path, ".pdf") {
			t.Errorf("%s has control or bidirectional characters", f.Path)
		}
		harmless(t, f.Path, text)
	}
	if again, err := pack.Read(b); err != nil {
		t.Error(err)
	} else if err := pack.Check(b, again); err != nil {
		t.Error(err)
	}
}

var active = regexp.MustCompile(`(?i)<\s*(script|img|iframe|object|foreignObject)|\son\w+\s*=\s*"|href="[^#]`)

func harmless(t *testing.T, path string, text []byte) {
	t.Helper()
	switch {
	case strings.HasSuffix(path, ".csv"):
		rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, row := range rows {
			for _, cell := range row {
				if begin := strings.TrimSpace(cell); begin != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(begin)[0]) {
					t.Errorf("%s: a cell begins a formula: %.40q", path, cell)
				}
			}
		}
	case strings.HasSuffix(path, ".svg"), strings.HasSuffix(path, ".graphml"):
		wellFormed(t, path, text)
		fallthrough
	case strings.HasSuffix(path, ".html"):
		if found := active.Find(text); found != nil {
			t.Errorf("%s: %q", path, found)
		}
	case strings.HasSuffix(path, ".json"), strings.HasSuffix(path, ".jsonld"):
		if !json.Valid(text) {
			t.Errorf("%s: no JSON", path)
		}
	}
}

func wellFormed(t *testing.T, path string, text []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		if e, ok := token.(xml.StartElement); ok && strings.EqualFold(e.Name.Local, "script") {
			t.Errorf("%s: a script", path)
		}
	}
}

// TestSheets adds up sheets.csv as a reader would.
func TestSheets(t *testing.T) {
	d := casetest.Build(t, rand.Uint64())
	text, err := open(t, write(t, d)).Read("sheets.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, r := range rows[1:] {
		n := func(i int) int64 {
			v, err := strconv.ParseInt(r[i], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		if in, out := n(4)-n(5)+n(6), n(7)+n(8)+n(9)+n(10)+n(11)+n(12)+n(13); in != out {
			t.Errorf("%v: %d in, %d out", r, in, out)
		}
	}
}

// BenchmarkWrite packs a case of some thousand hops.
func BenchmarkWrite(b *testing.B) {
	d := casetest.Build(b, 1)
	for b.Loop() {
		if _, err := pack.Write(io.Discard, d, nil); err != nil {
			b.Fatal(err)
		}
	}
}
