package chainlog

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is what is needed of an RFC 6962 Merkle tree to add records and to know
// its root: the roots of its complete subtrees, the largest first, one for each
// 1 in the binary form of its size.
type tree struct {
	size uint64
	edge []tlog.Hash
}

// with returns the tree with one more record. The receiver is not changed.
func (t tree) with(record []byte) tree {
	h := tlog.RecordHash(record)
	edge := append([]tlog.Hash{}, t.edge...)
	for n := t.size; n&1 == 1; n >>= 1 {
		h = tlog.NodeHash(edge[len(edge)-1], h)
		edge = edge[:len(edge)-1]
	}
	return tree{t.size + 1, append(edge, h)}
}

// root is the tree's hash; that of an empty one is SHA-256 of nothing.
func (t tree) root() tlog.Hash {
	if len(t.edge) == 0 {
		return sha256.Sum256(nil)
	}
	h := t.edge[len(t.edge)-1]
	for i := len(t.edge) - 2; i >= 0; i-- {
		h = tlog.NodeHash(t.edge[i], h)
	}
	return h
}
