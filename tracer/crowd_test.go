package tracer_test

import (
	"context"
	"encoding/binary"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// crowd is an index that holds nothing: n strangers pay one hub, or the hub
// pays n strangers, one transfer a block with the amounts of the real export
// over and over, and in block n+1 the hub pays all it has to one exit. It
// answers as a real index would, and counts what was read.
type crowd struct {
	n       uint64
	pays    bool // the hub pays the strangers
	stock   ledger.Amount
	amounts []uint64
	prefix  []uint64 // sums of amounts
	asset   ledger.Asset
	hub     ledger.Address
	exit    ledger.Address
	reads   int
	peak    uint64 // bytes of heap, seen while reading
}

// newCrowd takes the amounts from the real export; what is below dust there
// counts neither here nor there, so that it is lifted to one whole coin.
func newCrowd(t *testing.T, n uint64, pays bool) *crowd {
	t.Helper()
	c := &crowd{n: n, pays: pays, hub: named("tron", "hub"), exit: named("tron", "exit"), prefix: []uint64{0}}
	for _, s := range realExport(t).seeds {
		a, _ := s.Amount.Uint64()
		a = max(a, 1_000_000)
		c.amounts, c.prefix, c.asset = append(c.amounts, a), append(c.prefix, c.prefix[len(c.prefix)-1]+a), s.Asset
	}
	if pays {
		c.stock = c.paidBefore(n + 1)
	}
	return c
}

func (c *crowd) amount(i uint64) ledger.Amount {
	return ledger.NewAmount(c.amounts[(i-1)%uint64(len(c.amounts))])
}

// paidBefore sums the payments of blocks 1 to i-1.
func (c *crowd) paidBefore(i uint64) ledger.Amount {
	i = min(i, c.n+1)
	rounds, rest := (i-1)/uint64(len(c.amounts)), (i-1)%uint64(len(c.amounts))
	return ledger.NewAmount(rounds*c.prefix[len(c.amounts)] + c.prefix[rest])
}

func (c *crowd) stranger(i uint64) ledger.Address {
	var raw [20]byte
	binary.BigEndian.PutUint64(raw[:], i)
	raw[19] = 1
	return ledger.AccountAddress("tron", raw)
}

func (c *crowd) transfer(i uint64) ledger.Event {
	e := ledger.Event{At: ledger.Point{Pos: ledger.At(i, 0)}, From: c.stranger(i), To: c.hub, Amount: c.amount(min(i, c.n))}
	switch {
	case i == c.n+1 && c.pays:
		e.From, e.To, e.Amount = c.hub, c.exit, ledger.NewAmount(1)
	case i == c.n+1:
		e.From, e.To, e.Amount = c.hub, c.exit, c.paidBefore(i)
	case c.pays:
		e.From, e.To = c.hub, c.stranger(i)
	}
	return e
}

func (c *crowd) seed(i uint64) tracer.Seed {
	e := c.transfer(i)
	return tracer.Seed{Chain: "tron", At: e.At, From: e.From, Address: e.To, Asset: c.asset, Amount: e.Amount}
}

func (c *crowd) AsOf(context.Context, ledger.Chain) (ledger.BlockRef, error) {
	return ledger.BlockRef{Chain: "tron", Height: c.n + 1}, nil
}

func (c *crowd) FindTx(context.Context, ledger.Chain, ledger.TxID) ([]ledger.Tx, error) {
	return nil, ledger.ErrNotFound
}

func (c *crowd) TxAt(_ context.Context, chain ledger.Chain, pos ledger.Position) (ledger.Tx, error) {
	e := c.transfer(pos.Height())
	return ledger.Tx{Chain: chain, Pos: pos, Transfers: []ledger.Transfer{{From: e.From, To: e.To, Asset: c.asset, Amount: e.Amount}}}, nil
}

func (c *crowd) BlockTxs(context.Context, ledger.Chain, uint64) iter.Seq2[ledger.Tx, error] {
	return func(func(ledger.Tx, error) bool) {}
}

func (c *crowd) Events(_ context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error] {
	return func(yield func(ledger.Event, error) bool) {
		for i := after.Pos.Height() + 1; h.Address == c.hub && i <= c.n+1; i++ {
			if c.reads++; c.reads%50_000 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				c.peak = max(c.peak, m.HeapAlloc)
			}
			if !yield(c.transfer(i), nil) {
				return
			}
		}
	}
}

func (c *crowd) Balance(_ context.Context, h ledger.Holder, before ledger.Point) (ledger.Balance, error) {
	switch {
	case h.Address != c.hub:
		return ledger.Balance{}, nil
	case c.pays:
		return ledger.Balance{Amount: c.stock.Minus(c.paidBefore(before.Pos.Height())).Plus(ledger.NewAmount(1))}, nil
	}
	return ledger.Balance{Amount: c.paidBefore(before.Pos.Height())}, nil
}

func (c *crowd) PayeeAt(_ context.Context, h ledger.Holder, n int) (ledger.Point, bool, error) {
	if !c.pays || h.Address != c.hub || uint64(n) > c.n {
		return ledger.Point{}, false, nil
	}
	return ledger.Point{Pos: ledger.At(uint64(n), 0)}, true, nil
}

func (c *crowd) Chains() []ledger.Chain { return []ledger.Chain{"tron"} }

func (c *crowd) Clock(_ context.Context, _ ledger.Chain, height uint64) (int64, error) {
	return int64(height), nil
}

