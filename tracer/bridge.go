package tracer

import (
	"errors"
	"slices"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// BridgeWindow and BridgeFee bound the heuristic match of a bridge's two legs
// (method, section 5): at most so long after, and at most so large a part less.
const (
	BridgeWindow = 30 * time.Minute
	bridgeFee    = 100 // 1 %
)

// inLeg returns what another network of the index says under a ref, or how the
// heuristic finds it (T2): the same recipient, about the amount, soon, unique.
func (run *run) inLeg(out ledger.Noted, chain ledger.Chain) (in ledger.Noted, on ledger.Chain, tier string, err error) {
	after, err := run.clockOf(chain, out.At)
	if err != nil {
		return in, "", "", err
	}
	matches, nets, err := run.inLegsBy(chain, out.Ref, after)
	if err == nil && len(matches) == 1 {
		return matches[0], nets[0], "T0", nil
	}
	if err != nil || len(matches) > 1 || !run.req.Heuristics {
		return in, "", "", err
	}
	matches, nets, err = run.inLegsLike(chain, out, after)
	if err == nil && len(matches) == 1 {
		return matches[0], nets[0], "T2", nil
	}
	return in, "", "", err
}

func (run *run) inLegsBy(chain ledger.Chain, ref string, after int64) (found []ledger.Noted, nets []ledger.Chain, err error) {
	for _, c := range run.idx.Chains() {
		if c == chain {
			continue
		}
		for n, err := range run.idx.Notices(run.ctx, ledger.RefAddress(c, ref), ledger.Point{}) {
			if err != nil {
				return nil, nil, err
			}
			at, err := run.clockOf(c, n.At)
			if err != nil {
				return nil, nil, err
			}
			if n.Kind == ledger.NoticeBridgeIn && comesAfter(at, c, after, chain) {
				found, nets = append(found, n), append(nets, c)
			}
		}
	}
	return found, nets, nil
}

func (run *run) inLegsLike(chain ledger.Chain, out ledger.Noted, after int64) (found []ledger.Noted, nets []ledger.Chain, err error) {
	for _, c := range run.idx.Chains() {
		if c == chain || out.Network != "" && out.Network != c || c.UTXO() {
			continue
		}
		to := out.Peer
		if to.IsZero() {
			to = out.Account // most bridges pay the same key elsewhere
		}
		to.Chain = c
		for n, err := range run.idx.Notices(run.ctx, to, ledger.Point{}) {
			if err != nil {
				return nil, nil, err
			}
			at, err := run.clockOf(c, n.At)
			if err != nil {
				return nil, nil, err
			}
			if n.Kind == ledger.NoticeBridgeIn && n.Account == to && comesAfter(at, c, after, chain) && BridgeMatches(out.Amount, n.Amount, time.Duration(at-after)*time.Millisecond) {
				found, nets = append(found, n), append(nets, c)
			}
		}
	}
	return found, nets, nil
}

// comesAfter reports whether a block of one network stands after that of another
// in the replay's order. A leg that does not cannot go on: its account may have
// been replayed beyond it.
func comesAfter(at int64, on ledger.Chain, out int64, from ledger.Chain) bool {
	return at > out || at == out && on > from
}

// BridgeMatches is the rule of tier T2 for amounts and time, given that the
// recipient is the same; the match must be unique, too. Both amounts are in base
// units of equally many decimals.
func BridgeMatches(sent, received ledger.Amount, later time.Duration) bool {
	if later < 0 || later > BridgeWindow || sent.Less(received) {
		return false
	}
	least, _ := sent.MulDiv(ledger.NewAmount(bridgeFee-1), ledger.NewAmount(bridgeFee))
	return !received.Less(least)
}

// clockOf is when something happened, in the order across networks.
func (run *run) clockOf(c ledger.Chain, at ledger.Point) (int64, error) {
	key := clockKey{c, at.Pos.Height()}
	if ms, ok := run.clocks[key]; ok {
		return ms, nil
	}
	ms, err := run.idx.Clock(run.ctx, c, key.height)
	if err == nil {
		run.clocks[key] = ms
	}
	return ms, err
}

type clockKey struct {
	chain  ledger.Chain
	height uint64
}

// bridgeLeg remembers how a bridge's first leg was answered, so that a later
// snapshot that would answer otherwise is seen (Fits).
type bridgeLeg struct {
	chain ledger.Chain
	out   ledger.Noted
	on    ledger.Chain // of the other leg; empty: there was none
	at    ledger.Point
}

// bridgesHold reports whether every bridge would still be answered as it was.
func (r *Replay) bridgesHold(run *run) (bool, error) {
	for _, b := range r.bridges {
		in, on, _, err := run.inLeg(b.out, b.chain)
		if errors.Is(err, ledger.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if on != b.on || in.At != b.at {
			return false, nil
		}
	}
	return true, nil
}

// remember keeps one answer.
func (run *run) remember(b bridgeLeg) {
	if !slices.ContainsFunc(run.bridges, func(x bridgeLeg) bool { return x.chain == b.chain && x.out.At == b.out.At && x.out.Ref == b.out.Ref }) {
		run.bridges = append(run.bridges, b)
	}
}

// compareNetworks sets ahead: bridges may still pay out, after what a lagging
// network holds, at places that were replayed on another.
func (run *run) compareNetworks() error {
	run.ahead = false
	if len(run.progress) < 2 {
		return nil
	}
	holding := map[ledger.Chain]bool{}
	for h := range run.accounts {
		holding[h.Address.Chain] = true
	}
	for key := range run.coins {
		holding[key.chain] = true
	}
	for i, s := range run.req.Seeds {
		if !run.seedDone[i] {
			holding[s.Chain] = true
		}
	}
	for from := range holding {
		asOf, err := run.idx.AsOf(run.ctx, from)
		if err != nil {
			return err
		}
		least, err := run.idx.Clock(run.ctx, from, asOf.Height)
		if err != nil {
			return err
		}
		for on, p := range run.progress {
			at, err := run.clockOf(on, p.reached)
			if err != nil {
				return err
			}
			run.ahead = run.ahead || on != from && at >= least
		}
	}
	return nil
}
