package behavior

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// The bounds of one cluster (judgment). What they cut off is said.
const (
	MaxMembers   = 1_000
	MaxReads     = 50_000 // transfers and notices
	maxSuspected = 1_000  // payees of an unlabelled service, as in a trace
)

// Question asks for the cluster of an account.
type Question struct {
	Of ledger.Address
	// Tier is the weakest that is used. T1 adds nothing to T0 on account networks.
	Tier ledger.Tier
	// Collectors are addresses that whoever asks takes for collectors of a scam,
	// besides those labelled so.
	Collectors []ledger.Address
	// MaxMembers and MaxReads lower the bounds; 0: as they are.
	MaxMembers, MaxReads int
}

// Cluster is every account that joins of a tier lead to.
type Cluster struct {
	Members []ledger.Address // sorted, with the one that was asked for
	// Joins is a tree over the members, breadth first, over T0 alone and then over T2,
	// too: A was found before B.
	Joins  []ledger.Join
	Limits []string       // what was not looked at, one sentence each
	First  ledger.Address // the member that was seen first
}

// heuristic is one reason for joins. A further one is a function and a row.
type heuristic struct {
	name string
	tron bool // of TRON alone
	tier ledger.Tier
	find func(k *asking, ctx context.Context, a ledger.Address) ([]ledger.Join, error)
}

func heuristics() []heuristic {
	return []heuristic{
		{PermissionKey, true, ledger.TierExact, (*asking).sharedKeys},
		{ContractCreator, false, ledger.TierExact, (*asking).creators},
		{DepositReuse, false, ledger.TierBehavior, (*asking).depositUsers},
		{Funder, false, ledger.TierBehavior, (*asking).siblings},
		{EnergyDelegation, true, ledger.TierBehavior, (*asking).lenders},
		{ScamCollectors, false, ledger.TierBehavior, (*asking).operators},
	}
}

// of reports that a heuristic is of a network, and of a tier or one before it.
func (h *heuristic) of(c ledger.Chain, tier ledger.Tier) bool {
	return h.tier <= tier && (!h.tron || c.Family() == ledger.FamilyTRON)
}

// Heuristics lists what the clusters of a network and a tier rest on.
func Heuristics(c ledger.Chain, tier ledger.Tier) []string {
	var names []string
	for _, h := range heuristics() {
		if h.of(c, tier) {
			names = append(names, h.name)
			if h.name == DepositReuse && c.Family() == ledger.FamilyTRON {
				names = append(names, DepositSignature) // both say what a deposit address is
			}
		}
	}
	return names
}

// ClusterOf follows the joins of a tier from an account, breadth first. It never
// goes through a service: customers of one are no owners of each other. Where a
// bound ends it, the members found so far come with a limit that says so.
func ClusterOf(ctx context.Context, idx Index, q Question) (*Cluster, error) {
	k := ask(idx, q)
	c := &Cluster{Members: []ledger.Address{q.Of}}
	err := k.follow(ctx, c)
	if errors.Is(err, errSpent) {
		k.limit("%d transfers and notices were looked at: members may be missing", k.reads)
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("cluster of %s: %w", q.Of, err)
	}
	if c.First, err = k.firstSeen(ctx, c.Members); err != nil {
		return nil, fmt.Errorf("cluster of %s: %w", q.Of, err)
	}
	slices.SortFunc(c.Members, ledger.Address.Compare)
	c.Limits = k.limits
	return c, nil
}

// holder says of a deposit address whose it is: its users are no owners of it.
func (k *asking) holder(ctx context.Context) error {
	for _, asset := range k.assets {
		d, err := k.deposit(ctx, ledger.Holder{Address: k.q.Of, Asset: asset})
		if err != nil {
			return err
		}
		if d != nil {
			k.limit("%s takes deposits for %s (%s%s): it is the exchange's, and its users are not looked for", d.Address, d.Exchange.Label, d.Heuristic, d.Gas)
		}
	}
	return nil
}

