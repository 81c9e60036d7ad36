package tracer

import (
	"context"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// ComparedPolicies are the rules whose range is printed beside every trace.
func ComparedPolicies() []string { return []string{"fifo", "haircut", "dirty-first", "libr"} }

// Run replays a request over one snapshot.
func Run(ctx context.Context, idx Index, req Request, onHop func(Hop)) (*Trace, error) {
	r, err := NewReplay(req)
	if err != nil {
		return nil, err
	}
	r.OnHop = onHop
	if err := r.Advance(ctx, idx); err != nil {
		return nil, fmt.Errorf("trace under %s: %w", req.Policy.Name, err)
	}
	return r.Result(ctx, idx)
}

// RunAll replays a request under several policies, in the order of names.
func RunAll(ctx context.Context, idx Index, req Request, names []string) ([]*Trace, error) {
	var traces []*Trace
	for _, name := range names {
		p, err := PolicyByName(name)
		if err != nil {
			return nil, err
		}
		req.Policy = p
		t, err := Run(ctx, idx, req, nil)
		if err != nil {
			return nil, err
		}
		traces = append(traces, t)
	}
	return traces, nil
}

// spot is what terminals of different policies have in common: a coin or a
// transfer by its place, a resting balance by its holder.
type spot struct {
	address ledger.Address
	asset   ledger.Asset
	at      ledger.Point
}

func (t *Terminal) spot() spot {
	if t.Rests && !t.Coin {
		return spot{address: t.Address, asset: t.Asset}
	}
	return spot{t.Address, t.Asset, t.At}
}

// SetBounds sets each terminal's Low and High to the least and the most that
// the compared traces, and the trace itself, say of it; 0 where one of them has none.
func (t *Trace) SetBounds(compared []*Trace) {
	low, high := t.spots(), t.spots()
	for _, other := range compared {
		theirs := other.spots()
		for s := range low {
			low[s] = ledger.Min(low[s], theirs[s])
			high[s] = ledger.Max(high[s], theirs[s])
		}
	}
	for i := range t.Terminals {
		s := t.Terminals[i].spot()
		t.Terminals[i].Low, t.Terminals[i].High = low[s], high[s]
	}
}

func (t *Trace) spots() map[spot]ledger.Amount {
	sums := map[spot]ledger.Amount{}
	for i := range t.Terminals {
		s := t.Terminals[i].spot()
		sums[s] = sums[s].Plus(t.Terminals[i].Dirty)
	}
	return sums
}
