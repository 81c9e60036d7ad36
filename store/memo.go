package store

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"

	"github.com/spoortrace/spoor/ledger"
)

// memo remembers, for as long as an index is open, which id stands for which
// address and asset. That never changes once a head has published it; what a
// torn batch wrote has ids that no head has published, and is not remembered.
// Names that fall into one slot push each other out. It is safe for concurrent use.
type memo struct {
	seed   maphash.Seed
	ids    []atomic.Pointer[addressEntry]         // by the hash of the address
	names  []atomic.Pointer[addressEntry]         // by the id
	assets [assetSlots]atomic.Pointer[assetEntry] // by the hash of the asset
	coined [assetSlots]atomic.Pointer[assetEntry] // by the id
}

// addressEntry is shared by both directions.
type addressEntry struct {
	id      uint64
	address ledger.Address
}

// assetEntry with id 0 says that the asset had none when the next to be handed out was next.
type assetEntry struct {
	id, next uint64
	asset    ledger.Asset
}

// The slots of addresses grow with the index up to a bound: some 16 MB when all are filled.
const (
	leastSlots = 1 << 6
	mostSlots  = 1 << 17
	assetSlots = 1 << 8
)

func newMemo(addresses uint64) *memo {
	n := memoSlots(addresses)
	return &memo{seed: maphash.MakeSeed(), ids: make([]atomic.Pointer[addressEntry], n), names: make([]atomic.Pointer[addressEntry], n)}
}

// memoSlots is a power of two.
func memoSlots(addresses uint64) int {
	return 1 << bits.Len64(min(max(addresses, leastSlots), mostSlots)-1)
}

// memoOf returns what an index remembers, with room for the addresses of a head.
func (x *index) memoOf(h *head) *memo {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.memo == nil || len(x.memo.ids) < memoSlots(h.nextAddr)/2 {
		x.memo = newMemo(2 * h.nextAddr)
	}
	return x.memo
}

func (m *memo) slotOf(a ledger.Address) *atomic.Pointer[addressEntry] {
	return &m.ids[maphash.String(m.seed, a.Payload)&uint64(len(m.ids)-1)]
}

// id returns the id of an address, 0 when it is not remembered.
func (m *memo) id(a ledger.Address) uint64 {
	if e := m.slotOf(a).Load(); e != nil && e.address == a {
		return e.id
	}
	return 0
}

// name returns the address of an id, the zero one when it is not remembered.
func (m *memo) name(id uint64) ledger.Address {
	if e := m.names[id&uint64(len(m.names)-1)].Load(); e != nil && e.id == id {
		return e.address
	}
	return ledger.Address{}
}

// keep remembers an address with the id that a head has published.
func (m *memo) keep(id uint64, a ledger.Address) {
	e := &addressEntry{id, a}
	m.slotOf(a).Store(e)
	m.names[id&uint64(len(m.names)-1)].Store(e)
}

func (m *memo) assetSlot(a ledger.Asset) *atomic.Pointer[assetEntry] {
	return &m.assets[(maphash.String(m.seed, a.Contract.Payload)^maphash.String(m.seed, a.TokenID))%assetSlots]
}

// asset returns the id of an asset in an index whose next one is next. An asset
// that had no id when the next was the same has none.
func (m *memo) asset(a ledger.Asset, next uint64) (id uint64, ok bool) {
	e := m.assetSlot(a).Load()
	if e == nil || e.asset != a || e.id == 0 && e.next != next {
		return 0, false
	}
	if e.id >= next {
		return 0, true // came later
	}
	return e.id, true
}

// keepAsset remembers an asset with the id that a head has published, or that it has none (0).
func (m *memo) keepAsset(a ledger.Asset, id, next uint64) {
	e := &assetEntry{id, next, a}
	m.assetSlot(a).Store(e)
	if id != 0 {
		m.coined[id%assetSlots].Store(e)
	}
}

// assetName returns the asset of an id; false when it is not remembered.
func (m *memo) assetName(id uint64) (ledger.Asset, bool) {
	if e := m.coined[id%assetSlots].Load(); e != nil && e.id == id {
		return e.asset, true
	}
	return ledger.Asset{}, false
}

// homes keeps the rows of addresses that one view has read. Nobody changes them.
type homes [64]atomic.Pointer[openHome]

type openHome struct {
	addr uint64
	home *home
}

// home returns the row of an address of the base.
func (b base) home(addr uint64) (*home, error) {
	if b.homes == nil {
		return loadHome(b.rows, addr)
	}
	slot := &b.homes[addr%uint64(len(b.homes))]
	if held := slot.Load(); held != nil && held.addr == addr {
		return held.home, nil
	}
	h, err := loadHome(b.rows, addr)
	if err == nil {
		slot.Store(&openHome{addr, h})
	}
	return h, err
}
