package server

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func caseMessage(c cases.Case) *spoorv1.Case {
	m := &spoorv1.Case{
		Name: "cases/" + string(c.ID), Number: c.Opening.Number, Title: c.Opening.Title, Authority: c.Opening.Authority,
		UtxoPolicy:    &spoorv1.CasePolicy{Policy: c.Policy.UTXO.Name, Reason: c.Policy.UTXO.Reason},
		AccountPolicy: &spoorv1.CasePolicy{Policy: c.Policy.Account.Name, Reason: c.Policy.Account.Reason},
		Allocation:    string(c.Allocation), OpenTime: timestamppb.New(c.OpenedAt), OpenedBy: c.OpenedBy, CustodySize: c.Sequence,
		Notes: int32(len(c.Notes)), Erased: c.Erased, Changed: c.Changed,
	}
	for _, x := range c.Members {
		m.Members = append(m.Members, &spoorv1.CaseMember{Member: x.Name, Role: roleMessage(x.Role)})
	}
	for _, v := range c.Victims {
		m.Victims = append(m.Victims, v.Pseudonym)
	}
	for _, p := range c.Payments {
		m.Payments = append(m.Payments, &spoorv1.CasePayment{
			Id: p.ID, Victim: p.Victim, Status: string(p.Status), Network: string(p.Network), Tx: p.Tx, Index: p.Index, Address: p.To,
			Amount: p.Amount, Asset: p.Asset, Time: instant(p.Time), Withdrawn: p.Withdrawn,
		})
	}
	for _, x := range c.Exhibits {
		m.Exhibits = append(m.Exhibits, x.SHA256)
	}
	for _, l := range c.Labels {
		m.Labels = append(m.Labels, &spoorv1.CaseLabel{Address: l.Address, Label: l.Label, Category: l.Category, Source: l.Source})
	}
	for _, p := range c.Packages {
		m.Packages = append(m.Packages, &spoorv1.CasePackage{
			Sha256: p.SHA256, Redaction: p.Redaction, Supersedes: p.Supersedes, AsOf: p.Pins.AsOf, AskedAsOf: p.Pins.AskedAsOf,
			LabelSequence: p.Pins.LabelSequence, CustodySize: p.Pins.CustodySize, Author: p.Pins.Author, Demonstration: p.Pins.Demonstration, Subject: p.Pins.Subject,
		})
	}
	for _, r := range c.Requests {
		m.Requests = append(m.Requests, caseRequestMessage(r))
	}
	for _, h := range c.Handovers {
		m.Handovers = append(m.Handovers, &spoorv1.CaseHandover{Direction: string(h.Direction), Agency: h.Agency, Sha256: h.SHA256, Size: h.Size})
	}
	for _, r := range c.Returns {
		m.Returns = append(m.Returns, &spoorv1.CaseReturn{
			Entity: r.Entity, Account: r.Account, DocumentSha256: r.Document, Rows: r.Count, From: instant(r.From), To: instant(r.To), Replaced: r.Replaced,
		})
	}
	for _, z := range c.Seizures {
		m.Seizures = append(m.Seizures, seizureMessage(z))
	}
	return m
}

func seizureMessage(z cases.Seizure) *spoorv1.Seizure {
	return &spoorv1.Seizure{Address: z.Address, Asset: z.Asset, Amount: z.Amount, Tx: z.Tx, Authority: z.Authority, ExecuteTime: instant(z.Executed)}
}

func caseRequestMessage(r cases.Request) *spoorv1.CaseRequest {
	m := &spoorv1.CaseRequest{Id: r.ID, To: r.To, Reference: r.Reference, LetterSha256: r.Letter, Accounts: r.Accounts, SendTime: instant(r.Sent)}
	for _, a := range r.Answers {
		m.Answers = append(m.Answers, &spoorv1.CaseAnswer{
			Reference: a.Reference, Text: a.Text, Held: a.Held, Asset: a.Asset, HoldExpireTime: instant(a.HoldExpires), DocumentSha256: a.Document, Time: instant(a.Time),
		})
	}
	return m
}

// instant converts a time; the zero one is absent.
func instant(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func roleMessage(r cases.Role) spoorv1.CaseRole {
	switch r {
	case cases.Owner:
		return spoorv1.CaseRole_CASE_ROLE_OWNER
	case cases.Investigator:
		return spoorv1.CaseRole_CASE_ROLE_INVESTIGATOR
	case cases.Viewer:
		return spoorv1.CaseRole_CASE_ROLE_VIEWER
	case cases.None:
	}
	return spoorv1.CaseRole_CASE_ROLE_UNSPECIFIED
}

func caseRoleOf(r spoorv1.CaseRole) (cases.Role, error) {
	switch r {
	case spoorv1.CaseRole_CASE_ROLE_OWNER:
		return cases.Owner, nil
	case spoorv1.CaseRole_CASE_ROLE_INVESTIGATOR:
		return cases.Investigator, nil
	case spoorv1.CaseRole_CASE_ROLE_VIEWER:
		return cases.Viewer, nil
	case spoorv1.CaseRole_CASE_ROLE_UNSPECIFIED:
		return cases.None, nil
	}
	return "", ledger.Invalid("role", "owner, investigator, viewer, or none", r.String())
}
