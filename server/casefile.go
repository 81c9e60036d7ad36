package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/disclosed"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/prices"
	"github.com/spoortrace/spoor/rates"
	"github.com/spoortrace/spoor/tracer"
)

// caseFile is one case as of one cut-off: what its board, its trace and its
// package are made from.
type caseFile struct {
	view     *view
	frozen   *cases.Frozen
	payments []evidence.Traced
	index    *disclosed.Index
}

func (f *caseFile) close() { f.view.close() }

// filePins fix what a case file is made from; zero values mean now.
type filePins struct {
	asOf          string // a height, a time, or NETWORK=HEIGHT,NETWORK=HEIGHT
	labelSequence uint64
	custody       uint64 // entries of the custody log
	again         bool   // a reading that this goes on from is recorded
}

// openCaseFile reads a case and finds its payments.
func (d *data) openCaseFile(ctx context.Context, all *cases.Store, who cases.Actor, id cases.ID, pins filePins) (*caseFile, error) {
	frozen, err := frozenCase(all, who, id, pins)
	if err != nil {
		return nil, err
	}
	tip, err := d.view(ctx)
	if err != nil {
		return nil, err
	}
	if pins.labelSequence != 0 {
		if tip.tags, err = d.labels.ViewOf(pins.labelSequence, who.Tenant); err != nil {
			tip.close()
			return nil, err
		}
	}
	v, err := tip.cutAt(ctx, pins.asOf)
	if err != nil {
		return nil, err
	}
	return caseFileOn(ctx, v, frozen)
}

// frozenCase reads a case as its pins say.
func frozenCase(all *cases.Store, who cases.Actor, id cases.ID, pins filePins) (_ *cases.Frozen, err error) {
	if pins.custody == 0 {
		if pins.custody, err = all.Size(who, id); err != nil {
			return nil, err
		}
	}
	if pins.again {
		return all.Again(who, id, pins.custody)
	}
	return all.At(who, id, pins.custody)
}

