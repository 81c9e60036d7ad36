// Package letter writes requests to whoever can stop money: to the issuer of a
// token, to the service where it lies, to another country, to a court. Its texts
// are drafts for an officer to sign; they name holdings, transactions and law,
// never a score, and of a victim the pseudonym and the number of the report. It
// keeps the register of what came of them, too. It sends nothing.
package letter

import (
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/spoortrace/spoor/ledger"
)

// Contact is somebody to write to.
type Contact struct {
	Entity    string   `yaml:"entity"`
	Aliases   []string `yaml:"aliases"` // of an issuer: the symbols of its tokens, too
	Country   string   `yaml:"country"` // ISO 3166-1, two letters
	Class     string   `yaml:"class"`   // issuer, exchange, custodian or authority
	Portal    string   `yaml:"portal"`  // printed, never contacted
	Email     string   `yaml:"email"`
	Languages []string `yaml:"languages"` // best first
}

// Agency is who writes.
type Agency struct {
	Agency     string `yaml:"agency"`
	Unit       string `yaml:"unit"`
	Officer    string `yaml:"officer"`
	Rank       string `yaml:"rank"`
	Phone      string `yaml:"phone"`
	Email      string `yaml:"email"`
	Country    string `yaml:"country"`     // to a contact of another one goes an annex for mutual assistance
	Language   string `yaml:"language"`    // of templates, where there is none in the addressee's
	LegalBasis string `yaml:"legal_basis"` // one line
	NoTipOff   string `yaml:"no_tip_off"`  // one line
	Reference  string `yaml:"reference"`
	AnswerBy   string `yaml:"answer_by"` // 24 hours of receipt
	Signature  string `yaml:"signature"` // lines below the officer's name
}

// Contacts is a contacts file.
type Contacts struct {
	Contacts []Contact `yaml:"contacts"`
}

// issuers are those of the tokens that the program knows by contract, without an
// address: a wrong one in a program that many run would misdirect requests.
func issuers() Contacts {
	return Contacts{[]Contact{{Entity: "Tether", Aliases: []string{"USDT"}, Class: "issuer"}, {Entity: "Circle", Aliases: []string{"USDC"}, Class: "issuer"}}}
}

const (
	largest  = 1 << 20 // bytes of a file
	longText = 4000    // bytes of a text in it
	mostKeys = 64      // fields of anything in it
)

// read takes one YAML document of known fields without aliases.
func read(name, text string, into any) error {
	if len(text) > largest {
		return ledger.Invalid(name, "at most 1 MiB", fmt.Sprintf("%d bytes", len(text)))
	}
	d := yaml.NewDecoder(strings.NewReader(text))
	var node yaml.Node
	if err := d.Decode(&node); err != nil {
		return ledger.Invalid(name, "YAML", complaint(err))
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return ledger.Invalid(name, "one document", "more than one")
	}
	if err := plain(name, &node); err != nil {
		return err
	}
	strict := yaml.NewDecoder(strings.NewReader(text))
	strict.KnownFields(true)
	if err := strict.Decode(into); err != nil {
		return ledger.Invalid(name, "the fields of docs/letters.md", complaint(err))
	}
	return nil
}

// complaint is what the reader of YAML says, without the names of our types.
func complaint(err error) string {
	var of *yaml.TypeError
	if !errors.As(err, &of) || len(of.Errors) == 0 {
		return err.Error()
	}
	text, _, _ := strings.Cut(of.Errors[0], " in type ")
	text, _, _ = strings.Cut(text, " into ")
	return text
}

// plain refuses aliases, which make much of little, and mappings so large that
// looking for keys that are there twice would take long.
func plain(name string, n *yaml.Node) error {
	if n.Kind == yaml.AliasNode {
		return ledger.Invalid(name, "no aliases", "an alias")
	}
	if n.Kind == yaml.MappingNode && len(n.Content) > 2*mostKeys {
		return ledger.Invalid(name, "the fields of docs/letters.md", fmt.Sprintf("line %d: %d fields", n.Line, len(n.Content)/2))
	}
	for _, c := range n.Content {
		if err := plain(name, c); err != nil {
			return err
		}
	}
	return nil
}

