package sourcetest_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/store/sourcetest"
)

// chain makes n linked blocks from a height on, one transfer in each.
func chain(name ledger.Chain, from uint64, n int) []*ledger.Block {
	var blocks []*ledger.Block
	var parent ledger.Hash
	for i := range n {
		height := from + uint64(i)
		ref := ledger.BlockRef{Chain: name, Height: height, Hash: sha256.Sum256(fmt.Appendf(nil, "block %d", height)), Time: int64(height)}
		tx := ledger.Tx{ID: ledger.TxID(sha256.Sum256(fmt.Appendf(nil, "tx %d", height))), Chain: name, Pos: ledger.At(height, 0), Time: ref.Time}
		tx.Transfers = []ledger.Transfer{{
			From: ledger.AccountAddress(name, [20]byte{1}), To: ledger.AccountAddress(name, [20]byte{byte(i)}),
			Asset: ledger.NativeAsset(name), Amount: ledger.NewAmount(7),
		}}
		blocks = append(blocks, &ledger.Block{Ref: ref, Parent: parent, Source: "test", Txs: []ledger.Tx{tx}})
		parent = ref.Hash
	}
	return blocks
}

func TestChainConforms(t *testing.T) {
	src := sourcetest.New("tron", chain("tron", 100, 200)...)
	src.Finalize(new(uint64(280)))
	sourcetest.Conform(t, src, memkv.New(), sourcetest.Span{From: 100})
}

// TestScript holds the controls to what they say.
func TestScript(t *testing.T) {
	ctx, all := t.Context(), chain("tron", 0, 10)
	src := sourcetest.New("tron", all...)
	src.Lag(3)
	if head, err := src.Head(ctx); err != nil || head.Tip != all[6].Ref {
		t.Errorf("lagging head: got %+v, %v, want height 6", head.Tip, err)
	}
	if _, err := src.Block(ctx, 7); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("hidden block: got %v, want %v", err, ledger.ErrUnavailable)
	}
	src.Lag(0)
	src.Lie(func(b *ledger.Block) *ledger.Block { b.Source = "liar"; return b })
	if b, err := src.Block(ctx, 7); err != nil || b.Source != "liar" || all[7].Source != "test" {
		t.Errorf("lie: got %+v, %v", b, err)
	}
	broken := errors.New("broken")
	src.Fail(func(_ context.Context, c sourcetest.Call) error {
		if c == (sourcetest.Call{Method: "Hash", Height: 4}) {
			return broken
		}
		return nil
	})
	if _, err := src.Hash(ctx, 4); !errors.Is(err, broken) {
		t.Errorf("hash 4: got %v, want %v", err, broken)
	}
	if hash, err := src.Hash(ctx, 5); err != nil || hash != all[5].Ref.Hash || src.Calls("Hash") != 2 {
		t.Errorf("hash 5: got %s, %v after %d calls", hash, err, src.Calls("Hash"))
	}
	src.Hint()
	if err := src.Wait(ctx); err != nil {
		t.Errorf("wait after a hint: %v", err)
	}
	src.Set()
	if _, err := src.Head(ctx); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("head of nothing: got %v, want %v", err, ledger.ErrUnavailable)
	}
}
