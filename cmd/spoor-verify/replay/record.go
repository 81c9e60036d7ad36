package replay

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strconv"
)

const checkNameRecord = "record"

// holder is an account and an asset. The asset names the network.
type holder struct{ address, asset string }

// spot is a place in a network.
type spot struct {
	network string
	place   place
}

type txKey struct {
	network string
	height  uint64
	txIndex uint32
}

type clockKey struct {
	network string
	height  uint64
}

// event is a transfer as histories list it.
type event struct {
	at             place
	kind, from, to string
	units          *big.Int
}

func (e event) equal(o event) bool {
	return e.at == o.at && e.kind == o.kind && e.from == o.from && e.to == o.to && e.units.Cmp(o.units) == 0
}

func (e event) String() string {
	return fmt.Sprintf("%s: %s of %s, %s to %s", e.at, e.kind, e.units, orDash(e.from), orDash(e.to))
}

// past is a history with the balance before each event, and after the last.
type past struct {
	from, to place
	complete bool
	events   []event
	before   []*big.Int
}

// spans says that the history lists what happened at a place.
func (h *past) spans(at place) bool {
	return h.from.compare(at) <= 0 && (h.complete || at.compare(h.to) <= 0)
}

// next is the number of the first event at a place or after it.
func (h *past) next(at place) int {
	n, _ := slices.BinarySearchFunc(h.events, at, func(e event, p place) int { return e.at.compare(p) })
	return n
}

// book is the record, by what is asked of it.
type book struct {
	txs       map[txKey]*transaction
	pasts     map[holder]*past
	balances  map[holder]*big.Int
	clocks    map[clockKey]int64
	crossings map[spotAsset]*passage
	found     []Finding
}

// spotAsset is a transfer: at one place, one asset moves.
type spotAsset struct {
	spot
	asset string
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.Height, q.Height), cmp.Compare(p.TxIndex, q.TxIndex), cmp.Compare(p.Slot, q.Slot))
}

func (p place) String() string { return fmt.Sprintf("%d:%d:%d", p.Height, p.TxIndex, p.Slot) }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (t *transaction) transfer(slot uint32) *transfer {
	i := slices.IndexFunc(t.Transfers, func(m transfer) bool { return m.Slot == slot })
	if i < 0 {
		return nil
	}
	return &t.Transfers[i]
}

func (b *book) say(subject, want, got string) {
	b.found = append(b.found, Finding{checkNameRecord, subject, want, got})
}

func (b *book) txAt(network string, at place) *transaction {
	return b.txs[txKey{network, at.Height, at.TxIndex}]
}

// newBook reads the record and holds its parts against each other.
func newBook(d *dossier) *book {
	b := &book{
		txs: map[txKey]*transaction{}, pasts: map[holder]*past{}, balances: map[holder]*big.Int{}, clocks: map[clockKey]int64{},
		crossings: map[spotAsset]*passage{},
	}
	b.readTransactions(d.record.Transactions)
	b.readClocks(d.record.Clocks)
	b.readHistories(d.record.Histories)
	b.readBalances(d.record.Balances)
	b.readCrossings(d.record.Crossings)
	for i := range d.record.Histories {
		b.checkAgreement(d.record.Histories[i])
	}
	for i := range d.record.Transactions {
		b.checkCoins(&d.record.Transactions[i])
	}
	return b
}

func (b *book) readTransactions(all []transaction) {
	for i := range all {
		t := &all[i]
		name := fmt.Sprintf("transaction %s of %s", t.Tx, t.Network)
		if familyOf(t.Network) == "" {
			b.say(name, "a network that is known", t.Network)
		}
		key := txKey{t.Network, t.Height, t.TxIndex}
		if other := b.txs[key]; other != nil {
			b.say(name, "a place of its own", fmt.Sprintf("%d:%d, where %s stands", t.Height, t.TxIndex, other.Tx))
		}
		b.txs[key] = t
		slots := map[uint32]bool{}
		for _, m := range t.Transfers {
			if slots[m.Slot] || !onNetwork(t.Network, m.Asset) {
				b.say(name, "transfers with slots of their own, of the network's assets", fmt.Sprintf("slot %d, %s", m.Slot, m.Asset))
			}
			slots[m.Slot] = true
		}
	}
}

