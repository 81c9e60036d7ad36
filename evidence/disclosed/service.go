package disclosed

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/ledger"
)

// Market is the other side of every trade at a service.
const Market = "market"

// service is what one service answered, as transactions of a network of its own.
type answers []Answer

type service struct {
	chain   ledger.Chain
	entity  string
	answers answers
	digest  ledger.Hash
	txs     map[int64][]ledger.Tx // by Unix milliseconds, in order
	named   map[string]string     // account: the document that names it first
}

// movement is a row with whose it is, and where its transaction on a chain is.
type movement struct {
	cases.ReturnRow
	account string
	doc     string
	units   ledger.Amount
	leg     *leg  // nil: it was not found, or there is none
	at      int64 // Unix milliseconds, so that a deposit comes after its transaction, and a withdrawal before
}

// leg is a transfer on a chain that a row is about.
type leg struct {
	tx       ledger.Tx
	transfer ledger.Transfer // of a coin: From and To are its owner, Slot its index
}

func sortedKeys[V any](m map[ledger.Chain]V) []ledger.Chain { return slices.Sorted(maps.Keys(m)) }

// read makes transactions of a service's answers and joins them to those of the chains.
func (x *Index) read(ctx context.Context, c ledger.Chain, answers []Answer) (*service, error) {
	s := &service{chain: c, answers: slices.Clone(answers), txs: map[int64][]ledger.Tx{}, named: map[string]string{}}
	s.entity, _ = c.Service()
	slices.SortFunc(s.answers, func(a, b Answer) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), a.From.Compare(b.From))
	})
	text, err := json.Marshal(s.answers)
	if err != nil {
		return nil, err
	}
	s.digest = sha256.Sum256(text)
	var all []movement
	for _, a := range s.answers {
		s.name(a.Account, a.Document)
		for _, r := range a.Rows {
			m, err := x.movement(ctx, a, r)
			if err != nil {
				return nil, fmt.Errorf("%s, account %s, line %d: %w", a.Entity, a.Account, r.Line, err)
			}
			all = append(all, m)
		}
	}
	all = x.once(s, all)
	slices.SortStableFunc(all, func(a, b movement) int { return cmp.Compare(a.at, b.at) })
	for _, m := range all {
		if err := x.add(s, m); err != nil {
			return nil, fmt.Errorf("%s, account %s, line %d: %w", s.entity, m.account, m.Line, err)
		}
	}
	return s, nil
}

func (s *service) name(account, doc string) {
	if account != "" && s.named[account] == "" {
		s.named[account] = doc
	}
}

func (x *Index) problem(s string, account string, line int, format string, args ...any) {
	x.problems = append(x.problems, Problem{s, account, line, fmt.Sprintf("%s, account %s, line %d: ", s, account, line) + fmt.Sprintf(format, args...)})
}

// movement reads a row and looks for its transaction.
func (x *Index) movement(ctx context.Context, a Answer, r cases.ReturnRow) (movement, error) {
	m := movement{ReturnRow: r, account: a.Account, doc: a.Document, at: r.Time.UnixMilli()}
	var err error
	if m.units, err = ledger.ParseAmount(r.Amount); err != nil || r.Network == "" {
		return m, err
	}
	if r.Tx == "" {
		x.problem(a.Entity, a.Account, r.Line, "%s of %s without a transaction: the trace does not go through it", r.Kind, m.coins())
		return m, nil
	}
	m.leg, err = x.find(ctx, m)
	if errors.Is(err, errUnfit) {
		x.problem(a.Entity, a.Account, r.Line, "%s of %s: %s", r.Kind, m.coins(), err)
		return m, nil
	}
	if err != nil {
		return m, err
	}
	clock, err := x.Base.Clock(ctx, r.Network, m.leg.tx.Pos.Height())
	if r.Kind == cases.Deposit {
		m.at = max(m.at, clock+1)
	} else {
		m.at = min(m.at, clock-1)
	}
	return m, err
}

func (m *movement) coins() string {
	return m.units.Decimal(cases.ReturnDecimals(m.Asset)) + " " + m.Asset
}

