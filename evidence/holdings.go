package evidence

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// holding collects the terminals of one holder while the table is made.
type holding struct {
	Holding
	who                          ledger.Holder
	traced, balance, recoverable ledger.Amount
	shares                       map[int]ledger.Amount
	first, last                  int64
	urgency                      *big.Int
}

// holdings makes the seizure table of the case's own trace.
func (b *builder) holdings() error {
	for _, t := range b.traces {
		b.sums = append(b.sums, heldBy(t))
	}
	all := map[ledger.Holder]*holding{}
	for _, t := range b.traces[0].Terminals {
		if !holds(t) {
			continue
		}
		h := ledger.Holder{Address: t.Address, Asset: t.Asset}
		if all[h] == nil {
			all[h] = &holding{who: h, shares: map[int]ledger.Amount{}}
		}
		all[h].take(t)
	}
	var order []*holding
	for _, h := range slices.SortedFunc(maps.Keys(all), ledger.Holder.Compare) {
		one := all[h]
		if err := b.finish(one); err != nil {
			return err
		}
		order = append(order, one)
	}
	slices.SortStableFunc(order, mostUrgent)
	b.d.Holdings = []Holding{}
	for i, one := range order {
		one.ID = "H-" + strconv.Itoa(i+1)
		b.d.Holdings = append(b.d.Holdings, one.Holding)
	}
	return nil
}

// heldBy sums what a trace ends with each holder.
func heldBy(t *tracer.Trace) map[ledger.Holder]ledger.Amount {
	sums := map[ledger.Holder]ledger.Amount{}
	for _, one := range t.Terminals {
		if holds(one) {
			h := ledger.Holder{Address: one.Address, Asset: one.Asset}
			sums[h] = sums[h].Plus(one.Dirty)
		}
	}
	return sums
}

// holds reports a terminal that somebody holds: not what was burnt, pruned or
// not yet followed.
func holds(t tracer.Terminal) bool {
	return !t.Address.IsZero() && t.Reason != tracer.Burn && t.Reason != tracer.Pruned && (t.Reason != tracer.Pending || t.Rests)
}

func (h *holding) take(t tracer.Terminal) {
	h.traced = h.traced.Plus(t.Dirty)
	for _, s := range t.Shares {
		h.shares[int(s.Label)] = h.shares[int(s.Label)].Plus(s.Amount)
	}
	if !slices.Contains(h.Reasons, string(t.Reason)) {
		h.Reasons = append(h.Reasons, string(t.Reason))
	}
	if t.Hop > 0 {
		h.Rows = append(h.Rows, rowID(t.Hop))
	}
	if via := addressText(t.Via); via != "" && !slices.Contains(h.Via, via) {
		h.Via = append(h.Via, via)
	}
	if h.first == 0 || t.ArrivedAt < h.first {
		h.first = t.ArrivedAt
	}
	h.last = max(h.last, t.ArrivedAt)
	h.Held = h.Held || t.Rests
	switch {
	case t.Coin:
		h.balance = h.balance.Plus(t.BalanceNow) // each coin once
	default:
		h.balance = t.BalanceNow
	}
	h.Holder, h.FreezableBy = t.Holder(), t.FreezableBy()
}

func (b *builder) finish(h *holding) (err error) {
	at := b.headOf(h.who.Asset.Chain)
	h.Network, h.Address, h.Asset = string(h.who.Asset.Chain), addressText(h.who.Address), h.who.Asset.String()
	if entity, ok := h.who.Asset.Chain.Service(); ok && h.Holder == tracer.Customer {
		h.Account = entity + ":" + h.Address
	}
	h.Traced, h.FirstSeen, h.LastSeen = h.traced.String(), timeOf(h.first), timeOf(h.last)
	h.Minutes = max(0, (at-h.last)/60_000)
	slices.Sort(h.Reasons)
	slices.Sort(h.Via)
	slices.SortFunc(h.Rows, func(a, c string) int { return cmp.Or(cmp.Compare(len(a), len(c)), cmp.Compare(a, c)) })
	h.Rows = slices.Compact(h.Rows)
	h.balances()
	h.Low, h.High, h.Under = b.under(h.who)
	h.Shares, h.Victims = b.divide(h.shares)
	h.Recoverable = h.recoverable.String()
	if h.Seized, err = b.seized(h.who); err != nil {
		return err
	}
	h.Contact = contactClass(h.FreezableBy)
	h.Check = balanceCheck(h.who, b.d.Cover.AsOf)
	h.USD, h.USDSource = b.worth(h.traced, h.who.Asset, at)
	h.urgency = b.urgency(h, at)
	return nil
}

// balances compares what was traced with what is there, where that is the
// holder's own: at a service it is everybody's.
func (h *holding) balances() {
	freezable := h.FreezableBy == "ISSUER" || h.FreezableBy == "VASP" || h.FreezableBy == "KEY" || h.FreezableBy == "DONE"
	if !h.Held {
		if freezable {
			h.recoverable = h.traced // whether the service still holds it is in its books
		}
		return
	}
	h.BalanceNow = h.balance.String()
	h.Unexplained, h.Missing = h.balance.SubFloor(h.traced).String(), h.traced.SubFloor(h.balance).String()
	if freezable {
		h.recoverable = ledger.Min(h.traced, h.balance)
	}
}

