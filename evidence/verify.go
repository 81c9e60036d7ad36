package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/spoortrace/spoor/evidence/proof"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Report is what Verify found.
type Report struct {
	Checks                     []Check
	Proven, Attested, Inferred int // rows of the ledger
}

// OK reports that everything holds.
func (r *Report) OK() bool {
	return !slices.ContainsFunc(r.Checks, func(c Check) bool { return !c.OK })
}

// Add records a check; err says that it failed.
func (r *Report) Add(name string, err error, detail string) {
	if err != nil {
		detail = err.Error()
	}
	r.Checks = append(r.Checks, Check{name, err == nil, detail})
}

// Verify traces a dossier again from its own record and compares: payments,
// ledger, results, holdings and restitution must come out the same. It checks
// proofs and grades, commitments and custody, and needs nothing else.
func Verify(ctx context.Context, d *Dossier) *Report {
	r := &Report{}
	again, err := d.rebuild(ctx)
	if err != nil {
		r.Add("the trace runs again from the record", err, "")
	} else {
		r.Add("the trace runs again from the record", nil, fmt.Sprintf("%d policies", len(d.Results)))
		d.compare(r, again)
	}
	r.Add("proofs and grades", d.checkProofs(r), fmt.Sprintf("%d proofs", len(d.Proofs)))
	r.Add("commitments of personal facts", d.checkPersonal(), fmt.Sprintf("%d facts", len(d.Personal)))
	r.Add("custody log", d.Custody.check(d.Cover.Redaction), fmt.Sprintf("%d entries", d.Custody.Size))
	return r
}

// rebuild builds the dossier again from its record. Amounts that cannot be (an
// account that pays more than it has) are a panic of the ledger: here they are
// what somebody wrote into a file.
func (d *Dossier) rebuild(ctx context.Context) (again *Dossier, err error) {
	defer func() {
		if impossible := recover(); impossible != nil {
			err = missing("it contradicts itself: %v", impossible)
		}
	}()
	idx, err := d.Record.Index(&d.Cover)
	if err != nil {
		return nil, err
	}
	payments, err := d.seeds(ctx, idx)
	if err != nil {
		return nil, err
	}
	cover := d.Cover
	cover.AsOf, cover.Assets, cover.Warnings = nil, nil, nil
	return Build(ctx, Case{
		Cover: cover, UTXO: d.Method.UTXO, Account: d.Method.Account, Allocation: d.Method.Allocation,
	}, payments, Source{Index: idx, Info: d.info})
}

func (d *Dossier) info(a ledger.Asset) (ledger.AssetInfo, error) {
	for _, one := range d.Cover.Assets {
		if one.Asset == a.String() {
			dust, err := amountOf(one.Dust)
			return ledger.AssetInfo{Asset: a, Symbol: one.Symbol, Decimals: one.Decimals, Known: one.Known, Dust: dust}, err
		}
	}
	return ledger.AssetInfo{}, missing("asset %s is not described", a)
}

// seeds finds the payments in the record.
func (d *Dossier) seeds(ctx context.Context, idx tracer.Index) ([]Traced, error) {
	var all []Traced
	for i, p := range d.Payments {
		s, err := p.seed(ctx, idx)
		if err != nil {
			return nil, fmt.Errorf("payment %s: %w", p.Payment, err)
		}
		if p.Label != i+1 {
			return nil, missing("payment %s has label %d in place %d", p.Payment, p.Label, i+1)
		}
		all = append(all, Traced{Payment: p.Payment, Victim: p.Victim, Status: p.Status, Seed: s})
	}
	return all, nil
}

