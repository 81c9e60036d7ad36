package store

import (
	"bytes"
	"errors"
	"slices"
	"sort"
)

// maxBucket is the number of entries above which a bucket is split in four.
const maxBucket = 96

// dict is a dictionary from hashes to numbers: a tree of buckets that divide the
// hashes by their leading bits, two a level. Every hash belongs to one leaf,
// which exists even when it is empty; so an absent hash is proven by a row that
// is present. Several numbers may stand under one key.
type dict struct {
	table  byte
	keyLen int // bytes of a key
}

type dictEntry struct {
	key   []byte
	value uint64
}

// bucket is one node: split, or a leaf with its entries in order of key, value.
type bucket struct {
	split   bool
	entries []dictEntry
}

func (d dict) key(hash []byte, depth int) key {
	p := make([]byte, 2+(depth+3)/4)
	p[0], p[1] = d.table, byte(depth)
	copy(p[2:], hash)
	if r := depth % 4; r != 0 {
		p[len(p)-1] &= 0xff << (8 - 2*r)
	}
	return key{p, nil}
}

// guess is the depth at which a dictionary of n evenly spread entries has its leaves.
func (d dict) guess(n uint64) int {
	depth := 0
	for size := uint64(maxBucket * 3 / 4); size < n && depth < 4*d.keyLen; depth++ {
		size *= 4
	}
	return depth
}

// bucketLoader returns a bucket, ErrAbsent when there is none.
type bucketLoader func(k key) (*bucket, error)

func (b *bucket) isSplit() bool { return b.split }

// bucketRow is a bucket as it is stored.
type bucketRow []byte

func (b bucketRow) isSplit() bool { return len(b) > 0 && b[0] != 0 }

func (d dict) loader(r rows) bucketLoader {
	return func(k key) (*bucket, error) {
		value, err := r.row(k)
		if err != nil {
			return nil, err
		}
		return d.decode(value)
	}
}

// leaf finds the leaf of a hash in a dictionary of about n entries. An empty
// dictionary has no rows: the leaf comes back as an empty root.
func (d dict) leaf(load bucketLoader, hash []byte, n uint64) (*bucket, int, error) {
	b, depth, err := leafOf(d, load, hash, n)
	if err == nil && b == nil {
		b = &bucket{}
	}
	return b, depth, err
}

// leafOf walks to the leaf of a hash; the zero value for an empty dictionary.
func leafOf[B interface{ isSplit() bool }](d dict, load func(key) (B, error), hash []byte, n uint64) (leaf B, depth int, err error) {
	depth = d.guess(n)
	for below := false; ; {
		b, err := load(d.key(hash, depth))
		switch {
		case errors.Is(err, ErrAbsent) && depth == 0 && n == 0:
			return leaf, 0, nil
		case errors.Is(err, ErrAbsent) && depth == 0 || errors.Is(err, ErrAbsent) && below:
			return leaf, 0, corrupt("bucket %s is missing", d.key(hash, depth))
		case errors.Is(err, ErrAbsent):
			depth--
		case err != nil:
			return leaf, 0, err
		case !b.isSplit():
			return b, depth, nil
		case depth == 4*d.keyLen:
			return leaf, 0, corrupt("bucket %s is split below its key", d.key(hash, depth))
		default:
			depth, below = depth+1, true
		}
	}
}

// lookup is find over rows: it reads the leaf as it is stored.
func (d dict) lookup(r rows, hash []byte, n uint64) ([]uint64, error) {
	row, _, err := leafOf(d, func(k key) (bucketRow, error) { return r.row(k) }, hash, n)
	if err != nil || row == nil {
		return nil, err
	}
	var found []uint64
	in := decoder{b: row}
	in.bool()
	for range in.count() {
		k, value := in.raw(d.keyLen), in.uint()
		if bytes.Equal(k, hash) {
			found = append(found, value)
		}
	}
	return found, in.end("dictionary bucket")
}

// find returns the numbers of a key, ascending.
func (d dict) find(load bucketLoader, hash []byte, n uint64) ([]uint64, error) {
	b, _, err := d.leaf(load, hash, n)
	if err != nil {
		return nil, err
	}
	var found []uint64
	for i := b.search(hash, 0); i < len(b.entries) && bytes.Equal(b.entries[i].key, hash); i++ {
		found = append(found, b.entries[i].value)
	}
	return found, nil
}

// insert adds an entry to its leaf and hands every bucket that changed to put.
func (d dict) insert(load bucketLoader, put func(k key, b *bucket), hash []byte, value, n uint64) error {
	b, depth, err := d.leaf(load, hash, n)
	if err != nil {
		return err
	}
	i := b.search(hash, value)
	if i < len(b.entries) && b.entries[i].value == value && bytes.Equal(b.entries[i].key, hash) {
		return nil
	}
	b.entries = slices.Insert(b.entries, i, dictEntry{slices.Clone(hash), value})
	d.settle(put, hash, depth, b)
	return nil
}

// settle stores a leaf, split as often as it needs.
func (d dict) settle(put func(k key, b *bucket), hash []byte, depth int, b *bucket) {
	if len(b.entries) <= maxBucket || depth == 4*d.keyLen {
		put(d.key(hash, depth), b)
		return
	}
	var children [4]bucket
	for _, e := range b.entries {
		c := &children[e.key[depth/4]>>(6-2*(depth%4))&3]
		c.entries = append(c.entries, e)
	}
	for i := range children {
		path := bytes.Clone(hash[:d.keyLen])
		shift := 6 - 2*(depth%4)
		path[depth/4] = path[depth/4]&^(3<<shift) | byte(i)<<shift
		d.settle(put, path, depth+1, &children[i])
	}
	put(d.key(hash, depth), &bucket{split: true})
}

// search returns the index of the first entry not below (key, value).
func (b *bucket) search(key []byte, value uint64) int {
	return sort.Search(len(b.entries), func(i int) bool {
		if c := bytes.Compare(b.entries[i].key, key); c != 0 {
			return c > 0
		}
		return b.entries[i].value >= value
	})
}

func (d dict) encode(b *bucket) []byte {
	var e encoder
	e.bool(b.split)
	e.uint(uint64(len(b.entries)))
	for _, entry := range b.entries {
		e.raw(entry.key)
		e.uint(entry.value)
	}
	return e.b
}

func (d dict) decode(value []byte) (*bucket, error) {
	in := decoder{b: value}
	b := &bucket{split: in.bool()}
	n := in.count()
	b.entries = make([]dictEntry, 0, n+1)
	for range n {
		b.entries = append(b.entries, dictEntry{in.raw(d.keyLen), in.uint()})
	}
	return b, in.end("dictionary bucket")
}

// txKey is the part of a transaction's hash that its dictionary keeps; the
// record has the whole of it.
func txKey(id []byte) []byte { return id[:8:8] }
