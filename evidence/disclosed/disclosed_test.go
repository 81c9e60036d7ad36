package disclosed_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/disclosed"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// held is an index that knows its blocks.
type held struct{ *memindex.Index }

func (h held) BlockRef(ctx context.Context, c ledger.Chain, height uint64) (ledger.BlockRef, error) {
	_, err := h.AsOf(ctx, c)
	return ledger.BlockRef{Chain: c, Height: height, Hash: ledger.Hash(txOf(-int(height))), Time: minute(int(height)).UnixMilli()}, err
}

const genesis = 1_700_000_000_000

func minute(n int) time.Time { return time.UnixMilli(genesis + int64(n)*60_000).UTC() }

func usdt(t *testing.T) ledger.Asset {
	t.Helper()
	a, ok := ledger.AssetBySymbol("tron", "USDT")
	if !ok {
		t.Fatal("no USDT")
	}
	return a
}

func who(name string) ledger.Address {
	sum := sha256.Sum256([]byte(name))
	return ledger.AccountAddress("tron", [20]byte(sum[:20]))
}

func txOf(height int) ledger.TxID { return sha256.Sum256(fmt.Append(nil, "tx", height)) }

// payment is USDT that moved in one block.
type payment struct {
	from, to string
	amount   uint64 // millionths
}