func (p Payment) seed(ctx context.Context, idx tracer.Index) (s tracer.Seed, err error) {
	if s.Chain, err = ledger.ParseChain(p.Network); err != nil {
		return s, err
	}
	if s.Asset, err = ParseAsset(p.Asset); err != nil {
		return s, err
	}
	if s.Amount, err = amountOf(p.Amount); err != nil {
		return s, err
	}
	s.At = p.Place.Point()
	tx, err := idx.TxAt(ctx, s.Chain, s.At.Pos)
	if err != nil {
		return s, err
	}
	s.Ref, s.Tx, s.Time, s.Output = p.Payment, tx.ID, tx.Time, s.Chain.UTXO()
	if s.From, err = parseAddress(s.Chain, p.From); err != nil {
		return s, err
	}
	if s.Address, err = parseAddress(s.Chain, p.To); err != nil {
		return s, err
	}
	if s.Output && s.At.Slot != 0 {
		return s, missing("an output's place has slot 0, not %d", s.At.Slot)
	}
	if s.Output {
		for i := range tx.Outputs {
			if tracer.IndexText(s.Chain, 0, uint32(i)) == p.Index {
				s.Index = uint32(i)
				return s, nil
			}
		}
		return s, missing("%s has no output %s", p.Tx, p.Index)
	}
	for _, t := range tx.Transfers {
		if t.Slot == s.At.Slot {
			s.Index, s.Kind = t.Index, t.Kind
			return s, nil
		}
	}
	return s, missing("%s has no transfer at slot %d", p.Tx, s.At.Slot)
}

// compare holds what was built again against what is written.
func (d *Dossier) compare(r *Report, again *Dossier) {
	plain, other := d.bare(), again.bare()
	for _, s := range []struct {
		name   string
		of     func(*Dossier) any
		detail string
	}{
		{"payments", func(d *Dossier) any { return d.Payments }, fmt.Sprintf("%d payments", len(d.Payments))},
		{"ledger", func(d *Dossier) any { return d.Ledger }, fmt.Sprintf("%d transfers", len(d.Ledger))},
		{"results of every policy", func(d *Dossier) any { return d.Results }, fmt.Sprintf("%d results", len(d.Results))},
		{"sums re-add to the unit", func(d *Dossier) any { return d.Results[0].Sheets }, sheetsText(d)},
		{"holdings", func(d *Dossier) any { return d.Holdings }, fmt.Sprintf("%d holdings", len(d.Holdings))},
		{"restitution", func(d *Dossier) any { return d.Shares }, fmt.Sprintf("%d lines", len(d.Shares))},
		{"record holds what the trace reads, and nothing else", func(d *Dossier) any { return d.Record }, fmt.Sprintf("%d histories, %d transactions", len(d.Record.Histories), len(d.Record.Transactions))},
		{"entities", func(d *Dossier) any { return d.Entities }, fmt.Sprintf("%d entities", len(d.Entities))},
		{"data cut-off, assets and what is not known", func(d *Dossier) any { return d.Cover }, ""},
	} {
		r.Add(s.name, same(s.of(plain), s.of(other)), s.detail)
	}
}

// bare is a copy without what the record does not determine: prices, grades,
// and the order of holdings, which rests on prices.
func (d *Dossier) bare() *Dossier {
	c := *d
	c.Payments, c.Ledger, c.Holdings = slices.Clone(d.Payments), slices.Clone(d.Ledger), slices.Clone(d.Holdings)
	for i := range c.Payments {
		c.Payments[i].USD, c.Payments[i].Source = "", ""
	}
	for i := range c.Ledger {
		r := &c.Ledger[i]
		r.USD, r.USDSource, r.Grade, r.Why, r.Proof = "", "", "", "", ""
	}
	for i := range c.Holdings {
		h := &c.Holdings[i]
		h.ID, h.USD, h.USDSource, h.Seized = "", "", "", ""
	}
	slices.SortFunc(c.Holdings, func(a, b Holding) int {
		return strings.Compare(a.Network+a.Address+a.Asset, b.Network+b.Address+b.Asset)
	})
	return &c
}

func sheetsText(d *Dossier) string {
	rows := 0
	for _, s := range d.Results[0].Sheets {
		rows += len(s.Rows)
	}
	return fmt.Sprintf("%d sheets, %d rows", len(d.Results[0].Sheets), rows)
}

