//go:build linux

package crashtest

import (
	"context"
	"encoding/binary"
	"io"
	"slices"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/sourcetest"
)

// leaves are the numbers of the blocks at which a source of the script stands
// before its next reorg, and the last.
func (s *script) leaves() []int {
	var all []int
	for i := 1; i < len(s.blocks); i++ {
		if s.blocks[i].Parent != s.blocks[i-1].Ref.Hash {
			all = append(all, i-1)
		}
	}
	return append(all, len(s.blocks)-1)
}

// chainTo returns the blocks from the first height to a block.
func (s *script) chainTo(at int) []*ledger.Block {
	chain := []*ledger.Block{s.blocks[at]}
	for b := s.blocks[at]; b.Ref.Height > firstHeight; b = chain[len(chain)-1] {
		chain = append(chain, s.blocks[s.byHash[b.Parent]])
	}
	slices.Reverse(chain)
	return chain
}

// followScript follows a source from one leaf of the script to the next, from
// where the store stands, and reports the number of every tip.
func followScript(ctx context.Context, o order, acks io.Writer) error {
	s := o.script()
	st, err := store.Open(o.Dir, engine(), store.Options{MinFree: 1 << 20})
	if err != nil {
		return err
	}
	n, err := st.Create(ctx, s.chain)
	if err != nil {
		return err
	}
	status, err := n.Status()
	if err != nil {
		return err
	}
	at := 0
	if !status.Empty {
		at = s.byHash[status.Tip.Hash]
	}
	options := store.FollowOptions{
		From: new(uint64(firstHeight)), ReorgBound: new(uint64(bound)), BatchSize: o.Batch, KeepRaw: true, Poll: time.Millisecond,
		Report: func(status store.FollowStatus) {
			// A report that is lost only weakens the test.
			_, _ = acks.Write(binary.BigEndian.AppendUint32(nil, uint32(s.byHash[status.Tip.Hash])))
		},
	}
	src := sourcetest.New(s.chain)
	for _, leaf := range s.leaves() {
		if leaf < at {
			continue
		}
		src.Set(s.chainTo(leaf)...)
		if err := store.Follow(ctx, n, []store.Source{src}, options); err != nil {
			return err
		}
	}
	return st.Close()
}
