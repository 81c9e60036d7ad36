package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// Traced is a victim's payment with the place where it was found.
type Traced struct {
	Payment, Victim, Status string
	Seed                    tracer.Seed
}

// Case is what a dossier says of the case besides its money.
type Case struct {
	Cover      Cover // without AsOf, Assets and Warnings
	UTXO       Policy
	Account    Policy
	Allocation string
	Personal   []Personal
	Seizures   []Seizure
	Custody    Custody
	Reproduce  Reproduce
}

// Seizure is money that was taken, as the case recorded it.
type Seizure struct {
	Address string // NETWORK:ADDRESS or ENTITY:ACCOUNT
	Asset   string
	Amount  ledger.Amount
}

// Source is what a dossier is built from.
type Source struct {
	Index tracer.Index
	Info  func(ledger.Asset) (ledger.AssetInfo, error)
	// Worth is the value of an amount at a time (Unix milliseconds) by the user's
	// prices; false where they have none.
	Worth func(amount ledger.Amount, asset ledger.Asset, at int64) (usd, source string, ok bool)
	// Rank is the same with rules of thumb beside the user's prices; its figure
	// orders holdings and is printed nowhere.
	Rank  func(amount ledger.Amount, asset ledger.Asset, at int64) (usd, source string, ok bool)
	Rates func(heuristic string) []string // sentences
	// Raw is the block of a height, with everything that its proofs need;
	// ErrNotFound where it is not kept.
	Raw func(ctx context.Context, c ledger.Chain, height uint64) ([]byte, error)
}

// Build traces a case under its policies and those compared with it, and writes
// down what came of it.
func Build(ctx context.Context, c Case, payments []Traced, src Source) (*Dossier, error) {
	b, err := newBuilder(ctx, c, payments, src)
	if err != nil {
		return nil, err
	}
	if err := b.trace(); err != nil {
		return nil, err
	}
	for _, step := range []func() error{b.record, b.results, b.ledger, b.payments, b.cover, b.holdings, b.restitution, b.entities, b.method} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	b.d.Personal, b.d.Custody, b.d.Reproduce = c.Personal, c.Custody, c.Reproduce
	return b.d, nil
}

// Traces are those that Build makes.
func Traces(ctx context.Context, c Case, payments []Traced, src Source) ([]*tracer.Trace, error) {
	b, err := newBuilder(ctx, c, payments, src)
	if err == nil {
		err = b.trace()
	}
	if err != nil {
		return nil, err
	}
	return b.traces, nil
}

type builder struct {
	ctx    context.Context
	c      Case
	traced []Traced
	src    Source
	rec    *Recorder
	req    tracer.Request
	pairs  [][2]tracer.Policy
	traces []*tracer.Trace
	sums   []map[ledger.Holder]ledger.Amount // of each trace, what it ends with each holder
	blocks map[string]string                 // NETWORK/HEIGHT: hash
	victim map[int]string                    // label: pseudonym
	d      *Dossier
}

func newBuilder(ctx context.Context, c Case, payments []Traced, src Source) (*builder, error) {
	b := &builder{ctx: ctx, c: c, traced: payments, src: src, rec: NewRecorder(src.Index), victim: map[int]string{}, d: &Dossier{}}
	b.req = tracer.Request{
		ServicePayees: tracer.DefaultServicePayees, AccountEvents: tracer.DefaultAccountEvents, Hops: tracer.DefaultHops,
		Floors: map[ledger.Asset]ledger.Amount{},
	}
	for i, p := range payments {
		b.req.Seeds = append(b.req.Seeds, p.Seed)
		b.victim[i+1] = p.Victim
	}
	names := [][2]string{{c.UTXO.Name, c.Account.Name}}
	for _, n := range tracer.ComparedPolicies() {
		if names[0] != [2]string{n, n} {
			names = append(names, [2]string{n, n})
		}
	}
	for _, n := range names {
		utxo, err := tracer.PolicyByName(n[0])
		if err != nil {
			return nil, err
		}
		account, err := tracer.PolicyByName(n[1])
		if err != nil {
			return nil, err
		}
		b.pairs = append(b.pairs, [2]tracer.Policy{utxo, account})
	}
	return b, nil
}

// trace runs every policy over one record. Nothing is pruned, however small.
func (b *builder) trace() error {
	b.req.NoFloor = true
	for _, pair := range b.pairs {
		policy, err := tracer.Combine(pair[0], pair[1])
		if err != nil {
			return err
		}
		req := b.req
		req.Policy = policy
		t, err := tracer.Run(b.ctx, b.rec, req, nil)
		if err != nil {
			return err
		}
		b.traces = append(b.traces, t)
	}
	return nil
}

