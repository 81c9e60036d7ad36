package report

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

// section is a chapter of the report: paragraphs and tables.
type section struct {
	Title string
	Text  []string
	Parts []part
}

// part is a table with what it says above.
type part struct {
	Title string
	Head  []string
	Rows  [][]string
	Note  string
	Wide  []int // shares of the page's width, in hundredths
}

// view is a dossier as text.
type view struct {
	d      *evidence.Dossier
	assets map[string]evidence.Asset
	facts  map[[2]string]evidence.Personal // by subject and field
	names  map[string]string               // of entities, by id
}

func newView(d *evidence.Dossier) *view {
	v := &view{d: d, assets: map[string]evidence.Asset{}, facts: map[[2]string]evidence.Personal{}, names: map[string]string{}}
	for _, p := range d.Personal {
		v.facts[[2]string{p.Subject, p.Field}] = p
	}
	for _, e := range d.Entities {
		v.names[e.ID] = e.Name
	}
	for _, a := range d.Cover.Assets {
		v.assets[a.Asset] = a
	}
	return v
}

// coins prints base units as grouped whole coins with the symbol.
func (v *view) coins(units, asset string) string {
	if units == "" {
		return ""
	}
	n, err := ledger.ParseAmount(units)
	if err != nil {
		return export.Plain(units)
	}
	a := v.assets[asset]
	symbol := a.Symbol
	if symbol == "" || !a.Known {
		symbol = strings.TrimSpace(symbol + " of " + asset)
	}
	return n.Coins(a.Decimals) + " " + export.Plain(symbol)
}

func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// Sections are the chapters, in the order of a filing.
func (v *view) sections() []section {
	return []section{
		v.summary(), v.method(), v.victims(), v.holdings(), v.restitution(), v.ledger(), v.sheets(), v.rules(), v.entities(), v.requests(), v.proofs(), v.custody(), v.reproduce(), v.declarations(), v.glossary(),
	}
}

func (v *view) cover() [][2]string {
	c := v.d.Cover
	rows := [][2]string{
		{"Case", c.Number + " (" + c.Case + ")"},
		{"Title", c.Title},
		{"Authority", c.Authority},
		{"Examiner", c.Author},
		{"Made for", string(c.Redaction)},
		{"Software", c.Software + ", rules " + c.RuleVersion},
	}
	if c.Supersedes != "" {
		rows = append(rows, [2]string{"Takes the place of", c.Supersedes})
	}
	for _, b := range c.AsOf {
		rows = append(rows, [2]string{"Data cut-off " + b.Network, "height " + strconv.FormatUint(b.Height, 10) + ", " + utc(b.Time) + " UTC, block " + b.Hash})
	}
	return rows
}

// most bounds what the summary lists.
const most = 12

func (v *view) summary() section {
	s := section{Title: "Summary"}
	lost, stop := map[string]ledger.Amount{}, map[string]ledger.Amount{}
	for _, p := range v.d.Payments {
		lost[p.Asset] = lost[p.Asset].Plus(amount(p.Amount)).SubFloor(amount(p.Collide))
	}
	for _, h := range v.d.Holdings {
		stop[h.Asset] = stop[h.Asset].Plus(amount(h.Recoverable))
	}
	for _, a := range v.d.Cover.Assets {
		can := v.coins(stop[a.Asset].String(), a.Asset)
		if l, ok := lost[a.Asset]; ok {
			payments, victims := v.count(a.Asset)
			s.Text = append(s.Text, fmt.Sprintf("%s of %s; %s were paid in. Of that asset, %s can still be stopped by somebody, as far as is known at the cut-off.",
				plural(payments, "payment"), plural(victims, "victim"), v.coins(l.String(), a.Asset), can))
		} else if !stop[a.Asset].IsZero() {
			s.Text = append(s.Text, fmt.Sprintf("Nobody paid in %s; what was paid went on in it, and %s can still be stopped by somebody.", a.Asset, can))
		}
	}
	p := part{Title: "What to stop first", Head: []string{"", "Holder", "Can be stopped", "By", "Last arrival (UTC)"}, Wide: []int{7, 43, 22, 10, 18}}
	for _, h := range v.d.Holdings[:min(len(v.d.Holdings), most)] {
		p.Rows = append(p.Rows, []string{h.ID, v.holder(h), v.coins(h.Recoverable, h.Asset), h.FreezableBy, utc(h.LastSeen)})
	}
	if n := len(v.d.Holdings); n > most {
		p.Note = fmt.Sprintf("%d more are in the seizure table.", n-most)
	}
	s.Parts = append(s.Parts, p)
	unknown := part{Title: "What is not known", Head: []string{""}, Wide: []int{100}}
	for _, w := range v.d.Cover.Warnings[:min(len(v.d.Cover.Warnings), most)] {
		unknown.Rows = append(unknown.Rows, []string{w})
	}
	if n := len(v.d.Cover.Warnings); n > most {
		unknown.Note = fmt.Sprintf("%d more are in case.json.", n-most)
	}
	s.Parts = append(s.Parts, unknown)
	if changes := v.d.Cover.Changes; len(changes) > 0 {
		changed := part{Title: "What changed since the package whose place it takes", Head: []string{""}, Wide: []int{100}}
		for _, c := range changes[:min(len(changes), most)] {
			changed.Rows = append(changed.Rows, []string{c})
		}
		if n := len(changes); n > most {
			changed.Note = fmt.Sprintf("%d more are in case.json.", n-most)
		}
		s.Parts = append(s.Parts, changed)
	}
	return s
}