func chain(t *testing.T, payments ...payment) disclosed.Base {
	t.Helper()
	var blocks []*ledger.Block
	for i, p := range payments {
		height := uint64(i + 1)
		tx := ledger.Tx{ID: txOf(i + 1), Chain: "tron", Pos: ledger.At(height, 0), Time: minute(i + 1).UnixMilli(), Grade: ledger.GradeAttested}
		m := ledger.Transfer{To: who(p.to), Asset: usdt(t), Amount: ledger.NewAmount(p.amount), Grade: ledger.GradeAttested}
		if p.from != "" {
			m.From = who(p.from)
		}
		tx.Transfers = []ledger.Transfer{m}
		blocks = append(blocks, &ledger.Block{Ref: ledger.BlockRef{Chain: "tron", Height: height, Hash: ledger.Hash(txOf(-i - 1)), Time: tx.Time}, Txs: []ledger.Tx{tx}})
	}
	idx, err := memindex.New(blocks, memindex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return held{idx}
}

func answer(account string, rows ...cases.ReturnRow) disclosed.Answer {
	for i := range rows {
		rows[i].Line = i + 2
	}
	return disclosed.Answer{
		Return: cases.Return{Entity: "huobi", Account: account, Document: strings.Repeat("d0", 32), From: minute(0), To: minute(60)}, Rows: rows,
	}
}

// row is a movement of USDT; amounts there have eight decimals.
func row(at int, kind cases.Movement, coins uint64) cases.ReturnRow {
	return cases.ReturnRow{Time: minute(at), Kind: kind, Asset: "USDT", Amount: fmt.Sprint(coins * 100_000_000)}
}

func on(r cases.ReturnRow, block int, address string) cases.ReturnRow {
	r.Network, r.Tx, r.Address = "tron", txOf(block).String(), who(address).String()
	return r
}

func with(r cases.ReturnRow, counterparty string) cases.ReturnRow {
	r.Counterparty = counterparty
	return r
}

// built traces the payment of block 2, from the victim to the scammer.
func built(t *testing.T, b disclosed.Base, policy string, answers ...disclosed.Answer) (*evidence.Dossier, *disclosed.Index) {
	t.Helper()
	idx, err := disclosed.New(t.Context(), b, answers)
	if err != nil {
		t.Fatal(err)
	}
	txs, err := b.FindTx(t.Context(), "tron", txOf(2))
	if err != nil {
		t.Fatal(err)
	}
	m := txs[0].Transfers[0]
	seed := tracer.Seed{Ref: "payment", Chain: "tron", Tx: txs[0].ID, At: ledger.Point{Pos: txs[0].Pos}, From: m.From, Address: m.To, Asset: m.Asset, Amount: m.Amount, Time: txs[0].Time}
	rule := evidence.Policy{Name: policy, Reason: "a test"}
	d, err := evidence.Build(t.Context(), evidence.Case{
		Cover: evidence.Cover{Case: "case-1", Number: "1", Title: "t", Authority: "a", Author: "b", Redaction: evidence.ForCourt, Networks: append(idx.Networks(), evidence.Network{Network: "tron", Model: "account", Coverage: "COMPLETE"})},
		UTXO:  rule, Account: rule, Allocation: "traced",
	}, []evidence.Traced{{Payment: "P-1", Victim: "V-1", Status: "confirmed", Seed: seed}}, evidence.Source{Index: idx, Info: func(a ledger.Asset) (ledger.AssetInfo, error) {
		if info, ok := idx.Info(a); ok {
			return info, nil
		}
		return ledger.InfoOf(a), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r := evidence.Verify(t.Context(), d); !r.OK() {
		t.Errorf("it does not verify: %+v", r)
	}
	return d, idx
}

// board is the seizure table as text, sorted: holder, coins, what kind, by whom, why.
func board(d *evidence.Dossier) []string {
	decimals := map[string]int{}
	for _, a := range d.Cover.Assets {
		decimals[a.Asset] = a.Decimals
	}
	var all []string
	for _, h := range d.Holdings {
		units, _ := ledger.ParseAmount(h.Traced)
		name := h.Account
		if name == "" {
			name = h.Network + ":" + h.Address
		}
		all = append(all, strings.Join([]string{name, units.Decimal(decimals[h.Asset]), h.Holder, h.FreezableBy, strings.Join(h.Reasons, " ")}, ", "))
	}
	slices.Sort(all)
	return all
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// story: a victim pays 1000 to the scammer (block 2), who deposits them (block 3);
// the exchange pays 500 out to a mule (block 6).
func story(t *testing.T) disclosed.Base {
	t.Helper()
	return chain(t,
		payment{"", "victim", 1_000_000_000}, payment{"victim", "scammer", 1_000_000_000}, payment{"scammer", "deposit", 1_000_000_000},
		payment{"", "hot", 9_000_000_000}, payment{"deposit", "hot", 1_000_000_000}, payment{"hot", "mule", 500_000_000})
}

// TestThrough follows 1000 USDT into an account, where 300 go to a colleague, 100
// are traded, 1 is a fee and 500 are paid out, so that 99 stay.
func TestThrough(t *testing.T) {
	trade := row(4, cases.Trade, 100)
	trade.GotAsset, trade.GotAmount = "BTC", "250000"
	d, idx := built(t, story(t), "fifo", answer("77",
		on(row(3, cases.Deposit, 1000), 3, "deposit"), with(row(4, cases.TransferOut, 300), "88"), trade, row(5, cases.Fee, 1),
		on(row(6, cases.Withdrawn, 500), 6, "mule")))
	if p := idx.Problems(); len(p) > 0 {
		t.Errorf("problems: %v", p)
	}
	same(t, board(d),
		"huobi:77, 99, VASP account, VASP, UNSPENT",
		"huobi:77, 0.0025, VASP account, VASP, UNSPENT",
		"huobi:88, 300, VASP account, VASP, NOT_COVERED",
		"tron:"+who("mule").String()+", 500, self-custody or unknown, ISSUER, UNSPENT")
	var path []string
	for _, r := range d.Ledger {
		kind := ""
		if r.Crossing != nil {
			kind = " " + r.Crossing.Kind
		}
		path = append(path, r.Class+" "+r.Grade+" "+r.Network+kind)
	}
	want := []string{
		"F attested tron", "F attested tron DISCLOSED", "D attested service-huobi", "D attested service-huobi", "D attested service-huobi SWAP",
		"D attested service-huobi", "D attested service-huobi DISCLOSED", "F attested tron",
	}
	if !slices.Equal(path, want) {
		t.Errorf("rows %q, want %q", path, want)
	}
}

// TestDirect: the victim pays straight into an account at the exchange, which held
// 50 of its own; under fifo these go first.
func TestDirect(t *testing.T) {
	b := chain(t, payment{"", "victim", 1_000_000_000}, payment{"victim", "deposit", 1_000_000_000}, payment{"", "hot", 9_000_000_000}, payment{"hot", "mule", 500_000_000})
	d, _ := built(t, b, "fifo", answer("77", row(0, cases.OpeningBalance, 50), on(row(2, cases.Deposit, 1000), 2, "deposit"), on(row(4, cases.Withdrawn, 500), 4, "mule")))
	same(t, board(d), "huobi:77, 550, VASP account, VASP, UNSPENT", "tron:"+who("mule").String()+", 450, self-custody or unknown, ISSUER, UNSPENT")
}

// TestBothSides: a transfer that the answers about both accounts have is one.
func TestBothSides(t *testing.T) {
	in := with(row(4, cases.TransferIn, 300), "77")
	d, idx := built(t, story(t), "fifo", answer("77", on(row(3, cases.Deposit, 1000), 3, "deposit"), with(row(4, cases.TransferOut, 300), "88")), answer("88", in))
	same(t, board(d), "huobi:77, 700, VASP account, VASP, UNSPENT", "huobi:88, 300, VASP account, VASP, UNSPENT")
	if p := idx.Problems(); len(p) > 0 {
		t.Errorf("problems: %v", p)
	}
	_, idx = built(t, story(t), "fifo", answer("77", on(row(3, cases.Deposit, 1000), 3, "deposit"), with(row(4, cases.TransferOut, 300), "88")), answer("88"))
	if p := idx.Problems(); len(p) != 1 || !strings.Contains(p[0].Message, "whose own answer has no such transfer") {
		t.Errorf("problems: %v", p)
	}
}

// TestUnjoined: what cannot be joined is said, and no unit is lost: it ends where
// the chain or the service last had it.
func TestUnjoined(t *testing.T) {
	elsewhere := on(row(6, cases.Withdrawn, 500), 99, "mule")
	d, idx := built(t, story(t), "fifo", answer("77", on(row(3, cases.Deposit, 1000), 3, "deposit"), elsewhere, with(row(7, cases.Withdrawn, 200), "bank")))
	same(t, board(d), "huobi:77, 300, VASP account, VASP, UNSPENT",
		"service-huobi:tron:"+who("mule").String()+", 500, unknown, NONE, NOT_COVERED",
		"service-huobi:outside:bank, 200, unknown, NONE, NOT_COVERED")
	said(t, idx, "the index does not hold tron:")
	for name, r := range map[string]cases.ReturnRow{
		"another address": on(row(3, cases.Deposit, 1000), 3, "hot"),
		"more than came":  on(row(3, cases.Deposit, 1001), 3, "deposit"),
		"another asset":   on(cases.ReturnRow{Time: minute(3), Kind: cases.Deposit, Asset: "TRX", Amount: "100000000000"}, 3, "deposit"),
	} {
		d, idx := built(t, story(t), "fifo", answer("77", r))
		same(t, board(d), "tron:"+who("hot").String()+", 1000, self-custody or unknown, ISSUER, UNSPENT")
		said(t, idx, "0 of the transfers of tron:")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	_, idx = built(t, story(t), "fifo", answer("77", on(row(3, cases.Deposit, 1000), 3, "deposit")), answer("78", on(row(3, cases.Deposit, 1000), 3, "deposit")))
	said(t, idx, "another row is about the same transfer")
}

func said(t *testing.T, idx *disclosed.Index, words string) {
	t.Helper()
	if !slices.ContainsFunc(idx.Problems(), func(p disclosed.Problem) bool { return strings.Contains(p.Message, words) }) {
		t.Errorf("problems %v do not say %q", idx.Problems(), words)
	}
}

// TestClocks: a service's clock may be ahead of a block's or behind it; a deposit
// still comes after its transaction, a withdrawal before.
func TestClocks(t *testing.T) {
	d, _ := built(t, story(t), "fifo", answer("77", on(row(2, cases.Deposit, 1000), 3, "deposit"), on(row(9, cases.Withdrawn, 500), 6, "mule")))
	same(t, board(d), "huobi:77, 500, VASP account, VASP, UNSPENT", "tron:"+who("mule").String()+", 500, self-custody or unknown, ISSUER, UNSPENT")
}

// TestFeeKept: a service credits less than came; the traced share goes on whole.
func TestFeeKept(t *testing.T) {
	d, _ := built(t, story(t), "fifo", answer("77", on(row(3, cases.Deposit, 990), 3, "deposit")))
	same(t, board(d), "huobi:77, 990, VASP account, VASP, UNSPENT")
}

// TestOverdrawn: an answer that pays out more than it says came in assumes the
// least that fits, and the package says so.
func TestOverdrawn(t *testing.T) {
	d, _ := built(t, story(t), "fifo", answer("77", on(row(3, cases.Deposit, 1000), 3, "deposit"), with(row(5, cases.TransferOut, 1200), "88")))
	same(t, board(d), "huobi:88, 1000, VASP account, VASP, NOT_COVERED")
	if !slices.ContainsFunc(d.Cover.Warnings, func(w string) bool {
		return strings.Contains(w, "service-huobi:77") && strings.Contains(w, "20000000000 base units")
	}) {
		t.Errorf("warnings %q", d.Cover.Warnings)
	}
}
