// Package casetest makes random cases for tests: two networks, accounts and coins,
// and payments in them.
package casetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// World is a random past of two networks: accounts on TRON with a token, coins
// on Bitcoin.
type World struct {
	random *rand.Rand
	blocks []*ledger.Block
	tags   []ledger.Tag
	seeds  []tracer.Seed
	token  ledger.Asset
	coins  []coin // unspent
	sparse bool   // some coins are of before the world
}

type coin struct {
	point ledger.OutPoint
	pos   ledger.Position
	owner ledger.Address
	value uint64
}

// start is when the first block was made, Unix milliseconds.
const start = 1_700_000_000_000

// New makes a past of so many blocks and people. The same seed gives the same.
func New(t testing.TB, seed uint64, blocks, people int) *World {
	t.Helper()
	return made(t, seed, blocks, people, false)
}

func made(t testing.TB, seed uint64, blocks, people int, sparse bool) *World {
	t.Helper()
	usdt, ok := ledger.AssetBySymbol("tron", "USDT")
	if !ok {
		t.Fatal("no USDT on tron")
	}
	w := &World{sparse: sparse, random: rand.New(rand.NewPCG(seed, 5)), token: usdt} //nolint:gosec // the same seed has to give the same world
	for h := range blocks {
		w.accounts(uint64(h+1), people)
		w.utxo(uint64(h+1), people)
	}
	for i := range people / 4 {
		for _, c := range []ledger.Chain{"tron", "bitcoin"} {
			w.tags = append(w.tags, ledger.Tag{
				ID: uint64(len(w.tags) + 1), Address: person(c, people-1-i), Chain: c, Label: fmt.Sprint("service ", i), Source: "test",
				Category: []string{"exchange", "mixing", "scam.romance"}[i%3], Confidence: 60,
			})
		}
	}
	return w
}

func person(c ledger.Chain, i int) ledger.Address {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", c, i))
	if c.UTXO() {
		return ledger.Address{Chain: c, Kind: ledger.KindP2WPKH, Payload: string(sum[:20])}
	}
	return ledger.AccountAddress(c, [20]byte(sum[:20]))
}

func txID(parts ...any) ledger.TxID { return sha256.Sum256([]byte(fmt.Sprint(parts...))) }

func refAt(c ledger.Chain, height uint64) ledger.BlockRef {
	return ledger.BlockRef{Chain: c, Height: height, Hash: ledger.Hash(txID("block", c, height)), Time: start + int64(height)*600_000}
}

func (w *World) accounts(height uint64, people int) {
	b := &ledger.Block{Ref: refAt("tron", height), Parent: refAt("tron", height-1).Hash}
	for i := range w.random.IntN(6) {
		tx := ledger.Tx{ID: txID("tron", height, i), Chain: "tron", Pos: ledger.At(height, uint32(i)), Time: b.Ref.Time, Grade: ledger.GradeAttested}
		for j := range 1 + w.random.IntN(2) {
			m := ledger.Transfer{
				Index: uint32(j), Slot: uint32(j), From: person("tron", w.random.IntN(people)), To: person("tron", w.random.IntN(people)),
				Asset: w.token, Amount: ledger.NewAmount(1 + w.random.Uint64N(5_000_000)), Grade: ledger.GradeAttested,
			}
			if w.random.IntN(8) == 0 || height < 3 {
				m.From = ledger.Address{} // a mint
			}
			tx.Transfers = append(tx.Transfers, m)
			if m.From != m.To && !m.From.IsZero() {
				w.seeds = append(w.seeds, tracer.Seed{
					Ref: "payment", Chain: "tron", Tx: tx.ID, Index: m.Index, At: ledger.Point{Pos: tx.Pos, Slot: m.Slot}, From: m.From, Address: m.To,
					Asset: m.Asset, Amount: m.Amount, Time: tx.Time,
				})
			}
		}
		b.Txs = append(b.Txs, tx)
	}
	w.blocks = append(w.blocks, b)
}

