package tracer_test

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// drawAmount prefers amounts at which divisions leave a rest.
func drawAmount(t *rapid.T, most uint64) ledger.Amount {
	switch rapid.IntRange(0, 9).Draw(t, "size") {
	case 0:
		return ledger.Amount{}
	case 1:
		big := rapid.SliceOfN(rapid.Byte(), 1, 24).Draw(t, "bytes")
		a, err := ledger.AmountFromBytes(big)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	return ledger.NewAmount(rapid.Uint64Range(1, most).Draw(t, "units"))
}

// drawHuge lifts some amounts of a ledger to where sums leave 256 bits.
func drawHuge(t *rapid.T, w *world) {
	for _, b := range w.blocks {
		for i := range b.Txs {
			for j := range b.Txs[i].Transfers {
				if rapid.IntRange(0, 2).Draw(t, "huge") > 0 {
					continue
				}
				a, err := ledger.AmountFromBytes(append([]byte{0xff}, rapid.SliceOfN(rapid.Byte(), 31, 31).Draw(t, "bytes")...))
				if err != nil {
					t.Fatal(err)
				}
				b.Txs[i].Transfers[j].Amount = a
			}
		}
	}
	if before := w.seeds; len(before) > 0 {
		w.seeds = nil
		w.listSeeds(before[0].Asset)
	}
}

// drawAccounts makes a random ledger of accounts on TRON: two assets, mints,
// burns, fees, failures, zero values and transfers to oneself.
func drawAccounts(t *rapid.T) *world {
	w := &world{chain: "tron"}
	people := rapid.IntRange(2, 5).Draw(t, "people")
	main := ledger.TokenAsset(named("tron", "token")) // unknown, so that its dust is one unit
	other := ledger.TokenAsset(named("tron", "other token"))
	person := func(label string) ledger.Address {
		return named("tron", fmt.Sprint("person ", rapid.IntRange(1, people).Draw(t, label)))
	}
	height := uint64(0)
	for range rapid.IntRange(1, 12).Draw(t, "blocks") {
		height += rapid.Uint64Range(1, 3).Draw(t, "gap")
		b := &ledger.Block{Ref: ledger.BlockRef{Chain: "tron", Height: height, Time: int64(height) * 3000}}
		for i := range rapid.IntRange(0, 5).Draw(t, "txs") {
			tx := ledger.Tx{ID: txID(fmt.Sprint(height, ".", i)), Chain: "tron", Pos: ledger.At(height, uint32(i)), Time: b.Ref.Time}
			asset := main // one in a transaction: with two, people would swap
			if rapid.IntRange(0, 10).Draw(t, "asset") == 0 {
				asset = other
			}
			for j := range rapid.IntRange(0, 3).Draw(t, "transfers") {
				tr := ledger.Transfer{
					Index: uint32(j), Slot: uint32(j), From: person("from"), To: person("to"),
					Asset: asset, Amount: drawAmount(t, 30),
				}
				switch rapid.IntRange(0, 20).Draw(t, "odd") {
				case 0:
					tr.From = ledger.Address{}
				case 1:
					tr.To = ledger.Address{}
				case 2:
					tr.To, tr.Kind = ledger.Address{}, ledger.TransferFee
				case 3:
					tr.Status = ledger.StatusFailed
				case 4:
					tr.To = ledger.AccountAddress("tron", [20]byte{})
				}
				tx.Transfers = append(tx.Transfers, tr)
			}
			b.Txs = append(b.Txs, tx)
		}
		w.blocks = append(w.blocks, b)
	}
	w.listSeeds(main)
	return w
}

// listSeeds finds every payment that may be a victim's.
func (w *world) listSeeds(asset ledger.Asset) {
	for _, b := range w.blocks {
		for _, tx := range b.Txs {
			for i, o := range tx.Outputs {
				if !o.Value.IsZero() {
					w.seeds = append(w.seeds, tracer.Seed{
						Chain: w.chain, Tx: tx.ID, Index: uint32(i), At: ledger.Point{Pos: tx.Pos}, Output: true,
						Address: o.Address, Asset: asset, Amount: o.Value, Time: tx.Time,
					})
				}
			}
			for _, tr := range tx.Transfers {
				if tr.Asset == asset && tr.Kind != ledger.TransferFee && tr.Status == ledger.StatusOK && tr.From != tr.To && !tr.Amount.IsZero() {
					w.seeds = append(w.seeds, tracer.Seed{
						Chain: w.chain, Tx: tx.ID, Index: tr.Index, At: ledger.Point{Pos: tx.Pos, Slot: tr.Slot},
						From: tr.From, Address: tr.To, Asset: asset, Amount: tr.Amount, Time: tx.Time,
					})
				}
			}
		}
	}
}

// drawSeeds picks up to most payments, the same one twice at times, and of each a part or the whole.
func (w *world) drawSeeds(t *rapid.T, most int) []tracer.Seed {
	if len(w.seeds) == 0 {
		t.Skip("nothing is paid")
	}
	var seeds []tracer.Seed
	for range rapid.IntRange(1, most).Draw(t, "seeds") {
		s := rapid.SampledFrom(w.seeds).Draw(t, "seed")
		if n, small := s.Amount.Uint64(); small && rapid.Bool().Draw(t, "part") {
			s.Amount = ledger.NewAmount(rapid.Uint64Range(1, n).Draw(t, "amount"))
		}
		seeds = append(seeds, s)
	}
	return seeds
}

// drawCoins makes a random UTXO chain: fees, coinbases, inputs that nobody
// knows or that only undo data knows, empty and unspendable outputs, missing
// blocks, and coinbases with an id that was used before (BIP 30).
func drawCoins(t *rapid.T) *world {
	w := &world{chain: "bitcoin"}
	g := &coinGenerator{t: t, people: rapid.IntRange(2, 6).Draw(t, "people")}
	height := uint64(0)
	for range rapid.IntRange(1, 10).Draw(t, "blocks") {
		g.fees = 0
		b := &ledger.Block{Ref: ledger.BlockRef{Chain: "bitcoin", Height: height, Time: int64(height) * 600_000}}
		n := rapid.IntRange(0, 4).Draw(t, "txs")
		for i := range n {
			b.Txs = append(b.Txs, g.spend(ledger.At(height, uint32(i)), b.Ref.Time))
		}
		if rapid.IntRange(0, 9).Draw(t, "coinbase") > 0 {
			b.Txs = append(b.Txs, g.coinbase(ledger.At(height, uint32(n)), b.Ref.Time))
		}
		w.blocks = append(w.blocks, b)
		height += rapid.Uint64Range(1, 2).Draw(t, "gap")
	}
	w.listSeeds(ledger.NativeAsset("bitcoin"))
	return w
}

type coinGenerator struct {
	t       *rapid.T
	people  int
	unspent []ledger.Input // as the inputs that would spend them
	fees    uint64         // of the block so far
	bases   []ledger.TxID
}

func (g *coinGenerator) outputs(total uint64, tx *ledger.Tx) {
	n := rapid.IntRange(1, 4).Draw(g.t, "outputs")
	for i := range n {
		v := total
		if i < n-1 {
			v = rapid.Uint64Range(0, total).Draw(g.t, "value")
		}
		total -= v
		o := ledger.Output{Address: named("bitcoin", fmt.Sprint("person ", rapid.IntRange(1, g.people).Draw(g.t, "to"))), Value: ledger.NewAmount(v)}
		burn := rapid.IntRange(0, 15).Draw(g.t, "burn") == 0
		if burn {
			o.Address = ledger.ScriptAddress("bitcoin", []byte{0x6a, 1, 2})
		}
		tx.Outputs = append(tx.Outputs, o)
		if !burn {
			g.unspent = append(g.unspent, ledger.Input{Prev: ledger.OutPoint{Tx: tx.ID, Index: uint32(i)}, Value: o.Value})
		}
	}
}

func (g *coinGenerator) spend(pos ledger.Position, ms int64) ledger.Tx {
	tx := ledger.Tx{ID: txID(fmt.Sprint(pos)), Chain: "bitcoin", Pos: pos, Time: ms}
	var known uint64
	unknown := false
	for i := range rapid.IntRange(1, 4).Draw(g.t, "inputs") {
		outside := ledger.Input{Prev: ledger.OutPoint{Tx: txID(fmt.Sprint("outside ", pos, i))}}
		kind := rapid.IntRange(0, 9).Draw(g.t, "input")
		switch {
		case kind == 0:
			unknown = true
			tx.Inputs = append(tx.Inputs, outside)
		case kind == 1 || len(g.unspent) == 0:
			n := rapid.Uint64Range(0, 50).Draw(g.t, "undo")
			outside.Known, outside.Value, outside.Address = true, ledger.NewAmount(n), named("bitcoin", "outsider")
			tx.Inputs, known = append(tx.Inputs, outside), known+n
		default:
			j := rapid.IntRange(0, len(g.unspent)-1).Draw(g.t, "spends")
			in := g.unspent[j]
			g.unspent = append(g.unspent[:j:j], g.unspent[j+1:]...)
			n, _ := in.Value.Uint64()
			in.Value = ledger.Amount{}
			tx.Inputs, known = append(tx.Inputs, in), known+n
		}
	}
	paid := known
	if unknown {
		paid = rapid.Uint64Range(0, known+40).Draw(g.t, "paid")
	} else if known > 0 && rapid.Bool().Draw(g.t, "with fee") {
		paid = known - rapid.Uint64Range(0, min(known, 9)).Draw(g.t, "fee")
	}
	if known > paid {
		g.fees += known - paid
	}
	g.outputs(paid, &tx)
	return tx
}

func (g *coinGenerator) coinbase(pos ledger.Position, ms int64) ledger.Tx {
	tx := ledger.Tx{ID: txID(fmt.Sprint(pos)), Chain: "bitcoin", Pos: pos, Time: ms, Coinbase: true}
	if len(g.bases) > 0 && rapid.IntRange(0, 15).Draw(g.t, "same id") == 0 {
		tx.ID = rapid.SampledFrom(g.bases).Draw(g.t, "id")
		// The earlier one's outputs cannot be spent any more.
		kept := g.unspent[:0:0]
		for _, in := range g.unspent {
			if in.Prev.Tx != tx.ID {
				kept = append(kept, in)
			}
		}
		g.unspent = kept
	}
	g.bases = append(g.bases, tx.ID)
	tx.Inputs = []ledger.Input{{}}
	total := rapid.Uint64Range(0, 50).Draw(g.t, "subsidy") + g.fees
	if rapid.IntRange(0, 9).Draw(g.t, "claims less") == 0 {
		total = g.fees / 2
	}
	g.outputs(total, &tx)
	return tx
}