// ReadContacts reads a contacts file.
func ReadContacts(text string) (Contacts, error) {
	var c Contacts
	if err := read("contacts", text, &c); err != nil {
		return Contacts{}, err
	}
	names := map[string]bool{}
	for i, one := range c.Contacts {
		field := fmt.Sprintf("contacts[%d]", i)
		if err := one.check(field); err != nil {
			return Contacts{}, err
		}
		for _, name := range one.names() {
			key := strings.ToLower(name)
			if names[key] {
				return Contacts{}, ledger.Invalid(field+".entity", "a name or alias that no other contact has", name)
			}
			names[key] = true
		}
	}
	return c, nil
}

func (c Contact) names() []string { return append([]string{c.Entity}, c.Aliases...) }

func (c Contact) check(field string) error {
	for i, name := range c.names() {
		at := field + ".entity"
		if i > 0 {
			at = fmt.Sprintf("%s.aliases[%d]", field, i-1)
		}
		if strings.TrimSpace(name) == "" {
			return ledger.Invalid(at, "a name", name)
		}
		if err := oneLine(at, name); err != nil {
			return err
		}
	}
	if !slices.Contains([]string{"issuer", "exchange", "custodian", "authority"}, c.Class) {
		return ledger.Invalid(field+".class", "issuer, exchange, custodian or authority", c.Class)
	}
	for i, language := range c.Languages {
		if err := code(fmt.Sprintf("%s.languages[%d]", field, i), language, "a language such as en or th"); err != nil {
			return err
		}
	}
	if u, err := url.Parse(c.Portal); c.Portal != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(c.Portal) > longText) {
		return ledger.Invalid(field+".portal", "an https address", c.Portal)
	}
	return errors.Join(email(field+".email", c.Email), country(field+".country", c.Country))
}

// oneLine refuses what would begin another line of a letter or turn its text.
func oneLine(field, s string) error {
	if len(s) > longText {
		return ledger.Invalid(field, fmt.Sprintf("at most %d bytes", longText), s)
	}
	if strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
	}) {
		return ledger.Invalid(field, "one line without control characters", s)
	}
	return nil
}

func email(field, s string) error {
	if a, err := mail.ParseAddress(s); s != "" && (err != nil || a.Address != s || len(s) > longText) {
		return ledger.Invalid(field, "an e-mail address", s)
	}
	return nil
}

func country(field, s string) error {
	if s != "" && (len(s) != 2 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		return ledger.Invalid(field, "two capital letters (ISO 3166-1)", s)
	}
	return nil
}

// code refuses what could not be a part of a file's name.
func code(field, s, want string) error {
	if s == "" || len(s) > 16 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return ledger.Invalid(field, want, s)
	}
	return nil
}

// ReadAgency reads an agency file.
func ReadAgency(text string) (Agency, error) {
	var a Agency
	if err := read("agency", text, &a); err != nil {
		return Agency{}, err
	}
	if err := a.check(); err != nil {
		return Agency{}, err
	}
	return a, nil
}

func (a Agency) check() error {
	if strings.TrimSpace(a.Agency) == "" {
		return ledger.Invalid("agency.agency", "a name", a.Agency)
	}
	fields := [][2]string{
		{"agency", a.Agency}, {"unit", a.Unit}, {"officer", a.Officer}, {"rank", a.Rank}, {"phone", a.Phone}, {"reference", a.Reference}, {"answer_by", a.AnswerBy},
	}
	for _, f := range fields {
		if err := oneLine("agency."+f[0], f[1]); err != nil {
			return err
		}
	}
	for _, f := range [][2]string{{"legal_basis", a.LegalBasis}, {"no_tip_off", a.NoTipOff}, {"signature", a.Signature}} {
		if len(f[1]) > longText {
			return ledger.Invalid("agency."+f[0], fmt.Sprintf("at most %d bytes", longText), f[1])
		}
	}
	if a.Language != "" {
		if err := code("agency.language", a.Language, "a language such as en or th"); err != nil {
			return err
		}
	}
	return errors.Join(email("agency.email", a.Email), country("agency.country", a.Country))
}

// find is the contact of a name or alias, without regard to case, that is of one
// of the classes: a service that calls itself USDT is not the issuer's.
func (c Contacts) find(name string, classes ...string) (Contact, bool) {
	for _, one := range c.Contacts {
		if slices.Contains(classes, one.Class) && slices.ContainsFunc(one.names(), func(n string) bool { return strings.EqualFold(n, name) }) {
			return one, true
		}
	}
	return Contact{}, false
}
