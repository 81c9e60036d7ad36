// Command spoor-verify checks an evidence package offline. It rests on Go's standard library alone and shares no code with the program that
// made the package; docs/package.md says what is in one and what follows from what.
package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/cmd/spoor-verify/replay"
)

const usage = `usage: spoor-verify [flags] PACKAGE.zip

Checks an evidence package: container, signature and time stamp, personal facts, the accounting under every rule, proofs and grades, custody log.
It needs no network and no index. It ends in one page for the file. Exit status: 0 it holds, 1 it does not, 2 wrong use.

`

// question is what is to be checked against what.
type question struct {
	name                                                    string
	public, signature, authority, token, kept, full, blocks string
	json                                                    bool
}

func main() {
	var q question
	f := flag.NewFlagSet("spoor-verify", flag.ContinueOnError)
	f.StringVar(&q.public, "public-key", "", "`FILE` with the examiner's public key (minisign)")
	f.StringVar(&q.signature, "signature", "", "`FILE` with the signature (default PACKAGE.zip.minisig)")
	f.StringVar(&q.authority, "authority", "", "`FILE` of PEM certificates of time-stamping authorities")
	f.StringVar(&q.token, "token", "", "`FILE` with the time stamp (default PACKAGE.zip.tsr)")
	f.StringVar(&q.kept, "checkpoint", "", "`FILE` with a checkpoint of the custody log that was kept elsewhere")
	f.StringVar(&q.full, "full", "", "the full `PACKAGE` from which this redacted one has to be derived")
	f.StringVar(&q.blocks, "blocks", "", "`FILE` (CSV: network,height,hash) of block hashes from a node that is trusted")
	f.BoolVar(&q.json, "json", false, "print the page as JSON")
	f.Usage = func() {
		fmt.Fprint(f.Output(), usage)
		f.PrintDefaults()
	}
	err := f.Parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil || f.NArg() != 1 {
		if err == nil {
			f.Usage()
		}
		os.Exit(2)
	}
	q.name = f.Arg(0)
	sheet, err := q.answer()
	if err != nil {
		fmt.Fprintln(os.Stderr, "spoor-verify:", err)
		os.Exit(2)
	}
	if err := sheet.print(os.Stdout, q.json); err != nil || !sheet.Holds {
		os.Exit(1)
	}
}

// answer makes all checks. An error means that something could not be read at all.
func (q question) answer() (*page, error) {
	raw, err := os.ReadFile(q.name)
	if err != nil {
		return nil, err
	}
	sheet, err := newPage(q.name, raw)
	if err != nil {
		return nil, err
	}
	p, err := readPack(raw)
	if err != nil {
		sheet.add("container", "", []finding{{"container", q.name, "a zip", err.Error()}})
		sheet.Open = []string{"everything else"}
		return sheet, nil //nolint:nilerr // it is on the page
	}
	sheet.describe(p)
	sheet.add("container", fmt.Sprintf("%d files", len(p.files)), append(checkContainer(p), checkForms(p)...))
	sheet.add("personal facts", "", checkPersonal(p))
	found, sums := replay.Check(p.files)
	for _, area := range replay.Areas() {
		sheet.add(area, "", of(found, func(name string) bool { return name == area }))
	}
	if more := of(found, func(name string) bool { return !slices.Contains(replay.Areas(), name) }); len(more) > 0 {
		sheet.add("more", "", more)
	}
	sheet.Sums = sums
	sheet.add("ids, times and places agree in all files", "", checkReferences(p))
	graded, more := checkProofs(p)
	sheet.Grades = graded
	sheet.add("proofs and grades", fmt.Sprintf("%d proven, %d attested, %d inferred", graded.Proven, graded.Attested, graded.Inferred), more)
	sheet.Open = q.open(p)
	return sheet, q.beside(sheet, p, raw)
}

// of are the findings of some areas.
func of(all []replay.Finding, is func(name string) bool) (found []finding) {
	for _, f := range all {
		if is(f.Check) {
			found = append(found, finding(f))
		}
	}
	return found
}

// open lists what was not checked: what is not known to hold is not said to.
func (q question) open(p *pack) (open []string) {
	for _, one := range []struct{ given, text string }{
		{q.public, "who signed it: no public key was given (-public-key)"},
		{q.authority, "when it was made: no certificates of a time-stamping authority were given (-authority)"},
		{q.kept, "that the custody log begins as it did earlier: no checkpoint that was kept elsewhere was given (-checkpoint)"},
		{q.blocks, "that its blocks are those of the networks' own chains: no list from a trusted node was given (-blocks); any node answers it"},
	} {
		if one.given == "" {
			open = append(open, one.text)
		}
	}
	if _, redacted := p.files[originalPath]; redacted && q.full == "" {
		open = append(open, "that all it shows is in the full package: that one was not given (-full)")
	}
	return append(open,
		"where a trace had to end: labels, services and coverage are taken as the record states them; spoor verify applies the rules to them",
		"that PDF, HTML, CSV and the other renderings say what the records say; spoor verify makes them again",
		"prices, and who owns an address")
}

// readPack takes a zip apart. That it is the one zip of these files is checked with the container.
func readPack(raw []byte) (*pack, error) {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, err
	}
	p := &pack{zipSHA256: sha256Hex(raw), files: map[string][]byte{}, tags: map[string][]byte{}}
	left := uint64(len(raw)) // a small zip may claim to hold what fills the memory
	for _, f := range z.File {
		if f.Method != zip.Store || f.UncompressedSize64 > left {
			return nil, fmt.Errorf("%s: %d bytes, compressed or more than the zip has", f.Name, f.UncompressedSize64)
		}
		left -= f.UncompressedSize64
		in, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		name, rest, _ := strings.Cut(f.Name, "/")
		p.name = name
		if path, ok := strings.CutPrefix(rest, "data/"); ok {
			p.files[path] = b
			continue
		}
		p.tags[rest] = b
	}
	return p, nil
}
