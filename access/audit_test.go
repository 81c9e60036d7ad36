package access_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/ledger"
)

func openAudit(t testing.TB, dir string) *access.Audit {
	t.Helper()
	a, err := access.OpenAudit(dir, newClock().now, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func record(t testing.TB, a *access.Audit, n int) {
	t.Helper()
	for i := range n {
		e := access.Event{Tenant: "acme", Key: "0123456789abcdef", Name: "desk", Role: access.Screener, Method: "/m", Subject: a.Subject(fmt.Append(nil, i)), Outcome: "OK"}
		if err := a.Record(e); err != nil {
			t.Fatal(err)
		}
	}
}

// verify counts the events of a log that holds.
func verify(dir string, check access.AuditCheck) (access.AuditReport, []access.Event, error) {
	var all []access.Event
	report, err := access.VerifyAudit(dir, check, func(e access.Event) error {
		all = append(all, e)
		return nil
	})
	return report, all, err
}

// hashes is all of a tree, for the reference implementation.
type hashes []tlog.Hash

func (h hashes) ReadHashes(at []int64) (found []tlog.Hash, err error) {
	for _, i := range at {
		found = append(found, h[i])
	}
	return found, nil
}

// TestAudit: what is recorded is read back, and the root of every size is that
// of the reference implementation of RFC 6962.
func TestAudit(t *testing.T) {
	dir := t.TempDir()
	var all hashes
	for n := range 40 {
		a := openAudit(t, dir) // it goes on where the last process was
		record(t, a, 1)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(dir, "audit.log"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
		more, err := tlog.StoredHashes(int64(n), []byte(lines[n][65:]), all)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, more...)
		want, err := tlog.TreeHash(int64(n+1), all)
		if err != nil {
			t.Fatal(err)
		}
		report, events, err := verify(dir, access.AuditCheck{})
		if err != nil || report.Events != uint64(n+1) || report.Root != want.String() {
			t.Fatalf("%d events: %v, %v; want the root %s", n+1, report, err, want)
		}
		last := events[n]
		if last.Sequence != uint64(n+1) || last.Role != access.Screener || last.Subject != a.Subject([]byte("0")) || !last.Time.Equal(newClock().at) {
			t.Errorf("event %d: %v", n, last)
		}
		if again, err := access.AuditSubject(dir, "0"); err != nil || again != last.Subject {
			t.Errorf("subject %s, %v", again, err)
		}
	}
	if err := openClosed(dir).Record(access.Event{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("recorded after it was closed: %v", err)
	}
}

func openClosed(dir string) *access.Audit {
	a, err := access.OpenAudit(dir, newClock().now, 0)
	if err != nil {
		panic(err)
	}
	_ = a.Close()
	return a
}

// TestTogether: what comes from many sides at once is all there, once.
func TestTogether(t *testing.T) {
	dir := t.TempDir()
	a := openAudit(t, dir)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for j := range 20 {
				if err := a.Record(access.Event{Method: fmt.Sprint(i, j), Outcome: "OK"}); err != nil {
					t.Error(err)
				}
				if j == 10 {
					if _, _, err := verify(dir, access.AuditCheck{}); err != nil { // while others write
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	_, events, err := verify(dir, access.AuditCheck{})
	seen := map[string]bool{}
	for _, e := range events {
		seen[e.Method] = true
	}
	if err != nil || len(events) != 400 || len(seen) != 400 {
		t.Errorf("%d events, %d of them different, %v", len(events), len(seen), err)
	}
}

// edit changes a text at random: a bit, a byte, bytes put in or taken out, lines
// swapped, doubled or taken out, the end cut off or added to.
func edit(r *rand.Rand, text []byte) []byte {
	at := r.IntN(len(text))
	lines := bytes.SplitAfter(text, []byte("\n"))
	lines = lines[:len(lines)-1]
	one, other := r.IntN(len(lines)), r.IntN(len(lines))
	edited := slices.Clone(text)
	switch r.IntN(9) {
	case 0:
		edited[at] ^= 1 << r.IntN(8)
	case 1:
		edited[at] = byte(r.IntN(256))
	case 2:
		edited = slices.Insert(edited, at, byte(r.IntN(256)))
	case 3:
		edited = slices.Delete(edited, at, min(len(text), at+1+r.IntN(100)))
	case 4:
		lines[one], lines[other] = lines[other], lines[one]
		edited = bytes.Join(lines, nil)
	case 5:
		edited = bytes.Join(slices.Insert(lines, one, lines[other]), nil)
	case 6:
		edited = bytes.Join(slices.Delete(lines, one, one+1), nil)
	case 7:
		edited = edited[:at]
	case 8:
		edited = append(edited, text[at:]...)
	}
	return edited
}

// TestEdits edits the log or its checkpoint at random: each edit is found
// without any help of a process that wrote it.
func TestEdits(t *testing.T) {
	dir := t.TempDir()
	a := openAudit(t, dir)
	record(t, a, 50)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := verify(dir, access.AuditCheck{}); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	tried, n := 0, trials(10_000)
	for tried < n {
		name := filepath.Join(dir, []string{"audit.log", "audit.log", "audit.checkpoint"}[r.IntN(3)])
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		edited := edit(r, whole)
		if bytes.Equal(edited, whole) {
			continue
		}
		tried++
		if err := os.WriteFile(name, edited, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := verify(dir, access.AuditCheck{}); !errors.Is(err, ledger.ErrCorrupt) {
			t.Fatalf("edit %d of %s: %v\n%q\n%q", tried, filepath.Base(name), err, whole, edited)
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d edits, all found", tried)
}

// TestForged: who has the key of the log can sign another history, and is found
// by a checkpoint that was kept elsewhere; who has another key, by the public one.
func TestForged(t *testing.T) {
	dir := t.TempDir()
	a := openAudit(t, dir)
	record(t, a, 5)
	kept, _, err := verify(dir, access.AuditCheck{})
	if err != nil {
		t.Fatal(err)
	}
	record(t, a, 5)
	if _, _, err := verify(dir, access.AuditCheck{Key: kept.Key, Earlier: kept.Checkpoint}); err != nil {
		t.Errorf("it went on: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	forged := t.TempDir()
	for _, name := range []string{"audit.key", "audit.pub"} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(forged, name), raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	record(t, openAudit(t, forged), 4)
	if _, _, err := verify(forged, access.AuditCheck{}); err != nil {
		t.Errorf("by itself it holds: %v", err)
	}
	if _, _, err := verify(forged, access.AuditCheck{Earlier: kept.Checkpoint}); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("shorter than it was: %v", err)
	}
	other := t.TempDir()
	record(t, openAudit(t, other), 10)
	if _, _, err := verify(other, access.AuditCheck{Key: kept.Key}); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("signed with another key: %v", err)
	}
	again := openAudit(t, forged+"/again")
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestAuditTorn cuts the log at every byte after its checkpoint: the torn line
// is dropped, whole ones are signed with a remark, and what was acknowledged is there.
func TestAuditTorn(t *testing.T) {
	dir := t.TempDir()
	a := openAudit(t, dir)
	record(t, a, 3)
	old, err := os.ReadFile(filepath.Join(dir, "audit.checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(filepath.Join(dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	record(t, a, 1)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	for length := int(before.Size()) - 1; length <= len(whole); length++ {
		crashed := t.TempDir()
		if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chmod(filepath.Join(crashed, "audit.key"), 0o600), os.WriteFile(filepath.Join(crashed, "audit.log"), whole[:length], 0o600),
			os.WriteFile(filepath.Join(crashed, "audit.checkpoint"), old, 0o600)); err != nil {
			t.Fatal(err)
		}
		a, err := access.OpenAudit(crashed, newClock().now, 0)
		if length < int(before.Size()) {
			if !errors.Is(err, ledger.ErrCorrupt) {
				t.Errorf("an acknowledged event is torn: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%d bytes: %v", length, err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		_, events, err := verify(crashed, access.AuditCheck{})
		remarked := err == nil && events[len(events)-1].Method == "audit.recover"
		if want := length == len(whole); err != nil || remarked != want || len(events) != map[bool]int{false: 3, true: 5}[want] {
			t.Errorf("%d of %d bytes: %d events, %v", length, len(whole), len(events), err)
		}
	}
}

// TestAuditKey: the key is for its owner alone, and a log without its key is not given another.
func TestAuditKey(t *testing.T) {
	dir := t.TempDir()
	a := openAudit(t, dir)
	record(t, a, 1)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "audit.key")
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := access.OpenAudit(dir, newClock().now, 0); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("a key that others can read: %v", err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := access.OpenAudit(dir, newClock().now, 0); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("a log without its key: %v", err)
	}
}

// BenchmarkAudit is the cost of an event when 32 come at a time.
func BenchmarkAudit(b *testing.B) {
	a := openAudit(b, b.TempDir())
	b.SetParallelism(16)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := a.Record(access.Event{Tenant: "acme", Method: "/m", Outcome: "OK"}); err != nil {
				b.Error(err)
			}
		}
	})
}
