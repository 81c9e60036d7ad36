package labels

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// reader is a format of label files.
type reader func(ctx context.Context, name string, r io.Reader, report *Report) iter.Seq2[ledger.Tag, error]

// readerOf picks the format by the file's name.
func readerOf(name string) (reader, bool) {
	switch filepath.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz")) {
	case ".yaml", ".yml":
		return ReadTagPack, true
	case ".csv":
		return ReadCSV, true
	}
	return nil, false
}

// Find returns the label files of a path: itself, or what a folder holds,
// ordered by name. Files that GraphSense keeps beside packs are left out
// (actor packs, config.yaml).
func Find(path string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		_, known := readerOf(name)
		switch {
		case entry.IsDir():
		case name == path, known && !strings.HasSuffix(name, "actorpack.yaml") && filepath.Base(name) != "config.yaml":
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	if len(files) == 0 {
		return nil, ledger.Invalid(path, "TagPacks (.yaml) or label CSVs (.csv), plain or .gz", "none")
	}
	return files, nil
}

// ImportFile imports one file, whose name tells the format: .yaml or .yml is a
// TagPack, .csv a label CSV, plain or .gz.
func (l *Log) ImportFile(ctx context.Context, path string, recorded int64) (Import, error) {
	read, ok := readerOf(path)
	if !ok {
		return Import{}, ledger.Invalid(filepath.Base(path), "a TagPack (.yaml) or a label CSV (.csv), plain or .gz", filepath.Base(path))
	}
	sum, err := textSum(path)
	if err != nil {
		return Import{}, fmt.Errorf("labels: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return Import{}, fmt.Errorf("labels: %w", err)
	}
	defer f.Close()
	report := &Report{}
	name := filepath.Base(path)
	return l.Import(ctx, Source{Name: name, SHA256: sum, Tags: read(ctx, name, f, report), Report: report}, recorded)
}

// textSum is the SHA-256 of a file's text, so that a zipped file is the same as a plain one.
func textSum(path string) (sum [32]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	text, err := gunzip(filepath.Base(path), f)
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(text, maxPack+1))
	if err == nil && n > maxPack {
		err = ledger.Invalid(filepath.Base(path), "at most 200 MiB", "more")
	}
	copy(sum[:], h.Sum(nil))
	return sum, err
}
