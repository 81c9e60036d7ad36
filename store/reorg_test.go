package store_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/store/sourcetest"
)

// TestFollowSequences plays random lives of a source, reorgs up to 100 blocks
// deep among them, to longer and shorter branches and back to older ones, with
// Follow cut off and started again anywhere. The index at the end must be that
// of a fresh one, byte for byte in its export.
func TestFollowSequences(t *testing.T) {
	t.Parallel()
	for _, chain := range []ledger.Chain{"bitcoin", "tron"} {
		t.Run(string(chain), func(t *testing.T) {
			var sum tally
			seed, base := rand.Uint64(), t.TempDir()
			for i := range trials(t, 60) {
				life := newLife(t, chain, filepath.Join(base, strconv.Itoa(i)), seed, uint64(i))
				life.play()
				sum.add(life.tally)
				if err := errors.Join(os.RemoveAll(life.dir), os.RemoveAll(life.dir+"-fresh")); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("seed %d: %+v", seed, sum)
		})
	}
}

// trials is how often a test repeats: SPOOR_TRIALS, or fewer without it.
func trials(t *testing.T, otherwise int) int {
	t.Helper()
	text := os.Getenv("SPOOR_TRIALS")
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("SPOOR_TRIALS: %v", err)
	}
	return n
}

// tally says what the sequences were made of.
type tally struct{ Sequences, Blocks, Reorgs, Back, Shorter, Deepest, Cut, Switched, Rebuilt, Restarts, Finals int }

func (a *tally) add(b tally) {
	a.Sequences++
	a.Blocks, a.Reorgs, a.Back, a.Shorter = a.Blocks+b.Blocks, a.Reorgs+b.Reorgs, a.Back+b.Back, a.Shorter+b.Shorter
	a.Cut, a.Switched, a.Restarts, a.Finals = a.Cut+b.Cut, a.Switched+b.Switched, a.Restarts+b.Restarts, a.Finals+b.Finals
	a.Rebuilt += b.Rebuilt
	a.Deepest = max(a.Deepest, b.Deepest)
}

// life is a source with the branches that it ever had, and the index that follows it.
type life struct {
	*testing.T
	tally
	seed   [2]uint64
	g      *generator
	dir    string
	engine store.Engine
	o      store.FollowOptions
	src    *sourcetest.Chain
	tip    *modelBlock
	leaves []*modelBlock // ends of branches; the tip is one of them
	floor  uint64        // no reorg may replace a block at or below
	final  *uint64
}

func newLife(t *testing.T, c ledger.Chain, dir string, seed, i uint64) *life {
	g := &generator{chain: c, rng: rand.New(rand.NewPCG(seed, i))}
	l := &life{T: t, seed: [2]uint64{seed, i}, g: g, dir: dir, engine: keeping(memkv.New()), src: sourcetest.New(c)}
	l.o = store.FollowOptions{Poll: time.Millisecond, KeepRaw: l.n("raw", 0, 1) == 1, Parallel: l.n("parallel", 1, 5), BatchSize: l.n("batch", 1, 200)}
	if bound := uint64(l.n("bound", 0, 120)); bound > 100 {
		l.final = new(uint64(1000)) // the height at which the generator begins
	} else {
		l.o.ReorgBound = &bound
	}
	l.o.From = new(uint64(1000))
	return l
}

// keeping makes an engine in memory remember its directories.
func keeping(engine store.Engine) store.Engine {
	open := map[string]store.KV{}
	return func(dir string) (store.KV, error) {
		if open[dir] == nil {
			kv, err := engine(dir)
			if err != nil {
				return nil, err
			}
			open[dir] = immortal{kv}
		}
		return open[dir], nil
	}
}

type immortal struct{ store.KV }

func (immortal) Close() error { return nil }

func (l *life) n(label string, from, to int) int { return l.g.n(label, from, to) }

// Fatalf names the life that failed.
func (l *life) Fatalf(format string, args ...any) {
	l.Helper()
	l.T.Fatalf("life %v: "+format, append([]any{l.seed}, args...)...)
}

func (l *life) play() {
	s, n := open(l, l.dir, l.engine, l.g.chain)
	l.grow(l.n("first", 1, 5))
	for range l.n("steps", 2, 8) {
		l.change()
		switch l.n("then", 0, 6) {
		case 0: // nobody looks
		case 1:
			l.cutOff(n)
		case 2:
			l.switchUnder(n)
		case 3:
			l.rebuildUnder(n)
		default:
			l.follow(n)
		}
		if l.n("restart", 0, 3) == 0 {
			l.Restarts++
			if err := s.Close(); err != nil {
				l.Fatalf("close: %v", err)
			}
			s, n = open(l, l.dir, l.engine, l.g.chain)
		}
	}
	l.follow(n)
	if got, want := exported(l, n), fresh(l, l.dir+"-fresh", l.tip.chain()); got != want {
		l.Fatalf("export differs from a fresh index:\ngot\n%s\nwant\n%s", got, want)
	}
	if err := n.Verify(context.Background(), nil); err != nil {
		l.Fatalf("verify: %v", err)
	}
	if err := s.Close(); err != nil {
		l.Fatalf("close: %v", err)
	}
}

