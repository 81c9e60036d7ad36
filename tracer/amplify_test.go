package tracer_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// salted moves an account to another copy of the world; copy 0 is the real one.
func salted(a ledger.Address, copy int) ledger.Address {
	if a.IsZero() || a.Burn() {
		return a
	}
	raw := []byte(a.Payload)
	raw[0], raw[1] = raw[0]^byte(copy), raw[1]^byte(copy>>8)
	a.Payload = string(raw)
	return a
}

func saltedID(id ledger.TxID, copy int) ledger.TxID {
	id[0], id[1] = id[0]^byte(copy), id[1]^byte(copy>>8)
	return id
}

// amplified is the real export n times over, row beside row, each copy with
// accounts and transactions of its own.
func amplified(real *world, n int) *world {
	w := &world{chain: real.chain}
	for _, b := range real.blocks {
		block := &ledger.Block{Ref: b.Ref}
		for _, tx := range b.Txs {
			for i := range n {
				c := tx
				c.ID, c.Pos = saltedID(tx.ID, i), ledger.At(b.Ref.Height, uint32(len(block.Txs)))
				t := tx.Transfers[0]
				t.From, t.To = salted(t.From, i), salted(t.To, i)
				c.Transfers = []ledger.Transfer{t}
				block.Txs = append(block.Txs, c)
			}
		}
		w.blocks = append(w.blocks, block)
	}
	return w
}

// TestAmplifiedExport: a trace in a copy says what the trace in the real export
// says, under every rule and with the default limits: strangers, however many,
// change nothing. With SPOOR_TRIALS there are 215 copies: a million transfers.
func TestAmplifiedExport(t *testing.T) {
	copies := 5
	if n, err := strconv.Atoi(os.Getenv("SPOOR_TRIALS")); err == nil && n > 5 {
		copies = min(n, 215)
	}
	real := realExport(t)
	alone := real.index(t, memindex.Options{})
	start := time.Now()
	many := amplified(real, copies)
	crowded := many.index(t, memindex.Options{})
	built := time.Since(start)
	random := rand.New(rand.NewPCG(215, 4662))
	for range 10 {
		i, copy := random.IntN(len(real.seeds)), 1+random.IntN(copies-1)
		seed := real.seeds[i]
		there := seed
		there.Tx, there.From, there.Address = saltedID(seed.Tx, copy), salted(seed.From, copy), salted(seed.Address, copy)
		place := seed.At.Pos.Height()
		there.At.Pos = ledger.At(place, seed.At.Pos.Index()*uint32(copies)+uint32(copy))
		for _, name := range policyNames() {
			want := mustRun(t, alone, byDefault(t, name, seed))
			got := mustRun(t, crowded, byDefault(t, name, there))
			for i := range want.Terminals {
				x := &want.Terminals[i]
				x.Address, x.Tx = salted(x.Address, copy), saltedID(x.Tx, copy)
			}
			if d := differ(ends(want), ends(got)); d != "" || len(want.Hops) != len(got.Hops) || want.Events != got.Events {
				t.Fatalf("copy %d of payment %s under %s: %d hops and %d events, want %d and %d; -real +copy:\n%s", copy, seed.Tx, name, len(got.Hops), got.Events, len(want.Hops), want.Events, d)
			}
		}
	}
	t.Logf("%s transfers, in memory in %s, 70 pairs of traces in %s", fmt.Sprint(len(slices.Collect(many.txs()))), built.Round(time.Millisecond), (time.Since(start) - built).Round(time.Millisecond))
}
