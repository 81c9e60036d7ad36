package render

import (
	"io"
	"strconv"
	"strings"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// Transaction prints what the index holds of one transaction.
func Transaction(w io.Writer, t *spoorv1.Transaction, s Style) error {
	p := &paper{w: w}
	p.line("Transaction %s:%s", Clean(t.GetNetwork()), withTags(Clean(t.GetTx()), t.GetLabels()))
	p.line("Time        %s", s.when(t.GetTime()))
	if t.Height != nil {
		p.line("Block       %s, transaction %s of it, %s", number(int64(t.GetHeight())), number(int64(t.GetTxIndex())), Clean(t.GetBlockHash()))
	}
	p.line("Status      %s, %s", Clean(t.GetStatus()), Clean(t.GetGrade()))
	native := &spoorv1.Asset{Network: t.GetNetwork(), Decimals: nativeDecimals(t.GetNetwork())}
	if t.GetFee() != "" {
		p.line("Fee         %s", money(t.GetFee(), native))
	}
	inputs(p, t, native)
	outputs(p, t, native)
	transfers(p, t)
	p.line("")
	p.line("As of       %s", s.asOf(t.GetAsOf()))
	p.line("Coverage    %s", coverage(t.GetCoverage()))
	return p.err
}

func inputs(p *paper, t *spoorv1.Transaction, native *spoorv1.Asset) {
	if len(t.GetInputs()) == 0 {
		return
	}
	p.line("")
	p.line("Inputs")
	g := &grid{right: []bool{true, true}}
	for _, in := range t.GetInputs() {
		if in.GetCoinbase() {
			g.add(strconv.Itoa(int(in.GetIndex())), "", "newly made coins and fees (coinbase)")
			continue
		}
		owner := withTags(address(t.GetNetwork(), in.GetAddress()), in.GetLabels())
		if in.GetAddress() == "" {
			owner = "not known: the coin is not held"
		}
		amount := "?"
		if in.GetAmount() != "" {
			amount = money(in.GetAmount(), native)
		}
		g.add(strconv.Itoa(int(in.GetIndex())), amount, owner, "coin "+Clean(in.GetPreviousTx())+":"+strconv.Itoa(int(in.GetPreviousIndex())))
	}
	p.print(g)
}

func outputs(p *paper, t *spoorv1.Transaction, native *spoorv1.Asset) {
	if len(t.GetOutputs()) == 0 {
		return
	}
	p.line("")
	p.line("Outputs")
	g := &grid{right: []bool{true, true}}
	for _, out := range t.GetOutputs() {
		spent := Clean(strings.ToLower(out.GetSpendState()))
		switch out.GetSpendState() {
		case "SPENT":
			spent = "spent by " + Clean(out.GetSpentByTx()) + " input " + strconv.Itoa(int(out.GetSpentByInput()))
		case "UNKNOWN":
			spent = "no spender held; later blocks are missing"
		}
		g.add(strconv.Itoa(int(out.GetIndex())), money(out.GetAmount(), native), withTags(address(t.GetNetwork(), out.GetAddress()), out.GetLabels()), spent)
	}
	p.print(g)
}

func transfers(p *paper, t *spoorv1.Transaction) {
	if len(t.GetTransfers()) == 0 {
		return
	}
	p.line("")
	p.line("Transfers")
	g := &grid{right: []bool{true, true}}
	for _, x := range t.GetTransfers() {
		g.add(Clean(x.GetIndex()), money(x.GetAmount(), x.GetAsset()),
			withTags(address(t.GetNetwork(), x.GetFrom()), x.GetFromLabels())+" → "+withTags(address(t.GetNetwork(), x.GetTo()), x.GetToLabels()))
	}
	p.print(g)
}

// TransactionCSV writes one row an input, output and transfer.
func TransactionCSV(w io.Writer, t *spoorv1.Transaction) error {
	s := &records{header: joined([]string{"network", "tx", "height", "time", "part", "index", "from", "to", "labels", "contract"}, amountColumns(), []string{"state", "other_tx", "other_index"})}
	native := &spoorv1.Asset{Network: t.GetNetwork(), Decimals: nativeDecimals(t.GetNetwork())}
	native.Symbol = symbol(native)
	head := func(part string, index string) []string {
		return []string{t.GetNetwork(), t.GetTx(), heightCell(t.Height), utc(t.GetTime()), part, index}
	}
	for _, in := range t.GetInputs() {
		state := ""
		if in.GetCoinbase() {
			state = "COINBASE"
		}
		s.add(joined(head("input", strconv.Itoa(int(in.GetIndex()))), []string{in.GetAddress(), "", labelCell(in.GetLabels()), ""}, amountCells(in.GetAmount(), native, "", ""),
			[]string{state, in.GetPreviousTx(), strconv.Itoa(int(in.GetPreviousIndex()))})...)
	}
	for _, out := range t.GetOutputs() {
		s.add(joined(head("output", strconv.Itoa(int(out.GetIndex()))), []string{"", out.GetAddress(), labelCell(out.GetLabels()), ""}, amountCells(out.GetAmount(), native, "", ""),
			[]string{out.GetSpendState(), out.GetSpentByTx(), strconv.Itoa(int(out.GetSpentByInput()))})...)
	}
	for _, x := range t.GetTransfers() {
		s.add(joined(head("transfer", x.GetIndex()), []string{x.GetFrom(), x.GetTo(), labelCell(append(x.GetFromLabels(), x.GetToLabels()...)), x.GetAsset().GetContract()},
			amountCells(x.GetAmount(), x.GetAsset(), "", ""), []string{t.GetStatus(), "", ""})...)
	}
	return s.write(w)
}

// Address prints what the index and the label log hold of an address.
func Address(w io.Writer, a *spoorv1.AddressInfo, s Style) error {
	p := &paper{w: w}
	p.line("Address   %s:%s", Clean(a.GetNetwork()), address(a.GetNetwork(), a.GetAddress()))
	for _, form := range a.GetOtherForms() {
		p.line("          also %s", Clean(form))
	}
	p.line("As of     %s", s.asOf(a.GetAsOf()))
	p.line("Coverage  %s", coverage(a.GetCoverage()))
	if len(a.GetLabels()) > 0 {
		p.line("")
		p.line("Labels")
		p.print(labelGrid(a.GetLabels(), s))
	}
	if len(a.GetBalances()) > 0 {
		p.line("")
		p.line("Balances")
		p.print(balanceGrid(a, s))
	}
	if len(a.GetEvents()) > 0 {
		p.line("")
		p.line("Transfers, the latest first")
		p.print(eventGrid(a, s))
	}
	return p.err
}

func balanceGrid(a *spoorv1.AddressInfo, s Style) *grid {
	g := &grid{right: []bool{true, true, true}}
	g.add("balance", "received", "sent", "asset", "times in, out", "first", "last")
	for _, b := range a.GetBalances() {
		balance := coins(b.GetBalance(), b.GetAsset())
		if !amountOf(b.GetAssumedOpening()).IsZero() {
			balance = "at least " + balance
		}
		g.add(balance, coins(b.GetReceived(), b.GetAsset()), coins(b.GetSent(), b.GetAsset()), symbol(b.GetAsset()),
			number(b.GetReceivedCount())+", "+number(b.GetSentCount()), s.when(b.GetFirst()), s.when(b.GetLast()))
	}
	return g
}

func eventGrid(a *spoorv1.AddressInfo, s Style) *grid {
	g := &grid{right: []bool{false, false, true}}
	for _, e := range a.GetEvents() {
		row := []string{s.when(e.GetPosition().GetTime()), Clean(strings.ToLower(e.GetDirection())), money(e.GetAmount(), e.GetAsset())}
		switch {
		case e.GetCounterparty() == "":
		case e.GetDirection() == "SENT":
			row = append(row, "to "+address(a.GetNetwork(), e.GetCounterparty()))
		default:
			row = append(row, "from "+address(a.GetNetwork(), e.GetCounterparty()))
		}
		g.add(append(row, Clean(e.GetPosition().GetTx())+":"+Clean(e.GetIndex()))...)
	}
	return g
}

// AddressCSV writes one row an event.
func AddressCSV(w io.Writer, a *spoorv1.AddressInfo) error {
	s := &records{header: joined([]string{"network", "address", "direction", "tx", "index", "height", "time", "counterparty", "contract"}, amountColumns())}
	for _, e := range a.GetEvents() {
		pos := e.GetPosition()
		s.add(joined([]string{
			a.GetNetwork(), a.GetAddress(), e.GetDirection(), pos.GetTx(), e.GetIndex(), heightCell(pos.Height), utc(pos.GetTime()), e.GetCounterparty(), e.GetAsset().GetContract(),
		}, amountCells(e.GetAmount(), e.GetAsset(), "", ""))...)
	}
	return s.write(w)
}
