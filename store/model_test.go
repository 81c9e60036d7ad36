package store_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"pgregory.net/rapid"
)

// modelBlock is a generated block with what its branch holds after it.
type modelBlock struct {
	*ledger.Block
	prev  *modelBlock
	coins map[ledger.OutPoint]ledger.Output // unspent on this branch
	ops   []ledger.OutPoint                 // its keys, in an order of their own
}

// chain lists the blocks of a branch, ascending.
func (m *modelBlock) chain() []*ledger.Block {
	var blocks []*ledger.Block
	for b := m; b != nil; b = b.prev {
		blocks = append(blocks, b.Block)
	}
	slices.Reverse(blocks)
	return blocks
}

// generator makes blocks of one chain from rapid's choices.
type generator struct {
	*rapid.T
	chain ledger.Chain
	made  uint64
	rng   *rand.Rand // in place of rapid's choices, where there would be too many
}

func (g *generator) n(label string, from, to int) int {
	if g.rng != nil {
		return from + g.rng.IntN(to-from+1)
	}
	return rapid.IntRange(from, to).Draw(g.T, label)
}

func (g *generator) hash(what string) [32]byte {
	g.made++
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte(what), g.made))
}

func (g *generator) address(i int) ledger.Address {
	h := sha256.Sum256(fmt.Appendf(nil, "owner %d", i))
	if !g.chain.UTXO() {
		return ledger.AccountAddress(g.chain, [20]byte(h[:20]))
	}
	if i%7 == 0 { // a script of its own, some of them long
		return ledger.Address{Chain: g.chain, Kind: ledger.KindScript, Payload: string(slices.Repeat(h[:], 1+i))}
	}
	return ledger.Address{Chain: g.chain, Kind: ledger.KindP2PKH, Payload: string(h[:20])}
}

// next makes a block after prev at a distance of gap heights.
func (g *generator) next(prev *modelBlock, gap uint64) *modelBlock {
	b := &ledger.Block{Source: "model", Grade: ledger.GradeProven, Header: []byte("header"), Raw: []byte(fmt.Sprint("raw ", g.made))}
	b.Ref = ledger.BlockRef{Chain: g.chain, Height: 1000, Hash: g.hash("block")}
	m := &modelBlock{Block: b, prev: prev, coins: map[ledger.OutPoint]ledger.Output{}}
	if prev != nil {
		b.Ref.Height = prev.Ref.Height + gap
		m.coins, m.ops = maps.Clone(prev.coins), slices.Clone(prev.ops)
		b.Parent = prev.Ref.Hash
		if gap > 1 {
			b.Parent = g.hash("not held")
		}
	}
	b.Ref.Time = int64(b.Ref.Height)*600_000 + int64(g.n("clock", 0, 2))*900_000 // miners' clocks disagree
	b.Partial = []string{"", "", "", ledger.PartialInternal, ledger.PartialReceipts}[g.n("partial", 0, 4)]
	if g.chain.UTXO() {
		g.coinsBlock(m)
	} else {
		g.accountsBlock(m)
	}
	return m
}

func (g *generator) coinsBlock(m *modelBlock) {
	n := g.n("txs", 0, 4)
	for i := range n {
		tx := g.tx(m, uint32(i+1))
		g.spend(m, &tx)
		g.pay(m, &tx, g.n("outputs", 1, 3))
		g.note(&tx)
		m.Txs = append(m.Txs, tx)
	}
	coinbase := g.tx(m, uint32(n+1))
	coinbase.Coinbase = true
	if m.prev != nil && g.n("duplicate", 0, 9) == 0 { // before BIP 30
		coinbase.ID, coinbase.Outputs = m.prev.Txs[0].ID, m.prev.Txs[0].Outputs
		for i, out := range coinbase.Outputs {
			m.earn(ledger.OutPoint{Tx: coinbase.ID, Index: uint32(i)}, out)
		}
	} else {
		g.pay(m, &coinbase, 1)
	}
	m.Txs = append([]ledger.Tx{coinbase}, m.Txs...)
}

func (g *generator) tx(m *modelBlock, index uint32) ledger.Tx {
	return ledger.Tx{ID: g.hash("tx"), Chain: g.chain, Pos: ledger.At(m.Ref.Height, index), Time: m.Ref.Time}
}

