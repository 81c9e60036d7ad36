package server

import (
	"context"
	"strings"
	"time"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/letter"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// RecordSeizure records a seizure.
func (s *caseService) RecordSeizure(ctx context.Context, m *spoorv1.RecordSeizureRequest) (*spoorv1.Case, error) {
	z := m.GetSeizure()
	if a, err := ledger.ParseAmount(z.GetAmount()); err != nil || a.IsZero() {
		return nil, ledger.Invalid("seizure.amount", "base units, a decimal number above 0", z.GetAmount())
	}
	address, err := holderName("seizure.address", z.GetAddress())
	if err != nil {
		return nil, err
	}
	asset, err := evidence.ParseAsset(z.GetAsset())
	if err != nil {
		return nil, renamed(err, "seizure.asset")
	}
	return s.record(ctx, m.GetName(), m.GetRequestId(), &cases.Seizure{
		Address: address, Asset: asset.String(), Amount: z.GetAmount(), Tx: z.GetTx(), Authority: z.GetAuthority(), Executed: z.GetExecuteTime().AsTime(),
	})
}

// holderName brings NETWORK:ADDRESS or ENTITY:ACCOUNT to the form that holdings have.
func holderName(field, text string) (string, error) {
	name, account, ok := strings.Cut(text, ":")
	if _, err := ledger.ParseChain(name); err == nil {
		a, err := ledger.ParseQualified(text)
		return a.Qualified(), renamed(err, field)
	}
	c, err := ledger.ServiceChain(name)
	if err == nil && ok {
		_, err = ledger.ParseAddress(c, account)
	}
	if err != nil || !ok {
		return "", ledger.Invalid(field, "NETWORK:ADDRESS, or ENTITY:ACCOUNT with the id of the service", text)
	}
	return text, nil
}

// RecordRequest records a letter.
func (s *caseService) RecordRequest(ctx context.Context, m *spoorv1.RecordRequestRequest) (*spoorv1.Case, error) {
	sent := time.Now().UTC()
	if m.GetSendTime() != nil {
		sent = m.GetSendTime().AsTime()
	}
	var accounts []string
	for _, text := range m.GetAccounts() {
		a, err := holderName("accounts", text)
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, a)
	}
	return s.record(ctx, m.GetName(), m.GetRequestId(), &cases.Request{
		To: m.GetTo(), Reference: m.GetReference(), Letter: m.GetLetterSha256(), Accounts: accounts, Sent: sent,
	})
}

// ListRequests is the register of a case.
func (s *caseService) ListRequests(ctx context.Context, m *spoorv1.ListRequestsRequest) (*spoorv1.ListRequestsResponse, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	c, err := s.cases.Get(who, id)
	if err != nil {
		return nil, err
	}
	all, err := letter.Register(c, time.Now(), letter.Notice)
	if err != nil {
		return nil, err
	}
	answer := &spoorv1.ListRequestsResponse{}
	for _, e := range all {
		one := &spoorv1.RequestEntry{
			Id: e.Request, To: e.To, Reference: e.Reference, Accounts: e.Accounts, State: string(e.State), SendTime: instant(e.Sent), AnswerTime: instant(e.Answered),
		}
		for _, h := range e.Holds {
			one.Holds = append(one.Holds, &spoorv1.RequestHold{Asset: h.Asset, Amount: h.Amount.String(), Until: instant(h.Until), State: string(h.State)})
		}
		answer.Requests = append(answer.Requests, one)
	}
	return answer, nil
}

// reconcile lays the executed seizures of a case beside its board.
func (f *caseFile) reconcile(d *evidence.Dossier, board *spoorv1.Holdings) error {
	rows, unmatched, err := letter.Reconcile(d.Holdings, f.frozen.Case.Seizures)
	if err != nil {
		return err
	}
	for i, r := range rows {
		if !r.Seized.IsZero() {
			board.Holdings[i].Left = r.Left.String()
		}
		if !r.Beyond.IsZero() {
			board.Holdings[i].Beyond = r.Beyond.String()
		}
	}
	for _, z := range unmatched {
		board.Unmatched = append(board.Unmatched, seizureMessage(z))
	}
	return nil
}
