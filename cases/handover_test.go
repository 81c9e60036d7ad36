package cases_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/ledger"
)

const passphrase = "correct horse battery"

func eve() cases.Actor { return cases.Actor{Tenant: "south", Name: "eve"} }

// handedOver exports a case with payments, a note and an exhibit.
func handedOver(t *testing.T) (from *cases.Store, id cases.ID, file []byte) {
	t.Helper()
	from = open(t, t.TempDir())
	id = begin(t, from, "12/2026")
	must(from.AddPayments(ann(), id, "", []cases.Row{row("Zzyzx-Canary", 1), row("another", 2)}))(t)
	must(from.AddNote(ann(), id, "", "seen at the Zzyzx-Canary"))(t)
	must(from.AddExhibit(ann(), id, "", cases.File{Name: "photo.jpg", Content: []byte("a photo of Zzyzx-Canary")}))(t)
	var out bytes.Buffer
	c := must(from.Export(ann(), id, "Public Prosecutor, South", passphrase, &out))(t)
	if len(c.Handovers) != 1 || c.Handovers[0].Direction != cases.KindExported || c.Handovers[0].Agency != "Public Prosecutor, South" {
		t.Fatalf("handovers %+v", c.Handovers)
	}
	return from, id, out.Bytes()
}

func importOf(s *cases.Store, a cases.Actor, file []byte, word string) (cases.Case, []byte, error) {
	return s.Import(a, bytes.NewReader(file), int64(len(file)), "Public Prosecutor, South", word)
}

// TestHandover: what one agency has, the other has after it, under its own key and
// owner; both logs say so.
func TestHandover(t *testing.T) {
	from, id, file := handedOver(t)
	if bytes.Contains(file, []byte("Zzyzx")) {
		t.Error("the file shows a name")
	}
	dir := t.TempDir()
	to := must(cases.Open(dir, cases.Options{Now: noon}))(t)
	if _, _, err := importOf(to, eve(), file, "another passphrase"); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	c, receipt, err := importOf(to, eve(), file, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if role := c.Members; len(role) != 1 || role[0] != (cases.Member{Name: "eve", Role: cases.Owner}) || len(c.Payments) != 2 || len(c.Notes) != 1 {
		t.Errorf("members %v, %d payments, %d notes", c.Members, len(c.Payments), len(c.Notes))
	}
	if _, err := to.Get(ann(), id); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("the sender sees it there: %v", err)
	}
	persons := must(to.Persons(eve(), id))(t)
	if persons[0].Name != "Zzyzx-Canary" {
		t.Errorf("persons %v", persons)
	}
	if f := must(to.Exhibit(eve(), id, c.Exhibits[0].SHA256))(t); string(f.Content) != "a photo of Zzyzx-Canary" {
		t.Errorf("exhibit %q", f.Content)
	}
	must(to.AddPayments(eve(), id, "", []cases.Row{row("a third", 3)}))(t)
	if _, _, err := importOf(to, eve(), file, passphrase); !errors.Is(err, ledger.ErrPrecondition) {
		t.Errorf("the same again: %v", err)
	}
	if c = must(from.AddReceipt(ann(), id, "", receipt))(t); c.Handovers[1].Direction != cases.KindReceipt || c.Handovers[1].SHA256 != c.Handovers[0].SHA256 {
		t.Errorf("handovers %+v", c.Handovers)
	}
	for name, bad := range map[string]string{
		"none": "thanks", "another time": strings.Replace(string(receipt), "2026-03-01", "2026-03-02", 1), "another case": strings.Replace(string(receipt), string(id), "1-2026-aaaaaaaa", 1),
	} {
		if _, err := from.AddReceipt(ann(), id, "", []byte(bad)); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("a receipt of %s: %v", name, err)
		}
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	again := must(cases.Open(dir, cases.Options{Now: noon}))(t)
	defer again.Close()
	if c, err := again.Get(eve(), id); err != nil || len(c.Payments) != 3 || c.Handovers[0].Key == "" {
		t.Errorf("opened again: %v, %d payments, %+v", err, len(c.Payments), c.Handovers)
	}
}

// TestHandoverEdits: no changed byte, and no cut, goes through; nothing of it stays.
func TestHandoverEdits(t *testing.T) {
	_, id, file := handedOver(t)
	dir := t.TempDir()
	to := open(t, dir)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	for range trials(200) {
		bad := bytes.Clone(file)
		at := random.IntN(len(bad))
		if random.IntN(4) == 0 {
			bad = bad[:at]
		} else {
			bad[at] ^= byte(1 + random.IntN(255))
		}
		if c, _, err := importOf(to, eve(), bad, passphrase); !errors.Is(err, ledger.ErrCorrupt) {
			t.Fatalf("seed %d: byte %d: %v, %+v", seed, at, err, c)
		}
	}
	left, err := os.ReadDir(filepath.Join(dir, "cases"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if strings.Contains(e.Name(), string(id)) {
			t.Errorf("%s was left", e.Name())
		}
	}
}

// rezipped makes a file anew with other contents, its checksums too.
func rezipped(t *testing.T, file []byte, old, now string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	bodies, names := map[string][]byte{}, []string{}
	changed := false
	for _, f := range z.File {
		r := must(f.Open())(t)
		body := must(io.ReadAll(r))(t)
		names = append(names, f.Name)
		bodies[f.Name] = bytes.ReplaceAll(body, []byte(old), []byte(now))
		changed = changed || !bytes.Equal(body, bodies[f.Name])
	}
	if !changed {
		t.Fatalf("%q is not in the file", old)
	}
	digest := func(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }
	log := regexp.MustCompile(`"log":"[0-9a-f]{64}"`)
	bodies["handover.json"] = log.ReplaceAll(bodies["handover.json"], []byte(`"log":"`+digest(bodies["custody.log"])+`"`))
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range names {
		f := must(w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store}))(t)
		must(f.Write(bodies[name]))(t)
	}
	if err := errors.Join(w.SetComment(strings.Repeat("0", 64)), w.Close()); err != nil {
		t.Fatal(err)
	}
	body := out.Bytes()[:out.Len()-64]
	return append(body, digest(body)...)
}

// TestHandoverForged: a file that was edited with all its checksums made anew is
// seen by the log, by what the sender signed of it, or by the seals.
func TestHandoverForged(t *testing.T) {
	_, _, file := handedOver(t)
	to := open(t, t.TempDir())
	for old, now := range map[string]string{
		`"report_ref":"ref 1"`: `"report_ref":"ref 9"`, `"amount":"1000000"`: `"amount":"2000000"`, `"by":"ann"`: `"by":"bob"`, `"size":`: `"size":1`,
		"spoor hand-over 1": "spoor hand-over 2", `"salt":"`: `"salt":"AAAA`, `"box":"`: `"box":"AAAA`, `"checkpoint":"`: `"checkpoint":"AAAA`, `"status":"confirmed"`: `"status":"suspected"`,
	} {
		if c, _, err := importOf(to, eve(), rezipped(t, file, old, now), passphrase); err == nil {
			t.Errorf("%q for %q: taken in: %+v", now, old, c)
		}
	}
	if _, _, err := importOf(to, eve(), rezipped(t, file, "Public Prosecutor, South", "Public Prosecutor, Souht"), passphrase); err != nil {
		t.Errorf("whom it is for is no part of what is signed: %v", err)
	}
}
