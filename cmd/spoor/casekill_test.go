package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/evidence/bag"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// demoPayment is a payment of the bundled data.
const demoPayment = "tron:4d5f37b606d8dad9a0554efd6becb005ef9a53def9d68f636e01f63f86d12c4c"

// program is this test as the command spoor, with the bundled data beside it.
func program(t *testing.T, dir string) (spoor, data string) {
	t.Helper()
	spoor, data = filepath.Join(dir, "spoor"), filepath.Join(dir, "spoor-demo")
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, spoor) // by this name the test binary is the program
	}
	if err != nil {
		t.Fatal(err)
	}
	demo := exec.CommandContext(t.Context(), spoor, "demo")
	demo.Dir = dir
	if out, err := demo.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return spoor, data
}

// owned works on a data directory in this process.
func owned(t *testing.T, data string, do func(l *link)) {
	t.Helper()
	a := &app{dataDir: data, log: slog.New(slog.DiscardHandler), out: t.Output(), errOut: t.Output()}
	l, err := a.connect(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	do(l)
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
}

// openCases opens n cases of one payment each.
func openCases(t *testing.T, l *link, n int) {
	t.Helper()
	for i := range n {
		rule := &spoorv1.CasePolicy{Policy: "fifo", Reason: "order of 3 May"}
		c, err := l.cases.CreateCase(t.Context(), &spoorv1.CreateCaseRequest{Number: fmt.Sprintf("%d/2026", i+1), Title: "T", Authority: "A", UtxoPolicy: rule, AccountPolicy: rule})
		if err == nil {
			_, err = l.cases.AddPayments(t.Context(), &spoorv1.AddPaymentsRequest{Name: c.GetName(), Rows: []*spoorv1.PaymentRow{{Ref: demoPayment, Victim: "Canary Zebra"}}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestKilledPackages kills a batch again and again, wherever it is, and lets the
// last run end: each case has one package, recorded once, and nothing else lies
// about.
func TestKilledPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("one process after another; the tests without the race detector run it")
	}
	cases, kills := 20, 5
	if n, err := strconv.Atoi(os.Getenv("SPOOR_TRIALS")); err == nil && n > 0 {
		cases, kills = max(n/5, 1), 10
	}
	dir, scratch := t.TempDir(), t.TempDir()
	spoor, data := program(t, dir)
	owned(t, data, func(l *link) { openCases(t, l, cases) })
	out := filepath.Join(dir, "packages")
	run := func(ctx context.Context) {
		cmd := exec.CommandContext(ctx, spoor, "case", "package", "--all", "--out", out, "--data", data, "--demonstration", "a test")
		cmd.Env = append(os.Environ(), "TMPDIR="+scratch)
		if text, err := cmd.CombinedOutput(); err != nil && ctx.Err() == nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	random := rand.New(rand.NewPCG(7, 8))
	var made []int
	for range kills {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(250+random.IntN(50*cases/kills))*time.Millisecond)
		run(ctx) // killed, or done
		cancel()
		zips, _ := filepath.Glob(filepath.Join(out, "*.zip"))
		made = append(made, len(zips))
	}
	t.Logf("after each kill there were %v of %d", made, cases)
	run(t.Context())
	checkBatch(t, data, out, cases)
	if left, _ := os.ReadDir(scratch); len(left) > 0 {
		t.Errorf("%d files are left in the folder for temporary ones: %v", len(left), left)
	}
}

// checkBatch wants one package of each case, recorded once, and no other file.
func checkBatch(t *testing.T, data, out string, cases int) {
	t.Helper()
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "-court.zip") {
			t.Errorf("%s is left over", e.Name())
		}
	}
	if len(entries) != cases {
		t.Errorf("%d files of %d cases", len(entries), cases)
	}
	owned(t, data, func(l *link) {
		all, err := allCases(t.Context(), l)
		if err != nil || len(all.GetCases()) != cases {
			t.Fatalf("%d cases: %v", len(all.GetCases()), err)
		}
		m := &spoorv1.BuildPackageRequest{Redaction: "court", Demonstration: "a test"}
		for _, one := range all.GetCases() {
			c, err := l.cases.GetCase(t.Context(), &spoorv1.GetCaseRequest{Name: one.GetName()})
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(out, strings.TrimPrefix(c.GetName(), "cases/")+"-court")
			if sum, err := madeAlready(c, m, name); err != nil || sum == nil || len(c.GetPackages()) != 1 {
				t.Errorf("%s: %d packages are recorded, the file is it: %v, %v", c.GetNumber(), len(c.GetPackages()), sum != nil, err)
			}
		}
	})
}

// TestDiedBeforeMove: a run recorded a package and died before the file had its
// name, or before it had its bytes. The next one places that very package; the
// one after it makes nothing; a change of the case makes another.
func TestDiedBeforeMove(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another; the tests without the race detector run it")
	}
	dir := t.TempDir()
	_, data := program(t, dir)
	out := filepath.Join(dir, "packages")
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	a := &app{dataDir: data, out: t.Output(), errOut: t.Output()}
	owned(t, data, func(l *link) {
		openCases(t, l, 1)
		all, err := allCases(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		name := all.GetCases()[0].GetName()
		m := &spoorv1.BuildPackageRequest{Name: name, Redaction: "court", Demonstration: "a test"}
		d, err := newDraft(out, strings.TrimPrefix(name, "cases/")+"-court")
		if err != nil {
			t.Fatal(err)
		}
		m.RequestId = d.request
		first, err := receive(t.Context(), l, m, d.file)
		if err != nil {
			t.Fatal(err)
		}
		m.RequestId = ""
		if left, err := deadDrafts(out, strings.TrimPrefix(name, "cases/")+"-court"); !errors.Is(err, ledger.ErrBusy) || len(left) != 0 {
			t.Errorf("the draft of a run that lives is taken over: %v", err)
		}
		if err := d.file.Close(); err != nil { // as if the process ended
			t.Fatal(err)
		}
		packages := func() []*spoorv1.CasePackage {
			sum, err := a.onePackage(t.Context(), l, m, packageFlags{out: out}, true)
			if err != nil {
				t.Fatal(err)
			}
			c, err := l.cases.GetCase(t.Context(), &spoorv1.GetCaseRequest{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			if last := c.GetPackages()[len(c.GetPackages())-1]; last.GetSha256() != sum.GetSha256() {
				t.Errorf("made %s, the last recorded is %s", sum.GetSha256(), last.GetSha256())
			}
			return c.GetPackages()
		}
		for range 2 {
			if got := packages(); len(got) != 1 || got[0].GetSha256() != first.GetSha256() || got[0].GetAuthor() == "" || got[0].GetAsOf() == "" {
				t.Errorf("%v, want the one that was recorded, %s", got, first.GetSha256())
			}
		}
		if _, err := l.cases.AddNote(t.Context(), &spoorv1.AddNoteRequest{Name: name, Text: "news"}); err != nil {
			t.Fatal(err)
		}
		if got := packages(); len(got) != 2 {
			t.Errorf("after a change %d packages, want another one", len(got))
		}
		if got := packages(); len(got) != 2 {
			t.Errorf("%d packages, the second is of the case as it is", len(got))
		}
	})
	entries, err := os.ReadDir(out)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, want the package alone: %v", entries, err)
	}
}

// cutOff is a server whose answers are lost before their end.
type cutOff struct{ spoorv1.CaseServiceClient }

func (c cutOff) BuildPackage(ctx context.Context, m *spoorv1.BuildPackageRequest, o ...grpc.CallOption) (grpc.ServerStreamingClient[spoorv1.BuildPackageResponse], error) {
	s, err := c.CaseServiceClient.BuildPackage(ctx, m, o...)
	return cutStream{s}, err
}

type cutStream struct {
	grpc.ServerStreamingClient[spoorv1.BuildPackageResponse]
}

func (s cutStream) Recv() (*spoorv1.BuildPackageResponse, error) {
	m, err := s.ServerStreamingClient.Recv()
	if m.GetSum() != nil {
		return nil, status.Error(codes.Unavailable, "the line is cut")
	}
	return m, err
}

// TestLostAnswer: the answer is lost after the package was recorded, and after
// that the key to sign with cannot be read: what the third try places is the
// package that the first one had recorded, with its signature. A refusal leaves
// nothing.
func TestLostAnswer(t *testing.T) {
	dir := t.TempDir()
	_, data := program(t, dir)
	out := t.TempDir()
	a := &app{dataDir: data, out: t.Output(), errOut: t.Output()}
	flags := packageFlags{out: out}
	examiner, _, err := bag.NewKey("")
	if err != nil {
		t.Fatal(err)
	}
	owned(t, data, func(l *link) {
		openCases(t, l, 1)
		all, err := allCases(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		m := &spoorv1.BuildPackageRequest{Name: all.GetCases()[0].GetName(), Redaction: "no level"}
		if _, err := a.onePackage(t.Context(), l, m, flags, true); err == nil {
			t.Error("a level that is none is taken")
		}
		if left, _ := os.ReadDir(out); len(left) != 0 {
			t.Errorf("after a refusal %v", left)
		}
		m.Redaction = "court"
		server := l.cases
		l.cases = cutOff{server}
		if _, err := a.onePackage(t.Context(), l, m, flags, true); status.Code(err) != codes.Unavailable {
			t.Errorf("the line is cut: %v", err)
		}
		l.cases = server
		flags.key = filepath.Join(dir, "key")
		if _, err := a.onePackage(t.Context(), l, m, flags, true); err == nil {
			t.Error("a key that is not there is read")
		}
		if left, _ := os.ReadDir(out); len(left) != 1 || !strings.HasPrefix(left[0].Name(), draftPrefix) {
			t.Errorf("%v, want the one draft", left)
		}
		if err := os.WriteFile(flags.key, examiner, 0o600); err != nil {
			t.Fatal(err)
		}
		sum, err := a.onePackage(t.Context(), l, m, flags, true)
		if err != nil {
			t.Fatal(err)
		}
		c, err := l.cases.GetCase(t.Context(), &spoorv1.GetCaseRequest{Name: m.GetName()})
		if err != nil || len(c.GetPackages()) != 1 || c.GetPackages()[0].GetSha256() != sum.GetSha256() {
			t.Errorf("made %s, recorded %v, %v", sum.GetSha256(), c.GetPackages(), err)
		}
		if left, _ := os.ReadDir(out); len(left) != 2 {
			t.Errorf("%v, want the package and its signature", left)
		}
	})
}
