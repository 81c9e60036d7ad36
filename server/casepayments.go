package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// AddPayments looks every payment up before any is added.
func (s *caseService) AddPayments(ctx context.Context, m *spoorv1.AddPaymentsRequest) (*spoorv1.AddPaymentsResponse, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	rows, answer, err := readRows(m)
	if err != nil {
		return nil, err
	}
	c, err := s.cases.Get(who, id)
	if err != nil {
		return nil, err
	}
	v, err := s.data.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	in := &intakeOfPayments{view: v, answer: answer, held: heldPayments(c)}
	if c.Asked(m.GetRequestId()) { // the answer to it was lost: nothing is added twice
		in.held = map[paymentKey]string{}
	}
	for _, r := range rows {
		if err := in.row(ctx, r); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(answer.Problems, func(a, b *spoorv1.PaymentProblem) int { return int(a.GetLine()) - int(b.GetLine()) })
	refused := slices.ContainsFunc(answer.GetProblems(), (*spoorv1.PaymentProblem).GetRefused)
	answer.Added = int32(len(in.taken))
	if m.GetDryRun() || len(in.taken) == 0 || refused && !m.GetSkipRefused() {
		if !m.GetDryRun() {
			answer.Added = 0
		}
		answer.Case = caseMessage(c)
		return answer, nil
	}
	if answer.Case, err = caseAnswer(s.cases.AddPayments(who, id, m.GetRequestId(), in.taken)); err != nil {
		return nil, err
	}
	return answer, s.changed(ctx, who.Tenant, answer.GetCase().GetName())
}

// reported is a row with what its REF says, where it has one.
type reported struct {
	cases.Row
	ref   string // empty: of a spreadsheet
	coins string // amount as a user wrote it
	asset string // as a user wrote it
}

// field is what an error is about, as the row calls it.
func (r reported) field(err error) string {
	var invalid *ledger.InvalidError
	if errors.As(err, &invalid) && (invalid.Field == "amount" || invalid.Field == "asset") {
		return invalid.Field
	}
	if r.ref != "" {
		return "ref"
	}
	return "tx"
}

// readRows reads the spreadsheet and the single payments of a request.
func readRows(m *spoorv1.AddPaymentsRequest) (rows []reported, answer *spoorv1.AddPaymentsResponse, err error) {
	answer = &spoorv1.AddPaymentsResponse{}
	if len(m.GetFile()) == 0 && len(m.GetRows()) == 0 {
		return nil, nil, ledger.Invalid("rows", "a file or at least one payment", "neither")
	}
	if len(m.GetFile()) > 0 {
		o, err := sheetOptions(m.GetOptions())
		if err != nil {
			return nil, nil, err
		}
		sheet, err := cases.ReadPayments(bytes.NewReader(m.GetFile()), o)
		if err != nil {
			return nil, nil, err
		}
		for _, p := range sheet.Problems {
			answer.Problems = append(answer.Problems, &spoorv1.PaymentProblem{Line: int32(p.Line), Field: p.Column, Message: p.Error(), Refused: p.Refuses})
		}
		for _, r := range sheet.Rows {
			rows = append(rows, reported{Row: r})
		}
	}
	for i, r := range m.GetRows() {
		status := cases.Suspected
		if r.GetStatus() != "" {
			status = cases.Status(r.GetStatus())
		}
		if status != cases.Suspected && status != cases.Confirmed {
			return nil, nil, ledger.Invalid("status", "suspected or confirmed", r.GetStatus())
		}
		rows = append(rows, reported{
			Row: cases.Row{Line: i + 1, ReportRef: r.GetReportRef(), Victim: r.GetVictim(), Status: status, BankLeg: r.GetBankLeg(), Note: r.GetNote()},
			ref: r.GetRef(), coins: r.GetAmount(), asset: r.GetAsset(),
		})
	}
	return rows, answer, nil
}

func sheetOptions(m *spoorv1.SheetOptions) (o cases.SheetOptions, err error) {
	o.Encoding, o.DateOrder = m.GetEncoding(), m.GetDateOrder()
	if m.GetZone() != "" {
		if o.Zone, err = time.LoadLocation(m.GetZone()); err != nil {
			return o, ledger.Invalid("zone", "a zone such as Asia/Bangkok", m.GetZone())
		}
	}
	if m.GetMapping() != "" {
		o.Mapping, err = cases.ReadMapping(strings.NewReader(m.GetMapping()))
	}
	return o, err
}

// paymentKey is a transfer.
type paymentKey struct {
	chain ledger.Chain
	tx    ledger.TxID
	index string
}

// heldPayments are the transfers that a case has already, by the payment that
// each is.
func heldPayments(c cases.Case) map[paymentKey]string {
	held := map[paymentKey]string{}
	for _, p := range c.Payments {
		if id, err := ledger.ParseTxID(p.Tx); err == nil && p.Withdrawn == "" {
			held[paymentKey{p.Network, id, p.Index}] = p.ID + " of " + p.Victim
		}
	}
	return held
}

// intakeOfPayments looks rows up and says what is wrong with them.
type intakeOfPayments struct {
	view   *view
	answer *spoorv1.AddPaymentsResponse
	held   map[paymentKey]string
	taken  []cases.Row
}

func (in *intakeOfPayments) problem(r reported, field string, refused bool, candidates []string, format string, args ...any) {
	in.answer.Problems = append(in.answer.Problems, &spoorv1.PaymentProblem{
		Line: int32(r.Line), Field: field, Message: fmt.Sprintf(format, args...), Refused: refused, Candidates: candidates,
	})
}

// row finds one payment. Only an error of the index ends the whole.
func (in *intakeOfPayments) row(ctx context.Context, r reported) error {
	if r.ref == "" && r.NeedsCandidates() {
		found, err := in.candidates(ctx, r.Row)
		if err != nil {
			return err
		}
		in.problem(r, "tx", true, found, "%s", lookedFor(r.Row, len(found)))
		return nil
	}
	s, err := in.seed(ctx, r)
	var ambiguous *tracer.AmbiguousError
	switch {
	case errors.As(err, &ambiguous):
		in.problem(r, "index", true, refsOf(ambiguous.Candidates), "the transaction moves several; say which")
		return nil
	case err != nil && isRefusal(err):
		in.problem(r, r.field(err), true, nil, "%s", err)
		return nil
	case err != nil:
		return err
	}
	key := paymentKey{s.Chain, s.Tx, tracer.IndexText(s.Chain, s.Kind, s.Index)}
	if other, twice := in.held[key]; twice {
		in.problem(r, r.field(nil), true, nil, "the same transfer is %s already", other)
		return nil
	}
	in.held[key] = fmt.Sprintf("line %d", r.Line)
	in.take(r, s)
	return nil
}

// seed resolves a row and lays the reported amount over what was paid.
func (in *intakeOfPayments) seed(ctx context.Context, r reported) (s tracer.Seed, err error) {
	text := r.ref
	if text == "" {
		text = string(r.Network) + ":" + r.Tx
		switch {
		case r.Index != "":
			text += ":" + r.Index
		case r.To != "":
			text += ":" + r.To
		}
	}
	ref, err := parseRef(text)
	if err != nil {
		return s, err
	}
	chains := in.view.Chains()
	asset, err := in.view.parseAsset(ctx, ref, chains, first(r.asset, assetWord(r.Asset)))
	if err != nil {
		return s, err
	}
	found, err := tracer.Resolve(ctx, in.view, chains, ref, asset)
	if err != nil {
		return s, err
	}
	if len(found) > 1 {
		return s, &tracer.AmbiguousError{Ref: text, Candidates: found}
	}
	s = found[0]
	return s, in.amount(r, &s)
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// amount takes what the victim reported, and says where it differs from what
// was paid.
func (in *intakeOfPayments) amount(r reported, s *tracer.Seed) error {
	info, err := in.view.info(s.Asset)
	if err != nil {
		return err
	}
	if r.coins != "" {
		s.Amount, err = partOf(s.Amount, r.coins, info)
		return err
	}
	if r.Amount == "" {
		return nil
	}
	lost, err := ledger.ParseAmount(r.Amount)
	if err != nil {
		return err
	}
	if s.Amount.Less(lost) {
		return ledger.Invalid("amount", "at most what was paid, "+s.Amount.Coins(info.Decimals)+" "+info.Symbol, lost.Coins(info.Decimals))
	}
	if lost.Less(s.Amount) {
		in.problem(r, "amount", false, nil, "the transfer moved %s %s; the victim's part is taken as reported, %s", s.Amount.Coins(info.Decimals), info.Symbol, lost.Coins(info.Decimals))
	}
	s.Amount = lost
	return nil
}

// take keeps a row with what the index says of it.
func (in *intakeOfPayments) take(r reported, s tracer.Seed) {
	row := r.Row
	if at := timeOfMillis(s.Time); !row.Time.IsZero() && row.Time.Sub(at).Abs() > 24*time.Hour {
		in.problem(r, "time", false, nil, "reported at %s, the block is of %s", row.Time.Format(time.RFC3339), at.Format(time.RFC3339))
	}
	row.Network, row.Tx, row.TxSuffix, row.Index = s.Chain, s.Tx.String(), "", tracer.IndexText(s.Chain, s.Kind, s.Index)
	row.To, row.Amount, row.Asset = s.Address.String(), s.Amount.String(), s.Asset.String()
	row.Time, row.Precision = timeOfMillis(s.Time), cases.ToSecond
	in.taken = append(in.taken, row)
}

func timeOfMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC().Truncate(time.Second) }

func refsOf(seeds []tracer.Seed) []string {
	var refs []string
	for _, s := range seeds[:min(len(seeds), maxListed)] {
		refs = append(refs, fmt.Sprintf("%s (%s of %s to %s)", s.Ref, s.Amount, s.Asset, s.Address))
	}
	return refs
}

// lookedFor says what the candidates of a row are.
func lookedFor(r cases.Row, found int) string {
	switch {
	case found > 0:
		return fmt.Sprintf("no whole transaction hash; %d payments fit: name one", found)
	case r.Tx != "":
		return fmt.Sprintf("no transaction of the index begins with %s", r.Tx)
	}
	return "no transaction hash, and no payment that fits: want to_address, amount and time"
}

// What is looked at for a row without a whole hash.
const (
	maxCandidates = 10
	maxLooked     = 10_000 // transactions whose hash begins alike
)

// candidates are the payments that a row without a whole hash may mean.
func (in *intakeOfPayments) candidates(ctx context.Context, r cases.Row) ([]string, error) {
	if r.Tx != "" {
		return in.byPrefix(ctx, r)
	}
	to, err := ledger.ParseAddress(r.Network, r.To)
	if err != nil || r.Amount == "" || r.Time.IsZero() {
		return nil, nil //nolint:nilerr // what cannot be looked for has no candidates
	}
	asset, err := in.view.parseAsset(ctx, tracer.Ref{Chain: r.Network}, in.view.Chains(), assetWord(r.Asset))
	if err != nil || asset == nil {
		return nil, nil //nolint:nilerr // the same
	}
	q := &search{
		ctx: ctx, view: in.view, address: to, text: r.Amount + "u", around: r.Time.UnixMilli(), within: findWithin.Milliseconds(), tolerance: findTolerance,
	}
	if err := q.look(*asset, true); err != nil {
		return nil, err
	}
	return q.candidates(maxCandidates), nil
}

func (in *intakeOfPayments) byPrefix(ctx context.Context, r cases.Row) (refs []string, err error) {
	ids, err := in.view.FindPrefix(ctx, r.Network, r.Tx, maxLooked)
	if err != nil && isRefusal(err) {
		return nil, nil
	}
	for _, id := range ids {
		if strings.HasSuffix(id.String(), r.TxSuffix) && len(refs) < maxCandidates {
			refs = append(refs, string(r.Network)+":"+hashText(r.Network, id))
		}
	}
	return refs, err
}
