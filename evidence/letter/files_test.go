package letter_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/evidence/letter"
	"github.com/spoortrace/spoor/ledger"
)

func TestContactsRefused(t *testing.T) {
	one := func(more string) string { return "contacts:\n  - entity: A\n    class: exchange\n" + more }
	tests := []struct{ name, text, want string }{
		{"empty", "", `contacts: want YAML, got "EOF"`},
		{"no YAML", "a: [", `contacts: want YAML, got "yaml: line 1: did not find expected node content"`},
		{"a list", "- a\n", `contacts: want the fields of docs/letters.md, got "line 1: cannot unmarshal !!seq"`},
		{"unknown key", one("    phone: 1\n"), `contacts: want the fields of docs/letters.md, got "line 4: field phone not found"`},
		{"unknown key at the top", "contact: []\n", `contacts: want the fields of docs/letters.md, got "line 1: field contact not found"`},
		{"twice the same key", one("    class: issuer\n"), `contacts: want the fields of docs/letters.md, got "line 4: mapping key \"class\" already defined at line 3"`},
		{"an alias", "contacts:\n  - &a {entity: A, class: exchange}\n  - *a\n", `contacts: want no aliases, got "an alias"`},
		{"two documents", one("---\na: 1\n"), `contacts: want one document, got "more than one"`},
		{"too large", strings.Repeat("#", 1<<20+1), `contacts: want at most 1 MiB, got "1048577 bytes"`},
		{"many keys", "a:\n" + strings.Repeat("  k: 1\n", 65), `contacts: want the fields of docs/letters.md, got "line 2: 65 fields"`},
		{"no entity", "contacts:\n  - class: exchange\n", `contacts[0].entity: want a name, got ""`},
		{"no class", "contacts:\n  - entity: A\n", `contacts[0].class: want issuer, exchange, custodian or authority, got ""`},
		{"another class", "contacts:\n  - {entity: A, class: Exchange}\n", `contacts[0].class: want issuer, exchange, custodian or authority, got "Exchange"`},
		{"twice the same name", "contacts:\n  - {entity: A, class: exchange}\n  - {entity: B, class: issuer, aliases: [a]}\n", `contacts[1].entity: want a name or alias that no other contact has, got "a"`},
		{"an empty alias", one("    aliases: [B, ' ']\n"), `contacts[0].aliases[1]: want a name, got " "`},
		{"two lines", one("    aliases: [\"B\\nBcc: x\"]\n"), `contacts[0].aliases[0]: want one line without control characters, got "B\nBcc: x"`},
		{"turned text", one("    aliases: [\"\\u202Egnp\"]\n"), `contacts[0].aliases[0]: want one line without control characters, got "\u202egnp"`},
		{"http", one("    portal: http://example.com\n"), `contacts[0].portal: want an https address, got "http://example.com"`},
		{"a script", one("    portal: javascript:alert(1)\n"), `contacts[0].portal: want an https address, got "javascript:alert(1)"`},
		{"a host hidden behind a name", one("    portal: https://tether.to@example.com\n"), `contacts[0].portal: want an https address, got "https://tether.to@example.com"`},
		{"a name with the address", one("    email: A <a@example.com>\n"), `contacts[0].email: want an e-mail address, got "A <a@example.com>"`},
		{"two addresses", one("    email: a@example.com, b@example.com\n"), `contacts[0].email: want an e-mail address, got "a@example.com, b@example.com"`},
		{"another header", one("    email: \"a@example.com\\r\\nBcc: b@example.com\"\n"), `contacts[0].email: want an e-mail address, got "a@example.com\r\nBcc: b@example.com"`},
		{"a country's name", one("    country: Seychelles\n"), `contacts[0].country: want two capital letters (ISO 3166-1), got "Seychelles"`},
		{"a language that is a path", one("    languages: [../../x]\n"), `contacts[0].languages[0]: want a language such as en or th, got "../../x"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := letter.ReadContacts(test.text)
			if err == nil || err.Error() != test.want || !errors.Is(err, ledger.ErrInvalid) || len(got.Contacts) > 0 {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestAgencyRefused(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", `agency: want YAML, got "EOF"`},
		{"no name", "officer: A\n", `agency.agency: want a name, got ""`},
		{"unknown key", "agency: A\nlegal: x\n", `agency: want the fields of docs/letters.md, got "line 2: field legal not found"`},
		{"twice the same key", "agency: A\nagency: B\n", `agency: want the fields of docs/letters.md, got "line 2: mapping key \"agency\" already defined at line 1"`},
		{"two lines", "agency: \"A\\nTo: B\"\n", `agency.agency: want one line without control characters, got "A\nTo: B"`},
		{"e-mail", "agency: A\nemail: nobody\n", `agency.email: want an e-mail address, got "nobody"`},
		{"country", "agency: A\ncountry: ch\n", `agency.country: want two capital letters (ISO 3166-1), got "ch"`},
		{"language", "agency: A\nlanguage: t.h\n", `agency.language: want a language such as en or th, got "t.h"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := letter.ReadAgency(test.text)
			if err == nil || err.Error() != test.want || got != (letter.Agency{}) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
	if _, err := letter.ReadAgency("agency: A\nlegal_basis: " + strings.Repeat("a", 4001) + "\n"); err == nil || !strings.HasPrefix(err.Error(), "agency.legal_basis: want at most 4000 bytes") {
		t.Errorf("a long text: %v", err)
	}
}

// FuzzReadContacts: what is taken can be printed: every name on a line of its own.
func FuzzReadContacts(f *testing.F) {
	f.Add(contactsFile)
	f.Add("contacts:\n  - {entity: A, class: issuer, aliases: [\"\\x00\", B]}\n")
	f.Add("contacts: [{<<: {entity: A}, class: issuer}]")
	f.Add("&a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := letter.ReadContacts(text)
		if err != nil {
			if !errors.Is(err, ledger.ErrInvalid) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for _, one := range c.Contacts {
			for _, s := range append([]string{one.Entity, one.Portal, one.Email, one.Country}, one.Aliases...) {
				if strings.ContainsAny(s, "\r\n\x00") {
					t.Errorf("%q was taken from %q", s, text)
				}
			}
		}
	})
}

func FuzzReadAgency(f *testing.F) {
	f.Add(agencyFile)
	f.Add("agency: A\nphone: \"\\u2029\"\n")
	f.Add("? [a]\n: b")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := letter.ReadAgency(text)
		if err != nil {
			if !errors.Is(err, ledger.ErrInvalid) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if strings.TrimSpace(a.Agency) == "" || strings.ContainsAny(a.Agency+a.Officer+a.Rank+a.Unit+a.Phone+a.Email+a.Reference+a.AnswerBy, "\r\n\x00") {
			t.Errorf("%+v was taken from %q", a, text)
		}
	})
}

// TestDocs reads the examples of docs/letters.md.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/letters.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for i, part := range strings.Split(string(text), "```") {
		if i%2 == 1 {
			blocks = append(blocks, part)
		}
	}
	if len(blocks) != 3 {
		t.Fatalf("%d examples, want contacts, an agency and a template", len(blocks))
	}
	o := letter.Options{Templates: map[string]string{"exchange_freeze.th": blocks[2]}}
	if o.Contacts, err = letter.ReadContacts(strings.TrimPrefix(blocks[0], "yaml")); err != nil {
		t.Error(err)
	}
	if o.Agency, err = letter.ReadAgency(strings.TrimPrefix(blocks[1], "yaml")); err != nil {
		t.Error(err)
	}
	all := write(t, sample(), o)
	if !strings.Contains(all[0].Text, "เรียน Example Exchange\n") || all[2].Kind != letter.MutualAssistance {
		t.Errorf("the examples wrote\n%s", all[0].Text)
	}
}
