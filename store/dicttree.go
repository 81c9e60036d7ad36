package store

import (
	"bytes"
	"cmp"
	"slices"
)

// treeDepth is the level of the 256 nodes that a load builds one at a time.
const treeDepth = 4

// treeWriter writes a dictionary as insert would have left it, from its entries
// in 256 parts by the first byte of the key. Rows of one depth are put in the
// order of their prefixes.
type treeWriter struct {
	dict
	put     func(depth int, op Op) error
	waiting [treeDepth + 1][]treeNode // complete nodes whose siblings are not
	err     error
}

// treeNode is a leaf that may yet become part of the leaf above it, or a node
// that is split.
type treeNode struct {
	path    []byte
	split   bool
	entries []dictEntry
}

// add takes all entries whose keys begin with a byte; the bytes come in order.
func (w *treeWriter) add(first byte, entries []dictEntry) {
	slices.SortFunc(entries, func(x, y dictEntry) int {
		return cmp.Or(bytes.Compare(x.key, y.key), cmp.Compare(x.value, y.value))
	})
	path := make([]byte, w.keyLen)
	path[0] = first
	n := treeNode{path: path, entries: entries}
	if len(entries) > maxBucket {
		w.children(treeDepth, n)
		n = treeNode{path: path, split: true}
	}
	w.push(treeDepth, n)
}

// push adds a complete node and closes the one above it with the fourth.
func (w *treeWriter) push(depth int, n treeNode) {
	w.waiting[depth] = append(w.waiting[depth], n)
	if depth == 0 || len(w.waiting[depth]) < 4 {
		return
	}
	four := w.waiting[depth]
	w.waiting[depth] = nil
	above := treeNode{path: parentOf(four[0].path, depth-1)}
	for _, c := range four {
		above.split = above.split || c.split
		above.entries = append(above.entries, c.entries...)
	}
	if above.split = above.split || len(above.entries) > maxBucket; above.split {
		above.entries = nil
		for _, c := range four {
			w.write(depth, c)
		}
	}
	w.push(depth-1, above)
}

// parentOf is a path without the two bits that lead below a depth.
func parentOf(path []byte, depth int) []byte {
	p := bytes.Clone(path)
	p[depth/4] &^= 3 << (6 - 2*(depth%4))
	return p
}

// children writes what lies below a node with too many entries.
func (w *treeWriter) children(depth int, n treeNode) {
	rest := n.entries
	shift := 6 - 2*(depth%4)
	for i := range byte(4) {
		end := 0
		for end < len(rest) && rest[end].key[depth/4]>>shift&3 == i {
			end++
		}
		path := bytes.Clone(n.path)
		path[depth/4] |= i << shift
		c := treeNode{path: path, entries: rest[:end]}
		rest = rest[end:]
		if len(c.entries) > maxBucket && depth+1 < 4*w.keyLen {
			w.write(depth+1, treeNode{path: path, split: true})
			w.children(depth+1, c)
		} else {
			w.write(depth+1, c)
		}
	}
}

func (w *treeWriter) write(depth int, n treeNode) {
	if w.err == nil {
		w.err = w.put(depth, sealed(w.key(n.path, depth), w.encode(&bucket{split: n.split, entries: n.entries})))
	}
}

// close writes the root after the last part. An empty dictionary has no rows.
func (w *treeWriter) close() error {
	if root := w.waiting[0]; len(root) == 1 && (root[0].split || len(root[0].entries) > 0) {
		w.write(0, root[0])
	}
	return w.err
}