// count is how many payments in an asset there are, and of how many victims.
func (v *view) count(asset string) (payments, victims int) {
	who := map[string]bool{}
	for _, p := range v.d.Payments {
		if p.Asset == asset {
			payments++
			who[p.Victim] = true
		}
	}
	return payments, len(who)
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

func amount(text string) ledger.Amount {
	n, err := ledger.ParseAmount(text)
	if err != nil {
		return ledger.Amount{}
	}
	return n
}

func (v *view) holder(h evidence.Holding) string {
	text := h.Address
	if h.Account != "" {
		text = h.Account
	}
	if name := v.name(h.Entity); name != "" {
		text += " [" + name + "]"
	}
	return text + ", " + h.Holder
}

func (v *view) name(entity string) string { return v.names[entity] }

func (v *view) method() section {
	m := v.d.Method
	s := section{Title: "Method", Text: slices.Clone(m.Text)}
	rules := part{Title: "Accounting rules of the case", Head: []string{"Where", "Rule", "What it says", "Why it is the rule of this case"}, Wide: []int{12, 12, 40, 36}}
	rules.Rows = [][]string{{"UTXO networks", m.UTXO.Name, m.UTXO.About, m.UTXO.Reason}, {"accounts", m.Account.Name, m.Account.About, m.Account.Reason}}
	limits := part{Title: "Where the trace ends", Head: []string{"Rule", "Figure"}, Wide: []int{60, 40}, Rows: [][]string{
		{"an account that has paid more distinct payees of the asset is taken for a service", strconv.Itoa(m.Limits.ServicePayees)},
		{"events of one account", strconv.Itoa(m.Limits.AccountEvents)},
		{"hops", strconv.Itoa(m.Limits.Hops)},
		{"traced units below which a transfer is not followed", m.Floor},
		{"labels of these categories", strings.Join(m.Stops, ", ")},
	}}
	rates := part{Title: "Error rates of the heuristics that were used", Head: []string{"Heuristic", "Tier", "What it does", "Measured"}, Wide: []int{14, 6, 36, 44}}
	for _, h := range m.Heuristics {
		rates.Rows = append(rates.Rows, []string{h.ID, h.Tier, h.Text, strings.Join(h.Rates, "; ")})
	}
	if len(rates.Rows) == 0 {
		rates.Note = "No figure of this package rests on a heuristic."
	}
	s.Parts = []part{rules, limits, rates}
	return s
}

func (v *view) personal(subject, field string) string {
	p, ok := v.facts[[2]string{subject, field}]
	if ok && p.Salt == "" {
		return evidence.Withheld
	}
	return p.Value
}

func (v *view) victims() section {
	s := section{Title: "Victims and their payments"}
	p := part{Head: []string{"", "Victim", "Name", "Report", "Time (UTC)", "Payment", "Amount"}, Wide: []int{6, 7, 14, 10, 12, 35, 16}}
	for _, x := range v.d.Payments {
		text := x.Network + ":" + x.Tx + ":" + x.Index + " to " + x.To
		if x.Collide != "0" {
			text += "; " + v.coins(x.Collide, x.Asset) + " of it were an earlier victim's already"
		}
		worth := v.coins(x.Amount, x.Asset)
		if x.USD != "" {
			worth += " (USD " + x.USD + ", " + x.Source + ")"
		}
		p.Rows = append(p.Rows, []string{x.Payment, x.Victim, v.personal(x.Victim, "name"), v.personal(x.Payment, "report_ref"), utc(x.Time), text, worth})
	}
	s.Parts = []part{p}
	return s
}

func (v *view) holdings() section {
	s := section{Title: "Seizure table", Text: []string{
		"Most urgent first: what can be stopped, weighted by how lately it arrived. Balance = traced + unexplained - missing, where the balance is the holder's own.",
	}}
	p := part{Head: []string{"", "Holder", "Traced", "Least to most under the rules compared", "Balance now", "Unexplained, missing", "By", "Rows"}, Wide: []int{6, 26, 14, 17, 12, 12, 6, 7}}
	shares := part{Title: "Each holding by victim", Head: []string{"", "Victim", "Traced"}, Wide: []int{10, 20, 70}}
	for _, h := range v.d.Holdings {
		gap := v.coins(h.Unexplained, h.Asset)
		if h.Missing != "" && h.Missing != "0" {
			gap = "missing " + v.coins(h.Missing, h.Asset)
		}
		balance := v.coins(h.BalanceNow, h.Asset)
		if !h.Held {
			balance = "not the holder's own"
		}
		p.Rows = append(p.Rows, []string{h.ID, v.holder(h) + "; came by " + strings.Join(h.Via[:min(len(h.Via), 5)], ", "), v.coins(h.Traced, h.Asset), v.coins(h.Low, h.Asset) + " to " + v.coins(h.High, h.Asset), balance, gap, h.FreezableBy, few(h.Rows)})
		for _, x := range h.Victims {
			shares.Rows = append(shares.Rows, []string{h.ID, x.Victim, v.coins(x.Amount, h.Asset)})
		}
	}
	s.Parts = []part{p, shares}
	return s
}

// few lists the first of many ids.
func few(ids []string) string {
	const shown = 6
	if len(ids) <= shown {
		return strings.Join(ids, " ")
	}
	return strings.Join(ids[:shown], " ") + fmt.Sprintf(" and %d more", len(ids)-shown)
}

func (v *view) restitution() section {
	s := section{Title: "Restitution schedule", Text: []string{"Allocation: " + v.d.Method.Allocation + ". It divides what can still be stopped; it is no promise that it will be."}}
	p := part{Head: []string{"Victim", "Lost", "Traced to this victim and recoverable", "Allotted"}, Wide: []int{16, 28, 28, 28}}
	for _, a := range v.d.Shares {
		p.Rows = append(p.Rows, []string{a.Victim, v.coins(a.Lost, a.Asset), v.coins(a.Traced, a.Asset), v.coins(a.Allocated, a.Asset)})
	}
	s.Parts = []part{p}
	return s
}

// maxRows bounds the ledger in print.
const maxRows = 2000

func (v *view) ledger() section {
	s := section{Title: "Ledger", Text: []string{
		"Every transfer that carried traced units. Class: F fact, H heuristic, A attribution, D disclosed by a service, I inference. Grade: proven by the network's own data in this package, attested by the source, or inferred by a rule.",
	}}
	rows := v.d.Ledger
	p := part{Head: []string{"", "Time (UTC), height", "Transaction", "From, to", "Whole, traced", "Class, grade"}, Wide: []int{7, 13, 25, 26, 17, 12}}
	if len(rows) > maxRows {
		rows = slices.Clone(rows)
		slices.SortStableFunc(rows, func(a, b evidence.Row) int { return amount(b.Traced).Cmp(amount(a.Traced)) })
		rows = rows[:maxRows]
		p.Note = fmt.Sprintf("The %d largest of %d rows; ledger.csv has all.", maxRows, len(v.d.Ledger))
	}
	for _, r := range rows {
		ends := ""
		if r.Ends != "" {
			ends = "; ends: " + r.Ends
		}
		if c := r.Crossing; c != nil {
			ends += "; " + c.Kind + " by " + c.Rule + " into " + v.coins(c.TracedOut, c.Asset) + " for " + c.To
		}
		money := v.coins(r.Amount, r.Asset) + ", traced " + v.coins(r.Traced, r.Asset)
		if r.USD != "" {
			money += " (USD " + r.USD + ", " + r.USDSource + ")"
		}
		p.Rows = append(p.Rows, []string{
			r.ID, utc(r.Time) + ", " + strconv.FormatUint(r.Place.Height, 10), r.Network + ":" + r.Tx + ":" + r.Index, from(r) + " to " + r.To + ends, money, r.Class + ", " + r.Grade + ": " + r.Why,
		})
	}
	s.Parts = []part{p}
	return s
}

func from(r evidence.Row) string {
	if r.From == "" {
		return "nobody"
	}
	return r.From
}

func (v *view) sheets() section {
	s := section{Title: "Conservation", Text: []string{"For each asset and payment: seeded - collided + converted in = resting + stopped + burnt + fees + converted out + pruned + pending, in base units, to the last one."}}
	for _, x := range v.d.Results[0].Sheets {
		p := part{Title: x.Asset, Head: []string{"Label", "seeded", "- collided", "+ converted in", "= resting", "+ stopped", "+ burnt", "+ fees", "+ conv. out", "+ pruned", "+ pending"}, Wide: []int{6, 12, 9, 9, 12, 12, 8, 8, 8, 8, 8}}
		for _, r := range x.Rows {
			label := strconv.Itoa(r.Label)
			if r.Label == 0 {
				label = "all"
			}
			p.Rows = append(p.Rows, []string{label, r.Seeded, r.Collided, r.ConvertedIn, r.Resting, r.Stopped, r.Burnt, r.Fees, r.ConvertedOut, r.Pruned, r.Pending})
		}
		s.Parts = append(s.Parts, p)
	}
	return s
}

// rules shows the same trace under all rules.
func (v *view) rules() section {
	s := section{Title: "The same trace under other rules", Text: []string{"How much of a payment out of a mixed account is the victims' is a choice. These are the totals that each rule leaves with each holder of the seizure table."}}
	p := part{Head: []string{"", "Holder"}}
	for _, r := range v.d.Results {
		name := r.UTXO
		if r.Account != r.UTXO {
			name += "+" + r.Account
		}
		p.Head = append(p.Head, name)
	}
	p.Wide = []int{6, 29}
	for range v.d.Results {
		p.Wide = append(p.Wide, 65/len(v.d.Results))
	}
	for _, h := range v.d.Holdings {
		row := []string{h.ID, h.Address}
		for _, u := range h.Under {
			row = append(row, v.coins(u.Traced, h.Asset))
		}
		p.Rows = append(p.Rows, row)
	}
	s.Parts = []part{p}
	return s
}

func (v *view) entities() section {
	s := section{Title: "Who is named, and why", Text: []string{"A label is a claim of its source. What contradicts it stands beside it."}}
	p := part{Head: []string{"", "Name, category", "Address", "What says so", "Confidence"}, Wide: []int{6, 22, 30, 32, 10}}
	for _, e := range v.d.Entities {
		add := func(a evidence.Attribution, word string) {
			p.Rows = append(p.Rows, []string{e.ID, e.Name + ", " + e.Category, a.Address, word + "\"" + a.Label + "\", " + a.Source + " (" + a.Pack + "), recorded " + utc(a.Recorded), strconv.Itoa(a.Confidence)})
		}
		for _, a := range e.Evidence {
			add(a, "")
		}
		for _, a := range e.Alternatives {
			add(a, "against it: ")
		}
	}
	s.Parts = []part{p}
	return s
}

func (v *view) requests() section {
	s := section{Title: "Requests"}
	p := part{Head: []string{"", "Kind", "To", "Holdings", "Letter"}, Wide: []int{8, 22, 30, 20, 20}}
	for _, r := range v.d.Requests {
		p.Rows = append(p.Rows, []string{r.ID, r.Kind, r.To, few(r.Holdings), r.Letter})
	}
	if len(p.Rows) == 0 {
		p.Note = "This package has no letters."
	}
	s.Parts = []part{p}
	return s
}

func (v *view) proofs() section {
	grades := map[string]int{}
	for _, r := range v.d.Ledger {
		grades[r.Grade]++
	}
	s := section{Title: "Proofs and grades", Text: []string{
		fmt.Sprintf("Of %d transfers %d are proven, %d attested, %d inferred. The folder proofs has %d proofs.", len(v.d.Ledger), grades["proven"], grades["attested"], grades["inferred"], len(v.d.Proofs)),
		"Bitcoin: a transaction in a block that shows its work, by merkle branch; input amounts by the transactions that they spend. Ethereum: transaction and receipt under a block's hash; that the chain has the block is a node's word, and so is value that contracts send. TRON: a transaction under the root of its block; logs and internal transfers are under no root. A proof says what moved, never who owns an address.",
		"Each row of the ledger names the plain request that any node or explorer answers with the same transfer (ledger.csv, column check).",
	}}
	return s
}

func (v *view) custody() section {
	c := v.d.Custody
	s := section{Title: "Custody", Text: []string{fmt.Sprintf("The custody log of the case, up to entry %d. Its Merkle root is signed; custody.json has the entries, the checkpoint and the public key %s.", c.Size, c.Key)}}
	if len(c.Entries) == 0 {
		s.Text = append(s.Text, "The entries are withheld at this level.")
	}
	for _, l := range strings.Split(strings.TrimSpace(c.Checkpoint), "\n") {
		if l != "" {
			s.Text = append(s.Text, l)
		}
	}
	return s
}

func (v *view) reproduce() section {
	r := v.d.Reproduce
	s := section{Title: "How to make it again", Text: []string{strings.Join(r.Command, " ")}}
	p := part{Title: "Index", Head: []string{"Network", "Height", "Digest of everything up to it"}, Wide: []int{16, 16, 68}}
	for _, n := range r.Networks {
		p.Rows = append(p.Rows, []string{n.Network, strconv.FormatUint(n.Height, 10), n.Digest})
	}
	packs := part{Title: "Labels", Head: []string{"File", "SHA-256"}, Wide: []int{40, 60}}
	for _, x := range r.Packs {
		packs.Rows = append(packs.Rows, []string{x.Name, x.SHA256})
	}
	s.Parts = []part{p, packs}
	return s
}

func (v *view) declarations() section {
	s := section{Title: "Drafts of declarations, limits, and what speaks for the other side", Text: []string{
		"Draft, to be completed and signed by whoever can say it of own knowledge: I, [name], [position], state that the records in this package were made by an electronic process that I operated on [date]; that the process reads public ledgers and produces an accurate result, as the enclosed proofs, sums and verification program let anybody test; and that the files are identified by the SHA-256 hashes in MANIFEST.json (compare FRE 902(13) and (14)).",
		"Draft of an expert's statement: I understand my duty to the court and have complied with it. The accounting rule was instructed, not chosen by me; results under other rules are enclosed. I have stated which facts are within my own knowledge, which figures rest on attributions by others, and what I could not establish (compare CPR Part 35).",
		"A trace shows where value went under a rule of accounting. It does not show who controls an address, what anybody knew, or that a payment was induced by fraud.",
	}}
	p := part{Title: "What may speak for the other side", Head: []string{""}, Wide: []int{100}}
	for _, e := range v.d.Entities {
		for _, a := range e.Alternatives {
			p.Rows = append(p.Rows, []string{a.Address + " is taken for " + e.Name + "; " + a.Source + " says \"" + a.Label + "\" (" + a.Category + ")."})
		}
	}
	for _, h := range v.d.Holdings {
		if h.Unexplained != "" && h.Unexplained != "0" {
			p.Rows = append(p.Rows, []string{h.ID + ": " + v.coins(h.Unexplained, h.Asset) + " of the balance are not explained by any payment of this case."})
		}
		if h.Low != h.High {
			p.Rows = append(p.Rows, []string{h.ID + ": under another rule it is as little as " + v.coins(h.Low, h.Asset) + "."})
		}
	}
	for _, w := range v.d.Cover.Warnings {
		p.Rows = append(p.Rows, []string{w})
	}
	s.Parts = []part{p}
	return s
}

func (v *view) glossary() section {
	return section{Title: "Glossary", Parts: []part{{Head: []string{"Word", "Meaning"}, Wide: []int{20, 80}, Rows: [][]string{
		{"base unit", "the smallest unit of an asset: a satoshi, a millionth of a USDT"},
		{"traced", "belonging to a victim's payment under the accounting rule of the case"},
		{"label", "the number of a payment in shares and sheets"},
		{"collided", "paid by a victim out of money that was another victim's already"},
		{"resting", "at an address, unspent, or frozen there"},
		{"stopped", "where the trace ends: a service, a mixer, a contract"},
		{"pending", "not followed to its end: a limit was reached"},
		{"issuer", "the company that can freeze a token wherever it is"},
		{"VASP", "a service that holds money for customers, such as an exchange"},
		{"KEY", "only whoever takes the private key"},
		{"fifo, lifo, haircut, dirty-first, tiho, libr", "accounting rules: first in first out; last in first out; pro rata; traced units leave first; largest outputs first; clean units leave first (lowest intermediate balance)"},
	}}}}
}
