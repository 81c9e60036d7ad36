package memkv

import (
	"bytes"
	"cmp"

	"github.com/spoortrace/spoor/store"
)

// node is a treap: a search tree by (partition, sort) that is a heap by
// priority. A node of an older generation is shared with views and copied
// before it changes; so a view costs nothing and keeps what it saw.
type node struct {
	partition, sort, value []byte
	priority               uint64
	generation             uint64
	left, right            *node
}

func (n *node) compare(partition, sort []byte) int {
	return cmp.Or(bytes.Compare(partition, n.partition), bytes.Compare(sort, n.sort))
}

func (n *node) find(partition, sort []byte) *node {
	for n != nil {
		switch c := n.compare(partition, sort); {
		case c < 0:
			n = n.left
		case c > 0:
			n = n.right
		default:
			return n
		}
	}
	return nil
}

// own returns a node that may be changed in a generation.
func (n *node) own(generation uint64) *node {
	if n.generation == generation {
		return n
	}
	c := *n
	c.generation = generation
	return &c
}

// put returns the tree with a row added or replaced; fresh is the row's node.
func (n *node) put(fresh *node) *node {
	if n == nil {
		return fresh
	}
	n = n.own(fresh.generation)
	switch c := n.compare(fresh.partition, fresh.sort); {
	case c == 0:
		n.value = fresh.value
	case c < 0:
		n.left = n.left.put(fresh)
		if l := n.left; l.priority > n.priority {
			n.left, l.right = l.right, n
			return l
		}
	default:
		n.right = n.right.put(fresh)
		if r := n.right; r.priority > n.priority {
			n.right, r.left = r.left, n
			return r
		}
	}
	return n
}

// drop returns the tree without a row that it holds.
func (n *node) drop(partition, sort []byte, generation uint64) *node {
	c := n.compare(partition, sort)
	if c == 0 {
		return merge(n.left, n.right, generation)
	}
	n = n.own(generation)
	if c < 0 {
		n.left = n.left.drop(partition, sort, generation)
	} else {
		n.right = n.right.drop(partition, sort, generation)
	}
	return n
}

// merge joins two trees of which all of l sorts before all of r.
func merge(l, r *node, generation uint64) *node {
	switch {
	case l == nil:
		return r
	case r == nil:
		return l
	case l.priority > r.priority:
		l = l.own(generation)
		l.right = merge(l.right, r, generation)
		return l
	}
	r = r.own(generation)
	r.left = merge(l, r.left, generation)
	return r
}

// span is a run of rows of one partition; nil bounds are open.
type span struct{ partition, from, to []byte }

// side is -1 for a node before the span, 1 for one after it, 0 inside.
func (s span) side(n *node) int {
	switch c := bytes.Compare(n.partition, s.partition); {
	case c != 0:
		return c
	case s.from != nil && bytes.Compare(n.sort, s.from) < 0:
		return -1
	case s.to != nil && bytes.Compare(n.sort, s.to) >= 0:
		return 1
	}
	return 0
}

// walk yields the rows of a span in order; false when the consumer stopped.
func (n *node) walk(s span, reverse bool, yield func(store.Row, error) bool) bool {
	if n == nil {
		return true
	}
	side := s.side(n)
	first, last := n.left, n.right
	skipFirst, skipLast := side < 0, side > 0
	if reverse {
		first, last = last, first
		skipFirst, skipLast = skipLast, skipFirst
	}
	if !skipFirst && !first.walk(s, reverse, yield) {
		return false
	}
	if side == 0 && !yield(store.Row{Sort: n.sort, Value: n.value}, nil) {
		return false
	}
	return skipLast || last.walk(s, reverse, yield)
}
