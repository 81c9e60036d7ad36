// Command spoor-verify checks an evidence package offline. It rests on Go's standard library alone and shares no code with the program that
// made the package; docs/package.md says what is in one and what follows from what.
package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: spoor-verify PACKAGE.zip")
		os.Exit(2)
	}
	raw, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "spoor-verify:", err)
		os.Exit(2)
	}
	p, err := readPack(raw)
	if err != nil {
		fmt.Fprintf(os.Stderr, "spoor-verify: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	found := append(checkContainer(p), checkPersonal(p)...)
	found = append(found, checkCustody(p, nil)...)
	graded, more := checkProofs(p)
	found = append(found, more...)
	for _, f := range found {
		fmt.Printf("FAILED  %s: %s: want %s, got %s\n", f.Check, f.Subject, f.Want, f.Got)
	}
	fmt.Printf("transfers: %d proven, %d attested, %d inferred, %d failed\n", graded.Proven, graded.Attested, graded.Inferred, graded.Failed)
	if len(found) > 0 {
		os.Exit(1)
	}
}

// readPack takes a zip apart. That it is the one zip of these files is checked with the container.
func readPack(raw []byte) (*pack, error) {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, err
	}
	p := &pack{zipSHA256: sha256Hex(raw), files: map[string][]byte{}, tags: map[string][]byte{}}
	for _, f := range z.File {
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
