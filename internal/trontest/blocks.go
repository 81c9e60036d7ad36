package trontest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
)

// Height is that of the real block.
const Height = 79072107

//go:embed testdata/*.gz
var recorded embed.FS

// Recorded is a BlockExtention as java-tron answers it: of height 0 or Height.
func Recorded(height uint64) ([]byte, error) {
	packed, err := recorded.ReadFile(fmt.Sprintf("testdata/block-%d.pb.gz", height))
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// idOf is a block's id: its height in the first eight bytes of the hash of its header.
func idOf(block []byte) []byte {
	raw := at(block, 2, 1)
	id := sha256.Sum256(raw)
	binary.BigEndian.PutUint64(id[:8], number(raw, 7))
	return id[:]
}

// after makes a block after another, three seconds later. That of branch 0 is empty, those of others have a few transfers.
func after(parent []byte, branch byte) []byte {
	const slot = 3000
	above := at(parent, 2, 1)
	height := number(above, 7) + 1
	var txs [][]byte
	for i := range uint64(branch % 4) {
		txs = append(txs, pay(height, branch, i))
	}
	raw := putNumber(nil, 1, number(above, 1)+slot)
	raw = putBytes(raw, 2, rootOf(txs))
	raw = putBytes(raw, 3, idOf(parent))
	raw = putNumber(raw, 7, height)
	raw = putBytes(raw, 9, append([]byte{0x41, branch}, make([]byte, 19)...))
	seed := sha256.Sum256([]byte("a producer of test blocks"))
	key, _ := btcec.PrivKeyFromBytes(seed[:])
	digest := sha256.Sum256(raw)
	c := ecdsa.SignCompact(key, digest[:], false)
	header := putBytes(putBytes(nil, 1, raw), 2, append(c[1:], c[0]-27))
	var block []byte
	for _, tx := range txs {
		id := sha256.Sum256(at(tx, 1))
		block = putBytes(block, 1, putBytes(putBytes(nil, 1, tx), 2, id[:]))
	}
	block = putBytes(block, 2, header)
	return putBytes(block, 3, idOf(block))
}

// pay makes a transfer of TRX among eight accounts, unsigned: no reader checks that.
func pay(height uint64, branch byte, i uint64) []byte {
	who := func(n uint64) []byte { return append([]byte{0x41, byte(n % 8)}, make([]byte, 19)...) }
	value := putBytes(putBytes(nil, 1, who(height+i)), 2, who(height*uint64(branch)+i+1))
	value = putNumber(value, 3, 1_000_000*uint64(branch)+height%1000)
	contract := putBytes(putNumber(nil, 1, 1), 2, putBytes(nil, 2, value))
	raw := putNumber(putBytes(nil, 11, contract), 14, height<<16|uint64(branch)<<8|i)
	return putBytes(putBytes(nil, 1, raw), 5, putNumber(nil, 3, 1))
}

// rootOf is java-tron's merkle root of transactions; zeros of none.
func rootOf(txs [][]byte) []byte {
	if len(txs) == 0 {
		return make([]byte, 32)
	}
	level := make([][]byte, len(txs))
	for i, tx := range txs {
		leaf := sha256.Sum256(tx)
		level[i] = leaf[:]
	}
	for len(level) > 1 {
		var next [][]byte
		for ; len(level) > 1; level = level[2:] {
			pair := sha256.Sum256(append(bytes.Clone(level[0]), level[1]...))
			next = append(next, pair[:])
		}
		level = append(next, level...)
	}
	return level[0]
}
