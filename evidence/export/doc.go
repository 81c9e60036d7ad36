// Package export renders a dossier for other programs: tables as CSV, the flow as
// GraphML, JSON and SVG, and the exchange formats of investigators (CASE/UCO,
// STIX, GraphSense TagPacks). Each is a pure function of the dossier.
package export

import (
	"fmt"

	"github.com/spoortrace/spoor/evidence"
)

// Files returns all of them.
func Files(d *evidence.Dossier) ([]evidence.Part, error) {
	var parts []evidence.Part
	for _, f := range formats() {
		text, err := f.write(d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
		parts = append(parts, evidence.Part{Path: f.path, Role: evidence.RoleRendering, Bytes: text})
	}
	return parts, nil
}

// format is a file and how it is made.
type format struct {
	path  string
	write func(*evidence.Dossier) ([]byte, error)
}

// formats is the table of exports. A new one is a function and a row.
func formats() []format {
	return []format{
		{"payments.csv", paymentsCSV},
		{"ledger.csv", ledgerCSV},
		{"histories.csv", historiesCSV},
		{"terminals.csv", terminalsCSV},
		{"sheets.csv", sheetsCSV},
		{"holdings.csv", holdingsCSV},
		{"apportioned.csv", apportionedCSV},
		{"restitution.csv", restitutionCSV},
		{"entities.csv", entitiesCSV},
		{"flow.json", flowJSON},
		{"flow.graphml", flowGraphML},
		{"flow.svg", flowSVG},
		{"exports/case-uco.jsonld", caseUCO},
		{"exports/stix.json", stix},
		{"exports/tagpack.yaml", tagPack},
	}
}
