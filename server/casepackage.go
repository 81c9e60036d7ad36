package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/bag"
	"github.com/spoortrace/spoor/evidence/pack"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// GetHoldings traces a case and says where the money is now.
func (s *caseService) GetHoldings(ctx context.Context, m *spoorv1.GetHoldingsRequest) (*spoorv1.Holdings, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	release, err := s.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	f, d, err := s.traced(ctx, who, id, filePins{asOf: m.GetAsOf()})
	if err != nil {
		return nil, err
	}
	defer f.close()
	return s.holdings(ctx, who, id, f, d)
}

// traced opens a case and traces it; the caller closes the file.
func (s *caseService) traced(ctx context.Context, who cases.Actor, id cases.ID, pins filePins) (*caseFile, *evidence.Dossier, error) {
	f, err := s.data.openCaseFile(ctx, s.cases, who, id, pins)
	if err != nil {
		return nil, nil, err
	}
	d, err := f.dossier(ctx, dossierOptions{author: who.Name, software: s.software})
	if err != nil {
		f.close()
		return nil, nil, err
	}
	return f, d, nil
}

// holdings is the board of a case that was traced.
func (s *caseService) holdings(ctx context.Context, who cases.Actor, id cases.ID, f *caseFile, d *evidence.Dossier) (*spoorv1.Holdings, error) {
	answer, err := f.board(d)
	if err != nil {
		return nil, err
	}
	answer.Name = "cases/" + string(id)
	if answer.AsOf, err = f.pinned(ctx); err != nil {
		return nil, err
	}
	answer.Elsewhere = s.elsewhere(who, id, d)
	return answer, nil
}

// board converts the seizure table.
func (f *caseFile) board(d *evidence.Dossier) (*spoorv1.Holdings, error) {
	assets := map[string]*spoorv1.Asset{}
	for _, a := range d.Cover.Assets {
		one, err := packAsset(a)
		if err != nil {
			return nil, err
		}
		assets[a.Asset] = one
	}
	names := map[string]string{}
	for _, e := range d.Entities {
		names[e.ID] = e.Name
	}
	answer := &spoorv1.Holdings{Warnings: d.Cover.Warnings}
	for _, h := range d.Holdings {
		one := &spoorv1.Holding{
			Id: h.ID, Address: h.Address, Asset: assets[h.Asset], Holder: h.Holder, FreezableBy: h.FreezableBy, Reasons: h.Reasons, Traced: h.Traced,
			Low: h.Low, High: h.High, BalanceNow: h.BalanceNow, Unexplained: h.Unexplained, Missing: h.Missing, Recoverable: h.Recoverable,
			FirstSeen: timestamppb.New(h.FirstSeen), LastSeen: timestamppb.New(h.LastSeen), Minutes: h.Minutes, Via: h.Via, Entity: names[h.Entity],
			Account: h.Account, Seized: h.Seized, Usd: h.USD, UsdSource: h.USDSource,
		}
		for _, v := range h.Victims {
			one.Victims = append(one.Victims, &spoorv1.VictimShare{Victim: v.Victim, Amount: v.Amount})
		}
		answer.Holdings = append(answer.Holdings, one)
	}
	for _, a := range d.Shares {
		answer.Restitution = append(answer.Restitution, &spoorv1.Award{Victim: a.Victim, Asset: assets[a.Asset], Lost: a.Lost, Traced: a.Traced, Allocated: a.Allocated})
	}
	return answer, f.reconcile(d, answer)
}

func packAsset(a evidence.Asset) (*spoorv1.Asset, error) {
	asset, err := evidence.ParseAsset(a.Asset)
	if err != nil {
		return nil, err
	}
	return assetMessage(ledger.AssetInfo{Asset: asset, Symbol: a.Symbol, Decimals: a.Decimals}), nil
}

// elsewhere finds the holders of this case among the addresses that other cases
// of the tenant name: the payees of their payments and what was seized in them.
func (s *caseService) elsewhere(who cases.Actor, id cases.ID, d *evidence.Dossier) []*spoorv1.Deconfliction {
	touched := map[string]bool{}
	for _, r := range d.Ledger {
		touched[r.Network+":"+r.To] = true
	}
	mine := map[cases.ID]bool{}
	for _, c := range s.cases.List(who) {
		mine[c.ID] = true
	}
	var found []*spoorv1.Deconfliction
	for _, other := range s.cases.Others(who.Tenant, id) {
		for _, a := range other.Addresses {
			if !touched[a] {
				continue
			}
			one := &spoorv1.Deconfliction{Address: a, Authority: other.Authority}
			if mine[other.ID] {
				one.Case = "cases/" + string(other.ID)
			}
			found = append(found, one)
		}
	}
	return found
}

