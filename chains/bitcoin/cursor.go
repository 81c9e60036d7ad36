package bitcoin

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/spoortrace/spoor/ledger"
)

// cursor reads fields off the front of a byte slice without copying. The first
// read beyond the end, or of an integer that is not in its shortest form, sets
// err; every later read returns zero.
type cursor struct {
	data []byte
	at   int
	err  error
}

func (c *cursor) fail(want string) {
	if c.err == nil {
		c.err = ledger.Invalid(fmt.Sprintf("byte %d", c.at), want, fmt.Sprintf("%d bytes more", len(c.data)-c.at))
	}
}

// left returns the bytes that are not read yet; 0 after an error.
func (c *cursor) left() int {
	if c.err != nil {
		return 0
	}
	return len(c.data) - c.at
}

func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(c.left()) {
		c.fail(fmt.Sprintf("%d bytes", n))
		return nil
	}
	b := c.data[c.at : c.at+int(n) : c.at+int(n)]
	c.at += int(n)
	return b
}

func (c *cursor) byte() byte {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// compactSize reads a count or length in its shortest form, as Bitcoin demands.
func (c *cursor) compactSize() uint64 {
	first := c.byte()
	var n, least uint64
	switch first {
	case 0xfd:
		if b := c.bytes(2); b != nil {
			n, least = uint64(binary.LittleEndian.Uint16(b)), 0xfd
		}
	case 0xfe:
		n, least = uint64(c.uint32()), 0x10000
	case 0xff:
		n, least = c.uint64(), 0x100000000
	default:
		n = uint64(first)
	}
	if n < least {
		c.fail("an integer in its shortest form")
	}
	return n
}

// count reads the number of items that follow, each of at least size bytes, so
// that a hostile count never makes a large slice.
func (c *cursor) count(size int) int {
	n := c.compactSize()
	if n > uint64(c.left()/size) {
		c.fail(fmt.Sprintf("%d items of at least %d bytes", n, size))
		return 0
	}
	return int(n)
}

// script reads a length and as many bytes.
func (c *cursor) script() []byte { return c.bytes(c.compactSize()) }

// varInt reads the integer form of Bitcoin Core's undo files (serialize.h,
// VARINT): seven bits a byte, most significant first, one added at each step.
func (c *cursor) varInt() uint64 {
	var n uint64
	for {
		b := c.byte()
		if n > math.MaxUint64>>7 {
			c.fail("an integer of 64 bits")
			return 0
		}
		n = n<<7 | uint64(b&0x7f)
		if b&0x80 == 0 {
			return n
		}
		if n == math.MaxUint64 {
			c.fail("an integer of 64 bits")
			return 0
		}
		n++
	}
}
