package cases_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/ledger"
)

const someHash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// facts are one of each kind that Add takes, each of which fits a case with a
// payment P-1 and a request R-1.
func facts() []cases.Fact {
	return []cases.Fact{
		&cases.Member{Name: "bob", Role: cases.Viewer},
		&cases.PolicyChange{Policy: cases.Policies{UTXO: cases.Policy{Name: "haircut", Reason: "order of 3 May"}, Account: cases.Policy{Name: "fifo", Reason: "as before"}}},
		&cases.AllocationChange{Allocation: cases.ProRata, Reason: "equity"},
		&cases.Label{Address: "tron:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", Label: "the shop", Source: "an interview"},
		&cases.Read{What: "case"},
		&cases.Package{SHA256: someHash, Redaction: "court"},
		&cases.Request{To: "An exchange", Letter: someHash, Accounts: []string{"uid 7"}, Sent: noon()},
		&cases.Answer{Request: "R-1", Text: "held", Held: "1000000", Asset: "USDT", HoldExpires: noon().AddDate(0, 1, 0)},
		&cases.Return{Entity: "huobi", Account: "7", Document: someHash, Rows: someHash, From: noon(), To: noon().AddDate(0, 1, 0), Replaces: true},
		&cases.Seizure{Address: "An exchange:uid 7", Asset: "USDT", Amount: "1000000", Authority: "a court", Executed: noon()},
	}
}

// TestReplay draws entries, keeps the state after each, and opens the store
// again: a log cut after any entry adds up to the state of then.
func TestReplay(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp("", "replay")
		if err != nil {
			r.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s, err := cases.Open(dir, cases.Options{Now: noon})
		if err != nil {
			r.Fatal(err)
		}
		c, err := s.New(ann(), opening("1/2026"))
		if err != nil {
			r.Fatal(err)
		}
		then := []cases.Case{c}
		for i := range rapid.IntRange(1, 12).Draw(r, "entries") {
			var err error
			switch kind := rapid.IntRange(-3, len(facts())-1).Draw(r, "kind"); kind {
			case -3:
				c, err = s.AddNote(ann(), c.ID, "", "a note")
			case -2:
				c, err = s.AddExhibit(ann(), c.ID, "", cases.File{Name: "a.txt", Content: fmt.Append(nil, i)})
			case -1:
				c, err = s.AddPayments(ann(), c.ID, "", []cases.Row{row("Somchai", i+1), row(fmt.Sprint("Victim ", i), 100+i)})
			default:
				if kind == 7 && len(c.Requests) == 0 { // an answer without a request is refused
					kind = 6
				}
				f := facts()[kind]
				if p, ok := f.(*cases.Package); ok { // one that is there is not recorded again
					p.SHA256 = fmt.Sprintf("%064x", i)
				}
				c, err = s.Add(ann(), c.ID, "", f)
			}
			if err != nil {
				r.Fatal(err)
			}
			then = append(then, c)
		}
		for i, want := range then {
			n := 0
			var got cases.Case
			got, err := cases.Replay(want.ID, func(yield func(cases.Entry, error) bool) {
				_ = s.Log(ann(), want.ID, func(e cases.Entry) error {
					if n++; n <= i+1 {
						yield(e, nil)
					}
					return nil
				})
			})
			if err != nil {
				r.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(cases.Case{}), cmpopts.EquateEmpty()); diff != "" {
				r.Fatalf("after %d entries (-then +replayed):\n%s", i+1, diff)
			}
		}
		if err := s.Close(); err != nil {
			r.Fatal(err)
		}
		if _, err := cases.Verify(dir, cases.Check{}); err != nil {
			r.Fatal(err)
		}
	})
}