func (b *builder) record() (err error) {
	if b.d.Record, err = b.rec.Record(b.ctx); err != nil {
		return err
	}
	b.blocks = map[string]string{}
	for _, k := range b.d.Record.Blocks {
		b.blocks[blockKey(k.Network, k.Height)] = k.Hash
	}
	b.d.Record.Crossings = passages(b.traces)
	return nil
}

func blockKey(network string, height uint64) string {
	return network + "/" + strconv.FormatUint(height, 10)
}

// passages are the crossings of all traces, each once.
func passages(traces []*tracer.Trace) (all []Passage) {
	seen := map[string]bool{}
	for _, t := range traces {
		for _, h := range t.Hops {
			if h.Crossing == nil || seen[keyOf(h)] {
				continue
			}
			seen[keyOf(h)] = true
			x := crossingOf(h.Crossing)
			x.TracedIn, x.TracedOut = "", ""
			all = append(all, Passage{
				Network: string(h.Chain), Tx: hashText(h.Chain, h.Tx), Index: tracer.IndexText(h.Chain, h.Kind, h.Index),
				Place: placeOf(h.At), Asset: h.Asset.String(), Crossing: *x,
			})
		}
	}
	slices.SortFunc(all, func(a, b Passage) int {
		if c := strings.Compare(a.Network, b.Network); c != 0 {
			return c
		}
		return a.Place.Point().Compare(b.Place.Point())
	})
	return all
}

func keyOf(h tracer.Hop) string {
	return string(h.Chain) + ":" + hashText(h.Chain, h.Tx) + ":" + tracer.IndexText(h.Chain, h.Kind, h.Index) + ":" + h.At.String() + ":" + h.Asset.String()
}

func crossingOf(c *tracer.Crossing) *Crossing {
	return &Crossing{
		Kind: c.Kind, Rule: c.Rule, Tier: c.Tier, ID: c.ID, AmountIn: c.AmountIn.String(), TracedIn: c.DirtyIn.String(),
		Network: string(c.Chain), Tx: hashText(c.Chain, c.Tx), Index: tracer.IndexText(c.Chain, c.TransferKind, c.Index), Place: placeOf(c.At),
		From: addressText(c.From), To: addressText(c.To), Asset: c.AssetOut.String(), AmountOut: c.AmountOut.String(), TracedOut: c.DirtyOut.String(),
	}
}

func (b *builder) results() error {
	for i, t := range b.traces {
		r := Result{UTXO: b.pairs[i][0].Name, Account: b.pairs[i][1].Name, Hops: len(t.Hops), Digest: hopsDigest(t.Hops), Terminals: []Terminal{}, Sheets: []Sheet{}}
		for _, one := range t.Terminals {
			r.Terminals = append(r.Terminals, terminalOf(one, i == 0))
		}
		for _, s := range t.Sheets {
			r.Sheets = append(r.Sheets, sheetOf(s))
		}
		for _, in := range t.Inputs {
			r.Inputs = append(r.Inputs, Assumed{string(in.Chain), hashText(in.Chain, in.Tx), in.Assumed.String()})
		}
		b.d.Results = append(b.d.Results, r)
	}
	return nil
}

func terminalOf(t tracer.Terminal, own bool) Terminal {
	c := t.Asset.Chain
	one := Terminal{
		Network: string(c), Address: addressText(t.Address), Asset: t.Asset.String(), Traced: t.Dirty.String(), Shares: sharesOf(t.Shares),
		Reason: string(t.Reason), Bucket: t.Reason.Bucket().String(), Tx: hashText(c, t.Tx), Index: tracer.IndexText(c, t.Kind, t.Index),
		Place: placeOf(t.At), Via: addressText(t.Via), ArrivedAt: timeOf(t.ArrivedAt), BalanceNow: t.BalanceNow.String(), Coin: t.Coin, Rests: t.Rests,
	}
	if own && t.Hop > 0 {
		one.Row = rowID(t.Hop)
	}
	if t.ClosedAt != (ledger.Point{}) {
		p := placeOf(t.ClosedAt)
		one.ClosedAt = &p
	}
	return one
}

func rowID(hop int) string { return "L-" + strconv.Itoa(hop) }

