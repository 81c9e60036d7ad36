package tracer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// AmbiguousError lists the payments that a Ref could mean. It matches ledger.ErrAmbiguous.
type AmbiguousError struct {
	Ref        string
	Candidates []Seed
}

// Error lists the candidates, one REF each.
func (e *AmbiguousError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is ambiguous; it can be", e.Ref)
	for i, c := range e.Candidates {
		if i == 20 {
			fmt.Fprintf(&b, " and %d more", len(e.Candidates)-i)
			break
		}
		fmt.Fprintf(&b, " %s (%s of %s to %s)", c.Ref, c.Amount, c.Asset, c.Address)
	}
	return b.String()
}

// Is makes errors.Is(err, ledger.ErrAmbiguous) true.
func (e *AmbiguousError) Is(target error) bool { return target == ledger.ErrAmbiguous }

// Resolve finds the payments that a Ref means: one, or with an address all
// payments to it. chains are the networks to search for a bare hash. asset,
// when not nil, refuses payments of anything else.
func Resolve(ctx context.Context, idx Index, chains []ledger.Chain, ref Ref, asset *ledger.Asset) ([]Seed, error) {
	txs, err := Find(ctx, idx, chains, ref)
	if err != nil {
		return nil, err
	}
	if txs[0].Chain.UTXO() {
		txs = txs[len(txs)-1:] // of two coinbases with one id (BIP 30) the later overwrote the coins of the earlier
	}
	var all []Seed
	for _, tx := range txs {
		all = append(all, payments(ref, tx)...)
	}
	picked, err := pick(ref, txs[0].Chain, all)
	if err != nil {
		return nil, err
	}
	if asset != nil {
		if picked, err = ofAsset(ref, picked, *asset); err != nil {
			return nil, err
		}
	}
	if len(picked) > 1 {
		picked = moving(picked)
	}
	if len(picked) > 1 && ref.Pick != PickAddress {
		return nil, &AmbiguousError{Ref: ref.Text, Candidates: picked}
	}
	for _, s := range picked {
		if err := s.check(txs); err != nil {
			return nil, fmt.Errorf("%s: %w", ref.Text, err)
		}
	}
	return picked, nil
}

// Find looks a transaction up in its network, or in all of them.
func Find(ctx context.Context, idx Index, chains []ledger.Chain, ref Ref) ([]ledger.Tx, error) {
	search := chains
	if ref.Chain != "" {
		search = []ledger.Chain{ref.Chain}
	}
	var found []ledger.Tx
	var in []string
	for _, c := range search {
		txs, err := idx.FindTx(ctx, c, ref.Tx)
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found, in = append(found, txs...), append(in, string(c)+":"+ref.Tx.String())
	}
	switch {
	case len(in) > 1:
		return nil, fmt.Errorf("%s is in several networks: %s: %w", ref.Text, strings.Join(in, ", "), ledger.ErrAmbiguous)
	case len(found) == 0:
		return nil, notFound(ctx, idx, chains, search, ref)
	}
	return found, nil
}

func notFound(ctx context.Context, idx Index, chains, searched []ledger.Chain, ref Ref) error {
	for _, c := range chains {
		if ref.Chain == "" || c == ref.Chain {
			continue
		}
		if _, err := idx.FindTx(ctx, c, ref.Tx); err == nil {
			return fmt.Errorf("transaction %s is not of %s, it is of %s: %w", ref.Tx, ref.Chain, c, ledger.ErrNotFound)
		}
	}
	var to []string
	for _, c := range searched {
		if head, err := idx.AsOf(ctx, c); err == nil {
			to = append(to, fmt.Sprintf("%s indexed to %s", c, headText(head)))
		}
	}
	if len(to) == 0 {
		to = []string{"no network is indexed"}
	}
	return fmt.Errorf("transaction %s: %w; %s", ref.Tx, ledger.ErrNotFound, strings.Join(to, ", "))
}

