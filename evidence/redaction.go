package evidence

import (
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// Level says for whom a package is made, and so which personal facts it shows.
type Level string

// The levels, the most open first.
const (
	ForCourt    Level = "court"
	ForAgency   Level = "agency"
	ForExchange Level = "exchange"
	ForDefence  Level = "defence"
	ForVictim   Level = "victim"
	ForPublic   Level = "public"
)

// Levels returns the table of levels: which fields of Personal each shows.
// Names of victims go to the court and another agency alone; an exchange gets
// the report's reference, which it must quote.
func Levels() map[Level][]string {
	return map[Level][]string{
		ForCourt:    {"name", "contact", "text", "report_ref", "bank_leg", "note", "description", "examiner"},
		ForAgency:   {"name", "contact", "text", "report_ref", "bank_leg", "description", "examiner"},
		ForExchange: {"report_ref", "examiner"},
		ForDefence:  {"report_ref", "description", "examiner"},
		ForVictim:   {},
		ForPublic:   {},
	}
}

// ParseLevel reads a level's name.
func ParseLevel(s string) (Level, error) {
	shown := Levels()
	if _, ok := shown[Level(s)]; ok {
		return Level(s), nil
	}
	var names []string
	for l := range shown {
		names = append(names, string(l))
	}
	slices.Sort(names)
	return "", ledger.Invalid("redaction", "one of "+strings.Join(names, ", "), s)
}
