package replay

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	checkNameSums     = "sums re-add"
	checkNameLedger   = "ledger"
	checkNamePayments = "payments"
)

// checkPolicies recomputes every result, and holds the ledger against the first. It names those that it could not.
func checkPolicies(d *dossier, b *book) (found []Finding, skipped []string) {
	found = checkNames(d)
	for i := range d.results {
		r := &d.results[i]
		found = append(found, checkSheets(r)...)
		found = append(found, checkReasons(r)...)
		p := newTracing(b, d.payments, r)
		if !p.policy.known() {
			skipped = append(skipped, p.policy.name())
			continue
		}
		if err := p.run(); err != nil {
			p.say("the record", "what the rule says can be done with it", err.Error())
			found = append(found, sorted(p.found)...)
			continue
		}
		p.compare(r, i == 0)
		found = append(found, sorted(p.found)...)
		if i == 0 {
			found = append(found, compareLedger(p.hops, d.ledger)...)
		}
	}
	return found, skipped
}

// checkNames holds the policies of the results against those of the method.
func checkNames(d *dossier) (found []Finding) {
	want := []policy{{d.method.UTXO.Name, d.method.Account.Name}}
	for _, name := range d.method.Compared {
		want = append(want, policy{name, name})
	}
	var got []policy
	for _, r := range d.results {
		got = append(got, policy{r.UTXO, r.Account})
	}
	if !slices.Equal(want, got) {
		found = append(found, Finding{checkNamePolicies, "results.json", fmt.Sprintf("the policies of method.json: %v", want), fmt.Sprint(got)})
	}
	return found
}

// checkReasons: each reason counts in its own column, and is one for which a trace ends, or for which units rest.
func checkReasons(r *result) (found []Finding) {
	for i := range r.Terminals {
		t := &r.Terminals[i]
		c, known := reasons()[t.Reason]
		want := "a reason that is known, and its bucket"
		switch {
		case known && t.Rests && !slices.Contains([]string{"UNSPENT", "NOT_COVERED", "FROZEN", "SEIZED", "CONTRACT", "PENDING", "SUSPECTED_SERVICE"}, t.Reason):
			known, want = false, "a reason for which units rest"
		case known && !t.Rests && (t.Reason == "UNSPENT" || t.Reason == "NOT_COVERED"):
			known, want = false, "a reason for which the trace ends with a transfer"
		}
		if !known || t.Bucket != bucketName(c) {
			found = append(found, Finding{checkNamePolicies, policy{r.UTXO, r.Account}.name() + ": " + t.subject(), want, t.Reason + " in " + t.Bucket})
		}
	}
	return found
}

// compare holds what was recomputed against what a result states. Rows are named in the first alone.
func (p *tracing) compare(r *result, first bool) {
	for _, e := range p.ends {
		c := e.computed
		if first && e.hop > 0 {
			c.Row = rowID(e.hop)
		}
		if e.stated == nil {
			p.say(c.subject(), c.text(), "no such terminal")
		} else if want, got := c.text(), e.stated.text(); want != got {
			p.say(c.subject(), want, got)
		}
	}
	p.compareSheets(r)
	if len(p.hops) != r.Hops {
		p.say("hops", strconv.Itoa(len(p.hops)), strconv.Itoa(r.Hops))
	}
	if sum := digest(p.hops); sum != r.Digest {
		p.say("digest of hops", sum, r.Digest)
	}
	want, got := assumedTexts(p.assumed), assumedTexts(r.Inputs)
	if !slices.Equal(want, got) {
		p.say("assumed inputs", fmt.Sprint(want), fmt.Sprint(got))
	}
}

func assumedTexts(all []assumedForm) []string {
	var texts []string
	for _, one := range all {
		texts = append(texts, fmt.Sprintf("%s:%s %s", one.Network, one.Tx, one.Amount))
	}
	slices.Sort(texts)
	return texts
}

func rowID(hop int) string { return "L-" + strconv.Itoa(hop) }

func (t *terminal) subject() string {
	return fmt.Sprintf("%s of %s at %s", orDash(t.Address), t.Asset, t.Place)
}