// same compares two values as JSON and names the first place that differs.
func same(written, computed any) error {
	a, err := encode(written)
	if err != nil {
		return err
	}
	b, err := encode(computed)
	if err != nil {
		return err
	}
	if bytes.Equal(a, b) {
		return nil
	}
	at := 0
	for at < len(a) && at < len(b) && a[at] == b[at] {
		at++
	}
	return fmt.Errorf("written: ...%s; computed: ...%s: %w", around(a, at), around(b, at), ledger.ErrCorrupt)
}

func around(text []byte, at int) string {
	const side = 80
	return string(bytes.TrimSpace(text[max(0, at-side):min(len(text), at+side)]))
}

// checkPersonal holds what is shown of people against its commitments.
func (d *Dossier) checkPersonal() error {
	for _, p := range d.Personal {
		if p.Salt == "" && p.Value == "" {
			continue
		}
		salt, err := hex.DecodeString(p.Salt)
		if err != nil || len(salt) != sha256.Size {
			return fmt.Errorf("%s of %s: salt of %d bytes: %w", p.Field, p.Subject, len(salt), ledger.ErrCorrupt)
		}
		if commitmentOf([32]byte(salt), p.Value) != p.Commitment {
			return fmt.Errorf("%s of %s is not what was committed to: %w", p.Field, p.Subject, ledger.ErrCorrupt)
		}
	}
	return nil
}

// checkProofs verifies every proof, and that no row claims more than its proof shows.
func (d *Dossier) checkProofs(r *Report) error {
	shown := map[string]*proven{}
	for _, p := range d.Proofs {
		one, err := readProof(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.File, err)
		}
		shown[p.File] = one
	}
	idx, err := d.Record.Index(&d.Cover)
	if err != nil {
		return err
	}
	for _, row := range d.Ledger {
		switch row.Grade {
		case ledger.GradeProven.String():
			if err := row.provenBy(idx, shown[row.Proof]); err != nil {
				return fmt.Errorf("%s: %w", row.ID, err)
			}
			r.Proven++
		case ledger.GradeAttested.String():
			r.Attested++
		case ledger.GradeInferred.String():
			r.Inferred++
		default:
			return fmt.Errorf("%s: grade %q: %w", row.ID, row.Grade, ledger.ErrCorrupt)
		}
	}
	return nil
}

func (row Row) provenBy(idx tracer.Index, shown *proven) error {
	if shown == nil {
		return missing("no proof %s", row.Proof)
	}
	h, err := row.hop(idx)
	if err != nil {
		return err
	}
	if hashText(h.Chain, shown.block) != row.Block {
		return missing("the proof leads to block %s, the row says %s", shown.block, row.Block)
	}
	if shown.id() != h.Tx {
		return missing("the proof is of %s", shown.id())
	}
	if g := shown.grade(h); g.Grade != ledger.GradeProven {
		return missing("the proof does not show it: %s", g.Why)
	}
	if shown.bitcoin != nil && !shown.pays(h) {
		return missing("the proven transaction does not pay this")
	}
	return nil
}

func (s *proven) id() ledger.TxID {
	switch {
	case s.bitcoin != nil:
		return s.bitcoin.ID
	case s.evm != nil:
		return s.evm.ID
	}
	return s.tron.ID
}

// pays reports whether the proven transaction has the output of a hop.
func (s *proven) pays(h tracer.Hop) bool {
	if int(h.Index) >= len(s.bitcoin.Outputs) {
		return false
	}
	out := s.bitcoin.Outputs[h.Index]
	return out.Address == h.To && out.Value == h.Amount
}

// hop reads a row as the transfer that it is.
func (row Row) hop(idx tracer.Index) (h tracer.Hop, err error) {
	if h.Chain, err = ledger.ParseChain(row.Network); err != nil {
		return h, err
	}
	h.At = row.Place.Point()
	if h.From, h.To, h.Amount, err = parties(h.Chain, row.From, row.To, row.Amount); err != nil {
		return h, err
	}
	if h.Asset, err = ParseAsset(row.Asset); err != nil {
		return h, err
	}
	tx, err := idx.TxAt(context.Background(), h.Chain, h.At.Pos)
	if err != nil {
		return h, err
	}
	h.Tx, h.Index = tx.ID, h.At.Slot
	for _, t := range tx.Transfers {
		if t.Slot == h.At.Slot {
			h.Kind, h.Index = t.Kind, t.Index
		}
	}
	if id := hashText(h.Chain, h.Tx); id != row.Tx {
		return h, missing("the record has %s at that place, the row says %s", id, row.Tx)
	}
	return h, nil
}

