package store

import (
	"errors"

	"github.com/spoortrace/spoor/ledger"
)

// addressID returns the id of an address, a fresh one at its first appearance.
func (b *batch) addressID(a ledger.Address) (uint64, error) {
	if a.IsZero() {
		return 0, nil
	}
	if id := b.ids[a]; id != 0 {
		return id, nil
	}
	hash := a.Key()
	found, err := b.dicts.address.find(b.loadBucket, hash, b.head.nextAddr-1)
	if err != nil {
		return 0, err
	}
	var id uint64
	if len(found) > 0 {
		id = found[0]
	} else if id, err = b.newAddress(a, hash); err != nil {
		return 0, err
	}
	b.ids[a], b.owners[id] = id, a
	return id, nil
}

func (b *batch) newAddress(a ledger.Address, hash []byte) (uint64, error) {
	id := b.head.nextAddr
	entry := encodeAddress(a)
	if len(entry) > longEntry {
		b.fix(key{partition(tableScript, id), nil}, entry)
		entry = nil
	}
	if err := b.append(tableAddrOf, id, entry); err != nil {
		return 0, err
	}
	if err := b.insert(b.dicts.address, hash, id, id-1); err != nil {
		return 0, err
	}
	b.homes[id] = &dirtyHome{dirty: true}
	b.head.nextAddr++
	return id, nil
}

func (b *batch) assetID(a ledger.Asset) (uint64, error) {
	if id := b.assets[a]; id != 0 {
		return id, nil
	}
	hash := assetHash(a)
	found, err := b.dicts.asset.find(b.loadBucket, hash, b.head.nextAsset-1)
	if err != nil {
		return 0, err
	}
	if len(found) > 0 {
		b.assets[a] = found[0]
		return found[0], nil
	}
	id := b.head.nextAsset
	if err := b.append(tableAssetOf, id, encodeAsset(a)); err != nil {
		return 0, err
	}
	if err := b.insert(b.dicts.asset, hash, id, id-1); err != nil {
		return 0, err
	}
	b.head.nextAsset++
	b.assets[a] = id
	return id, nil
}

// append puts an entry at the place of its id. Ids begin at 1: the first row
// has an empty entry for 0.
func (b *batch) append(table byte, id uint64, entry []byte) error {
	list, err := b.list(table, id/perRow)
	if err != nil {
		return err
	}
	if id == 1 && len(list.entries) == 0 {
		list.entries = append(list.entries, nil)
	}
	if uint64(len(list.entries)) != id%perRow {
		return corrupt("id row %d of table %c has %d entries before id %d", id/perRow, table, len(list.entries), id)
	}
	list.entries, list.dirty = append(list.entries, entry), true
	return nil
}

func (b *batch) list(table byte, row uint64) (*dirtyList, error) {
	ref := listRef{table, row}
	if list := b.lists[ref]; list != nil {
		return list, nil
	}
	list := &dirtyList{}
	value, err := b.rows.row(listKey(table, row*perRow))
	if err == nil {
		list.entries, err = decodeList(value)
	} else if errors.Is(err, ErrAbsent) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	b.lists[ref] = list
	return list, nil
}

func (b *batch) loadBucket(k key) (*bucket, error) {
	name := string(k.partition)
	if d := b.buckets[name]; d != nil {
		return d.bucket, nil
	}
	value, err := b.rows.row(k)
	if err != nil {
		return nil, err
	}
	loaded, err := dict{keyLen: b.dicts.keyLen(k.partition[0])}.decode(value)
	if err != nil {
		return nil, err
	}
	b.buckets[name] = &dirtyBucket{bucket: loaded, key: k}
	return loaded, nil
}

// insert adds to a dictionary that has about n entries.
func (b *batch) insert(d dict, hash []byte, value, n uint64) error {
	return d.insert(b.loadBucket, func(k key, changed *bucket) {
		b.buckets[string(k.partition)] = &dirtyBucket{changed, k, true}
	}, hash, value, n)
}
