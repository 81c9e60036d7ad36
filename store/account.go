package store

import (
	"errors"
	"slices"
	"sort"

	"github.com/spoortrace/spoor/ledger"
)

// groupSize is the number of events after which a group is sealed.
const groupSize = 256

// side says how an event changes a holder.
type side byte

const (
	sideIn side = iota
	sideOut
	sideSelf // listed once, changes nothing
)

// entry is one event of a holder, with the other side as an id (0: nobody).
type entry struct {
	at     ledger.Point
	side   side
	kind   ledger.TransferKind
	plain  bool
	peer   uint64
	amount ledger.Amount
}

// plainFlag stands above the kind, in the byte that has side and kind.
const plainFlag = 1 << 5

// sums are what the events of a holder before a point add up to. Deficit is the
// greatest value that out - in ever had: the least opening balance that keeps
// the holder from owing.
type sums struct {
	n, ins, outs     uint64
	in, out, deficit wide
}

func (s *sums) add(e entry) error {
	var err error
	s.n++
	switch e.side {
	case sideIn:
		s.ins++
		s.in, err = s.in.add(wideOf(e.amount))
	case sideOut:
		s.outs++
		s.out, err = s.out.add(wideOf(e.amount))
		if s.in.less(s.out) {
			if owed := s.out.sub(s.in); s.deficit.less(owed) {
				s.deficit = owed
			}
		}
	}
	return err
}

func (s sums) encode(e *encoder) {
	e.uint(s.n)
	e.uint(s.ins)
	e.uint(s.outs)
	e.wide(s.in)
	e.wide(s.out)
	e.wide(s.deficit)
}

func decodeSums(in *decoder) sums {
	return sums{in.uint(), in.uint(), in.uint(), in.wide(), in.wide(), in.wide()}
}

// group is a run of events with the sums before it. A sealed group names the
// first point of what follows, so that a point between its first and the next
// is proven to belong here; in the tail of an account next is zero.
type group struct {
	before  sums
	prev    ledger.Point // of the event before the group; zero for the first
	next    ledger.Point
	entries []entry
}

func (g *group) encode(e *encoder) {
	g.before.encode(e)
	e.point(g.prev)
	e.point(g.next)
	e.uint(uint64(len(g.entries)))
	var last ledger.Position
	for _, v := range g.entries {
		e.uint(uint64(v.at.Pos - last))
		e.uint(uint64(v.at.Slot))
		flags := byte(v.side) | byte(v.kind)<<2
		if v.plain {
			flags |= plainFlag
		}
		e.byte(flags)
		e.uint(v.peer)
		e.amount(v.amount)
		last = v.at.Pos
	}
}

func decodeGroup(in *decoder) group {
	g := group{before: decodeSums(in), prev: in.point(), next: in.point()}
	g.entries = make([]entry, in.count())
	var last ledger.Position
	for i := range g.entries {
		last += ledger.Position(in.uint())
		slot, flags := uint32(in.uint()), in.byte()
		g.entries[i] = entry{
			at: ledger.Point{Pos: last, Slot: slot}, side: side(flags & 3), kind: ledger.TransferKind(flags >> 2 & 7), plain: flags&plainFlag != 0,
			peer: in.uint(), amount: in.amount(),
		}
	}
	return g
}

// upTo returns the sums before the group and of its entries before a point.
func (g *group) upTo(p ledger.Point) (sums, error) {
	s := g.before
	for _, e := range g.entries {
		if !e.at.Before(p) {
			break
		}
		if err := s.add(e); err != nil {
			return sums{}, err
		}
	}
	return s, nil
}

// bucketRef counts the sealed groups of a holder in one bucket of heights.
type bucketRef struct{ bucket, groups uint64 }

// account is the row of one holder: the directory of its sealed groups and the
// group that still grows.
type account struct {
	asset   uint64
	first   ledger.Point
	payees  uint64 // entries of its row of payees
	buckets []bucketRef
	tail    group
}

func (a *account) last() ledger.Point {
	if n := len(a.tail.entries); n > 0 {
		return a.tail.entries[n-1].at
	}
	return ledger.Point{}
}

func (a *account) encode(e *encoder) {
	e.uint(a.asset)
	e.point(a.first)
	e.uint(a.payees)
	e.uint(uint64(len(a.buckets)))
	for _, b := range a.buckets {
		e.uint(b.bucket)
		e.uint(b.groups)
	}
	a.tail.encode(e)
}

func decodeAccount(in *decoder) *account {
	a := &account{asset: in.uint(), first: in.point(), payees: in.uint()}
	a.buckets = make([]bucketRef, in.count())
	for i := range a.buckets {
		a.buckets[i] = bucketRef{in.uint(), in.uint()}
	}
	a.tail = decodeGroup(in)
	return a
}

// home is the first row of an address. It exists for every address that has an
// id and counts the assets, so that an account that is not there is proven.
type home struct {
	assets uint64
	first  *account // of the first asset; nil when there is none
}

func (h *home) encode() []byte {
	var e encoder
	e.uint(h.assets)
	if h.first != nil {
		h.first.encode(&e)
	}
	return e.b
}

func loadHome(r rows, addr uint64) (*home, error) {
	value, err := r.row(homeKey(addr))
	if errors.Is(err, ErrAbsent) {
		return nil, corrupt("home row of address id %d is missing", addr)
	}
	if err != nil {
		return nil, err
	}
	in := decoder{b: value}
	h := &home{assets: in.uint()}
	if h.assets > 0 {
		h.first = decodeAccount(&in)
	}
	return h, in.end("home row")
}

// loadAssets returns the asset ids of an address in order of first appearance.
func loadAssets(r rows, addr uint64, h *home) ([]uint64, error) {
	switch h.assets {
	case 0:
		return nil, nil
	case 1:
		return []uint64{h.first.asset}, nil
	}
	value, err := r.row(assetsKey(addr))
	if errors.Is(err, ErrAbsent) {
		return nil, corrupt("assets of address id %d are missing", addr)
	}
	if err != nil {
		return nil, err
	}
	in := decoder{b: value}
	ids := make([]uint64, in.count())
	for i := range ids {
		ids[i] = in.uint()
	}
	if err := in.end("asset list"); err != nil {
		return nil, err
	}
	if uint64(len(ids)) < h.assets {
		return nil, corrupt("address id %d lists %d of %d assets", addr, len(ids), h.assets)
	}
	return ids[:h.assets], nil
}

// loadAccount returns the account of an asset, nil when the address never held it.
func loadAccount(r rows, addr, asset uint64, h *home) (*account, error) {
	if h.assets == 0 || h.first.asset == asset {
		return h.first, nil
	}
	ids, err := loadAssets(r, addr, h)
	if err != nil || !slices.Contains(ids, asset) {
		return nil, err
	}
	return loadFurther(r, addr, asset)
}

func loadFurther(r rows, addr, asset uint64) (*account, error) {
	value, err := r.row(accountKey(addr, asset))
	if errors.Is(err, ErrAbsent) {
		return nil, corrupt("account (%d, %d) is missing", addr, asset)
	}
	if err != nil {
		return nil, err
	}
	in := decoder{b: value}
	a := decodeAccount(&in)
	return a, in.end("account")
}

// bucketBefore returns the index of the last directory entry at or below a bucket, -1 when there is none.
func (a *account) bucketBefore(bucket uint64) int {
	return sort.Search(len(a.buckets), func(i int) bool { return a.buckets[i].bucket > bucket }) - 1
}
