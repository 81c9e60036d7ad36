package cases

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/spoortrace/spoor/ledger"
)

// Mapping says how the columns of an office are called.
//
//	columns:
//	  victim: [ผู้เสียหาย, ชื่อ]
//	defaults:
//	  network: tron
//	values:
//	  status: {ยืนยัน: confirmed}
type Mapping struct {
	Columns  map[string][]string          `yaml:"columns"`  // our name: theirs, without regard to case
	Defaults map[string]string            `yaml:"defaults"` // our name: what an empty cell stands for
	Values   map[string]map[string]string `yaml:"values"`   // our name: their value: ours
}

const maxMapping = 1 << 20

// ReadMapping reads a mapping file. Unknown keys, aliases and a name that stands
// for two columns are refused.
func ReadMapping(r io.Reader) (*Mapping, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxMapping+1))
	if err != nil {
		return nil, fmt.Errorf("cases: mapping: %w", err)
	}
	m := &Mapping{}
	if err := m.read(raw); err != nil {
		return nil, fmt.Errorf("cases: mapping: %w", err)
	}
	return m, nil
}

func (m *Mapping) read(raw []byte) error {
	if len(raw) > maxMapping {
		return fmt.Errorf("a file of more than %d bytes: %w", maxMapping, ledger.ErrExhausted)
	}
	var tree yaml.Node
	if err := yaml.Unmarshal(raw, &tree); err != nil {
		return ledger.Invalid("file", "YAML", err.Error())
	}
	if aliased(&tree) {
		return ledger.Invalid("file", "YAML without aliases", "an alias")
	}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(m); err != nil && !errors.Is(err, io.EOF) {
		return ledger.Invalid("file", "columns, defaults and values", err.Error())
	}
	return m.check()
}

func aliased(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, aliased)
}

// allColumns are those of payments and of services' answers: one office has one mapping.
func allColumns() []string {
	all := slices.Clone(columnNames)
	for _, name := range returnColumns {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

func (m *Mapping) check() error {
	seen := map[string]string{}
	for _, ours := range allColumns() {
		for _, theirs := range m.Columns[ours] {
			if before, twice := seen[fold(theirs)]; twice {
				return ledger.Invalid("columns."+ours, "a name that no other column has", theirs+" of "+before)
			}
			seen[fold(theirs)] = ours
		}
	}
	known := func(section, name string) error {
		if !slices.Contains(allColumns(), name) {
			return ledger.Invalid(section, "one of "+strings.Join(allColumns(), ", "), name)
		}
		return nil
	}
	var all []error
	for _, name := range slices.Sorted(maps.Keys(m.Columns)) {
		all = append(all, known("columns", name))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Defaults)) {
		all = append(all, known("defaults", name))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Values)) {
		all = append(all, known("values", name))
	}
	return errors.Join(all...)
}

func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// column returns our name of a column; empty when it is none of ours.
func (m *Mapping) column(theirs string) string {
	for _, ours := range allColumns() {
		if m != nil && slices.ContainsFunc(m.Columns[ours], func(s string) bool { return fold(s) == fold(theirs) }) {
			return ours
		}
	}
	if slices.Contains(allColumns(), fold(theirs)) {
		return fold(theirs)
	}
	return ""
}

func (m *Mapping) value(ours string) string {
	if m == nil {
		return ""
	}
	return m.Defaults[ours]
}

func (m *Mapping) translate(ours, value string) string {
	if m == nil {
		return value
	}
	if to, ok := m.Values[ours][value]; ok {
		return to
	}
	return value
}
