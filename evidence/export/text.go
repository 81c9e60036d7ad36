package export

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/spoortrace/spoor/ledger"
)

// Plain shows what would act instead of being read: control characters and
// those that change the direction of text come out as their code points, and a
// text of more than 2,000 characters is cut with a note.
func Plain(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > longest {
			fmt.Fprintf(&b, "... (%d bytes in all)", len(s))
			break
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || r == unicode.ReplacementChar || unicode.Is(unicode.Co, r) {
			fmt.Fprintf(&b, "<U+%04X>", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

const longest = 2000

// cell is Plain, and no formula: a spreadsheet takes a text that begins with one
// of these, in their full-width forms and after spaces too, as something to compute.
func cell(s string) string {
	text := Plain(s)
	if begin := strings.TrimLeftFunc(text, unicode.IsSpace); begin != "" && strings.ContainsRune("=+-@＝＋－＠|%", []rune(begin)[0]) {
		return "'" + text
	}
	return text
}

// whole prints base units as whole coins, exactly.
func whole(units string, decimals int) string {
	n, err := ledger.ParseAmount(units)
	if err != nil {
		return ""
	}
	return n.Decimal(decimals)
}
