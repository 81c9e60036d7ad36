package letter

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/export"
	"github.com/spoortrace/spoor/ledger"
)

// The kinds of letters.
const (
	IssuerFreeze   = "issuer_freeze"
	ExchangeFreeze = "exchange_freeze"
)

// Options are what a letter says besides the dossier.
type Options struct {
	Contacts Contacts
	Agency   Agency
	// Templates are the user's own, by kind (text/template with the data of Data);
	// nil: the built-in ones.
	Templates map[string]string
	// Address limits the letters to the holding of one NETWORK:ADDRESS, its own or
	// the deposit address before it.
	Address string
}

// Data is what a template sees. All of it is plain text of one line each.
type Data struct {
	Kind, To, Portal, Email, Country            string
	Agency, Unit, Officer, Rank, Phone, Mail    string
	LegalBasis, NoTipOff, Reference             string
	Case, Title, Authority, Demonstration, AsOf string
	Holdings                                    []Holding
}

// Holding is a row of a letter.
type Holding struct {
	ID, Address, Deposit, Network, Contract, Amount, Base, Symbol string
	FirstSeen, LastSeen                                           string
	Transfers                                                     []Transfer
	Victims                                                       []string
	More                                                          int // transfers beyond those listed
}

// Transfer brought the money.
type Transfer struct{ Tx, Index, Time, Height, Block, From, To, Amount, USD string }

// most bounds the transfers that a letter lists, over all its holdings; the rest
// is counted and stands in the ledger.
const most = 1000

// Write writes one letter to each addressee, in the order of urgency of what is
// asked for.
func Write(d *evidence.Dossier, o Options) ([]evidence.Request, error) {
	type group struct {
		kind, to string
		holdings []evidence.Holding
	}
	var groups []*group
	for _, h := range d.Holdings {
		kind, to := addressee(d, h)
		if kind == "" || (o.Address != "" && !at(h, o.Address)) {
			continue
		}
		i := slices.IndexFunc(groups, func(g *group) bool { return g.kind == kind && g.to == to })
		if i < 0 {
			groups = append(groups, &group{kind: kind, to: to})
			i = len(groups) - 1
		}
		groups[i].holdings = append(groups[i].holdings, h)
	}
	book := newBook(d)
	requests := []evidence.Request{}
	for i, g := range groups {
		r := evidence.Request{ID: "R-" + strconv.Itoa(i+1), Kind: g.kind, To: g.to}
		r.Letter = "letters/" + r.ID + ".txt"
		for _, h := range g.holdings {
			r.Holdings = append(r.Holdings, h.ID)
		}
		text, err := compose(dataOf(book, o, g.kind, g.to, g.holdings), o.Templates[g.kind])
		if err != nil {
			return nil, err
		}
		r.Text = text
		requests = append(requests, r)
	}
	return requests, nil
}

// addressee is who can stop a holding, and by which kind of letter; nobody is
// written to about money that only a key moves, or that is stopped already.
func addressee(d *evidence.Dossier, h evidence.Holding) (kind, to string) {
	switch h.FreezableBy {
	case "VASP":
		for _, e := range d.Entities {
			if e.ID == h.Entity && h.Entity != "" {
				return ExchangeFreeze, e.Name
			}
		}
		return ExchangeFreeze, "the service that holds " + h.Network + ":" + h.Address
	case "ISSUER":
		return IssuerFreeze, "the issuer of " + symbolOf(d, h.Asset)
	}
	return "", ""
}

func symbolOf(d *evidence.Dossier, asset string) string {
	for _, a := range d.Cover.Assets {
		if a.Asset == asset && a.Symbol != "" {
			return a.Symbol
		}
	}
	return asset
}

// at reports whether a holding is at an address, or came by it.
func at(h evidence.Holding, qualified string) bool {
	return h.Network+":"+h.Address == qualified || slices.ContainsFunc(h.Via, func(via string) bool { return h.Network+":"+via == qualified })
}

// line is text that stays on its line and acts on nothing.
func line(s string) string { return strings.Join(strings.Fields(export.Plain(s)), " ") }