// TestVictims: one name is one victim; what is personal opens, is nowhere in the
// clear, and is gone after the erasure, while the log verifies.
func TestVictims(t *testing.T) {
	dir := t.TempDir()
	s := must(cases.Open(dir, cases.Options{Now: noon}))(t)
	id := begin(t, s, "12/2026")
	const canary = "Zzyzx-Canary"
	rows := []cases.Row{row(canary, 1), row("another "+canary, 2), row(strings.ToUpper(canary)+" ", 3)}
	c := must(s.AddPayments(ann(), id, "upload 1", rows))(t)
	again := must(s.AddPayments(ann(), id, "upload 1", rows))(t)
	if len(c.Victims) != 2 || len(c.Payments) != 3 || c.Payments[2].Victim != "V-1" || again.Sequence != c.Sequence {
		t.Errorf("%d victims, %d payments, the third of %s, sequence %d and %d again", len(c.Victims), len(c.Payments), c.Payments[2].Victim, c.Sequence, again.Sequence)
	}
	if _, err := s.AddPayments(ann(), id, "upload 1", rows[:1]); !errors.Is(err, ledger.ErrPrecondition) {
		t.Errorf("other rows under the same request: %v", err)
	}
	if _, err := s.AddPayments(ann(), id, "upload 2", []cases.Row{row("a third", 9), row("a third", 2)}); !errors.Is(err, ledger.ErrPrecondition) {
		t.Errorf("a transfer that is claimed: %v", err)
	}
	must(s.AddNote(ann(), id, "", "rang "+canary))(t)
	sum := must(s.AddExhibit(ann(), id, "", cases.File{Name: canary + ".pdf", Description: "of " + canary, Content: []byte("report of " + canary)}))(t).Exhibits[0].SHA256
	persons := must(s.Persons(ann(), id))(t)
	if len(persons) != 2 || persons[0].Name != canary {
		t.Errorf("persons: %v", persons)
	}
	if f := must(s.Exhibit(ann(), id, sum))(t); string(f.Content) != "report of "+canary || f.Name != canary+".pdf" {
		t.Errorf("exhibit: %+v", f)
	}
	if r := must(s.Remarks(ann(), id))(t); r["P-1"].BankLeg != "account of "+canary {
		t.Errorf("remarks: %v", r)
	}
	search(t, dir, canary)
	c = must(s.Erase(ann(), id, "order of 1 June"))(t)
	if _, err := s.Persons(ann(), id); !errors.Is(err, ledger.ErrPrecondition) {
		t.Errorf("persons after the erasure: %v", err)
	}
	if _, err := s.AddNote(ann(), id, "", "late"); !errors.Is(err, ledger.ErrPrecondition) {
		t.Errorf("a note after the erasure: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "cases", "keys", string(id))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key: %v", err)
	}
	key := filepath.Join(dir, "cases", "keys", string(id))
	put(t, key, []byte("from a backup"))
	if _, err := cases.Verify(dir, cases.Check{}); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("the key of an erased case is there again: %v", err)
	}
	if err := errors.Join(s.Close(), os.Remove(filepath.Join(dir, "cases", "lock"))); err != nil {
		t.Fatal(err)
	}
	open(t, dir) // ends the erasure
	r := must(cases.Verify(dir, cases.Check{}))(t)
	if len(r.Cases) != 1 || r.Cases[0].Exhibits != 1 || c.Payments[0].Victim != "V-1" || c.Payments[0].ReportRef != "ref 1" {
		t.Errorf("after the erasure: %+v, %+v", r, c.Payments[0])
	}
}

// search wants a text in no file below dir.
func search(t *testing.T, dir, text string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		raw, err := os.ReadFile(name)
		if bytes.Contains(bytes.ToLower(raw), []byte(strings.ToLower(text))) || strings.Contains(name, text) {
			t.Errorf("%s has %q", name, text)
		}
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
}

