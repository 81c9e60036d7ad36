package export

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/ledger"
)

// table is one CSV file.
type table struct {
	units
	out bytes.Buffer
	csv *csv.Writer
}

func newTable(d *evidence.Dossier, header ...string) *table {
	t := &table{units: unitsOf(d.Cover.Assets)}
	t.csv = csv.NewWriter(&t.out)
	t.row(header...)
	return t
}

func (t *table) row(cells ...string) {
	safe := make([]string, len(cells))
	for i, c := range cells {
		safe[i] = cell(c)
	}
	_ = t.csv.Write(safe) // a buffer takes everything
}

func (t *table) done() ([]byte, error) {
	t.csv.Flush()
	return t.out.Bytes(), t.csv.Error()
}

// money are the cells of an amount: asset, base units, decimals, whole coins, symbol.
func (t *table) money(asset, amount string) []string {
	decimals := ""
	if a, ok := t.units[asset]; ok {
		decimals = strconv.Itoa(a.Decimals)
	}
	return []string{asset, amount, decimals, t.whole(asset, amount), t.symbol(asset)}
}

func moneyColumns(name string) []string {
	return []string{"asset", name + "_base", "decimals", name, "symbol"}
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.999Z07:00")
}

func joined(parts ...[]string) (all []string) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// sharesText is LABEL=AMOUNT joined by blanks.
func sharesText(shares []evidence.Share) string {
	var parts []string
	for _, s := range shares {
		parts = append(parts, strconv.Itoa(s.Label)+"="+s.Amount)
	}
	return strings.Join(parts, " ")
}

// personal are the facts of a subject, one cell a field: empty where there is
// none, and a word where it is not shown at this level.
func personal(d *evidence.Dossier) func(subject string, fields ...string) []string {
	facts := map[[2]string]string{}
	for _, p := range d.Personal {
		value := p.Value
		if p.Salt == "" {
			value = evidence.Withheld
		}
		facts[[2]string{p.Subject, p.Field}] = value
	}
	return func(subject string, fields ...string) []string {
		var cells []string
		for _, f := range fields {
			cells = append(cells, facts[[2]string{subject, f}])
		}
		return cells
	}
}

func paymentsCSV(d *evidence.Dossier) ([]byte, error) {
	facts := personal(d)
	t := newTable(d, joined([]string{"label", "payment", "victim", "victim_name", "victim_contact", "report_ref", "bank_leg", "note", "status", "network", "tx", "index", "height", "time", "from", "to"},
		moneyColumns("amount"), []string{"paid_base", "paid", "collided_base", "collided", "ledger_row", "usd", "usd_source"})...)
	for _, p := range d.Payments {
		t.row(joined([]string{strconv.Itoa(p.Label), p.Payment, p.Victim}, facts(p.Victim, "name", "contact"), facts(p.Payment, "report_ref", "bank_leg", "note"),
			[]string{p.Status, p.Network, p.Tx, p.Index, number(p.Place.Height), when(p.Time), p.From, p.To}, t.money(p.Asset, p.Amount),
			[]string{p.Paid, t.whole(p.Asset, p.Paid), p.Collide, t.whole(p.Asset, p.Collide), p.Ledger, p.USD, p.Source})...)
	}
	return t.done()
}

func ledgerCSV(d *evidence.Dossier) ([]byte, error) {
	t := newTable(d, joined([]string{"row", "parent", "depth", "network", "tx", "index", "height", "tx_index", "slot", "block", "time", "from", "from_others", "to"},
		moneyColumns("amount"), []string{"traced_base", "traced", "shares", "class", "grade", "why", "proof", "heuristic", "tier", "confidence", "crossing", "ends", "usd", "usd_source", "check"})...)
	for _, r := range d.Ledger {
		crossing, confidence := "", ""
		if c := r.Crossing; c != nil {
			crossing = c.Kind + " by " + c.Rule + " into " + c.TracedOut + " of " + c.Asset + " for " + c.To + " in " + c.Network + ":" + c.Tx
		}
		if r.Confidence > 0 { // of the label; most rows rest on none
			confidence = strconv.Itoa(r.Confidence)
		}
		t.row(joined([]string{
			r.ID, r.Parent, strconv.Itoa(r.Depth), r.Network, r.Tx, r.Index, number(r.Place.Height), number(uint64(r.Place.TxIndex)), number(uint64(r.Place.Slot)),
			r.Block, when(r.Time), r.From, strings.Join(r.FromOthers, " "), r.To,
		}, t.money(r.Asset, r.Amount), []string{
			r.Traced, t.whole(r.Asset, r.Traced), sharesText(r.Shares), r.Class, r.Grade, r.Why, r.Proof, r.Heuristic, r.Tier,
			confidence, crossing, r.Ends, r.USD, r.USDSource, r.Check,
		})...)
	}
	return t.done()
}

