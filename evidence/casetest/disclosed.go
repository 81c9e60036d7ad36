package casetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/disclosed"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// customers of the exchange in a world; of the last there is no answer.
const customers = 4

// Answers are what an exchange discloses of its customers: some transfers of the
// world were deposits and withdrawals, and in between they paid each other,
// traded, and paid fees.
func (w *World) Answers() []disclosed.Answer {
	answers := make([]disclosed.Answer, customers-1)
	for i := range answers {
		answers[i] = disclosed.Answer{Return: cases.Return{
			Entity: "huobi", Account: fmt.Sprint("uid-", i), Document: fmt.Sprintf("%064x", i), From: at(0), To: at(100),
		}}
		if w.random.IntN(2) == 0 {
			answers[i].Rows = append(answers[i].Rows, cases.ReturnRow{Line: 1, Time: at(0), Kind: cases.OpeningBalance, Asset: "USDT", Amount: w.amount()})
		}
	}
	for _, s := range w.seeds {
		switch w.random.IntN(5) {
		case 0, 1:
			w.move(answers, s, cases.Deposit)
		case 2:
			w.move(answers, s, cases.Withdrawn)
		}
	}
	return answers
}

func at(block int) time.Time { return time.UnixMilli(start + int64(block)*600_000).UTC() }

func (w *World) amount() string { return fmt.Sprint(1 + w.random.Uint64N(500_000_000)) }

// move books a transfer of the world in an account, and now and then something
// besides.
func (w *World) move(answers []disclosed.Answer, s tracer.Seed, kind cases.Movement) {
	a := &answers[w.random.IntN(len(answers))]
	symbol, zeros := "USDT", "00"
	if s.Chain.UTXO() {
		symbol, zeros = "BTC", ""
	}
	row := cases.ReturnRow{
		Time: time.UnixMilli(s.Time + int64(w.random.IntN(120_000)) - 60_000).UTC(), Kind: kind, Asset: symbol, Amount: s.Amount.String() + zeros,
		Network: s.Chain, Tx: s.Tx.String(), Address: s.Address.String(),
	}
	book(a, row)
	other := cases.ReturnRow{Time: row.Time.Add(time.Duration(w.random.IntN(600)) * time.Second), Asset: symbol, Amount: w.amount()}
	switch w.random.IntN(6) {
	case 0:
		other.Kind, other.Counterparty = cases.TransferOut, fmt.Sprint("uid-", w.random.IntN(customers))
		book(a, other)
		to := slices.IndexFunc(answers, func(b disclosed.Answer) bool { return b.Account == other.Counterparty })
		if to >= 0 && other.Counterparty != a.Account && w.random.IntN(4) > 0 {
			other.Kind, other.Counterparty = cases.TransferIn, a.Account
			book(&answers[to], other)
		}
	case 1:
		other.Kind, other.GotAsset, other.GotAmount = cases.Trade, "BTC", w.amount()
		if symbol == "BTC" {
			other.GotAsset = "USDT"
		}
		book(a, other)
	case 2:
		other.Kind, other.Amount = cases.Fee, "7"
		book(a, other)
	case 3:
		other.Kind, other.Counterparty = cases.Withdrawn, "bank"
		book(a, other)
	}
}

func book(a *disclosed.Answer, r cases.ReturnRow) {
	r.Line = len(a.Rows) + 1
	a.Rows = append(a.Rows, r)
}

// Disclosed makes a random case whose money passes through an exchange that
// answered, and its dossier.
func Disclosed(t testing.TB, seed uint64) *evidence.Dossier {
	t.Helper()
	w := New(t, seed, 20, 10)
	w.tags = nil // else most of it would end at services before
	src := w.Source(t)
	base, ok := src.Index.(disclosed.Base)
	if !ok {
		t.Fatal("the world's index knows no blocks")
	}
	idx, err := disclosed.New(t.Context(), base, w.Answers())
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	src.Index = idx
	src.Info = func(a ledger.Asset) (ledger.AssetInfo, error) {
		if info, ok := idx.Info(a); ok {
			return info, nil
		}
		return ledger.InfoOf(a), nil
	}
	names := []string{"fifo", "lifo", "haircut", "dirty-first", "tiho", "libr"}
	c := w.Case(names[w.random.IntN(6)], names[w.random.IntN(6)], []string{"traced", "pro-rata"}[w.random.IntN(2)])
	c.Cover.Networks = append(c.Cover.Networks, idx.Networks()...)
	d, err := evidence.Build(t.Context(), c, w.Pick(2+w.random.IntN(6)), src)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return d
}
