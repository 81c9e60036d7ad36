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

// Redact returns the dossier as it is shown at a level. For an exchange,
// subject is the name of the entity whose letters stay in it; for a victim, the
// pseudonym whose personal facts do. What is withheld is a fact's value and
// salt, the examiner's name, letters to others, and the entries of the custody
// log, which name report references and colleagues.
func (d *Dossier) Redact(level Level, subject string) *Dossier {
	shown := Levels()[level]
	r := *d
	r.Cover.Redaction = level
	if !slices.Contains(shown, "examiner") {
		r.Cover.Author = Withheld
	}
	r.Personal = make([]Personal, len(d.Personal))
	for i, p := range d.Personal {
		if !slices.Contains(shown, p.Field) && (level != ForVictim || !d.about(p.Subject, subject)) {
			p.Value, p.Salt = "", ""
		}
		r.Personal[i] = p
	}
	r.Requests = []Request{}
	for _, q := range d.Requests {
		if level == ForCourt || level == ForAgency || (level == ForExchange && q.To == subject) {
			r.Requests = append(r.Requests, q)
		}
	}
	if level == ForExchange || level == ForVictim || level == ForPublic {
		r.Custody.Entries = []CustodyEntry{}
	}
	return &r
}

// Withheld stands where a name was.
const Withheld = "withheld"

// about reports whether a fact's subject is the victim, or one of the victim's
// payments.
func (d *Dossier) about(subject, victim string) bool {
	return subject == victim || slices.ContainsFunc(d.Payments, func(p Payment) bool { return p.Payment == subject && p.Victim == victim })
}

// Like redacts the dossier as another was: the same level, and the same
// subject's facts and letters.
func (d *Dossier) Like(r *Dossier) *Dossier {
	subject := ""
	for _, q := range r.Requests {
		subject = q.To
	}
	if r.Cover.Redaction == ForVictim {
		for _, p := range r.Personal {
			if p.Salt != "" {
				subject = d.victimOf(p.Subject)
			}
		}
	}
	return d.Redact(r.Cover.Redaction, subject)
}

func (d *Dossier) victimOf(subject string) string {
	for _, p := range d.Payments {
		if p.Payment == subject {
			return p.Victim
		}
	}
	return subject
}
