package main

import (
	"errors"
	"fmt"
	"math/big"
)

// rlpItem is an item of Ethereum's serialisation (yellow paper, appendix B).
type rlpItem struct {
	list  bool
	body  []byte
	whole []byte // with its prefix
}

var errRLP = errors.New("bytes that are no RLP in its shortest form")

// rlpSplit takes the first item off the bytes. An item has one serialisation; every other is refused.
func rlpSplit(b []byte) (it rlpItem, rest []byte, err error) {
	if len(b) == 0 {
		return it, nil, errRLP
	}
	kind, from := b[0], 1
	var size int
	switch {
	case kind < 0x80:
		return rlpItem{body: b[:1], whole: b[:1]}, b[1:], nil
	case kind < 0xb8:
		size = int(kind - 0x80)
	case kind < 0xc0:
		from, size, err = rlpLong(b, int(kind-0xb7))
	case kind < 0xf8:
		size = int(kind - 0xc0)
	default:
		from, size, err = rlpLong(b, int(kind-0xf7))
	}
	if err != nil || size > len(b)-from {
		return it, nil, errRLP
	}
	it = rlpItem{kind >= 0xc0, b[from : from+size], b[:from+size]}
	if kind == 0x81 && it.body[0] < 0x80 {
		return it, nil, errRLP
	}
	return it, b[from+size:], nil
}

// rlpLong reads a length of n bytes behind the prefix.
func rlpLong(b []byte, n int) (from, size int, err error) {
	if len(b) <= n || b[1] == 0 || n > 4 {
		return 0, 0, errRLP
	}
	for _, c := range b[1 : 1+n] {
		size = size<<8 | int(c)
	}
	if size < 56 {
		return 0, 0, errRLP
	}
	return 1 + n, size, nil
}

// rlpItems reads items until the bytes end.
func rlpItems(b []byte) (all []rlpItem, err error) {
	for len(b) > 0 {
		var it rlpItem
		if it, b, err = rlpSplit(b); err != nil {
			return nil, err
		}
		all = append(all, it)
	}
	return all, nil
}

// rlpList reads bytes that are one list and nothing more.
func rlpList(b []byte) ([]rlpItem, error) {
	it, rest, err := rlpSplit(b)
	if err != nil {
		return nil, err
	}
	if !it.list || len(rest) > 0 {
		return nil, errors.New("bytes that are not one RLP list")
	}
	return rlpItems(it.body)
}

// number reads an unsigned number of up to so many bytes, without leading zeros.
func (it rlpItem) number(bytes int) (*big.Int, error) {
	if it.list || len(it.body) > bytes || len(it.body) > 0 && it.body[0] == 0 {
		return nil, fmt.Errorf("%x, which is no number of %d bytes", it.whole, bytes)
	}
	return new(big.Int).SetBytes(it.body), nil
}

// size reads a number of up to 64 bits.
func (it rlpItem) size() (uint64, error) {
	n, err := it.number(8)
	if err != nil {
		return 0, err
	}
	return n.Uint64(), nil
}

// rlpBytes serialises a string.
func rlpBytes(b []byte) []byte {
	if len(b) == 1 && b[0] < 0x80 {
		return b
	}
	return append(rlpPrefix(0x80, len(b)), b...)
}

func rlpNumber(n uint64) []byte { return rlpBytes(new(big.Int).SetUint64(n).Bytes()) }

// rlpJoin serialises a list of serialised items.
func rlpJoin(items ...[]byte) []byte {
	var body []byte
	for _, it := range items {
		body = append(body, it...)
	}
	return append(rlpPrefix(0xc0, len(body)), body...)
}

func rlpPrefix(kind byte, size int) []byte {
	if size < 56 {
		return []byte{kind + byte(size)}
	}
	length := big.NewInt(int64(size)).Bytes()
	return append([]byte{kind + 55 + byte(len(length))}, length...)
}
