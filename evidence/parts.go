package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// The roles of files in a package.
const (
	RoleRecord    = "record"    // what everything else is made of
	RoleProof     = "proof"     // what a network's own data proves
	RoleLetter    = "letter"    // a request
	RoleRendering = "rendering" // can be made again from the records
)

// Part is a file of a package.
type Part struct {
	Path  string // below data/
	Role  string
	Bytes []byte
}

// Commitment is a personal fact without its content.
type Commitment struct {
	Subject    string `json:"subject"`
	Field      string `json:"field"`
	Commitment string `json:"commitment"`
}

// section is one JSON file and what of a dossier is in it.
type section struct {
	path string
	of   func(*Dossier) any
}

// sections is the table of the JSON files. A new one is a field and a row.
func sections() []section {
	return []section{
		{"case.json", func(d *Dossier) any { return &d.Cover }},
		{"method.json", func(d *Dossier) any { return &d.Method }},
		{"payments.json", func(d *Dossier) any { return &d.Payments }},
		{"personal.json", func(d *Dossier) any { return &d.Personal }},
		{"ledger.json", func(d *Dossier) any { return &d.Ledger }},
		{"record.json", func(d *Dossier) any { return &d.Record }},
		{"results.json", func(d *Dossier) any { return &d.Results }},
		{"holdings.json", func(d *Dossier) any { return &d.Holdings }},
		{"restitution.json", func(d *Dossier) any { return &d.Shares }},
		{"entities.json", func(d *Dossier) any { return &d.Entities }},
		{"requests.json", func(d *Dossier) any { return &d.Requests }},
		{"custody.json", func(d *Dossier) any { return &d.Custody }},
		{"reproduce.json", func(d *Dossier) any { return &d.Reproduce }},
		{"proofs.json", func(d *Dossier) any { return &d.Proofs }},
	}
}

// Parts returns the dossier's own files: records, proofs and letters.
func (d *Dossier) Parts() ([]Part, error) {
	var parts []Part
	for _, s := range sections() {
		text, err := encode(s.of(d))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.path, err)
		}
		parts = append(parts, Part{s.path, RoleRecord, text})
	}
	text, err := encode(commitments(d.Personal))
	if err != nil {
		return nil, err
	}
	parts = append(parts, Part{"commitments.json", RoleRecord, text})
	for _, p := range d.Proofs {
		parts = append(parts, Part{p.File, RoleProof, p.Content})
	}
	for _, r := range d.Requests {
		parts = append(parts, Part{r.Letter, RoleLetter, []byte(r.Text)})
	}
	return parts, nil
}

func commitments(all []Personal) []Commitment {
	list := []Commitment{}
	for _, p := range all {
		list = append(list, Commitment{p.Subject, p.Field, p.Commitment})
	}
	return list
}

// encode writes one JSON value and a line break. Nothing is escaped that JSON
// does not ask for.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// ReadDossier reads the files that Parts wrote. read gives a file by its path,
// ledger.ErrNotFound where there is none.
func ReadDossier(read func(path string) ([]byte, error)) (*Dossier, error) {
	d := &Dossier{}
	for _, s := range sections() {
		if err := readPart(read, s.path, s.of(d)); err != nil {
			return nil, err
		}
	}
	if d.Cover.Format != Format {
		return nil, fmt.Errorf("case.json: format %d: %w; this program knows format %d", d.Cover.Format, ledger.ErrNewer, Format)
	}
	for i := range d.Proofs {
		content, err := read(d.Proofs[i].File)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.Proofs[i].File, err)
		}
		d.Proofs[i].Content = content
	}
	for i := range d.Requests {
		text, err := read(d.Requests[i].Letter)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.Requests[i].Letter, err)
		}
		d.Requests[i].Text = string(text)
	}
	return d, nil
}

// readPart reads a file strictly: what it says must be written as encode writes it.
func readPart(read func(string) ([]byte, error), path string, into any) error {
	text, err := read(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	e := json.NewDecoder(bytes.NewReader(text))
	e.DisallowUnknownFields()
	if err := e.Decode(into); err != nil {
		return fmt.Errorf("%s: %w: %w", path, ledger.ErrCorrupt, err)
	}
	again, err := encode(into)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, text) {
		return fmt.Errorf("%s: not in the one form that a package has: %w", path, ledger.ErrCorrupt)
	}
	return nil
}

// Commit makes a personal fact with its commitment. The salt is 32 bytes.
func Commit(subject, field, value string, salt [32]byte) Personal {
	return Personal{Subject: subject, Field: field, Value: value, Salt: hex.EncodeToString(salt[:]), Commitment: commitmentOf(salt, value)}
}

func commitmentOf(salt [32]byte, value string) string {
	sum := sha256.Sum256(append(salt[:], value...))
	return hex.EncodeToString(sum[:])
}
