package cases

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Return is a service's answer about one account of a customer's, as it was taken
// in. Its rows are an exhibit of the case, sealed as others are.
type Return struct {
	Entity   string    `json:"entity"`             // id of the service, such as huobi
	Account  string    `json:"account"`            // as the service names it: a UID
	Document string    `json:"document"`           // SHA-256 of the file that came
	Rows     string    `json:"rows"`               // SHA-256 of the exhibit with the rows as JSON, []ReturnRow
	Count    uint64    `json:"count"`              // rows
	From     time.Time `json:"from"`               // the answer is complete from here
	To       time.Time `json:"to"`                 // to here, exclusive
	Replaces bool      `json:"replaces,omitempty"` // earlier answers on the account no longer count
	Replaced bool      `json:"replaced,omitempty"` // it does not count any more
	Sequence uint64    `json:"sequence"`
}

// check allows one answer for a time; a corrected one says that it replaces it.
func (r *Return) check(c *Case) error {
	if _, err := ledger.ServiceChain(r.Entity); err != nil {
		return err
	}
	if _, err := ledger.ParseAddress("service-any", r.Account); err != nil || strings.Contains(r.Account, ":") {
		return ledger.Invalid("account", "an account as the service names it, without a colon", r.Account)
	}
	if !r.From.Before(r.To) {
		return ledger.Invalid("from", "a time before "+r.To.Format(time.RFC3339), r.From.Format(time.RFC3339))
	}
	for _, o := range c.Returns {
		if !r.Replaces && r.sameAccount(o) && r.From.Before(o.To) && o.From.Before(r.To) {
			return fmt.Errorf("%w: of account %s of %s there is an answer for %s to %s already; say that this one replaces it",
				ledger.ErrPrecondition, r.Account, r.Entity, o.From.Format(time.RFC3339), o.To.Format(time.RFC3339))
		}
	}
	return digests("document", r.Document, "rows", r.Rows)
}

func (r *Return) sameAccount(o Return) bool {
	return o.Entity == r.Entity && o.Account == r.Account && !o.Replaced
}

func (r *Return) apply(c *Case, e Entry) {
	r.Sequence, r.Replaced = e.Sequence, false
	c.Returns = slices.Clone(c.Returns)
	for i := range c.Returns {
		if r.Replaces && r.sameAccount(c.Returns[i]) {
			c.Returns[i].Replaced = true
		}
	}
	c.Returns = append(c.Returns, *r)
}

// Movement says what a row of a service's answer did.
type Movement string

// The movements.
const (
	OpeningBalance Movement = "opening"      // what the account held at the beginning
	Deposit        Movement = "deposit"      // from outside the service
	Withdrawn      Movement = "withdrawal"   // to outside
	TransferIn     Movement = "transfer_in"  // from another account at the service
	TransferOut    Movement = "transfer_out" // to another
	Fee            Movement = "fee"
	Trade          Movement = "trade" // asset for another
)

func movements() []Movement {
	return []Movement{OpeningBalance, Deposit, Withdrawn, TransferIn, TransferOut, Fee, Trade}
}

// ReturnRow is one movement in a customer's account.
type ReturnRow struct {
	Line         int          `json:"line"` // of the file
	Time         time.Time    `json:"time"`
	Kind         Movement     `json:"kind"`
	Asset        string       `json:"asset"`                  // symbol in capitals
	Amount       string       `json:"amount"`                 // base units of ReturnDecimals
	Network      ledger.Chain `json:"network,omitempty"`      // of a deposit or withdrawal
	Tx           string       `json:"tx,omitempty"`           // 64 hex digits
	Address      string       `json:"address,omitempty"`      // deposit: the service's that was paid to; withdrawal: the payee
	Counterparty string       `json:"counterparty,omitempty"` // account of a transfer; or a bank's name for money that is no coin
	GotAsset     string       `json:"got_asset,omitempty"`    // of a trade: what came for it
	GotAmount    string       `json:"got_amount,omitempty"`
}

// ImportReturn keeps a service's answer: the file as it came and its rows as
// exhibits, and then the entry that makes them count. After a crash in between,
// the next try finds what is there.
func (s *Store) ImportReturn(a Actor, id ID, request string, r Return, document File, rows []ReturnRow) (Case, error) {
	text, err := json.Marshal(rows)
	if err != nil {
		return Case{}, err
	}
	r.Document, r.Rows, r.Count = digestOf(document.Content), digestOf(text), uint64(len(rows))
	h, err := s.find(a.Tenant, id)
	if err != nil {
		return Case{}, err
	}
	if err := h.fits(&r, request); err != nil {
		return Case{}, fmt.Errorf("cases: case %s: %w", id, err)
	}
	what := "answer of " + r.Entity + " on account " + r.Account
	document.Description = what
	for _, f := range []File{document, {Name: "rows.json", Description: what + ": its rows as they are traced", Content: text}} {
		if h.hasExhibit(digestOf(f.Content)) {
			continue
		}
		if _, err := s.AddExhibit(a, id, "", f); err != nil {
			return Case{}, err
		}
	}
	return s.Add(a, id, request, &r)
}

// fits looks at an answer before its exhibits are kept.
func (h *held) fits(r *Return, request string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state.Asked(request) {
		return nil // the answer to it was lost
	}
	return r.check(&h.state)
}

func (h *held) hasExhibit(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.state.Exhibits, func(x Exhibit) bool { return x.SHA256 == name })
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// returnColumns are those that a service's answer has.
var returnColumns = []string{"time", "kind", "asset", "amount", "network", "tx", "address", "counterparty", "got_asset", "got_amount"}

