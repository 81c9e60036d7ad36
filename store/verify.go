package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Verify reads everything that the current generation holds and checks that it
// agrees with itself: every checksum, the digest of each block and of the tip,
// the sums of transactions, spends and events, computed once from the records
// and once from the lists and spend links, the dictionaries and their counts,
// the chains of event groups, the payees, the raw blocks and the kept files. It
// calls progress, if there is one, after each block.
func (n *Network) Verify(ctx context.Context, progress func(Progress)) error {
	v, err := n.view(^uint64(0))
	if err != nil || v == nil {
		return err
	}
	defer v.done()
	v.memo, v.homes = nil, nil // every row is read
	c := &checker{view: v, progress: progress}
	if err := c.run(ctx); err != nil {
		return fmt.Errorf("store: verify %s: %w", n.chain, err)
	}
	if _, err := loadContents(viewRows{v.reader}, v.head); err != nil { // in memory since open; its row is not
		return fmt.Errorf("store: verify %s: %w", n.chain, err)
	}
	for _, f := range v.meta.Files {
		if err := n.checkFile(f); err != nil {
			return err
		}
	}
	return nil
}

type checker struct {
	*view
	progress                        func(Progress)
	records, lists                  totals // what blocks and records say; what lists and spend links say
	nBlocks, nTxs, nSpends, nEvents uint64
}

func (c *checker) run(ctx context.Context) error {
	if err := c.checkBlocks(ctx); err != nil {
		return err
	}
	if err := c.checkHolders(ctx); err != nil {
		return err
	}
	h := c.head
	switch {
	case c.nBlocks != h.blocks || c.nTxs != h.txs || c.nSpends != h.spends || c.nEvents != h.events:
		return corrupt("%d blocks, %d transactions, %d spends, %d events found; the head counts %d, %d, %d, %d",
			c.nBlocks, c.nTxs, c.nSpends, c.nEvents, h.blocks, h.txs, h.spends, h.events)
	case c.records != h.sums:
		return corrupt("the sums of the records are not those of the head")
	case c.lists.spends != h.sums.spends:
		return corrupt("the sum of the spend links is not that of the head")
	case c.lists.events != h.sums.events:
		return corrupt("the sum of the event lists is not that of the head")
	}
	return c.checkDicts()
}

// checkBlocks goes over the blocks in order, those of the overlay included.
func (c *checker) checkBlocks(ctx context.Context) error {
	var tip mark
	for b, err := range c.blocks(ctx) {
		if err != nil {
			return err
		}
		digest, hashes := digestOf(b.Block)
		if b.digest != (ledger.Hash{}) && digest != b.digest {
			return corrupt("block %d has digest %s, stored is %s", b.Ref.Height, digest, b.digest)
		}
		if tip = tip.then(b.Ref, digest); tip != b.at {
			return corrupt("block %d has tip digest %s and clock %d, stored are %s and %d", b.Ref.Height, tip.digest, tip.clock, b.at.digest, b.at.clock)
		}
		if b.raw.kept {
			if _, err := readRaw(c.dir, b.raw); err != nil {
				return err
			}
		}
		if ledger.At(b.Ref.Height, 0) >= c.limit {
			continue
		}
		if err := c.checkTxs(b, hashes); err != nil {
			return err
		}
		if c.progress != nil {
			c.progress(Progress{Tip: b.Ref, Blocks: c.nBlocks, Txs: c.nTxs})
		}
	}
	return nil
}

func (c *checker) checkTxs(b *stored, hashes [][32]byte) error {
	c.nBlocks++
	for i := range b.Txs {
		tx := &b.Txs[i]
		c.nTxs++
		c.records.addTx(tx, hashes[i])
		for j, out := range tx.Outputs {
			if out.SpentBy != 0 {
				c.nSpends++
				c.lists.spends.add(spendHash(tx.Pos, uint32(j), out.SpentBy))
			}
		}
		found, err := c.positions(tx.ID)
		if err != nil {
			return err
		}
		if !contains(found, tx.Pos) {
			return corrupt("transaction %s is not in its dictionary", tx.ID)
		}
	}
	return nil
}

func contains(all []ledger.Position, p ledger.Position) bool {
	for _, q := range all {
		if p == q {
			return true
		}
	}
	return false
}

