package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/screening"
)

// lookEvery is how often the rescorer looks whether there is something new: a
// look reads the tips and the label sequence, nothing more.
const lookEvery = 200 * time.Millisecond

// pendingEvery is how often pending transfers are looked for without a new
// block: one may have come between a registration's look and its write.
const pendingEvery = 5 * time.Second

// blocksBehind is from how many new blocks on every watch is scored again,
// rather than those that the blocks touch.
const blocksBehind = 10_000

// rescorer scores again what new blocks, labels and rules change. There is one
// a server; run ends with its context, and whoever starts it waits for it.
type rescorer struct {
	*screenService
	sequence uint64            // of the label log that was looked at
	rules    map[string]string // version in force per tenant
	tips     map[ledger.Chain]ledger.Hash
	pended   map[string]time.Time // when a tenant's pending transfers were looked for
}

func (s *screenService) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run looks until its context ends. A failed look is logged and made again: the
// marks of what was seen are moved after the work alone.
func (s *screenService) run(ctx context.Context) {
	r := &rescorer{screenService: s, sequence: s.data.labels.Sequence(), rules: map[string]string{}, tips: map[ledger.Chain]ledger.Hash{}, pended: map[string]time.Time{}}
	timer := time.NewTicker(lookEvery)
	defer timer.Stop()
	for {
		if err := r.look(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("scoring again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// news is what changed since the last look.
type news struct {
	touched  map[string]uint64       // addresses, NETWORK:ADDRESS, with the height that touched them
	frozen   map[string]ledger.Noted // freezes and their ends, by the address that they are about
	labelled map[string]bool
	replaced map[ledger.Chain]uint64 // first height that was replaced
	all      bool                    // everything is to be scored again
	marks    map[ledger.Chain]screening.Mark
}

// look does the work of all tenants on what is new.
func (r *rescorer) look(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	tenants, err := r.store.Tenants()
	if err != nil || len(tenants) == 0 {
		return err
	}
	v, err := r.data.view(ctx)
	if err != nil {
		return err
	}
	defer v.close()
	sequence := r.data.labels.Sequence()
	n, err := r.newBlocks(ctx, v)
	if err == nil {
		err = r.newLabels(ctx, n, sequence)
	}
	if err != nil {
		return err
	}
	for _, tenant := range tenants {
		if err := r.tenant(ctx, tenant, n); err != nil {
			return fmt.Errorf("tenant %s: %w", tenant, err)
		}
	}
	for c, mark := range n.marks {
		if err := r.store.SetSeen(ctx, string(c), mark); err != nil {
			return err
		}
		r.tips[c] = mark.Hash
	}
	r.sequence = sequence
	return nil
}

// newBlocks collects whom the blocks since the last look touch. A network that
// was never looked at begins at its tip.
func (r *rescorer) newBlocks(ctx context.Context, v *view) (*news, error) {
	n := &news{
		touched: map[string]uint64{}, frozen: map[string]ledger.Noted{}, labelled: map[string]bool{},
		replaced: map[ledger.Chain]uint64{}, marks: map[ledger.Chain]screening.Mark{},
	}
	for _, c := range v.Chains() {
		head, err := v.AsOf(ctx, c)
		if err != nil {
			return nil, err
		}
		if r.tips[c] == head.Hash {
			continue
		}
		mark, seen, err := r.store.Seen(string(c))
		if err != nil {
			return nil, err
		}
		if !seen || mark.Hash != head.Hash {
			n.marks[c] = screening.Mark{Height: head.Height, Hash: head.Hash}
		}
		r.tips[c] = mark.Hash
		switch {
		case !seen || mark.Hash == head.Hash:
		case v.export(c) || head.Height > mark.Height+blocksBehind:
			n.all = true
		default:
			if err := n.blocks(ctx, v, mark, head); err != nil {
				return nil, err
			}
		}
	}
	return n, nil
}

// blocks reads the blocks after a mark; where the mark's own block was
// replaced, those of the reorg bound below it, too.
func (n *news) blocks(ctx context.Context, v *view, mark screening.Mark, head ledger.BlockRef) error {
	c, from := head.Chain, mark.Height+1
	ref, err := v.BlockRef(ctx, c, mark.Height)
	if errors.Is(err, ledger.ErrNotFound) || err == nil && ref.Hash != mark.Hash {
		from = 0
		if to := v.final(c); to != nil {
			from = *to + 1
		}
		from = min(from, mark.Height)
		n.replaced[c] = from
	} else if err != nil {
		return err
	}
	for h := from; h <= head.Height; h++ {
		for tx, err := range v.BlockTxs(ctx, c, h) {
			if err != nil {
				return err
			}
			for _, a := range addressesOf(&tx) {
				if !a.IsZero() {
					n.touched[a.Qualified()] = h
				}
			}
			for _, x := range tx.Notices {
				if x.Kind == ledger.NoticeFrozen || x.Kind == ledger.NoticeUnfrozen {
					n.frozen[x.Account.Qualified()] = ledger.Noted{Notice: x, Tx: tx.ID, At: ledger.Point{Pos: tx.Pos, Slot: x.Slot}, Time: tx.Time}
				}
			}
		}
	}
	return nil
}

// newLabels collects whom the entries of the label log up to a sequence number
// are about. Large imports, and those that end labels, score everything again instead.
func (r *rescorer) newLabels(ctx context.Context, n *news, sequence uint64) error {
	for _, i := range r.data.labels.Imports() {
		if i.Sequence <= r.sequence || i.Sequence > sequence {
			continue
		}
		first, count := i.FirstID, uint64(i.Tags)
		if i.Kind == labels.KindRetract {
			first, count = i.Retracts, 1
		}
		if count > blocksBehind || i.Ended > 0 {
			n.all = true
			continue
		}
		for id := first; id < first+count; id++ {
			t, err := r.data.labels.Tag(ctx, id)
			if err != nil {
				return err
			}
			if !t.Address.IsZero() {
				n.labelled[t.Address.Qualified()] = true
			}
		}
	}
	return nil
}

// tenant does the work of one tenant, on its own view of the labels.
func (r *rescorer) tenant(ctx context.Context, tenant string, n *news) error {
	ctx = tenantContext(ctx, tenant)
	rules, err := r.rulesOf(tenant)
	if err != nil {
		return err
	}
	version := rules.Version
	before, known := r.rules[tenant]
	all := n.all || known && before != version
	v, err := r.data.view(ctx)
	if err != nil {
		return err
	}
	defer v.close()
	if len(n.marks) > 0 || r.now().Sub(r.pended[tenant]) >= pendingEvery {
		if err := r.pending(ctx, tenant, v); err != nil {
			return err
		}
		r.pended[tenant] = r.now()
	}
	if all || len(n.touched) > 0 || len(n.labelled) > 0 || len(n.marks) > 0 {
		if err := r.watches(ctx, tenant, v, n, all); err != nil {
			return err
		}
		if err := r.transfers(ctx, tenant, v, n, all); err != nil {
			return err
		}
		if err := r.settle(ctx, tenant, v, n.replaced); err != nil {
			return err
		}
	}
	r.rules[tenant] = version
	return nil
}

// pending scores the transfers that are seen by now, and ends those that never were.
func (r *rescorer) pending(ctx context.Context, tenant string, v *view) error {
	ids, err := r.store.PendingTransfers(tenant)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := r.alone(ctx, "transfer "+id, r.transfer(ctx, tenant, v, id)); err != nil {
			return err
		}
	}
	return nil
}

// alone logs what went wrong with one thing, so that it stops no other; an end
// of all work is returned.
func (r *rescorer) alone(ctx context.Context, what string, err error) error {
	if err != nil && ctx.Err() == nil {
		r.log.Error("not scored again", "what", what, "error", err)
	}
	return ctx.Err()
}

// transfer scores one transfer again. Those of the sandbox stay as they are.
func (r *rescorer) transfer(ctx context.Context, tenant string, v *view, id string) error {
	t, err := r.store.Transfer(ctx, tenant, id)
	if err != nil {
		return err
	}
	q, err := questionOf(&t.Registration)
	if err != nil {
		return err
	}
	if sandboxScreening(q.pays) != nil {
		return nil
	}
	result, m, err := r.judge(ctx, v, &t.Registration, q)
	if errors.Is(err, ledger.ErrInvalid) || errors.Is(err, ledger.ErrAmbiguous) || errors.Is(err, ledger.ErrPrecondition) {
		result, m, err = screening.Result{State: screening.Mismatched}, nil, nil // what was seen is not what the reference can mean
	}
	if err != nil {
		return err
	}
	if result.State == screening.Pending && expires(&t, r.now()) {
		result.State = screening.Expired
	}
	_, err = r.keep(ctx, tenant, &t, result, m, v)
	return err
}

// transfers scores those again whose evidence is labelled otherwise, whose
// blocks were replaced, or all.
func (r *rescorer) transfers(ctx context.Context, tenant string, v *view, n *news, all bool) error {
	ids := map[string]bool{}
	if all || len(n.replaced) > 0 {
		err := r.store.Each(ctx, tenant, func(t screening.Transfer) bool {
			_, replaced := n.replaced[ledger.Chain(t.Network)]
			if (all || replaced) && (t.State == screening.Scored || t.State == screening.Mismatched) {
				ids[t.ID] = true
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	for _, changed := range []map[string]bool{n.labelled, frozenOnes(n)} {
		for a := range changed {
			touching, err := r.store.Touching(tenant, a)
			if err != nil {
				return err
			}
			for _, id := range touching {
				ids[id] = true
			}
		}
	}
	for id := range ids {
		if err := r.alone(ctx, "transfer "+id, r.transfer(ctx, tenant, v, id)); err != nil {
			return err
		}
	}
	return nil
}

func frozenOnes(n *news) map[string]bool {
	all := map[string]bool{}
	for a := range n.frozen {
		all[a] = true
	}
	return all
}

// watches scores the watched addresses that something happened to. A new label
// far from an address may change its exposure, so that labels score all.
func (r *rescorer) watches(ctx context.Context, tenant string, v *view, n *news, all bool) error {
	return r.eachWatch(tenant, func(w screening.Watch) error {
		height, touched := n.touched[w.Address]
		if !all && !touched && len(n.labelled) == 0 && len(n.frozen) == 0 && len(n.replaced) == 0 {
			return ctx.Err()
		}
		a, err := ledger.ParseQualified(w.Address)
		if err != nil {
			return err
		}
		m, err := r.screen(ctx, v, a)
		if err = ignoreAbsent(err); err != nil {
			return r.alone(ctx, "watch "+w.Address, err)
		}
		alert := screening.Alert{Type: "ATTRIBUTION_CHANGED", Address: w.Address, Network: string(a.Chain)}
		if touched {
			alert.Type = "TRANSFER"
		}
		if err := r.noticed(ctx, tenant, v, n, w.Address, height); err != nil {
			return err
		}
		if err := r.raiseAll(ctx, tenant, alert, m, v, w.Rules); err != nil {
			return err
		}
		return r.store.SetWatch(ctx, tenant, judged(w, m))
	})
}
