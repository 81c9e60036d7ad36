package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/casetest"
	packs "github.com/spoortrace/spoor/evidence/pack"
)

// written writes a package of the other program.
func written(t *testing.T, d *evidence.Dossier, full []byte) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := packs.Write(&b, d, full); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "case.zip")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func printed(t *testing.T, q question) (sheet *page, text string) {
	t.Helper()
	sheet, err := q.answer()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := sheet.print(&b, q.json); err != nil {
		t.Fatal(err)
	}
	return sheet, b.String()
}

// The page names package and program, every check, the sums, and what was not checked.
func TestPage(t *testing.T) {
	d := casetest.Build(t, 2)
	name := written(t, d, nil)
	sheet, text := printed(t, question{name: name})
	for _, want := range []string{
		"sha256      " + sheet.SHA256, "checked by  spoor-verify, sha256 ", "ok      container: ", "\nok      policies recomputed\n", "\nok      holdings\n",
		"rows re-add to the unit", "Not checked:\n- who signed it", "\nTHE PACKAGE HOLDS in everything that was checked.\n", "made for: court", d.Cover.Demonstration,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if rows := sheet.Grades.Proven + sheet.Grades.Attested + sheet.Grades.Inferred; !sheet.Holds || rows != len(d.Ledger) || sheet.Grades.Failed != 0 {
		t.Errorf("holds %v, %+v of %d rows", sheet.Holds, sheet.Grades, len(d.Ledger))
	}
	_, text = printed(t, question{name: name, json: true})
	var again page
	if err := json.Unmarshal([]byte(text), &again); err != nil || !again.Holds || len(again.Checks) != len(sheet.Checks) {
		t.Errorf("%v: %s", err, text)
	}
}

// Packages of cases whose first payer is not known hold, too, and those of money in accounts at an exchange.
func TestPageOfMany(t *testing.T) {
	for seed := range uint64(12) {
		for name, d := range map[string]*evidence.Dossier{"sparse": casetest.Sparse(t, seed), "disclosed": casetest.Disclosed(t, seed)} {
			if sheet, text := printed(t, question{name: written(t, d, nil)}); !sheet.Holds {
				t.Errorf("%s, seed %d:\n%s", name, seed, text)
			}
		}
	}
}

// A package of each level holds beside the full one, and not beside another.
func TestRedactedPages(t *testing.T) {
	d, other := casetest.Build(t, 2), casetest.Build(t, 4)
	manifest, err := packs.Manifest(d)
	if err != nil {
		t.Fatal(err)
	}
	full, another := written(t, d, nil), written(t, other, nil)
	for level := range evidence.Levels() {
		if level == evidence.ForCourt {
			continue
		}
		name := written(t, d.Redact(level, ""), manifest)
		if sheet, text := printed(t, question{name: name, full: full}); !sheet.Holds || !strings.Contains(text, "ok      derived from "+full) {
			t.Errorf("%s: got\n%s", level, text)
		}
		if sheet, text := printed(t, question{name: name, full: another}); sheet.Holds {
			t.Errorf("%s of another: got\n%s", level, text)
		}
		if sheet, text := printed(t, question{name: name}); !sheet.Holds || !strings.Contains(text, "- that all it shows is in the full package") {
			t.Errorf("%s alone: got\n%s", level, text)
		}
	}
}

// A figure that somebody changed, and all manifests with it, is on the page, and so is the verdict.
func TestPageOfForgery(t *testing.T) {
	d := casetest.Build(t, 2)
	d.Holdings[0].Traced += "0"
	sheet, text := printed(t, question{name: written(t, d, nil)})
	if sheet.Holds || !strings.Contains(text, "FAILED  holdings\n        H-1, traced: want ") || !strings.Contains(text, "\nTHE PACKAGE DOES NOT HOLD.\n") {
		t.Errorf("got\n%s", text)
	}
}

// What is no package, and what is not there.
func TestPageOfNothing(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.zip")
	if _, err := (question{name: name}).answer(); err == nil {
		t.Error("a file that is not there was read")
	}
	if err := os.WriteFile(name, []byte("PK"), 0o600); err != nil {
		t.Fatal(err)
	}
	if sheet, text := printed(t, question{name: name}); sheet.Holds || !strings.Contains(text, "FAILED  container\n") || !strings.Contains(text, "- everything else\n") {
		t.Errorf("got\n%s", text)
	}
}

// Whatever a package says of itself, each line stays one line, and what is not seen is written as its number.
func TestPageShowsWhatIsThere(t *testing.T) {
	d := casetest.Build(t, 2)
	d.Cover.Title, d.Cover.Authority = "a\x1b[2J\u202eb\nok      custody log", "ตำรวจ ไซเบอร์"
	_, text := printed(t, question{name: written(t, d, nil)})
	if !strings.Contains(text, "ตำรวจ ไซเบอร์: a<U+001B>[2J<U+202E>b<U+000A>ok ") {
		t.Errorf("got\n%s", text)
	}
}