// text is everything that follows from the record.
func (t *terminal) text() string {
	closed := "not closed"
	if t.ClosedAt != nil {
		closed = "closed at " + t.ClosedAt.String()
	}
	return fmt.Sprintf("%s %s, %s of %s in %s, %s:%s at %s via %s on %s, balance %s, coin %v, rests %v, %s, row %s", t.Network, orDash(t.Address), t.Traced,
		sharesText(t.Shares), t.Asset, t.Tx, t.Index, t.Place, orDash(t.Via), timeText(t.ArrivedAt), t.BalanceNow, t.Coin, t.Rests, closed, orDash(t.Row))
}

func timeText(t time.Time) string { return t.Format(time.RFC3339Nano) }

func sharesText(all []share) string {
	var texts []string
	for _, one := range all {
		texts = append(texts, fmt.Sprintf("%d=%s", one.Label, one.Amount))
	}
	return strings.Join(texts, ",")
}

func compareTerminals(a, b *terminal) int {
	return cmp.Or(strings.Compare(a.Asset, b.Asset), a.Place.compare(b.Place), strings.Compare(a.Address, b.Address), strings.Compare(a.Index, b.Index),
		cmp.Compare(len(a.Traced), len(b.Traced)), strings.Compare(string(a.Traced), string(b.Traced)))
}

