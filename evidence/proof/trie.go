package proof

import (
	"bytes"
	"fmt"

	"golang.org/x/crypto/sha3"

	"github.com/spoortrace/spoor/ledger"
)

func keccak(parts ...[]byte) [32]byte {
	h := sha3.NewLegacyKeccak256()
	for _, p := range parts {
		h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}

// verifyTrie walks a Merkle-Patricia trie (yellow paper, appendix D) from its root to the value of an index, over the nodes of the way and no others.
func verifyTrie(field string, root [32]byte, index uint64, nodes [][]byte) ([]byte, error) {
	key := nibbles(putInteger(index))
	next := item{body: root[:]}
	for {
		node := next.raw
		if !next.list { // a hash; smaller nodes stand in their parents
			if len(nodes) == 0 || keccak(nodes[0]) != [32]byte(next.body) {
				return nil, ledger.Invalid(field, fmt.Sprintf("a node of hash %x", next.body), fmt.Sprintf("%d nodes more", len(nodes)))
			}
			node, nodes = nodes[0], nodes[1:]
		}
		parts, err := readList(field, node)
		if err != nil {
			return nil, err
		}
		var done bool
		if next, key, done, err = step(field, parts, key); err != nil {
			return nil, err
		}
		if !done {
			continue
		}
		if len(nodes) > 0 {
			return nil, ledger.Invalid(field, "the nodes of the way and no others", fmt.Sprintf("%d more", len(nodes)))
		}
		return next.body, nil
	}
}

// step goes one node down; done says that the value was reached.
func step(field string, parts []item, key []byte) (next item, rest []byte, done bool, err error) {
	switch {
	case len(parts) == 17 && len(key) == 0:
		next, done = parts[16], true
	case len(parts) == 17:
		next, rest = parts[key[0]], key[1:]
	case len(parts) == 2:
		path, leaf, ok := unpack(parts[0])
		if !ok || !bytes.HasPrefix(key, path) || leaf && len(path) != len(key) || !leaf && len(path) == 0 {
			return next, nil, false, ledger.Invalid(field, fmt.Sprintf("a node on the way %x", key), fmt.Sprintf("%x", parts[0].body))
		}
		next, rest, done = parts[1], key[len(path):], leaf
	default:
		return next, nil, false, ledger.Invalid(field, "a node of 2 or 17 parts", fmt.Sprint(len(parts)))
	}
	if done && (next.list || len(next.body) == 0) || !done && !next.list && len(next.body) != 32 {
		return next, nil, false, ledger.Invalid(field, "a value or a node", fmt.Sprintf("%x", next.raw))
	}
	return next, rest, done, nil
}

// unpack reads the compact form of a path: a flag for a leaf, one for an odd number of nibbles.
func unpack(it item) (path []byte, leaf, ok bool) {
	if it.list || len(it.body) == 0 || it.body[0] > 0x3f {
		return nil, false, false
	}
	all := nibbles(it.body)
	leaf = all[0]&2 != 0
	if all[0]&1 != 0 {
		return all[1:], leaf, true
	}
	return all[2:], leaf, all[1] == 0
}

func nibbles(b []byte) []byte {
	var all []byte
	for _, c := range b {
		all = append(all, c>>4, c&0xf)
	}
	return all
}