func readProof(p Proof) (*proven, error) {
	c, err := ledger.ParseChain(p.Network)
	if err != nil {
		return nil, err
	}
	one := &proven{file: p}
	switch c.Family() {
	case ledger.FamilyBitcoin:
		facts, err := verified(c, p.Content, proof.Decode[proof.Bitcoin], proof.VerifyBitcoin)
		one.bitcoin, one.block = &facts, facts.Block
		return one, err
	case ledger.FamilyEVM:
		facts, err := verified(c, p.Content, proof.Decode[proof.Ethereum], proof.VerifyEthereum)
		one.evm, one.block = &facts, facts.Block
		return one, err
	case ledger.FamilyTRON:
		facts, err := verified(c, p.Content, proof.Decode[proof.Tron], proof.VerifyTron)
		one.tron, one.block = &facts, facts.Block
		return one, err
	}
	return nil, missing("no proofs of %s are known", p.Network)
}

func verified[P, F any](c ledger.Chain, text []byte, decode func([]byte) (P, error), verify func(ledger.Chain, P) (F, error)) (facts F, err error) {
	p, err := decode(text)
	if err != nil {
		return facts, err
	}
	return verify(c, p)
}

// check holds the excerpt against its signed checkpoint (RFC 6962).
func (c Custody) check(level Level) error {
	if c.Size == 0 && c.Checkpoint == "" && len(c.Entries) == 0 {
		return nil // a package without a case behind it
	}
	verifier, err := note.NewVerifier(c.Key)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	n, err := note.Open([]byte(c.Checkpoint), note.VerifierList(verifier))
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.SplitN(n.Text, "\n", 4)
	if len(lines) < 4 || lines[0] != c.Origin || lines[1] != fmt.Sprint(c.Size) {
		return missing("the checkpoint is not of %s at %d entries", c.Origin, c.Size)
	}
	if len(c.Entries) == 0 && (level == ForExchange || level == ForVictim || level == ForPublic) {
		return nil // withheld
	}
	if uint64(len(c.Entries)) != c.Size {
		return missing("%d entries of %d", len(c.Entries), c.Size)
	}
	root, err := treeOf(c.Entries)
	if err != nil {
		return err
	}
	if base64.StdEncoding.EncodeToString(root[:]) != lines[2] {
		return missing("the entries are not those of the checkpoint")
	}
	return c.handovers()
}

// handovers holds the entries before a hand-over against what the agency that had
// the case signed of them.
func (c Custody) handovers() error {
	for i, e := range c.Entries {
		var body struct {
			Kind string `json:"kind"`
			Data struct {
				Key        string `json:"key"`
				Checkpoint []byte `json:"checkpoint"`
			} `json:"data"`
		}
		if err := json.Unmarshal(e.Body, &body); err != nil || body.Kind != "imported" {
			continue
		}
		before := Custody{Origin: c.Origin, Key: body.Data.Key, Checkpoint: string(body.Data.Checkpoint), Size: uint64(i), Entries: c.Entries[:i]}
		if err := before.check(ForCourt); err != nil {
			return fmt.Errorf("hand-over in entry %d: %w", i+1, err)
		}
	}
	return nil
}

func treeOf(entries []CustodyEntry) (tlog.Hash, error) {
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			found[i] = hashes[at]
		}
		return found, nil
	})
	for i, e := range entries {
		if e.Number != uint64(i+1) {
			return tlog.Hash{}, missing("entry %d in place %d", e.Number, i+1)
		}
		more, err := tlog.StoredHashes(int64(i), []byte(e.Body), reader)
		if err != nil {
			return tlog.Hash{}, err
		}
		hashes = append(hashes, more...)
	}
	return tlog.TreeHash(int64(len(entries)), reader)
}