// headText prints a height, or the time where a network is made of exports,
// whose height is that time.
func headText(head ledger.BlockRef) string {
	if head.Time != 0 && head.Height == uint64(head.Time) {
		return time.UnixMilli(head.Time).UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("height %d", head.Height)
}

// payments lists everything that a transaction pays, as seeds of the whole
// amount. What failed is no candidate beside what took effect, unless it is
// asked for by its index: then it is refused with the reason.
func payments(ref Ref, tx ledger.Tx) []Seed {
	var all []Seed
	effective := slices.ContainsFunc(tx.Transfers, func(t ledger.Transfer) bool {
		return t.Kind != ledger.TransferFee && t.Status != ledger.StatusFailed && !t.Amount.IsZero()
	})
	for i, o := range tx.Outputs {
		all = append(all, Seed{
			Ref: fmt.Sprintf("%s:%s:%d", tx.Chain, tx.ID, i), Chain: tx.Chain, Tx: tx.ID, Index: uint32(i), Output: true,
			At: ledger.Point{Pos: tx.Pos}, From: firstOwner(tx), Address: o.Address, Asset: ledger.NativeAsset(tx.Chain), Amount: o.Value, Time: tx.Time,
		})
	}
	for _, t := range tx.Transfers {
		if t.Kind == ledger.TransferFee || (t.Status == ledger.StatusFailed && effective && !ref.exact()) {
			continue
		}
		all = append(all, Seed{
			Ref: fmt.Sprintf("%s:%s:%s", tx.Chain, tx.ID, IndexText(tx.Chain, t.Kind, t.Index)), Chain: tx.Chain, Tx: tx.ID, Index: t.Index, Kind: t.Kind,
			At: ledger.Point{Pos: tx.Pos, Slot: t.Slot}, From: t.From, Address: t.To, Asset: t.Asset, Amount: t.Amount, Time: tx.Time,
		})
	}
	return all
}

func firstOwner(tx ledger.Tx) ledger.Address {
	if len(tx.Inputs) == 0 {
		return ledger.Address{}
	}
	return tx.Inputs[0].Address
}

// IndexText prints the INDEX of a REF: on EVM networks "n" for the native value
// and "iN" for the N-th internal transfer of the transaction, else a number.
func IndexText(c ledger.Chain, kind ledger.TransferKind, index uint32) string {
	text := strconv.FormatUint(uint64(index), 10)
	switch {
	case c.UTXO():
		return text
	case kind == ledger.TransferInternal:
		return "i" + text
	case kind == ledger.TransferNative && c.Family() == ledger.FamilyEVM:
		return "n"
	}
	return text
}

func pick(ref Ref, chain ledger.Chain, all []Seed) ([]Seed, error) {
	if ref.Pick == PickOnly {
		if len(all) == 0 {
			return nil, fmt.Errorf("%s moves nothing: %w", ref.Text, ledger.ErrPrecondition)
		}
		return all, nil
	}
	var to ledger.Address
	want := fmt.Sprintf("%d", ref.Index)
	switch ref.Pick {
	case PickNative:
		want = "n"
	case PickInternal:
		want = fmt.Sprintf("i%d", ref.Index)
	case PickAddress:
		a, err := ledger.ParseAddress(chain, ref.Address)
		if err != nil {
			return nil, err
		}
		to = a
	case PickOnly, PickIndex:
	}
	var picked []Seed
	for _, s := range all {
		if (ref.Pick == PickAddress && s.Address == to) || (ref.Pick != PickAddress && strings.HasSuffix(s.Ref, ":"+want)) {
			picked = append(picked, s)
		}
	}
	if len(picked) == 0 {
		return nil, fmt.Errorf("%s: the transaction has no such payment among %d: %w", ref.Text, len(all), ledger.ErrNotFound)
	}
	return picked, nil
}

func ofAsset(ref Ref, seeds []Seed, asset ledger.Asset) ([]Seed, error) {
	var of []Seed
	for _, s := range seeds {
		if s.Asset == asset {
			of = append(of, s)
		}
	}
	if len(of) > 0 {
		return of, nil
	}
	name := asset.String()
	if info := ledger.InfoOf(asset); info.Known {
		name = info.Symbol
	}
	return nil, fmt.Errorf("%s: %s is not asset %s: %w", ref.Text, describeAsset(seeds[0].Asset), name,
		ledger.Invalid("asset", name, seeds[0].Asset.String()))
}

func describeAsset(a ledger.Asset) string {
	if a.Native() {
		return a.String()
	}
	return "contract " + a.Contract.String()
}

// moving leaves out what carries nothing, so that a payment beside
// zero-valued noise is not ambiguous.
func moving(seeds []Seed) []Seed {
	var m []Seed
	for _, s := range seeds {
		if !s.Amount.IsZero() {
			m = append(m, s)
		}
	}
	if len(m) == 0 {
		return seeds[:1]
	}
	return m
}

// check refuses what cannot be a victim's payment.
func (s Seed) check(txs []ledger.Tx) error {
	for _, tx := range txs {
		if tx.Pos != s.At.Pos {
			continue
		}
		t, ok := transferAt(&tx, s.At.Slot)
		if tx.Status == ledger.StatusFailed || (ok && !s.Output && t.Status == ledger.StatusFailed) {
			return fmt.Errorf("the transaction was reverted; moved 0: %w", ledger.Invalid("ref", "a payment that took effect", s.Ref))
		}
	}
	if s.Amount.IsZero() {
		return fmt.Errorf("the transfer carries no value; poisoning pattern: %w", ledger.Invalid("ref", "a payment of more than 0", s.Ref))
	}
	if s.From == s.Address && !s.Output {
		return fmt.Errorf("payer and payee are the same; moved nothing: %w", ledger.Invalid("ref", "a payment to somebody else", s.Ref))
	}
	return nil
}