func (k *asking) follow(ctx context.Context, c *Cluster) error {
	if serves, err := k.serves(ctx, k.q.Of); err != nil || serves {
		if serves {
			k.limit("%s is a service: nobody is joined with it", k.q.Of)
		}
		return err
	}
	known := map[ledger.Address]bool{k.q.Of: true}
	// What T2 reads must not cost a member that is certain.
	if err := k.grow(ctx, c, known, ledger.TierExact); err != nil || k.q.Tier < ledger.TierBehavior {
		return err
	}
	if err := k.holder(ctx); err != nil {
		return err
	}
	return k.grow(ctx, c, known, ledger.TierBehavior)
}

// grow adds whom joins up to a tier lead to from any member.
func (k *asking) grow(ctx context.Context, c *Cluster, known map[ledger.Address]bool, tier ledger.Tier) error {
	for i := 0; i < len(c.Members); i++ {
		joins, err := k.joins(ctx, c.Members[i], tier)
		if err != nil {
			return err
		}
		for _, j := range joins {
			if known[j.B] {
				continue
			}
			if serves, err := k.serves(ctx, j.B); err != nil || serves {
				if err != nil {
					return err
				}
				k.limit("%s is a service: nobody is joined with it", j.B)
				continue
			}
			if len(c.Members) == k.q.MaxMembers {
				k.limit("%d members are listed; there are more", k.q.MaxMembers)
				return nil
			}
			known[j.B] = true
			c.Members, c.Joins = append(c.Members, j.B), append(c.Joins, j)
		}
	}
	return nil
}

// joins returns those of one account, the most certain first.
func (k *asking) joins(ctx context.Context, a ledger.Address, tier ledger.Tier) ([]ledger.Join, error) {
	var all []ledger.Join
	for _, h := range heuristics() {
		if !h.of(a.Chain, tier) {
			continue
		}
		found, err := h.find(k, ctx, a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.name, err)
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(x, y ledger.Join) int {
		return cmp.Or(cmp.Compare(x.Tier, y.Tier), cmp.Compare(x.Pos, y.Pos), x.B.Compare(y.B))
	})
	return all, nil
}

// MembersAfter returns the members that follow an address; all follow the zero one.
func (c *Cluster) MembersAfter(a ledger.Address) []ledger.Address {
	if a.IsZero() {
		return c.Members
	}
	at, found := slices.BinarySearchFunc(c.Members, a, ledger.Address.Compare)
	if found {
		at++
	}
	return c.Members[at:]
}

// Why returns the joins that lead from the account that was asked for to another
// member; none to one that is not in the cluster.
func (c *Cluster) Why(b ledger.Address) []ledger.Join {
	var path []ledger.Join
	for _, j := range slices.Backward(c.Joins) { // each was added after what it leads on from
		if j.B == b {
			path = append(path, j)
			b = j.A
		}
	}
	slices.Reverse(path)
	return path
}

var errSpent = errors.New("the bound of reads is reached")

// asking is one question under way. It is the index that heuristics ask, which
// counts what they read.
type asking struct {
	Index
	q        Question
	reads    int
	assets   []ledger.Asset // in which transfers are looked at: native coin and stablecoins
	limits   []string
	deposits map[ledger.Holder]*Deposit
	records  map[ledger.Address]*record
	services map[ledger.Address]bool
	habits   map[ledger.Address]*habits
	funded   map[ledger.Address][]grant
}

func ask(idx Index, q Question) *asking {
	if q.MaxMembers == 0 {
		q.MaxMembers = MaxMembers
	}
	if q.MaxReads == 0 {
		q.MaxReads = MaxReads
	}
	k := &asking{
		Index: idx, q: q, deposits: map[ledger.Holder]*Deposit{}, records: map[ledger.Address]*record{},
		services: map[ledger.Address]bool{}, habits: map[ledger.Address]*habits{}, funded: map[ledger.Address][]grant{},
	}
	k.assets = []ledger.Asset{ledger.NativeAsset(q.Of.Chain)}
	for _, symbol := range []string{"USDT", "USDC"} {
		if asset, known := ledger.AssetBySymbol(q.Of.Chain, symbol); known {
			k.assets = append(k.assets, asset)
		}
	}
	return k
}

func (k *asking) limit(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(k.limits, text) {
		k.limits = append(k.limits, text)
	}
}

// Events counts what is read.
func (k *asking) Events(ctx context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error] {
	return counted(k, k.Index.Events(ctx, h, after))
}