// book is a dossier with what letters look up in it.
type book struct {
	*evidence.Dossier
	rows    map[string]evidence.Row
	reports map[string][]string // by victim
}

func newBook(d *evidence.Dossier) *book {
	b := &book{d, map[string]evidence.Row{}, map[string][]string{}}
	for _, r := range d.Ledger {
		b.rows[r.ID] = r
	}
	victim := map[string]string{}
	for _, p := range d.Payments {
		victim[p.Payment] = p.Victim
	}
	for _, f := range d.Personal {
		if v := victim[f.Subject]; f.Field == "report_ref" && f.Value != "" && v != "" {
			b.reports[v] = append(b.reports[v], f.Value)
		}
	}
	return b
}

func dataOf(d *book, o Options, kind, to string, holdings []evidence.Holding) Data {
	contact := o.Contacts.find(to)
	if kind == IssuerFreeze && contact.Portal+contact.Email == "" {
		contact = o.Contacts.find(strings.TrimPrefix(to, "the issuer of "))
	}
	a := o.Agency
	m := Data{
		Kind: kind, To: line(contact.Entity), Portal: line(contact.Portal), Email: line(contact.Email), Country: line(contact.Country),
		Agency: blank(a.Agency, "agency"), Unit: line(a.Unit), Officer: blank(a.Officer, "officer"), Rank: line(a.Rank), Phone: line(a.Phone), Mail: line(a.Email),
		LegalBasis: blank(a.LegalBasis, "legal basis"), NoTipOff: line(a.NoTipOff), Reference: line(a.Reference),
		Case: line(d.Cover.Number), Title: line(d.Cover.Title), Authority: line(d.Cover.Authority), Demonstration: line(d.Cover.Demonstration),
	}
	if kind == IssuerFreeze && contact.Entity == strings.TrimPrefix(to, "the issuer of ") {
		m.To = line(to)
	}
	for _, b := range d.Cover.AsOf {
		m.AsOf += fmt.Sprintf("%s height %d (%s UTC); ", b.Network, b.Height, b.Time.UTC().Format("2006-01-02 15:04:05"))
	}
	m.AsOf = strings.TrimSuffix(m.AsOf, "; ")
	for _, h := range holdings {
		m.Holdings = append(m.Holdings, holdingOf(d, h, max(1, most/len(holdings))))
	}
	return m
}

// blank is a text, or a blank to be filled in.
func blank(s, what string) string {
	if strings.TrimSpace(s) == "" {
		return "[" + what + "]"
	}
	return line(s)
}

func holdingOf(d *book, h evidence.Holding, most int) Holding {
	decimals, symbol := 0, h.Asset
	for _, a := range d.Cover.Assets {
		if a.Asset == h.Asset {
			decimals, symbol = a.Decimals, a.Symbol
		}
	}
	_, contract, _ := strings.Cut(h.Asset, ":")
	m := Holding{
		ID: h.ID, Address: line(h.Address), Network: h.Network, Contract: contract, Base: h.Traced, Amount: coins(h.Traced, decimals), Symbol: line(symbol),
		FirstSeen: h.FirstSeen.UTC().Format("2006-01-02 15:04:05"), LastSeen: h.LastSeen.UTC().Format("2006-01-02 15:04:05"),
	}
	if slices.Contains(h.Reasons, "SERVICE") || slices.Contains(h.Reasons, "SUSPECTED_SERVICE") {
		m.Deposit = line(strings.Join(h.Via, ", ")) // a hot wallet is everybody's: the account is the one that forwarded it
	}
	for _, id := range h.Rows[:min(len(h.Rows), most)] {
		r := d.rows[id]
		usd := ""
		if r.USD != "" {
			usd = "USD " + r.USD + " (" + line(r.USDSource) + ")"
		}
		m.Transfers = append(m.Transfers, Transfer{
			r.Tx, r.Index, r.Time.UTC().Format("2006-01-02 15:04:05"), strconv.FormatUint(r.Place.Height, 10), r.Block, r.From, r.To, coins(r.Traced, decimals) + " " + line(symbol), usd,
		})
	}
	m.More = max(0, len(h.Rows)-most)
	for _, v := range h.Victims {
		m.Victims = append(m.Victims, line(v.Victim+d.reportsOf(v.Victim)+": "+coins(v.Amount, decimals)+" "+symbol))
	}
	return m
}

