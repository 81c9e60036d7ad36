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

// after makes an empty block after another, three seconds later. Different branches have different ids.
func after(parent []byte, branch byte) []byte {
	const slot = 3000
	above := at(parent, 2, 1)
	raw := putNumber(nil, 1, number(above, 1)+slot)
	raw = putBytes(raw, 2, make([]byte, 32))
	raw = putBytes(raw, 3, idOf(parent))
	raw = putNumber(raw, 7, number(above, 7)+1)
	raw = putBytes(raw, 9, append([]byte{0x41, branch}, make([]byte, 19)...))
	seed := sha256.Sum256([]byte("a producer of test blocks"))
	key, _ := btcec.PrivKeyFromBytes(seed[:])
	digest := sha256.Sum256(raw)
	c := ecdsa.SignCompact(key, digest[:], false)
	header := putBytes(putBytes(nil, 1, raw), 2, append(c[1:], c[0]-27))
	block := putBytes(nil, 2, header)
	return putBytes(block, 3, idOf(block))
}
