package replay

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"
)

const (
	checkNameHoldings    = "holdings"
	checkNameRestitution = "restitution"
)

// held is what terminals of a result put with one holder.
type held struct {
	units   lots
	traced  *big.Int
	balance *big.Int
	rests   bool
	reasons []string
	rows    []string
	via     []string
	last    terminal
	first   time.Time
	latest  time.Time
}

// isHeld says that somebody has what a terminal names: not what was burnt, was too small, or was not followed to its end.
func (t *terminal) isHeld() bool {
	return t.Address != "" && t.Reason != "BURN" && t.Reason != pruned && (t.Reason != "PENDING" || t.Rests)
}

func heldOf(r *result) map[holder]*held {
	all := map[holder]*held{}
	for i := range r.Terminals {
		t := &r.Terminals[i]
		if !t.isHeld() {
			continue
		}
		h := holder{t.Address, t.Asset}
		if all[h] == nil {
			all[h] = &held{traced: new(big.Int), balance: new(big.Int)}
		}
		all[h].take(t)
	}
	return all
}

func (h *held) take(t *terminal) {
	h.traced = plus(h.traced, t.Traced.units())
	for _, s := range t.Shares {
		h.units = append(h.units, lot{s.Label, s.Amount.units()})
	}
	if t.Coin { // each coin once
		h.balance = plus(h.balance, t.BalanceNow.units())
	} else {
		h.balance = t.BalanceNow.units()
	}
	h.reasons, h.via = append(h.reasons, t.Reason), append(h.via, t.Via)
	if t.Row != "" {
		h.rows = append(h.rows, t.Row)
	}
	h.rests, h.last = h.rests || t.Rests, *t
	if h.first.IsZero() || t.ArrivedAt.Before(h.first) { // zero: not known
		h.first = t.ArrivedAt
	}
	if t.ArrivedAt.After(h.latest) {
		h.latest = t.ArrivedAt
	}
}

// set is a list in order, each once, without nothing.
func set(list []string) []string {
	list = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
	slices.SortFunc(list, byNumber)
	return slices.Compact(list)
}

// byNumber orders V-2 before V-10.
func byNumber(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) }

// holdingCheck collects what is found of holdings.
type holdingCheck struct {
	d     *dossier
	under []map[holder]*held // of each result
	found []Finding
}

func (c *holdingCheck) say(subject, what, want, got string) {
	if want != got {
		c.found = append(c.found, Finding{checkNameHoldings, subject + ", " + what, want, got})
	}
}

// checkHoldings makes the seizure table again from the terminals.
func checkHoldings(d *dossier) []Finding {
	c := &holdingCheck{d: d}
	if len(d.results) == 0 {
		return []Finding{{checkNameHoldings, "results.json", "a result", "none"}}
	}
	for i := range d.results {
		c.under = append(c.under, heldOf(&d.results[i]))
	}
	seen := map[holder]bool{}
	for i, h := range d.holdings {
		who := holder{h.Address, h.Asset}
		c.say(h.ID, "number", fmt.Sprintf("H-%d", i+1), h.ID)
		own := c.under[0][who]
		if own == nil || seen[who] || !onNetwork(h.Network, h.Asset) {
			c.say(h.ID, "holder", "one of the first result's terminals, once", h.Address+" of "+h.Asset)
			continue
		}
		seen[who] = true
		c.check(h, who, own)
	}
	for who := range c.under[0] {
		if !seen[who] {
			c.say("holdings.json", "holder", who.address+" of "+who.asset, "no row")
		}
	}
	return sorted(c.found)
}

