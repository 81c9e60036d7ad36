package behavior

import (
	"context"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// The bounds of address poisoning (judgment).
const (
	lookalike  = 4   // characters at the end of an address that agree
	maxZeros   = 500 // transfers of zero that are looked at, the latest
	maxUnknown = 20  // unknown tokens, those that came last
	maxOfToken = 50  // transfers of each
)

// hear reads what moves nothing of value around a holder that paid somebody: token
// transfers of zero, which anybody can make in anybody's name, and transfers of
// tokens that this program does not know. No score and no trace looks at them. cut
// reports that there are more.
func (h *history) hear(ctx context.Context, idx Index) (cut bool, err error) {
	paid := map[string]bool{} // endings of payees
	for _, s := range h.events {
		if !h.in(s) && h.counts(s) {
			paid[ending(s.To)] = true
		}
	}
	if len(paid) == 0 {
		return false, nil
	}
	assets, cut, err := idx.LatestAssets(ctx, h.of.Address, maxUnknown)
	if err != nil {
		return false, err
	}
	zero := ledger.ZeroAsset(h.of.Address.Chain)
	if !slices.Contains(assets, zero) {
		assets = append(assets, zero)
	}
	for _, asset := range assets {
		if asset == ledger.NoticeAsset(asset.Chain) || ledger.InfoOf(asset).Known {
			continue
		}
		more, err := h.hearOf(ctx, idx, asset, paid)
		if err != nil {
			return false, err
		}
		cut = cut || more
	}
	slices.SortStableFunc(h.noise, func(a, b Seen) int { return a.At.Compare(b.At) })
	return cut, nil
}

// hearOf reads one list. Only what comes from an ending that was paid, or goes to one,
// costs a look at its transaction: a list of spam is cheap to go through.
func (h *history) hearOf(ctx context.Context, idx Index, asset ledger.Asset, paid map[string]bool) (cut bool, err error) {
	n, most := 0, maxOfToken
	if asset == ledger.ZeroAsset(asset.Chain) {
		most = maxZeros
	}
	for e, err := range idx.EventsBefore(ctx, ledger.Holder{Address: h.of.Address, Asset: asset}, ledger.Point{Pos: ^ledger.Position(0), Slot: ^uint32(0)}) {
		if err != nil {
			return false, err
		}
		if n++; n > most {
			return true, nil
		}
		if !paid[ending(h.other(Seen{Event: e}))] {
			continue
		}
		tx, err := idx.TxAt(ctx, asset.Chain, e.At.Pos)
		if err != nil {
			return false, err
		}
		s := seen(e, asset, &tx)
		for i := range tx.Transfers {
			if t := &tx.Transfers[i]; t.Slot == e.At.Slot {
				s.Asset = t.Asset // of a transfer of zero
			}
		}
		h.noise = append(h.noise, s)
	}
	return false, nil
}

// poisoning: dust, zero or an unknown token, from or in the holder's name to an
// address that ends like one that was paid before.
func poisoning(h *history) (string, []Seen) {
	paid := map[string]Seen{}
	noise := h.noise
	for _, s := range h.events {
		for len(noise) > 0 && noise[0].At.Before(s.At) {
			if real, ok := h.resembles(paid, noise[0]); ok {
				return h.poisoned(noise[0]), []Seen{real, noise[0]}
			}
			noise = noise[1:]
		}
		switch {
		case !h.in(s) && h.counts(s):
			paid[ending(s.To)] = s
		case h.in(s) && !h.counts(s):
			if real, ok := h.resembles(paid, s); ok {
				return h.poisoned(s), []Seen{real, s}
			}
		}
	}
	for _, s := range noise {
		if real, ok := h.resembles(paid, s); ok {
			return h.poisoned(s), []Seen{real, s}
		}
	}
	return "", nil
}

// resembles returns the payment whose payee the other side looks like, and is not.
func (h *history) resembles(paid map[string]Seen, s Seen) (Seen, bool) {
	other := h.other(s)
	if other.IsZero() || other == h.of.Address {
		return Seen{}, false
	}
	real, ok := paid[ending(other)]
	return real, ok && real.To != other
}

func (h *history) poisoned(s Seen) string {
	what := "an unknown token"
	switch {
	case s.Amount.IsZero():
		what = "a transfer of zero"
	case s.Asset == h.of.Asset:
		what = "dust"
	}
	side := "from"
	if !h.in(s) {
		side = "to"
	}
	return what + " " + side + " an address that ends like one that was paid before"
}

// ending is what people compare of an address.
func ending(a ledger.Address) string {
	text := strings.ToLower(a.String())
	return text[max(0, len(text)-lookalike):]
}
