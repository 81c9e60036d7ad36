package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	checkNameForm = "form of the files"
	deepestForm   = 64 // values in values
)

// fieldNames are the names that each JSON file may have, wherever in it. What nobody reads could say something to who looks at the file.
func fieldNames() map[string]string {
	const place, shares = " place height tx_index slot", " shares label amount"
	return map[string]string{
		"case.json": "format case number title authority author demonstration redaction supersedes changes software as_of network height hash time" +
			" label_sequence rule_version assets asset symbol decimals known dust networks model coverage detail missing export warnings",
		"method.json": "utxo account name about reason allocation compared floor stops limits service_payees account_events hops events heuristics id" +
			" tier text rates",
		"payments.json":    "label payment victim status network tx index from to asset amount paid ledger time collided usd usd_source" + place,
		"personal.json":    "subject field value salt commitment",
		"commitments.json": "subject field commitment",
		"ledger.json": "id parent depth network tx index block time from from_others to asset traced class grade why proof heuristic tier confidence crossing" +
			" ends check usd usd_source kind rule amount_in traced_in amount_out traced_out" + place + shares,
		"record.json": "blocks network height hash time histories address asset from opening deficit to events place tx_index slot kind amount complete" +
			" transactions tx status grade coinbase inputs index known value outputs spent transfers notices account peer contract ref balances services n" +
			" covered labels tags sequence label category concepts actor source pack confidence valid_from valid_to last_modified recorded type subject after" +
			" clocks crossings crossing rule tier id amount_in traced_in amount_out traced_out",
		"results.json": "utxo account terminals row network address asset traced reason bucket tx index via arrived_at balance_now coin rests closed_at sheets" +
			" conserves rows seeded collided converted_in resting stopped burnt fees converted_out pruned pending hops digest assumed_inputs" + place + shares,
		"holdings.json": "id network address account asset holder freezable_by reasons traced low high under policy victims victim held balance_now unexplained" +
			" missing first_seen last_seen minutes via entity contact rows recoverable seized usd usd_source check" + shares,
		"restitution.json": "victim asset lost traced allocated",
		"entities.json":    "id name category addresses evidence alternatives address label actor source pack confidence last_modified recorded sequence private",
		"requests.json":    "id kind to holdings letter",
		"custody.json":     "origin key checkpoint size entries number body",
		"reproduce.json":   "command program_sha256 label_packs name sha256 networks network height digest",
		"proofs.json":      "file network tx",
	}
}

// checkForms: each record is one JSON value in the one form that it has: no spaces, a line break at the end, no name twice and none that is
// not known, numbers as digits, no escape without need. So two readers cannot see two different things in it.
func checkForms(p *pack) []finding {
	var found []finding
	for path, names := range fieldNames() {
		text, ok := p.files[path]
		if !ok {
			continue // whoever reads the file says so
		}
		if err := checkForm(path, names, text); err != nil {
			found = append(found, finding{checkNameForm, path, "one JSON value in its one form", err.Error()})
		}
	}
	return sorted(found)
}

func checkForm(path, names string, text []byte) error {
	body, ok := bytes.CutSuffix(text, []byte("\n"))
	var compact bytes.Buffer
	if err := json.Compact(&compact, body); err != nil {
		return err
	}
	if !ok || !bytes.Equal(compact.Bytes(), body) {
		return errors.New("spaces, or no line break at its end")
	}
	f := formReader{in: json.NewDecoder(bytes.NewReader(body)), names: map[string]bool{}, raw: path == "custody.json"}
	f.in.UseNumber()
	for _, name := range strings.Fields(names) {
		f.names[name] = true
	}
	if err := f.value(0); err != nil {
		return err
	}
	if _, err := f.in.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something stands behind its value")
	}
	if !f.raw && !bytes.Equal(f.out.Bytes(), body) {
		return fmt.Errorf("not written as it is read: %s", differs(f.out.Bytes(), body))
	}
	return nil
}

// formReader reads a value and writes it as a package does.
type formReader struct {
	in    *json.Decoder
	out   bytes.Buffer
	names map[string]bool
	raw   bool // entries of the custody log stand in their own form, since their bytes are what was signed
}

func (f *formReader) value(depth int) error {
	token, err := f.in.Token()
	if err != nil {
		return err
	}
	if depth > deepestForm {
		return fmt.Errorf("more than %d values in values", deepestForm)
	}
	switch v := token.(type) {
	case json.Delim:
		return f.inside(v, depth)
	case json.Number:
		if digits := strings.TrimPrefix(v.String(), "-"); !f.raw && (strings.Trim(digits, "0123456789") != "" || v == "-0") {
			return fmt.Errorf("the number %.60s", v)
		}
		f.out.WriteString(v.String())
		return nil
	}
	return f.write(token)
}

// inside reads an object or a list.
func (f *formReader) inside(open json.Delim, depth int) error {
	f.out.WriteString(open.String())
	seen := map[string]bool{}
	for first := true; f.in.More(); first = false {
		if !first {
			f.out.WriteByte(',')
		}
		var name string
		if open == '{' {
			token, err := f.in.Token()
			if err != nil {
				return err
			}
			name, _ = token.(string)
			if seen[name] || f.names != nil && !f.names[name] {
				return fmt.Errorf("the name %.60q, which is not known or there twice", name)
			}
			seen[name] = true
			if err := f.write(name); err != nil {
				return err
			}
			f.out.WriteByte(':')
		}
		names := f.names
		if f.raw && name == "body" {
			f.names = nil
		}
		if err := f.value(depth + 1); err != nil {
			return err
		}
		f.names = names
	}
	end, err := f.in.Token()
	if err != nil {
		return err
	}
	return f.write(end)
}

// write writes a name, a text, a truth, nothing, or the end of what was opened.
func (f *formReader) write(token json.Token) error {
	if end, ok := token.(json.Delim); ok {
		f.out.WriteString(end.String())
		return nil
	}
	var one bytes.Buffer
	e := json.NewEncoder(&one)
	e.SetEscapeHTML(false)
	if err := e.Encode(token); err != nil {
		return err
	}
	f.out.Write(bytes.TrimSuffix(one.Bytes(), []byte("\n")))
	return nil
}

// sorted brings findings of one check into the order of their subjects.
func sorted(found []finding) []finding {
	slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.Subject, b.Subject) })
	return found
}
