package store

import (
	"encoding/binary"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// The key table. Integers in keys are big-endian, ids count from 1 in the order
// of first appearance, B is the bucket of a height: height >> blockBucket, in
// an export height >> exportBucket. docs/format.md has the values.
//
//	partition              sort             value
//	p                      head             the pointer: tip, folded height, counters, ranges, sums
//	m                      meta             claims, kept files, claimed asset names (bound by its hash in the head)
//	o                      height hash part a block of the tip overlay, in parts
//	b B                    height           a block of the base: header, digests, where its raw form lies
//	d                      B                number of blocks in partition b B
//	r H (height >> recordBits)  position part  part 0: the transaction and its first outputs; part n: further outputs
//	t depth prefix         -                txid dictionary: first 8 bytes of the hash -> position
//	h depth prefix         -                address dictionary: key -> address id
//	i row                  -                32 addresses: kind and payload
//	x id                   -                one long script of table i
//	s depth prefix         -                asset dictionary: SHA-256 of its name -> asset id
//	n row                  -                32 assets
//	a id                   0                home row of an address: number of assets, account of the first one
//	a id                   1                the asset ids of an address that holds several
//	a id                   asset+2          account of every further asset
//	y id                   asset            the distinct payees of an account
//	e id asset B           first point      a sealed group of at most 256 events
const (
	tableHead    = 'p'
	tableMeta    = 'm'
	tableOverlay = 'o'
	tableBlock   = 'b'
	tableBlocks  = 'd'
	tableRecord  = 'r'
	tableTxID    = 't'
	tableAddress = 'h'
	tableAddrOf  = 'i'
	tableScript  = 'x'
	tableAsset   = 's'
	tableAssetOf = 'n'
	tableAccount = 'a'
	tablePayees  = 'y'
	tableEvents  = 'e'
)

// The widths of buckets, in bits of a height: about 65,000 blocks and 50 days of
// milliseconds for lists, 64 blocks and 18 hours for records.
const (
	blockBucket   = 16
	exportBucket  = 32
	recordBlocks  = 6
	recordExports = 26
)

// key names a row.
type key struct{ partition, sort []byte }

// String prints the table and both parts in hex.
func (k key) String() string {
	if len(k.partition) == 0 {
		return "without a table"
	}
	return fmt.Sprintf("%c:%x/%x", k.partition[0], k.partition[1:], k.sort)
}

func partition(table byte, ids ...uint64) []byte {
	p := make([]byte, 1, 1+8*len(ids))
	p[0] = table
	for _, id := range ids {
		p = binary.BigEndian.AppendUint64(p, id)
	}
	return p
}

func be64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func headKey() key { return key{[]byte{tableHead}, []byte("head")} }
func metaKey() key { return key{[]byte{tableMeta}, []byte("meta")} }

// layout fixes the bucket widths of one network.
type layout struct{ export bool }

func (l layout) bucket(height uint64) uint64 {
	if l.export {
		return height >> exportBucket
	}
	return height >> blockBucket
}

func (l layout) blockKey(height uint64) key {
	return key{partition(tableBlock, l.bucket(height)), be64(height)}
}

func (l layout) recordKey(pos ledger.Position, part uint32) key {
	h := pos.Height() >> recordBlocks
	if l.export {
		h = pos.Height() >> recordExports
	}
	return key{partition(tableRecord, h), binary.BigEndian.AppendUint32(be64(uint64(pos)), part)}
}

func blocksKey(bucket uint64) key { return key{[]byte{tableBlocks}, be64(bucket)} }

func overlayKey(height uint64, hash ledger.Hash, part uint32) key {
	return key{[]byte{tableOverlay}, binary.BigEndian.AppendUint32(append(be64(height), hash[:]...), part)}
}

func homeKey(addr uint64) key   { return key{partition(tableAccount, addr), be64(0)} }
func assetsKey(addr uint64) key { return key{partition(tableAccount, addr), be64(1)} }

func accountKey(addr, asset uint64) key {
	return key{partition(tableAccount, addr), be64(asset + 2)}
}

func payeesKey(addr, asset uint64) key { return key{partition(tablePayees, addr), be64(asset)} }

func (l layout) groupKey(addr, asset uint64, first ledger.Point) key {
	return key{partition(tableEvents, addr, asset, l.bucket(first.Pos.Height())), pointSort(first)}
}

func pointSort(p ledger.Point) []byte {
	return binary.BigEndian.AppendUint32(be64(uint64(p.Pos)), p.Slot)
}

// beOf reads a big-endian integer of at most 8 bytes.
func beOf(b []byte) (v uint64) {
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}
