package report

import (
	"fmt"

	"github.com/spoortrace/spoor/evidence"
)

// Files are both reports.
func Files(d *evidence.Dossier) ([]evidence.Part, error) {
	html, err := HTML(d)
	if err != nil {
		return nil, fmt.Errorf("report.html: %w", err)
	}
	pdf, err := PDF(d)
	if err != nil {
		return nil, fmt.Errorf("report.pdf: %w", err)
	}
	return []evidence.Part{
		{Path: "report.html", Role: evidence.RoleRendering, Bytes: html}, {Path: "report.pdf", Role: evidence.RoleRendering, Bytes: pdf},
	}, nil
}
