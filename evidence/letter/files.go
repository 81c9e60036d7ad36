// Package letter writes requests to whoever can stop money: to the issuer of a
// token, or to the service where it lies. Its texts are drafts for an officer to
// sign; they name holdings, transactions and law, never a score, and of a victim
// the pseudonym and the number of the report.
package letter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/spoortrace/spoor/ledger"
)

// Contact is somebody to write to.
type Contact struct {
	Entity    string   `yaml:"entity"`
	Aliases   []string `yaml:"aliases"`
	Country   string   `yaml:"country"`
	Class     string   `yaml:"class"`  // issuer, exchange, custodian or authority
	Portal    string   `yaml:"portal"` // printed, never contacted
	Email     string   `yaml:"email"`
	Languages []string `yaml:"languages"`
}

// Agency is who writes.
type Agency struct {
	Agency     string `yaml:"agency"`
	Unit       string `yaml:"unit"`
	Officer    string `yaml:"officer"`
	Rank       string `yaml:"rank"`
	Phone      string `yaml:"phone"`
	Email      string `yaml:"email"`
	LegalBasis string `yaml:"legal_basis"`
	NoTipOff   string `yaml:"no_tip_off"`
	Reference  string `yaml:"reference"`
}

// Contacts is a contacts file.
type Contacts struct {
	Contacts []Contact `yaml:"contacts"`
}

// largest bounds both files.
const largest = 1 << 20

// read takes one YAML document of known fields without aliases.
func read(name, text string, into any) error {
	if len(text) > largest {
		return ledger.Invalid(name, "at most 1 MiB", fmt.Sprintf("%d bytes", len(text)))
	}
	var node yaml.Node
	d := yaml.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&node); err != nil {
		return ledger.Invalid(name, "YAML", err.Error())
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return ledger.Invalid(name, "one document", "more than one")
	}
	if hasAlias(&node) {
		return ledger.Invalid(name, "no aliases", "an alias")
	}
	strict := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	strict.KnownFields(true)
	if err := strict.Decode(into); err != nil {
		return ledger.Invalid(name, "the fields of docs/letters.md", err.Error())
	}
	return nil
}

func hasAlias(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		return true
	}
	for _, c := range n.Content {
		if hasAlias(c) {
			return true
		}
	}
	return false
}

// ReadContacts reads a contacts file.
func ReadContacts(text string) (Contacts, error) {
	var c Contacts
	if err := read("contacts", text, &c); err != nil {
		return c, err
	}
	names := map[string]bool{}
	for i, one := range c.Contacts {
		field := fmt.Sprintf("contacts[%d]", i)
		if strings.TrimSpace(one.Entity) == "" {
			return c, ledger.Invalid(field+".entity", "a name", one.Entity)
		}
		switch one.Class {
		case "issuer", "exchange", "custodian", "authority":
		default:
			return c, ledger.Invalid(field+".class", "issuer, exchange, custodian or authority", one.Class)
		}
		if u, err := url.Parse(one.Portal); one.Portal != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
			return c, ledger.Invalid(field+".portal", "an https address", one.Portal)
		}
		if _, err := mail.ParseAddress(one.Email); one.Email != "" && err != nil {
			return c, ledger.Invalid(field+".email", "an e-mail address", one.Email)
		}
		for _, name := range append([]string{one.Entity}, one.Aliases...) {
			if key := strings.ToLower(name); names[key] {
				return c, ledger.Invalid(field+".entity", "a name or alias that no other contact has", name)
			} else {
				names[key] = true
			}
		}
	}
	return c, nil
}

// ReadAgency reads an agency file.
func ReadAgency(text string) (Agency, error) {
	var a Agency
	if err := read("agency", text, &a); err != nil {
		return a, err
	}
	if strings.TrimSpace(a.Agency) == "" {
		return a, ledger.Invalid("agency.agency", "a name", a.Agency)
	}
	return a, nil
}

// find is the contact of an entity, by name or alias.
func (c Contacts) find(entity string) Contact {
	for _, one := range c.Contacts {
		for _, name := range append([]string{one.Entity}, one.Aliases...) {
			if strings.EqualFold(name, entity) {
				return one
			}
		}
	}
	return Contact{Entity: entity}
}