// under is what each result puts with a holder, with the least and the most.
func (b *builder) under(h ledger.Holder) (low, high string, all []PolicyAmount) {
	var least, most ledger.Amount
	for i, t := range b.traces {
		sum := b.sums[i][h]
		if i == 0 || sum.Less(least) {
			least = sum
		}
		most = ledger.Max(most, sum)
		all = append(all, PolicyAmount{Policy: t.Policy, Traced: sum.String()})
	}
	return least.String(), most.String(), all
}

// divide lists shares by label and by victim.
func (b *builder) divide(shares map[int]ledger.Amount) ([]Share, []VictimShare) {
	byLabel, sums := []Share{}, map[string]ledger.Amount{}
	for _, label := range slices.Sorted(maps.Keys(shares)) {
		if shares[label].IsZero() {
			continue
		}
		byLabel = append(byLabel, Share{label, shares[label].String()})
		sums[b.victim[label]] = sums[b.victim[label]].Plus(shares[label])
	}
	byVictim := []VictimShare{}
	for _, v := range slices.SortedFunc(maps.Keys(sums), byNumber) {
		byVictim = append(byVictim, VictimShare{v, sums[v].String()})
	}
	return byLabel, byVictim
}

// byNumber orders V-2 before V-10.
func byNumber(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) }

func (b *builder) headOf(c ledger.Chain) int64 {
	for _, ref := range b.traces[0].AsOf {
		if ref.Chain == c {
			return ref.Time
		}
	}
	return 0
}

func (b *builder) seized(h ledger.Holder) (text string, err error) {
	var sum ledger.Amount
	for _, s := range b.c.Seizures { // few
		if s.from(h) {
			if sum, err = sum.Add(s.Amount); err != nil {
				return "", fmt.Errorf("seizures of %s: %w", h.Address, err)
			}
		}
	}
	if sum.IsZero() {
		return "", nil
	}
	return sum.String(), nil
}

// from reports money that was taken from a holder.
func (s Seizure) from(h ledger.Holder) bool {
	entity, _ := h.Asset.Chain.Service()
	here := s.Address == h.Address.Qualified() || entity != "" && s.Address == entity+":"+addressText(h.Address)
	return here && s.Asset == h.Asset.String()
}

func contactClass(freezableBy string) string {
	switch freezableBy {
	case "ISSUER":
		return "issuer"
	case "VASP":
		return "exchange"
	case "KEY":
		return "custodian"
	}
	return "none"
}

func balanceCheck(h ledger.Holder, asOf []Block) string {
	height := ""
	for _, b := range asOf {
		if b.Network == string(h.Asset.Chain) {
			height = strconv.FormatUint(b.Height, 10)
		}
	}
	address := addressText(h.Address)
	switch h.Asset.Chain.Family() {
	case ledger.FamilyBitcoin:
		if script, ok := strings.CutPrefix(address, "script:"); ok {
			return "scantxoutset start [\"raw(" + script + ")\"] at height " + height
		}
		return "scantxoutset start [\"addr(" + address + ")\"] at height " + height
	case ledger.FamilyEVM:
		if h.Asset.Native() {
			return "eth_getBalance " + address + " " + height
		}
		return "eth_call balanceOf(" + address + ") of " + h.Asset.Contract.String() + " at " + height
	case ledger.FamilyTRON:
		if h.Asset.Native() {
			return "wallet/getaccount address=" + address
		}
		return "wallet/triggerconstantcontract balanceOf(" + address + ") of " + h.Asset.Contract.String()
	}
	return disclosedBy(h.Asset.Chain) + " on " + address
}

// urgency is what can still be stopped, in cents, weighted by how lately it
// arrived: what came within the hour eight times, the day four times, the week
// twice (judgment: scam proceeds move on within hours). What has no price comes
// after all that has one.
func (b *builder) urgency(h *holding, at int64) *big.Int {
	weight := int64(1)
	switch {
	case h.Minutes < 60:
		weight = 8
	case h.Minutes < 24*60:
		weight = 4
	case h.Minutes < 7*24*60:
		weight = 2
	}
	if h.FreezableBy == "DONE" {
		weight = 0
	}
	value := new(big.Int)
	if usd, _ := b.rank(h.recoverable, h.who.Asset, at); usd != "" {
		value.SetString(strings.ReplaceAll(usd, ".", ""), 10)
	}
	return value.Mul(value, big.NewInt(weight))
}

func (b *builder) rank(a ledger.Amount, asset ledger.Asset, at int64) (usd, source string) {
	if b.src.Rank == nil {
		return "", ""
	}
	usd, source, _ = b.src.Rank(a, asset, at)
	return usd, source
}

func mostUrgent(a, b *holding) int {
	return cmp.Or(b.urgency.Cmp(a.urgency), b.recoverable.Cmp(a.recoverable), b.traced.Cmp(a.traced), a.who.Compare(b.who))
}