// chunk is how much of a package goes into one message.
const chunk = 256 << 10

// BuildPackage makes a package in a file of its own, records it, and streams it.
func (s *caseService) BuildPackage(m *spoorv1.BuildPackageRequest, stream grpc.ServerStreamingServer[spoorv1.BuildPackageResponse]) (err error) {
	ctx := stream.Context()
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return err
	}
	if err := s.cases.May(who, id, &cases.Package{}); err != nil {
		return err
	}
	release, err := s.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	file, err := nameless()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum, err := s.recorded(ctx, who, id, m, file)
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return sendFile(file, sum, stream.Send)
}

// recorded builds a package and records it. One that was recorded under the same
// request is built again of its pins.
func (s *caseService) recorded(ctx context.Context, who cases.Actor, id cases.ID, m *spoorv1.BuildPackageRequest, to io.Writer) (*spoorv1.PackageSum, error) {
	before, again, err := s.cases.Requested(who, id, m.GetRequestId())
	if err != nil {
		return nil, err
	}
	if again {
		m = pinnedTo(m, before)
	}
	sum, err := s.build(ctx, who, id, m, to)
	if err != nil {
		return nil, err
	}
	if again {
		if sum.GetSha256() != before.SHA256 {
			return nil, fmt.Errorf("the package %s cannot be made again: the index, the program or the letters are no longer the same: %w", before.SHA256, ledger.ErrPrecondition)
		}
		return sum, nil
	}
	pins := sum.GetPins()
	_, err = s.cases.Add(who, id, m.GetRequestId(), &cases.Package{
		SHA256: sum.GetSha256(), Redaction: pins.GetRedaction(), Supersedes: pins.GetSupersedes(),
		Pins: cases.Pins{
			AsOf: pins.GetAsOf(), AskedAsOf: m.GetAsOf(), LabelSequence: pins.GetLabelSequence(), CustodySize: pins.GetCustodySize(),
			Author: pins.GetAuthor(), Demonstration: pins.GetDemonstration(), Subject: pins.GetSubject(),
		},
	})
	return sum, err
}

// pinnedTo asks for a package that was made before.
func pinnedTo(m *spoorv1.BuildPackageRequest, p cases.Package) *spoorv1.BuildPackageRequest {
	m = proto.CloneOf(m)
	m.Redaction, m.Supersedes, m.Subject = p.Redaction, p.Supersedes, p.Pins.Subject
	m.AsOf, m.LabelSequence, m.CustodySize = p.Pins.AsOf, p.Pins.LabelSequence, p.Pins.CustodySize
	m.Author, m.Demonstration = p.Pins.Author, p.Pins.Demonstration
	return m
}

// changes are the figures that differ from the package whose place one takes: that
// one is traced again as of its pins.
func (s *caseService) changes(ctx context.Context, who cases.Actor, f *caseFile, d *evidence.Dossier, hash string) ([]string, error) {
	if hash == "" {
		return nil, nil
	}
	at := slices.IndexFunc(f.frozen.Case.Packages, func(p cases.Package) bool { return p.SHA256 == hash })
	if at < 0 || f.frozen.Case.Packages[at].Pins.AsOf == "" {
		return []string{"the package before was made elsewhere, or by an older program: its figures were not compared"}, nil
	}
	p := f.frozen.Case.Packages[at].Pins
	before, err := s.data.openCaseFile(ctx, s.cases, who, f.frozen.Case.ID, filePins{asOf: p.AsOf, labelSequence: p.LabelSequence, custody: p.CustodySize, again: true})
	if err != nil {
		return nil, fmt.Errorf("the package before, as of %s: %w", p.AsOf, err)
	}
	defer before.close()
	old, err := before.dossier(ctx, dossierOptions{})
	if err != nil {
		return nil, fmt.Errorf("the package before, as of %s: %w", p.AsOf, err)
	}
	return evidence.Changes(old, d), nil
}

