package bitcoin

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/ledger"
)

// Sighting is an unconfirmed transaction that pays or spends from a watched
// address. It may never be mined.
type Sighting struct {
	Tx      ledger.TxID
	Address ledger.Address
	// Received is what the address would be paid, Sent what it would spend, in
	// satoshi; coins that nobody knows count nothing.
	Received, Sent ledger.Amount
	// Dropped: it left the mempool and is in no block.
	Dropped bool
}

// Bounds of what is kept of a mempool. Bitcoin Core's default of 300 MB holds
// about half of maxPool.
const (
	maxPool      = 1_000_000 // transactions, 32 bytes of each
	maxSightings = 100_000
	batchPool    = 100
	pollPool     = 2 * time.Second
)

// Mempool reports the unconfirmed transactions of watched addresses until the
// context ends: each once for each address when it is first seen, and once more
// if it leaves the mempool without being mined. It asks every two seconds (or
// NodeOptions.Poll), and fetches what is new alone.
//
// coin says what an output is worth to whom, false when the index does not hold
// it. Trouble that passes is waited out; other errors end it. Calls of coin and
// report come one after another.
func (n *Node) Mempool(ctx context.Context, watched map[ledger.Address]bool, coin func(ledger.OutPoint) (ledger.Output, bool), report func(Sighting)) error {
	p := &pool{node: n, watched: watched, coin: coin, report: report, plain: !n.serves.sequence, pending: map[ledger.TxID]*pendingTx{}, coins: map[ledger.OutPoint]ledger.Output{}}
	every := n.o.Poll
	if every <= 0 {
		every = pollPool
	}
	for {
		if err := p.poll(ctx); err != nil && !errors.Is(err, ledger.ErrUnavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// pool is what is known of the node's mempool.
type pool struct {
	node    *Node
	watched map[ledger.Address]bool
	coin    func(ledger.OutPoint) (ledger.Output, bool)
	report  func(Sighting)

	plain   bool   // the mempool's states are not numbered
	state   uint64 // of the mempool when it was last read; 0: not numbered
	held    map[ledger.TxID]struct{}
	pending map[ledger.TxID]*pendingTx
	coins   map[ledger.OutPoint]ledger.Output // that pending ones make for watched addresses
	read    []ledger.BlockRef                 // the last blocks that were searched, at most reorgBlocks
}

// pendingTx is a transaction that was reported.
type pendingTx struct {
	seen   []Sighting
	coins  []ledger.OutPoint
	absent bool // at the last poll
}

// reorgBlocks is how far back a block that was searched may be replaced.
const reorgBlocks = 100

func (p *pool) poll(ctx context.Context) error {
	// Blocks come first: what the mempool lost before this call is in one of them,
	// or was dropped. What it loses between both calls is judged at the next poll.
	if err := p.search(ctx); err != nil {
		return err
	}
	ids, changed, err := p.list(ctx)
	if err != nil || !changed {
		return err
	}
	held := make(map[ledger.TxID]struct{}, len(ids))
	var fresh []ledger.TxID
	for _, id := range ids {
		held[id] = struct{}{}
		if _, ok := p.held[id]; !ok {
			fresh = append(fresh, id)
		}
	}
	// What is fetched is kept at once, so that a failure repeats nothing.
	maps.DeleteFunc(p.held, func(id ledger.TxID, _ struct{}) bool { _, ok := held[id]; return !ok })
	if p.held == nil {
		p.held = map[ledger.TxID]struct{}{}
	}
	for batch := range slices.Chunk(fresh, batchPool) {
		if err := p.fetch(ctx, batch); err != nil {
			p.state = 0
			return err
		}
	}
	p.miss(held)
	return nil
}

// list returns the ids in the mempool; changed is false when they are those of
// the last call.
func (p *pool) list(ctx context.Context) (ids []ledger.TxID, changed bool, err error) {
	const method = "getrawmempool"
	var answer struct {
		TxIDs []string `json:"txids"`
		State uint64   `json:"mempool_sequence"`
	}
	if !p.plain {
		err = p.node.call(ctx, method, method, &answer, false, true)
		var e *rpc.Error
		p.plain = errors.As(err, &e) && e.Code != codeWarmingUp // Bitcoin Core before 0.21
	}
	if p.plain {
		err = p.node.call(ctx, method, method, &answer.TxIDs, false)
	}
	if err != nil {
		return nil, false, err
	}
	if len(answer.TxIDs) > maxPool {
		return nil, false, ledger.Untrue(ledger.FaultTooLarge, method, fmt.Sprintf("want at most %d transactions, got %d", maxPool, len(answer.TxIDs)))
	}
	if answer.State > 0 && answer.State == p.state && !p.missing() {
		return nil, false, nil
	}
	p.state = answer.State
	ids = make([]ledger.TxID, len(answer.TxIDs))
	for i, text := range answer.TxIDs {
		hash, err := parseHash(method, text)
		if err != nil {
			return nil, false, err
		}
		ids[i] = ledger.TxID(hash)
	}
	return ids, true, nil
}

// missing reports that something pending was absent at the last poll.
func (p *pool) missing() bool {
	for _, tx := range p.pending {
		if tx.absent {
			return true
		}
	}
	return false
}

// fetch reads transactions and reports those that concern a watched address. One
// that is gone already is passed over.
func (p *pool) fetch(ctx context.Context, ids []ledger.TxID) error {
	texts, calls := make([]string, len(ids)), make([]*rpc.Call, len(ids))
	for i, id := range ids {
		calls[i] = &rpc.Call{Method: "getrawtransaction", Params: []any{id.String(), 0}, Result: &texts[i]}
	}
	if err := p.node.client.Batch(ctx, calls); err != nil {
		return err
	}
	for i, id := range ids {
		subject := "getrawtransaction of " + id.String()
		var gone *rpc.Error
		switch err := calls[i].Err; {
		case errors.As(err, &gone) && gone.Code == codeNotFound:
			continue
		case err != nil:
			return named(subject, err)
		}
		tx, err := readLoose(p.node.o.Chain, texts[i])
		switch {
		case err != nil:
			return fault(ledger.FaultMalformed, subject, err)
		case tx.ID != id:
			return ledger.Untrue(ledger.FaultMismatched, subject, "got transaction "+tx.ID.String())
		}
		p.held[id] = struct{}{}
		if err := p.look(&tx); err != nil {
			return err
		}
	}
	return nil
}

// readLoose reads a transaction that is in no block.
func readLoose(chain ledger.Chain, text string) (ledger.Tx, error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return ledger.Tx{}, ledger.Invalid("transaction", "hex digits", text)
	}
	c := &cursor{data: raw}
	t, err := readTx(c, chain)
	if err == nil && c.left() > 0 {
		c.fail("the end of the transaction")
		err = c.err
	}
	return t.tx, err
}

// look reports what a transaction does to watched addresses.
func (p *pool) look(tx *ledger.Tx) error {
	moves := map[ledger.Address]*Sighting{}
	of := func(a ledger.Address) *Sighting {
		if moves[a] == nil {
			moves[a] = &Sighting{Tx: tx.ID, Address: a}
		}
		return moves[a]
	}
	pending := &pendingTx{}
	for i, out := range tx.Outputs {
		if p.watched[out.Address] {
			s := of(out.Address)
			s.Received = s.Received.Plus(out.Value)
			at := ledger.OutPoint{Tx: tx.ID, Index: uint32(i)}
			pending.coins, p.coins[at] = append(pending.coins, at), out
		}
	}
	for _, in := range tx.Inputs {
		out, ok := p.coins[in.Prev]
		if !ok {
			out, ok = p.coin(in.Prev)
		}
		if ok && p.watched[out.Address] {
			s := of(out.Address)
			s.Sent = s.Sent.Plus(out.Value)
		}
	}
	if len(moves) == 0 {
		return nil
	}
	if len(p.pending) >= maxSightings {
		return fmt.Errorf("bitcoin: mempool: %d transactions of watched addresses: %w", len(p.pending), ledger.ErrExhausted)
	}
	for _, a := range slices.SortedFunc(maps.Keys(moves), ledger.Address.Compare) {
		pending.seen = append(pending.seen, *moves[a])
		p.report(*moves[a])
	}
	p.pending[tx.ID] = pending
	return nil
}

// miss reports what is absent for the second time and in no block.
func (p *pool) miss(held map[ledger.TxID]struct{}) {
	var dropped []ledger.TxID
	for id, tx := range p.pending {
		_, there := held[id]
		if !there && tx.absent {
			dropped = append(dropped, id)
		}
		tx.absent = !there
	}
	slices.SortFunc(dropped, func(a, b ledger.TxID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range dropped {
		for _, s := range p.pending[id].seen {
			s.Dropped = true
			p.report(s)
		}
		p.forget(id)
	}
}

func (p *pool) forget(id ledger.TxID) {
	if tx := p.pending[id]; tx != nil {
		for _, at := range tx.coins {
			delete(p.coins, at)
		}
		delete(p.pending, id)
	}
}

// search forgets pending transactions that new blocks hold.
func (p *pool) search(ctx context.Context) error {
	head, err := p.node.Head(ctx)
	if err != nil {
		return err
	}
	if len(p.pending) == 0 {
		p.read = []ledger.BlockRef{head.Tip}
		return nil
	}
	if err := p.stepBack(ctx); err != nil {
		return err
	}
	last := p.read[len(p.read)-1].Height
	for height := last + 1; height <= head.Tip.Height; height++ {
		b, err := p.node.Block(ctx, height)
		if err != nil {
			return err
		}
		for i := range b.Txs {
			p.forget(b.Txs[i].ID)
		}
		p.read = append(p.read, b.Ref)
		p.read = p.read[max(0, len(p.read)-reorgBlocks):]
	}
	return nil
}

// stepBack drops blocks that a reorg replaced from those that were searched; the
// oldest one stays, so that the search begins somewhere.
func (p *pool) stepBack(ctx context.Context) error {
	for len(p.read) > 1 {
		last := p.read[len(p.read)-1]
		hash, err := p.node.Hash(ctx, last.Height)
		if f, _ := ledger.FaultOf(err); err != nil && f != ledger.FaultLagging {
			return err
		}
		if err == nil && hash == last.Hash {
			return nil
		}
		p.read = p.read[:len(p.read)-1]
	}
	return nil
}
