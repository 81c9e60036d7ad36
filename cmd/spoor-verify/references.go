package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

const checkNameReferences = "what is said of a transfer, where it is said again"

// saidTransfer is a payment, a row, or the transfer by which a terminal was reached.
type saidTransfer struct {
	Network string    `json:"network"`
	Tx      string    `json:"tx"`
	Index   string    `json:"index"`
	Place   rowPlace  `json:"place"`
	Time    time.Time `json:"time"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Asset   string    `json:"asset"`
}

type saidPayment struct {
	saidTransfer
	Payment string `json:"payment"`
	Status  string `json:"status"`
	Paid    string `json:"paid"`
	Ledger  string `json:"ledger"`
}

type saidRow struct {
	saidTransfer
	ID     string `json:"id"`
	Parent string `json:"parent"`
	Depth  int    `json:"depth"`
	Check  string `json:"check"`
}

type saidTerminal struct {
	saidTransfer
	Row       string    `json:"row"`
	Address   string    `json:"address"`
	Reason    string    `json:"reason"`
	Bucket    string    `json:"bucket"`
	Via       string    `json:"via"`
	ArrivedAt time.Time `json:"arrived_at"`
	Balance   string    `json:"balance_now"`
	Coin      bool      `json:"coin"`
	Rests     bool      `json:"rests"`
}

type saidHolding struct {
	ID        string    `json:"id"`
	Network   string    `json:"network"`
	Address   string    `json:"address"`
	Account   string    `json:"account"`
	Asset     string    `json:"asset"`
	Reasons   []string  `json:"reasons"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	Minutes   int64     `json:"minutes"`
	Via       []string  `json:"via"`
	Rows      []string  `json:"rows"`
	Under     []struct {
		Policy string `json:"policy"`
	} `json:"under"`
}

// saidResult is a result of one pair of rules.
type saidResult struct {
	UTXO      string         `json:"utxo"`
	Account   string         `json:"account"`
	Terminals []saidTerminal `json:"terminals"`
}

// referenceCheck holds what the files say of the same things against each other. The sums are recomputed elsewhere; here it is ids, times,
// places and names, which people act on.
type referenceCheck struct {
	txs   map[string]recordedTx // by network and place
	rows  map[string]saidRow
	last  map[string]string // the last row of a transfer
	held  map[string]string // balances at the cut-off
	came  map[string]bool   // what came out of a crossing: it may lie at the place of what went in
	found []finding
}

func (c *referenceCheck) same(subject, want, got string) {
	if want != got {
		c.found = append(c.found, finding{checkNameReferences, subject, want, got})
	}
}

// checkReferences compares payments, rows, terminals and holdings with the record's transactions and with each other.
func checkReferences(p *pack) []finding {
	c := &referenceCheck{txs: map[string]recordedTx{}, rows: map[string]saidRow{}, last: map[string]string{}, held: map[string]string{}, came: map[string]bool{}}
	var record struct {
		Transactions []recordedTx
		Crossings    []struct{ Crossing saidTransfer }
		Balances     []struct{ Network, Address, Asset, Amount string }
	}
	var payments []saidPayment
	var rows []saidRow
	var results []saidResult
	var holdings []saidHolding
	var cover struct {
		AsOf []struct {
			Network string
			Time    time.Time
		} `json:"as_of"`
	}
	for _, f := range []struct {
		path string
		into any
	}{
		{"record.json", &record},
		{"payments.json", &payments},
		{"ledger.json", &rows},
		{"results.json", &results},
		{"holdings.json", &holdings},
		{"case.json", &cover},
	} {
		if err := readPart(p, f.path, f.into); err != nil {
			return []finding{{checkNameReferences, f.path, "a file that can be read", err.Error()}}
		}
	}
	for _, t := range record.Transactions {
		c.txs[placeName(t.Network, t.Height, t.TxIndex)] = t
	}
	for _, b := range record.Balances {
		c.held[b.Network+" "+b.Address+" "+b.Asset] = b.Amount
	}
	for _, x := range record.Crossings {
		c.came[x.Crossing.name()] = true
	}
	c.checkRows(rows)
	c.checkPayments(payments)
	for i, r := range results {
		c.checkTerminals(r, i == 0)
	}
	until := map[string]time.Time{}
	for _, b := range cover.AsOf {
		until[b.Network] = b.Time
	}
	c.checkHoldings(holdings, results, until)
	return c.found
}

