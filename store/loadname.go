package store

import (
	"math/bits"

	"github.com/spoortrace/spoor/ledger"
)

// naming of a load: which numbers of which segment are first mentions, and what
// the other numbers stand for. Ids count first mentions, segment by segment.
type loadNames struct {
	fresh []bitmap // by segment
	base  []uint64 // id before the first fresh number of a segment
	again *shuffle // by segment: number, and segment and number of its first mention
	total uint64   // addresses
}

// bitmap is a set of numbers that knows how many there are below each.
type bitmap struct {
	words []uint64
	below []uint32 // members before each word
}

func newBitmap(n uint64) bitmap { return bitmap{words: make([]uint64, n/64+1)} }

func (b *bitmap) set(i uint64)      { b.words[i/64] |= 1 << (i % 64) }
func (b *bitmap) has(i uint64) bool { return b.words[i/64]>>(i%64)&1 != 0 }

// count makes rank answer and returns the number of members.
func (b *bitmap) count() uint64 {
	b.below = make([]uint32, len(b.words))
	var n uint32
	for i, w := range b.words {
		b.below[i] = n
		n += uint32(bits.OnesCount64(w))
	}
	return uint64(n)
}

// rank returns the number of members below i.
func (b *bitmap) rank(i uint64) uint64 {
	return uint64(b.below[i/64]) + uint64(bits.OnesCount64(b.words[i/64]&(1<<(i%64)-1)))
}

// name finds the first mention of every address and writes table h.
func (l *load) name() (*loadNames, error) {
	byKey := l.shuffle()
	defer func() { _ = byKey.close() }()
	n := &loadNames{again: l.shuffle()}
	for _, s := range l.segments {
		buckets := byKey.fresh(loadBuckets, int(s.names)*(l.dicts.address.keyLen+3))
		var number uint64
		for entry, err := range s.entries() {
			if err != nil {
				return n, err
			}
			key := addressFrom(l.chain, entry).Key()
			e := &buckets[key[0]]
			e.uint(number)
			e.raw(key)
			number++
		}
		if err := byKey.add(buckets); err != nil {
			return n, err
		}
		n.fresh = append(n.fresh, newBitmap(s.names))
	}
	for first := range loadBuckets {
		l.report("names", first, loadBuckets)
		if err := l.firstMentions(n, byKey, first); err != nil {
			return n, err
		}
	}
	for i := range n.fresh {
		n.base = append(n.base, n.total+1)
		n.total += n.fresh[i].count()
	}
	t := l.tree(l.dicts.address)
	for first := range loadBuckets {
		entries, err := l.namesOf(n, byKey, first)
		if err != nil {
			return n, err
		}
		t.add(byte(first), entries)
	}
	l.head.nextAddr = n.total + 1
	return n, t.close()
}

// mention is a number of a segment.
type mention struct{ segment, number uint64 }

// firstMentions marks the fresh numbers of one bucket and notes the others.
func (l *load) firstMentions(n *loadNames, byKey *shuffle, bucket int) error {
	seen := map[string]mention{}
	again := n.again.fresh(len(l.segments), 0)
	segment := uint64(0)
	for rows, err := range byKey.read(bucket) {
		if err != nil {
			return err
		}
		for in := (decoder{b: rows}); len(in.b) > 0; {
			number, key := in.uint(), in.raw(l.dicts.address.keyLen)
			if in.bad {
				return corrupt("names of a load")
			}
			if first, ok := seen[string(key)]; ok {
				e := &again[segment]
				e.uint(number)
				e.uint(first.segment)
				e.uint(first.number)
				continue
			}
			seen[string(key)] = mention{segment, number}
			n.fresh[segment].set(number)
		}
		segment++
	}
	return n.again.add(again)
}

// namesOf returns the dictionary entries of one bucket.
func (l *load) namesOf(n *loadNames, byKey *shuffle, bucket int) ([]dictEntry, error) {
	var entries []dictEntry
	segment := 0
	for rows, err := range byKey.read(bucket) {
		if err != nil {
			return nil, err
		}
		for in := (decoder{b: rows}); len(in.b) > 0; {
			number, key := in.uint(), in.raw(l.dicts.address.keyLen)
			if n.fresh[segment].has(number) {
				entries = append(entries, dictEntry{key, n.id(segment, number)})
			}
		}
		segment++
	}
	return entries, nil
}

// id returns the id of a fresh number.
func (n *loadNames) id(segment int, number uint64) uint64 {
	return n.base[segment] + n.fresh[segment].rank(number)
}

// ids returns the id of every number of a segment.
func (n *loadNames) ids(segment int, names uint64) ([]uint64, error) {
	ids := make([]uint64, names)
	next := n.base[segment]
	for i := range ids {
		if n.fresh[segment].has(uint64(i)) {
			ids[i] = next
			next++
		}
	}
	for rows, err := range n.again.read(segment) {
		if err != nil {
			return nil, err
		}
		for in := (decoder{b: rows}); len(in.b) > 0; {
			number := in.uint()
			ids[number] = n.id(int(in.uint()), in.uint())
		}
	}
	return ids, nil
}

func (n *loadNames) close() error { return n.again.close() }

// addressFrom reads what encodeAddress makes.
func addressFrom(c ledger.Chain, entry []byte) ledger.Address {
	return ledger.Address{Chain: c, Kind: ledger.AddressKind(entry[0]), Payload: string(entry[1:])}
}

// idRows writes tables i and x, address by address in the order of ids.
type idRows struct {
	*load
	next    uint64
	entries [][]byte
}

func (r *idRows) add(entry []byte) error {
	if len(r.entries) == 0 && r.next == 1 {
		r.entries = append(r.entries, nil)
	}
	if len(entry) > longEntry {
		if err := r.row(tableScript, sealed(key{partition(tableScript, r.next), nil}, entry)); err != nil {
			return err
		}
		entry = nil
	}
	r.entries = append(r.entries, entry)
	if r.next++; r.next%perRow != 0 {
		return nil
	}
	return r.flush()
}

func (r *idRows) flush() error {
	if len(r.entries) == 0 {
		return nil
	}
	op := sealed(listKey(tableAddrOf, r.next-1), encodeList(r.entries))
	r.entries = r.entries[:0]
	return r.row(tableAddrOf, op)
}
