package sourcetest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// Span is the part of a source's chain that Conform reads.
type Span struct {
	From  uint64 // the first height that the source has
	Least int    // fail when there are fewer blocks from there on; 0: 2
	Most  int    // read this many below the head; 0: 64
}

// Conform holds a source whose chain stands still to what store.Source promises:
// hashes are those of blocks, parents link, answers are the same however they
// are asked, heights above the head lag, a context that ends is obeyed, and an
// index takes the blocks; memkv.New() is engine enough.
func Conform(t *testing.T, src store.Source, engine store.Engine, s Span) {
	t.Helper()
	head, err := src.Head(t.Context())
	if err != nil {
		t.Fatalf("head: %v", err)
	}
	from := s.From
	if s.Most <= 0 {
		s.Most = 64
	}
	if head.Tip.Height > uint64(s.Most) {
		from = max(from, head.Tip.Height-uint64(s.Most)+1)
	}
	if n := head.Tip.Height - from + 1; head.Tip.Height < from || n < uint64(max(s.Least, 2)) {
		t.Fatalf("head at %d, first height %d: too few blocks to test", head.Tip.Height, from)
	}
	t.Run("head", func(t *testing.T) { testHead(t, src, head) })
	t.Run("blocks", func(t *testing.T) { testBlocks(t, src, head, from) })
	t.Run("above the head", func(t *testing.T) { testAbove(t, src, head) })
	t.Run("context", func(t *testing.T) { testContext(t, src, head) })
	t.Run("index", func(t *testing.T) { testIndex(t, src, engine, head, from) })
}

func testHead(t *testing.T, src store.Source, head ledger.Head) {
	if head.Tip.Chain != src.Chain() {
		t.Errorf("tip: got chain %q, want %q", head.Tip.Chain, src.Chain())
	}
	if head.Final != nil && *head.Final > head.Tip.Height {
		t.Errorf("final: got %d above the head %d", *head.Final, head.Tip.Height)
	}
	again, err := src.Head(t.Context())
	if err != nil || !reflect.DeepEqual(again, head) {
		t.Errorf("head once more: got %+v, %v, want %+v", again, err, head)
	}
}

// testBlocks asks for every block twice, several at a time.
func testBlocks(t *testing.T, src store.Source, head ledger.Head, from uint64) {
	n := int(head.Tip.Height - from + 1)
	answers := make([][2]*ledger.Block, n)
	var running sync.WaitGroup
	room := make(chan struct{}, 8)
	for i := range 2 * n {
		running.Add(1)
		room <- struct{}{}
		go func() {
			defer running.Done()
			defer func() { <-room }()
			b, err := src.Block(t.Context(), from+uint64(i%n))
			if err != nil {
				t.Errorf("block %d: %v", from+uint64(i%n), err)
			}
			answers[i%n][i/n] = b
		}()
	}
	running.Wait()
	for i, pair := range answers {
		height := from + uint64(i)
		if pair[0] == nil || pair[1] == nil {
			continue
		}
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("block %d: two answers differ:\n%+v\n%+v", height, pair[0], pair[1])
		}
		testBlock(t, src, pair[0], height)
		if i > 0 && answers[i-1][0] != nil && pair[0].Parent != answers[i-1][0].Ref.Hash {
			t.Errorf("block %d: got parent %s, want %s", height, pair[0].Parent, answers[i-1][0].Ref.Hash)
		}
	}
	if last := answers[n-1][0]; last != nil && last.Ref != head.Tip {
		t.Errorf("block at the head: got %+v, want %+v", last.Ref, head.Tip)
	}
}

func testBlock(t *testing.T, src store.Source, b *ledger.Block, height uint64) {
	t.Helper()
	hash, err := src.Hash(t.Context(), height)
	if err != nil || hash != b.Ref.Hash {
		t.Errorf("hash at %d: got %s, %v, want %s", height, hash, err, b.Ref.Hash)
	}
	if b.Ref.Height != height || b.Ref.Chain != src.Chain() {
		t.Errorf("block %d: got height %d of %q", height, b.Ref.Height, b.Ref.Chain)
	}
	if b.Source == "" {
		t.Errorf("block %d does not name its source", height)
	}
	for i := range b.Txs {
		tx := &b.Txs[i]
		if tx.Pos.Height() != height || tx.Chain != src.Chain() || tx.Time != b.Ref.Time {
			t.Errorf("block %d, transaction %d: got position %s of %q at %d, want its block's", height, i, ledger.Point{Pos: tx.Pos}, tx.Chain, tx.Time)
		}
	}
}

func testAbove(t *testing.T, src store.Source, head ledger.Head) {
	for _, height := range []uint64{head.Tip.Height + 1, head.Tip.Height + 1000} {
		_, err := src.Hash(t.Context(), height)
		if fault, _ := ledger.FaultOf(err); fault != ledger.FaultLagging {
			t.Errorf("hash at %d, head at %d: got %v, want %s", height, head.Tip.Height, err, ledger.FaultLagging)
		}
		b, err := src.Block(t.Context(), height)
		if fault, _ := ledger.FaultOf(err); b != nil || fault != ledger.FaultLagging {
			t.Errorf("block %d, head at %d: got %v, want %s", height, head.Tip.Height, err, ledger.FaultLagging)
		}
	}
}

// testContext asks with a context that is over: nothing may be fetched for it.
func testContext(t *testing.T, src store.Source, head ledger.Head) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	started := time.Now()
	if _, err := src.Head(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("head: got %v, want %v", err, context.Canceled)
	}
	if _, err := src.Hash(ctx, head.Tip.Height); !errors.Is(err, context.Canceled) {
		t.Errorf("hash: got %v, want %v", err, context.Canceled)
	}
	if _, err := src.Block(ctx, head.Tip.Height); !errors.Is(err, context.Canceled) {
		t.Errorf("block: got %v, want %v", err, context.Canceled)
	}
	if h, ok := src.(store.Hinter); ok && h.Wait(ctx) == nil {
		// A hint that was due may come first; the next one cannot.
		if err := h.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("wait: got %v, want %v", err, context.Canceled)
		}
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("calls with a context that is over took %s", took)
	}
}

// testIndex follows the source into an index, which checks amounts,
// spends, positions and links once more.
func testIndex(t *testing.T, src store.Source, engine store.Engine, head ledger.Head, from uint64) {
	s, err := store.Open(t.TempDir(), engine, store.Options{MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n, err := s.Create(t.Context(), src.Chain())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Follow(t.Context(), n, []store.Source{src}, store.FollowOptions{From: &from, Poll: 10 * time.Millisecond}); err != nil {
		t.Fatalf("follow from %d: %v", from, err)
	}
	st, err := n.Status()
	if err != nil || st.Tip != head.Tip || st.Blocks != head.Tip.Height-from+1 {
		t.Errorf("index: tip %+v, %d blocks, %v; want %+v, %d", st.Tip, st.Blocks, err, head.Tip, head.Tip.Height-from+1)
	}
	if err := n.Verify(t.Context(), nil); err != nil {
		t.Errorf("verify: %v", err)
	}
}
