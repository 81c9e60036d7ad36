package labels

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// format is one form of label files. A new one is a file with a walk and a row here.
type format struct {
	name string
	// is looks at the beginning of the text, at most headSize, without a byte order mark.
	is   func(head []byte) bool
	walk walk // nil: it has actors alone
}

// formats are asked in this order; the first that knows the text takes it.
var formats = []format{
	{"ofac", func(b []byte) bool { return begins(b, '<') && bytes.Contains(b, []byte("<Sanctions")) }, walkOFAC},
	{"stix", func(b []byte) bool { return begins(b, '{') && match(b, `"type"\s*:\s*"bundle"|"id"\s*:\s*"bundle--`) }, walkSTIX},
	{"opensanctions", func(b []byte) bool { return begins(b, '{') && match(b, `^\s*\{[^\n]*"schema"\s*:`) }, walkFTM},
	{"etherscan", func(b []byte) bool { return match(b, `^\s*\{\s*"[^"]{0,64}"\s*:\s*\{\s*"(name|labels)"\s*:`) }, walkEtherscan},
	{"actorpack", func(b []byte) bool { return match(b, `(?m)^actors:`) && !match(b, `(?m)^tags:`) }, nil},
	{"tagpack", func(b []byte) bool { return match(b, `(?m)^(title|creator|tags|header)\s*:`) }, walkTagPack},
	{"forta", func(b []byte) bool {
		return match(b, `^(banned_address,wallet_tag|contract_address,contract_tag|address,etherscan_tag)`)
	}, walkForta},
	{"csv", func(b []byte) bool { return match(b, `(?i)^[^\n]*\baddress\b[^\n]*`) && match(b, `^[^\n]*,`) }, walkCSV},
	{"list", func(b []byte) bool { return match(b, `^(\s*#[^\n]*\n)*\s*[0-9A-Za-z:]{14,256}\s*(\n|$)`) }, walkList},
	{"list", func(b []byte) bool { return match(b, `^\s*\[\s*("[0-9A-Za-z:]{14,256}"|\])`) }, walkJSONList},
}

const headSize = 64 << 10

func begins(b []byte, first byte) bool {
	trimmed := bytes.TrimLeft(b, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == first
}

func match(b []byte, pattern string) bool { return regexp.MustCompile(pattern).Match(b) }

// wantFormat is what an unknown file is answered with.
const wantFormat = "a TagPack or ActorPack (YAML), a label CSV, OFAC's advanced XML, OpenSanctions entities (JSON lines), a STIX 2.1 bundle, " +
	"etherscan-labels, a Forta table or a list of addresses, plain or .gz"

// formatOf tells the format by the text, and by the ending where that does not.
func formatOf(name string, text *bufio.Reader) (format, error) {
	head, err := text.Peek(headSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return format{}, err
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return format{}, ledger.Invalid(name, wantFormat, "a file with NUL bytes")
	}
	for _, f := range formats {
		if f.is(head) {
			return f, nil
		}
	}
	switch filepath.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz")) {
	case ".csv": // so that the reader says what is wrong with it
		return format{name: "csv", walk: walkCSV}, nil
	case ".yaml", ".yml":
		return format{name: "tagpack", walk: walkTagPack}, nil
	}
	first, _, _ := bytes.Cut(bytes.TrimSpace(head), []byte("\n"))
	return format{}, ledger.Invalid(name, wantFormat, string(first[:min(len(first), 64)]))
}

// endings are how label files end, which Find looks for in a folder.
var endings = []string{".yaml", ".yml", ".csv", ".xml", ".json", ".jsonl", ".txt"}

// Find returns the label files of a path: itself, or what a folder holds,
// ordered by name. In a folder only files that end as label files do count, and
// config.yaml, which GraphSense keeps beside packs, is left out.
func Find(path string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		known := slices.Contains(endings, filepath.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz")))
		switch {
		case entry.IsDir():
		case name == path, known && filepath.Base(name) != "config.yaml":
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	if len(files) == 0 {
		return nil, ledger.Invalid(path, "label files: "+strings.Join(endings, ", ")+", plain or .gz", "none")
	}
	return files, nil
}

// ImportFile imports one file, told apart by its content (formats), as one
// batch: all of it or nothing.
func (l *Log) ImportFile(ctx context.Context, path string, opt Options, recorded int64) (Import, error) {
	if err := opt.check(); err != nil {
		return Import{}, err
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
	src, err := sourceOf(ctx, filepath.Base(path), f, opt)
	if err != nil {
		return Import{}, err
	}
	src.Edition.Published = recorded // unless the file says
	src.SHA256 = sum
	return l.Import(ctx, src, recorded)
}

// sourceOf makes the source of a file's text.
func sourceOf(ctx context.Context, name string, r io.Reader, opt Options) (Source, error) {
	report := &Report{}
	in, err := newInput(name, r, opt, report)
	if err != nil {
		return Source{}, err
	}
	text := bufio.NewReaderSize(in.text.in, headSize)
	in.text.in = text
	f, err := formatOf(name, text)
	if err != nil {
		return Source{}, err
	}
	in.edition = Edition{List: listed(name, opt.Network), Complete: opt.Complete}
	plain := opt
	plain.DryRun = false
	src := Source{
		Name: name, Report: report, Format: f.name, MaxAge: opt.MaxAge, Again: plain != Options{}, Dry: opt.DryRun, Edition: &in.edition,
		Tags: func(func(ledger.Tag, error) bool) {},
	}
	if f.walk == nil {
		src.Actors = actors(ctx, in)
	} else {
		src.Tags = tags(ctx, in, f.walk)
	}
	return src, nil
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
