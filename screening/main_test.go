package screening_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// TestMain fails the package when a test leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// trials is how often a random test is run: 25, or SPOOR_TRIALS.
func trials(t testing.TB) int {
	t.Helper()
	text := os.Getenv("SPOOR_TRIALS")
	if text == "" {
		return 25
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// opened is a store in memory until the test ends.
func opened(t testing.TB) *screening.Store {
	t.Helper()
	kv, err := memkv.New()(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := screening.Open(t.Context(), kv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var errPower = errors.New("the power is gone")

// torn is an engine whose power goes after so many calls: of the write that it
// interrupts any part is left, in any order, and the pointer has moved or not.
type torn struct {
	store.KV
	mu   sync.Mutex
	left int
	rng  *rand.Rand
}

func (k *torn) gone() (now, before bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left--
	return k.left == 0, k.left < 0
}

func (k *torn) Write(ctx context.Context, ops []store.Op) error {
	now, before := k.gone()
	switch {
	case before:
		return errPower
	case now:
		var kept []store.Op
		for _, i := range k.rng.Perm(len(ops)) {
			if k.rng.IntN(2) == 0 {
				kept = append(kept, ops[i])
			}
		}
		if err := k.KV.Write(ctx, kept); err != nil {
			return err
		}
		if err := k.keep(ctx); err != nil {
			return err
		}
		return errPower
	}
	return k.KV.Write(ctx, ops)
}

func (k *torn) Publish(ctx context.Context, partition, sort, old, next []byte, epoch uint64) error {
	now, before := k.gone()
	switch {
	case before:
		return errPower
	case now:
		if k.rng.IntN(2) == 0 {
			if err := k.KV.Publish(ctx, partition, sort, old, next, epoch); err != nil {
				return err
			}
		}
		if err := k.keep(ctx); err != nil {
			return err
		}
		return errPower
	}
	return k.KV.Publish(ctx, partition, sort, old, next, epoch)
}

// keep makes what was written survive, as a disk may have kept it.
func (k *torn) keep(ctx context.Context) error {
	return k.KV.Publish(ctx, []byte("test"), []byte("kept"), nil, []byte{1}, 1)
}

// TestCrash cuts the power at every kind of call: nothing that was acknowledged
// is lost, and what is there is whole.
func TestCrash(t *testing.T) {
	for trial := range trials(t) {
		rng := rand.New(rand.NewPCG(uint64(trial), 4))
		engine, dir := memkv.New(), t.TempDir()
		kv, err := engine(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, err := screening.Open(t.Context(), &torn{KV: kv, left: 2 + rng.IntN(60), rng: rng})
		acknowledged := map[string]string{}
		if err == nil {
			acknowledged = crowd(t.Context(), s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		} else if err := kv.Close(); err != nil {
			t.Fatal(err)
		}
		if kv, err = engine(dir); err != nil {
			t.Fatal(err)
		}
		again, err := screening.Open(t.Context(), kv)
		if err != nil {
			t.Fatalf("trial %d: %v", trial, err)
		}
		whole(t, trial, again, acknowledged)
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// crowd registers from several sides at once and returns what was acknowledged.
func crowd(ctx context.Context, s *screening.Store) map[string]string {
	var mu sync.Mutex
	var all sync.WaitGroup
	acknowledged := map[string]string{}
	for side := range 4 {
		all.Go(func() {
			for i := range 10 {
				user := fmt.Sprintf("user %d", i%3)
				r := screening.Registration{Kind: screening.KindTransfer, Network: "tron", Reference: fmt.Sprintf("%d/%d", side, i), Direction: "RECEIVED"}
				made, _, err := s.Register(ctx, "desk", user, r, int64(i+1))
				if err != nil {
					continue
				}
				mu.Lock()
				acknowledged[made.ID] = user
				mu.Unlock()
				if i%2 == 0 {
					_, _, _ = s.Raise(ctx, "desk", screening.Alert{Transfer: made.ID, Rule: "r", Finality: screening.Tentative}, 1) // lost with the power, too
				}
			}
		})
	}
	all.Wait()
	return acknowledged
}

func whole(t *testing.T, trial int, s *screening.Store, acknowledged map[string]string) {
	t.Helper()
	for id, user := range acknowledged {
		got, err := s.Transfer(t.Context(), "desk", id)
		if err != nil || got.User != user {
			t.Errorf("trial %d: transfer %s of %q: got %q, %v", trial, id, user, got.User, err)
		}
	}
	held := 0
	if err := s.Each(t.Context(), "desk", func(screening.Transfer) bool { held++; return true }); err != nil {
		t.Error(err)
	}
	n, err := s.VerifyChain(t.Context(), "desk")
	if err != nil || n != uint64(held) || held < len(acknowledged) {
		t.Errorf("trial %d: chain of %d registrations (%v), %d are held, %d were acknowledged", trial, n, err, held, len(acknowledged))
	}
	pending, err := s.PendingTransfers("desk")
	if err != nil || len(pending) != held {
		t.Errorf("trial %d: %d are pending (%v), want all %d", trial, len(pending), err, held)
	}
	last, err := s.LastEvent("desk")
	if err != nil {
		t.Error(err)
	}
	events, _, err := s.Events(t.Context(), "desk", 0, 1000)
	if err != nil || uint64(len(events)) != last {
		t.Errorf("trial %d: %d events (%v), want %d without a gap", trial, len(events), err, last)
	}
}
