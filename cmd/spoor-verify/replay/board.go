package replay

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// isHeld reports a terminal that somebody holds.
func (t *terminal) isHeld() bool {
	return t.Address != "" && t.Reason != "BURN" && t.Reason != "PRUNED" && (t.Reason != "PENDING" || t.Rests)
}

// board holds the seizure table and the restitution schedule against the terminals.
func (d *dossier) board() []finding {
	var found []finding
	sums := make([]map[account]*big.Int, len(d.results))
	for i := range d.results {
		sums[i] = map[account]*big.Int{}
		for j := range d.results[i].Terminals {
			t := &d.results[i].Terminals[j]
			if !t.isHeld() {
				continue
			}
			k := account{t.Network, t.Address, t.Asset}
			if sums[i][k] == nil {
				sums[i][k] = zero()
			}
			sums[i][k].Add(sums[i][k], &t.Traced.Int)
		}
	}
	left := map[account]bool{}
	for k := range sums[0] {
		left[k] = true
	}
	for i := range d.holdings {
		h := &d.holdings[i]
		k := account{h.Network, h.Address, h.Asset}
		if !left[k] {
			found = append(found, finding{"holdings", h.ID, "one row per holder with a terminal", h.Address})
			continue
		}
		delete(left, k)
		found = append(found, d.holding(h, k, sums)...)
	}
	for k := range left {
		found = append(found, finding{"holdings", k.address, "a row", "none"})
	}
	return append(found, d.restitution()...)
}

func (d *dossier) holding(h *holding, k account, sums []map[account]*big.Int) (found []finding) {
	want := func(what string, want, got *big.Int) {
		if want.Cmp(got) != 0 {
			found = append(found, finding{"holdings", h.ID + ", " + what, want.String(), got.String()})
		}
	}
	want("traced", sums[0][k], &h.Traced.Int)
	var low, high *big.Int
	for i := range sums {
		n := sums[i][k]
		if n == nil {
			n = zero()
		}
		if i < len(h.Under) {
			want("under rule "+decimal(uint64(i+1)), n, &h.Under[i].Traced.Int)
		}
		if low == nil || n.Cmp(low) < 0 {
			low = n
		}
		if high == nil || n.Cmp(high) > 0 {
			high = n
		}
	}
	want("rules", big.NewInt(int64(len(sums))), big.NewInt(int64(len(h.Under))))
	want("least", low, &h.Low.Int)
	want("most", high, &h.High.Int)
	balance := zero()
	if h.BalanceNow != nil {
		balance = &h.BalanceNow.Int
	}
	stop := new(big.Int).Set(&h.Traced.Int)
	if h.Held {
		want("unexplained less missing", new(big.Int).Sub(balance, &h.Traced.Int), new(big.Int).Sub(&h.Unexplained.Int, &h.Missing.Int))
		stop = least(stop, balance)
	}
	if !slices.Contains([]string{"ISSUER", "VASP", "KEY", "DONE"}, h.FreezableBy) {
		stop = zero()
	}
	want("recoverable", stop, &h.Recoverable.Int)
	labels, victims := d.parts(k)
	if got := sharesText(segsOf(h.Shares)); got != sharesText(labels) {
		found = append(found, finding{"holdings", h.ID + ", shares", sharesText(labels), got})
	}
	var said []string
	for i := range h.Victims {
		said = append(said, h.Victims[i].Victim+"="+h.Victims[i].Amount.String())
	}
	if got := strings.Join(said, ","); got != victims {
		found = append(found, finding{"holdings", h.ID + ", victims", victims, got})
	}
	return found
}

// parts are a holder's units by label, and by victim.
func (d *dossier) parts(k account) ([]seg, string) {
	var all []seg
	for j := range d.results[0].Terminals {
		if t := &d.results[0].Terminals[j]; t.isHeld() && k == (account{t.Network, t.Address, t.Asset}) {
			all = append(all, segsOf(t.Shares)...)
		}
	}
	all = shares(all)
	per := map[string]*big.Int{}
	for _, s := range all {
		v := d.victim(s.label)
		if per[v] == nil {
			per[v] = zero()
		}
		per[v].Add(per[v], s.n)
	}
	var said []string
	for _, v := range inOrder(per) {
		said = append(said, v+"="+per[v].String())
	}
	return all, strings.Join(said, ",")
}

func (d *dossier) victim(label int) string {
	for i := range d.payments {
		if d.payments[i].Label == label {
			return d.payments[i].Victim
		}
	}
	return ""
}

// inOrder sorts V-2 before V-10.
func inOrder[T any](m map[string]T) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return keys
}

// due is what one victim lost and is allotted of an asset.
type due struct{ lost, traced, allotted *big.Int }

func (d *dossier) restitution() (found []finding) {
	dues := map[string]map[string]*due{}
	of := func(asset, victim string) *due {
		if dues[asset] == nil {
			dues[asset] = map[string]*due{}
		}
		if dues[asset][victim] == nil {
			dues[asset][victim] = &due{zero(), zero(), zero()}
		}
		return dues[asset][victim]
	}
	for i := range d.payments {
		x := of(d.payments[i].Asset, d.payments[i].Victim)
		x.lost.Add(x.lost, new(big.Int).Sub(&d.payments[i].Amount.Int, &d.payments[i].Collided.Int))
	}
	for i := range d.holdings {
		h := &d.holdings[i]
		weights := make([]*big.Int, len(h.Shares))
		for j := range h.Shares {
			weights[j] = &h.Shares[j].Amount.Int
		}
		for j, n := range apportion(least(&h.Recoverable.Int, &h.Traced.Int), weights) {
			x := of(h.Asset, d.victim(h.Shares[j].Label))
			x.traced.Add(x.traced, n)
		}
	}
	for asset := range dues {
		d.allot(dues[asset])
	}
	written := 0
	for i := range d.awards {
		a := &d.awards[i]
		x := dues[a.Asset][a.Victim]
		if x == nil || x.lost.Cmp(&a.Lost.Int) != 0 || x.traced.Cmp(&a.Traced.Int) != 0 || x.allotted.Cmp(&a.Allocated.Int) != 0 {
			found = append(found, finding{"restitution", a.Victim + " of " + a.Asset, fmt.Sprint(x), fmt.Sprintf("lost %s, traced %s, allotted %s", &a.Lost, &a.Traced, &a.Allocated)})
		}
		written++
	}
	lines := 0
	for asset := range dues {
		lines += len(dues[asset])
	}
	if lines != written {
		found = append(found, finding{"restitution", "lines", decimal(uint64(lines)), decimal(uint64(written))})
	}
	return found
}

// String prints what is due.
func (x *due) String() string {
	if x == nil {
		return "no line"
	}
	return fmt.Sprintf("lost %s, traced %s, allotted %s", x.lost, x.traced, x.allotted)
}

func (d *dossier) allot(dues map[string]*due) {
	lost, pool := zero(), zero()
	var weights []*big.Int
	order := inOrder(dues)
	for _, v := range order {
		lost.Add(lost, dues[v].lost)
		pool.Add(pool, dues[v].traced)
		weights = append(weights, dues[v].lost)
	}
	if d.method.Allocation == "traced" || lost.Sign() == 0 {
		for _, x := range dues {
			x.allotted = x.traced
		}
		return
	}
	for i, n := range apportion(least(pool, lost), weights) {
		dues[order[i]].allotted = n
	}
}
