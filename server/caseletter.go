package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/disclosed"
	"github.com/spoortrace/spoor/evidence/letter"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// letters writes the letters of a dossier.
func letters(d *evidence.Dossier, contacts, agency string, templates map[string]string, address, pack string) ([]evidence.Request, error) {
	o := letter.Options{Templates: templates, Address: address, Package: pack}
	var err error
	if contacts != "" {
		if o.Contacts, err = letter.ReadContacts(contacts); err != nil {
			return nil, err
		}
	}
	if agency != "" {
		if o.Agency, err = letter.ReadAgency(agency); err != nil {
			return nil, err
		}
	}
	return letter.Write(d, o)
}

// WriteLetters writes letters without a package.
func (s *caseService) WriteLetters(ctx context.Context, m *spoorv1.WriteLettersRequest) (*spoorv1.WriteLettersResponse, error) {
	if (m.GetName() == "") == (len(m.GetRefs()) == 0) {
		return nil, ledger.Invalid("refs", "payments, or the name of a case", "both or neither")
	}
	if m.GetAddress() != "" {
		a, err := ledger.ParseQualified(m.GetAddress())
		if err != nil {
			return nil, err
		}
		m.Address = a.Qualified()
	}
	release, err := s.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	f, err := s.lettersOf(ctx, m)
	if err != nil {
		return nil, err
	}
	defer f.close()
	if p := m.GetPackage(); p != "" && !slices.ContainsFunc(f.frozen.Case.Packages, func(x cases.Package) bool { return x.SHA256 == p }) {
		return nil, ledger.Invalid("package", "the SHA-256 of a package of the case", p)
	}
	d, err := f.dossier(ctx, dossierOptions{author: Principal(ctx).Name, software: s.software})
	if err != nil {
		return nil, err
	}
	all, err := letters(d, m.GetContacts(), m.GetAgency(), m.GetTemplates(), m.GetAddress(), m.GetPackage())
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("nothing of it is where somebody could stop it (%d holdings): %w", len(d.Holdings), ledger.ErrPrecondition)
	}
	answer := &spoorv1.WriteLettersResponse{}
	for _, r := range all {
		sum := sha256.Sum256([]byte(r.Text))
		answer.Letters = append(answer.Letters, &spoorv1.Letter{Id: r.ID, Kind: r.Kind, To: r.To, Holdings: r.Holdings, Text: r.Text, Sha256: hex.EncodeToString(sum[:])})
	}
	return answer, nil
}

// lettersOf opens the case, or makes one of the payments that are named.
func (s *caseService) lettersOf(ctx context.Context, m *spoorv1.WriteLettersRequest) (*caseFile, error) {
	if m.GetName() != "" {
		who, id, err := s.open(ctx, m.GetName())
		if err != nil {
			return nil, err
		}
		return s.data.openCaseFile(ctx, s.cases, who, id, filePins{asOf: m.GetAsOf()})
	}
	v, err := s.data.view(ctx)
	if err != nil {
		return nil, err
	}
	if v, err = v.cutAt(ctx, m.GetAsOf()); err != nil {
		return nil, err
	}
	f, err := fileOf(ctx, v, m.GetRefs())
	if err != nil {
		v.close()
	}
	return f, err
}

// fileOf is a file of payments without a case: each a victim's of its own, under
// the rules of evidence.
func fileOf(ctx context.Context, v *view, refs []string) (*caseFile, error) {
	base, err := newCaseIndex(v, nil)
	if err != nil {
		return nil, err
	}
	index, err := disclosed.New(ctx, base, nil)
	if err != nil {
		return nil, err
	}
	f := &caseFile{view: v, index: index, frozen: &cases.Frozen{Case: cases.Case{
		ID: "none", Opening: cases.Opening{Number: "none yet"}, Allocation: cases.Traced,
		Policy: cases.Policies{UTXO: cases.Policy{Name: "fifo", Reason: "default for evidence"}, Account: cases.Policy{Name: "libr", Reason: "default for evidence"}},
	}}}
	for _, text := range refs {
		ref, err := parseRef(text)
		if err != nil {
			return nil, err
		}
		seeds, err := tracer.Resolve(ctx, v, v.Chains(), ref, nil)
		if err != nil {
			return nil, err
		}
		for _, s := range seeds {
			n := len(f.payments) + 1
			f.payments = append(f.payments, evidence.Traced{Payment: fmt.Sprintf("P-%d", n), Victim: fmt.Sprintf("V-%d", n), Status: string(cases.Suspected), Seed: s})
		}
	}
	return f, nil
}
