package entities

import (
	"context"
	"errors"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// paced is an engine that waits at every publication until it is told to go on.
type paced struct {
	store.KV
	at   chan struct{}
	goOn chan struct{}
}

func (p paced) Publish(ctx context.Context, partition, sort, old, new []byte, epoch uint64) error {
	p.at <- struct{}{}
	<-p.goOn
	return p.KV.Publish(ctx, partition, sort, old, new, epoch)
}

// Questions are answered while clusters are being built: as of what is published,
// at once; about the tip, with how far they are.
func TestBesideBuild(t *testing.T) {
	const blocks = 3 * maxTip
	w := &world{}
	var err error
	if w.store, err = store.Open(t.TempDir(), memkv.New(), store.Options{MinFree: 1}); err != nil {
		t.Fatal(err)
	}
	defer w.store.Close() //nolint:errcheck // in memory
	chain := spending(blocks)
	n, err := w.store.Create(t.Context(), "bitcoin")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Append(t.Context(), inTurn(chain), store.AppendOptions{Target: 1 << 40}); err != nil {
		t.Fatal(err)
	}
	engine, pace := memkv.New(), paced{at: make(chan struct{}), goOn: make(chan struct{})}
	set, err := Open(t.TempDir(), func(dir string) (store.KV, error) {
		kv, err := engine(dir)
		return paced{kv, pace.at, pace.goOn}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close() //nolint:errcheck // in memory
	set.flush = 1000
	snapshot := func(height uint64) *store.Snapshot {
		t.Helper()
		snap, err := w.store.Snapshot(t.Context(), map[ledger.Chain]uint64{"bitcoin": height})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = snap.Close() })
		return snap
	}
	tip := snapshot(blocks - 1)
	done := make(chan error, 1)
	go func() { done <- set.Update(t.Context(), tip) }()
	steps, last := 0, uint64(0)
	for building := true; building; {
		select {
		case <-pace.at:
			steps++
			var behind *BehindError
			v, err := set.View(t.Context(), tip)
			switch {
			case errors.As(err, &behind):
				if behind.Of != blocks || steps > 1 && behind.Built <= last {
					t.Errorf("step %d: %v, %d before", steps, behind, last)
				}
				last = behind.Built
			case err != nil:
				t.Fatal(err)
			case blocks-last > 2*maxTip:
				t.Errorf("step %d: an answer about the tip with %d blocks built", steps, last)
			default:
				_ = v.Close()
			}
			if last > 0 {
				early, err := set.View(t.Context(), snapshot(last-1))
				if err != nil {
					t.Fatalf("step %d: as of what is built: %v", steps, err)
				}
				if h, ok := early.Height("bitcoin"); !ok || h != last-1 {
					t.Errorf("step %d: clusters as of %d, want %d", steps, h, last-1)
				}
				_ = early.Close()
			}
			pace.goOn <- struct{}{}
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			building = false
		}
	}
	whole, err := Open(t.TempDir(), memkv.New())
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close() //nolint:errcheck // in memory
	for n := range owners {
		if got, want := sizeOf(t, set, tip, owner(n)), sizeOf(t, whole, tip, owner(n)); got != want || steps < 3 {
			t.Errorf("owner %d: %+v after %d steps, want %+v", n, got, steps, want)
		}
	}
}

// spending are blocks in each of which two coins of different owners are spent together.
func spending(blocks uint64) (chain []*ledger.Block) {
	for h := range blocks {
		txs := []ledger.Tx{{
			ID: [32]byte{1, byte(h), byte(h >> 8)}, Chain: "bitcoin", Coinbase: true, Grade: ledger.GradeProven,
			Outputs: []ledger.Output{{Address: owner(int(h) % owners), Value: ledger.NewAmount(5_000_000_000)}},
		}}
		if h >= 2 && h%2 == 0 {
			spend := ledger.Tx{ID: [32]byte{2, byte(h), byte(h >> 8)}, Chain: "bitcoin", Grade: ledger.GradeProven}
			for _, b := range chain[h-2:] {
				coinbase := b.Txs[len(b.Txs)-1]
				spend.Inputs = append(spend.Inputs, ledger.Input{
					Prev: ledger.OutPoint{Tx: coinbase.ID}, PrevPos: coinbase.Pos, Address: coinbase.Outputs[0].Address, Value: coinbase.Outputs[0].Value, Known: true,
				})
			}
			spend.Outputs = []ledger.Output{{Address: owner(0), Value: ledger.NewAmount(10_000_000_000)}}
			txs = append(txs, spend)
		}
		chain = append(chain, sealed(chain, h, txs))
	}
	return chain
}

type size struct {
	name   ledger.Address
	size   uint64
	events uint64
}

func sizeOf(t *testing.T, set *Set, snap *store.Snapshot, a ledger.Address) size {
	t.Helper()
	v, err := viewOf(set, snap)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close() //nolint:errcheck // in memory
	c, err := v.Cluster(t.Context(), a, ledger.TierExact)
	if err != nil {
		t.Fatal(err)
	}
	stats, err := v.Stats(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return size{c.Name, c.Size, stats.Events}
}
