package letter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/export"
	"github.com/spoortrace/spoor/ledger"
)

// Data is what a template sees. All of it is plain text of one line each; times
// are UTC, amounts whole coins, Base is base units. An address is printed as its
// network's users know it.
type Data struct {
	Kind, To, Portal, Email, Country         string
	Unreachable                              bool // neither portal nor e-mail is known
	Agency, Unit, Officer, Rank, Phone, Mail string
	LegalBasis, NoTipOff, Reference          string
	AnswerBy                                 string
	Signature                                []string
	Case, Title, Authority, Demonstration    string
	AsOf                                     string // data cut-off of each network
	Rule                                     string // accounting rules that the amounts follow
	Package                                  string // to be filled in: a package cannot hold its own hash
	Holdings                                 []Holding
	Addresses                                []Places // to copy: never a service's own wallet
}

// Holding is a row of a letter.
type Holding struct {
	ID, Network, Address, Account string
	Contract                      string // empty: the network's own coin
	Amount, Base, Symbol, USD     string
	Balance                       string // all that lies at the address at the cut-off; empty where not known
	By                            string // who can stop it
	Shared                        bool   // Address is a service's own wallet: the accounts are those of Deposits and Direct
	Deposits                      []Deposit
	Direct                        string // part that came there by no known deposit address
	FirstSeen, LastSeen           string
	Transfers                     []Transfer
	More                          int // transfers beyond those listed
	Victims                       []string
}

// Deposit is what came through a deposit address.
type Deposit struct{ Address, Amount, Base string }

// Transfer brought the money.
type Transfer struct{ Tx, Index, Time, Height, Block, From, To, Amount, Base, USD string }

// Places are addresses of one network.
type Places struct {
	Network   string
	Addresses []string
}

// most bounds the transfers that a letter lists, over all its holdings; the rest
// is counted and stands in the ledger.
const most = 1000

// book is a dossier with what letters look up in it.
type book struct {
	*evidence.Dossier
	rows     map[string]*evidence.Row
	assets   map[string]evidence.Asset
	entities map[string]evidence.Entity // by id
	services map[string]bool            // NETWORK:ADDRESS of services, mixers, bridges
	victims  map[int]string             // by label
	reports  map[string][]string        // by victim
}

func newBook(d *evidence.Dossier) *book {
	b := &book{d, map[string]*evidence.Row{}, map[string]evidence.Asset{}, map[string]evidence.Entity{}, map[string]bool{}, map[int]string{}, map[string][]string{}}
	for i, r := range d.Ledger {
		b.rows[r.ID] = &d.Ledger[i]
	}
	for _, a := range d.Cover.Assets {
		b.assets[a.Asset] = a
	}
	for _, e := range d.Entities {
		b.entities[e.ID] = e
		for _, a := range e.Addresses {
			b.services[a] = b.service(e.Category)
		}
	}
	of := map[string]string{}
	for _, p := range d.Payments {
		of[p.Payment], b.victims[p.Label] = p.Victim, p.Victim
	}
	for _, f := range d.Personal {
		if v := of[f.Subject]; f.Field == "report_ref" && f.Value != "" && v != "" {
			b.reports[v] = append(b.reports[v], f.Value)
		}
	}
	return b
}

// asked is a holding with its rows; false where another address was asked for.
func (b *book) asked(h evidence.Holding, address string) (held, bool) {
	one := held{Holding: h}
	for _, id := range h.Rows {
		if r := b.rows[id]; r != nil {
			one.rows = append(one.rows, r)
		}
	}
	if address == "" || h.Network+":"+h.Address == address {
		return one, true
	}
	var through []*evidence.Row
	for _, r := range one.rows {
		if shared(h) && slices.Contains(b.deposit(r), strings.TrimPrefix(address, r.Network+":")) {
			through = append(through, r)
		}
	}
	one.rows, one.part = through, true
	return one, len(through) > 0
}

// shared reports a wallet that is a service's own, with everybody's money.
func shared(h evidence.Holding) bool {
	return slices.Contains(h.Reasons, "SERVICE") || slices.Contains(h.Reasons, "SUSPECTED_SERVICE")
}

// service says that a label's category is that of somebody with many customers,
// at whom a trace stops. Money that was seized or frozen later was somebody's own.
func (b *book) service(category string) bool {
	first, _, _ := strings.Cut(category, ".")
	return slices.Contains(b.Method.Stops, first) && first != "seized_funds" && first != "issuer_frozen"
}