// reportsOf are the report numbers of a victim that the dossier shows.
func (b *book) reportsOf(victim string) string {
	if len(b.reports[victim]) == 0 {
		return ""
	}
	return " (report " + strings.Join(b.reports[victim], ", ") + ")"
}

func coins(units string, decimals int) string {
	n, err := ledger.ParseAmount(units)
	if err != nil {
		return units
	}
	return n.Coins(decimals)
}

// compose fills a template.
func compose(m Data, own string) (string, error) {
	text := own
	if text == "" {
		text = builtIn()[m.Kind]
	}
	t, err := template.New(m.Kind).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", ledger.Invalid("template "+m.Kind, "a text/template", err.Error())
	}
	w := &bounded{}
	if err := t.Execute(w, m); err != nil {
		return "", ledger.Invalid("template "+m.Kind, "the fields of docs/letters.md", err.Error())
	}
	return w.String(), nil
}

// longest bounds a letter: a case may have ten thousands of holders.
const longest = 64 << 20

type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > longest {
		return 0, fmt.Errorf("letter of more than 64 MiB: %w", ledger.ErrExhausted)
	}
	return b.Buffer.Write(p)
}

func builtIn() map[string]string {
	const head = `{{if .Demonstration}}DEMONSTRATION, NOT A REQUEST: {{.Demonstration}}

{{end}}{{.Agency}}{{if .Unit}}, {{.Unit}}{{end}}
{{.Officer}}{{if .Rank}}, {{.Rank}}{{end}}{{if .Phone}}, {{.Phone}}{{end}}{{if .Mail}}, {{.Mail}}{{end}}

To: {{.To}}{{if .Country}}, {{.Country}}{{end}}
{{if .Portal}}Portal: {{.Portal}}
{{end}}{{if .Email}}E-mail: {{.Email}}
{{end}}{{if .Reference}}Our reference: {{.Reference}}
{{end}}Case: {{.Case}}, {{.Authority}}
Legal basis: {{.LegalBasis}}
Data cut-off: {{.AsOf}}

`
	const rows = `{{range .Holdings}}
{{.ID}}  {{.Amount}} {{.Symbol}} ({{.Base}} base units) of {{.Contract}} on {{.Network}}
{{if .Deposit}}    arrived in your wallet {{.Address}} from the deposit address
    {{.Deposit}}
    The account to be frozen is the one that this deposit address belongs to.
{{else}}    at {{.Address}}
{{end}}    first {{.FirstSeen}} UTC, last {{.LastSeen}} UTC
{{range .Transfers}}    tx {{.Tx}}:{{.Index}}
       block {{.Height}} {{.Block}}, {{.Time}} UTC
       {{.From}} -> {{.To}}: {{.Amount}} traced{{if .USD}}, {{.USD}}{{end}}
{{end}}{{if .More}}    and {{.More}} more, in the ledger
{{end}}    by report:
{{range .Victims}}      {{.}}
{{end}}{{end}}
`
	const tail = `{{if .NoTipOff}}{{.NoTipOff}}

{{end}}The figures follow from the public ledgers under an accounting rule; package and rule are at your disposal. Please confirm receipt, say what you hold,
and name your reference.

{{.Officer}}
`
	return map[string]string{
		ExchangeFreeze: head + `Request to freeze, to preserve and to disclose

Proceeds of fraud have reached accounts that you keep. We ask you
1. to freeze the accounts and the assets named below, up to the amounts stated;
2. to preserve, and disclose on the legal basis above: customer identification, account opening, log-in addresses and devices, all deposits,
   withdrawals and internal transfers since the first arrival, linked accounts, and withdrawal addresses;
3. not to return assets to the customer without our consent.
` + rows + tail,
		IssuerFreeze: head + `Request to freeze tokens

Proceeds of fraud rest at addresses below in tokens that you issue. We ask you to block these addresses, to tell us the height and transaction of
the block, and to keep them blocked until an order for transfer or reissue reaches you.
` + rows + tail,
	}
}
