package server

import (
	"bytes"
	"context"
	"slices"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence/disclosed"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// ImportReturn takes a service's answer in. All of it has to be readable; what
// cannot be joined to its transaction is said and taken.
func (s *caseService) ImportReturn(ctx context.Context, m *spoorv1.ImportReturnRequest) (*spoorv1.ImportReturnResponse, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	r := cases.Return{Entity: m.GetEntity(), Account: m.GetAccount(), From: m.GetFrom().AsTime(), To: m.GetTo().AsTime(), Replaces: m.GetReplaces()}
	sheet, answer, err := readReturn(m, r)
	if err != nil {
		return nil, err
	}
	answer.Rows = int32(len(sheet.Rows))
	unjoined, err := s.unjoined(ctx, disclosed.Answer{Return: r, Rows: sheet.Rows})
	if err != nil {
		return nil, err
	}
	answer.Problems = append(answer.Problems, unjoined...)
	slices.SortStableFunc(answer.Problems, func(a, b *spoorv1.PaymentProblem) int { return int(a.GetLine()) - int(b.GetLine()) })
	refused := slices.ContainsFunc(answer.GetProblems(), (*spoorv1.PaymentProblem).GetRefused)
	if m.GetDryRun() || refused {
		if refused {
			answer.Rows = 0
		}
		answer.Case, err = caseAnswer(s.cases.Get(who, id))
		return answer, err
	}
	file := cases.File{Name: first(m.GetFileName(), "answer"), Content: m.GetFile()}
	answer.Case, err = caseAnswer(s.cases.ImportReturn(who, id, m.GetRequestId(), r, file, sheet.Rows))
	return answer, err
}

// readReturn reads the file of an answer. A row outside of its time is refused.
func readReturn(m *spoorv1.ImportReturnRequest, r cases.Return) (cases.ReturnSheet, *spoorv1.ImportReturnResponse, error) {
	answer := &spoorv1.ImportReturnResponse{}
	o, err := sheetOptions(m.GetOptions())
	if err != nil {
		return cases.ReturnSheet{}, nil, err
	}
	sheet, err := cases.ReadReturn(bytes.NewReader(m.GetFile()), o)
	if err != nil {
		return sheet, nil, err
	}
	for _, row := range sheet.Rows {
		if row.Time.Before(r.From) || !row.Time.Before(r.To) {
			sheet.Problems = append(sheet.Problems, cases.Problem{
				Line: row.Line, Column: "time", Want: "a time from " + r.From.UTC().Format(stampForm) + " until before " + r.To.UTC().Format(stampForm), Got: row.Time.Format(stampForm), Refuses: true,
			})
		}
	}
	for _, p := range sheet.Problems {
		answer.Problems = append(answer.Problems, &spoorv1.PaymentProblem{Line: int32(p.Line), Field: p.Column, Message: p.Error(), Refused: p.Refuses})
	}
	return sheet, answer, nil
}

// stampForm prints times in messages.
const stampForm = "2006-01-02T15:04:05Z07:00"

// unjoined says which rows stand alone: the trace does not pass through them.
func (s *caseService) unjoined(ctx context.Context, a disclosed.Answer) ([]*spoorv1.PaymentProblem, error) {
	v, err := s.data.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	base, err := newCaseIndex(v, nil)
	if err != nil {
		return nil, err
	}
	idx, err := disclosed.New(ctx, base, []disclosed.Answer{a})
	if err != nil {
		return nil, err
	}
	var all []*spoorv1.PaymentProblem
	for _, p := range idx.Problems() {
		all = append(all, &spoorv1.PaymentProblem{Line: int32(p.Line), Field: "tx", Message: p.Message})
	}
	return all, nil
}

// answersOf are the answers of a case that count.
func answersOf(f *cases.Frozen) []disclosed.Answer {
	var all []disclosed.Answer
	for _, r := range f.Case.Returns {
		if !r.Replaced {
			all = append(all, disclosed.Answer{Return: r, Rows: f.Rows[r.Rows]})
		}
	}
	return all
}

// sameCoin is the coin of a chain that an asset at a service is by its symbol: it
// orders holdings, and prices none.
func sameCoin(info ledger.AssetInfo) ledger.AssetInfo {
	if _, service := info.Asset.Chain.Service(); !service {
		return info
	}
	for _, c := range []ledger.Chain{"tron", "ethereum", "bitcoin"} {
		if a, ok := ledger.AssetBySymbol(c, info.Symbol); ok {
			info.Asset = a
			return info
		}
	}
	return info
}
