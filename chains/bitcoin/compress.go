package bitcoin

import (
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/spoortrace/spoor/ledger"
)

// Kinds of compressed scripts (Bitcoin Core, compressor.h). 2 and 3 pay to a
// compressed public key; 4 and 5 to a whole one, of which x and the parity of y are kept.
const (
	kindKeyHash     = 0
	kindScriptHash  = 1
	kindKeyEven     = 2
	kindKeyOdd      = 3
	kindWholeEven   = 4
	kindWholeOdd    = 5
	specialKinds    = 6
	plainScript     = 255
	maxScriptLength = 10_000
)

// readCompressed reads a script in compressed form without expanding it.
func readCompressed(c *cursor) (kind byte, script []byte) {
	n := c.varInt()
	switch {
	case n <= kindScriptHash:
		return byte(n), c.bytes(20)
	case n < specialKinds:
		return byte(n), c.bytes(32)
	case n-specialKinds > maxScriptLength:
		// Such a script can never be spent, so that Core reads it as a lone OP_RETURN.
		c.bytes(n - specialKinds)
		return plainScript, []byte{0x6a}
	}
	return plainScript, c.bytes(n - specialKinds)
}

// Script returns the output script of the coin. It fails where a compressed
// public key is no point of the curve; Core never writes such a one.
func (c Coin) Script() ([]byte, error) {
	const (
		opDup, opHash160, opEqual, opEqualVerify, opCheckSig = 0x76, 0xa9, 0x87, 0x88, 0xac
	)
	switch c.kind {
	case kindKeyHash:
		return append(append([]byte{opDup, opHash160, 20}, c.script...), opEqualVerify, opCheckSig), nil
	case kindScriptHash:
		return append(append([]byte{opHash160, 20}, c.script...), opEqual), nil
	case kindKeyEven, kindKeyOdd:
		return append(append([]byte{33, c.kind}, c.script...), opCheckSig), nil
	case kindWholeEven, kindWholeOdd:
		key, err := btcec.ParsePubKey(append([]byte{c.kind - 2}, c.script...))
		if err != nil {
			return nil, ledger.Invalid("compressed public key", "a point of secp256k1", fmt.Sprintf("%x", c.script))
		}
		return append(append([]byte{65}, key.SerializeUncompressed()...), opCheckSig), nil
	}
	return c.script, nil
}

// expandAmount undoes Core's CompressAmount, which keeps the last digit that is
// not zero and the number of zeros; false above 21 million coins.
func expandAmount(x uint64) (uint64, bool) {
	if x == 0 {
		return 0, true
	}
	x--
	zeros := x % 10
	x /= 10
	var n uint64
	if zeros < 9 {
		n = x/9*10 + x%9 + 1
	} else {
		n = x + 1
	}
	for range zeros {
		if n > maxMoney {
			return 0, false
		}
		n *= 10
	}
	return n, n <= maxMoney
}
