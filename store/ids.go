package store

import (
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Addresses and assets are interned: a dictionary leads from the hash to an id,
// a list of 32 entries a row from the id back to the thing itself. Ids are
// internal; nothing visible, hashed or sorted depends on them.
const (
	perRow    = 32
	longEntry = 256 // a longer script has a row of its own
)

func listKey(table byte, id uint64) key { return key{partition(table, id/perRow), nil} }

// decodeList returns the entries of a row of table i or n.
func decodeList(value []byte) ([][]byte, error) {
	in := decoder{b: value}
	entries := make([][]byte, in.count())
	for i := range entries {
		entries[i] = in.bytes()
	}
	return entries, in.end("id row")
}

func encodeList(entries [][]byte) []byte {
	var e encoder
	e.uint(uint64(len(entries)))
	for _, entry := range entries {
		e.bytes(entry)
	}
	return e.b
}

// listEntry reads one entry of a list. An id that was handed out must be there.
func listEntry(r rows, table byte, id uint64) ([]byte, error) {
	value, err := r.row(listKey(table, id))
	if errors.Is(err, ErrAbsent) {
		return nil, corrupt("id %d of table %c is missing", id, table)
	}
	if err != nil {
		return nil, err
	}
	in := decoder{b: value}
	n, at := in.count(), int(id%perRow)
	if at >= n {
		return nil, corrupt("id %d of table %c is missing", id, table)
	}
	for range at {
		in.bytes()
	}
	entry := in.bytes()
	if in.bad {
		return nil, corrupt("id row of %d", id)
	}
	return entry, nil
}

func encodeAddress(a ledger.Address) []byte { return append([]byte{byte(a.Kind)}, a.Payload...) }

// addressOf returns the address of an id; 0 is no address.
func addressOf(r rows, c ledger.Chain, id uint64) (ledger.Address, error) {
	if id == 0 {
		return ledger.Address{}, nil
	}
	entry, err := listEntry(r, tableAddrOf, id)
	if err != nil {
		return ledger.Address{}, err
	}
	if len(entry) == 0 { // a long script
		k := key{partition(tableScript, id), nil}
		if entry, err = r.row(k); err != nil {
			return ledger.Address{}, corrupt("script of id %d is missing", id)
		}
	}
	if len(entry) == 0 {
		return ledger.Address{}, corrupt("address of id %d is empty", id)
	}
	return ledger.Address{Chain: c, Kind: ledger.AddressKind(entry[0]), Payload: string(entry[1:])}, nil
}

func encodeAsset(a ledger.Asset) []byte {
	var e encoder
	e.address(a.Contract)
	e.string(a.TokenID)
	return e.b
}

func decodeAsset(c ledger.Chain, value []byte) (ledger.Asset, error) {
	in := decoder{b: value}
	a := ledger.Asset{Chain: c, Contract: in.address(c), TokenID: in.string()}
	return a, in.end("asset")
}

func assetHash(a ledger.Asset) []byte {
	h := sha256.Sum256(encodeAsset(a))
	return h[:]
}

func assetOf(r rows, c ledger.Chain, id uint64) (ledger.Asset, error) {
	entry, err := listEntry(r, tableAssetOf, id)
	if err != nil {
		return ledger.Asset{}, err
	}
	return decodeAsset(c, entry)
}

// dicts are the three dictionaries of a network.
type dicts struct{ tx, address, asset dict }

func dictsOf(c ledger.Chain) dicts {
	keyLen := 20
	if c.UTXO() {
		keyLen = 32
	}
	return dicts{dict{tableTxID, 8}, dict{tableAddress, keyLen}, dict{tableAsset, 32}}
}

// keyLen returns the bytes of a key of a dictionary, 0 for another table.
func (d dicts) keyLen(table byte) int {
	for _, d := range []dict{d.tx, d.address, d.asset} {
		if d.table == table {
			return d.keyLen
		}
	}
	return 0
}

// known returns the id of a key among those below next, 0 when it has none.
// What a torn batch wrote has an id at or above next and is not seen.
func known(d dict, r rows, hash []byte, next uint64) (uint64, error) {
	found, err := d.lookup(r, hash, next-1)
	if err != nil {
		return 0, err
	}
	if i := slices.IndexFunc(found, func(id uint64) bool { return id < next }); i >= 0 {
		return found[i], nil
	}
	return 0, nil
}
