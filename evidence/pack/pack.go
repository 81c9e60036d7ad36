// Package pack puts a dossier, its renderings and its letters into the container
// of an evidence package, and reads it back.
package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/bag"
	"github.com/spoortrace/spoor/ledger"
)

// original is the file of a redacted package that has the manifest of the full one.
const original = "original.json"

// Write writes a dossier as a package with all its renderings. full is the
// MANIFEST.json of the package that a redacted one was made from; nil for a
// full one.
func Write(w io.Writer, d *evidence.Dossier, full []byte) (bag.Sum, error) {
	files, err := filesOf(d)
	if err != nil {
		return bag.Sum{}, err
	}
	if full != nil {
		files = append(files, bag.File{Path: original, Role: evidence.RoleRecord, Bytes: full})
	}
	return bag.Write(w, files, infoOf(d))
}

// Manifest is the MANIFEST.json of a dossier's package.
func Manifest(d *evidence.Dossier) ([]byte, error) {
	var text bytes.Buffer
	if _, err := Write(&text, d, nil); err != nil {
		return nil, err
	}
	b, err := bag.Open(bytes.NewReader(text.Bytes()), int64(text.Len()))
	if err != nil {
		return nil, err
	}
	return b.Read("MANIFEST.json")
}

// Name is the name of a package: the case and for whom it is.
func Name(d *evidence.Dossier) string { return d.Cover.Case + "-" + string(d.Cover.Redaction) }

func infoOf(d *evidence.Dossier) bag.Info {
	info := bag.Info{
		Name: Name(d), Organization: d.Cover.Authority, ExternalIdentifier: d.Cover.Number,
		Description: strings.TrimSpace("Evidence package of Spoor, level " + string(d.Cover.Redaction) + ". " + d.Cover.Demonstration),
	}
	for _, b := range d.Cover.AsOf { // the data cut-off: a package has no clock
		if day := b.Time.Format("2006-01-02"); day > info.BaggingDate {
			info.BaggingDate = day
		}
	}
	return info
}

func filesOf(d *evidence.Dossier) ([]bag.File, error) {
	parts, err := d.Parts()
	if err != nil {
		return nil, err
	}
	for _, r := range renderers() {
		more, err := r(d)
		if err != nil {
			return nil, err
		}
		parts = append(parts, more...)
	}
	var files []bag.File
	for _, p := range parts {
		files = append(files, bag.File{Path: p.Path, Role: p.Role, Bytes: p.Bytes})
	}
	return files, nil
}

// Read reads the dossier of a package.
func Read(b *bag.Bag) (*evidence.Dossier, error) {
	return evidence.ReadDossier(b.Read)
}

// Check holds a package against what its own dossier gives: every rendering, and
// that there is no other file.
func Check(b *bag.Bag, d *evidence.Dossier) error {
	files, err := filesOf(d)
	if err != nil {
		return err
	}
	want := map[string][]byte{}
	for _, f := range files {
		want[f.Path] = f.Bytes
	}
	for _, f := range b.Files() {
		if f.Path == original && d.Cover.Redaction != evidence.ForCourt {
			continue
		}
		text, held := want[f.Path]
		if !held {
			return fmt.Errorf("%s: not a file of a package: %w", f.Path, ledger.ErrCorrupt)
		}
		got, err := b.Read(f.Path)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, text) {
			return fmt.Errorf("%s: not what the records give: %w", f.Path, ledger.ErrCorrupt)
		}
		delete(want, f.Path)
	}
	for path := range want {
		err = errors.Join(err, fmt.Errorf("%s: missing: %w", path, ledger.ErrCorrupt))
	}
	return err
}
