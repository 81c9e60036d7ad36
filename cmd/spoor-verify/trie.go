package main

import (
	"bytes"
	"errors"
	"fmt"
)

var errTrie = errors.New("a node that is none of a trie")

// trieValue follows the key of a place from a root (yellow paper, appendix D) and returns what lies there. The nodes are those of the way, the
// root first; each must be the one whose hash its parent names, and none may be left over. A node of fewer than 32 bytes lies in its parent.
func trieValue(root [32]byte, place uint64, nodes [][]byte) ([]byte, error) {
	var key []byte
	for _, c := range rlpNumber(place) {
		key = append(key, c>>4, c&15)
	}
	next := rlpItem{body: root[:]}
	for {
		whole := next.whole
		if !next.list {
			if len(next.body) != 32 || len(nodes) == 0 {
				return nil, fmt.Errorf("%d nodes are left where %x is to be opened", len(nodes), next.body)
			}
			if sum := keccak256(nodes[0]); !bytes.Equal(sum[:], next.body) {
				return nil, fmt.Errorf("a node of hash %x where %x is named", sum, next.body)
			}
			whole, nodes = nodes[0], nodes[1:]
		}
		parts, err := rlpList(whole)
		if err != nil {
			return nil, err
		}
		var end bool
		if next, key, end, err = trieStep(parts, key); err != nil {
			return nil, err
		}
		if !end {
			continue
		}
		if next.list || len(next.body) == 0 || len(nodes) > 0 {
			return nil, fmt.Errorf("a way that ends with %x, with %d nodes left over", next.whole, len(nodes))
		}
		return next.body, nil
	}
}

// trieStep goes from a node towards the key; end says that next is the value.
func trieStep(parts []rlpItem, key []byte) (next rlpItem, rest []byte, end bool, err error) {
	if len(parts) == 17 {
		if len(key) == 0 {
			return parts[16], nil, true, nil
		}
		return parts[key[0]], key[1:], false, nil
	}
	if len(parts) != 2 || parts[0].list || len(parts[0].body) == 0 {
		return next, nil, false, errTrie
	}
	flags, path := parts[0].body[0], []byte(nil)
	if flags>>4 > 3 || flags>>4&1 == 0 && flags&15 != 0 {
		return next, nil, false, errTrie
	}
	if flags>>4&1 == 1 {
		path = append(path, flags&15)
	}
	for _, c := range parts[0].body[1:] {
		path = append(path, c>>4, c&15)
	}
	leaf := flags>>4 >= 2
	if !bytes.HasPrefix(key, path) || leaf && len(path) != len(key) || !leaf && len(path) == 0 {
		return next, nil, false, fmt.Errorf("a node of %x, which is not on the way %x", path, key)
	}
	return parts[1], key[len(path):], leaf, nil
}
