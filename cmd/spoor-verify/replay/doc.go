// Package replay recomputes a package's figures from its record, as
// docs/package.md, sections 3 to 5, says: every policy, the ledger, the seizure
// table and the restitution schedule. It rests on the standard library alone and
// shares no code with the tracer.
package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Finding is one thing that does not hold.
type Finding struct{ Check, Subject, Want, Got string }

type finding = Finding

// pack are the files of a package, by their paths below data/.
type pack struct{ files map[string][]byte }

// Check recomputes a package from its files, by their paths below data/. It
// returns what does not hold, and one sentence for each sheet that re-adds.
func Check(files map[string][]byte) (found []Finding, sums []string) {
	return checkPolicies(&pack{files})
}

// readPart reads one JSON value, and nothing behind it.
func readPart(p *pack, path string, into any) error {
	text, ok := p.files[path]
	if !ok {
		return fmt.Errorf("%s is not in the package", path)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: something stands behind its value", path)
	}
	return nil
}