func placeName(network string, height uint64, index uint32) string {
	return fmt.Sprint(network, " ", height, " ", index)
}

// transaction finds the one at a place, which must have the id and time that are said.
func (c *referenceCheck) transaction(subject string, s saidTransfer) (recordedTx, bool) {
	t, ok := c.txs[placeName(s.Network, s.Place.Height, s.Place.TxIndex)]
	if !ok {
		c.same(subject, "a transaction of the record", fmt.Sprintf("none at %d, %d", s.Place.Height, s.Place.TxIndex))
		return t, false
	}
	c.same(subject, "transaction "+t.Tx, "transaction "+s.Tx)
	c.same(subject, "at "+t.Time.Format(time.RFC3339Nano), "at "+s.Time.Format(time.RFC3339Nano))
	return t, true
}

// index is how a transfer is named within its transaction.
func (t recordedTx) index(s saidTransfer) (string, recordedTransfer) {
	n, _ := networkOf(t.Network)
	if n.family == familyBitcoin {
		return s.Index, recordedTransfer{}
	}
	for _, one := range t.Transfers {
		if one.Slot != s.Place.Slot {
			continue
		}
		text := strconv.FormatUint(uint64(one.Index), 10)
		switch {
		case one.Kind == "internal":
			text = "i" + text
		case one.Kind == "native" && n.family == familyEVM:
			text = "n"
		}
		return text, one
	}
	return "no transfer", recordedTransfer{}
}

func (c *referenceCheck) sameIndex(subject string, t recordedTx, s saidTransfer) {
	if index, _ := t.index(s); !c.came[s.name()] {
		c.same(subject, "index "+index, "index "+s.Index)
	}
}

func (c *referenceCheck) checkRows(rows []saidRow) {
	for i, r := range rows {
		c.same(r.ID, fmt.Sprintf("L-%d", i+1), r.ID)
		c.rows[r.ID] = r
		c.last[r.name()] = r.ID
	}
	for _, r := range rows {
		if t, ok := c.transaction(r.ID, r.saidTransfer); ok {
			c.sameIndex(r.ID, t, r.saidTransfer)
		}
		parent, ok := c.rows[r.Parent] // without one it is a payment: depth 1; a payment may have one, too
		if r.Parent != "" && !ok {
			c.same(r.ID, "a parent that is a row", r.Parent)
		}
		if r.Depth < 1 || r.Depth > parent.Depth+1 {
			c.same(r.ID, fmt.Sprintf("a depth of 1 to %d", parent.Depth+1), strconv.Itoa(r.Depth))
		}
		c.same(r.ID, plainRequest(r.Network, r.Tx), r.Check)
	}
}

func (s saidTransfer) name() string {
	return strings.Join([]string{s.Network, s.Tx, s.Index, s.Asset}, " ")
}

// plainRequest is what any node answers about a transaction.
func plainRequest(network, tx string) string {
	switch n, _ := networkOf(network); n.family {
	case familyBitcoin:
		return "getrawtransaction " + tx + " true"
	case familyEVM:
		return "eth_getTransactionReceipt " + tx
	case familyService:
		return "the answer of " + strings.TrimPrefix(network, "service-") + ", row " + tx
	}
	return "wallet/gettransactioninfobyid value=" + tx
}

func (c *referenceCheck) checkPayments(payments []saidPayment) {
	for _, p := range payments {
		if p.Status != "suspected" && p.Status != "confirmed" {
			c.same(p.Payment, "suspected or confirmed", p.Status)
		}
		c.same(p.Payment, "row "+c.last[p.name()], "row "+p.Ledger)
		t, ok := c.transaction(p.Payment, p.saidTransfer)
		if !ok {
			continue
		}
		said := strings.Join([]string{p.Index, p.From, p.To, p.Asset, p.Paid}, " ")
		if n, _ := networkOf(p.Network); n.family == familyBitcoin {
			c.same(p.Payment, t.paid(p), said)
			continue
		}
		index, one := t.index(p.saidTransfer)
		c.same(p.Payment, strings.Join([]string{index, one.From, one.To, one.Asset, one.Amount}, " "), said)
	}
}

