package server

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// caseService implements the CaseService.
type caseService struct {
	spoorv1.UnimplementedCaseServiceServer
	data     *data
	cases    *cases.Store // nil: every call is refused
	broken   error        // why
	pages    pager
	software string
	program  func() (string, error)                               // its SHA-256; nil: it is not stated
	slot     func(context.Context) (release func(), err error)    // of the traces that may run at a time
	changed  func(ctx context.Context, tenant, name string) error // tells whoever watches a case, cases/ID, that it has other facts
	asked    func() (release func())                              // keeps sources asked after what is watched
}

// localActor is who works on a data directory without keys.
const localActor = "local"

// actor is the caller as a case knows it.
func (s *caseService) actor(ctx context.Context) (cases.Actor, error) {
	if s.broken != nil {
		return cases.Actor{}, s.broken
	}
	if s.cases == nil {
		return cases.Actor{}, fmt.Errorf("this server keeps no cases: %w", ledger.ErrPrecondition)
	}
	c := Principal(ctx)
	a := cases.Actor{Tenant: c.Tenant, Name: c.Name}
	if a.Name == "" {
		a.Name = localActor
	}
	return a, nil
}

// open reads who calls and which case is meant, by its id or its number. A case
// that the caller is no member of is not there.
func (s *caseService) open(ctx context.Context, name string) (cases.Actor, cases.ID, error) {
	who, err := s.actor(ctx)
	if err != nil {
		return who, "", err
	}
	text, ok := strings.CutPrefix(name, "cases/")
	if !ok {
		return who, "", ledger.Invalid("name", "cases/ID", name)
	}
	all := s.cases.List(who)
	at := slices.IndexFunc(all, func(c cases.Summary) bool { return string(c.ID) == text }) // an id, though another case were numbered like it
	if at < 0 {
		unescaped, _ := url.PathUnescape(text) // a slash comes as %2F in a path
		at = slices.IndexFunc(all, func(c cases.Summary) bool { return c.Number != "" && (c.Number == text || c.Number == unescaped) })
	}
	if at >= 0 {
		return who, all[at].ID, nil
	}
	if text == "" || strings.Contains(text, "..") {
		return who, "", ledger.Invalid("name", "cases/ID", name)
	}
	return who, "", absent("case", "cases/"+text, "there is none that you are a member of")
}

// CreateCase opens a case.
func (s *caseService) CreateCase(ctx context.Context, m *spoorv1.CreateCaseRequest) (*spoorv1.Case, error) {
	who, err := s.actor(ctx)
	if err != nil {
		return nil, err
	}
	policy, err := policiesOf(m.GetUtxoPolicy(), m.GetAccountPolicy())
	if err != nil {
		return nil, err
	}
	allocation := cases.Traced
	if m.GetAllocation() != "" {
		allocation = cases.Allocation(m.GetAllocation())
	}
	return caseAnswer(s.cases.NewOnce(who, m.GetRequestId(), cases.Opening{
		Number: m.GetNumber(), Title: m.GetTitle(), Authority: m.GetAuthority(), Tenant: who.Tenant, Policy: policy, Allocation: allocation,
	}))
}

// policiesOf reads two rules; poison has no amounts to seize by.
func policiesOf(utxo, account *spoorv1.CasePolicy) (p cases.Policies, err error) {
	for _, one := range []struct {
		field string
		in    *spoorv1.CasePolicy
		out   *cases.Policy
	}{{"utxo_policy", utxo, &p.UTXO}, {"account_policy", account, &p.Account}} {
		rule, err := tracer.PolicyByName(one.in.GetPolicy())
		if err != nil {
			return p, renamed(err, one.field)
		}
		if !rule.Conserves {
			return p, ledger.Invalid(one.field, "a rule that divides amounts", rule.Name)
		}
		*one.out = cases.Policy{Name: rule.Name, Reason: one.in.GetReason()}
	}
	return p, nil
}

// caseAnswer converts what the store answered.
func caseAnswer(c cases.Case, err error) (*spoorv1.Case, error) {
	if err != nil {
		return nil, err
	}
	return caseMessage(c), nil
}

// GetCase reads a case.
func (s *caseService) GetCase(ctx context.Context, m *spoorv1.GetCaseRequest) (*spoorv1.Case, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	return caseAnswer(s.cases.Get(who, id))
}