func (c *crowd) Notices(context.Context, ledger.Address, ledger.Point) iter.Seq2[ledger.Noted, error] {
	return func(func(ledger.Noted, error) bool) {}
}

func (c *crowd) Covered(context.Context, ledger.Holder, ledger.Position) (bool, error) {
	return true, nil
}

func (c *crowd) Tags(context.Context, ledger.Address) ([]ledger.Tag, error) { return nil, nil }

const million = 1_000_000

func byDefault(t *testing.T, policy string, seeds ...tracer.Seed) tracer.Request {
	t.Helper()
	return tracer.Request{
		Seeds: seeds, Policy: policyOf(t, policy), ServicePayees: tracer.DefaultServicePayees,
		AccountEvents: tracer.DefaultAccountEvents, Hops: tracer.DefaultHops, Events: tracer.DefaultEvents,
	}
}

// TestMillionSenders traces through a collector: what came before the victim is
// never read, what comes after is read once, and memory does not grow with it.
func TestMillionSenders(t *testing.T) {
	c := newCrowd(t, million, false)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, v := range []struct {
		victim    uint64
		unlimited bool
		reason    tracer.Reason
		most      int // events read
	}{
		{million - 100, false, tracer.Unspent, 1_000},
		{10, false, tracer.Pending, 3 * tracer.DefaultAccountEvents / 2},
		{10, true, tracer.Unspent, million + 1000},
	} {
		for _, policy := range []string{"dirty-first", "fifo"} {
			req := byDefault(t, policy, c.seed(v.victim))
			if v.unlimited {
				req.AccountEvents = 0
			}
			c.reads, c.peak = 0, 0
			start := time.Now()
			tr := mustRun(t, c, req)
			if len(tr.Terminals) != 1 || tr.Terminals[0].Reason != v.reason || tr.Terminals[0].Dirty != req.Seeds[0].Amount || c.reads > v.most {
				t.Errorf("victim %d under %s: %d events read, terminals %+v; want all as %s and at most %d read", v.victim, policy, c.reads, tr.Terminals, v.reason, v.most)
			}
			if v.reason == tracer.Unspent && tr.Terminals[0].Address != c.exit {
				t.Errorf("victim %d under %s: rests at %s, want the exit", v.victim, policy, tr.Terminals[0].Address)
			}
			grown := int64(c.peak) - int64(before.HeapAlloc)
			if grown > 64<<20 {
				t.Errorf("victim %d under %s: heap grew by %d MiB", v.victim, policy, grown>>20)
			}
			t.Logf("victim %d of a million under %s: %s, %d events read in %s, heap +%d KiB at most", v.victim, policy, v.reason, c.reads, time.Since(start).Round(time.Millisecond), max(0, grown)>>10)
		}
	}
}

// TestMillionVictims marks every thousandth of a million payments: under fifo
// the collector holds 2,000 runs of units, and replay is still linear.
func TestMillionVictims(t *testing.T) {
	c := newCrowd(t, million, false)
	var seeds []tracer.Seed
	for i := uint64(500); i <= million; i += 1000 {
		seeds = append(seeds, c.seed(i))
	}
	req := byDefault(t, "fifo", seeds...)
	req.AccountEvents = 0
	start := time.Now()
	tr := mustRun(t, c, req)
	var want ledger.Amount
	for _, s := range seeds {
		want = want.Plus(s.Amount)
	}
	if len(tr.Terminals) != 1 || tr.Terminals[0].Dirty != want || len(tr.Terminals[0].Shares) != len(seeds) {
		t.Errorf("%d terminals, want one of %s with %d shares", len(tr.Terminals), want, len(seeds))
	}
	t.Logf("%d victims among a million payments in %s", len(seeds), time.Since(start).Round(time.Millisecond))
}

// TestMillionPayees: who pays a million is a service from the 1,001st payee on,
// and nobody reads on.
func TestMillionPayees(t *testing.T) {
	c := newCrowd(t, million, true)
	for _, at := range []uint64{998, 1000, 1001, 900_000} { // the victim's block
		late := &paidIn{crowd: c, at: at}
		req := byDefault(t, "libr", tracer.Seed{
			Chain: "tron", At: late.point(), From: named("tron", "victim"), Address: c.hub, Asset: c.asset, Amount: ledger.NewAmount(5_000_000),
		})
		c.reads = 0
		tr := mustRun(t, late, req)
		last := tr.Terminals[0]
		if last.Reason != tracer.SuspectedService || last.Dirty.String() != "5000000" || c.reads > 100 || last.Address != c.hub || len(tr.Hops) != 1 {
			t.Errorf("victim in block %d: %d events read, %d hops, terminals %+v", at, c.reads, len(tr.Hops), tr.Terminals)
		}
	}
}

// paidIn is a crowd into which a victim pays in the second slot of a block.
type paidIn struct {
	*crowd
	at uint64
}

func (p *paidIn) point() ledger.Point { return ledger.Point{Pos: ledger.At(p.at, 0), Slot: 1} }

func (p *paidIn) TxAt(ctx context.Context, chain ledger.Chain, pos ledger.Position) (ledger.Tx, error) {
	tx, err := p.crowd.TxAt(ctx, chain, pos)
	if pos.Height() == p.at {
		tx.Transfers = append(tx.Transfers, ledger.Transfer{Index: 1, Slot: 1, From: named("tron", "victim"), To: p.hub, Asset: p.asset, Amount: ledger.NewAmount(5_000_000)})
	}
	return tx, err
}