// checkHolders goes over every address id and every asset of it.
func (c *checker) checkHolders(ctx context.Context) error {
	names := &naming{base: c.base}
	for addr := uint64(1); addr < c.head.nextAddr; addr++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		a := names.address(addr)
		if names.err != nil {
			return names.err
		}
		id, err := c.addressID(a)
		if err != nil {
			return err
		}
		if id != addr {
			return corrupt("address %s has id %d in its dictionary, %d in the list", a, id, addr)
		}
		h, err := loadHome(c.rows, addr)
		if err != nil {
			return err
		}
		assets, err := loadAssets(c.rows, addr, h)
		if err != nil {
			return err
		}
		for _, asset := range assets {
			account, err := loadAccount(c.rows, addr, asset, h)
			if err == nil {
				err = c.checkAccount(names, addr, account, ledger.Holder{Address: a, Asset: names.asset(asset)})
			}
			if err != nil {
				return err
			}
		}
	}
	return names.err
}

// checkAccount adds up a list from its first event and compares every header,
// the account's cached fields and its payees.
func (c *checker) checkAccount(names *naming, addr uint64, a *account, h ledger.Holder) error {
	var s sums
	var last ledger.Point
	found := &payees{}
	dust := ledger.InfoOf(h.Asset).Dust
	for g, err := range c.groups(addr, a, ledger.Point{}, false) {
		if err != nil {
			return err
		}
		if g.before != s || g.prev != last {
			return corrupt("account (%d, %d): group after %s has other sums than its events", addr, a.asset, last)
		}
		for _, e := range g.entries {
			if s.n > 0 && !last.Before(e.at) || s.n == 0 && e.at != a.first {
				return corrupt("account (%d, %d): event at %s is out of order", addr, a.asset, e.at)
			}
			if err := s.add(e); err != nil {
				return err
			}
			last = e.at
			if e.at.Pos >= c.limit { // of a batch that broke off
				continue
			}
			event := names.event(h, e)
			c.nEvents++
			c.lists.events.add(eventHash(h, &event))
			if e.side == sideOut && e.peer != 0 && !e.amount.Less(dust) {
				found.add(e.peer, e.at)
			}
		}
	}
	stored, err := loadPayees(c.rows, addr, a)
	if err != nil {
		return err
	}
	if !found.begin(stored, c.limit) || uint64(len(found.at)) > a.payees {
		return corrupt("account (%d, %d): its payees are not those of its events", addr, a.asset)
	}
	return names.err
}

// begin reports whether stored payees are p and otherwise only such as a batch
// that broke off has added at or above limit.
func (p *payees) begin(stored *payees, limit ledger.Position) bool {
	n := len(p.at)
	if n > len(stored.at) || !slices.Equal(p.at, stored.at[:n]) {
		return false
	}
	if n < len(stored.at) && stored.at[n].Pos < limit {
		return false
	}
	for _, id := range p.ids {
		if _, held := slices.BinarySearch(stored.ids, id); !held && len(stored.at) < maxPayees {
			return false
		}
	}
	return len(stored.at) == maxPayees || len(stored.ids) == len(stored.at)
}

// checkDicts counts the entries of the dictionaries.
func (c *checker) checkDicts() error {
	for _, d := range []struct {
		dict
		want uint64
	}{{c.dicts.tx, c.head.txs}, {c.dicts.address, c.head.nextAddr - 1}, {c.dicts.asset, c.head.nextAsset - 1}} {
		n, err := c.count(d.dict, make([]byte, d.keyLen), 0)
		if err != nil {
			return err
		}
		if n != d.want {
			return corrupt("dictionary %c has %d entries, the head counts %d", d.table, n, d.want)
		}
	}
	return nil
}

// count adds up the leaves below a node.
func (c *checker) count(d dict, path []byte, depth int) (uint64, error) {
	b, err := d.loader(c.rows)(d.key(path, depth))
	if errors.Is(err, ErrAbsent) && depth == 0 {
		return 0, nil
	}
	if errors.Is(err, ErrAbsent) {
		return 0, corrupt("bucket %s is missing", d.key(path, depth))
	}
	if err != nil || !b.split {
		return uint64(len(b.visible(d, c.view))), err
	}
	var total uint64
	for i := range byte(4) {
		child := append([]byte(nil), path...)
		child[depth/4] |= i << (6 - 2*(depth%4))
		n, err := c.count(d, child, depth+1)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// visible leaves out what a batch under way has added.
func (b *bucket) visible(d dict, v *view) []dictEntry {
	if b == nil {
		return nil
	}
	var seen []dictEntry
	for _, e := range b.entries {
		switch {
		case d.table == tableTxID && ledger.Position(e.value) >= v.limit:
		case d.table == tableAddress && e.value >= v.head.nextAddr:
		case d.table == tableAsset && e.value >= v.head.nextAsset:
		default:
			seen = append(seen, e)
		}
	}
	return seen
}