// ListCases lists the caller's cases.
func (s *caseService) ListCases(ctx context.Context, m *spoorv1.ListCasesRequest) (*spoorv1.ListCasesResponse, error) {
	who, err := s.actor(ctx)
	if err != nil {
		return nil, err
	}
	all := s.cases.List(who)
	from := 0
	if m.GetPageToken() != "" {
		cursor, err := s.pages.of(ctx).cursor("cases", m.GetPageToken(), 1)
		if err != nil {
			return nil, err
		}
		from = min(int(cursor[0]), len(all))
	}
	to := min(from+pageSize(m.GetPageSize()), len(all))
	answer := &spoorv1.ListCasesResponse{}
	for _, c := range all[from:to] {
		answer.Cases = append(answer.Cases, &spoorv1.Case{Name: "cases/" + string(c.ID), Number: c.Number, Title: c.Title, OpenTime: timestamppb.New(c.OpenedAt)})
	}
	if to < len(all) {
		answer.NextPageToken = s.pages.of(ctx).token("cases", uint64(to))
	}
	return answer, nil
}

// WithdrawPayment takes a payment out.
func (s *caseService) WithdrawPayment(ctx context.Context, m *spoorv1.WithdrawPaymentRequest) (*spoorv1.Case, error) {
	return s.record(ctx, m.GetName(), "", &cases.Withdrawal{Payment: m.GetPayment(), Reason: m.GetReason()})
}

// record adds a fact to a case.
func (s *caseService) record(ctx context.Context, name, request string, f cases.Fact) (*spoorv1.Case, error) {
	who, id, err := s.open(ctx, name)
	if err != nil {
		return nil, err
	}
	c, err := s.cases.Add(who, id, request, f)
	if err != nil {
		return nil, err
	}
	return caseMessage(c), s.changed(ctx, who.Tenant, "cases/"+string(id))
}

// AddNote keeps a text.
func (s *caseService) AddNote(ctx context.Context, m *spoorv1.AddNoteRequest) (*spoorv1.Case, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	return caseAnswer(s.cases.AddNote(who, id, m.GetRequestId(), m.GetText()))
}

// ListNotes reads the notes.
func (s *caseService) ListNotes(ctx context.Context, m *spoorv1.ListNotesRequest) (*spoorv1.ListNotesResponse, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	notes, err := s.cases.Notes(who, id)
	return &spoorv1.ListNotesResponse{Notes: notes}, err
}

// AddExhibit keeps a file.
func (s *caseService) AddExhibit(ctx context.Context, m *spoorv1.AddExhibitRequest) (*spoorv1.Case, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	return caseAnswer(s.cases.AddExhibit(who, id, m.GetRequestId(), cases.File{Name: m.GetFileName(), Description: m.GetDescription(), Content: m.GetContent()}))
}

// GetExhibit reads a file back.
func (s *caseService) GetExhibit(ctx context.Context, m *spoorv1.GetExhibitRequest) (*spoorv1.Exhibit, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	f, err := s.cases.Exhibit(who, id, m.GetSha256())
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, absent("exhibit", m.GetSha256(), "the case has no exhibit of this hash")
	}
	if err != nil {
		return nil, err
	}
	return &spoorv1.Exhibit{FileName: f.Name, Description: f.Description, Content: f.Content}, nil
}

// SetMember gives a role.
func (s *caseService) SetMember(ctx context.Context, m *spoorv1.SetMemberRequest) (*spoorv1.Case, error) {
	role, err := caseRoleOf(m.GetRole())
	if err != nil {
		return nil, err
	}
	return s.record(ctx, m.GetName(), "", &cases.Member{Name: m.GetMember(), Role: role})
}

// SetPolicy fixes other rules.
func (s *caseService) SetPolicy(ctx context.Context, m *spoorv1.SetPolicyRequest) (*spoorv1.Case, error) {
	policy, err := policiesOf(m.GetUtxoPolicy(), m.GetAccountPolicy())
	if err != nil {
		return nil, err
	}
	return s.record(ctx, m.GetName(), "", &cases.PolicyChange{Policy: policy})
}

// SetAllocation fixes another allocation.
func (s *caseService) SetAllocation(ctx context.Context, m *spoorv1.SetAllocationRequest) (*spoorv1.Case, error) {
	return s.record(ctx, m.GetName(), "", &cases.AllocationChange{Allocation: cases.Allocation(m.GetAllocation()), Reason: m.GetReason()})
}