// once leaves out a transfer into an account where the answer about the payer has
// it, too. What only one of two answers has is kept, and said.
func (x *Index) once(s *service, all []movement) []movement {
	type pair struct{ from, to, asset, amount string }
	sent := map[pair]int{}
	for _, m := range all {
		if m.Kind == cases.TransferOut {
			sent[pair{m.account, m.Counterparty, m.Asset, m.Amount}]++
		}
	}
	kept := slices.DeleteFunc(all, func(m movement) bool {
		p := pair{m.Counterparty, m.account, m.Asset, m.Amount}
		if m.Kind != cases.TransferIn {
			return false
		}
		if sent[p] > 0 {
			sent[p]--
			return true
		}
		if s.answers.about(m.Counterparty, m.Time) {
			x.problem(s.entity, m.account, m.Line, "%s from %s, whose own answer has no such transfer", m.coins(), m.Counterparty)
		}
		return false
	})
	for _, m := range kept {
		p := pair{m.account, m.Counterparty, m.Asset, m.Amount}
		if m.Kind == cases.TransferOut && sent[p] > 0 && s.answers.about(m.Counterparty, m.Time) {
			sent[p]--
			x.problem(s.entity, m.account, m.Line, "%s to %s, whose own answer has no such transfer", m.coins(), m.Counterparty)
		}
	}
	return kept
}

// add books a movement as a transaction, with the notices that join it.
func (x *Index) add(s *service, m movement) error {
	id := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d", s.entity, m.account, m.doc, m.Line))
	pos := ledger.At(uint64(m.at), uint32(len(s.txs[m.at])))
	tx := ledger.Tx{ID: id, Chain: s.chain, Pos: pos, Time: m.at, Grade: ledger.GradeAttested}
	own, err := s.address(m.account)
	if err != nil {
		return err
	}
	asset, err := s.asset(m.Asset)
	if err != nil {
		return err
	}
	t := ledger.Transfer{Asset: asset, Amount: m.units, Grade: ledger.GradeAttested}
	switch m.Kind {
	case cases.OpeningBalance:
		t.To = own
	case cases.Deposit, cases.TransferIn:
		t.To = own
		t.From, err = s.other(m)
	case cases.Withdrawn, cases.TransferOut:
		t.From = own
		t.To, err = s.other(m)
	case cases.Fee:
		t.From, t.Kind = own, ledger.TransferFee
	case cases.Trade:
		t.From = own
		if t.To, err = s.address(Market); err == nil {
			err = s.trade(&tx, m, t)
		}
	}
	if err != nil {
		return err
	}
	tx.Transfers = append([]ledger.Transfer{t}, tx.Transfers...)
	if m.leg != nil {
		x.join(s, &tx, m)
	}
	s.txs[m.at] = append(s.txs[m.at], tx)
	return nil
}

// trade adds what came for what was given.
func (s *service) trade(tx *ledger.Tx, m movement, gave ledger.Transfer) error {
	asset, err := s.asset(m.GotAsset)
	if err != nil {
		return err
	}
	amount, err := ledger.ParseAmount(m.GotAmount)
	tx.Transfers = append(tx.Transfers, ledger.Transfer{Index: 1, Slot: 1, From: gave.To, To: gave.From, Asset: asset, Amount: amount, Grade: ledger.GradeAttested})
	return err
}

func (s *service) address(name string) (ledger.Address, error) {
	return ledger.ParseAddress(s.chain, name)
}

func (s *service) asset(symbol string) (ledger.Asset, error) {
	a, err := s.address(symbol)
	return ledger.TokenAsset(a), err
}

// other is the other party of a movement. What is outside of the service has a
// colon in its name.
func (s *service) other(m movement) (ledger.Address, error) {
	switch {
	case m.Kind == cases.TransferIn || m.Kind == cases.TransferOut:
		s.name(m.Counterparty, m.doc)
		return s.address(m.Counterparty)
	case m.Address != "":
		return s.address(string(m.Network) + ":" + m.Address)
	case m.Network != "":
		return s.address(string(m.Network) + ":unknown")
	}
	return s.address("outside:" + cmp.Or(m.Counterparty, "unknown"))
}

