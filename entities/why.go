package entities

import (
	"context"

	"github.com/spoortrace/spoor/ledger"
)

// Why returns the joins that lead from one address to another, each sharing an
// address with the next; none when they are not in one cluster, or are the same.
func (v *View) Why(ctx context.Context, a, b ledger.Address, tier ledger.Tier) ([]ledger.Join, error) {
	p, t, unlock := v.of(a, tier)
	defer unlock()
	if p == nil || a.Chain != b.Chain {
		return nil, nil
	}
	return p.why(ctx, t, a, b)
}

// edge is one link of the path to the root.
type edge struct {
	from string
	link uint64
	join ledger.Join
}

// why splits the path at its youngest link: when it was made, both of its sides
// were in one cluster each already, by older links.
func (p *part) why(ctx context.Context, t ledger.Tier, a, b ledger.Address) ([]ledger.Join, error) {
	if a == b {
		return nil, ctx.Err()
	}
	up, err := p.path(t, string(a.Key()))
	if err != nil {
		return nil, err
	}
	down, err := p.path(t, string(b.Key()))
	if err != nil {
		return nil, err
	}
	if up == nil || down == nil || up[len(up)-1].from != down[len(down)-1].from {
		return nil, nil
	}
	for len(up) > 0 && len(down) > 0 && up[len(up)-1].from == down[len(down)-1].from {
		up, down = up[:len(up)-1], down[:len(down)-1]
	}
	var last edge
	of := a
	for _, e := range up {
		if e.link > last.link {
			last, of = e, a
		}
	}
	for _, e := range down {
		if e.link > last.link {
			last, of = e, b
		}
	}
	// Below the link lies the side of the address whose path it is on.
	x, y := last.join.A, last.join.B
	below, err := p.under(t, x, last)
	if err != nil {
		return nil, err
	}
	if below != (of == a) {
		x, y = y, x
	}
	first, err := p.why(ctx, t, a, x)
	if err != nil {
		return nil, err
	}
	rest, err := p.why(ctx, t, y, b)
	if err != nil {
		return nil, err
	}
	join := last.join
	join.A, join.B = x, y
	return append(append(first, join), rest...), nil
}

// path returns the links from a member up to its root, which comes last without a
// link; nil for no member.
func (p *part) path(t ledger.Tier, k string) ([]edge, error) {
	var path []edge
	for {
		n, err := p.node(t, k)
		if err != nil || n == nil {
			return nil, err
		}
		if n.parent == "" {
			return append(path, edge{from: k}), nil
		}
		path = append(path, edge{k, n.link, n.join})
		k = n.parent
	}
}

// under reports that an address is below a link.
func (p *part) under(t ledger.Tier, a ledger.Address, e edge) (bool, error) {
	path, err := p.path(t, string(a.Key()))
	for _, on := range path {
		if on.from == e.from && on.link == e.link {
			return true, err
		}
	}
	return false, err
}