func (w *World) utxo(height uint64, people int) {
	b := &ledger.Block{Ref: refAt("bitcoin", height), Parent: refAt("bitcoin", height-1).Hash}
	spends := w.random.IntN(4)
	for i := range spends {
		if len(w.coins) > 0 {
			b.Txs = append(b.Txs, w.spend(height, uint32(i), people))
		}
	}
	base := ledger.Tx{ID: txID("coinbase", height), Chain: "bitcoin", Pos: ledger.At(height, uint32(len(b.Txs))), Time: b.Ref.Time, Coinbase: true, Grade: ledger.GradeAttested}
	base.Outputs = []ledger.Output{{Address: person("bitcoin", w.random.IntN(people)), Value: ledger.NewAmount(5_000_000)}}
	w.keep(base)
	b.Txs = append(b.Txs, base)
	w.blocks = append(w.blocks, b)
}

func (w *World) spend(height uint64, index uint32, people int) ledger.Tx {
	tx := ledger.Tx{ID: txID("bitcoin", height, index), Chain: "bitcoin", Pos: ledger.At(height, index), Time: refAt("bitcoin", height).Time, Grade: ledger.GradeAttested}
	var total uint64
	if w.sparse && w.random.IntN(6) == 0 { // a coin of before the world, of which nothing is known
		tx.Inputs = append(tx.Inputs, ledger.Input{Prev: ledger.OutPoint{Tx: txID("before", height, index)}})
		total += w.random.Uint64N(1_000_000)
	}
	for range 1 + w.random.IntN(3) {
		if len(w.coins) == 0 {
			break
		}
		at := w.random.IntN(len(w.coins))
		c := w.coins[at]
		w.coins = append(w.coins[:at], w.coins[at+1:]...)
		tx.Inputs = append(tx.Inputs, ledger.Input{Prev: c.point, PrevPos: c.pos, Address: c.owner, Value: ledger.NewAmount(c.value), Known: true})
		total += c.value
	}
	for range 1 + w.random.IntN(3) {
		part := 1 + w.random.Uint64N(max(total, 1))
		if part > total {
			continue
		}
		total -= part
		tx.Outputs = append(tx.Outputs, ledger.Output{Address: person("bitcoin", w.random.IntN(people)), Value: ledger.NewAmount(part)})
	}
	w.keep(tx)
	return tx
}

// keep lists the outputs of a transaction as coins and, of one that is no
// coinbase, as payments.
func (w *World) keep(tx ledger.Tx) {
	for i, o := range tx.Outputs {
		n, _ := o.Value.Uint64()
		w.coins = append(w.coins, coin{ledger.OutPoint{Tx: tx.ID, Index: uint32(i)}, tx.Pos, o.Address, n})
		if tx.Coinbase {
			continue
		}
		w.seeds = append(w.seeds, tracer.Seed{
			Ref: "payment", Chain: "bitcoin", Tx: tx.ID, Index: uint32(i), At: ledger.Point{Pos: tx.Pos}, Output: true, From: tx.Inputs[0].Address,
			Address: o.Address, Asset: ledger.NativeAsset("bitcoin"), Amount: o.Value, Time: tx.Time,
		})
	}
}

// withBlocks is an index that knows its blocks.
type withBlocks struct{ *memindex.Index }

// Index answers questions about the world.
func (w *World) Index(t testing.TB) tracer.Index {
	t.Helper()
	idx, err := memindex.New(w.blocks, memindex.Options{Tags: w.tags})
	if err != nil {
		t.Fatal(err)
	}
	return withBlocks{idx}
}

// Pick takes payments of early blocks, one of them twice and one in part.
func (w *World) Pick(n int) []evidence.Traced {
	var all []evidence.Traced
	for i := range n {
		s := w.seeds[w.random.IntN(1+len(w.seeds)/2)]
		if i == 1 {
			s = all[0].Seed
		}
		if small, _ := s.Amount.Uint64(); i == 2 && small > 1 {
			s.Amount = ledger.NewAmount(small / 2)
		}
		all = append(all, evidence.Traced{Payment: fmt.Sprint("P-", i+1), Victim: fmt.Sprint("V-", 1+i/2), Status: "confirmed", Seed: s})
	}
	return all
}