// historiesCSV lists every in- and outflow with the balance after it. Of a
// transaction that no traced unit touched, the record has the place alone.
func historiesCSV(d *evidence.Dossier) ([]byte, error) {
	t := newTable(d, "network", "account", "asset", "decimals", "symbol", "complete", "height", "tx_index", "slot", "tx", "time", "kind", "from", "to",
		"in_base", "in", "out_base", "out", "balance_base", "balance")
	known := map[string]evidence.Transaction{}
	for _, x := range d.Record.Transactions {
		known[placed(x.Network, x.Height, x.TxIndex)] = x
	}
	for _, h := range d.Record.Histories {
		if err := t.history(h, known); err != nil {
			return nil, fmt.Errorf("account %s: %w", h.Address, err)
		}
	}
	return t.done()
}

func placed(network string, height uint64, index uint32) string {
	return network + " " + number(height) + " " + number(uint64(index))
}

func (t *table) history(h evidence.History, known map[string]evidence.Transaction) error {
	balance, err := ledger.ParseAmount(h.Opening)
	if err != nil {
		return err
	}
	line := func(at evidence.Place, kind, from, to, in, out string) {
		x := known[placed(h.Network, at.Height, at.TxIndex)]
		money := t.money(h.Asset, balance.String())
		t.row(h.Network, h.Address, h.Asset, money[2], money[4], strconv.FormatBool(h.Complete), number(at.Height), number(uint64(at.TxIndex)), number(uint64(at.Slot)), x.Tx, when(x.Time), kind, from, to,
			in, t.whole(h.Asset, in), out, t.whole(h.Asset, out), money[1], money[3])
	}
	line(h.From, "opening", "", "", "", "")
	for _, e := range h.Events {
		amount, err := ledger.ParseAmount(e.Amount)
		if err != nil {
			return err
		}
		in, out := "", ""
		if e.To == h.Address {
			in = e.Amount
			if balance, err = balance.Add(amount); err != nil {
				return err
			}
		}
		if e.From == h.Address {
			out = e.Amount
			if balance.Less(amount) {
				return fmt.Errorf("%s leave at height %d, where it has %s", amount, e.Place.Height, balance)
			}
			balance = balance.Minus(amount)
		}
		line(e.Place, e.Kind, e.From, e.To, in, out)
	}
	return nil
}

func terminalsCSV(d *evidence.Dossier) ([]byte, error) {
	t := newTable(d, joined([]string{"utxo_policy", "account_policy", "ledger_row", "network", "address"}, moneyColumns("traced"),
		[]string{"shares", "reason", "bucket", "tx", "index", "via", "arrived_at", "balance_now_base", "balance_now"})...)
	for _, r := range d.Results {
		for _, x := range r.Terminals {
			t.row(joined([]string{r.UTXO, r.Account, x.Row, x.Network, x.Address}, t.money(x.Asset, x.Traced),
				[]string{sharesText(x.Shares), x.Reason, x.Bucket, x.Tx, x.Index, x.Via, when(x.ArrivedAt), x.BalanceNow, t.whole(x.Asset, x.BalanceNow)})...)
		}
	}
	return t.done()
}

// sheetsCSV has the columns in base units first, which re-add, then in coins.
func sheetsCSV(d *evidence.Dossier) ([]byte, error) {
	columns := []string{"seeded", "collided", "converted_in", "resting", "stopped", "burnt", "fees", "converted_out", "pruned", "pending"}
	var coins []string
	for _, c := range columns {
		coins = append(coins, c+"_coins")
	}
	t := newTable(d, joined([]string{"utxo_policy", "account_policy", "asset", "label"}, columns, []string{"conserves", "symbol"}, coins)...)
	for _, r := range d.Results {
		for _, s := range r.Sheets {
			for _, x := range s.Rows {
				sums := []string{x.Seeded, x.Collided, x.ConvertedIn, x.Resting, x.Stopped, x.Burnt, x.Fees, x.ConvertedOut, x.Pruned, x.Pending}
				var coins []string
				for _, n := range sums {
					coins = append(coins, t.whole(s.Asset, n))
				}
				t.row(joined([]string{r.UTXO, r.Account, s.Asset, strconv.Itoa(x.Label)}, sums, []string{strconv.FormatBool(s.Conserves), t.symbol(s.Asset)}, coins)...)
			}
		}
	}
	return t.done()
}