func (c *holdingCheck) check(h holding, who holder, own *held) {
	same := func(what string, want any, got any) { c.say(h.ID, what, fmt.Sprint(want), fmt.Sprint(got)) }
	same("traced", own.traced, h.Traced)
	same("shares", sharesText(own.units.shares()), sharesText(h.Shares))
	same("victims", victimsText(c.byVictim(own.units)), victimsText(h.Victims))
	same("reasons", set(own.reasons), set(h.Reasons))
	same("rows", set(own.rows), set(h.Rows))
	same("via", set(own.via), set(h.Via))
	same("held", own.rests, h.Held)
	same("first seen", timeText(own.first), timeText(h.FirstSeen))
	same("last seen", timeText(own.latest), timeText(h.LastSeen))
	same("minutes", max(0, (millis(c.cutOff(h.Network))-millis(own.latest))/60_000), h.Minutes)
	same("account", customer(h), h.Account)
	same("holder and who can freeze it", c.freezing(own.last), h.Holder+", "+h.FreezableBy)
	c.checkUnder(h, who)
	c.checkBalance(h, own)
	if len(h.Entity) > 0 && !slices.ContainsFunc(c.d.entities, func(e entity) bool { return e.ID == h.Entity }) {
		same("entity", "one of entities.json", h.Entity)
	}
}

// customer names an account at a service, ENTITY:UID.
func customer(h holding) string {
	if familyOf(h.Network) != familyService || strings.Contains(h.Address, ":") {
		return ""
	}
	return strings.TrimPrefix(h.Network, "service-") + ":" + h.Address
}

func (c *holdingCheck) cutOff(network string) time.Time {
	for _, b := range c.d.cover.AsOf {
		if b.Network == network {
			return b.Time
		}
	}
	return time.Time{}
}

// millis is Unix milliseconds; a time that is not known is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (c *holdingCheck) byVictim(units lots) []victimShare {
	per := map[string]*big.Int{}
	for _, one := range units.perLabel() {
		v := victimOf(c.d, one.label)
		if per[v] == nil {
			per[v] = new(big.Int)
		}
		per[v] = plus(per[v], one.units)
	}
	var all []victimShare
	for _, v := range slices.SortedFunc(maps.Keys(per), byNumber) {
		all = append(all, victimShare{v, amount(per[v].String())})
	}
	return all
}

func victimOf(d *dossier, label int) string {
	if label < 1 || label > len(d.payments) {
		return ""
	}
	return d.payments[label-1].Victim
}

func victimsText(all []victimShare) string {
	var texts []string
	for _, one := range all {
		texts = append(texts, one.Victim+"="+string(one.Amount))
	}
	return strings.Join(texts, ",")
}

// checkUnder: what each result puts there, with the least and the most.
func (c *holdingCheck) checkUnder(h holding, who holder) {
	var want []policyAmount
	var low, high *big.Int
	for i, r := range c.d.results {
		n := new(big.Int)
		if own := c.under[i][who]; own != nil {
			n = own.traced
		}
		if i == 0 {
			low, high = n, n
		}
		low, high = least(low, n), most(high, n)
		want = append(want, policyAmount{policy{r.UTXO, r.Account}.name(), amount(n.String())})
	}
	c.say(h.ID, "under each policy", fmt.Sprint(want), fmt.Sprint(h.Under))
	c.say(h.ID, "least and most", fmt.Sprint(low, " ", high), fmt.Sprint(h.Low, " ", h.High))
}

// checkBalance: traced + unexplained - missing = balance, where the balance is the holder's own; else it is the service's.
func (c *holdingCheck) checkBalance(h holding, own *held) {
	recoverable := new(big.Int)
	if h.FreezableBy != "NONE" {
		recoverable = own.traced
	}
	balance, unexplained, missing := "", "", ""
	if own.rests {
		balance, unexplained, missing = own.balance.String(), above(own.balance, own.traced).String(), above(own.traced, own.balance).String()
		recoverable = least(recoverable, own.balance)
	}
	c.say(h.ID, "balance", balance, string(h.BalanceNow))
	c.say(h.ID, "unexplained", unexplained, string(h.Unexplained))
	c.say(h.ID, "missing", missing, string(h.Missing))
	c.say(h.ID, "recoverable", recoverable.String(), string(h.Recoverable))
}