// TestEdits makes 10,000 random single edits of the files of a case: Verify finds all.
func TestEdits(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	id := begin(t, s, "13/2026")
	must(s.AddPayments(ann(), id, "", []cases.Row{row("Somchai", 1), row("Malee", 2)}))(t)
	sum := must(s.AddExhibit(ann(), id, "", cases.File{Name: "a", Content: []byte("content")}))(t).Exhibits[0].SHA256
	for _, f := range facts() {
		must(s.Add(ann(), id, "", f))(t)
	}
	base := filepath.Join(dir, "cases", string(id))
	names := []string{"custody.log", "custody.log", "custody.log", "custody.checkpoint", filepath.Join("exhibits", sum)}
	r := rand.New(rand.NewPCG(5, 6))
	for i := range trials(10_000) {
		name := filepath.Join(base, names[r.IntN(len(names))])
		whole := must(os.ReadFile(name))(t)
		at := r.IntN(len(whole))
		edited := bytes.Clone(whole)
		switch r.IntN(4) {
		case 0:
			edited[at] ^= 1 << r.IntN(8)
		case 1:
			edited = edited[:at]
		case 2:
			edited = append(edited[:at], whole[at+1:]...)
		case 3:
			edited = append(append(edited[:at:at], byte(r.Uint32())), whole[at:]...)
		}
		put(t, name, edited)
		if _, err := cases.Verify(dir, cases.Check{}); !errors.Is(err, ledger.ErrCorrupt) {
			t.Fatalf("edit %d of %s at %d: got %v", i, filepath.Base(name), at, err)
		}
		put(t, name, whole)
	}
	if _, err := cases.Verify(dir, cases.Check{}); err != nil {
		t.Error(err)
	}
}

func put(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRoles: each kind is refused to who may not, and to other tenants the case is none.
func TestRoles(t *testing.T) {
	s := open(t, t.TempDir())
	id := begin(t, s, "14/2026")
	must(s.Add(ann(), id, "", &cases.Member{Name: "eve", Role: cases.Viewer}))(t)
	must(s.Add(ann(), id, "", &cases.Member{Name: "ian", Role: cases.Investigator}))(t)
	eve, ian := cases.Actor{Tenant: "north", Name: "eve"}, cases.Actor{Tenant: "north", Name: "ian"}
	must(s.Get(eve, id))(t)
	must(s.AddPayments(ian, id, "", []cases.Row{row("Malee", 1)}))(t)
	for _, f := range facts() {
		_, err := s.Add(eve, id, "", f)
		if _, reads := f.(*cases.Read); errors.Is(err, cases.ErrRole) == reads {
			t.Errorf("a viewer's %T: %v", f, err)
		}
	}
	_, erase := s.Erase(ian, id, "no")
	_, stranger := s.Get(cases.Actor{Tenant: "north", Name: "zoe"}, id)
	if !errors.Is(erase, cases.ErrRole) || !errors.Is(stranger, cases.ErrRole) {
		t.Errorf("an investigator's erasure: %v; a stranger's reading: %v", erase, stranger)
	}
	_, foreign := s.Get(cases.Actor{Tenant: "south", Name: "ann"}, id)
	_, none := s.Get(ann(), "none-00000000")
	if !errors.Is(foreign, ledger.ErrNotFound) || !errors.Is(none, ledger.ErrNotFound) {
		t.Errorf("of another tenant: %v; none: %v", foreign, none)
	}
	if _, err := s.Add(ann(), id, "", &cases.Member{Name: "ann", Role: cases.None}); !errors.Is(err, ledger.ErrPrecondition) {
		t.Errorf("the only owner leaves: %v", err)
	}
	if l := s.List(cases.Actor{Tenant: "south", Name: "ann"}); len(l) != 0 {
		t.Errorf("the list of another tenant: %v", l)
	}
	if l := s.List(eve); len(l) != 1 || l[0].Role != cases.Viewer || l[0].Number != "14/2026" {
		t.Errorf("a viewer's list: %v", l)
	}
}

// TestIDs: numbers become safe names, apart from each other and tenant by tenant.
func TestIDs(t *testing.T) {
	s := open(t, t.TempDir())
	seen := map[cases.ID]bool{}
	for _, number := range []string{"../../etc", "..", "/", "12/2026", "12-2026", "คดี 7", strings.Repeat("9", 300), "", "", "keys", "lock"} {
		id := begin(t, s, number)
		if _, err := cases.ParseID(string(id)); err != nil || seen[id] || strings.ContainsAny(string(id), "/.") {
			t.Errorf("%q became %q: %v", number, id, err)
		}
		seen[id] = true
	}
	if _, err := s.New(ann(), opening("12/2026")); !errors.Is(err, ledger.ErrPrecondition) {
		t.Errorf("a number twice: %v", err)
	}
	for _, bad := range []string{"", "..", "a/b-00000000", "-00000000", "a-0000000g", "A-00000000"} {
		if _, err := cases.ParseID(bad); err == nil {
			t.Errorf("%q is an id", bad)
		}
	}
}

// TestConcurrent appends and reads from many goroutines; every one is an entry.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	id := begin(t, s, "15/2026")
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 10 {
				if _, err := s.AddPayments(ann(), id, fmt.Sprint(g, i), []cases.Row{row(fmt.Sprint("victim ", i), 1+g*10+i)}); err != nil {
					t.Error(err)
				}
				if _, err := s.Get(ann(), id); err != nil {
					t.Error(err)
				}
				_ = s.List(ann())
			}
		})
	}
	all.Wait()
	c := must(s.Get(ann(), id))(t)
	if len(c.Payments) != 80 || len(c.Victims) != 10 || c.Reads != 81 || c.Sequence != 162 {
		t.Errorf("%d payments of %d victims, %d reads, %d entries", len(c.Payments), len(c.Victims), c.Reads, c.Sequence)
	}
	p := must(s.Proofs(ann(), id))(t)
	if proof, err := p.Entry(7, 100); err != nil || len(proof) == 0 {
		t.Errorf("proof: %v, %v", proof, err)
	}
	must(cases.Verify(dir, cases.Check{}))(t)
}

