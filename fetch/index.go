package fetch

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// selection is what one run has come across: its rounds run on an index of that
// alone, which costs as much as the run, whatever else was fetched before. nil:
// everything.
type selection struct {
	mu      sync.Mutex
	txs     map[ledger.TxID]bool
	holders map[ledger.Holder]bool
}

func newSelection() *selection {
	return &selection{txs: map[ledger.TxID]bool{}, holders: map[ledger.Holder]bool{}}
}

func (s *selection) tx(id ledger.TxID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.txs[id] = true
}

func (s *selection) holder(h ledger.Holder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holders[h] = true
}

// has reports a transaction that was come across, or that is in the history of an
// account that was.
func (s *selection) has(t *fact) bool {
	if s == nil || s.txs[t.Tx.ID] {
		return true
	}
	for _, m := range t.Tx.Transfers {
		if s.holders[ledger.Holder{Address: m.From, Asset: m.Asset}] || s.holders[ledger.Holder{Address: m.To, Asset: m.Asset}] {
			return true
		}
	}
	return false
}

func (s *selection) hasHolder(h ledger.Holder) bool { return s == nil || s.holders[h] }

// build makes the network's index of the facts and puts it in force.
func (f *facts) build(ctx context.Context, s *store.Store, of *selection) error {
	if of != nil {
		of.mu.Lock()
		defer of.mu.Unlock()
	}
	n, err := s.Create(ctx, f.chain)
	if err != nil {
		return err
	}
	contents := store.Contents{Export: true, Fetched: true, Heights: !f.clocked, Claims: f.claims(of)}
	for _, a := range slices.SortedFunc(maps.Keys(f.assets), ledger.Asset.Compare) {
		contents.Assets = append(contents.Assets, f.assets[a])
	}
	return n.Rebuild(ctx, f.blocks(of), contents, store.AppendOptions{})
}

// vacant refuses a network that is held already, as blocks or exports: what is
// fetched would take their place.
func vacant(ctx context.Context, s *store.Store, c ledger.Chain) error {
	n, err := s.Network(ctx, c)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	status, err := n.Status()
	if err != nil || status.Empty || status.Contents.Fetched {
		return err
	}
	held := "blocks"
	if status.Export {
		held = "exports"
	}
	return fmt.Errorf("%s is held as %s in this data directory: trace without --fetch, or fetch into another one (--data): %w", c, held, ledger.ErrPrecondition)
}

// blocks yields the facts in order of height, the pin's block last. A block has
// the transactions that were asked for, and says that there may be more.
func (f *facts) blocks(of *selection) iter.Seq2[*ledger.Block, error] {
	at := map[uint64][]*fact{f.pin.Height: nil}
	for _, t := range f.txs {
		if t.Block.Height <= f.pin.Height && of.has(t) {
			at[t.Block.Height] = append(at[t.Block.Height], t)
		}
	}
	return func(yield func(*ledger.Block, error) bool) {
		for _, height := range slices.Sorted(maps.Keys(at)) {
			if !yield(f.block(height, at[height]), nil) {
				return
			}
		}
	}
}

func (f *facts) block(height uint64, of []*fact) *ledger.Block {
	b := &ledger.Block{Ref: ledger.BlockRef{Chain: f.chain, Height: height}, Grade: ledger.GradeAttested, Partial: ledger.PartialRows}
	if height == f.pin.Height {
		b.Ref = f.pin
	}
	var from []string
	next := uint32(boolean(height == 0)) // position 0 means none
	for _, t := range inOrder(of) {
		tx := t.Tx
		tx.Grade, tx.Inputs = f.grade(t), f.owned(tx.Inputs)
		if t.Indexed && tx.Pos.Index() > next {
			next = tx.Pos.Index()
		}
		tx.Pos, tx.Chain, tx.Time = ledger.At(height, next), f.chain, t.Block.Time
		next++
		b.Txs = append(b.Txs, tx)
		if height != f.pin.Height {
			b.Ref.Hash, b.Ref.Time = t.Block.Hash, t.Block.Time
		}
		from = append(from, t.from...)
	}
	if b.Ref.Hash == (ledger.Hash{}) {
		b.Ref.Hash = noHash(height)
	}
	slices.Sort(from)
	b.Source = strings.Join(slices.Compact(from), ", ")
	return b
}

// owned are inputs with the owners that their service did not tell, as far as the
// transactions that made the coins are held.
func (f *facts) owned(inputs []ledger.Input) []ledger.Input {
	all := slices.Clone(inputs)
	for i := range all {
		made := f.txs[all[i].Prev.Tx]
		if all[i].Address.IsZero() && made != nil && int(all[i].Prev.Index) < len(made.Tx.Outputs) {
			all[i].Address = made.Tx.Outputs[all[i].Prev.Index].Address
		}
	}
	return all
}

// noHash stands for a hash that no service told: the SHA-256 of the height and words.
func noHash(height uint64) ledger.Hash {
	return sha256.Sum256(fmt.Appendf(nil, "no hash is known of block %d", height))
}

// inOrder puts the transactions of one block in an order in which coins are made
// before they are spent; otherwise by their place where it is known, then by id.
// The coinbase is last, as in every index.
func inOrder(of []*fact) []*fact {
	slices.SortFunc(of, func(a, b *fact) int {
		if a.Tx.Coinbase != b.Tx.Coinbase {
			return boolean(a.Tx.Coinbase) - boolean(b.Tx.Coinbase)
		}
		if a.Indexed && b.Indexed {
			return cmp.Compare(a.Tx.Pos, b.Tx.Pos)
		}
		return bytes.Compare(a.Tx.ID[:], b.Tx.ID[:])
	})
	here := map[ledger.TxID]*fact{}
	for _, t := range of {
		here[t.Tx.ID] = t
	}
	var order []*fact
	var visit func(*fact)
	visit = func(t *fact) {
		if here[t.Tx.ID] == nil {
			return
		}
		delete(here, t.Tx.ID)
		for _, in := range t.Tx.Inputs {
			if made := here[in.Prev.Tx]; made != nil {
				visit(made)
			}
		}
		order = append(order, t)
	}
	for _, t := range of {
		visit(t)
	}
	return order
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
