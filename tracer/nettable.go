package tracer

import (
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// netTable says what a transaction changed for everybody, over all assets. It
// finds swaps: a pool is an address that gained one asset and lost another;
// routers and aggregators, whose changes are zero, drop out by themselves.
type netTable struct {
	legs []ledger.Transfer // what took effect, in order; wraps are paid by their contract
	nets map[ledger.Address][]net
	// signer pays for the transaction; zero when nobody is known to.
	signer ledger.Address
}

// net is the change of one asset at one address: in or out, never both.
type net struct {
	asset   ledger.Asset
	in, out ledger.Amount
}

// newNetTable adds up a transaction. A deposit or withdrawal of a wrapped coin
// is a swap with the contract of that coin, though its token comes from nowhere.
// Where a token moves more than there can be, nothing is exchanged.
func newNetTable(tx *ledger.Tx) *netTable {
	t := &netTable{nets: map[ledger.Address][]net{}}
	for _, leg := range tx.Transfers {
		if leg.Kind == ledger.TransferFee {
			t.signer = leg.From
			continue
		}
		if leg.Kind == ledger.TransferSeized || leg.Status == ledger.StatusFailed || leg.Amount.IsZero() || leg.From == leg.To {
			continue
		}
		leg.From, leg.To = wrapper(tx, leg.Asset, leg.From), wrapper(tx, leg.Asset, leg.To)
		t.legs = append(t.legs, leg)
		if t.add(leg.From, leg.Asset, ledger.Amount{}, leg.Amount) != nil || t.add(leg.To, leg.Asset, leg.Amount, ledger.Amount{}) != nil {
			return &netTable{}
		}
	}
	for a, changes := range t.nets {
		for i := range changes {
			n := &changes[i]
			n.in, n.out = n.in.SubFloor(n.out), n.out.SubFloor(n.in)
		}
		t.nets[a] = slices.DeleteFunc(changes, func(n net) bool { return n.in.IsZero() && n.out.IsZero() })
	}
	return t
}

// wrapper stands in for nobody where a wrapped coin comes into being or goes.
func wrapper(tx *ledger.Tx, asset ledger.Asset, a ledger.Address) ledger.Address {
	if !a.IsZero() || asset.Contract.IsZero() {
		return a
	}
	for i := range tx.Notices {
		n := &tx.Notices[i]
		if (n.Kind == ledger.NoticeWrapped || n.Kind == ledger.NoticeUnwrapped) && n.Asset == asset {
			return asset.Contract
		}
	}
	return a
}

func (t *netTable) add(a ledger.Address, asset ledger.Asset, in, out ledger.Amount) (err error) {
	changes := t.nets[a]
	i := slices.IndexFunc(changes, func(n net) bool { return n.asset == asset })
	if i < 0 {
		i = len(changes)
		changes = append(changes, net{asset: asset})
	}
	n := &changes[i]
	if n.in, err = n.in.Add(in); err == nil {
		n.out, err = n.out.Add(out)
	}
	t.nets[a] = changes
	return err
}

// swap is one exchange inside a transaction: everything of one asset that went
// into its pools, for everything of another that one address was paid.
type swap struct {
	kind   string
	from   ledger.Address          // who paid, unless unsure
	pools  map[ledger.Address]bool // those that take the first asset
	in     ledger.Amount
	to     ledger.Address
	asset  ledger.Asset
	out    ledger.Amount
	leg    ledger.Transfer // the last transfer that paid it
	unsure bool            // there are pools, and no single one that was paid
}

// swapOf follows an asset through the pools of the transaction: those that take
// it, those that take what these gave, and so on, to who kept what came out.
// nil: it is not exchanged. The exchange is exact (tier T0) if one address paid
// the asset, one was paid, in one asset, and all of it, and they are one and the
// same or the payer signed the transaction. Else it is unsure, and nothing is
// guessed; or, where no payer gained a thing, no exchange but payments.
func (t *netTable) swapOf(asset ledger.Asset) *swap {
	pools, next, first := t.poolsAt(asset, asset)
	if len(pools) == 0 || !t.trades(first.payers, asset) {
		return nil
	}
	s := &swap{kind: "SWAP", pools: pools, in: first.gained}
	s.unsure = !first.simple || len(first.payers) != 1 || t.refunds(pools, asset)
	if !s.unsure {
		s.from = first.payers[0]
	}
	taken := map[ledger.Asset]bool{asset: true}
	for hops := 0; !s.unsure; hops++ {
		if taken[next] {
			s.unsure = true
			break
		}
		taken[next] = true
		more, after, l := t.poolsAt(next, asset)
		if len(more) == 0 {
			if hops == 0 && t.wraps(pools) {
				s.kind = wrapKind(next)
			}
			t.beneficiary(s, next, pools)
			s.unsure = s.unsure || s.to != s.from && s.from != t.signer
			break
		}
		s.unsure = !l.simple || len(l.payers) != 0
		pools, next = more, after
	}
	return s
}

// trades reports that somebody who paid the asset got another, or signed.
func (t *netTable) trades(payers []ledger.Address, asset ledger.Asset) bool {
	return slices.ContainsFunc(payers, func(a ledger.Address) bool {
		gained := slices.ContainsFunc(t.nets[a], func(n net) bool { return n.asset != asset && !n.in.IsZero() })
		return !a.IsZero() && (gained || a == t.signer)
	})
}

func wrapKind(out ledger.Asset) string {
	if out.Native() {
		return "UNWRAP"
	}
	return "WRAP"
}

// level is what a set of pools has in common.
type level struct {
	gained ledger.Amount    // what they took together
	payers []ledger.Address // who paid it and is no pool
	simple bool             // each gained one asset and lost one, all the same ones
}

// poolsAt returns the addresses that gained an asset and lost another, and that
// other. Who lost the first asset of all is no pool: it is who swaps.
func (t *netTable) poolsAt(asset, first ledger.Asset) (pools map[ledger.Address]bool, next ledger.Asset, l level) {
	pools, l.simple = map[ledger.Address]bool{}, true
	for a, changes := range t.nets {
		var gains, losses []net
		for _, n := range changes {
			if n.in.IsZero() {
				losses = append(losses, n)
			} else {
				gains = append(gains, n)
			}
		}
		at := slices.IndexFunc(gains, func(n net) bool { return n.asset == asset })
		paid := slices.ContainsFunc(losses, func(n net) bool { return n.asset == asset })
		if paid && (asset == first || len(gains) == 0) {
			l.payers = append(l.payers, a)
		}
		if at < 0 || len(losses) == 0 || a.IsZero() || slices.ContainsFunc(losses, func(n net) bool { return n.asset == first }) {
			continue
		}
		if len(gains) != 1 || len(losses) != 1 || len(pools) > 0 && losses[0].asset != next {
			l.simple = false
		}
		pools[a], next = true, losses[0].asset
		var err error
		if l.gained, err = l.gained.Add(gains[at].in); err != nil {
			l.simple = false
		}
	}
	return pools, next, l
}

// refunds reports a pool that gave some of the asset back.
func (t *netTable) refunds(pools map[ledger.Address]bool, asset ledger.Asset) bool {
	return slices.ContainsFunc(t.legs, func(l ledger.Transfer) bool { return l.Asset == asset && pools[l.From] && !pools[l.To] })
}

// wraps reports that the only pool is the contract of a wrapped coin.
func (t *netTable) wraps(pools map[ledger.Address]bool) bool {
	return len(pools) == 1 && slices.ContainsFunc(t.legs, func(l ledger.Transfer) bool {
		return l.Asset.Contract == l.From && pools[l.From] || l.Asset.Contract == l.To && pools[l.To]
	})
}

// beneficiary finds who was paid the last asset, and by which transfer.
func (t *netTable) beneficiary(s *swap, asset ledger.Asset, pools map[ledger.Address]bool) {
	var lost ledger.Amount
	for pool := range pools {
		for _, n := range t.nets[pool] {
			if n.asset == asset {
				sum, err := lost.Add(n.out)
				lost, s.unsure = sum, s.unsure || err != nil
			}
		}
	}
	paid := 0
	for a, changes := range t.nets {
		for _, n := range changes {
			if n.asset == asset && !n.in.IsZero() {
				paid++
				s.to, s.asset, s.out = a, asset, n.in
			}
		}
	}
	if paid != 1 || s.out != lost || s.to.IsZero() {
		s.unsure = true
		return
	}
	found := false
	for _, l := range t.legs {
		if l.Asset == asset && l.To == s.to {
			s.leg, found = l, true
		}
		if l.Asset == asset && l.From == s.to { // it passed some on before the exchange was over
			s.unsure = true
		}
	}
	s.unsure = s.unsure || !found
}
