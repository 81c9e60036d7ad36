// Package replay recomputes a package's figures from its record, as docs/package.md says in sections 3 to 5: that the record's parts agree,
// every policy, the ledger, the seizure table and the restitution schedule. It rests on the standard library alone and shares no code with the
// program that made the package.
package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Finding is one thing that does not hold.
type Finding struct{ Check, Subject, Want, Got string }

// Areas are the names of what Check looks at, in their order.
func Areas() []string {
	return []string{
		checkNameFiles, checkNameCover, checkNameRecord, checkNamePolicies, checkNameSums, checkNameLedger, checkNamePayments, checkNameHoldings,
		checkNameRestitution, checkNameRequests,
	}
}

const (
	checkNameFiles    = "files"
	checkNameCover    = "cut-off and networks"
	checkNameRequests = "requests"
)

// Check recomputes a package from its files, by their paths below data/. It returns what does not hold, none of which stops the search for
// others, and what can be said of the sums: a sentence for each sheet of the case's own policies, and for each result that was not recomputed.
func Check(files map[string][]byte) (found []Finding, sums []string) {
	d, found := readDossier(files)
	b := newBook(d)
	found = append(append(found, sorted(b.found)...), checkCover(d)...)
	more, skipped := checkPolicies(d, b)
	found = append(found, more...)
	found = append(found, checkPayments(d, b)...)
	found = append(found, checkRows(d, b)...)
	found = append(found, checkHoldings(d)...)
	found = append(found, checkRestitution(d)...)
	found = append(found, checkRequests(files, d)...)
	for _, name := range skipped {
		sums = append(sums, name+" was not recomputed: it conserves nothing")
	}
	return found, append(sums, sheetTexts(d)...)
}

func readDossier(files map[string][]byte) (d *dossier, found []Finding) {
	d = &dossier{}
	for _, f := range []struct {
		path string
		into any
	}{
		{"case.json", &d.cover},
		{"method.json", &d.method},
		{"payments.json", &d.payments},
		{"ledger.json", &d.ledger},
		{"record.json", &d.record},
		{"results.json", &d.results},
		{"holdings.json", &d.holdings},
		{"restitution.json", &d.awards},
		{"entities.json", &d.entities},
		{"requests.json", &d.requests},
	} {
		if err := readPart(files, f.path, f.into); err != nil {
			found = append(found, Finding{checkNameFiles, f.path, "one JSON value of its kind", err.Error()})
		}
	}
	return d, found
}

// readPart reads one JSON value without fields that are not known, and nothing behind it.
func readPart(files map[string][]byte, path string, into any) error {
	text, ok := files[path]
	if !ok {
		return errors.New("it is not in the package")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something stands behind its value")
	}
	return nil
}

// sheetTexts says what the sheets of the case's own policies sum to.
func sheetTexts(d *dossier) (texts []string) {
	if len(d.results) == 0 {
		return nil
	}
	for _, s := range d.results[0].Sheets {
		if len(s.Rows) == 0 {
			continue
		}
		numbers := s.Rows[0].numbers()
		if _, _, ok := readds(numbers); !ok {
			continue // found
		}
		var parts []string
		for c, n := range numbers {
			if n.Sign() > 0 {
				parts = append(parts, fmt.Sprintf("%s %s", column(c), n))
			}
		}
		texts = append(texts, fmt.Sprintf("%s: %d rows re-add to the unit; in all %s", s.Asset, len(s.Rows), strings.Join(parts, ", ")))
	}
	return texts
}

// checkRequests: letters are about holdings of the table, and are there.
func checkRequests(files map[string][]byte, d *dossier) (found []Finding) {
	for _, r := range d.requests {
		if _, ok := files[r.Letter]; !ok {
			found = append(found, Finding{checkNameRequests, r.ID, "its letter " + r.Letter, "no such file"})
		}
		for _, id := range r.Holdings {
			if !slices.ContainsFunc(d.holdings, func(h holding) bool { return h.ID == id }) {
				found = append(found, Finding{checkNameRequests, r.ID, "holdings of the table", id})
			}
		}
	}
	return found
}

// checkCover: the networks are held as their kind is, and nothing is later than the cut-off.
func checkCover(d *dossier) (found []Finding) {
	if d.cover.Format != 1 {
		found = append(found, Finding{checkNameCover, "case.json", "format 1", strconv.Itoa(d.cover.Format)})
	}
	for _, n := range d.cover.Networks {
		model := "account"
		if isUTXO(n.Network) {
			model = "utxo"
		}
		if n.Model != model || familyOf(n.Network) == "" {
			found = append(found, Finding{checkNameCover, n.Network, "a network that is known, of model " + model, n.Model})
		}
	}
	last := map[string]uint64{}
	for _, b := range d.cover.AsOf {
		last[b.Network] = b.Height
	}
	for _, t := range d.record.Transactions {
		if height, ok := last[t.Network]; ok && t.Height > height {
			found = append(found, Finding{checkNameCover, fmt.Sprintf("transaction %s of %s", t.Tx, t.Network), fmt.Sprintf("at most at %d, the cut-off", height), strconv.FormatUint(t.Height, 10)})
		}
	}
	return found
}
