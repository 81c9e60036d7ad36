package pack

import (
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/export"
	"github.com/spoortrace/spoor/evidence/report"
)

// renderer makes files of a dossier for people or other programs.
type renderer func(*evidence.Dossier) ([]evidence.Part, error)

// renderers is the table of what a package has besides its records. A new kind
// is a function and a row.
func renderers() []renderer {
	return []renderer{export.Files, report.Files}
}
