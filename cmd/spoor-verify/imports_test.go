package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The program rests on the standard library alone: whoever reads it needs to trust nothing else, and it cannot share a mistake with what it
// checks. Paths of the standard library have no dot in their first part.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(path, "/")
			if strings.Contains(first, ".") || path == "C" || path == "unsafe" {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
	if entries, err := os.ReadDir("."); err != nil {
		t.Error(err)
	} else {
		for _, e := range entries {
			if e.IsDir() && e.Name() != "testdata" {
				t.Errorf("%s: the program is one folder", e.Name())
			}
		}
	}
}