func (b *book) readClocks(all []clock) {
	last := map[string]clock{}
	for _, c := range all {
		if before, ok := last[c.Network]; ok && (c.Height <= before.Height || c.Time < before.Time) {
			b.say(fmt.Sprintf("clock of %s at %d", c.Network, c.Height), "later than those of lower heights", strconv.FormatInt(c.Time, 10))
		}
		last[c.Network] = c
		b.clocks[clockKey{c.Network, c.Height}] = c.Time
	}
}

func (b *book) readHistories(all []history) {
	for i := range all {
		y := &all[i]
		h := holder{y.Address, y.Asset}
		name := "history of " + y.Address + " in " + y.Asset
		if b.pasts[h] != nil || !onNetwork(y.Network, y.Asset) {
			b.say(name, "one history, of the network's asset", "another, or of "+y.Network)
			continue
		}
		b.pasts[h] = b.readHistory(name, y)
	}
}

// readHistory adds up a history. What goes below zero is counted as zero from there.
func (b *book) readHistory(name string, y *history) *past {
	one := &past{from: y.From, to: y.To, complete: y.Complete}
	has := y.Opening.units()
	for i, f := range y.Events {
		e := event{f.Place, f.Kind, f.From, f.To, f.Amount.units()}
		if !one.spans(e.at) || i > 0 && one.events[i-1].at.compare(e.at) >= 0 {
			b.say(name, "events in order, within its span", "that at "+e.at.String())
		}
		if e.from != y.Address && e.to != y.Address {
			b.say(name, "events of the account", e.String())
		}
		one.events, one.before = append(one.events, e), append(one.before, has)
		switch {
		case e.from == e.to:
		case e.to == y.Address:
			has = plus(has, e.units)
		case has.Cmp(e.units) < 0:
			b.say(name, fmt.Sprintf("at %s at least %s to pay", e.at, e.units), has.String())
			has = new(big.Int)
		default:
			has = minus(has, e.units)
		}
	}
	one.before = append(one.before, has)
	return one
}

func (b *book) readBalances(all []balance) {
	for _, one := range all {
		h := holder{one.Address, one.Asset}
		if b.balances[h] != nil || !onNetwork(one.Network, one.Asset) {
			b.say("balance of "+one.Address, "one of each asset of the network", one.Asset+" of "+one.Network)
		}
		b.balances[h] = one.Amount.units()
	}
	for h, y := range b.pasts {
		if last := y.before[len(y.events)]; y.complete && (b.balances[h] == nil || b.balances[h].Cmp(last) != 0) {
			b.say("balance of "+h.address, fmt.Sprintf("%s of %s, at which its history ends", last, h.asset), fmt.Sprint(b.balances[h]))
		}
	}
}

// checkAgreement holds each event of a history against the other party's and against its transaction.
func (b *book) checkAgreement(y history) {
	name := "history of " + y.Address + " in " + y.Asset
	own := b.pasts[holder{y.Address, y.Asset}]
	if own == nil || len(own.events) != len(y.Events) {
		return // said
	}
	for _, e := range own.events {
		other := e.from
		if other == y.Address {
			other = e.to
		}
		if theirs := b.pasts[holder{other, y.Asset}]; other != y.Address && theirs != nil && theirs.spans(e.at) {
			if n := theirs.next(e.at); n >= len(theirs.events) || !theirs.events[n].equal(e) {
				b.say(name, "what the history of "+other+" has at "+e.at.String(), e.String())
			}
		}
		t := b.txAt(y.Network, e.at)
		if t == nil {
			continue
		}
		if m := t.transfer(e.at.Slot); m == nil || m.Asset != y.Asset || !m.event(e.at).equal(e) {
			b.say(name, "what "+t.Tx+" has at "+e.at.String(), e.String())
		}
	}
}

func (m *transfer) event(at place) event {
	return event{at, m.Kind, m.From, m.To, m.Amount.units()}
}