// Case is a case under two rules.
func (w *World) Case(utxo, account, allocation string) evidence.Case {
	return evidence.Case{
		Cover: evidence.Cover{
			Case: "case-00000001", Number: "1/26", Title: "t", Authority: "a", Author: "b", Demonstration: "made at random", Redaction: evidence.ForCourt,
			Software: "test", Networks: []evidence.Network{{Network: "bitcoin", Model: "utxo", Coverage: "COMPLETE"}, {Network: "tron", Model: "account", Coverage: "COMPLETE"}},
		},
		UTXO: evidence.Policy{Name: utxo, Reason: "r"}, Account: evidence.Policy{Name: account, Reason: "r"}, Allocation: allocation,
		Personal: []evidence.Personal{evidence.Commit("V-1", "name", "Maria", [32]byte{1}), evidence.Commit("P-1", "report_ref", "R/7", [32]byte{2})},
	}
}

// Source is what a dossier is built from.
func (w *World) Source(t testing.TB) evidence.Source {
	t.Helper()
	return evidence.Source{
		Index: w.Index(t),
		Info:  func(a ledger.Asset) (ledger.AssetInfo, error) { return ledger.InfoOf(a), nil },
	}
}

// BlockRef implements evidence.Blocks.
func (x withBlocks) BlockRef(ctx context.Context, c ledger.Chain, height uint64) (ledger.BlockRef, error) {
	head, err := x.AsOf(ctx, c)
	if err != nil || height > head.Height {
		return ledger.BlockRef{}, ledger.ErrNotFound
	}
	return refAt(c, height), nil
}

// Build makes a random case and its dossier.
func Build(t testing.TB, seed uint64) *evidence.Dossier {
	t.Helper()
	return dossier(t, New(t, seed, 20, 10), seed)
}

// Sparse is Build where some inputs spend coins of which nothing is known.
func Sparse(t testing.TB, seed uint64) *evidence.Dossier {
	t.Helper()
	return dossier(t, made(t, seed, 20, 10, true), seed)
}

func dossier(t testing.TB, w *World, seed uint64) *evidence.Dossier {
	t.Helper()
	names := []string{"fifo", "lifo", "haircut", "dirty-first", "tiho", "libr"}
	c := w.Case(names[w.random.IntN(6)], names[w.random.IntN(6)], []string{"traced", "pro-rata"}[w.random.IntN(2)])
	d, err := evidence.Build(t.Context(), c, w.Pick(2+w.random.IntN(6)), w.Source(t))
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return d
}

// Hostile is a dossier whose every free text tries something.
func Hostile(t testing.TB, seed uint64) *evidence.Dossier {
	t.Helper()
	d := Build(t, seed)
	texts := HostileTexts()
	d.Cover.Title, d.Cover.Authority, d.Cover.Number, d.Cover.Author = texts[0], texts[1], texts[2], texts[3]
	d.Cover.Demonstration, d.Method.UTXO.Reason, d.Method.Account.Reason = texts[4], texts[5], texts[6]
	d.Cover.Warnings = append(d.Cover.Warnings, texts...)
	for i, text := range texts {
		d.Personal = append(d.Personal, evidence.Commit(fmt.Sprint("V-", i+2), "name", text, [32]byte{byte(i)}))
		d.Entities = append(d.Entities, evidence.Entity{
			ID: fmt.Sprint("E-", 100+i), Name: text, Category: text, Addresses: []string{"tron:" + text},
			Evidence:     []evidence.Attribution{{Address: "tron:" + text, Label: text, Source: text, Pack: text}},
			Alternatives: []evidence.Attribution{{Address: "tron:" + text, Label: text, Source: text}},
		})
	}
	if len(d.Cover.Assets) > 0 {
		d.Cover.Assets[0].Symbol = texts[0]
	}
	return d
}

// HostileTexts are formulas, markup, bidirectional controls, path parts, control
// characters, very long texts, and the scripts of the region.
func HostileTexts() []string {
	return []string{
		"=cmd|' /C calc'!A0", "<script>alert(1)</script>", "\u202Egnp.exe\u202C", "../../../etc/passwd", "+1+1", "\"><img src=x onerror=alert(1)>", "@SUM(A1)\t\r\n\x00\x1b[31m",
		strings.Repeat("A", 10_000), "&amp;lt;b&gt;]]>", "ผู้เสียหาย สมชาย", "ជនរងគ្រោះ", "受害者", "الضحية", "{{.Secret}} ${jndi:ldap://x}", "javascript:alert(1)", "-2+3",
	}
}