func holdingsCSV(d *evidence.Dossier) ([]byte, error) {
	var policies []string
	for _, r := range d.Results {
		policies = append(policies, "traced_"+r.UTXO+"_"+r.Account)
	}
	t := newTable(d, joined([]string{"holding", "network", "address", "account", "entity", "holder", "freezable_by", "contact", "reasons"}, moneyColumns("traced"),
		[]string{
			"low_base", "high_base", "balance_now_base", "balance_now", "unexplained_base", "missing_base", "recoverable_base", "recoverable", "seized_base", "seized",
			"first_seen", "last_seen", "minutes", "via", "victims", "rows", "usd", "usd_source", "check",
		}, policies)...)
	for _, h := range d.Holdings {
		var victims, under []string
		for _, v := range h.Victims {
			victims = append(victims, v.Victim+"="+v.Amount)
		}
		for _, u := range h.Under {
			under = append(under, u.Traced)
		}
		t.row(joined([]string{h.ID, h.Network, h.Address, h.Account, h.Entity, h.Holder, h.FreezableBy, h.Contact, strings.Join(h.Reasons, " ")}, t.money(h.Asset, h.Traced), []string{
			h.Low, h.High, h.BalanceNow, t.whole(h.Asset, h.BalanceNow), h.Unexplained, h.Missing, h.Recoverable, t.whole(h.Asset, h.Recoverable), h.Seized, t.whole(h.Asset, h.Seized),
			when(h.FirstSeen), when(h.LastSeen), strconv.FormatInt(h.Minutes, 10), strings.Join(h.Via, " "), strings.Join(victims, " "), strings.Join(h.Rows, " "), h.USD, h.USDSource, h.Check,
		}, under)...)
	}
	return t.done()
}

// apportionedCSV lists each victim's part of each holding: what holdings.csv has in one cell.
func apportionedCSV(d *evidence.Dossier) ([]byte, error) {
	t := newTable(d, joined([]string{"holding", "victim"}, moneyColumns("traced"))...)
	for _, h := range d.Holdings {
		for _, v := range h.Victims {
			t.row(joined([]string{h.ID, v.Victim}, t.money(h.Asset, v.Amount))...)
		}
	}
	return t.done()
}

func restitutionCSV(d *evidence.Dossier) ([]byte, error) {
	t := newTable(d, joined([]string{"victim"}, moneyColumns("lost"), []string{"traced_base", "traced", "allocated_base", "allocated"})...)
	for _, a := range d.Shares {
		t.row(joined([]string{a.Victim}, t.money(a.Asset, a.Lost), []string{a.Traced, t.whole(a.Asset, a.Traced), a.Allocated, t.whole(a.Asset, a.Allocated)})...)
	}
	return t.done()
}

// entitiesCSV has a line for each label, and one for each address that
// none of an entity's labels is about.
func entitiesCSV(d *evidence.Dossier) ([]byte, error) {
	t := newTable(d, "entity", "name", "category", "stands", "address", "label", "label_category", "actor", "source", "pack", "confidence", "last_modified", "recorded", "sequence", "private")
	for _, e := range d.Entities {
		labelled := map[string]bool{}
		if len(e.Addresses)+len(e.Evidence)+len(e.Alternatives) == 0 {
			t.row(e.ID, e.Name, e.Category, "name", "", "", "", "", "", "", "", "", "", "", "")
		}
		for _, list := range []struct {
			stands string
			all    []evidence.Attribution
		}{{"evidence", e.Evidence}, {"alternative", e.Alternatives}} {
			for _, a := range list.all {
				labelled[a.Address] = true
				t.row(e.ID, e.Name, e.Category, list.stands, a.Address, a.Label, a.Category, a.Actor, a.Source, a.Pack, strconv.Itoa(a.Confidence),
					when(a.LastMod), when(a.Recorded), number(a.Sequence), strconv.FormatBool(a.Private))
			}
		}
		for _, a := range e.Addresses {
			if !labelled[a] {
				t.row(e.ID, e.Name, e.Category, "address", a, "", "", "", "", "", "", "", "", "", "")
			}
		}
	}
	return t.done()
}
