package proof

import (
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// ethereumHeader is what is read of a header; forks add fields at its end.
type ethereumHeader struct {
	hash        ledger.Hash
	txRoot      [32]byte
	receiptRoot [32]byte
	height      uint64
	time        int64 // Unix milliseconds
}

// readEthereumHeader reads a header's RLP.
func readEthereumHeader(b []byte) (ethereumHeader, error) {
	const txRoot, receiptRoot, number, timestamp, least = 4, 5, 8, 11, 15
	all, err := readList("header", b)
	if err != nil {
		return ethereumHeader{}, err
	}
	if len(all) < least || !all[txRoot].fixed(32) || !all[receiptRoot].fixed(32) {
		return ethereumHeader{}, ledger.Invalid("header", "at least 15 fields with two roots", fmt.Sprintf("%d fields", len(all)))
	}
	height, ok1 := all[number].integer()
	seconds, ok2 := all[timestamp].integer()
	if !ok1 || !ok2 || seconds > 1<<53 {
		return ethereumHeader{}, ledger.Invalid("header", "a number and a time in seconds", fmt.Sprintf("%x and %x", all[number].raw, all[timestamp].raw))
	}
	return ethereumHeader{
		hash: ledger.Hash(keccak(b)), txRoot: [32]byte(all[txRoot].body), receiptRoot: [32]byte(all[receiptRoot].body), height: height, time: int64(seconds) * 1000,
	}, nil
}