// deposit is the address, or those of one transaction, that forwarded money to a
// service's wallet, which a customer's deposit address does; none where it was a
// victim's own payment or came from another service: theirs are not the accounts
// to be frozen.
func (b *book) deposit(r *evidence.Row) []string {
	if r.Depth <= 1 || r.From == "" {
		return nil
	}
	all := append([]string{r.From}, r.FromOthers...)
	if slices.ContainsFunc(all, func(a string) bool { return b.services[r.Network+":"+a] }) {
		return nil
	}
	return all
}

func (b *book) data(o Options, g *group) Data {
	a, c := o.Agency, b.Cover
	m := Data{
		Kind: g.kind, To: line(g.to), Portal: line(g.contact.Portal), Email: line(g.contact.Email), Country: line(g.contact.Country),
		Unreachable: g.contact.Portal+g.contact.Email == "" && g.kind != WarrantSchedule,
		Agency:      blank(a.Agency, "agency"), Unit: line(a.Unit), Officer: blank(a.Officer, "officer"), Rank: line(a.Rank), Phone: line(a.Phone), Mail: line(a.Email),
		LegalBasis: blank(a.LegalBasis, "legal basis"), NoTipOff: folded(a.NoTipOff), Reference: line(a.Reference), AnswerBy: blank(a.AnswerBy, "date and hour, UTC"),
		Case: line(c.Number), Title: line(c.Title), Authority: line(c.Authority), Demonstration: line(c.Demonstration),
		AsOf: b.asOf(), Rule: b.rule(), Package: "[of the package that goes with this letter]",
	}
	if o.Package != "" {
		m.Package = line(o.Package)
	}
	for text := range strings.Lines(strings.TrimSpace(a.Signature)) {
		m.Signature = append(m.Signature, line(strings.TrimSpace(text)))
	}
	for _, h := range g.holdings {
		m.Holdings = append(m.Holdings, b.holding(h, max(1, most/len(g.holdings))))
	}
	m.Addresses = addresses(m.Holdings)
	return m
}

func (b *book) asOf() string {
	var all []string
	for _, at := range b.Cover.AsOf {
		text := at.Network + " " + clock(at.Time) + " UTC"
		if !b.export(at.Network) {
			text = fmt.Sprintf("%s block %d %s (%s UTC)", at.Network, at.Height, at.Hash, clock(at.Time))
		}
		all = append(all, line(text))
	}
	return strings.Join(all, "; ")
}

// export says that a network was read from files without blocks.
func (b *book) export(network string) bool {
	return slices.ContainsFunc(b.Cover.Networks, func(n evidence.Network) bool { return n.Network == network && n.Export })
}

func (b *book) rule() string {
	utxo, account := line(b.Method.UTXO.Name), line(b.Method.Account.Name)
	if utxo == account {
		return utxo
	}
	return utxo + " of coins, " + account + " of accounts"
}

func (b *book) holding(h held, most int) Holding {
	asset := b.assets[h.Asset]
	_, contract, _ := strings.Cut(h.Asset, ":")
	if contract == "native" {
		contract = ""
	}
	m := Holding{
		ID: h.ID, Network: line(h.Network), Address: line(h.Address), Account: line(h.Account), Contract: line(contract), Symbol: line(asset.Symbol),
		USD: usd(h.USD, h.USDSource), By: line(h.by), Shared: shared(h.Holding) && !h.whole && h.Account == "",
		FirstSeen: clock(h.FirstSeen), LastSeen: clock(h.LastSeen), More: max(0, len(h.rows)-most), Amount: coins(h.Traced, asset), Base: h.Traced,
	}
	if entity, _, ok := strings.Cut(h.Account, ":"); ok {
		m.Network, m.Contract = "the books of "+line(entity), ""
	}
	if m.Symbol == "" {
		m.Symbol = "of " + line(h.Asset)
	}
	if h.Held && h.BalanceNow != "" {
		m.Balance = coins(h.BalanceNow, asset)
	}
	for _, r := range h.rows[:min(len(h.rows), most)] {
		m.Transfers = append(m.Transfers, transfer(r, asset))
	}
	victims := h.Victims
	if h.part {
		m.Base, m.USD = sum(h.rows).String(), ""
		m.Amount, victims = coins(m.Base, asset), b.sharers(h.rows)
		m.FirstSeen, m.LastSeen = span(h.rows)
	}
	if m.Shared {
		m.Deposits, m.Direct = b.deposits(h, asset)
	}
	for _, v := range victims {
		m.Victims = append(m.Victims, line(v.Victim+b.reportsOf(v.Victim)+": "+coins(v.Amount, asset)+" "+m.Symbol))
	}
	return m
}