// EventsBefore counts what is read.
func (k *asking) EventsBefore(ctx context.Context, h ledger.Holder, before ledger.Point) iter.Seq2[ledger.Event, error] {
	return counted(k, k.Index.EventsBefore(ctx, h, before))
}

// Notices counts what is read.
func (k *asking) Notices(ctx context.Context, subject ledger.Address, after ledger.Point) iter.Seq2[ledger.Noted, error] {
	return counted(k, k.Index.Notices(ctx, subject, after))
}

func counted[T any](k *asking, all iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range all {
			if k.reads == k.q.MaxReads && err == nil {
				err = errSpent
			} else {
				k.reads++
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// serves reports an address at which many people's money meets: labelled so, or with
// more payees than anybody has, unless it is what traces look for.
func (k *asking) serves(ctx context.Context, a ledger.Address) (bool, error) {
	if serves, asked := k.services[a]; asked {
		return serves, nil
	}
	serves, err := k.servesMany(ctx, a)
	if err == nil {
		k.services[a] = serves
	}
	return serves, err
}

func (k *asking) servesMany(ctx context.Context, a ledger.Address) (bool, error) {
	if serves, err := labelled(ctx, k, a, tracer.ServesMany); err != nil || serves {
		return serves, err
	}
	hunted, err := labelled(ctx, k, a, tracer.Hunted)
	if err != nil || hunted || slices.Contains(k.q.Collectors, a) {
		return false, err
	}
	for _, asset := range k.assets {
		_, many, err := k.PayeeAt(ctx, ledger.Holder{Address: a, Asset: asset}, maxSuspected+1)
		if err != nil || many {
			return many, err
		}
	}
	return false, nil
}

// common reports an address that proves nothing when two pay it: a service, a
// contract, nobody.
func (k *asking) common(ctx context.Context, a ledger.Address) (bool, error) {
	if a.IsZero() || a.Burn() {
		return true, nil
	}
	if serves, err := k.serves(ctx, a); err != nil || serves {
		return serves, err
	}
	r, err := k.record(ctx, a)
	return err != nil || r.creation != nil, err
}

// payees returns whom a holder paid at least dust, the first first.
func (k *asking) payees(ctx context.Context, h ledger.Holder) ([]ledger.Address, error) {
	var all []ledger.Address
	known := map[ledger.Address]bool{}
	dust := ledger.InfoOf(h.Asset).Dust
	n := 0
	for e, err := range k.Events(ctx, h, ledger.Point{}) {
		if err != nil {
			return nil, err
		}
		if n++; n > MaxEvents || len(all) > maxPayees {
			break
		}
		if e.From == h.Address && e.To != h.Address && e.Kind != ledger.TransferFee && !e.To.IsZero() && !e.Amount.Less(dust) && !known[e.To] {
			known[e.To] = true
			all = append(all, e.To)
		}
	}
	if n > MaxEvents {
		k.limit("only the first %d transfers of %s were looked at", MaxEvents, h.Address)
	}
	if len(all) > maxPayees {
		k.limit("only the first %d payees of %s were looked into", maxPayees, h.Address)
		all = all[:maxPayees]
	}
	return all, nil
}

// firstSeen is the member that moved or was noted first; of several, the first in
// order of address. It reads one row of each and is beside the bound.
func (k *asking) firstSeen(ctx context.Context, members []ledger.Address) (ledger.Address, error) {
	best, first := members[0], ledger.Point{Pos: ^ledger.Position(0)}
	for _, m := range members {
		at, err := k.begins(ctx, m)
		if err != nil {
			return best, err
		}
		if d := at.Compare(first); d < 0 || d == 0 && m.Compare(best) < 0 {
			best, first = m, at
		}
	}
	return best, nil
}

func (k *asking) begins(ctx context.Context, a ledger.Address) (ledger.Point, error) {
	first := ledger.Point{Pos: ^ledger.Position(0)}
	for _, asset := range k.assets {
		for e, err := range k.Index.Events(ctx, ledger.Holder{Address: a, Asset: asset}, ledger.Point{}) {
			if err != nil {
				return first, err
			}
			if e.At.Before(first) {
				first = e.At
			}
			break
		}
	}
	for n, err := range k.Index.Notices(ctx, a, ledger.Point{}) {
		if err != nil {
			return first, err
		}
		if n.At.Before(first) {
			first = n.At
		}
		break
	}
	return first, nil
}
