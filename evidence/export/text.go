package export

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/ledger"
)

// longest is how many characters of a text a person is shown.
const longest = 2000

// Plain is shown, and a text of more than 2,000 characters is cut with a note.
func Plain(s string) string {
	n := 0
	for i := range s {
		if n++; n > longest {
			return shown(s[:i]) + fmt.Sprintf("... (%d bytes in all)", len(s))
		}
	}
	return shown(s)
}

// shown shows what would act instead of being read: control characters and
// those that change the direction of text come out as their code points.
func shown(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || r == unicode.ReplacementChar || unicode.Is(unicode.Co, r) {
			fmt.Fprintf(&b, "<U+%04X>", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// cell is shown, whole, and no formula: a spreadsheet takes a text that begins with
// one of these, in their full-width forms and after spaces too, as something to compute.
func cell(s string) string {
	text := shown(s)
	if begin := strings.TrimLeftFunc(text, unicode.IsSpace); begin != "" && strings.ContainsRune("=+-@＝＋－＠|%", []rune(begin)[0]) {
		return "'" + text
	}
	return text
}

// units are assets by their names.
type units map[string]evidence.Asset

func unitsOf(assets []evidence.Asset) units {
	all := units{}
	for _, a := range assets {
		all[a.Asset] = a
	}
	return all
}

// whole prints base units as whole coins, exactly; nothing where it is not known
// how many units make a coin.
func (u units) whole(asset, amount string) string {
	a, ok := u[asset]
	n, err := ledger.ParseAmount(amount)
	if !ok || err != nil || a.Decimals < 0 || a.Decimals > mostDecimals {
		return ""
	}
	return n.Decimal(a.Decimals)
}

// mostDecimals is what a token contract can claim.
const mostDecimals = 255

// symbol is what people call an asset. One that is only claimed has the asset's
// name beside it.
func (u units) symbol(asset string) string {
	a := u[asset]
	if a.Symbol == "" || !a.Known {
		return strings.TrimSpace(a.Symbol + " of " + asset)
	}
	return a.Symbol
}
