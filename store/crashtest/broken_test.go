//go:build linux

package crashtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

var errBroken = errors.New("the disk went away")

// breaking is an engine whose writes may break off half way.
type breaking struct {
	store.KV
	rng   *rand.Rand
	armed bool
}

func (b *breaking) Write(ctx context.Context, ops []store.Op) error {
	if !b.armed || len(ops) == 0 || b.rng.IntN(3) > 0 {
		return b.KV.Write(ctx, ops)
	}
	b.armed = false
	if err := b.KV.Write(ctx, ops[:b.rng.IntN(len(ops)+1)]); err != nil {
		return err
	}
	return errBroken
}

// TestBrokenWrite lets writes break off and goes on with the same process: until
// the next Append, every answer must be that of the last publication.
func TestBrokenWrite(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another; the tests without the race detector run it")
	}
	seed := rand.Uint64N(1 << 32)
	for _, seed := range []uint64{seed, seed + 1} {
		rng := rand.New(rand.NewPCG(seed, 5))
		r := &run{order: order{Seed: seed, Straight: 80, Reorgs: 80, Txs: 20}}
		r.script = r.order.script()
		after, _ := r.script.digests(t)
		kv := &breaking{rng: rng}
		st := openStore(t, func(dir string) (_ store.KV, err error) {
			kv.KV, err = memkv.New()(dir)
			return kv, err
		}, t.TempDir())
		n, err := st.Create(t.Context(), r.script.chain)
		if err != nil {
			t.Fatal(err)
		}
		broken := 0
		for at := -1; at < len(r.script.blocks)-1; {
			kv.armed = true
			err := n.Append(t.Context(), r.script.from(at+1, len(r.script.blocks)), r.script.options(300+rng.IntN(1000), nil))
			if err != nil && !errors.Is(err, errBroken) {
				t.Fatalf("seed %d: append at block %d: %v", seed, at, err)
			}
			if err != nil {
				broken++
			}
			status, err := n.Status()
			if err != nil {
				t.Fatal(err)
			}
			if status.Empty {
				continue
			}
			at = r.script.byHash[status.Tip.Hash]
			if status.Digest != after[at] {
				t.Fatalf("seed %d: digest after block %d: %s, want %s", seed, at, status.Digest, after[at])
			}
			if err := n.Verify(t.Context(), nil); err != nil {
				t.Fatalf("seed %d: verify after a write broke off at block %d: %v", seed, at, err)
			}
		}
		t.Logf("seed %d: %d writes broke off", seed, broken)
	}
}
