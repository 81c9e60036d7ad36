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

// crowd is a past in which money reaches an account that pays so many others that it is taken for a service while it still has some, a chain
// of accounts that is longer than a trace goes, and people whom both pay again.
func crowd(t *testing.T, seed uint64) *evidence.Dossier {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 41))
	usdt, ok := ledger.AssetBySymbol("tron", "USDT")
	if !ok {
		t.Fatal("no USDT on tron")
	}
	var blocks []*ledger.Block
	var payments []evidence.Traced
	has := map[string]uint64{}
	pay := func(from, to string, amount uint64) ledger.Transfer {
		h := uint64(len(blocks) + 1)
		b := &ledger.Block{Ref: ledger.BlockRef{Chain: "tron", Height: h, Hash: sha256.Sum256(fmt.Append(nil, "block", h)), Time: 1_700_000_000_000 + int64(h)*3000}}
		m := ledger.Transfer{From: somebody("tron", from), To: somebody("tron", to), Asset: usdt, Amount: ledger.NewAmount(amount), Grade: ledger.GradeAttested}
		b.Txs = []ledger.Tx{{ID: sha256.Sum256(fmt.Append(nil, "tx", h)), Chain: "tron", Pos: ledger.At(h, 0), Time: b.Ref.Time, Grade: ledger.GradeAttested, Transfers: []ledger.Transfer{m}}}
		blocks = append(blocks, b)
		has[from] -= min(amount, has[from])
		has[to] += amount
		return m
	}
	for i := range 3 {
		m := pay("victim", []string{"hub", "chain 0", "hub"}[i], 1_000_000_000_000+random.Uint64N(1e9))
		tx := blocks[len(blocks)-1].Txs[0]
		payments = append(payments, evidence.Traced{Payment: fmt.Sprint("P-", i+1), Victim: fmt.Sprint("V-", i+1), Status: "confirmed", Seed: tracer.Seed{
			Ref: "payment", Chain: "tron", Tx: tx.ID, At: ledger.Point{Pos: tx.Pos}, From: m.From, Address: m.To, Asset: usdt, Amount: m.Amount, Time: tx.Time,
		}})
	}
	link := 0
	for i := range tracer.DefaultServicePayees + 40 {
		if random.IntN(3) == 0 {
			pay("stranger", "hub", 1+random.Uint64N(1e9))
		}
		pay("hub", fmt.Sprint("payee ", i), 1_000_000+random.Uint64N(1e9))
		if random.IntN(4) == 0 {
			pay(fmt.Sprint("payee ", i), "hub", 1+random.Uint64N(has[fmt.Sprint("payee ", i)]))
		}
		if link < tracer.DefaultHops+5 {
			from := fmt.Sprint("chain ", link)
			link++
			pay(from, fmt.Sprint("chain ", link), has[from]-random.Uint64N(1000))
		}
		if random.IntN(6) == 0 {
			who := fmt.Sprint("chain ", random.IntN(link+1))
			if has[who] > 0 {
				pay(who, "hub", 1+random.Uint64N(has[who]))
			}
		}
	}
	idx, err := memindex.New(blocks, memindex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rules := []string{"fifo", "lifo", "haircut", "dirty-first", "tiho", "libr"}
	d, err := evidence.Build(t.Context(), evidence.Case{
		Cover: evidence.Cover{Case: "case", Redaction: evidence.ForCourt, Networks: []evidence.Network{{Network: "tron", Model: "account"}}},
		UTXO:  evidence.Policy{Name: rules[random.IntN(6)]}, Account: evidence.Policy{Name: rules[random.IntN(6)]}, Allocation: "pro-rata",
	}, payments, evidence.Source{Index: idx, Info: func(a ledger.Asset) (ledger.AssetInfo, error) { return ledger.InfoOf(a), nil }})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestAgreeOnLimits: both programs come to the same figures where an account is closed with what it holds, and where a trace goes no further.
func TestAgreeOnLimits(t *testing.T) {
	closed, deep := 0, 0
	for range trials(t, 2) {
		seed := rand.Uint64()
		d := crowd(t, seed)
		files := filesOf(t, d)
		if found, _ := replay.Check(files); len(found) > 0 || !other(t, files) {
			t.Fatalf("seed %d: here %v; there it holds: %v", seed, found, other(t, files))
		}
		for _, r := range d.Results {
			for _, one := range r.Terminals {
				if one.ClosedAt != nil {
					closed++
				}
				if one.Reason == "PENDING" {
					deep++
				}
			}
		}
	}
	if closed == 0 || deep == 0 {
		t.Errorf("%d accounts were closed, %d traces cut", closed, deep)
	}
	t.Logf("%d accounts closed, %d traces cut", closed, deep)
}
