package evidence

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// addressText prints an address so that parseAddress reads it again: long
// scripts in full.
func addressText(a ledger.Address) string {
	text := a.String()
	if strings.HasPrefix(text, "scripthash:") {
		return "script:" + hex.EncodeToString(a.Script())
	}
	return text
}

func parseAddress(c ledger.Chain, text string) (ledger.Address, error) {
	if text == "" {
		return ledger.Address{}, nil
	}
	return ledger.ParseAddress(c, text)
}

// ParseAsset reads an asset as packages write it: NETWORK:native, or
// NETWORK:CONTRACT with #TOKENID at will.
func ParseAsset(text string) (ledger.Asset, error) {
	network, rest, ok := strings.Cut(text, ":")
	c, err := ledger.ParseChain(network)
	if err != nil || !ok {
		return ledger.Asset{}, ledger.Invalid("asset", "NETWORK:native or NETWORK:CONTRACT", text)
	}
	if rest == "native" {
		return ledger.NativeAsset(c), nil
	}
	contract, id, _ := strings.Cut(rest, "#")
	a, err := ledger.ParseAddress(c, contract)
	if err != nil {
		return ledger.Asset{}, err
	}
	asset := ledger.TokenAsset(a)
	asset.TokenID = id
	return asset, nil
}

// hashText prints a hash as the network's users know it.
func hashText(c ledger.Chain, h [32]byte) string {
	if h == [32]byte{} {
		return ""
	}
	if c.Family() == ledger.FamilyEVM {
		return "0x" + ledger.TxID(h).String()
	}
	return ledger.TxID(h).String()
}

func placeOf(p ledger.Point) Place {
	return Place{Height: p.Pos.Height(), TxIndex: p.Pos.Index(), Slot: p.Slot}
}

// Point is the place as the tracer counts it.
func (p Place) Point() ledger.Point {
	return ledger.Point{Pos: ledger.At(p.Height, p.TxIndex), Slot: p.Slot}
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// kindNames are the kinds of transfers, in the order of ledger.TransferKind.
func kindNames() []string { return []string{"token", "native", "internal", "fee", "seized"} }

// statusNames are in the order of ledger.Status.
func statusNames() []string { return []string{"ok", "failed", "unknown"} }

// gradeNames are in the order of ledger.Grade.
func gradeNames() []string { return []string{"proven", "attested", "inferred"} }

// noticeNames are in the order of ledger.NoticeKind.
func noticeNames() []string {
	return []string{
		"created", "permission", "delegated", "undelegated", "frozen", "unfrozen", "wrapped", "unwrapped", "bridge_out", "bridge_in", "activated",
	}
}

// numberOf is the place of a name in its list.
func numberOf(field string, names []string, name string) (int, error) {
	for i, n := range names {
		if n == name {
			return i, nil
		}
	}
	return 0, ledger.Invalid(field, "one of "+strings.Join(names, ", "), name)
}

func sharesOf(segs []tracer.Segment) []Share {
	shares := []Share{}
	for _, s := range segs {
		one := Share{Label: int(s.Label)}
		if !s.Amount.IsZero() {
			one.Amount = s.Amount.String()
		}
		shares = append(shares, one)
	}
	return shares
}

// amountOf reads an amount that this package wrote; none is 0.
func amountOf(text string) (ledger.Amount, error) {
	if text == "" {
		return ledger.Amount{}, nil
	}
	a, err := ledger.ParseAmount(text)
	if err != nil {
		return a, fmt.Errorf("amount %q: %w", text, err)
	}
	return a, nil
}
