package screening_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/badgerkv"
)

func deposit(reference string) screening.Registration {
	return screening.Registration{Kind: screening.KindTransfer, Network: "tron", Reference: reference, Direction: "RECEIVED"}
}

func register(t *testing.T, s *screening.Store, tenant, user, reference string) screening.Transfer {
	t.Helper()
	made, _, err := s.Register(t.Context(), tenant, user, deposit(reference), 1)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestRegister(t *testing.T) {
	s := opened(t)
	first := register(t, s, "one", "ann", "a:0")
	if got := register(t, s, "one", "ann", "a:0"); got.ID != first.ID || got.Number != 1 {
		t.Errorf("registered twice: got %s as number %d, want %s as 1", got.ID, got.Number, first.ID)
	}
	for what, other := range map[string]screening.Transfer{
		"user": register(t, s, "one", "bob", "a:0"), "reference": register(t, s, "one", "ann", "a:1"), "tenant": register(t, s, "two", "ann", "a:0"),
	} {
		if other.ID == first.ID {
			t.Errorf("another %s: got the same id %s", what, other.ID)
		}
	}
	if _, err := s.Transfer(t.Context(), "two", first.ID); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("transfer of another tenant: got %v, want ErrNotFound", err)
	}
	done, err := s.SetResult(t.Context(), "one", first.ID, screening.Result{State: screening.Scored, Tx: "ff", Level: "HIGH", Evidence: []string{"tron:T1"}, Body: []byte("score")}, 7)
	if err != nil || done.User != "ann" || done.Updated != 7 {
		t.Errorf("scored: got %+v, %v", done, err)
	}
	if ids, err := s.Touching("one", "tron:T1"); err != nil || len(ids) != 1 || ids[0] != first.ID {
		t.Errorf("touching tron:T1: got %v, %v", ids, err)
	}
	if ids, err := s.PendingTransfers("one"); err != nil || len(ids) != 2 {
		t.Errorf("pending: got %v, %v, want two", ids, err)
	}
}

func TestEraseUser(t *testing.T) {
	s := opened(t)
	gone, kept := register(t, s, "one", "ann", "a:0"), register(t, s, "one", "bob", "a:1")
	register(t, s, "one", "ann", "a:2")
	if n, err := s.EraseUser(t.Context(), "one", "ann"); err != nil || n != 2 {
		t.Fatalf("erased %d transfers (%v), want 2", n, err)
	}
	for id, want := range map[string]string{gone.ID: "", kept.ID: "bob"} {
		if got, err := s.Transfer(t.Context(), "one", id); err != nil || got.User != want {
			t.Errorf("user of %s: got %q, %v, want %q", id, got.User, err, want)
		}
	}
	register(t, s, "one", "ann", "a:3")
	if got, err := s.Transfer(t.Context(), "one", gone.ID); err != nil || got.User != "" {
		t.Errorf("a new key opens what the old one sealed: %q, %v", got.User, err)
	}
	if n, err := s.VerifyChain(t.Context(), "one"); err != nil || n != 4 {
		t.Errorf("chain after erasing: %d registrations, %v, want 4", n, err)
	}
}

func TestAlerts(t *testing.T) {
	s := opened(t)
	a := screening.Alert{Address: "tron:T1", Type: "TRANSFER", Rule: "stolen", Level: "HIGH", Finality: screening.Tentative}
	made, raised, err := s.Raise(t.Context(), "one", a, 1)
	if err != nil || !raised {
		t.Fatal(raised, err)
	}
	if _, again, err := s.Raise(t.Context(), "one", a, 2); err != nil || again {
		t.Errorf("the same alert again: raised %v, %v", again, err)
	}
	if _, err := s.Update(t.Context(), "one", made.ID, screening.Change{Status: "SEEN", Time: 3}); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("a status that is none: got %v", err)
	}
	if _, err := s.Update(t.Context(), "two", made.ID, screening.Change{Status: "CLOSED", Time: 3}); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("an alert of another tenant: got %v", err)
	}
	if _, err := s.Update(t.Context(), "one", made.ID, screening.Change{Status: "IN_REVIEW", By: "desk", Comment: "why", Time: 3}); err != nil {
		t.Error(err)
	}
	if got, err := s.Settle(t.Context(), "one", made.ID, screening.Retracted, "reorganised", 4); err != nil || got.Finality != screening.Retracted {
		t.Errorf("settled: %+v, %v", got, err)
	}
	if _, again, err := s.Raise(t.Context(), "one", a, 5); err != nil || !again {
		t.Errorf("after its retraction: raised %v, %v", again, err)
	}
	got, err := s.Alert(t.Context(), "one", made.ID)
	if err != nil || len(got.History) != 4 || got.Status != "IN_REVIEW" || got.Finality != screening.Tentative {
		t.Errorf("at the end: %+v, %v", got, err)
	}
	events, _, err := s.Events(t.Context(), "one", 1, 10)
	if err != nil || len(events) != 3 || events[0].Number != 2 || events[2].Alert.Finality != screening.Tentative {
		t.Errorf("events after 1: %+v, %v", events, err)
	}
}

