package evm

import (
	"cmp"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/ledger"
)

// emitters lists what the registry reads, in an order of its own.
func (b *Bridges) emitters() []emitter {
	var all []emitter
	for e := range b.events {
		all = append(all, e)
	}
	slices.SortFunc(all, func(x, y emitter) int {
		return cmp.Or(cmp.Compare(x.chain, y.chain), x.contract.Cmp(y.contract), x.topic.Cmp(y.topic))
	})
	return all
}

// FuzzBridgeLog: no log of a registered contract, whatever it holds, makes the
// reader panic, and what is read has an account, a ref and a slot of its own.
func FuzzBridgeLog(f *testing.F) {
	b, err := NewBridges(BundledBridges())
	if err != nil {
		f.Fatal(err)
	}
	all := b.emitters()
	for i := range all {
		f.Add(uint16(i), []byte{}, make([]byte, 32*(i%9)), uint64(i))
	}
	f.Fuzz(func(t *testing.T, which uint16, topics, data []byte, amount uint64) {
		e := all[int(which)%len(all)]
		l := &types.Log{Address: e.contract, Topics: []common.Hash{e.topic}, Data: data}
		for ; len(topics) >= 32 && len(l.Topics) < 4; topics = topics[32:] {
			l.Topics = append(l.Topics, common.BytesToHash(topics[:32]))
		}
		tx := &ledger.Tx{Chain: e.chain, ID: ledger.TxID{1}, Transfers: []ledger.Transfer{
			{Kind: ledger.TransferNative, From: account(e.chain, addressOf(1)), To: account(e.chain, e.contract), Asset: ledger.NativeAsset(e.chain), Amount: ledger.NewAmount(amount)},
			{Slot: 1, Index: 1, Kind: ledger.TransferToken, To: account(e.chain, addressOf(1)), Asset: ledger.TokenAsset(account(e.chain, addressOf(2))), Amount: ledger.NewAmount(amount)},
		}}
		slots := map[uint32]bool{}
		for _, n := range b.Notices(tx, []*types.Log{l, l}) {
			if n.Account.IsZero() || n.Ref == "" || !n.Crosses() || slots[n.Slot] {
				t.Errorf("%+v", n)
			}
			slots[n.Slot] = true
		}
	})
}
