package replay

import (
	"container/heap"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

var errDigits = errors.New("an amount is not a decimal number below 2^256")

// open is the ledger of one account and asset while it holds labelled units.
type open struct {
	key  account
	segs []seg
	h    *history
	next int
}

// heldCoin is an output that holds labelled units.
type heldCoin struct {
	segs  []seg
	owner string
	at    place
}

// coinKey is an output by the place of its transaction.
type coinKey struct {
	txAt
	output uint32
}

// hop is a transfer that carried labelled units.
type hop struct {
	network, tx, index string
	at                 place
	from, to, asset    string
	amount             *big.Int
	segs               []seg // labelled, ascending
}

// conversion is value on its way through a crossing.
type conversion struct {
	segs []seg
	c    *crossing
}

// end is a terminal as it was computed.
type end struct {
	network, address, asset string
	at                      place
	rests                   bool
	reason                  string
	segs                    []seg
}

// moment is a point at which something is to be done.
type moment struct {
	clock   int64
	network string
	at      place
}

func (a moment) before(b moment) bool {
	if a.clock != b.clock {
		return a.clock < b.clock
	}
	if a.network != b.network {
		return a.network < b.network
	}
	return a.at.compare(b.at) < 0
}

type agenda []moment

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].before(a[j]) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)        { *a = append(*a, x.(moment)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// replay recomputes one result from the record.
type replay struct {
	d       *dossier
	r       *result
	agenda  agenda
	planned map[moment]bool
	opened  map[account]*open
	coins   map[coinKey]*heldCoin
	pays    map[moment][]payment // payments by their place
	waiting map[moment][]conversion
	stops   map[transferAt]map[string]string // of transfers that end the trace, by payee: the reason
	closing map[moment][]*terminal
	utxo    map[string]bool
	crossed map[transferAt][2]*big.Int // by transaction and asset: labelled units in, and out
	hops    []hop
	ends    []end
	sheet   map[string]map[int]*sheetRow
}

func newReplay(d *dossier, r *result, utxo map[string]bool) *replay {
	p := &replay{
		d: d, r: r, planned: map[moment]bool{}, opened: map[account]*open{}, coins: map[coinKey]*heldCoin{}, pays: map[moment][]payment{},
		waiting: map[moment][]conversion{}, stops: map[transferAt]map[string]string{}, closing: map[moment][]*terminal{}, utxo: utxo,
		crossed: map[transferAt][2]*big.Int{}, sheet: map[string]map[int]*sheetRow{},
	}
	for i := range r.Terminals {
		t := &r.Terminals[i]
		switch {
		case t.ClosedAt != nil:
			m := p.moment(t.Network, *t.ClosedAt)
			p.closing[m] = append(p.closing[m], t)
		case !t.Rests:
			k := transferAt{t.Network, t.Place, t.Asset}
			if p.stops[k] == nil {
				p.stops[k] = map[string]string{}
			}
			p.stops[k][t.Address] = t.Reason
		}
	}
	for _, x := range d.payments {
		m := p.plan(x.Network, x.Place)
		p.pays[m] = append(p.pays[m], x)
	}
	return p
}

func (p *replay) moment(network string, at place) moment {
	return moment{p.d.record.clock(network, at.Height), network, at}
}

func (p *replay) plan(network string, at place) moment {
	m := p.moment(network, at)
	if !p.planned[m] {
		p.planned[m] = true
		heap.Push(&p.agenda, m)
	}
	return m
}

// run replays everything. What cannot be followed in the record is an error.
func (p *replay) run() error {
	for len(p.agenda) > 0 {
		m := heap.Pop(&p.agenda).(moment)
		delete(p.planned, m)
		var err error
		if p.utxo[m.network] {
			err = p.transaction(m)
		} else {
			err = p.event(m)
		}
		if err != nil {
			return fmt.Errorf("%s at %s: %w", m.network, at(m.at), err)
		}
	}
	for _, o := range p.opened {
		p.finish(end{o.key.network, o.key.address, o.key.asset, place{}, true, "", shares(o.segs)}, "")
	}
	for k, c := range p.coins {
		p.finish(end{k.network, c.owner, k.network + ":native", c.at, true, "", shares(c.segs)}, "")
	}
	return nil
}

// finish books labelled units where they are; an empty bucket is found by the stated terminal.
func (p *replay) finish(e end, bucket string) {
	if len(e.segs) == 0 {
		return
	}
	for _, t := range p.r.Terminals {
		if bucket == "" && t.Rests == e.rests && t.Network == e.network && t.Address == e.address && t.Asset == e.asset && t.ClosedAt == nil && (!t.Coin || t.Place == e.at) {
			bucket, e.reason = t.Bucket, t.Reason
		}
	}
	p.ends = append(p.ends, e)
	p.book(e.asset, e.segs, func(r *sheetRow) *amount { return r.column(bucket) })
}

// column is where a bucket is counted.
func (r *sheetRow) column(bucket string) *amount {
	switch bucket {
	case "RESTING":
		return &r.Resting
	case "BURNT":
		return &r.Burnt
	case "PRUNED":
		return &r.Pruned
	case "PENDING":
		return &r.Pending
	}
	return &r.Stopped
}

func (p *replay) row(asset string, label int) *sheetRow {
	if p.sheet[asset] == nil {
		p.sheet[asset] = map[int]*sheetRow{}
	}
	if p.sheet[asset][label] == nil {
		p.sheet[asset][label] = &sheetRow{Label: label}
	}
	return p.sheet[asset][label]
}

func (p *replay) book(asset string, segs []seg, column func(*sheetRow) *amount) {
	for _, s := range segs {
		if s.label == 0 {
			continue
		}
		for _, l := range []int{0, s.label} {
			c := column(p.row(asset, l))
			c.Add(&c.Int, s.n)
		}
	}
}

// bucketOf is the row of the sheet for a stop's reason.
func (p *replay) bucketOf(e end) string {
	for _, t := range p.r.Terminals {
		if !t.Rests && t.Network == e.network && t.Asset == e.asset && t.Place == e.at && t.Address == e.address {
			return t.Bucket
		}
	}
	return "STOPPED"
}

// lay gives a payment's transfer its labels.
func (p *replay) lay(segs []seg, pays []payment) []seg {
	for _, x := range pays {
		var marked *big.Int
		segs, marked = mark(segs, x.Label, &x.Amount.Int)
		for _, l := range []int{0, x.Label} {
			r := p.row(x.Asset, l)
			r.Seeded.Add(&r.Seeded.Int, &x.Amount.Int)
			r.Collided.Add(&r.Collided.Int, new(big.Int).Sub(&x.Amount.Int, marked))
		}
	}
	return segs
}

// event does everything at one place of a network of accounts.
func (p *replay) event(m moment) error {
	for _, t := range p.closing[m] {
		k := account{t.Network, t.Address, t.Asset}
		o := p.opened[k]
		if o == nil {
			return fmt.Errorf("%s is closed there, and holds nothing", t.Address)
		}
		delete(p.opened, k)
		p.ends = append(p.ends, end{t.Network, t.Address, t.Asset, place{}, true, t.Reason, shares(o.segs)})
		p.book(t.Asset, o.segs, func(r *sheetRow) *amount { return r.column(t.Bucket) })
	}
	f, asset, ok, err := p.transferAt(m)
	if err != nil {
		return err
	}
	if ok && f.From != f.To {
		if err := p.transfer(m, f, asset); err != nil {
			return err
		}
	}
	if ok {
		for _, a := range []string{f.From, f.To} {
			p.advance(account{m.network, a, asset}, m.at)
		}
	}
	waiting := p.waiting[m]
	delete(p.waiting, m)
	for _, v := range waiting {
		if err := p.arrive(m, v); err != nil {
			return err
		}
	}
	return nil
}

// transferAt finds the transfer at a place: that of a payment, or of an account that is open.
func (p *replay) transferAt(m moment) (flow, string, bool, error) {
	if t := p.d.record.txs[txAt{m.network, m.at.Height, m.at.TxIndex}]; t != nil {
		for _, x := range t.Transfers {
			if x.Slot == m.at.Slot && (len(p.pays[m]) > 0 || p.opened[account{m.network, x.From, x.Asset}] != nil || p.opened[account{m.network, x.To, x.Asset}] != nil || p.wasClosed(m, x)) {
				return flow{m.at, x.Kind, x.From, x.To, x.Amount}, x.Asset, true, nil
			}
		}
	}
	for k, o := range p.opened {
		if k.network == m.network && o.next < len(o.h.Events) && o.h.Events[o.next].Place == m.at {
			return o.h.Events[o.next], k.asset, true, nil
		}
	}
	for _, t := range p.closing[m] { // the one account that listed it was closed just before
		if h := p.d.record.accounts[account{t.Network, t.Address, t.Asset}]; h != nil {
			if i := h.next(m.at); i < len(h.Events) && h.Events[i].Place == m.at {
				return h.Events[i], t.Asset, true, nil
			}
		}
	}
	if len(p.pays[m]) > 0 {
		return flow{}, "", false, errors.New("a payment is not in the record")
	}
	return flow{}, "", false, nil
}

func (p *replay) wasClosed(m moment, x movement) bool {
	return slices.ContainsFunc(p.closing[m], func(t *terminal) bool { return t.Asset == x.Asset && (t.Address == x.From || t.Address == x.To) })
}

func (p *replay) transfer(m moment, f flow, asset string) error {
	x := &f.Amount.Int
	payer, payee := p.opened[account{m.network, f.From, asset}], p.opened[account{m.network, f.To, asset}]
	segs := join(nil, seg{0, x})
	if payer != nil {
		if sum(payer.segs, false).Cmp(x) < 0 {
			return fmt.Errorf("%s pays more than it has", f.From)
		}
		segs, payer.segs = take(p.r.Account, payer.segs, x)
	}
	segs = p.lay(segs, p.pays[m])
	if err := p.pay(m, f, asset, segs, payee); err != nil {
		return err
	}
	if payer != nil && dirt(payer.segs).Sign() == 0 {
		delete(p.opened, payer.key)
	}
	return nil
}

// pay decides what becomes of the units that arrive.
func (p *replay) pay(m moment, f flow, asset string, segs []seg, payee *open) error {
	labelled := shares(segs)
	key := transferAt{m.network, m.at, asset}
	if len(labelled) > 0 && f.Kind == "fee" {
		p.book(asset, labelled, func(r *sheetRow) *amount { return &r.Fees })
		return nil
	}
	stays := len(labelled) == 0
	if !stays {
		tx := p.d.record.txs[txAt{m.network, m.at.Height, m.at.TxIndex}]
		if tx == nil {
			return errors.New("the transaction is not in the record")
		}
		p.hop(m.network, tx.Tx, indexOf(tx, m.at.Slot), m.at, f.From, f.To, asset, &f.Amount.Int, labelled)
		reason, stopped := p.stops[key][f.To]
		c := p.d.record.crossed[key]
		switch {
		case stopped:
			e := end{m.network, f.To, asset, m.at, false, reason, labelled}
			p.ends = append(p.ends, e)
			p.book(asset, labelled, func(r *sheetRow) *amount { return r.column(p.bucketOf(e)) })
		case c != nil:
			p.cross(key, c, labelled)
		default:
			return p.keep(m, account{m.network, f.To, asset}, payee, segs)
		}
	}
	if payee != nil { // its balance grows by clean units
		payee.segs = credit(p.r.Account, payee.segs, join(nil, seg{0, &f.Amount.Int}))
	}
	return nil
}

// keep credits labelled units to an account, which opens with its balance just before.
func (p *replay) keep(m moment, key account, payee *open, segs []seg) error {
	if payee == nil {
		var err error
		if payee, err = p.openAt(key, m.at, m.at); err != nil {
			return err
		}
	}
	payee.segs = credit(p.r.Account, payee.segs, segs)
	return nil
}

// openAt opens an account with its balance before a place; its events after another are to come.
func (p *replay) openAt(key account, before, seen place) (*open, error) {
	h := p.d.record.accounts[key]
	if h == nil || before.compare(h.From) < 0 {
		return nil, fmt.Errorf("no history of %s from there on", key.address)
	}
	o := &open{key: key, h: h, segs: credit(p.r.Account, nil, join(nil, seg{0, h.balance(before)}))}
	p.opened[key] = o
	seen.Slot++
	o.next = h.next(seen)
	p.planNext(o)
	return o, nil
}

func (p *replay) planNext(o *open) {
	if o.next < len(o.h.Events) {
		p.plan(o.key.network, o.h.Events[o.next].Place)
	}
}

// advance goes on to an open account's next event.
func (p *replay) advance(key account, past place) {
	o := p.opened[key]
	if o == nil || o.next >= len(o.h.Events) || o.h.Events[o.next].Place != past {
		return
	}
	o.next++
	p.planNext(o)
}

// indexOf is the transfer's number as a REF has it.
func indexOf(t *transaction, slot uint32) string {
	for _, x := range t.Transfers {
		if x.Slot != slot {
			continue
		}
		switch {
		case x.Kind == "internal":
			return "i" + decimal(uint64(x.Index))
		case x.Kind == "native" && !strings.HasPrefix(t.Network, "tron"):
			return "n"
		}
		return decimal(uint64(x.Index))
	}
	return ""
}

func (p *replay) hop(network, tx, index string, at place, from, to, asset string, n *big.Int, segs []seg) {
	p.hops = append(p.hops, hop{network, tx, index, at, from, to, asset, new(big.Int).Set(n), segs})
}

// cross books labelled units out of an asset, and sends on what they are worth.
func (p *replay) cross(key transferAt, c *crossing, labelled []seg) {
	p.book(key.asset, labelled, func(r *sheetRow) *amount { return &r.ConvertedOut })
	of := transferAt{key.network, place{key.at.Height, key.at.TxIndex, 0}, key.asset}
	so := p.crossed[of]
	if so[0] == nil || c.Kind == "BRIDGE" {
		so = [2]*big.Int{zero(), zero()}
	}
	in := new(big.Int).Add(so[0], dirt(labelled))
	whole := new(big.Int).Mul(&c.AmountOut.Int, least(in, &c.AmountIn.Int))
	whole.Quo(whole, &c.AmountIn.Int)
	part := new(big.Int).Sub(whole, so[1])
	p.crossed[of] = [2]*big.Int{in, whole}
	if part.Sign() == 0 {
		return
	}
	weights := make([]*big.Int, len(labelled))
	for i, s := range labelled {
		weights[i] = s.n
	}
	v := conversion{c: c}
	for i, n := range apportion(part, weights) {
		v.segs = join(v.segs, seg{labelled[i].label, n})
	}
	m := p.plan(c.Network, c.Place)
	p.waiting[m] = append(p.waiting[m], v)
}

// arrive lays what a crossing pays out over what an account was paid.
func (p *replay) arrive(m moment, v conversion) error {
	key := account{m.network, v.c.To, v.c.Asset}
	payee := p.opened[key]
	after := m.at
	after.Slot++
	var clean *big.Int
	if payee != nil {
		clean = new(big.Int).Sub(sum(payee.segs, false), dirt(payee.segs))
	} else if h := p.d.record.accounts[key]; h != nil {
		clean = h.balance(after)
	} else {
		return fmt.Errorf("no history of %s", key.address)
	}
	segs, _ := front(v.segs, clean)
	labelled := shares(segs)
	if len(labelled) == 0 {
		return nil
	}
	p.book(v.c.Asset, labelled, func(r *sheetRow) *amount { return &r.ConvertedIn })
	p.hop(m.network, v.c.Tx, v.c.Index, m.at, v.c.From, v.c.To, v.c.Asset, &v.c.AmountOut.Int, labelled)
	if reason, stopped := p.stops[transferAt{m.network, m.at, v.c.Asset}][v.c.To]; stopped {
		e := end{m.network, v.c.To, v.c.Asset, m.at, false, reason, labelled}
		p.ends = append(p.ends, e)
		p.book(v.c.Asset, labelled, func(r *sheetRow) *amount { return r.column(p.bucketOf(e)) })
		return nil
	}
	if payee == nil {
		var err error
		if payee, err = p.openAt(key, after, m.at); err != nil {
			return err
		}
	}
	payee.segs = credit(p.r.Account, newest(payee.segs, dirt(segs)), segs)
	return nil
}

// newest takes n clean units away, from the back.
func newest(segs []seg, n *big.Int) []seg {
	left := new(big.Int).Set(n)
	out := reversed(segs)
	for i, s := range out {
		if s.label != 0 {
			continue
		}
		part := least(s.n, left)
		left.Sub(left, part)
		out[i] = seg{0, new(big.Int).Sub(s.n, part)}
	}
	var kept []seg
	for _, s := range reversed(out) {
		kept = join(kept, s)
	}
	return kept
}

// digest is SHA-256 of the hops in the order of their places.
func (p *replay) digest() string {
	type line struct {
		h    hop
		text string
	}
	var lines []line
	for _, h := range p.hops {
		var parts []string
		for _, s := range h.segs {
			parts = append(parts, fmt.Sprintf("%d=%s", s.label, s.n))
		}
		lines = append(lines, line{h, fmt.Sprintf("%s %s %s %d %d %d %s %s %s %s %s %s\n", h.network, h.tx, h.index, h.at.Height, h.at.TxIndex, h.at.Slot,
			dash(h.from), dash(h.to), h.asset, h.amount, dirt(h.segs), strings.Join(parts, ","))})
	}
	slices.SortFunc(lines, func(a, b line) int {
		if c := strings.Compare(a.h.network, b.h.network); c != 0 {
			return c
		}
		if c := a.h.at.compare(b.h.at); c != 0 {
			return c
		}
		return strings.Compare(a.text, b.text)
	})
	sum := sha256.New()
	for _, l := range lines {
		sum.Write([]byte(l.text))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