// AddCaseLabel labels an address for one case.
func (s *caseService) AddCaseLabel(ctx context.Context, m *spoorv1.AddCaseLabelRequest) (*spoorv1.Case, error) {
	l := m.GetLabel()
	a, err := ledger.ParseQualified(l.GetAddress())
	if err != nil {
		return nil, err
	}
	if _, known := labels.ParseCategory(l.GetCategory()); !known && l.GetCategory() != "" {
		return nil, ledger.Invalid("category", "a category such as exchange or scam.romance", l.GetCategory())
	}
	return s.record(ctx, m.GetName(), m.GetRequestId(), &cases.Label{Address: a.Qualified(), Label: l.GetLabel(), Category: l.GetCategory(), Source: l.GetSource()})
}

// ListVictims reads names.
func (s *caseService) ListVictims(ctx context.Context, m *spoorv1.ListVictimsRequest) (*spoorv1.ListVictimsResponse, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	persons, err := s.cases.Persons(who, id)
	answer := &spoorv1.ListVictimsResponse{}
	for _, p := range persons {
		answer.Victims = append(answer.Victims, &spoorv1.Victim{Pseudonym: p.Pseudonym, FullName: p.Name, Contact: p.Contact})
	}
	return answer, err
}

// SetVictim corrects what is known of a person.
func (s *caseService) SetVictim(ctx context.Context, m *spoorv1.SetVictimRequest) (*spoorv1.Case, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	return caseAnswer(s.cases.SetVictim(who, id, m.GetRequestId(), m.GetVictim(), cases.Person{Name: m.GetFullName(), Contact: m.GetContact()}))
}

// RecordAnswer records an answer.
func (s *caseService) RecordAnswer(ctx context.Context, m *spoorv1.RecordAnswerRequest) (*spoorv1.Case, error) {
	a := m.GetAnswer()
	fact := &cases.Answer{
		Request: m.GetRequest(), Reference: a.GetReference(), Text: a.GetText(), Held: a.GetHeld(), Asset: a.GetAsset(), Document: a.GetDocumentSha256(),
	}
	if a.GetHeld() != "" {
		if _, err := ledger.ParseAmount(a.GetHeld()); err != nil {
			return nil, ledger.Invalid("answer.held", "base units, a decimal number", a.GetHeld())
		}
		asset, err := evidence.ParseAsset(a.GetAsset())
		if err != nil {
			return nil, renamed(err, "answer.asset")
		}
		fact.Asset = asset.String()
	}
	if a.GetHoldExpireTime() != nil {
		fact.HoldExpires = a.GetHoldExpireTime().AsTime()
	}
	if a.GetTime() != nil {
		fact.Time = a.GetTime().AsTime()
	}
	return s.record(ctx, m.GetName(), m.GetRequestId(), fact)
}

// EraseCase destroys the key of a case.
func (s *caseService) EraseCase(ctx context.Context, m *spoorv1.EraseCaseRequest) (*spoorv1.Case, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	return caseAnswer(s.cases.Erase(who, id, m.GetReason()))
}

// maxCustody bounds the entries of one answer.
const maxCustody = 1000

// ListCustody lists entries.
func (s *caseService) ListCustody(ctx context.Context, m *spoorv1.ListCustodyRequest) (*spoorv1.ListCustodyResponse, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	answer := &spoorv1.ListCustodyResponse{}
	err = s.cases.Log(who, id, func(e cases.Entry) error {
		answer.Size = e.Sequence
		if e.Sequence < m.GetFrom() || len(answer.GetEntries()) == maxCustody {
			return nil
		}
		answer.Entries = append(answer.Entries, &spoorv1.CustodyEntry{Number: e.Sequence, Time: timestamppb.New(e.Time), By: e.By, Kind: string(e.Kind), Data: string(e.Data)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	checkpoint, key, err := s.cases.CheckpointAt(who, id, answer.GetSize())
	answer.Checkpoint, answer.PublicKey = string(checkpoint), key
	return answer, err
}

// isRefusal reports an error that says what is wrong with one payment, and
// nothing about this server.
func isRefusal(err error) bool {
	for _, of := range []error{ledger.ErrNotFound, ledger.ErrInvalid, ledger.ErrAmbiguous, ledger.ErrPrecondition, ledger.ErrUnsupportedAsset} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}