// child opens a case and adds to it until it is killed, and prints each request
// after it is durable.
func child(dir string) error {
	s, err := cases.Open(dir, cases.Options{Now: time.Now})
	if err != nil {
		return err
	}
	var c cases.Case
	if all := s.List(ann()); len(all) > 0 {
		c, err = s.Get(ann(), all[0].ID)
	} else {
		c, err = s.New(ann(), opening("kill"))
	}
	for n := len(c.Payments) + 1; err == nil; n++ {
		if _, err = s.AddPayments(ann(), c.ID, fmt.Sprint(n), []cases.Row{row(fmt.Sprint("victim ", n), n)}); err == nil {
			fmt.Fprintf(os.Stdout, "%064x\n", n)
		}
	}
	return err
}

// TestKill kills a process that adds payments, again and again: none that was
// acknowledged is lost, and none is there twice.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(3, 4))
	given := map[string]bool{}
	for range trials(100) {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for before := len(given); lines.Scan(); {
			if len(lines.Text()) == 64 {
				given[lines.Text()] = true
			}
			if len(given) == before+1 { // it is under way
				time.AfterFunc(time.Duration(r.IntN(10_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
		}
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the other process ended by itself: %v", err)
		}
	}
	s := open(t, dir)
	c := must(s.Get(ann(), s.List(ann())[0].ID))(t)
	kept := map[string]int{}
	for _, p := range c.Payments {
		kept[p.Tx]++
	}
	for tx := range given {
		if kept[tx] != 1 {
			t.Errorf("%s was acknowledged and is there %d times", tx, kept[tx])
		}
	}
	must(cases.Verify(dir, cases.Check{}))(t)
	t.Logf("%d acknowledged, %d kept, %d recovered", len(given), len(c.Payments), c.Recovered)
}

// TestWrapped: keys that are wrapped open with the wrapping key only, and one
// process has a store at a time.
func TestWrapped(t *testing.T) {
	dir := t.TempDir()
	wrapping := bytes.Repeat([]byte{7}, 32)
	s := must(cases.Open(dir, cases.Options{Now: noon, WrappingKey: wrapping}))(t)
	id := begin(t, s, "16/2026")
	must(s.AddPayments(ann(), id, "", []cases.Row{row("Malee", 1)}))(t)
	if _, err := cases.Open(dir, cases.Options{Now: noon}); !errors.Is(err, ledger.ErrBusy) {
		t.Errorf("opened twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]error{"": ledger.ErrPrecondition, strings.Repeat("x", 32): ledger.ErrCorrupt, string(wrapping): nil} {
		o := cases.Options{Now: noon}
		if key != "" {
			o.WrappingKey = []byte(key)
		}
		s := must(cases.Open(dir, o))(t)
		if _, err := s.Persons(ann(), id); !errors.Is(err, want) {
			t.Errorf("with the key %q: %v, want %v", key, err, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
