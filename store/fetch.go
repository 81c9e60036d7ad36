package store

import (
	"context"
	"iter"
	"sync"

	"github.com/spoortrace/spoor/ledger"
)

type blockSeq = iter.Seq2[*ledger.Block, error]

// fetch reads a run of blocks, several at a time, and yields them in order.
type fetch struct {
	source   *served
	chain    ledger.Chain
	parallel int
	maxBytes int
}

type fetched struct {
	block *ledger.Block
	err   error
}

func (f *follower) fetch(ctx context.Context, s *served, r stretch) blockSeq {
	return fetch{source: s, chain: f.n.chain, parallel: f.o.Parallel, maxBytes: f.o.MaxBytes}.run(ctx, r)
}

// run yields the blocks of a stretch, each linked to the one before it. It ends at
// the first error. Blocks on the way are given up when the caller stops.
func (f fetch) run(ctx context.Context, r stretch) blockSeq {
	return func(yield func(*ledger.Block, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		var queue []<-chan fetched
		prev, size := r.fork, 0
		for next := r.from; next <= r.to || len(queue) > 0; {
			for next <= r.to && f.room(len(queue), size) {
				queue, next = append(queue, f.start(ctx, &running, next)), next+1
			}
			got := <-queue[0]
			queue = queue[1:]
			if got.err == nil {
				got.err = f.source.follows(prev, got.block)
			}
			if got.err != nil {
				yield(nil, got.err)
				return
			}
			prev = mark{set: true, ref: got.block.Ref}
			size = max(sizeOf(got.block), size-size/16)
			if !yield(got.block, nil) {
				return
			}
		}
	}
}

// room reports whether another block may be under way beside n others of about a size.
func (f fetch) room(n, size int) bool {
	return n == 0 || n < f.parallel && (n+1)*size <= f.maxBytes
}

func (f fetch) start(ctx context.Context, running *sync.WaitGroup, height uint64) <-chan fetched {
	out := make(chan fetched, 1)
	running.Add(1)
	go func() {
		defer running.Done()
		b, err := f.source.block(ctx, f.chain, height)
		out <- fetched{b, err}
	}()
	return out
}

// sizeOf estimates what a block takes in memory, from the sizes of the structs.
func sizeOf(b *ledger.Block) int {
	n := 512 + len(b.Header) + len(b.Raw)
	for i := range b.Txs {
		tx := &b.Txs[i]
		n += 200 + 160*len(tx.Inputs) + 96*len(tx.Outputs) + 240*len(tx.Transfers) + 320*len(tx.Notices)
	}
	return n
}
