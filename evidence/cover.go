package evidence

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// cover completes the cover with what the trace rests on, and with what is not
// known.
func (b *builder) cover() error {
	b.d.Cover = b.c.Cover
	b.d.Cover.Format = Format
	heads := map[ledger.Chain]ledger.BlockRef{}
	for _, t := range b.traces { // another policy's trace may cross into a network that the case's own does not reach
		for _, ref := range t.AsOf {
			heads[ref.Chain] = ref
		}
	}
	for _, c := range slices.Sorted(maps.Keys(heads)) {
		b.d.Cover.AsOf = append(b.d.Cover.AsOf, blockOf(heads[c]))
	}
	assets := map[ledger.Asset]bool{}
	for _, t := range b.traces {
		for _, s := range t.Sheets {
			assets[s.Asset] = true
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(assets), ledger.Asset.Compare) {
		info, err := b.src.Info(a)
		if err != nil {
			return err
		}
		b.d.Cover.Assets = append(b.d.Cover.Assets, Asset{a.String(), info.Symbol, info.Decimals, info.Known, info.Dust.String()})
	}
	b.d.Cover.Warnings = b.warnings()
	return nil
}

// warnings say in sentences what is not known.
func (b *builder) warnings() []string {
	said := []string{}
	for _, n := range b.d.Cover.Networks {
		if n.Coverage != "COMPLETE" {
			said = append(said, fmt.Sprintf("%s: coverage is %s: %s", n.Network, n.Coverage, n.Detail))
		}
		for _, m := range n.Missing {
			said = append(said, n.Network+": not held: "+m)
		}
	}
	main := b.traces[0]
	for _, o := range main.Openings {
		said = append(said, fmt.Sprintf("%s: what it held before its first listed transfer is not known; %s base units of %s were assumed, the least that fits",
			o.Holder.Address.Qualified(), o.Deficit, o.Holder.Asset))
	}
	for _, in := range main.Inputs {
		said = append(said, fmt.Sprintf("%s:%s: not all inputs are known; %s base units were assumed, the least that fits", in.Chain, hashText(in.Chain, in.Tx), in.Assumed))
	}
	for reason, text := range map[tracer.Reason]string{
		tracer.NotCovered: "was last seen at an account whose later transfers are not held",
		tracer.Pending:    "was not followed to its end: a limit of the trace was reached",
	} {
		for _, s := range b.endedAs(reason) {
			said = append(said, s+" "+text)
		}
	}
	said = append(said, b.strayed()...)
	slices.Sort(said)
	return slices.Compact(said)
}

// strayed are seizures of what no holder of the trace has: nothing of the table
// shows them.
func (b *builder) strayed() (all []string) {
	held := heldBy(b.traces[0])
	for _, s := range b.c.Seizures {
		placed := false
		for h := range held {
			placed = placed || s.from(h)
		}
		if !placed {
			all = append(all, fmt.Sprintf("a seizure of %s base units of %s at %s is of no holding: the trace leads no such money there", s.Amount, s.Asset, s.Address))
		}
	}
	return all
}

// endedAs sums what ended with a reason, one sentence's beginning per asset.
func (b *builder) endedAs(reason tracer.Reason) (all []string) {
	sums := map[ledger.Asset]ledger.Amount{}
	for _, t := range b.traces[0].Terminals {
		if t.Reason == reason {
			sums[t.Asset] = sums[t.Asset].Plus(t.Dirty)
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(sums), ledger.Asset.Compare) {
		all = append(all, fmt.Sprintf("%s base units of %s", sums[a], a))
	}
	return all
}

// method says by which rules.
func (b *builder) method() error {
	m := &b.d.Method
	m.UTXO, m.Account, m.Allocation, m.Floor = b.c.UTXO, b.c.Account, b.c.Allocation, "0"
	m.UTXO.About, m.Account.About = b.pairs[0][0].About, b.pairs[0][1].About
	for _, p := range b.pairs[1:] {
		m.Compared = append(m.Compared, p[0].Name)
	}
	m.Stops = tracer.StopCategories()
	m.Limits = Limits{b.req.ServicePayees, b.req.AccountEvents, b.req.Hops, b.req.Events}
	m.Heuristics = b.heuristics()
	m.Text = methodText()
	return nil
}

// heuristics are the rules that a figure of the package rests on.
func (b *builder) heuristics() []Rule {
	used := map[string]Rule{}
	for _, r := range b.d.Ledger {
		if r.Heuristic != "" {
			used[r.Heuristic] = Rule{ID: r.Heuristic, Tier: r.Tier, Text: "a crossing that was matched by likeness, not by an id"}
		}
		if r.Ends == string(tracer.SuspectedService) {
			used["suspected service"] = Rule{ID: "suspected service", Tier: "T2", Text: fmt.Sprintf("an account that has paid more than %d distinct payees of the asset is taken for a service", b.req.ServicePayees)}
		}
		if r.Class == ClassAttribution {
			used["labels"] = Rule{ID: "labels", Tier: "T0", Text: "the trace ends at an address that a source has labelled as a service: see entities"}
		}
	}
	rules := []Rule{}
	for _, id := range slices.Sorted(maps.Keys(used)) {
		r := used[id]
		r.Rates = []string{id + ": not measured"}
		if b.src.Rates != nil {
			r.Rates = b.src.Rates(id)
		}
		rules = append(rules, r)
	}
	return rules
}

func methodText() []string {
	return []string{
		"Every transfer of an account that holds traced units is replayed in the order of its network, from the first traced credit until nothing traced is left. What the account held before is one clean lot.",
		"How much of a payment out of a mixed account is the victims' is an accounting choice, not a measurement. The policy of the case is applied to every transfer; the results under the other policies stand beside it.",
		"Amounts are integers of the asset's smallest unit. Nothing is rounded, and nothing is left out for being small: for every asset, seeded - collided + converted in = resting + stopped + burnt + fees + converted out + pruned + pending.",
		"The trace ends at services by their labels, at accounts that pay very many others, and where money was exchanged in a way that no rule resolves. Heuristic links do not extend it.",
	}
}

// entities lists who is named, with what says so and what speaks against it.
func (b *builder) entities() error {
	named := map[string]*Entity{}
	var order []string
	for _, t := range b.d.Record.Labels {
		best, rest := ranked(t)
		if best == nil {
			continue
		}
		name := nameOf(*best)
		e := named[name]
		if e == nil {
			e = &Entity{Name: name, Category: best.Category, Addresses: []string{}, Evidence: []Attribution{}}
			named[name] = e
			order = append(order, name)
		}
		e.Addresses = append(e.Addresses, t.Network+":"+t.Address)
		e.Evidence = append(e.Evidence, attributionOf(t, *best))
		for _, other := range rest {
			if nameOf(other) == name {
				e.Evidence = append(e.Evidence, attributionOf(t, other))
				continue
			}
			e.Alternatives = append(e.Alternatives, attributionOf(t, other))
		}
	}
	slices.SortFunc(order, strings.Compare)
	b.d.Entities = []Entity{}
	ids := map[string]string{}
	for i, name := range order {
		e := named[name]
		e.ID = fmt.Sprintf("E-%d", i+1)
		for _, a := range e.Addresses {
			ids[a] = e.ID
		}
		b.d.Entities = append(b.d.Entities, *e)
	}
	for i := range b.d.Holdings {
		b.d.Holdings[i].Entity = ids[b.d.Holdings[i].Network+":"+b.d.Holdings[i].Address]
	}
	return nil
}

// ranked splits an address's labels in the most confident one, ties to the one
// recorded first, and the others.
func ranked(t Tagged) (best *Tag, rest []Tag) {
	for i := range t.Tags {
		if best == nil || t.Tags[i].Confidence > best.Confidence {
			best = &t.Tags[i]
		}
	}
	for i := range t.Tags {
		if &t.Tags[i] != best {
			rest = append(rest, t.Tags[i])
		}
	}
	return best, rest
}

func nameOf(t Tag) string {
	if t.Actor != "" {
		return t.Actor
	}
	return t.Label
}

func attributionOf(t Tagged, tag Tag) Attribution {
	return Attribution{
		Address: t.Network + ":" + t.Address, Label: tag.Label, Category: tag.Category, Actor: tag.Actor, Source: tag.Source, Pack: tag.Pack,
		Confidence: tag.Confidence, LastMod: timeOf(tag.LastMod), Recorded: timeOf(tag.Recorded), Sequence: tag.Sequence, Private: tag.Sequence == 0,
	}
}