func (g *generator) spend(m *modelBlock, tx *ledger.Tx) {
	for range g.n("inputs", 1, 4) {
		if len(m.ops) == 0 || g.n("unknown coin", 0, 5) == 0 {
			in := ledger.Input{Prev: ledger.OutPoint{Tx: g.hash("elsewhere"), Index: 3}}
			if g.n("undo", 0, 1) == 0 {
				in.Known, in.Address, in.Value = true, g.address(g.n("owner", 1, 12)), ledger.NewAmount(77)
			}
			tx.Inputs = append(tx.Inputs, in)
			continue
		}
		at := g.n("coin", 0, len(m.ops)-1)
		op := m.ops[at]
		in := ledger.Input{Prev: op}
		if g.n("undo", 0, 1) == 0 {
			in.Known, in.Address, in.Value = true, m.coins[op].Address, m.coins[op].Value
		}
		delete(m.coins, op)
		m.ops = slices.Delete(m.ops, at, at+1)
		tx.Inputs = append(tx.Inputs, in)
	}
}

// earn adds a coin; one of before BIP 30 may be there already.
func (m *modelBlock) earn(op ledger.OutPoint, out ledger.Output) {
	if _, ok := m.coins[op]; !ok {
		m.ops = append(m.ops, op)
	}
	m.coins[op] = out
}

func (g *generator) pay(m *modelBlock, tx *ledger.Tx, n int) {
	if g.n("wide", 0, 19) == 0 {
		n = 80 // more outputs than a row holds
	}
	for i := range n {
		out := ledger.Output{Address: g.address(g.n("owner", 1, 12)), Value: ledger.NewAmount(uint64(g.n("value", 0, 5000)))}
		tx.Outputs = append(tx.Outputs, out)
		m.earn(ledger.OutPoint{Tx: tx.ID, Index: uint32(i)}, out)
	}
}

func (g *generator) accountsBlock(m *modelBlock) {
	for i := range g.n("txs", 0, 5) {
		tx := g.tx(m, uint32(i))
		tx.Status = ledger.Status(g.n("status", 0, 2))
		for j := range g.n("transfers", 1, 4) {
			tx.Transfers = append(tx.Transfers, g.transfer(uint32(j)))
		}
		g.note(&tx)
		m.Txs = append(m.Txs, tx)
	}
}

// note adds notices of any kind; a crossing is found by one of few refs, a permission
// by its keys.
func (g *generator) note(tx *ledger.Tx) {
	for j := range g.n("notices", 0, 5) / 3 {
		n := ledger.Notice{
			Slot: uint32(3*j + 1), Kind: ledger.NoticeKind(g.n("notice", 0, int(ledger.NoticeActivated))), Grade: ledger.GradeAttested,
			Account: g.address(g.n("account", 1, 6)), Asset: ledger.NativeAsset(g.chain), Amount: ledger.NewAmount(uint64(g.n("noted", 0, 3))),
		}
		if g.n("peer", 0, 1) == 0 {
			n.Peer = g.address(g.n("peer of", 1, 6))
		}
		if n.Crosses() {
			n.Network, n.Ref = "ethereum", fmt.Sprint("bridge:", g.n("ref", 1, 3))
		}
		if n.Kind == ledger.NoticePermission {
			n.Ref = fmt.Sprintf("owner 1: %s 1; active 1: %s 1, %s 1", g.address(g.n("key", 1, 6)), g.address(g.n("key", 1, 6)), n.Account)
		}
		tx.Notices = append(tx.Notices, n)
	}
}

func (g *generator) transfer(j uint32) ledger.Transfer {
	t := ledger.Transfer{
		Index: j, Slot: 2 * j, Kind: ledger.TransferKind(g.n("kind", 0, 3)), Status: ledger.Status(g.n("status", 0, 2)),
		From: g.address(g.n("from", 1, 6)), To: g.address(g.n("to", 1, 6)), Amount: ledger.NewAmount(uint64(g.n("amount", 0, 9)) * 500_000),
	}
	switch g.n("sides", 0, 9) {
	case 0:
		t.From = ledger.Address{}
	case 1:
		t.To = ledger.Address{}
	}
	t.Asset = ledger.NativeAsset(g.chain)
	switch k := g.n("asset", 0, 4); k {
	case 0:
	case 4:
		t.Asset.TokenID = "1002000" // TRC-10
	default:
		t.Asset = ledger.TokenAsset(g.address(100 + k))
	}
	return t
}
