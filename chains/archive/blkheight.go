package archive

import (
	"fmt"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/ledger"
)

// heights finds the height of every tree that does not begin with the genesis block.
func (f *Files) heights(o Options, trees []tree) error {
	var unknown []*tree
	confirmed := o.Height == nil
	for i := range trees {
		t := &trees[i]
		if t.genesis {
			continue
		}
		ok := f.heightByIndex(o, t)
		if !ok {
			var err error
			if ok, err = f.heightByCoinbase(t); err != nil {
				return err
			}
		}
		if !ok {
			unknown = append(unknown, t)
		}
		confirmed = confirmed || (ok && t.height == *o.Height)
	}
	switch {
	case len(unknown) == 1 && o.Height != nil:
		unknown[0].height = *o.Height
		return nil
	case len(unknown) > 0:
		root := unknown[0].roots[0]
		want := "a block linked to the genesis block or to one that the index holds, or one whose coinbase states its height (BIP 34)"
		if len(unknown) == 1 {
			want += "; or --height"
		}
		return ledger.Invalid(f.place(root), want, "block "+f.entries[root].hash.String()+" on "+f.entries[root].parent.String())
	case !confirmed:
		return ledger.Invalid("--height", "to be left out: the height of every block is known without it", fmt.Sprintf("%d", *o.Height))
	}
	return nil
}

// heightByIndex asks the index for the parent that is not given, else for the block itself.
func (f *Files) heightByIndex(o Options, t *tree) bool {
	if o.HeightOf == nil {
		return false
	}
	if height, grade, ok := o.HeightOf(f.entries[t.roots[0]].parent); ok {
		t.height, t.grade = height+1, grade
		return true
	}
	for _, i := range t.roots {
		if height, grade, ok := o.HeightOf(f.entries[i].hash); ok {
			t.height, t.grade = height, grade
			return true
		}
	}
	return false
}

// heightByCoinbase believes what a coinbase states, by the rule of bitcoin.Block.StatedHeight.
func (f *Files) heightByCoinbase(t *tree) (bool, error) {
	known := false
	for _, i := range t.roots {
		b, err := f.decode(i)
		if err != nil {
			return false, err
		}
		height, ok := b.StatedHeight()
		if !ok {
			continue
		}
		if known && height != t.height {
			return false, ledger.Invalid(f.place(i), fmt.Sprintf("the height %d, which another block on the same parent states", t.height), fmt.Sprintf("%d", height))
		}
		t.height, known = height, true
	}
	return known, nil
}

// decode reads and proves the block of an entry.
func (f *Files) decode(i int32) (*bitcoin.Block, error) {
	e := &f.entries[i]
	raw := make([]byte, e.size)
	if err := f.sources[e.file].readAt(raw, e.offset); err != nil {
		return nil, err
	}
	b, err := bitcoin.Decode(f.network.Chain, raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.place(i), err)
	}
	if b.Header.Hash != e.hash {
		return nil, ledger.Invalid(f.place(i), "block "+e.hash.String()+", which was there before", b.Header.Hash.String())
	}
	return b, nil
}
