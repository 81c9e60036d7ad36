package cases_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spoortrace/spoor/cases"
)

// TestAt: what a case was at an entry is the same whenever it is asked for, and
// the checkpoint of then is the one that was signed then.
func TestAt(t *testing.T) {
	s, err := cases.Open(t.TempDir(), cases.Options{Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.New(ann(), opening("1/2026"))
	if err != nil {
		t.Fatal(err)
	}
	if c, err = s.AddPayments(ann(), c.ID, "", []cases.Row{row("Somchai", 1)}); err != nil {
		t.Fatal(err)
	}
	want := c
	signed, err := s.Proofs(ann(), c.ID) // one entry more
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.At(ann(), c.ID, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddPayments(ann(), c.ID, "", []cases.Row{row("Malee", 2)}); err != nil {
		t.Fatal(err)
	}
	again, err := s.At(ann(), c.ID, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*cases.Frozen{first, again} {
		if diff := cmp.Diff(want, f.Case, cmpopts.IgnoreUnexported(cases.Case{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-then +at 2:\n%s", diff)
		}
		if len(f.Persons) != 1 || f.Persons[0].Name != "Somchai" {
			t.Errorf("persons: %v", f.Persons)
		}
	}
	plain := func(f *cases.Frozen) []byte {
		b, err := json.Marshal([]any{f.Case, f.Persons, f.Remarks, f.Notes, f.Custody, f.Salt("V-1", "name")})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(plain(first), plain(again)) {
		t.Errorf("at 2:\n%s\nlater:\n%s", plain(first), plain(again))
	}
	if first.Salt("V-1", "name") == first.Salt("V-1n", "ame") || first.Salt("a b") == first.Salt("a", "b") {
		t.Error("two subjects have one salt")
	}
	third, err := s.At(ann(), c.ID, 3)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(third.Custody.Checkpoint, signed.Checkpoint) {
		t.Errorf("checkpoint of 3 entries:\n%s\nsigned then:\n%s", third.Custody.Checkpoint, signed.Checkpoint)
	}
	if _, err := s.At(ann(), c.ID, 1000); err == nil {
		t.Error("a size that the log has not reached is taken")
	}
}
