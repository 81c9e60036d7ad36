package proof

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// item is one RLP item (Ethereum's yellow paper, appendix B).
type item struct {
	list bool
	body []byte // without its prefix
	raw  []byte // with it
}

// readItem reads the first item of b and returns the rest. Every item has one encoding; others are refused.
func readItem(b []byte) (item, []byte, error) {
	if len(b) == 0 {
		return item{}, nil, ledger.Invalid("rlp", "an item", "nothing")
	}
	first := b[0]
	if first < 0x80 {
		return item{body: b[:1], raw: b[:1]}, b[1:], nil
	}
	list := first >= 0xc0
	short := uint64(first & 0x3f)
	at, size := uint64(1), short
	if short > 55 {
		at += short - 55
		if at > uint64(len(b)) || b[1] == 0 {
			return item{}, nil, ledger.Invalid("rlp", "a length in its shortest form", fmt.Sprintf("%d bytes", len(b)))
		}
		var be [8]byte
		copy(be[8-(at-1):], b[1:at])
		if size = binary.BigEndian.Uint64(be[:]); size <= 55 {
			return item{}, nil, ledger.Invalid("rlp", "a length in its shortest form", fmt.Sprint(size))
		}
	}
	if size > uint64(len(b))-at {
		return item{}, nil, ledger.Invalid("rlp", fmt.Sprintf("an item of %d bytes", size), fmt.Sprintf("%d bytes", uint64(len(b))-at))
	}
	it := item{list: list, body: b[at : at+size], raw: b[:at+size]}
	if !list && size == 1 && it.body[0] < 0x80 {
		return item{}, nil, ledger.Invalid("rlp", "a small byte as itself", fmt.Sprintf("%x", it.raw))
	}
	return it, b[at+size:], nil
}

// readItems reads items until nothing is left.
func readItems(b []byte) ([]item, error) {
	var all []item
	for len(b) > 0 {
		it, rest, err := readItem(b)
		if err != nil {
			return nil, err
		}
		all, b = append(all, it), rest
	}
	return all, nil
}

// readList reads bytes that are one list and returns its items.
func readList(field string, b []byte) ([]item, error) {
	it, rest, err := readItem(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	if !it.list || len(rest) > 0 {
		return nil, ledger.Invalid(field, "one list", fmt.Sprintf("%d bytes", len(b)))
	}
	all, err := readItems(it.body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return all, nil
}

// fixed reports a string of n bytes.
func (it item) fixed(n int) bool { return !it.list && len(it.body) == n }

// integer reads a big-endian number without leading zeros, of up to 64 bits.
func (it item) integer() (uint64, bool) {
	if it.list || len(it.body) > 8 || len(it.body) > 0 && it.body[0] == 0 {
		return 0, false
	}
	var be [8]byte
	copy(be[8-len(it.body):], it.body)
	return binary.BigEndian.Uint64(be[:]), true
}

// wide reads a number of up to 256 bits into 32 bytes.
func (it item) wide() ([32]byte, bool) {
	var be [32]byte
	if it.list || len(it.body) > 32 || len(it.body) > 0 && it.body[0] == 0 {
		return be, false
	}
	copy(be[32-len(it.body):], it.body)
	return be, true
}

// putList writes a list of items that are encoded already.
func putList(items ...[]byte) []byte {
	body := slices.Concat(items...)
	return append(prefix(0xc0, len(body)), body...)
}

// putInteger writes a number.
func putInteger(n uint64) []byte {
	if n > 0 && n < 0x80 {
		return []byte{byte(n)}
	}
	be := shortest(n)
	return append(prefix(0x80, len(be)), be...)
}

func prefix(kind byte, size int) []byte {
	if size <= 55 {
		return []byte{kind + byte(size)}
	}
	be := shortest(uint64(size))
	return append([]byte{kind + 55 + byte(len(be))}, be...)
}

// shortest is a number without leading zeros; nothing for 0.
func shortest(n uint64) []byte {
	be := binary.BigEndian.AppendUint64(nil, n)
	for len(be) > 0 && be[0] == 0 {
		be = be[1:]
	}
	return be
}
