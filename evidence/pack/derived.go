package pack

import (
	"bytes"
	"fmt"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/bag"
	"github.com/spoortrace/spoor/ledger"
)

// Derived reports whether a redacted package is what the full one gives at its
// level: it names the full one's manifest, and says nothing of payments,
// transfers, sums and holdings that the full one does not.
func Derived(redacted, full *bag.Bag) error {
	named, err := redacted.Read(original)
	if err != nil {
		return fmt.Errorf("%s: %w", original, err)
	}
	manifest, err := full.Read("MANIFEST.json")
	if err != nil {
		return err
	}
	if !bytes.Equal(named, manifest) {
		return fmt.Errorf("%s is not the manifest of the full package: %w", original, ledger.ErrCorrupt)
	}
	theirs, err := Read(redacted)
	if err != nil {
		return err
	}
	d, err := Read(full)
	if err != nil {
		return err
	}
	return sameParts(d.Like(theirs), theirs)
}

// sameParts compares all files of two dossiers.
func sameParts(want, got *evidence.Dossier) error {
	a, err := want.Parts()
	if err != nil {
		return err
	}
	b, err := got.Parts()
	if err != nil {
		return err
	}
	if len(a) != len(b) {
		return fmt.Errorf("%d files, the full package gives %d: %w", len(b), len(a), ledger.ErrCorrupt)
	}
	for i := range a {
		if a[i].Path != b[i].Path || !bytes.Equal(a[i].Bytes, b[i].Bytes) {
			return fmt.Errorf("%s is not what the full package gives: %w", b[i].Path, ledger.ErrCorrupt)
		}
	}
	return nil
}
