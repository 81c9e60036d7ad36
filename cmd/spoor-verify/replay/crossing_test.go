package replay_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/spoortrace/spoor/cmd/spoor-verify/replay"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// market is a random past in which people pay each other, swap at pools, wrap coins and use bridges, on two networks of accounts and on Bitcoin.
type market struct {
	random *rand.Rand
	blocks []*ledger.Block
	seeds  []tracer.Seed
	coins  []ledger.Input // unspent
}

func newMarket(seed uint64) *market {
	m := &market{random: rand.New(rand.NewPCG(seed, 31))}
	pace := map[ledger.Chain]int64{"ethereum": 20_000, "bnb": int64(1+m.random.IntN(3)) * 15_000, "bitcoin": 30_000}
	for height := range uint64(12) {
		for _, c := range []ledger.Chain{"ethereum", "bnb", "bitcoin"} {
			b := &ledger.Block{Ref: ledger.BlockRef{Chain: c, Height: height + 1, Hash: sha256.Sum256(fmt.Append(nil, "block", c, height)), Time: 1_700_000_000_000 + int64(height)*pace[c]}}
			tx := ledger.Tx{ID: sha256.Sum256(fmt.Append(nil, c, height)), Chain: c, Pos: ledger.At(height+1, 0), Time: b.Ref.Time, Grade: ledger.GradeAttested}
			switch {
			case c == "bitcoin":
				m.spend(&tx)
			case height == 0:
				m.fund(&tx)
			default:
				m.trade(&tx)
			}
			b.Txs = append(b.Txs, tx)
			m.blocks = append(m.blocks, b)
		}
	}
	return m
}

func somebody(c ledger.Chain, name string) ledger.Address {
	sum := sha256.Sum256([]byte(name))
	if c.UTXO() {
		return ledger.Address{Chain: c, Kind: ledger.KindP2WPKH, Payload: string(sum[:20])}
	}
	return ledger.AccountAddress(c, [20]byte(sum[:20]))
}

func coinOf(c ledger.Chain, name string) ledger.Asset {
	if name == "native" {
		return ledger.NativeAsset(c)
	}
	return ledger.TokenAsset(somebody(c, name))
}

func (m *market) pick(names ...string) string { return names[m.random.IntN(len(names))] }

// pay adds a transfer; nobody is "".
func (m *market) pay(tx *ledger.Tx, from, to, asset string, amount uint64) {
	t := ledger.Transfer{Index: uint32(len(tx.Transfers)), Slot: uint32(len(tx.Transfers)), Asset: coinOf(tx.Chain, asset), Amount: ledger.NewAmount(amount), Grade: ledger.GradeAttested}
	if from != "" {
		t.From = somebody(tx.Chain, from)
	}
	if to != "" {
		t.To = somebody(tx.Chain, to)
	}
	if asset == "native" {
		t.Kind = ledger.TransferInternal
	}
	tx.Transfers = append(tx.Transfers, t)
}

func (m *market) note(tx *ledger.Tx, kind ledger.NoticeKind, who, asset string, amount uint64, ref string) {
	tx.Notices = append(tx.Notices, ledger.Notice{
		Slot: uint32(max(1, len(tx.Transfers)) - 1), Kind: kind, Account: somebody(tx.Chain, who), Asset: coinOf(tx.Chain, asset), Amount: ledger.NewAmount(amount), Ref: ref,
	})
}

// fund pays everybody for the first time: what the victims paid.
func (m *market) fund(tx *ledger.Tx) {
	for _, who := range []string{"a", "b", "c"} {
		for _, asset := range []string{"X", "Y", "native"} {
			m.pay(tx, "victim", who, asset, 1+m.random.Uint64N(1000))
			t := tx.Transfers[len(tx.Transfers)-1]
			m.seeds = append(m.seeds, tracer.Seed{
				Ref: "payment", Chain: tx.Chain, Tx: tx.ID, Index: t.Index, At: ledger.Point{Pos: tx.Pos, Slot: t.Slot}, From: t.From, Address: t.To,
				Asset: t.Asset, Amount: t.Amount, Time: tx.Time, Kind: t.Kind,
			})
		}
	}
}

func (m *market) trade(tx *ledger.Tx) {
	who, other, x, y := m.pick("a", "b", "c"), m.pick("a", "b", "c"), m.pick("X", "Y", "native"), m.pick("X", "Y", "native")
	n, k := 1+m.random.Uint64N(300), 1+m.random.Uint64N(300)
	ref := fmt.Sprint("bridge:", m.random.IntN(6))
	switch m.random.IntN(8) {
	case 0, 1:
		m.pay(tx, who, other, x, n)
	case 2:
		m.pay(tx, who, "pool", x, n)
		m.pay(tx, "pool", who, y, k)
	case 3: // the pool pays first, and is paid in two parts
		m.pay(tx, "pool", who, y, k)
		m.pay(tx, who, "pool", x, n)
		m.pay(tx, who, "pool", x, k)
	case 4:
		m.pay(tx, who, "W", "native", n)
		m.pay(tx, "", who, "W", n)
		m.note(tx, ledger.NoticeWrapped, who, "W", n, "")
	case 5:
		m.pay(tx, who, "bridge", x, n)
		m.note(tx, ledger.NoticeBridgeOut, who, x, n, ref)
	case 6:
		m.pay(tx, "bridge", other, y, k)
		m.note(tx, ledger.NoticeBridgeIn, other, y, k, ref)
	case 7:
		m.pay(tx, who, "pool", x, n)
		m.pay(tx, "pool", "pool2", "Z", 7)
		m.pay(tx, "pool2", other, y, k)
	}
}