func sheetOf(s tracer.Sheet) Sheet {
	sheet := Sheet{Asset: s.Asset.String(), Conserves: s.Conserves, Rows: []SheetRow{}}
	for _, r := range append([]tracer.Row{s.Total}, s.Rows...) {
		sheet.Rows = append(sheet.Rows, SheetRow{
			Label: int(r.Label), Seeded: r.Seeded.String(), Collided: r.Collided.String(), ConvertedIn: r.ConvertedIn.String(),
			Resting: r.Resting.String(), Stopped: r.Stopped.String(), Burnt: r.Burnt.String(), Fees: r.Fees.String(),
			ConvertedOut: r.ConvertedOut.String(), Pruned: r.Pruned.String(), Pending: r.Pending.String(),
		})
	}
	return sheet
}

// hopsDigest is SHA-256 of the hops in the order of their places, one line each
// (docs/package.md).
func hopsDigest(hops []tracer.Hop) string {
	lines := make([]struct {
		hop  tracer.Hop
		text string
	}, len(hops))
	for i, h := range hops {
		lines[i].hop, lines[i].text = h, hopLine(h)
	}
	slices.SortFunc(lines, func(a, b struct {
		hop  tracer.Hop
		text string
	},
	) int {
		if c := strings.Compare(string(a.hop.Chain), string(b.hop.Chain)); c != 0 {
			return c
		}
		if c := a.hop.At.Compare(b.hop.At); c != 0 {
			return c
		}
		return strings.Compare(a.text, b.text)
	})
	sum := sha256.New()
	for _, l := range lines {
		sum.Write([]byte(l.text))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func hopLine(h tracer.Hop) string {
	var shares []string
	for _, s := range h.Shares {
		shares = append(shares, strconv.Itoa(int(s.Label))+"="+s.Amount.String())
	}
	return fmt.Sprintf("%s %s %s %d %d %d %s %s %s %s %s %s\n", h.Chain, hashText(h.Chain, h.Tx), tracer.IndexText(h.Chain, h.Kind, h.Index),
		h.At.Pos.Height(), h.At.Pos.Index(), h.At.Slot, orDash(addressText(h.From)), orDash(addressText(h.To)), h.Asset, h.Amount, h.Dirty, strings.Join(shares, ","))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (b *builder) payments() error {
	first := map[string]string{} // payment's transfer: its row
	for _, r := range b.d.Ledger {
		first[r.Network+r.Tx+":"+r.Index+r.Asset] = r.ID
	}
	for i, p := range b.traced {
		s := p.Seed
		paid, err := b.paid(s)
		if err != nil {
			return err
		}
		one := Payment{
			Label: i + 1, Payment: p.Payment, Victim: p.Victim, Status: p.Status, Network: string(s.Chain), Tx: hashText(s.Chain, s.Tx),
			Index: tracer.IndexText(s.Chain, s.Kind, s.Index), Place: placeOf(s.At), From: addressText(s.From), To: addressText(s.Address),
			Asset: s.Asset.String(), Amount: s.Amount.String(), Paid: paid.String(), Time: timeOf(s.Time), Collide: b.collided(i+1, s.Asset).String(),
		}
		one.Ledger = first[one.Network+one.Tx+":"+one.Index+one.Asset]
		one.USD, one.Source = b.worth(s.Amount, s.Asset, s.Time)
		b.d.Payments = append(b.d.Payments, one)
	}
	return nil
}

// paid is the whole transfer that a payment is.
func (b *builder) paid(s tracer.Seed) (ledger.Amount, error) {
	tx, err := b.rec.TxAt(b.ctx, s.Chain, s.At.Pos)
	if err != nil {
		return ledger.Amount{}, err
	}
	if s.Output {
		return tx.Outputs[s.Index].Value, nil
	}
	for _, t := range tx.Transfers {
		if t.Slot == s.At.Slot {
			return t.Amount, nil
		}
	}
	return ledger.Amount{}, fmt.Errorf("payment %s: %w", s.Ref, ledger.ErrCorrupt)
}

func (b *builder) collided(label int, asset ledger.Asset) ledger.Amount {
	for _, s := range b.traces[0].Sheets {
		at, found := slices.BinarySearchFunc(s.Rows, tracer.Label(label), func(r tracer.Row, l tracer.Label) int { return int(r.Label - l) })
		if s.Asset == asset && found {
			return s.Rows[at].Collided
		}
	}
	return ledger.Amount{}
}

func (b *builder) worth(a ledger.Amount, asset ledger.Asset, at int64) (usd, source string) {
	if b.src.Worth == nil {
		return "", ""
	}
	usd, source, _ = b.src.Worth(a, asset, at)
	return usd, source
}
