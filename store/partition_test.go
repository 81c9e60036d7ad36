package store_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/sourcetest"
)

// TestFollowCutOff cuts a follower off from its source again and again, in any
// way, while the chain grows and is reorganised. It must catch up within 10 s
// each time, and never show a tip that the source has not had.
func TestFollowCutOff(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 4))
	chain := trunk("bitcoin", 20)
	s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
	defer s.Close()
	src := sourcetest.New("bitcoin", chain...)
	had := tips{seen: map[ledger.Hash]bool{}, at: make(chan ledger.Hash, 1000)}
	had.add(chain)
	ctx, cancel := context.WithCancel(t.Context())
	o := quick(15)
	o.Follow, o.Timeout = true, 60*time.Millisecond
	o.Report = func(st store.FollowStatus) {
		if !had.has(st.Tip.Hash) {
			t.Errorf("tip %+v was never the source's", st.Tip)
		}
		had.at <- st.Tip.Hash
	}
	ended := make(chan error, 1)
	go func() { ended <- store.Follow(ctx, n, []store.Source{src}, o) }()
	cuts, slowest := min(trials(t, 25), 250), time.Duration(0)
	for i := range cuts {
		src.Fail(cut(rng.IntN(6)))
		depth := rng.IntN(8)
		kept := len(chain) - depth
		chain = slices.Concat(chain[:kept], branch(chain[kept-1], depth+1+rng.IntN(3), byte(i+1)))
		had.add(chain)
		src.Set(chain...)
		time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
		src.Fail(nil)
		started := time.Now()
		had.wait(t, chain[len(chain)-1].Ref.Hash)
		slowest = max(slowest, time.Since(started))
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("seed %d: got %v, want %v", seed, err, context.Canceled)
	}
	t.Logf("seed %d: cut off %d times, caught up in at most %s", seed, cuts, slowest.Round(time.Millisecond))
	wantBlocks(t, n, chain)
}

// cut is one way in which a node is not there.
func cut(way int) func(context.Context, sourcetest.Call) error {
	return func(ctx context.Context, c sourcetest.Call) error {
		switch way {
		case 0: // half open
			<-ctx.Done()
			return ctx.Err()
		case 1:
			return ledger.Untrue(ledger.FaultUnreachable, c.Method, "connection refused")
		case 2: // reset in the middle of a block
			if c.Method == "Block" {
				return ledger.Untrue(ledger.FaultTruncated, c.Method, "connection reset")
			}
		case 3: // late
			time.Sleep(2 * time.Millisecond)
		case 4:
			return errors.New("a proxy's page in place of an answer")
		default:
			return ledger.Untrue(ledger.FaultBusy, c.Method, "HTTP 429")
		}
		return nil
	}
}

// tips are the blocks that a source has had, and those that a follower reports.
type tips struct {
	mu   sync.Mutex
	seen map[ledger.Hash]bool
	at   chan ledger.Hash
}

func (s *tips) add(blocks []*ledger.Block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range blocks {
		s.seen[b.Ref.Hash] = true
	}
	s.seen[ledger.Hash{}] = true // before the first
}

func (s *tips) has(h ledger.Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[h]
}

func (s *tips) wait(t *testing.T, want ledger.Hash) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case got := <-s.at:
			if got == want {
				return
			}
		case <-late:
			t.Fatalf("tip %s was not reached in 10 s", want)
		}
	}
}
