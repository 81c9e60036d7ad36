package render

import (
	"io"
	"strconv"
	"strings"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// Case prints a case.
func Case(w io.Writer, c *spoorv1.Case, s Style) error {
	p := &paper{w: w}
	p.line("%s  %s", Clean(strings.TrimPrefix(c.GetName(), "cases/")), Clean(c.GetNumber()))
	p.line("  %s", Clean(c.GetTitle()))
	g := &grid{}
	g.add("authority", Clean(c.GetAuthority()))
	g.add("opened", s.when(c.GetOpenTime())+" by "+Clean(c.GetOpenedBy()))
	g.add("policy", "UTXO "+Clean(c.GetUtxoPolicy().GetPolicy())+", accounts "+Clean(c.GetAccountPolicy().GetPolicy())+": "+Clean(c.GetAccountPolicy().GetReason()))
	g.add("allocation", Clean(c.GetAllocation()))
	g.add("victims", number(int64(len(c.GetVictims()))))
	g.add("custody log", plural(int64(c.GetCustodySize()), "entry", "entries"))
	if c.GetErased() {
		g.add("erased", "personal data is gone")
	}
	for _, m := range c.GetMembers() {
		g.add("member", Clean(m.GetMember())+", "+strings.ToLower(strings.TrimPrefix(m.GetRole().String(), "CASE_ROLE_")))
	}
	p.print(g)
	if len(c.GetPayments()) > 0 {
		p.line("")
		p.line("Payments")
		g := &grid{}
		g.add("id", "victim", "status", "time (UTC)", "payment", "")
		for _, x := range c.GetPayments() {
			ref := Clean(x.GetNetwork()) + ":" + Clean(x.GetTx())
			if x.GetIndex() != "" {
				ref += ":" + Clean(x.GetIndex())
			}
			note := ""
			if x.GetWithdrawn() != "" {
				note = "withdrawn: " + Clean(x.GetWithdrawn())
			}
			g.add(Clean(x.GetId()), Clean(x.GetVictim()), Clean(x.GetStatus()), s.column(x.GetTime()), ref, note)
		}
		p.print(g)
	}
	for _, x := range c.GetReturns() {
		note := ""
		if x.GetReplaced() {
			note = ", replaced"
		}
		p.line("answer of %s on account %s, %s to %s: %s, document sha256 %s%s", Clean(x.GetEntity()), Clean(x.GetAccount()), s.when(x.GetFrom()), s.when(x.GetTo()),
			plural(int64(x.GetRows()), "row", "rows"), Clean(x.GetDocumentSha256()), note)
	}
	for _, x := range c.GetHandovers() {
		p.line("%s: %s, %s, file sha256 %s", Clean(x.GetDirection()), Clean(x.GetAgency()), plural(int64(x.GetSize()), "entry", "entries"), Clean(x.GetSha256()))
	}
	for _, x := range c.GetPackages() {
		p.line("package for %s: sha256 %s", Clean(x.GetRedaction()), Clean(x.GetSha256()))
	}
	return p.err
}

// CaseCSV writes the payments of a case.
func CaseCSV(w io.Writer, c *spoorv1.Case) error {
	s := &records{header: []string{"case", "payment", "victim", "status", "network", "tx", "index", "address", "asset", "amount_base", "time", "withdrawn"}}
	for _, x := range c.GetPayments() {
		s.add(c.GetName(), x.GetId(), x.GetVictim(), x.GetStatus(), x.GetNetwork(), x.GetTx(), x.GetIndex(), x.GetAddress(), x.GetAsset(), x.GetAmount(), utc(x.GetTime()), x.GetWithdrawn())
	}
	return s.write(w)
}

// Cases prints a list of cases.
func Cases(w io.Writer, m *spoorv1.ListCasesResponse, s Style) error {
	p := &paper{w: w}
	if len(m.GetCases()) == 0 {
		p.line("No case. spoor case new opens one.")
		return p.err
	}
	g := &grid{}
	g.add("id", "number", "opened", "title")
	for _, c := range m.GetCases() {
		g.add(Clean(strings.TrimPrefix(c.GetName(), "cases/")), Clean(c.GetNumber()), s.when(c.GetOpenTime()), Clean(c.GetTitle()))
	}
	p.print(g)
	return p.err
}

// CasesCSV writes a list of cases.
func CasesCSV(w io.Writer, m *spoorv1.ListCasesResponse) error {
	s := &records{header: []string{"case", "number", "opened", "title"}}
	for _, c := range m.GetCases() {
		s.add(c.GetName(), c.GetNumber(), utc(c.GetOpenTime()), c.GetTitle())
	}
	return s.write(w)
}

// Added prints what became of the rows of a spreadsheet.
func Added(w io.Writer, m *spoorv1.AddPaymentsResponse, _ Style) error {
	p := &paper{w: w}
	problems(p, m.GetProblems())
	p.line("%s added", plural(int64(m.GetAdded()), "payment", "payments"))
	return p.err
}

func problems(p *paper, all []*spoorv1.PaymentProblem) {
	for _, x := range all {
		word := "note"
		if x.GetRefused() {
			word = "refused"
		}
		p.line("line %d, %s: %s: %s", x.GetLine(), Clean(x.GetField()), word, Clean(x.GetMessage()))
		for _, c := range x.GetCandidates() {
			p.line("    %s", Clean(c))
		}
	}
}

// Returned prints what became of a service's answer.
func Returned(w io.Writer, m *spoorv1.ImportReturnResponse, _ Style) error {
	p := &paper{w: w}
	problems(p, m.GetProblems())
	p.line("%s taken in", plural(int64(m.GetRows()), "row", "rows"))
	return p.err
}

// ReturnedCSV writes what is wrong with a service's answer.
func ReturnedCSV(w io.Writer, m *spoorv1.ImportReturnResponse) error {
	return problemsCSV(w, m.GetProblems())
}

// AddedCSV writes what is wrong with the rows of a spreadsheet.
func AddedCSV(w io.Writer, m *spoorv1.AddPaymentsResponse) error {
	return problemsCSV(w, m.GetProblems())
}

func problemsCSV(w io.Writer, all []*spoorv1.PaymentProblem) error {
	s := &records{header: []string{"line", "field", "refused", "message", "candidates"}}
	for _, x := range all {
		s.add(strconv.Itoa(int(x.GetLine())), x.GetField(), strconv.FormatBool(x.GetRefused()), x.GetMessage(), strings.Join(x.GetCandidates(), "; "))
	}
	return s.write(w)
}

// Notes prints notes.
func Notes(w io.Writer, m *spoorv1.ListNotesResponse, _ Style) error {
	p := &paper{w: w}
	for i, n := range m.GetNotes() {
		p.line("%d  %s", i+1, Clean(n))
	}
	return p.err
}

// NotesCSV writes notes.
func NotesCSV(w io.Writer, m *spoorv1.ListNotesResponse) error {
	s := &records{header: []string{"note"}}
	for _, n := range m.GetNotes() {
		s.add(n)
	}
	return s.write(w)
}

// Victims prints names.
func Victims(w io.Writer, m *spoorv1.ListVictimsResponse, _ Style) error {
	p, g := &paper{w: w}, &grid{}
	for _, v := range m.GetVictims() {
		g.add(Clean(v.GetPseudonym()), Clean(v.GetFullName()), Clean(v.GetContact()))
	}
	p.print(g)
	return p.err
}

// VictimsCSV writes names.
func VictimsCSV(w io.Writer, m *spoorv1.ListVictimsResponse) error {
	s := &records{header: []string{"victim", "name", "contact"}}
	for _, v := range m.GetVictims() {
		s.add(v.GetPseudonym(), v.GetFullName(), v.GetContact())
	}
	return s.write(w)
}

// Custody prints a custody log.
func Custody(w io.Writer, m *spoorv1.ListCustodyResponse, s Style) error {
	p, g := &paper{w: w}, &grid{right: []bool{true}}
	for _, e := range m.GetEntries() {
		g.add(strconv.FormatUint(e.GetNumber(), 10), s.when(e.GetTime()), Clean(e.GetBy()), Clean(e.GetKind()))
	}
	p.print(g)
	p.line("")
	p.line("Checkpoint, to be kept elsewhere (key %s):", Clean(m.GetPublicKey()))
	for _, l := range strings.Split(strings.TrimRight(m.GetCheckpoint(), "\n"), "\n") {
		p.line("  %s", Clean(l))
	}
	return p.err
}

// CustodyCSV writes a custody log.
func CustodyCSV(w io.Writer, m *spoorv1.ListCustodyResponse) error {
	s := &records{header: []string{"number", "time", "by", "kind", "data"}}
	for _, e := range m.GetEntries() {
		s.add(strconv.FormatUint(e.GetNumber(), 10), utc(e.GetTime()), e.GetBy(), e.GetKind(), e.GetData())
	}
	return s.write(w)
}

// Holdings prints the board of a case.
func Holdings(w io.Writer, m *spoorv1.Holdings, s Style) error {
	p := &paper{w: w}
	p.line("As of %s. Most urgent first: what can be stopped, what arrived last.", Clean(m.GetAsOf()))
	p.line("")
	g := &grid{right: []bool{false, true, true}}
	g.add("", "traced", "can be stopped", "", "by", "arrived", "where")
	for _, h := range m.GetHoldings() {
		where := Clean(h.GetAddress())
		if h.GetAccount() != "" {
			where = "account " + Clean(h.GetAccount())
		}
		if h.GetEntity() != "" {
			where += " [" + Clean(h.GetEntity()) + "]"
		}
		g.add(Clean(h.GetId()), coins(h.GetTraced(), h.GetAsset()), coins(h.GetRecoverable(), h.GetAsset()), symbol(h.GetAsset()), Clean(h.GetFreezableBy()), s.when(h.GetLastSeen()), where)
	}
	p.print(g)
	for _, h := range m.GetHoldings() {
		if h.GetUnexplained() != "" && h.GetUnexplained() != "0" {
			p.line("%s holds %s more than this case explains", Clean(h.GetId()), money(h.GetUnexplained(), h.GetAsset()))
		}
		if h.GetSeized() != "" {
			p.line("%s: %s seized, %s left", Clean(h.GetId()), money(h.GetSeized(), h.GetAsset()), coins(h.GetLeft(), h.GetAsset()))
		}
		if h.GetBeyond() != "" {
			p.line("%s: %s of it was seized beyond what was traced", Clean(h.GetId()), money(h.GetBeyond(), h.GetAsset()))
		}
	}
	for _, z := range m.GetUnmatched() {
		p.line("seized and in no holding: %s base units of %s at %s", Clean(z.GetAmount()), Clean(z.GetAsset()), Clean(z.GetAddress()))
	}
	for _, e := range m.GetElsewhere() {
		p.line("%s is in another case of %s %s", Clean(e.GetAddress()), Clean(e.GetAuthority()), Clean(strings.TrimPrefix(e.GetCase(), "cases/")))
	}
	restitution(p, m)
	if len(m.GetWarnings()) > 0 {
		p.line("")
		p.line("Not known")
		for _, t := range m.GetWarnings() {
			p.line("  %s", Clean(t))
		}
	}
	return p.err
}

func restitution(p *paper, m *spoorv1.Holdings) {
	if len(m.GetRestitution()) == 0 {
		return
	}
	p.line("")
	p.line("Victims")
	g := &grid{right: []bool{false, true, true, true}}
	g.add("", "lost", "traced to", "allotted", "")
	for _, a := range m.GetRestitution() {
		g.add(Clean(a.GetVictim()), coins(a.GetLost(), a.GetAsset()), coins(a.GetTraced(), a.GetAsset()), coins(a.GetAllocated(), a.GetAsset()), symbol(a.GetAsset()))
	}
	p.print(g)
}

// HoldingsCSV writes the board of a case.
func HoldingsCSV(w io.Writer, m *spoorv1.Holdings) error {
	s := &records{header: joined([]string{"id", "network", "address", "entity", "holder", "freezable_by", "reasons", "recoverable_base", "balance_base", "unexplained_base", "missing_base", "first_seen", "last_seen"}, amountColumns())}
	for _, h := range m.GetHoldings() {
		s.add(joined([]string{
			h.GetId(), h.GetAsset().GetNetwork(), h.GetAddress(), h.GetEntity(), h.GetHolder(), h.GetFreezableBy(), strings.Join(h.GetReasons(), " "), h.GetRecoverable(),
			h.GetBalanceNow(), h.GetUnexplained(), h.GetMissing(), utc(h.GetFirstSeen()), utc(h.GetLastSeen()),
		}, amountCells(h.GetTraced(), h.GetAsset(), h.GetUsd(), h.GetUsdSource()))...)
	}
	return s.write(w)
}

// Letters prints letters, each below a line with its hash.
func Letters(w io.Writer, m *spoorv1.WriteLettersResponse, _ Style) error {
	p := &paper{w: w}
	for _, l := range m.GetLetters() {
		p.line("---- %s, %s, sha256 %s", Clean(l.GetId()), Clean(l.GetKind()), Clean(l.GetSha256()))
		for _, line := range strings.Split(l.GetText(), "\n") {
			p.line("%s", Clean(line))
		}
	}
	return p.err
}

// LettersCSV writes letters.
func LettersCSV(w io.Writer, m *spoorv1.WriteLettersResponse) error {
	s := &records{header: []string{"id", "kind", "to", "holdings", "sha256", "text"}}
	for _, l := range m.GetLetters() {
		s.add(l.GetId(), l.GetKind(), l.GetTo(), strings.Join(l.GetHoldings(), " "), l.GetSha256(), l.GetText())
	}
	return s.write(w)
}

// Requests prints the register of a case.
func Requests(w io.Writer, m *spoorv1.ListRequestsResponse, s Style) error {
	p := &paper{w: w}
	if len(m.GetRequests()) == 0 {
		p.line("No request. spoor case request records one, spoor freeze writes its letter.")
		return p.err
	}
	g := &grid{}
	g.add("", "to", "state", "sent (UTC)", "answered", "reference", "holds")
	for _, r := range m.GetRequests() {
		var holds []string
		for _, h := range r.GetHolds() {
			text := h.GetAmount() + " of " + h.GetAsset() + ", " + h.GetState()
			if h.GetUntil() != nil {
				text += " until " + s.when(h.GetUntil())
			}
			holds = append(holds, Clean(text))
		}
		answered := ""
		if r.GetAnswerTime() != nil {
			answered = s.column(r.GetAnswerTime())
		}
		g.add(Clean(r.GetId()), Clean(r.GetTo()), Clean(r.GetState()), s.column(r.GetSendTime()), answered, Clean(r.GetReference()), strings.Join(holds, "; "))
	}
	p.print(g)
	return p.err
}

// RequestsCSV writes the register of a case, a line for each hold.
func RequestsCSV(w io.Writer, m *spoorv1.ListRequestsResponse) error {
	s := &records{header: []string{"request", "to", "state", "sent", "answered", "reference", "accounts", "asset", "held_base", "until", "hold_state"}}
	for _, r := range m.GetRequests() {
		holds := r.GetHolds()
		if len(holds) == 0 {
			holds = []*spoorv1.RequestHold{{}}
		}
		for _, h := range holds {
			s.add(r.GetId(), r.GetTo(), r.GetState(), utc(r.GetSendTime()), utc(r.GetAnswerTime()), r.GetReference(), strings.Join(r.GetAccounts(), " "),
				h.GetAsset(), h.GetAmount(), utc(h.GetUntil()), h.GetState())
		}
	}
	return s.write(w)
}