// paid is what the record says of an output as a payment. A transaction may have many payers; one of them is said.
func (t recordedTx) paid(p saidPayment) string {
	i, err := strconv.ParseUint(p.Index, 10, 32)
	if err != nil || i >= uint64(len(t.Outputs)) {
		return fmt.Sprintf("one of %d outputs", len(t.Outputs))
	}
	from := "" // the first payer, who may not be known, or whoever of them is said
	for i, in := range t.Inputs {
		if i == 0 || in.Address == p.From {
			from = in.Address
		}
	}
	return strings.Join([]string{strconv.FormatUint(i, 10), from, t.Outputs[i].Address, t.Network + ":native", t.Outputs[i].Value}, " ")
}

func (c *referenceCheck) checkTerminals(r saidResult, own bool) {
	for _, t := range r.Terminals {
		subject := fmt.Sprintf("%s, %s, terminal at %s", r.UTXO, r.Account, t.Address)
		t.Time = t.ArrivedAt
		if tx, ok := c.transaction(subject, t.saidTransfer); ok {
			c.sameIndex(subject, tx, t.saidTransfer)
			if i, err := strconv.Atoi(t.Index); t.Coin && t.Rests && err == nil && i < len(tx.Outputs) {
				c.same(subject, "a coin of "+tx.Outputs[i].Value, "a coin of "+t.Balance)
			}
		}
		if held, ok := c.held[t.Network+" "+t.Address+" "+t.Asset]; ok && !t.Coin {
			c.same(subject, "a balance of "+held, "a balance of "+t.Balance)
		}
		if row, ok := c.rows[t.Row]; ok {
			c.same(subject, row.name(), t.name())
		} else if t.Row != "" || own && t.Bucket != "PENDING" && t.Bucket != "PRUNED" && c.last[t.name()] != "" {
			c.same(subject, "a row of the ledger", t.Row)
		}
	}
}

// checkHoldings holds what is told of a holding besides its sums against the terminals of the first result.
func (c *referenceCheck) checkHoldings(holdings []saidHolding, results []saidResult, until map[string]time.Time) {
	var policies []string
	for _, r := range results {
		if r.UTXO == r.Account {
			policies = append(policies, r.UTXO)
			continue
		}
		policies = append(policies, r.UTXO+"+"+r.Account)
	}
	for i, h := range holdings {
		c.same(h.ID, fmt.Sprintf("H-%d", i+1), h.ID)
		var under []string
		for _, u := range h.Under {
			under = append(under, u.Policy)
		}
		c.same(h.ID, fmt.Sprint(policies), fmt.Sprint(under))
		if len(results) == 0 {
			continue
		}
		want := saidHolding{Via: []string{}, Rows: []string{}}
		for _, t := range results[0].Terminals {
			if t.Network == h.Network && t.Address == h.Address && t.Asset == h.Asset && t.held() {
				want.take(t)
			}
		}
		minutes := max(0, until[h.Network].Sub(want.LastSeen).Milliseconds()/60_000)
		c.same(h.ID, want.text(minutes), h.text(h.Minutes))
	}
}

// held says that somebody has it: it was not burnt, and not left unfollowed.
func (t saidTerminal) held() bool {
	return t.Bucket != "BURNT" && t.Bucket != "PRUNED" && (t.Bucket != "PENDING" || t.Rests)
}

func (h *saidHolding) take(t saidTerminal) {
	h.Reasons = append(h.Reasons, t.Reason)
	if t.Via != "" {
		h.Via = append(h.Via, t.Via)
	}
	if t.Row != "" {
		h.Rows = append(h.Rows, t.Row)
	}
	if h.FirstSeen.IsZero() || t.ArrivedAt.Before(h.FirstSeen) {
		h.FirstSeen = t.ArrivedAt
	}
	if t.ArrivedAt.After(h.LastSeen) {
		h.LastSeen = t.ArrivedAt
	}
}

func (h *saidHolding) text(minutes int64) string {
	var parts []string
	for _, all := range [][]string{h.Reasons, h.Via, h.Rows} {
		set := map[string]bool{}
		for _, one := range all {
			set[one] = true
		}
		parts = append(parts, strings.Join(slices.Sorted(maps.Keys(set)), ","))
	}
	return fmt.Sprintf("reasons %s, via %s, rows %s, from %s to %s, %d minutes", parts[0], parts[1], parts[2],
		h.FirstSeen.Format(time.RFC3339Nano), h.LastSeen.Format(time.RFC3339Nano), minutes)
}
