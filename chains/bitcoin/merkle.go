package bitcoin

import (
	"crypto/sha256"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// commitmentPrefix begins the output script that holds a block's witness
// commitment (BIP 141): OP_RETURN, a push of 36 bytes, four bytes of tag.
func commitmentPrefix() []byte { return []byte{0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed} }

// merkleRoot returns the root over hashes in computed order, which it overwrites.
// repeated reports two equal neighbours that were hashed as a pair: the tree of
// a shorter list with its tail repeated has the same root (CVE-2012-2459).
func merkleRoot(hashes [][32]byte) (root [32]byte, repeated bool) {
	var pair [64]byte
	for len(hashes) > 1 {
		half := 0
		for i := 0; i < len(hashes); i += 2 {
			right := min(i+1, len(hashes)-1)
			repeated = repeated || (right > i && hashes[i] == hashes[right])
			copy(pair[:32], hashes[i][:])
			copy(pair[32:], hashes[right][:])
			first := sha256.Sum256(pair[:])
			hashes[half] = sha256.Sum256(first[:])
			half++
		}
		hashes = hashes[:half]
	}
	return hashes[0], repeated
}

// checkMerkle proves the list of transactions against the header.
//
// A transaction of 64 bytes could stand for an inner node of the tree, and a
// list of inner nodes for a block. The first node would have to read as a
// coinbase, which fixes 224 bits of a hash; that the first transaction is a
// coinbase is therefore proof enough (Bitcoin Core, IsBlockMutated).
func checkMerkle(h Header, txs []transaction) error {
	hashes := make([][32]byte, len(txs))
	for i := range txs {
		hashes[i] = txs[i].id
	}
	root, repeated := merkleRoot(hashes)
	if repeated {
		return ledger.Invalid("block "+h.Hash.String(), "each transaction once (CVE-2012-2459)", "a repeated pair in the merkle tree")
	}
	if got := ledger.Hash(printed(root)); got != h.Merkle {
		return ledger.Invalid("block "+h.Hash.String(), "transactions of merkle root "+h.Merkle.String(), got.String())
	}
	return nil
}

// checkWitness proves the witnesses against the commitment in the coinbase. A
// block without any witness needs none: a commitment over nothing was common
// before SegWit, and a block stripped of its witnesses has the same transactions.
func checkWitness(h Header, txs []transaction) error {
	first := -1
	hashes := make([][32]byte, len(txs))
	for i := range txs {
		if txs[i].hasWitness && first < 0 {
			first = i
		}
		hashes[i] = txs[i].wid
	}
	if first < 0 {
		return nil
	}
	field, coinbase := "block "+h.Hash.String(), &txs[0]
	if coinbase.commitment == nil {
		return ledger.Invalid(field, "a witness commitment in the coinbase (BIP 141)", fmt.Sprintf("none, and a witness in transaction %d", first))
	}
	if len(coinbase.witness) != 1 || len(coinbase.witness[0]) != 32 {
		return ledger.Invalid(field, "one item of 32 bytes as the witness of the coinbase (BIP 141)", fmt.Sprintf("%d items", len(coinbase.witness)))
	}
	hashes[0] = [32]byte{} // the coinbase cannot commit to itself
	root, _ := merkleRoot(hashes)
	if got := doubleHash(append(root[:], coinbase.witness[0]...)); got != [32]byte(coinbase.commitment) {
		return ledger.Invalid(field, fmt.Sprintf("witnesses of the commitment %x", coinbase.commitment), fmt.Sprintf("%x", got))
	}
	return nil
}
