package export

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"time"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/ledger"
)

// table is one CSV file.
type table struct {
	assets map[string]evidence.Asset
	out    bytes.Buffer
	csv    *csv.Writer
}

func newTable(d *evidence.Dossier, header ...string) *table {
	t := &table{assets: assetsOf(d)}
	t.csv = csv.NewWriter(&t.out)
	t.row(header...)
	return t
}

func assetsOf(d *evidence.Dossier) map[string]evidence.Asset {
	assets := map[string]evidence.Asset{}
	for _, a := range d.Cover.Assets {
		assets[a.Asset] = a
	}
	return assets
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
func (t *table) money(asset, units string) []string {
	a := t.assets[asset]
	return []string{asset, units, strconv.Itoa(a.Decimals), whole(units, a.Decimals), a.Symbol}
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

func paymentsCSV(d *evidence.Dossier) ([]byte, error) {
	personal := map[string]string{}
	for _, p := range d.Personal {
		personal[p.Subject+" "+p.Field] = p.Value
	}
	t := newTable(d, joined([]string{"label", "payment", "victim", "victim_name", "report_ref", "status", "network", "tx", "index", "height", "time", "from", "to"},
		moneyColumns("amount"), []string{"paid_base", "collided_base", "ledger_row", "usd", "usd_source"})...)
	for _, p := range d.Payments {
		t.row(joined([]string{
			strconv.Itoa(p.Label), p.Payment, p.Victim, personal[p.Victim+" name"], personal[p.Payment+" report_ref"], p.Status, p.Network, p.Tx, p.Index,
			number(p.Place.Height), when(p.Time), p.From, p.To,
		}, t.money(p.Asset, p.Amount), []string{p.Paid, p.Collide, p.Ledger, p.USD, p.Source})...)
	}
	return t.done()
}

func ledgerCSV(d *evidence.Dossier) ([]byte, error) {
	t := newTable(d, joined([]string{"row", "parent", "depth", "network", "tx", "index", "height", "tx_index", "slot", "block", "time", "from", "from_others", "to"},
		moneyColumns("amount"), []string{"traced_base", "traced", "shares", "class", "grade", "why", "proof", "heuristic", "tier", "confidence", "crossing", "ends", "usd", "usd_source", "check"})...)
	for _, r := range d.Ledger {
		crossing := ""
		if c := r.Crossing; c != nil {
			crossing = c.Kind + " by " + c.Rule + " into " + c.TracedOut + " of " + c.Asset + " for " + c.To + " in " + c.Network + ":" + c.Tx
		}
		t.row(joined([]string{
			r.ID, r.Parent, strconv.Itoa(r.Depth), r.Network, r.Tx, r.Index, number(r.Place.Height), number(uint64(r.Place.TxIndex)), number(uint64(r.Place.Slot)),
			r.Block, when(r.Time), r.From, strings.Join(r.FromOthers, " "), r.To,
		}, t.money(r.Asset, r.Amount), []string{
			r.Traced, whole(r.Traced, t.assets[r.Asset].Decimals), sharesText(r.Shares), r.Class, r.Grade, r.Why, r.Proof, r.Heuristic, r.Tier,
			strconv.Itoa(r.Confidence), crossing, r.Ends, r.USD, r.USDSource, r.Check,
		})...)
	}
	return t.done()
}

// historiesCSV lists every in- and outflow with the balance after it.
func historiesCSV(d *evidence.Dossier) ([]byte, error) {
	t := newTable(d, "network", "account", "asset", "height", "tx_index", "slot", "kind", "from", "to", "in_base", "out_base", "balance_base")
	for _, h := range d.Record.Histories {
		balance, err := ledger.ParseAmount(h.Opening)
		if err != nil {
			return nil, err
		}
		t.row(h.Network, h.Address, h.Asset, number(h.From.Height), number(uint64(h.From.TxIndex)), number(uint64(h.From.Slot)), "opening", "", "", "", "", h.Opening)
		for _, e := range h.Events {
			in, out := "", ""
			amount, err := ledger.ParseAmount(e.Amount)
			if err != nil {
				return nil, err
			}
			switch {
			case e.From == e.To:
				in, out = e.Amount, e.Amount
			case e.To == h.Address:
				in, balance = e.Amount, balance.Plus(amount)
			default:
				out, balance = e.Amount, balance.SubFloor(amount)
			}
			t.row(h.Network, h.Address, h.Asset, number(e.Place.Height), number(uint64(e.Place.TxIndex)), number(uint64(e.Place.Slot)), e.Kind, e.From, e.To, in, out, balance.String())
		}
	}
	return t.done()
}

func terminalsCSV(d *evidence.Dossier) ([]byte, error) {
	t := newTable(d, joined([]string{"utxo_policy", "account_policy", "ledger_row", "network", "address"}, moneyColumns("traced"),
		[]string{"shares", "reason", "bucket", "tx", "index", "via", "arrived_at", "balance_now_base"})...)
	for _, r := range d.Results {
		for _, x := range r.Terminals {
			t.row(joined([]string{r.UTXO, r.Account, x.Row, x.Network, x.Address}, t.money(x.Asset, x.Traced),
				[]string{sharesText(x.Shares), x.Reason, x.Bucket, x.Tx, x.Index, x.Via, when(x.ArrivedAt), x.BalanceNow})...)
		}
	}
	return t.done()
}

func sheetsCSV(d *evidence.Dossier) ([]byte, error) {
	t := newTable(d, "utxo_policy", "account_policy", "asset", "label", "seeded", "collided", "converted_in", "resting", "stopped", "burnt", "fees", "converted_out", "pruned", "pending", "conserves")
	for _, r := range d.Results {
		for _, s := range r.Sheets {
			for _, x := range s.Rows {
				t.row(r.UTXO, r.Account, s.Asset, strconv.Itoa(x.Label), x.Seeded, x.Collided, x.ConvertedIn, x.Resting, x.Stopped, x.Burnt, x.Fees, x.ConvertedOut, x.Pruned, x.Pending, strconv.FormatBool(s.Conserves))
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
		[]string{"low_base", "high_base", "balance_now_base", "unexplained_base", "missing_base", "recoverable_base", "seized_base", "first_seen", "last_seen", "minutes", "via", "victims", "rows", "usd", "usd_source", "check"}, policies)...)
	for _, h := range d.Holdings {
		var victims, under []string
		for _, v := range h.Victims {
			victims = append(victims, v.Victim+"="+v.Amount)
		}
		for _, u := range h.Under {
			under = append(under, u.Traced)
		}
		t.row(joined([]string{h.ID, h.Network, h.Address, h.Account, h.Entity, h.Holder, h.FreezableBy, h.Contact, strings.Join(h.Reasons, " ")}, t.money(h.Asset, h.Traced), []string{
			h.Low, h.High, h.BalanceNow, h.Unexplained, h.Missing, h.Recoverable, h.Seized, when(h.FirstSeen), when(h.LastSeen), strconv.FormatInt(h.Minutes, 10),
			strings.Join(h.Via, " "), strings.Join(victims, " "), strings.Join(h.Rows, " "), h.USD, h.USDSource, h.Check,
		}, under)...)
	}
	return t.done()
}

func restitutionCSV(d *evidence.Dossier) ([]byte, error) {
	t := newTable(d, joined([]string{"victim"}, moneyColumns("lost"), []string{"traced_base", "allocated_base", "allocated"})...)
	for _, a := range d.Shares {
		t.row(joined([]string{a.Victim}, t.money(a.Asset, a.Lost), []string{a.Traced, a.Allocated, whole(a.Allocated, t.assets[a.Asset].Decimals)})...)
	}
	return t.done()
}

func entitiesCSV(d *evidence.Dossier) ([]byte, error) {
	t := newTable(d, "entity", "name", "category", "stands", "address", "label", "label_category", "source", "pack", "confidence", "last_modified", "recorded", "sequence")
	for _, e := range d.Entities {
		for _, list := range []struct {
			stands string
			all    []evidence.Attribution
		}{{"evidence", e.Evidence}, {"alternative", e.Alternatives}} {
			for _, a := range list.all {
				t.row(e.ID, e.Name, e.Category, list.stands, a.Address, a.Label, a.Category, a.Source, a.Pack, strconv.Itoa(a.Confidence), when(a.LastMod), when(a.Recorded), number(a.Sequence))
			}
		}
	}
	return t.done()
}
