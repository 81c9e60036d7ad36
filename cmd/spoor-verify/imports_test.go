package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The program rests on the standard library alone, and on its own folder replay: whoever reads it needs to trust nothing else, and it cannot
// share a mistake with what it checks. Tests may ask the other program. Paths of the standard library have no dot in their first part.
func TestImports(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		seen++
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			first, _, _ := strings.Cut(path, "/")
			if (strings.Contains(first, ".") && path != "github.com/spoortrace/spoor/cmd/spoor-verify/replay") || path == "C" || path == "unsafe" {
				t.Errorf("%s imports %s", name, path)
			}
		}
		return nil
	})
	if err != nil || seen < 30 {
		t.Fatalf("%d files, %v", seen, err)
	}
}
