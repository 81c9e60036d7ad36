package store

import "github.com/spoortrace/spoor/ledger"

// noRows is a base without anything in it.
type noRows struct{}

func (noRows) row(key) ([]byte, error) { return nil, ErrAbsent }

// list writes the accounts and lists of all addresses.
func (l *load) list(events *shuffle) error {
	addresses := l.head.nextAddr - 1
	perBucket := addresses/loadBuckets + 1
	for i := uint64(0); i*perBucket < addresses; i++ {
		l.report("lists", int(i), loadBuckets)
		b := newBatch(l.head, noRows{}, nil)
		first := i*perBucket + 1
		n := min(perBucket, addresses-i*perBucket)
		for addr := range n {
			b.homes[first+addr] = &dirtyHome{dirty: true}
		}
		for rows, err := range events.read(int(i)) {
			if err == nil {
				err = l.ctx.Err()
			}
			if err == nil {
				err = l.listRows(b, first, rows)
			}
			if err != nil {
				return err
			}
		}
		if err := l.putLists(b); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) listRows(b *batch, first uint64, rows []byte) error {
	var last ledger.Position
	for in := (decoder{b: rows}); len(in.b) > 0; {
		addr, asset := first+in.uint(), in.uint()
		last += ledger.Position(in.uint())
		v := entry{at: ledger.Point{Pos: last, Slot: uint32(in.uint())}}
		flags := in.byte()
		v.side, v.kind, v.plain = side(flags&3), ledger.TransferKind(flags>>2&7), flags&plainFlag != 0
		v.peer, v.amount = in.uint(), in.amount()
		if in.bad || asset == 0 || asset > uint64(len(l.ordered)) {
			return corrupt("events of a load")
		}
		if err := b.enter(addr, asset, l.ordered[asset-1], v); err != nil {
			return err
		}
	}
	return nil
}

// putLists writes tables a, e and y of a run of addresses.
func (l *load) putLists(b *batch) error {
	if err := l.rows(tableEvents, sorted(b.groups)); err != nil {
		return err
	}
	if err := l.rows(tablePayees, sorted(b.payeeOps())); err != nil {
		return err
	}
	return l.rows(tableAccount, sorted(b.homeOps()))
}
