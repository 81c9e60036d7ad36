package risk

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

// busy is a world in which one address has a million more transfers, made up as they
// are read, and which counts what is read.
type busy struct {
	world
	at      ledger.Holder
	amount  ledger.Amount
	receipt bool // it is paid; else it pays
	events  *int
	txs     *int
}

const many = 1_000_000

func (w busy) event(i int) ledger.Event {
	stranger := addr("tron", fmt.Sprint("stranger", i%1000))
	e := ledger.Event{At: ledger.Point{Pos: ledger.At(1_000, uint32(i%(1<<20)))}, Kind: ledger.TransferToken, From: stranger, To: w.at.Address, Amount: w.amount}
	if !w.receipt {
		e.From, e.To = e.To, e.From
	}
	return e
}

// Events implements Index.
func (w busy) Events(ctx context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error] {
	return func(yield func(ledger.Event, error) bool) {
		for e, err := range w.world.Events(ctx, h, after) {
			if *w.events++; !yield(e, err) {
				return
			}
		}
		for i := 0; h == w.at && i < many; i++ {
			if e := w.event(i); after.Before(e.At) {
				if *w.events++; !yield(e, nil) {
					return
				}
			}
		}
	}
}

// EventsBefore implements Index.
func (w busy) EventsBefore(ctx context.Context, h ledger.Holder, before ledger.Point) iter.Seq2[ledger.Event, error] {
	return func(yield func(ledger.Event, error) bool) {
		for i := many - 1; h == w.at && i >= 0; i-- {
			if e := w.event(i); e.At.Before(before) {
				if *w.events++; !yield(e, nil) {
					return
				}
			}
		}
		for e, err := range w.world.EventsBefore(ctx, h, before) {
			if *w.events++; !yield(e, err) {
				return
			}
		}
	}
}

// TxAt implements Index.
func (w busy) TxAt(ctx context.Context, c ledger.Chain, pos ledger.Position) (ledger.Tx, error) {
	*w.txs++
	if pos.Height() != 1_000 {
		return w.world.TxAt(ctx, c, pos)
	}
	e := w.event(int(pos.Index()))
	return ledger.Tx{Chain: c, Pos: pos, Time: 60_000_000, Transfers: []ledger.Transfer{{From: e.From, To: e.To, Asset: w.at.Asset, Amount: e.Amount}}}, nil
}

// An address with a million transfers, and one that such an address paid or was paid
// by, cost what the bounds allow, and the answer says that it is not whole.
func TestMillionTransfers(t *testing.T) {
	for _, test := range []struct {
		name    string
		of      string // who has them
		last    string // after them
		receipt bool
		amount  uint64
		events  int // read at most
		txs     int
	}{
		// What is read is bounded for each direction; each transfer that counts is looked
		// up once, for what it crosses.
		{"its own", "a", "binance a USDT 5", true, dollar, 20_010, 20_010},
		{"its own, of dust", "a", "binance a USDT 5", true, 1, maxScanned + 10, 20},
		{"of who paid it", "m", "m a USDT 5", true, dollar, 4_030, 2_030},
		{"of who paid it, of dust", "m", "m a USDT 5", true, 1, maxScanned + 10, 20},
		{"of whom it paid", "m", "", false, dollar, 2_030, 2_030},
		{"of whom it paid, of dust", "m", "", false, 1, maxScanned + 10, 20},
	} {
		s := tale{chain: "tron", lines: []string{"- a USDT 9, - m USDT 9, - binance USDT 9", "a m USDT 5", "- m USDT 2000000"}}
		for len(s.lines) < 2_000 {
			s.lines = append(s.lines, "")
		}
		s.lines = append(s.lines, test.last)
		var events, txs int
		w := busy{tell(t, labels(), s), ledger.Holder{Address: addr("tron", test.of), Asset: usdt}, ledger.NewAmount(test.amount), test.receipt, &events, &txs}
		a, err := Address(t.Context(), w, defaults(t), addr("tron", "a"), Options{})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if events > test.events || txs > test.txs {
			t.Errorf("%s: %d events read, %d allowed; %d transactions, %d allowed", test.name, events, test.events, txs, test.txs)
		}
		if !strings.Contains(strings.Join(a.Limits, "; "), "transfers") {
			t.Errorf("%s: limits %q", test.name, a.Limits)
		}
	}
}

// asked counts transactions that are read and addresses whose cluster is asked for.
type asked struct {
	world
	txs, clusters *int
}

// TxAt implements Index.
func (w asked) TxAt(ctx context.Context, c ledger.Chain, pos ledger.Position) (ledger.Tx, error) {
	*w.txs++
	return w.world.TxAt(ctx, c, pos)
}

// Cluster implements Index.
func (w asked) Cluster(ctx context.Context, a ledger.Address) (ledger.Cluster, error) {
	*w.clusters++
	return w.world.Cluster(ctx, a)
}

// Dust in coins is not looked up, and of a payment to thousands only what concerns the
// screened address is asked.
func TestCrowdedPayments(t *testing.T) {
	crowd := ""
	for i := range 2_000 {
		crowd += fmt.Sprint(" x", i, ":2000")
	}
	members := "a"
	for i := range 1_100 {
		members += fmt.Sprint(" m", i)
	}
	for _, test := range []struct {
		name, text    string
		txs, clusters int
	}{
		{"paid with a crowd", "s: -> shop:9000000\np: s.0 -> a:100000" + crowd, 5, 10},
		{"dust", "s: -> a:100000\n" + strings.Repeat("d: -> a:999\n", 50), 5, 10},
	} {
		var txs, clusters int
		w := asked{coins(t, test.text, map[string]string{"shop": "exchange"}, members), &txs, &clusters}
		if _, err := Address(t.Context(), w, defaults(t), addr("bitcoin", "a"), Options{}); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if txs > test.txs || clusters > test.clusters {
			t.Errorf("%s: %d transactions read, %d allowed; %d clusters asked for, %d allowed", test.name, txs, test.txs, clusters, test.clusters)
		}
	}
}