// spend makes coins of earlier ones or of nothing, and lets bridges pay and be paid.
func (m *market) spend(tx *ledger.Tx) {
	total := uint64(0)
	for range min(len(m.coins), 1+m.random.IntN(2)) {
		at := m.random.IntN(len(m.coins))
		n, _ := m.coins[at].Value.Uint64()
		total += n
		tx.Inputs = append(tx.Inputs, m.coins[at])
		m.coins = append(m.coins[:at], m.coins[at+1:]...)
	}
	if tx.Coinbase = total == 0; tx.Coinbase {
		total = 2000
	}
	for total > 0 && len(tx.Outputs) < 3 {
		n := 1 + m.random.Uint64N(total)
		total -= n
		o := ledger.Output{Address: somebody("bitcoin", m.pick("a", "b", "c")), Value: ledger.NewAmount(n)}
		i := uint32(len(tx.Outputs))
		tx.Outputs = append(tx.Outputs, o)
		kind := ledger.NoticeBridgeIn
		if m.random.IntN(2) == 0 {
			kind = ledger.NoticeBridgeOut
		}
		if m.random.IntN(2) == 0 {
			tx.Notices = append(tx.Notices, ledger.Notice{Slot: i, Kind: kind, Account: o.Address, Asset: ledger.NativeAsset("bitcoin"), Amount: o.Value, Ref: fmt.Sprint("bridge:", m.random.IntN(6))})
		}
		m.coins = append(m.coins, ledger.Input{Prev: ledger.OutPoint{Tx: tx.ID, Index: i}, PrevPos: tx.Pos, Address: o.Address, Value: o.Value, Known: true})
		if !tx.Coinbase {
			m.seeds = append(m.seeds, tracer.Seed{
				Ref: "payment", Chain: "bitcoin", Tx: tx.ID, Index: i, At: ledger.Point{Pos: tx.Pos}, Output: true, From: tx.Inputs[0].Address, Address: o.Address,
				Asset: ledger.NativeAsset("bitcoin"), Amount: o.Value, Time: tx.Time,
			})
		}
	}
}

func (m *market) build(t *testing.T) *evidence.Dossier {
	t.Helper()
	idx, err := memindex.New(m.blocks, memindex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rules := []string{"fifo", "lifo", "haircut", "dirty-first", "tiho", "libr"}
	c := evidence.Case{
		Cover: evidence.Cover{Case: "case", Redaction: evidence.ForCourt, Networks: []evidence.Network{
			{Network: "bitcoin", Model: "utxo"}, {Network: "bnb", Model: "account"}, {Network: "ethereum", Model: "account"},
		}},
		UTXO: evidence.Policy{Name: m.pick(rules...)}, Account: evidence.Policy{Name: m.pick(rules...)}, Allocation: m.pick("traced", "pro-rata"),
	}
	var payments []evidence.Traced
	for i := range 1 + m.random.IntN(6) {
		s := m.seeds[m.random.IntN(len(m.seeds))]
		payments = append(payments, evidence.Traced{Payment: fmt.Sprint("P-", i+1), Victim: fmt.Sprint("V-", 1+i/2), Status: "confirmed", Seed: s})
	}
	d, err := evidence.Build(t.Context(), c, payments, evidence.Source{
		Index: idx, Info: func(a ledger.Asset) (ledger.AssetInfo, error) { return ledger.InfoOf(a), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestAgreeOnCrossings: both programs come to the same figures where money changes its asset and its network.
func TestAgreeOnCrossings(t *testing.T) {
	n, kinds := trials(t, 200), map[string]int{}
	for range n {
		seed := rand.Uint64()
		d := newMarket(seed).build(t)
		files := filesOf(t, d)
		if found, _ := replay.Check(files); len(found) > 0 || !other(t, files) {
			t.Fatalf("seed %d: here %v; there it holds: %v", seed, found, other(t, files))
		}
		for _, r := range d.Ledger {
			if r.Crossing != nil {
				kinds[r.Crossing.Kind]++
				kinds["from "+r.Network+" to "+r.Crossing.Network]++
			}
		}
	}
	for _, kind := range []string{"SWAP", "WRAP", "BRIDGE", "from bitcoin to ethereum", "from ethereum to bitcoin"} {
		if n >= 200 && kinds[kind] == 0 {
			t.Errorf("no %s in %d packages", kind, n)
		}
	}
	t.Logf("%d packages: %v", n, kinds)
}
