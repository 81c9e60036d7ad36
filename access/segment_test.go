package access_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/ledger"
)

// fullAt is the size of a file in these tests: some five lines.
const fullAt = 1000

// rotated records n events in files of fullAt bytes, with a restart between any two.
func rotated(t testing.TB, dir string, n int) {
	t.Helper()
	for i := range n {
		a, err := access.OpenAudit(dir, newClock().now, fullAt)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(a.Record(access.Event{Method: fmt.Sprint("/m", i), Outcome: "OK"}), a.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// files are those of a log, in order, with what they hold.
func files(t testing.TB, dir string) (names []string, texts [][]byte) {
	t.Helper()
	for n := 0; ; n++ {
		name := filepath.Join(dir, "audit.log")
		if n > 0 {
			name = filepath.Join(dir, fmt.Sprintf("audit.%d.log", n))
		}
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			return names, texts
		}
		if err != nil {
			t.Fatal(err)
		}
		names, texts = append(names, name), append(texts, text)
	}
}

// TestSegments: the files of a log are together what one file would be, whether
// it was open all the time or not.
func TestSegments(t *testing.T) {
	const n = 40
	whole, parts, restarted := t.TempDir(), t.TempDir(), t.TempDir()
	for dir, full := range map[string]int64{whole: 0, parts: fullAt} {
		a, err := access.OpenAudit(dir, newClock().now, full)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if err := a.Record(access.Event{Method: fmt.Sprint("/m", i), Outcome: "OK"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	rotated(t, restarted, n)
	_, want := files(t, whole)
	for _, dir := range []string{parts, restarted} {
		_, texts := files(t, dir)
		var got []byte
		for i, text := range texts {
			if got = append(got, text...); i < len(texts)-1 && (len(text) < fullAt || len(text) > 2*fullAt) {
				t.Errorf("file %d of %d has %d bytes", i, len(texts), len(text))
			}
		}
		if len(want) != 1 || len(texts) < 5 || string(got) != string(want[0]) {
			t.Errorf("%d files hold\n%s\nwant\n%s", len(texts), got, want[0])
		}
		if report, events, err := verify(dir, access.AuditCheck{}); err != nil || report.Events != n || len(events) != n || events[n-1].Sequence != n {
			t.Errorf("verified: %+v, %d events, %v", report, len(events), err)
		}
	}
}

// TestSegmentDamage: a file that is gone, another's place or one changed byte is seen.
func TestSegmentDamage(t *testing.T) {
	dir := t.TempDir()
	rotated(t, dir, 25)
	names, texts := files(t, dir)
	bad := func(what string) {
		t.Helper()
		if _, _, err := verify(dir, access.AuditCheck{}); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i, name := range names {
		changed := append([]byte{}, texts[i]...)
		changed[len(changed)/2] ^= 1
		for what, text := range map[string][]byte{"changed": changed, "cut": texts[i][:len(texts[i])-1], "empty": nil, "longer": append(changed[:len(changed):len(changed)], 'x'), "another": texts[(i+1)%len(texts)]} {
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
			bad(fmt.Sprint(what, " file ", i))
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		bad(fmt.Sprint("file ", i, " is gone"))
		if i > 0 {
			if a, err := access.OpenAudit(dir, newClock().now, fullAt); !errors.Is(err, ledger.ErrCorrupt) {
				t.Errorf("opened without file %d: %v, %v", i, a, err)
			}
		}
		if err := os.WriteFile(name, texts[i], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := verify(dir, access.AuditCheck{}); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

// TestSegmentTorn crashes at every byte of the first write into a new file, with
// the checkpoint of before: nothing that was acknowledged is lost, and it goes on.
func TestSegmentTorn(t *testing.T) {
	dir := t.TempDir()
	checkpoint := filepath.Join(dir, "audit.checkpoint")
	var old []byte
	n := 0
	for count := 1; count < 3; n++ {
		old, _ = os.ReadFile(checkpoint)
		rotated(t, dir, 1)
		names, _ := files(t, dir)
		count = len(names)
	}
	names, texts := files(t, dir)
	last := len(names) - 1
	for length := range len(texts[last]) + 1 {
		crashed := t.TempDir()
		if err := errors.Join(os.CopyFS(crashed, os.DirFS(dir)), os.Chmod(filepath.Join(crashed, "audit.key"), 0o600),
			os.WriteFile(filepath.Join(crashed, filepath.Base(names[last])), texts[last][:length], 0o600), os.WriteFile(filepath.Join(crashed, "audit.checkpoint"), old, 0o600)); err != nil {
			t.Fatal(err)
		}
		rotated(t, crashed, 1)
		_, events, err := verify(crashed, access.AuditCheck{Earlier: old})
		want := n // n-1 of before, and the one after the crash
		if length == len(texts[last]) {
			want = n + 2 // the one that was whole, and the remark
		}
		if err != nil || len(events) != want {
			t.Errorf("%d of %d bytes: %d events, want %d: %v", length, len(texts[last]), len(events), want, err)
		}
	}
}

// TestNoRoomToRotate: where no other file can be begun nothing is recorded, and
// it goes on once one can.
func TestNoRoomToRotate(t *testing.T) {
	dir := t.TempDir()
	a, err := access.OpenAudit(dir, newClock().now, 1)
	if err != nil {
		t.Fatal(err)
	}
	record(t, a, 1)
	block := filepath.Join(dir, "audit.1.log")
	if err := os.Mkdir(block, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := a.Record(access.Event{Method: "/m", Outcome: "OK"}); err == nil || a.Ready() == nil {
		t.Errorf("recorded where there is no room: %v", err)
	}
	if err := os.Remove(block); err != nil {
		t.Fatal(err)
	}
	if err := a.Ready(); err != nil {
		t.Error(err)
	}
	record(t, a, 1)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, events, err := verify(dir, access.AuditCheck{}); err != nil || len(events) != 3 || events[1].Method != "audit.resume" {
		t.Errorf("got %v, %v", events, err)
	}
}
