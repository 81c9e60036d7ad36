package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Sizes in bytes. The least ones bound counts, so that a hostile count makes no large slice.
const (
	headerSize = 80
	minInput   = 32 + 4 + 1 + 4
	minOutput  = 8 + 1
	minTx      = 4 + 1 + minInput + 1 + minOutput + 4
	innerNode  = 64 // what two hashes of a merkle tree have, and no transaction may have
)

// maxMoney is 21 million coins: no output and no sum exceeds it.
const maxMoney = 21_000_000 * 100_000_000

// bitcoinOut is an output as serialised.
type bitcoinOut struct {
	value  uint64
	script []byte
}

// bitcoinTx is a transaction without its witness.
type bitcoinTx struct {
	bytes   []byte   // stripped
	id      [32]byte // computed order
	inputs  []ledger.OutPoint
	outputs []bitcoinOut
	script  []byte // of the first input
}

func (t *bitcoinTx) printed() ledger.TxID {
	id := t.id
	slices.Reverse(id[:])
	return id
}

// coinbase reports a transaction that spends nothing.
func (t *bitcoinTx) coinbase() bool {
	return len(t.inputs) == 1 && t.inputs[0] == ledger.OutPoint{Index: 0xffffffff}
}

// readStripped reads a transaction that is nothing but itself: no witness, no byte more.
func readStripped(field string, b []byte) (bitcoinTx, error) {
	if len(b) == innerNode {
		return bitcoinTx{}, ledger.Invalid(field, "a transaction that is not of 64 bytes, as an inner node of the tree is", "64 bytes")
	}
	c := &cursor{data: b}
	t := c.tx()
	if c.err != nil {
		return t, ledger.Invalid(field, "a transaction", c.err.Error())
	}
	if c.at != len(b) || len(t.bytes) != len(b) {
		return t, ledger.Invalid(field, "one transaction without witness", "more")
	}
	return t, nil
}

// statedHeight reads the height at the front of a coinbase's script (BIP 34), in its shortest form; 0 for anything else.
func (t *bitcoinTx) statedHeight() uint64 {
	if len(t.script) == 0 {
		return 0
	}
	n := int(t.script[0])
	if n >= 0x51 && n <= 0x60 { // OP_1 to OP_16
		return uint64(n - 0x50)
	}
	if n < 1 || n > 4 || len(t.script) < 1+n {
		return 0
	}
	var height uint64
	for i := n; i > 0; i-- {
		height = height<<8 | uint64(t.script[i])
	}
	// The top bit is a sign, so that a number with it set takes a byte more.
	least, limit := uint64(17), uint64(0x80)<<(8*(n-1))
	if n > 1 {
		least = 0x80 << (8 * (n - 2))
	}
	if height < least || height >= limit {
		return 0
	}
	return height
}

func doubleHash(b []byte) [32]byte {
	first := sha256.Sum256(b)
	return sha256.Sum256(first[:])
}

func doublePair(left, right [32]byte) [32]byte {
	return doubleHash(append(left[:], right[:]...))
}

// cursor reads off the front of bytes. The first read that fails sets err; later ones return zero.
type cursor struct {
	data []byte
	at   int
	err  error
}

func (c *cursor) left() int {
	if c.err != nil {
		return 0
	}
	return len(c.data) - c.at
}

func (c *cursor) fail(want string) {
	if c.err == nil {
		c.err = ledger.Invalid("bytes", want, "less")
	}
}

func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(c.left()) {
		c.fail("more bytes")
		return nil
	}
	b := c.data[c.at : c.at+int(n) : c.at+int(n)]
	c.at += int(n)
	return b
}

// integer reads n little-endian bytes.
func (c *cursor) integer(n uint64) uint64 {
	var le [8]byte
	copy(le[:], c.bytes(n))
	return binary.LittleEndian.Uint64(le[:])
}

// size reads a count or length in its shortest form.
func (c *cursor) size() uint64 {
	n := c.integer(1)
	var least uint64
	switch n {
	case 0xfd:
		n, least = c.integer(2), 0xfd
	case 0xfe:
		n, least = c.integer(4), 1<<16
	case 0xff:
		n, least = c.integer(8), 1<<32
	}
	if n < least {
		c.fail("an integer in its shortest form")
	}
	return n
}

// count reads the number of items that follow, each of at least least bytes.
func (c *cursor) count(least int) int {
	n := c.size()
	if n > uint64(c.left()/least) {
		c.fail("as many items as counted")
		return 0
	}
	return int(n)
}

// tx reads a transaction; the witness is passed over.
func (c *cursor) tx() bitcoinTx {
	start := c.at
	c.bytes(4)
	witness := c.left() > 1 && c.data[c.at] == 0 && c.data[c.at+1] == 1
	if witness {
		c.bytes(2)
	}
	body := c.at
	var t bitcoinTx
	c.inputs(&t)
	c.outputs(&t)
	end := c.at
	for range t.inputs {
		if !witness {
			break
		}
		for range c.count(1) {
			c.bytes(c.size())
		}
	}
	c.bytes(4)
	if c.err != nil {
		return bitcoinTx{}
	}
	t.bytes = slices.Concat(c.data[start:start+4], c.data[body:end], c.data[c.at-4:c.at])
	t.id = doubleHash(t.bytes)
	return t
}

func (c *cursor) inputs(t *bitcoinTx) {
	for i := range c.count(minInput) {
		var in ledger.OutPoint
		copy(in.Tx[:], c.bytes(32))
		slices.Reverse(in.Tx[:])
		in.Index = uint32(c.integer(4))
		script := c.bytes(c.size())
		c.bytes(4)
		if i == 0 {
			t.script = script
		}
		t.inputs = append(t.inputs, in)
	}
	if len(t.inputs) == 0 {
		c.fail("an input")
	}
}

func (c *cursor) outputs(t *bitcoinTx) {
	var total uint64
	for range c.count(minOutput) {
		out := bitcoinOut{value: c.integer(8), script: c.bytes(c.size())}
		// Both are at most maxMoney, so that the sum cannot wrap.
		if out.value > maxMoney || total+out.value > maxMoney {
			c.fail("outputs of at most 21 million coins")
			return
		}
		total += out.value
		t.outputs = append(t.outputs, out)
	}
	if len(t.outputs) == 0 {
		c.fail("an output")
	}
}
