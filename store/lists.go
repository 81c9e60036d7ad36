package store

import (
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// dirtyHome is an address in a batch: its assets in order of first appearance
// and the accounts of those that were touched.
type dirtyHome struct {
	assets   []uint64
	accounts []*dirtyAccount // nil where not loaded
	grown    bool            // an asset came
	dirty    bool
}

type dirtyAccount struct {
	*account
	end   sums // after the tail
	dirty bool
}

// addEvent appends an event to the list of one holder.
func (b *batch) addEvent(h ledger.Holder, e *ledger.Event) error {
	addr, err := b.addressID(h.Address)
	if err != nil {
		return err
	}
	asset, err := b.assetID(h.Asset)
	if err != nil {
		return err
	}
	v := entry{at: e.At, side: sideOf(h.Address, e), kind: e.Kind, plain: e.Plain, amount: e.Amount}
	peer := e.To
	if v.side == sideIn {
		peer = e.From
	}
	if v.peer, err = b.addressID(peer); err != nil {
		return err
	}
	b.head.events++
	b.head.sums.events.add(eventHash(h, e))
	return b.enter(addr, asset, h.Asset, v)
}

// enter appends an entry to the list of an account.
func (b *batch) enter(addr, id uint64, asset ledger.Asset, v entry) error {
	a, err := b.account(addr, id)
	if err != nil {
		return err
	}
	if err := b.push(addr, a, v); err != nil {
		return err
	}
	if v.side == sideOut && v.peer != 0 && !v.amount.Less(b.dustOf(id, asset)) {
		return b.pay(addr, a, v)
	}
	return nil
}

// push appends to the tail and seals it first when it is full or the event
// belongs to another bucket of heights.
func (b *batch) push(addr uint64, a *dirtyAccount, v entry) error {
	last := a.last()
	if a.end.n > 0 && !last.Before(v.at) {
		return corrupt("event at %s of account (%d, %d) does not follow %s", v.at, addr, a.asset, last)
	}
	if n := len(a.tail.entries); n == groupSize || n > 0 && b.bucket(a.tail.entries[0].at.Pos.Height()) != b.bucket(v.at.Pos.Height()) {
		b.seal(addr, a, v.at)
	}
	if a.end.n == 0 {
		a.first = v.at
	}
	a.tail.entries, a.dirty = append(a.tail.entries, v), true
	return a.end.add(v)
}

// seal makes the tail a group of its own, written once.
func (b *batch) seal(addr uint64, a *dirtyAccount, next ledger.Point) {
	first, last := a.tail.entries[0].at, a.last()
	a.tail.next = next
	var e encoder
	a.tail.encode(&e)
	k := b.groupKey(addr, a.asset, first)
	b.groups = append(b.groups, Op{Partition: k.partition, Sort: k.sort, Value: seal(k, e.b)})
	in := b.bucket(first.Pos.Height())
	if n := len(a.buckets); n > 0 && a.buckets[n-1].bucket == in {
		a.buckets[n-1].groups++
	} else {
		a.buckets = append(a.buckets, bucketRef{in, 1})
	}
	a.tail = group{before: a.end, prev: last}
}

// pay notes a payment that counts as one to a customer.
func (b *batch) pay(addr uint64, a *dirtyAccount, v entry) error {
	ref := holderRef{addr, a.asset}
	p := b.payees[ref]
	if p == nil {
		loaded, err := loadPayees(b.rows, addr, a.account)
		if err != nil {
			return err
		}
		p = &dirtyPayees{payees: loaded}
		b.payees[ref] = p
	}
	if p.add(v.peer, v.at) {
		p.dirty = true
		a.payees++
	}
	return nil
}

// account returns the account of an asset to change, a fresh one when the
// address never held it.
func (b *batch) account(addr, asset uint64) (*dirtyAccount, error) {
	h, err := b.home(addr)
	if err != nil {
		return nil, err
	}
	i := slices.Index(h.assets, asset)
	if i < 0 {
		fresh := &dirtyAccount{account: &account{asset: asset}, dirty: true}
		h.assets, h.accounts = append(h.assets, asset), append(h.accounts, fresh)
		h.grown, h.dirty = true, true
		return fresh, nil
	}
	if h.accounts[i] == nil {
		loaded, err := loadFurther(b.rows, addr, asset)
		if err != nil {
			return nil, err
		}
		if h.accounts[i], err = dirtyOf(loaded); err != nil {
			return nil, err
		}
	}
	return h.accounts[i], nil
}

func dirtyOf(a *account) (*dirtyAccount, error) {
	end, err := a.tail.upTo(ledger.Point{Pos: ^ledger.Position(0)})
	return &dirtyAccount{account: a, end: end}, err
}

func (b *batch) home(addr uint64) (*dirtyHome, error) {
	if h := b.homes[addr]; h != nil {
		return h, nil
	}
	loaded, err := loadHome(b.rows, addr)
	if err != nil {
		return nil, err
	}
	h := &dirtyHome{}
	if h.assets, err = loadAssets(b.rows, addr, loaded); err != nil {
		return nil, err
	}
	h.accounts = make([]*dirtyAccount, len(h.assets))
	if loaded.first != nil {
		if h.accounts[0], err = dirtyOf(loaded.first); err != nil {
			return nil, err
		}
	}
	b.homes[addr] = h
	return h, nil
}

// dustOf is the amount from which a payment counts as one to a customer.
func (b *batch) dustOf(id uint64, a ledger.Asset) ledger.Amount {
	dust, ok := b.dust[id]
	if !ok {
		dust = ledger.InfoOf(a).Dust
		b.dust[id] = dust
	}
	return dust
}