// checkCoins holds a transaction's inputs against the outputs that they spend, and its outputs against the inputs that spend them.
func (b *book) checkCoins(t *transaction) {
	name := fmt.Sprintf("transaction %s of %s", t.Tx, t.Network)
	known, paid, all := new(big.Int), new(big.Int), true
	for _, in := range t.Inputs {
		all = all && in.Known
		known = plus(known, in.Value.units())
		from := b.txs[txKey{t.Network, in.Height, in.TxIndex}]
		if from == nil || from.Tx != in.Tx {
			continue
		}
		if int(in.Index) >= len(from.Outputs) {
			b.say(name, fmt.Sprintf("at most %d outputs of %s", len(from.Outputs), in.Tx), fmt.Sprintf("output %d", in.Index))
			continue
		}
		out := from.Outputs[in.Index]
		if !in.Known || out.Address != in.Address || out.Value != in.Value || out.Spent == nil || *out.Spent != (txAt{t.Height, t.TxIndex}) {
			b.say(name, fmt.Sprintf("input %s:%d as that output: %s of %s, spent by it", in.Tx, in.Index, out.Value, out.Address), fmt.Sprintf("%s of %s", in.Value, in.Address))
		}
	}
	for i, out := range t.Outputs {
		paid = plus(paid, out.Value.units())
		if out.Spent == nil {
			continue
		}
		if !out.Spent.behind(t) {
			b.say(name, fmt.Sprintf("output %d spent later", i), fmt.Sprintf("at %d:%d", out.Spent.Height, out.Spent.TxIndex))
		}
		by := b.txs[txKey{t.Network, out.Spent.Height, out.Spent.TxIndex}]
		if by != nil && !slices.ContainsFunc(by.Inputs, func(in input) bool { return in.Tx == t.Tx && int(in.Index) == i }) {
			b.say(name, fmt.Sprintf("output %d spent by a transaction that says so", i), by.Tx)
		}
	}
	if len(t.Outputs) > 0 && all && !t.Coinbase && known.Cmp(paid) < 0 {
		b.say(name, "at most "+known.String()+" paid", paid.String())
	}
}

// behind says that a place is after a transaction's own.
func (a txAt) behind(t *transaction) bool {
	return a.Height > t.Height || a.Height == t.Height && a.TxIndex > t.TxIndex
}

// readCrossings checks that what a crossing joins is in the record, and is at least what it says.
func (b *book) readCrossings(all []passage) {
	for i := range all {
		x := &all[i]
		c, name := &x.Crossing, fmt.Sprintf("crossing %s:%s of %s", x.Tx, x.Index, x.Network)
		key := spotAsset{spot{x.Network, x.Place}, x.Asset}
		if b.crossings[key] != nil {
			b.say(name, "one for each transfer", "a second")
		}
		b.crossings[key] = x
		if c.Network == x.Network && c.Place.compare(place{x.Place.Height, x.Place.TxIndex, 0}) < 0 {
			b.say(name, "something that comes out after it went in", "at "+c.Place.String())
		}
		if given, ok := b.moved(x.Network, x.Tx, x.Place, x.Asset, ""); !ok || c.AmountIn.units().Sign() == 0 || given.Cmp(c.AmountIn.units()) < 0 {
			b.say(name, fmt.Sprintf("more than 0 and at most the %s of %s that %s moves", given, x.Asset, x.Tx), string(c.AmountIn))
		}
		if got, ok := b.moved(c.Network, c.Tx, c.Place, c.Asset, c.To); !ok || got.Cmp(c.AmountOut.units()) < 0 {
			b.say(name, fmt.Sprintf("at most the %s of %s that %s pays %s", got, c.Asset, c.Tx, c.To), string(c.AmountOut))
		}
	}
}

// moved sums what a transaction moves of an asset, to an address or to whomever.
func (b *book) moved(network, tx string, at place, asset, to string) (*big.Int, bool) {
	t, sum := b.txAt(network, at), new(big.Int)
	if t == nil || t.Tx != tx {
		return sum, false
	}
	for _, m := range t.Transfers {
		if m.Asset == asset && (to == "" || m.To == to || m.To == "") {
			sum = plus(sum, m.Amount.units())
		}
	}
	for _, out := range t.Outputs {
		if asset == native(network) && (to == "" || out.Address == to) {
			sum = plus(sum, out.Value.units())
		}
	}
	return sum, true
}