func transfer(r *evidence.Row, asset evidence.Asset) Transfer {
	t := Transfer{
		Tx: line(r.Tx), Index: line(r.Index), Time: clock(r.Time), From: line(r.From), To: line(r.To),
		Amount: coins(r.Traced, asset) + " " + line(asset.Symbol), Base: r.Traced, USD: usd(r.USD, r.USDSource),
	}
	if r.Block != "" { // of an export, the height is none
		t.Height, t.Block = strconv.FormatUint(r.Place.Height, 10), line(r.Block)
	}
	return t
}

// deposits divides what is in a service's wallet by the deposit address that
// each transfer came through, in their order, and what came through none.
func (b *book) deposits(h held, asset evidence.Asset) (all []Deposit, direct string) {
	sums := map[string]ledger.Amount{}
	var order []string
	for _, r := range h.rows {
		through := strings.Join(b.deposit(r), ", ")
		if _, seen := sums[through]; !seen {
			order = append(order, through)
		}
		sums[through] = sums[through].Plus(amount(r.Traced))
	}
	for _, through := range order {
		base := sums[through].String()
		if through == "" {
			direct = coins(base, asset)
			continue
		}
		all = append(all, Deposit{line(through), coins(base, asset), base})
	}
	if len(h.rows) == 0 {
		direct = coins(h.Traced, asset)
	}
	return all, direct
}

// sharers adds up the shares of victims in rows, in the order of their labels.
func (b *book) sharers(rows []*evidence.Row) []evidence.VictimShare {
	sums := map[int]ledger.Amount{}
	var labels []int
	for _, r := range rows {
		for _, s := range r.Shares {
			if _, seen := sums[s.Label]; !seen {
				labels = append(labels, s.Label)
			}
			sums[s.Label] = sums[s.Label].Plus(amount(s.Amount))
		}
	}
	slices.Sort(labels)
	var all []evidence.VictimShare
	for _, label := range labels {
		v := b.victims[label]
		if i := slices.IndexFunc(all, func(s evidence.VictimShare) bool { return s.Victim == v }); i >= 0 {
			all[i].Amount = amount(all[i].Amount).Plus(sums[label]).String()
			continue
		}
		all = append(all, evidence.VictimShare{Victim: v, Amount: sums[label].String()})
	}
	return all
}

// addresses lists what is to be copied into a search, by network, each once.
func addresses(holdings []Holding) (all []Places) {
	at, seen := map[string]int{}, map[[2]string]bool{}
	add := func(network, address string) {
		if seen[[2]string{network, address}] {
			return
		}
		seen[[2]string{network, address}] = true
		i, begun := at[network]
		if !begun {
			i, all = len(all), append(all, Places{Network: network})
			at[network] = i
		}
		all[i].Addresses = append(all[i].Addresses, address)
	}
	for _, h := range holdings {
		switch {
		case h.Account != "":
		case h.Shared:
			for _, d := range h.Deposits {
				for address := range strings.SplitSeq(d.Address, ", ") {
					add(h.Network, address)
				}
			}
		default:
			add(h.Network, h.Address)
		}
	}
	return all
}

// reportsOf are the report numbers of a victim that the dossier shows.
func (b *book) reportsOf(victim string) string {
	if len(b.reports[victim]) == 0 {
		return ""
	}
	return " (report " + strings.Join(b.reports[victim], ", ") + ")"
}

// line is text that stays on its line and acts on nothing.
func line(s string) string { return strings.Join(strings.Fields(export.Plain(s)), " ") }

// folded is line of a text that its author may have broken into several.
func folded(s string) string { return line(strings.Join(strings.Fields(s), " ")) }

// blank is a text, or a blank to be filled in.
func blank(s, what string) string {
	if strings.TrimSpace(s) == "" {
		return "[" + what + "]"
	}
	return folded(s)
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "[not known]"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

func usd(value, source string) string {
	if value == "" {
		return ""
	}
	return "USD " + line(value) + " (" + line(source) + ")"
}

func coins(units string, asset evidence.Asset) string {
	n, err := ledger.ParseAmount(units)
	if err != nil {
		return line(units)
	}
	return n.Coins(asset.Decimals)
}

// amount reads what a dossier wrote; poison has no amounts.
func amount(units string) ledger.Amount {
	n, err := ledger.ParseAmount(units)
	if err != nil {
		return ledger.Amount{}
	}
	return n
}

func sum(rows []*evidence.Row) (total ledger.Amount) {
	for _, r := range rows {
		total = total.Plus(amount(r.Traced))
	}
	return total
}

// span is when the first and the last of rows, in the order of their ids, came.
func span(rows []*evidence.Row) (first, last string) {
	least, most := rows[0].Time, rows[0].Time
	for _, r := range rows {
		if r.Time.Before(least) {
			least = r.Time
		}
		if r.Time.After(most) {
			most = r.Time
		}
	}
	return clock(least), clock(most)
}