func sendFile(file io.Reader, sum *spoorv1.PackageSum, send func(*spoorv1.BuildPackageResponse) error) error {
	buffer := make([]byte, chunk)
	for {
		n, err := io.ReadFull(file, buffer)
		if n > 0 {
			if err := send(&spoorv1.BuildPackageResponse{Chunk: buffer[:n]}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return send(&spoorv1.BuildPackageResponse{Sum: sum})
		}
		if err != nil {
			return err
		}
	}
}

// build writes the package of a case.
func (s *caseService) build(ctx context.Context, who cases.Actor, id cases.ID, m *spoorv1.BuildPackageRequest, to io.Writer) (*spoorv1.PackageSum, error) {
	level := evidence.ForCourt
	if m.GetRedaction() != "" {
		var err error
		if level, err = evidence.ParseLevel(m.GetRedaction()); err != nil {
			return nil, err
		}
	}
	pins := filePins{asOf: m.GetAsOf(), labelSequence: m.GetLabelSequence(), custody: m.GetCustodySize()}
	f, err := s.data.openCaseFile(ctx, s.cases, who, id, pins)
	if err != nil {
		return nil, err
	}
	defer f.close()
	fixed, err := f.fix(ctx, m, level, who)
	if err != nil {
		return nil, err
	}
	program := ""
	if s.program != nil {
		if program, err = s.program(); err != nil {
			return nil, err
		}
	}
	d, err := f.dossier(ctx, dossierOptions{
		program: program,
		author:  fixed.GetAuthor(), software: s.software, demonstration: m.GetDemonstration(), supersedes: m.GetSupersedes(), command: commandOf(fixed),
	})
	if err != nil {
		return nil, err
	}
	if d.Cover.Changes, err = s.changes(ctx, who, f, d, m.GetSupersedes()); err != nil {
		return nil, err
	}
	if d.Requests, err = letters(d, m.GetContacts(), m.GetAgency(), m.GetTemplates(), "", ""); err != nil {
		return nil, err
	}
	sum, err := writePackage(to, d, level, m.GetSubject())
	if err != nil {
		return nil, err
	}
	answer := &spoorv1.PackageSum{FileName: pack.Name(d.Redact(level, "")), Sha256: sum.SHA256, Root: sum.Root, Size: sum.Size, Pins: fixed}
	for _, r := range d.Ledger {
		switch r.Grade {
		case ledger.GradeProven.String():
			answer.Proven++
		case ledger.GradeAttested.String():
			answer.Attested++
		default:
			answer.Inferred++
		}
	}
	return answer, nil
}

// fix is the request with everything that was left open filled in.
func (f *caseFile) fix(ctx context.Context, m *spoorv1.BuildPackageRequest, level evidence.Level, who cases.Actor) (*spoorv1.BuildPackageRequest, error) {
	fixed := proto.CloneOf(m)
	var err error
	if fixed.AsOf, err = f.pinned(ctx); err != nil {
		return nil, err
	}
	fixed.Name, fixed.Redaction = "cases/"+string(f.frozen.Case.ID), string(level)
	fixed.LabelSequence, fixed.CustodySize = f.view.labelSequence(), uint64(len(f.frozen.Custody.Entries))
	fixed.Author, fixed.RequestId, fixed.Contacts, fixed.Agency, fixed.Templates = first(m.GetAuthor(), who.Name), "", "", "", nil
	return fixed, nil
}

// commandOf is how the full package is made again. It is the same at every
// level, so that a redacted package can be derived.
func commandOf(fixed *spoorv1.BuildPackageRequest) []string {
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	return []string{
		"spoor", "case", "package", fixed.GetName()[len("cases/"):], "--as-of", fixed.GetAsOf(), "--label-sequence", number(fixed.GetLabelSequence()),
		"--custody-size", number(fixed.GetCustodySize()),
	}
}

// writePackage writes the full dossier, or what is derived of it.
func writePackage(to io.Writer, d *evidence.Dossier, level evidence.Level, subject string) (bag.Sum, error) {
	out := bufio.NewWriterSize(to, chunk)
	var full []byte
	if level != evidence.ForCourt {
		var err error
		if full, err = pack.Manifest(d); err != nil {
			return bag.Sum{}, err
		}
		d = d.Redact(level, subject)
	}
	sum, err := pack.Write(out, d, full)
	return sum, errors.Join(err, out.Flush())
}
