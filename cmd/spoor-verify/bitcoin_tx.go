package main

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// mostSatoshi is 21 million coins, which no sum exceeds.
const mostSatoshi = 21_000_000 * 100_000_000

// bitcoinTx is a transaction without its witness.
type bitcoinTx struct {
	id      [32]byte // in the order in which it is computed
	inputs  []bitcoinInput
	outputs []bitcoinOutput
	script  []byte // of the first input
}

type bitcoinInput struct {
	tx    [32]byte // in the order in which it is computed
	index uint32
}

type bitcoinOutput struct {
	value  uint64
	script []byte
}

func (in bitcoinInput) printed() string {
	h := printedOrder(in.tx)
	return hex.EncodeToString(h[:])
}

// isCoinbase says that it spends nothing.
func (t *bitcoinTx) isCoinbase() bool {
	return len(t.inputs) == 1 && t.inputs[0] == bitcoinInput{index: 0xffffffff}
}

// readBitcoinTx reads bytes that are a transaction without witness and nothing more, and whose id is therefore their hash. Two hashes of a
// merkle tree have 64 bytes, which no transaction may have.
func readBitcoinTx(b []byte) (t bitcoinTx, err error) {
	r := &bytesReader{left: b}
	r.take(4)
	for range r.count(41) {
		in := bitcoinInput{tx: r.hash(), index: uint32(r.number(4))}
		script := r.take(r.size())
		r.take(4)
		if len(t.inputs) == 0 {
			t.script = script
		}
		t.inputs = append(t.inputs, in)
	}
	var sum uint64
	for range r.count(9) {
		out := bitcoinOutput{value: r.number(8), script: r.take(r.size())}
		if out.value > mostSatoshi || sum+out.value > mostSatoshi {
			return t, errors.New("a transaction that pays more than 21 million coins")
		}
		sum += out.value
		t.outputs = append(t.outputs, out)
	}
	r.take(4)
	if r.short || len(r.left) > 0 || len(b) == 64 || len(t.inputs) == 0 || len(t.outputs) == 0 {
		return t, errors.New("bytes that are not one transaction without witness")
	}
	t.id = doubleSHA256(b)
	return t, nil
}

// statedHeight is the height that a coinbase's script begins with (BIP 34): the shortest push of a number; 0 for anything else.
func (t *bitcoinTx) statedHeight() uint64 {
	if len(t.script) == 0 {
		return 0
	}
	n := int(t.script[0])
	if n > 0x50 && n <= 0x60 {
		return uint64(n - 0x50)
	}
	if n == 0 || n > 4 || n >= len(t.script) {
		return 0
	}
	var le [8]byte
	copy(le[:], t.script[1:1+n])
	height := binary.LittleEndian.Uint64(le[:])
	// The top bit is the sign. Without it the number must need all n bytes, and be none of those that have a code of their own.
	if height>>(8*n-1) != 0 || height <= 16 || n > 1 && height>>(8*n-9) == 0 {
		return 0
	}
	return height
}

// bytesReader takes bytes off the front; what it cannot take it remembers in short, and answers with zero.
type bytesReader struct {
	left  []byte
	short bool
}

func (r *bytesReader) take(n uint64) []byte {
	if r.short || n > uint64(len(r.left)) {
		r.short = true
		return nil
	}
	b := r.left[:n]
	r.left = r.left[n:]
	return b
}

func (r *bytesReader) hash() (h [32]byte) {
	copy(h[:], r.take(32))
	return h
}

// number reads n bytes, the least first.
func (r *bytesReader) number(n uint64) uint64 {
	var le [8]byte
	copy(le[:], r.take(n))
	return binary.LittleEndian.Uint64(le[:])
}

// size reads a length in its shortest form.
func (r *bytesReader) size() uint64 {
	first := r.number(1)
	if first < 0xfd {
		return first
	}
	bytes := uint64(2) << (first - 0xfd)
	n := r.number(bytes)
	if n < 0xfd || bytes > 2 && n>>(4*bytes) == 0 {
		r.short = true
	}
	return n
}

// count reads how many things of at least so many bytes follow.
func (r *bytesReader) count(least int) uint64 {
	n := r.size()
	if r.short || n > uint64(len(r.left)/least) {
		r.short = true
		return 0
	}
	return n
}