// join notes on both transactions that they are two sides of one payment.
func (x *Index) join(s *service, tx *ledger.Tx, m movement) {
	ref := "disclosed:" + tx.ID.String()
	own, there := tx.Transfers[0], m.leg.transfer
	here := ledger.Notice{Kind: ledger.NoticeBridgeIn, Account: own.To, Asset: own.Asset, Amount: own.Amount, Network: m.leg.tx.Chain, Ref: ref, Grade: ledger.GradeAttested}
	beside := ledger.Notice{
		Slot: there.Slot, Kind: ledger.NoticeBridgeOut, Account: there.From, Asset: there.Asset, Amount: there.Amount, Network: s.chain, Ref: ref, Grade: ledger.GradeAttested,
	}
	if m.Kind == cases.Withdrawn {
		here.Kind, here.Account = ledger.NoticeBridgeOut, own.From
		beside.Kind, beside.Account = ledger.NoticeBridgeIn, there.To
	}
	at := place{m.leg.tx.Chain, m.leg.tx.Pos}
	if slices.ContainsFunc(x.at[at], func(n ledger.Notice) bool { return n.Slot == there.Slot && n.Kind == beside.Kind }) {
		x.problem(s.entity, m.account, m.Line, "%s of %s: another row is about the same transfer of %s", m.Kind, m.coins(), m.Tx)
		return
	}
	tx.Notices = append(tx.Notices, here)
	x.at[at] = append(x.at[at], beside)
	noted := ledger.Noted{Notice: beside, Tx: m.leg.tx.ID, At: ledger.Point{Pos: m.leg.tx.Pos, Slot: there.Slot}, Time: m.leg.tx.Time}
	for _, subject := range beside.Subjects(m.leg.tx.Chain) {
		x.about[subject] = append(x.about[subject], noted)
	}
}

// end is the last millisecond that an answer reaches to.
func (s *service) end() uint64 {
	var end time.Time
	for _, a := range s.answers {
		if a.To.After(end) {
			end = a.To
		}
	}
	last := end.UnixMilli() - 1
	for at := range s.txs {
		last = max(last, at)
	}
	return uint64(last)
}

// blocks are the transactions by their time; the last has none and says how far
// the answers reach.
func (s *service) blocks() []*ledger.Block {
	var all []*ledger.Block
	for _, at := range slices.Sorted(maps.Keys(s.txs)) {
		all = append(all, &ledger.Block{Ref: s.ref(uint64(at)), Grade: ledger.GradeAttested, Txs: s.txs[at]})
	}
	if end := s.end(); len(all) == 0 || all[len(all)-1].Ref.Height < end {
		all = append(all, &ledger.Block{Ref: s.ref(end), Grade: ledger.GradeAttested})
	}
	return all
}

func (s *service) ref(at uint64) ledger.BlockRef {
	return ledger.BlockRef{Chain: s.chain, Height: at, Hash: s.digest, Time: int64(at)}
}

// claims are the times for which an account's answers say that they are
// complete: answers that meet are one.
func (s *service) claims() []ledger.Claim {
	var all []ledger.Claim
	for _, a := range s.answers { // by account and time
		account, _ := s.address(a.Account) // it was read before
		from, to := uint64(a.From.UnixMilli()), uint64(a.To.UnixMilli())
		if n := len(all); n > 0 && all[n-1].Account == account && all[n-1].Range.To >= from {
			all[n-1].Range.To = max(all[n-1].Range.To, to)
			continue
		}
		all = append(all, ledger.Claim{Account: account, Range: ledger.Range{From: from, To: to}})
	}
	return all
}

func (l answers) about(account string, at time.Time) bool {
	return slices.ContainsFunc(l, func(a Answer) bool { return a.Account == account && !at.Before(a.From) && at.Before(a.To) })
}

// answerConfidence is that of what a service says of its own customers.
const answerConfidence = 100

// Category is that of an account at a service: a trace goes on through it.
const Category = "exchange_account"

func (s *service) tags(a ledger.Address) []ledger.Tag {
	doc := s.named[a.Payload]
	if doc == "" {
		return nil
	}
	return []ledger.Tag{{
		Address: a, Chain: s.chain, Label: s.entity + " account " + a.Payload, Actor: s.entity, Category: Category, Source: "answer of " + s.entity + ", document " + doc,
		Pack: "case", Confidence: answerConfidence,
	}}
}

func (s *service) network() evidence.Network {
	var parts []string
	for _, a := range s.answers {
		parts = append(parts, fmt.Sprintf("account %s from %s to %s, %d rows, document %s", a.Account, a.From.UTC().Format(time.RFC3339), a.To.UTC().Format(time.RFC3339), len(a.Rows), a.Document))
	}
	return evidence.Network{
		Network: string(s.chain), Model: "account", Coverage: "PARTIAL", Export: true,
		Detail: "what " + s.entity + " disclosed: " + strings.Join(parts, "; "),
	}
}