// freezing says what kind of holder a reason implies, and who can stop the money. A name with a colon is where a service paid out to.
func (c *holdingCheck) freezing(t terminal) string {
	if familyOf(t.Network) == familyService {
		if strings.Contains(t.Address, ":") {
			return "unknown, NONE"
		}
		return "VASP account, VASP"
	}
	token := slices.ContainsFunc(c.d.cover.Assets, func(a asset) bool { return a.Asset == t.Asset && a.Known && t.Asset != native(t.Network) })
	open := "KEY"
	if token {
		open = "ISSUER"
	}
	switch t.Reason {
	case "UNSPENT":
		return "self-custody or unknown, " + open
	case "FROZEN":
		return "issuer-frozen, DONE"
	case "SERVICE":
		return "VASP hot, VASP"
	case "SUSPECTED_SERVICE":
		return "unknown service, VASP"
	case "DEPOSIT_ADDRESS":
		return "VASP deposit, VASP"
	case "MIXER", "COINJOIN", "BRIDGE_UNMATCHED", "CONTRACT":
		if token {
			return "contract or mixer, ISSUER"
		}
		return "contract or mixer, NONE"
	case "SEIZED":
		return "state, DONE"
	case "PENDING":
		return ", " + open
	}
	return "unknown, " + open
}

// claim is one victim's side of the restitution of one asset.
type claim struct{ lost, traced *big.Int }

// checkRestitution makes the schedule again from payments and holdings.
func checkRestitution(d *dossier) (found []Finding) {
	want := map[string]string{}
	for asset, claims := range claimsOf(d) {
		victims := slices.SortedFunc(maps.Keys(claims), byNumber)
		for i, part := range allocate(d.method.Allocation, victims, claims) {
			one := claims[victims[i]]
			want[victims[i]+" in "+asset] = fmt.Sprintf("lost %s, traced %s, allocated %s", one.lost, one.traced, part)
		}
	}
	for _, a := range d.awards {
		name := a.Victim + " in " + a.Asset
		if got := fmt.Sprintf("lost %s, traced %s, allocated %s", a.Lost, a.Traced, a.Allocated); want[name] != got {
			found = append(found, Finding{checkNameRestitution, name, orDash(want[name]), got})
		}
		delete(want, name)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		found = append(found, Finding{checkNameRestitution, name, want[name], "no line"})
	}
	if d.method.Allocation != "traced" && d.method.Allocation != "pro-rata" {
		found = append(found, Finding{checkNameRestitution, "method.json", "allocation traced or pro-rata", d.method.Allocation})
	}
	return found
}

// claimsOf is what each victim lost of each asset, and what of it can be recovered.
func claimsOf(d *dossier) map[string]map[string]*claim {
	all := map[string]map[string]*claim{}
	of := func(asset, victim string) *claim {
		if all[asset] == nil {
			all[asset] = map[string]*claim{}
		}
		if all[asset][victim] == nil {
			all[asset][victim] = &claim{new(big.Int), new(big.Int)}
		}
		return all[asset][victim]
	}
	for _, p := range d.payments {
		c := of(p.Asset, p.Victim)
		c.lost = plus(c.lost, above(p.Amount.units(), p.Collide.units()))
	}
	for _, h := range d.holdings {
		var weights []*big.Int
		for _, s := range h.Shares {
			weights = append(weights, s.Amount.units())
		}
		for i, part := range apportion(least(h.Recoverable.units(), sumOf(weights)), weights) {
			c := of(h.Asset, victimOf(d, h.Shares[i].Label))
			c.traced = plus(c.traced, part)
		}
	}
	return all
}

// allocate shares what can be recovered: as it was traced, or by loss. Where nobody lost the asset itself, as it was traced.
func allocate(allocation string, victims []string, claims map[string]*claim) []*big.Int {
	var lost, traced []*big.Int
	for _, v := range victims {
		lost, traced = append(lost, claims[v].lost), append(traced, claims[v].traced)
	}
	if sum := sumOf(lost); allocation == "pro-rata" && sum.Sign() > 0 {
		return apportion(least(sumOf(traced), sum), lost)
	}
	return traced
}