func TestWatchesAndRules(t *testing.T) {
	s := opened(t)
	for i := range 5 {
		if _, err := s.AddWatch(t.Context(), "one", screening.Watch{Address: fmt.Sprintf("tron:T%d", i), Own: i == 2}); err != nil {
			t.Fatal(err)
		}
	}
	if own := s.Own("one"); len(own) != 1 || !own["tron:T2"] {
		t.Errorf("own: got %v", own)
	}
	version := s.OwnVersion("one")
	if err := s.RemoveWatch(t.Context(), "one", "tron:T2"); err != nil || len(s.Own("one")) != 0 || s.OwnVersion("one") == version {
		t.Errorf("removed: %v, own %v", err, s.Own("one"))
	}
	page, err := s.Watches("one", "tron:T0", 2)
	if err != nil || len(page) != 2 || page[0].Address != "tron:T1" || page[1].Address != "tron:T3" {
		t.Errorf("page: %v, %v", page, err)
	}
	if err := s.SetRules(t.Context(), "one", "v1", []byte("a")); err != nil {
		t.Error(err)
	}
	if err := s.SetRules(t.Context(), "one", "v1", []byte("b")); !errors.Is(err, ledger.ErrPrecondition) {
		t.Errorf("another text of v1: got %v", err)
	}
	if text, ok := s.Rules("one"); !ok || string(text) != "a" {
		t.Errorf("rules: got %q", text)
	}
	if _, ok := s.Rules("two"); ok {
		t.Error("rules of another tenant")
	}
}

// TestReopened asks a store on disk for what it held before.
func TestReopened(t *testing.T) {
	engine, dir := badgerkv.New(badgerkv.Small()), t.TempDir()
	var id string
	for pass := range 2 {
		kv, err := engine(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, err := screening.Open(t.Context(), kv)
		if err != nil {
			t.Fatal(err)
		}
		if pass == 0 {
			id = register(t, s, "one", "ann", "a:0").ID
			if _, err := s.AddWatch(t.Context(), "one", screening.Watch{Address: "tron:T", Own: true}); err != nil {
				t.Error(err)
			}
		}
		got, err := s.Transfer(t.Context(), "one", id)
		if err != nil || got.User != "ann" || !s.Own("one")["tron:T"] {
			t.Errorf("pass %d: %+v, %v", pass, got, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Register(t.Context(), "one", "x", deposit("y"), 1); err == nil {
			t.Error("a closed store registers")
		}
	}
}

// FuzzBatch: what is no batch is refused, and what is one reads as it was written.
func FuzzBatch(f *testing.F) {
	f.Add(screening.AppendOps(nil, []store.Op{{Partition: []byte("p"), Sort: []byte("s"), Value: []byte("v")}, {Partition: []byte("p"), Delete: true}}))
	f.Add([]byte{0, 200, 1})
	f.Fuzz(func(t *testing.T, body []byte) {
		ops, err := screening.ReadOps(body)
		if err != nil {
			return
		}
		again, err := screening.ReadOps(screening.AppendOps(nil, ops))
		if err != nil || len(again) != len(ops) {
			t.Errorf("%x: read %d ops, then %d (%v)", body, len(ops), len(again), err)
		}
	})
}

// BenchmarkRegister registers from 64 sides at once on disk.
func BenchmarkRegister(b *testing.B) {
	kv, err := badgerkv.New(badgerkv.Small())(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	s, err := screening.Open(b.Context(), kv)
	if err != nil {
		b.Fatal(err)
	}
	var mu sync.Mutex
	next := 0
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mu.Lock()
			next++
			n := next
			mu.Unlock()
			if _, _, err := s.Register(b.Context(), "desk", fmt.Sprint("user ", n%1000), deposit(fmt.Sprint(n)), 1); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	if err := s.Close(); err != nil {
		b.Error(err)
	}
}
