package archive

import (
	_ "embed"
	"strings"
)

// tagNames is the table behind tagCategory: kind,text,category. It is judgment,
// made from the tags that Tronscan shows; a name that is not in it keeps its
// label and gets no category, so that it never stops a trace by mistake.
//
//go:embed tagnames.csv
var tagNames string

// tagCategory returns our category of an explorer's name tag, "" when the table
// has no rule for it. Rules, first match in the table's order, letters of any case:
//
//	suffix,-hot,exchange   the tag, without a number at its end, ends in "-hot"
//	name,binance,exchange  the tag is the name, or the name, a space, hyphen or
//	                       bracket, and anything ("Binance 2", "AscendEX (Bitmax)")
func tagCategory(tag string) string {
	tag = strings.ToLower(strings.TrimSpace(tag))
	bare := strings.TrimRight(tag, "0123456789 #")
	for line := range strings.Lines(tagNames) {
		rule := strings.Split(strings.TrimSpace(line), ",")
		if len(rule) != 3 || strings.HasPrefix(line, "#") {
			continue
		}
		switch kind, text, category := rule[0], rule[1], rule[2]; kind {
		case "suffix":
			if strings.HasSuffix(bare, text) {
				return category
			}
		case "name":
			if rest, ok := strings.CutPrefix(tag, text); ok && (rest == "" || strings.ContainsAny(rest[:1], " -(:")) {
				return category
			}
		}
	}
	return ""
}
