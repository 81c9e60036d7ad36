package entities

import (
	"github.com/spoortrace/spoor/ledger"
)

// walk goes through a tree, parents first. It holds no lock between two steps:
// rows as of a height do not change.
type walk struct {
	view    *View
	c       ledger.Cluster
	at      string // key; empty: the end
	address ledger.Address
}

// start goes to the root, or to what follows an address.
func (w *walk) start(after ledger.Address) error {
	p, t, unlock := w.view.of(w.c.Name, w.c.Tier)
	defer unlock()
	if p == nil {
		if after.IsZero() {
			w.at, w.address = "alone", w.c.Name
		}
		return nil
	}
	root, err := p.root(t, string(w.c.Name.Key()))
	if err != nil {
		return err
	}
	switch {
	case root == "" && after.IsZero():
		w.at, w.address = "alone", w.c.Name
		return nil
	case root == "":
		return nil
	case after.IsZero():
		return w.visit(p, t, root)
	}
	k := string(after.Key())
	other, err := p.root(t, k)
	if err != nil {
		return err
	}
	if other != root {
		return ledger.Invalid("after", "a member of the cluster", after.String())
	}
	return w.follow(p, t, k)
}

func (w *walk) next() error {
	if w.at == "alone" {
		w.at = ""
		return nil
	}
	p, t, unlock := w.view.of(w.c.Name, w.c.Tier)
	defer unlock()
	return w.follow(p, t, w.at)
}

func (w *walk) visit(p *part, t ledger.Tier, k string) error {
	n, err := p.node(t, k)
	if err == nil && n == nil {
		err = corrupt("member", k)
	}
	if err == nil {
		w.at, w.address = k, n.address
	}
	return err
}

// follow goes from a member to its first child, else to the next child of its
// parent, and so on upwards.
func (w *walk) follow(p *part, t ledger.Tier, k string) error {
	from := childSort(0, 0)
	for {
		for row, err := range p.t.l.from(childPartition(t, k), from, statsSort(p.asOf.Height+1)) {
			if err != nil {
				return err
			}
			return w.visit(p, t, string(row.Value))
		}
		n, err := p.node(t, k)
		if err == nil && n == nil {
			err = corrupt("member", k)
		}
		if err != nil {
			return err
		}
		if n.parent == "" {
			w.at = ""
			return nil
		}
		from, k = childSort(n.height, n.link+1), n.parent
	}
}