// change lets the source's chain grow, leave for a new branch, or go back to an old one.
func (l *life) change() {
	switch l.n("change", 0, 6) {
	case 0, 1:
		l.grow(l.n("grow", 1, 12))
	case 2:
		l.grow(l.n("grow far", 1, 130))
	case 3, 4:
		depth := min(uint64(l.n("depth", 1, 100)), l.tip.Ref.Height-l.floor)
		if depth == 0 {
			return
		}
		old := l.tip
		for range depth {
			l.tip = l.tip.prev
		}
		l.Reorgs, l.Deepest = l.Reorgs+1, max(l.Deepest, int(depth))
		l.leaves = append(l.leaves, l.tip)
		l.grow(l.n("branch", 1, int(depth)+3))
		if l.tip.Ref.Height < old.Ref.Height {
			l.Shorter++
		}
	default:
		for _, old := range l.leaves {
			if old != l.tip && l.above(old) && l.n("back", 0, 1) == 0 {
				l.Back++
				l.show(old)
				return
			}
		}
		l.grow(1)
	}
}

// above reports whether the source may go to a branch without replacing what is final.
func (l *life) above(other *modelBlock) bool {
	a, b := l.tip, other
	for a != b {
		if a.Ref.Height >= b.Ref.Height {
			a = a.prev
		} else {
			b = b.prev
		}
	}
	return a.Ref.Height >= l.floor
}

func (l *life) grow(n int) {
	tip := l.tip
	for range n {
		l.Blocks++
		tip = l.g.next(tip, 1)
	}
	for i, leaf := range l.leaves {
		if leaf == l.tip {
			l.leaves = append(l.leaves[:i], l.leaves[i+1:]...)
			break
		}
	}
	l.leaves = append(l.leaves, tip)
	l.show(tip)
}

// show makes a branch the source's chain; what is final of it moves up.
func (l *life) show(tip *modelBlock) {
	l.tip = tip
	l.src.Set(tip.chain()...)
	height := tip.Ref.Height
	if l.final == nil {
		l.floor = max(l.floor, 1000, height-min(height, *l.o.ReorgBound))
		return
	}
	if l.n("finality", 0, 2) == 0 {
		l.Finals++
		final := max(*l.final, height-min(uint64(l.n("final", 0, 100)), height-1000))
		l.final = &final
	}
	l.floor = *l.final
	l.src.Finalize(l.final)
}

func (l *life) follow(n *store.Network) {
	if err := store.Follow(context.Background(), n, []store.Source{l.src}, l.o); err != nil {
		l.Fatalf("follow to %d: %v", l.tip.Ref.Height, err)
	}
	st, err := n.Status()
	if err != nil || st.Tip != l.tip.Ref {
		l.Fatalf("tip: got %+v, %v, want %+v", st.Tip, err, l.tip.Ref)
	}
}

// cutOff ends Follow after a number of calls.
func (l *life) cutOff(n *store.Network) {
	l.Cut++
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l.after(l.n("calls", 0, 30), cancel)
	err := store.Follow(ctx, n, []store.Source{l.src}, l.o)
	l.src.Fail(nil)
	if err != nil && !errors.Is(err, context.Canceled) {
		l.Fatalf("follow, cut off: %v", err)
	}
}

// switchUnder lets the source change its chain while Follow reads it.
func (l *life) switchUnder(n *store.Network) {
	l.Switched++
	l.after(l.n("calls", 0, 30), l.change)
	err := store.Follow(context.Background(), n, []store.Source{l.src}, l.o)
	l.src.Fail(nil)
	if err != nil {
		l.Fatalf("follow of a chain that changes: %v", err)
	}
}

// rebuildUnder builds the next generation while the chain changes and Follow
// goes on with the old one.
func (l *life) rebuildUnder(n *store.Network) {
	l.Rebuilt++
	at := l.n("blocks", 0, 40)
	changing := func(yield func(*ledger.Block, error) bool) {
		for b, err := range n.Blocks(context.Background()) {
			if at--; at == 0 {
				l.change()
				l.follow(n)
			}
			if !yield(b, err) {
				return
			}
		}
	}
	// As Backfill says: what this generation has folded is final, whatever the source,
	// which may be on another branch by now, says of its own.
	snap, err := n.Snapshot(0)
	if err != nil {
		l.Fatalf("snapshot: %v", err)
	}
	extent, err := snap.Extent(l.g.chain)
	if err = errors.Join(err, snap.Close()); err != nil && !errors.Is(err, ledger.ErrNotFound) {
		l.Fatalf("extent: %v", err)
	}
	o := store.AppendOptions{KeepRaw: l.o.KeepRaw, BatchSize: l.o.BatchSize, ReorgBound: l.o.ReorgBound, Final: extent.Final}
	if err := n.Rebuild(context.Background(), changing, n.Contents(), o); err != nil {
		l.Fatalf("rebuild while the chain changes: %v", err)
	}
}

func (l *life) after(calls int, do func()) {
	calls, done := calls*l.o.Parallel, make(chan struct{}, 1)
	l.src.Fail(func(context.Context, sourcetest.Call) error {
		done <- struct{}{}
		if calls--; calls == 0 {
			do()
		}
		<-done
		return nil
	})
}