// caseFileOn finds the payments of a case in a view, which it takes over.
func caseFileOn(ctx context.Context, v *view, frozen *cases.Frozen) (*caseFile, error) {
	f := &caseFile{view: v, frozen: frozen}
	if err := f.find(ctx); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// cutAt is until for all networks, with a height for each at will.
func (v *view) cutAt(ctx context.Context, text string) (*view, error) {
	if !strings.Contains(text, "=") {
		return v.until(ctx, v.Chains(), text)
	}
	defer v.close()
	cut := map[ledger.Chain]uint64{}
	for _, part := range strings.Split(text, ",") {
		name, height, _ := strings.Cut(part, "=")
		c, err := ledger.ParseChain(name)
		if err != nil {
			return nil, err
		}
		h, err := strconv.ParseUint(height, 10, 63)
		if err != nil {
			return nil, ledger.Invalid("as_of", "NETWORK=HEIGHT,NETWORK=HEIGHT", text)
		}
		cut[c] = h
	}
	snap, err := v.data.store.Snapshot(ctx, cut)
	if err != nil {
		return nil, err
	}
	return &view{Snapshot: snap, tags: v.tags, without: v.without, data: v.data}, nil
}

// find resolves the payments that are neither withdrawn nor still looked for.
func (f *caseFile) find(ctx context.Context) error {
	base, err := newCaseIndex(f.view, f.frozen.Case.Labels)
	if err != nil {
		return err
	}
	if f.index, err = disclosed.New(ctx, base, answersOf(f.frozen)); err != nil {
		return err
	}
	for _, p := range f.frozen.Case.Payments {
		if p.Withdrawn != "" || p.NeedsCandidates() {
			continue
		}
		s, err := f.seed(ctx, p)
		if err != nil {
			return fmt.Errorf("payment %s: %w", p.ID, err)
		}
		f.payments = append(f.payments, evidence.Traced{Payment: p.ID, Victim: p.Victim, Status: string(p.Status), Seed: s})
	}
	if len(f.payments) == 0 {
		return fmt.Errorf("the case has no payment that can be traced: %w", ledger.ErrPrecondition)
	}
	return nil
}

// paymentRef is a payment as a REF.
func paymentRef(p cases.Payment) string {
	text := string(p.Network) + ":" + p.Tx
	switch {
	case p.Index != "":
		text += ":" + p.Index
	case p.To != "":
		text += ":" + p.To
	}
	return text
}

// seed finds a payment in the index.
func (f *caseFile) seed(ctx context.Context, p cases.Payment) (tracer.Seed, error) {
	text := paymentRef(p)
	ref, err := parseRef(text)
	if err != nil {
		return tracer.Seed{}, err
	}
	chains := f.view.Chains()
	asset, err := f.view.parseAsset(ctx, ref, chains, assetWord(p.Asset))
	if err != nil {
		return tracer.Seed{}, err
	}
	found, err := tracer.Resolve(ctx, f.view, chains, ref, asset)
	if err != nil {
		return tracer.Seed{}, err
	}
	if len(found) != 1 {
		return tracer.Seed{}, fmt.Errorf("%s is %d transfers: %w", text, len(found), ledger.ErrAmbiguous)
	}
	s := found[0]
	if p.Amount == "" {
		return s, nil
	}
	amount, err := ledger.ParseAmount(p.Amount)
	if err != nil {
		return s, err
	}
	if s.Amount.Less(amount) {
		return s, ledger.Invalid("amount", "at most what was paid, "+s.Amount.String(), p.Amount)
	}
	s.Amount = amount
	return s, nil
}

// assetWord is an asset as users write it: a payment has NETWORK:native or
// NETWORK:CONTRACT.
func assetWord(asset string) string {
	_, word, found := strings.Cut(asset, ":")
	if !found {
		return asset
	}
	return word
}

// caseIndex is a view with the labels of one case beside everybody's.
type caseIndex struct {
	*view
	own map[ledger.Address][]ledger.Tag
}

// ownConfidence is that of a label which the case's own investigators gave
// (GraphSense's scale: forensic_investigation).
const ownConfidence = 70

func newCaseIndex(v *view, own []cases.Label) (*caseIndex, error) {
	x := &caseIndex{v, map[ledger.Address][]ledger.Tag{}}
	for _, l := range own {
		a, err := ledger.ParseQualified(l.Address)
		if err != nil {
			return nil, fmt.Errorf("label %q of the case: %w", l.Label, err)
		}
		x.own[a] = append(x.own[a], ledger.Tag{
			Address: a, Chain: a.Chain, Label: l.Label, Category: l.Category, Source: l.Source, Pack: "case", Confidence: ownConfidence,
		})
	}
	return x, nil
}

// Tags implements tracer.Index.
func (x *caseIndex) Tags(ctx context.Context, a ledger.Address) ([]ledger.Tag, error) {
	tags, err := x.view.Tags(ctx, a)
	return append(slices.Clone(tags), x.own[a]...), err
}

// BlockRef implements evidence.Blocks: an export has no blocks.
func (x *caseIndex) BlockRef(ctx context.Context, c ledger.Chain, height uint64) (ledger.BlockRef, error) {
	if x.export(c) {
		return ledger.BlockRef{}, fmt.Errorf("%s is made of exports: %w", c, ledger.ErrNotFound)
	}
	return x.view.BlockRef(ctx, c, height)
}

// dossierOptions are what a package says besides the case.
type dossierOptions struct {
	author        string
	software      string
	demonstration string
	supersedes    string
	command       []string
	program       string
}

// dossier traces the case and writes down what came of it, as the court sees it.
func (f *caseFile) dossier(ctx context.Context, o dossierOptions) (*evidence.Dossier, error) {
	c := f.frozen.Case
	networks, err := f.networks()
	if err != nil {
		return nil, err
	}
	reproduce, err := f.reproduce(ctx, o)
	if err != nil {
		return nil, err
	}
	seizures, err := seizuresOf(c)
	if err != nil {
		return nil, err
	}
	judged := f.policies()
	return evidence.Build(ctx, evidence.Case{
		Cover: evidence.Cover{
			Case: string(c.ID), Number: c.Opening.Number, Title: c.Opening.Title, Authority: c.Opening.Authority, Author: o.author,
			Demonstration: o.demonstration, Redaction: evidence.ForCourt, Supersedes: o.supersedes, Software: o.software,
			LabelSequence: f.view.labelSequence(), RuleVersion: ruleVersion, Networks: networks,
		},
		UTXO: judged.UTXO, Account: judged.Account,
		Allocation: string(c.Allocation), Personal: personalOf(f.frozen), Seizures: seizures, Custody: custodyOf(f.frozen), Reproduce: reproduce,
	}, f.payments, f.source())
}

// policies is the case as far as traces depend on it.
func (f *caseFile) policies() evidence.Case {
	p := f.frozen.Case.Policy
	return evidence.Case{
		UTXO: evidence.Policy{Name: p.UTXO.Name, Reason: p.UTXO.Reason}, Account: evidence.Policy{Name: p.Account.Name, Reason: p.Account.Reason},
	}
}

func (f *caseFile) source() evidence.Source {
	v := f.view
	value := func(a ledger.Amount, info ledger.AssetInfo, err error, at int64) (usd, source string, ok bool) {
		if err != nil {
			return "", "", false
		}
		return v.data.prices.Value(a, info, at)
	}
	return evidence.Source{
		Index: f.index, Info: f.info, Rates: rates.Quote, Raw: v.Raw,
		Rank: func(a ledger.Amount, asset ledger.Asset, at int64) (usd, source string, ok bool) {
			info, err := f.info(asset)
			return value(a, sameCoin(info), err, at)
		},
		Worth: func(a ledger.Amount, asset ledger.Asset, at int64) (usd, source string, ok bool) {
			info, err := f.info(asset)
			usd, source, ok = value(a, info, err, at)
			if source == prices.Stablecoin { // a rule of thumb is no price
				return "", "", false
			}
			return usd, source, ok
		},
	}
}

// info knows the assets of services, too.
func (f *caseFile) info(a ledger.Asset) (ledger.AssetInfo, error) {
	if info, ok := f.index.Info(a); ok {
		return info, nil
	}
	return f.view.info(a)
}

// networks says what is held of each network that the payments are on, and of
// every other that money may have crossed to.
func (f *caseFile) networks() ([]evidence.Network, error) {
	var all []evidence.Network
	for _, c := range f.view.Chains() {
		m, err := f.view.networkCoverage(c)
		if errors.Is(err, ledger.ErrNotFound) {
			continue // nothing up to the cut-off
		}
		if err != nil {
			return nil, err
		}
		model := "account"
		if c.UTXO() {
			model = "utxo"
		}
		all = append(all, evidence.Network{
			Network: string(c), Model: model, Coverage: m.GetState(), Detail: m.GetDetail(), Missing: m.GetMissing(), Export: f.view.export(c),
		})
	}
	return append(all, f.index.Networks()...), nil
}

func (f *caseFile) reproduce(ctx context.Context, o dossierOptions) (evidence.Reproduce, error) {
	r := evidence.Reproduce{Command: o.command, Program: o.program, Packs: []evidence.LabelPack{}, Networks: []evidence.Digest{}}
	for _, i := range f.view.data.labels.Imports() {
		if i.Sequence <= f.view.labelSequence() {
			r.Packs = append(r.Packs, evidence.LabelPack{Name: i.Name, SHA256: packHash(i.SHA256)})
		}
	}
	for _, c := range f.view.Chains() {
		ref, err := f.view.AsOf(ctx, c)
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		if err != nil {
			return r, err
		}
		digest, err := f.view.DigestAt(ctx, c, ref.Height)
		if err != nil {
			return r, err
		}
		r.Networks = append(r.Networks, evidence.Digest{Network: string(c), Height: ref.Height, Digest: digest.String()})
	}
	r.Networks = append(r.Networks, f.index.Digests()...)
	return r, nil
}

// pinned is the as-of that gives the same file again.
func (f *caseFile) pinned(ctx context.Context) (string, error) {
	var parts []string
	for _, c := range f.view.Chains() {
		ref, err := f.view.AsOf(ctx, c)
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		if err != nil {
			return "", err
		}
		parts = append(parts, string(c)+"="+strconv.FormatUint(ref.Height, 10))
	}
	return strings.Join(parts, ","), nil
}

func seizuresOf(c cases.Case) ([]evidence.Seizure, error) {
	var all []evidence.Seizure
	for _, s := range c.Seizures {
		amount, err := ledger.ParseAmount(s.Amount)
		if err != nil {
			return nil, err
		}
		all = append(all, evidence.Seizure{Address: s.Address, Asset: s.Asset, Amount: amount})
	}
	return all, nil
}

// personalOf lists the personal facts of a case with their commitments.
func personalOf(f *cases.Frozen) []evidence.Personal {
	all := []evidence.Personal{}
	add := func(subject, field, value string) {
		if value != "" {
			all = append(all, evidence.Commit(subject, field, value, f.Salt(subject, field)))
		}
	}
	for _, p := range f.Persons {
		add(p.Pseudonym, "name", p.Name)
		add(p.Pseudonym, "contact", p.Contact)
		add(p.Pseudonym, "text", p.Text)
	}
	for _, p := range f.Case.Payments {
		add(p.ID, "report_ref", p.ReportRef)
		add(p.ID, "bank_leg", f.Remarks[p.ID].BankLeg)
		add(p.ID, "note", f.Remarks[p.ID].Note)
	}
	for i, text := range f.Notes {
		add("N-"+strconv.Itoa(i+1), "note", text)
	}
	return all
}

func custodyOf(f *cases.Frozen) evidence.Custody {
	c := evidence.Custody{
		Origin: f.Custody.Origin, Key: f.Custody.Key, Checkpoint: string(f.Custody.Checkpoint), Size: uint64(len(f.Custody.Entries)),
		Entries: []evidence.CustodyEntry{},
	}
	for i, body := range f.Custody.Entries {
		c.Entries = append(c.Entries, evidence.CustodyEntry{Number: uint64(i + 1), Body: body})
	}
	return c
}

// packHash prints the hash of a label file; nothing for what came without one.
func packHash(h [32]byte) string {
	if h == [32]byte{} {
		return ""
	}
	return ledger.Hash(h).String()
}
