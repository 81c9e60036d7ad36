package store

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/spoortrace/spoor/ledger"
)

// Status describes a network as of its tip. The zero Tip means that it holds no
// block. Heights of an export are Unix milliseconds.
type Status struct {
	Chain      ledger.Chain
	Format     uint32
	Generation string
	Export     bool
	Empty      bool
	Tip        ledger.BlockRef
	Digest     ledger.Hash // of the tip: of everything held
	Folded     uint64      // last height of the base
	Overlay    int         // blocks above it on the tip's chain
	Siblings   int         // blocks of other branches
	Spans      []Span      // runs of blocks linked by hash; none in an export

	Blocks, Txs, Events, Addresses, Assets uint64 // Addresses and Assets: of the base
	UnknownInputs                          uint64
	Contents                               Contents
	Bytes                                  uint64 // on disk, raw segments and kept files included
}

// Status returns the figures of the current generation.
func (n *Network) Status() (Status, error) {
	v, err := n.view(^uint64(0))
	if err != nil {
		return Status{}, err
	}
	x := n.pin()
	defer x.done()
	s := x.current()
	st := Status{
		Chain: n.chain, Format: formatVersion, Generation: n.generation(), Export: s.head.export, Empty: v == nil, Contents: *s.meta,
		Addresses: s.head.nextAddr - 1, Assets: s.head.nextAsset - 1,
	}
	if v != nil {
		defer v.done()
		h := v.head
		st.Tip, st.Digest, st.Folded, st.Spans = v.asOf.ref, v.asOf.digest, h.folded.ref.Height, v.spans
		st.Blocks, st.Txs, st.Events, st.UnknownInputs = h.blocks, h.txs, h.events, h.unknown
		st.Overlay, st.Siblings = len(v.held), len(s.held)-len(s.chain)
		for _, y := range v.held {
			st.add(y)
		}
	}
	st.Bytes, err = diskUse(n.dir)
	return st, err
}

func (st *Status) add(y *young) {
	st.Blocks++
	st.Txs += uint64(len(y.places))
	st.UnknownInputs += uint64(y.unknown)
	st.Events += y.listed
}

// diskUse adds up the space of the files under a folder; files that go away meanwhile count nothing.
func diskUse(dir string) (uint64, error) {
	var total uint64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			total += allocated(info)
		}
		return err
	})
	return total, err
}
