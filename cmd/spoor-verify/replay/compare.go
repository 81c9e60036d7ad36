package replay

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// checkPolicies recomputes every result and compares it, the ledger, the holdings and the restitution with what is written.
func checkPolicies(p *pack) ([]finding, []string) {
	d, err := readDossier(p)
	if err != nil {
		return []finding{{"record", "files", "to be read", err.Error()}}, nil
	}
	found := d.record.index()
	if len(found) > 0 {
		return found, nil // what contradicts itself leads nowhere
	}
	utxo := map[string]bool{}
	var cover struct {
		Networks []struct {
			Network string `json:"network"`
			Model   string `json:"model"`
		} `json:"networks"`
	}
	if err := readPart(p, "case.json", &cover); err != nil {
		return append(found, finding{"record", "case.json", "to be read", err.Error()}), nil
	}
	for _, n := range cover.Networks {
		utxo[n.Network] = n.Model == "utxo"
	}
	var said []string
	for i := range d.results {
		r := newReplay(d, &d.results[i], utxo)
		name := d.results[i].UTXO + " on outputs, " + d.results[i].Account + " in accounts"
		if err := guarded(r.run); err != nil {
			found = append(found, finding{"policy", name, "to be recomputed from the record", err.Error()})
			continue
		}
		found = append(found, r.compare(name)...)
		if i == 0 {
			found = append(found, r.ledger()...)
			said = append(said, r.sums()...)
		}
	}
	return append(found, d.board()...), said
}

// guarded turns what a forged record makes impossible into an error.
func guarded(run func() error) (err error) {
	defer func() {
		if impossible := recover(); impossible != nil {
			err = fmt.Errorf("the record contradicts itself: %v", impossible)
		}
	}()
	return run()
}

func sharesText(segs []seg) string {
	var parts []string
	for _, s := range segs {
		parts = append(parts, fmt.Sprintf("%d=%s", s.label, s.n))
	}
	return strings.Join(parts, ",")
}

func segsOf(all []share) (segs []seg) {
	for i := range all {
		segs = append(segs, seg{all[i].Label, &all[i].Amount.Int})
	}
	return segs
}

// compare holds terminals, sheets and hops against those that are written.
func (p *replay) compare(name string) (found []finding) {
	count := map[string]int{}
	for _, e := range p.ends {
		count[endText(e)]++
	}
	for i := range p.r.Terminals {
		t := &p.r.Terminals[i]
		e := end{t.Network, t.Address, t.Asset, t.Place, t.Rests, t.Reason, segsOf(t.Shares)}
		if t.Rests && !t.Coin {
			e.at = place{}
		}
		if dirt(e.segs).Cmp(&t.Traced.Int) != 0 {
			found = append(found, finding{"policy", name + ": " + t.Address, "shares that add up to " + t.Traced.String(), sharesText(e.segs)})
		}
		count[endText(e)]--
	}
	for _, k := range sortedKeys(count) {
		switch n := count[k]; {
		case n > 0:
			found = append(found, finding{"policy", name, k, "no such terminal is written"})
		case n < 0:
			found = append(found, finding{"policy", name, "what the record gives", "the terminal " + k})
		}
	}
	if len(p.hops) != p.r.Hops || p.digest() != p.r.Digest {
		found = append(found, finding{"policy", name, fmt.Sprintf("%d hops with digest %s", len(p.hops), p.digest()), fmt.Sprintf("%d with %s", p.r.Hops, p.r.Digest)})
	}
	return append(found, p.sheets(name)...)
}

func endText(e end) string {
	where := at(e.at)
	if e.rests && e.at == (place{}) {
		where = "rests"
	}
	return fmt.Sprintf("%s:%s %s %s %s %s", e.network, e.address, e.asset, where, e.reason, sharesText(e.segs))
}

func sortedKeys(m map[string]int) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (r *sheetRow) text() string {
	return fmt.Sprintf("seeded %s, collided %s, in %s, resting %s, stopped %s, burnt %s, fees %s, out %s, pruned %s, pending %s", &r.Seeded, &r.Collided, &r.ConvertedIn,
		&r.Resting, &r.Stopped, &r.Burnt, &r.Fees, &r.ConvertedOut, &r.Pruned, &r.Pending)
}

// adds reports whether a row of a sheet re-adds.
func (r *sheetRow) adds() bool {
	in := new(big.Int).Sub(&r.Seeded.Int, &r.Collided.Int)
	in.Add(in, &r.ConvertedIn.Int)
	for _, out := range []*amount{&r.Resting, &r.Stopped, &r.Burnt, &r.Fees, &r.ConvertedOut, &r.Pruned, &r.Pending} {
		in.Sub(in, &out.Int)
	}
	return in.Sign() == 0
}

func (p *replay) sheets(name string) (found []finding) {
	seen := map[string]bool{}
	for i := range p.r.Sheets {
		s := &p.r.Sheets[i]
		for j := range s.Rows {
			r := &s.Rows[j]
			seen[s.Asset+" "+decimal(uint64(r.Label))] = true
			want := p.row(s.Asset, r.Label)
			if r.text() != want.text() {
				found = append(found, finding{"sheet", fmt.Sprintf("%s, %s, label %d", name, s.Asset, r.Label), want.text(), r.text()})
			}
			if s.Conserves && !r.adds() {
				found = append(found, finding{"sheet", fmt.Sprintf("%s, %s, label %d", name, s.Asset, r.Label), "to re-add", r.text()})
			}
		}
	}
	for asset, rows := range p.sheet {
		for label, r := range rows {
			if !seen[asset+" "+decimal(uint64(label))] && r.text() != (&sheetRow{}).text() {
				found = append(found, finding{"sheet", fmt.Sprintf("%s, %s, label %d", name, asset, label), r.text(), "no row"})
			}
		}
	}
	return found
}

// sums says that each sheet of the case's own result re-adds.
func (p *replay) sums() (said []string) {
	for i := range p.r.Sheets {
		s := &p.r.Sheets[i]
		said = append(said, fmt.Sprintf("%s: %d rows re-add to the unit; in all %s", s.Asset, len(s.Rows), p.row(s.Asset, 0).text()))
	}
	return said
}

// ledger holds the rows of ledger.json against the hops of the case's own result.
func (p *replay) ledger() (found []finding) {
	count := map[string]int{}
	for _, h := range p.hops {
		count[fmt.Sprintf("%s:%s:%s at %s, %s to %s, %s of %s, %s", h.network, h.tx, h.index, at(h.at), h.from, h.to, h.amount, h.asset, sharesText(h.segs))]++
	}
	for i := range p.d.ledger {
		r := &p.d.ledger[i]
		segs := segsOf(r.Shares)
		if dirt(segs).Cmp(&r.Traced.Int) != 0 {
			found = append(found, finding{"ledger", r.ID, "shares that add up to " + r.Traced.String(), sharesText(segs)})
		}
		count[fmt.Sprintf("%s:%s:%s at %s, %s to %s, %s of %s, %s", r.Network, r.Tx, r.Index, at(r.Place), r.From, r.To, &r.Amount, r.Asset, sharesText(segs))]--
	}
	for _, k := range sortedKeys(count) {
		switch n := count[k]; {
		case n > 0:
			found = append(found, finding{"ledger", k, "a row", "none"})
		case n < 0:
			found = append(found, finding{"ledger", "the record", "no such hop", k})
		}
	}
	return found
}