// ReturnDecimals are those that amounts of an asset are kept with: services write
// eight, and more only of what has more on its own network.
func ReturnDecimals(symbol string) int {
	most := 8
	for _, c := range []ledger.Chain{"bitcoin", "tron", "ethereum", "bnb", "polygon"} {
		if a, ok := ledger.AssetBySymbol(c, symbol); ok {
			most = max(most, ledger.InfoOf(a).Decimals)
		}
	}
	return most
}

// ReturnSheet is what ReadReturn made of a file. Nothing was stored.
type ReturnSheet struct {
	Rows     []ReturnRow // that have no problem which refuses them, by time, those of one time as in the file
	Problems []Problem
}

// ReadReturn reads a service's answer about one account, from CSV or XLSX like
// ReadPayments.
func ReadReturn(r io.Reader, o SheetOptions) (ReturnSheet, error) {
	g := reader{options: o, forms: newForms(), known: returnColumns, needs: []string{"time", "kind", "asset", "amount"}, each: (*line).movement}
	if err := g.read(r); err != nil {
		return ReturnSheet{}, fmt.Errorf("cases: a service's answer: %w", err)
	}
	rows := slices.DeleteFunc(g.returned, func(r ReturnRow) bool { return g.refused[r.Line] })
	slices.SortStableFunc(rows, func(a, b ReturnRow) int { return a.Time.Compare(b.Time) })
	slices.SortStableFunc(g.sheet.Problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return ReturnSheet{rows, g.sheet.Problems}, nil
}

// movement takes a row as one of a service's answer.
func (l *line) movement() {
	r := ReturnRow{Line: l.number, Kind: Movement(strings.ToLower(l.text("kind"))), Counterparty: l.text("counterparty")}
	if !slices.Contains(movements(), r.Kind) {
		l.problem("kind", "opening, deposit, withdrawal, transfer_in, transfer_out, fee or trade", l.text("kind"))
	}
	if text := l.text("time"); text == "" {
		l.problem("time", "a time", "")
	} else {
		at, _, want := l.g.readTime(text, l.cells["time"].serial)
		if want != "" {
			l.problem("time", want, text)
		}
		r.Time = at.UTC().Truncate(time.Millisecond)
	}
	r.Asset, r.Amount = l.coins("asset", "amount")
	if r.Kind == Trade {
		r.GotAsset, r.GotAmount = l.coins("got_asset", "got_amount")
		if r.GotAsset == r.Asset {
			l.problem("got_asset", "another asset than "+r.Asset, r.GotAsset)
		}
	}
	l.outside(&r)
	l.inside(&r)
	l.g.returned = append(l.g.returned, r)
}

// coins reads an amount of an asset, without its sign, which the kind says, and
// without separators of thousands.
func (l *line) coins(asset, amount string) (symbol, base string) {
	symbol = strings.ToUpper(l.text(asset))
	if _, err := ledger.ParseAddress("service-any", symbol); err != nil || strings.ContainsAny(symbol, ":#") {
		l.problem(asset, "a symbol such as USDT", symbol)
	}
	text := strings.TrimLeft(l.text(amount), "+-")
	if whole, _, _ := strings.Cut(text, "."); grouped(whole) {
		text = strings.ReplaceAll(text, ",", "")
	}
	units, err := ledger.ParseCoins(text, ReturnDecimals(symbol))
	l.fault(amount, "an amount of "+symbol, l.text(amount), err)
	if err == nil && units.IsZero() {
		l.problem(amount, "more than 0", l.text(amount))
	}
	return symbol, units.String()
}

// grouped reports digits with a comma before every three, as in 1,234,567.
func grouped(whole string) bool {
	groups := strings.Split(whole, ",")
	for i, g := range groups {
		if i > 0 && len(g) != 3 || i == 0 && (g == "" || len(g) > 3) {
			return false
		}
	}
	return len(groups) > 1
}

// outside reads where on a network a deposit or withdrawal is.
func (l *line) outside(r *ReturnRow) {
	network, tx, address := strings.ToLower(l.text("network")), l.text("tx"), l.text("address")
	if network == "" && tx == "" && address == "" {
		return
	}
	if r.Kind != Deposit && r.Kind != Withdrawn {
		l.problem("network", "nothing, since only deposits and withdrawals leave the service", strings.Join([]string{network, tx, address}, " "))
		return
	}
	chain, err := ledger.ParseChain(network)
	if _, service := chain.Service(); err != nil || service {
		l.problem("network", "a network such as tron", network)
		return
	}
	r.Network = chain
	if tx != "" {
		id, err := ledger.ParseTxID(tx)
		l.fault("tx", "a transaction hash", tx, err)
		r.Tx = id.String()
	}
	if address != "" {
		a, err := ledger.ParseAddress(chain, address)
		l.fault("address", "an address of "+network, address, err)
		r.Address = a.String()
	}
}

// inside reads who the other party of a transfer within the service is.
func (l *line) inside(r *ReturnRow) {
	switch {
	case (r.Kind == TransferIn || r.Kind == TransferOut) && r.Counterparty == "":
		l.problem("counterparty", "the other account at the service", "")
	case r.Counterparty == "":
	case r.Kind == Fee || r.Kind == Trade || r.Kind == OpeningBalance:
		l.problem("counterparty", "nothing for "+string(r.Kind), r.Counterparty)
	default:
		_, err := ledger.ParseAddress("service-any", r.Counterparty)
		l.fault("counterparty", "an account as the service names it", r.Counterparty, err)
		if err == nil && strings.Contains(r.Counterparty, ":") {
			l.problem("counterparty", "a name without a colon", r.Counterparty)
		}
	}
}