// digest is SHA-256 over the hops, one line each, in the order of their places.
func digest(hops []*hop) string {
	sorted := slices.SortedFunc(slices.Values(hops), func(a, b *hop) int {
		if c := cmp.Or(strings.Compare(a.network, b.network), a.at.compare(b.at)); c != 0 {
			return c
		}
		return strings.Compare(a.line(), b.line())
	})
	sum := sha256.New()
	for _, h := range sorted {
		sum.Write([]byte(h.line()))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (h *hop) line() string {
	return fmt.Sprintf("%s %s %s %d %d %d %s %s %s %s %s %s\n", h.network, h.tx, h.index, h.at.Height, h.at.TxIndex, h.at.Slot,
		orDash(h.from), orDash(h.to), h.asset, h.amount, h.traced, h.shares)
}

// compareLedger: the rows are the hops, no more and no fewer.
func compareLedger(hops []*hop, rows []row) (found []Finding) {
	if len(hops) != len(rows) {
		found = append(found, Finding{checkNameLedger, "ledger.json", fmt.Sprintf("%d rows", len(hops)), strconv.Itoa(len(rows))})
	}
	for i, h := range hops[:min(len(hops), len(rows))] {
		if want, got := h.text(), rows[i].text(sharesText(rows[i].Shares)); want != got {
			found = append(found, Finding{checkNameLedger, orDash(rows[i].ID), want, got})
		}
	}
	return found
}

func (h *hop) text() string {
	r := row{
		ID: rowID(h.number), Depth: h.depth, Network: h.network, Tx: h.tx, Index: h.index, Place: h.at, Time: h.time, From: h.from, FromOthers: h.others,
		To: h.to, Asset: h.asset, Amount: amount(h.amount.String()), Traced: amount(h.traced),
		Crossing: h.crossing, Ends: h.ends,
	}
	if h.parent > 0 {
		r.Parent = rowID(h.parent)
	}
	return r.text(h.shares)
}

// text is everything of a row that follows from the record.
func (r row) text(shares string) string {
	crossed := "no crossing"
	if r.Crossing != nil {
		crossed = fmt.Sprintf("crossing %+v", *r.Crossing)
	}
	return fmt.Sprintf("%s after %s, depth %d, %s %s:%s at %s on %s, %s %v to %s, %s of %s in %s, %s, %s, ends %s", r.ID, orDash(r.Parent), r.Depth, r.Network, r.Tx,
		r.Index, r.Place, timeText(r.Time), orDash(r.From), r.FromOthers, orDash(r.To), r.Traced, r.Amount, r.Asset, shares, crossed, orDash(r.Ends))
}

// checkRows: each row of the ledger stands in the record's transactions.
func checkRows(d *dossier, b *book) (found []Finding) {
	for _, r := range d.ledger {
		t := b.txAt(r.Network, r.Place)
		if t == nil || t.Tx != r.Tx || !t.Time.Equal(r.Time) || !b.stands(t, r) {
			found = append(found, Finding{checkNameLedger, r.ID, "a transfer of the record's " + r.Tx + " at its place", r.text(sharesText(r.Shares))})
		}
	}
	return found
}

// stands says that a transaction has the transfer or output of a row; what a crossing pays may stand for several transfers of it.
func (b *book) stands(t *transaction, r row) bool {
	if isUTXO(r.Network) {
		i := outputNumber(r.Index)
		return i == r.Place.Slot && int(i) < len(t.Outputs) && t.Outputs[i].Address == r.To && t.Outputs[i].Value == r.Amount && r.Asset == native(r.Network)
	}
	if m := t.transfer(r.Place.Slot); m != nil && m.From == r.From && m.To == r.To && m.Asset == r.Asset && m.Amount == r.Amount && indexText(r.Network, m.Kind, m.Index) == r.Index {
		return true
	}
	for _, x := range b.crossings {
		c := x.Crossing
		if c.Network == r.Network && c.Tx == r.Tx && c.Index == r.Index && c.Place == r.Place && c.From == r.From && c.To == r.To && c.Asset == r.Asset && c.AmountOut == r.Amount {
			return true
		}
	}
	return false
}

// checkPayments: each payment is a transfer of the record, and says of itself what the ledger says of it.
func checkPayments(d *dossier, b *book) (found []Finding) {
	say := func(p payment, want, got string) {
		found = append(found, Finding{checkNamePayments, p.Payment, want, got})
	}
	rows := map[string]string{}
	for _, r := range d.ledger {
		rows[r.Network+" "+r.Tx+" "+r.Index+" "+r.Asset] = r.ID
	}
	for i, p := range d.payments {
		if p.Label != i+1 {
			say(p, fmt.Sprintf("label %d", i+1), strconv.Itoa(p.Label))
		}
		if !b.holdsPayment(p) || p.Amount.units().Cmp(p.Paid.units()) > 0 {
			say(p, "a transfer of the record at its place, of at least its amount", fmt.Sprintf("%s:%s at %s, %s of %s of %s to %s", p.Tx, p.Index, p.Place, p.Amount, p.Paid, p.Asset, p.To))
		}
		if id := rows[p.Network+" "+p.Tx+" "+p.Index+" "+p.Asset]; id != p.Ledger {
			say(p, "ledger row "+orDash(id), orDash(p.Ledger))
		}
		if c := collidedOf(d, p.Label, p.Asset); c != p.Collide {
			say(p, string(c)+" collided, as in its sheet", string(p.Collide))
		}
	}
	return found
}

func (b *book) holdsPayment(p payment) bool {
	t := b.txAt(p.Network, p.Place)
	if t == nil || t.Tx != p.Tx || !t.Time.Equal(p.Time) {
		return false
	}
	if isUTXO(p.Network) {
		i := outputNumber(p.Index)
		payer := p.From == "" || slices.ContainsFunc(t.Inputs, func(in input) bool { return in.Address == p.From })
		return p.Place.Slot == 0 && payer && int(i) < len(t.Outputs) && t.Outputs[i].Address == p.To && t.Outputs[i].Value == p.Paid && p.Asset == native(p.Network)
	}
	m := t.transfer(p.Place.Slot)
	return m != nil && m.From == p.From && m.To == p.To && m.Asset == p.Asset && m.Amount == p.Paid && indexText(p.Network, m.Kind, m.Index) == p.Index
}

// collidedOf is what of a payment was already another's, by the first result's sheet.
func collidedOf(d *dossier, label int, asset string) amount {
	if len(d.results) > 0 {
		for _, s := range d.results[0].Sheets {
			for _, r := range s.Rows {
				if s.Asset == asset && r.Label == label {
					return r.Collided
				}
			}
		}
	}
	return "0"
}
