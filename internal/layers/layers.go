// Package layers reads the project's sources and says where they break the house rules: who may import whom, no hidden state, no floats near
// money, no clock in pure code. It parses; it runs nothing and needs no other tool, so that its test sees every change to a source file.
//
// It judges files by themselves. What it cannot see is a method that changes its receiver when called on a package-level variable.
package layers

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Module is the path that the project's own imports begin with.
const Module = "github.com/spoortrace/spoor"

// Complaint is one place that breaks a rule.
type Complaint struct {
	File string // slash-separated, relative to the root that was checked
	Line int    // from 1
	Text string // what is wrong, and what was wanted
}

func (c Complaint) String() string {
	return fmt.Sprintf("%s:%d: %s", c.File, c.Line, c.Text)
}

// source is one parsed file.
type source struct {
	name string // relative to the root
	dir  string // its folder; "." for the root
	test bool
	file *ast.File
}

// pkg is the files of one package in one folder, with what the type checker could resolve without any import.
type pkg struct {
	fset  *token.FileSet
	dir   string
	files []source
	scope *types.Scope
	info  *types.Info
}

// Check parses every Go file under root, generated ones and testdata excepted, and returns the complaints ordered by file and line.
// Test files are held only to the rule of forbidden imports. It fails on a file that does not parse.
func Check(root fs.FS) ([]Complaint, error) {
	fset := token.NewFileSet()
	sources, err := parse(fset, root)
	if err != nil {
		return nil, err
	}
	var found []Complaint
	for _, s := range sources {
		found = append(found, checkImports(fset, s)...)
	}
	for _, p := range packages(fset, sources) {
		found = append(found, checkState(p)...)
		found = append(found, checkPure(p)...)
	}
	slices.SortFunc(found, func(a, b Complaint) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	return found, nil
}

func parse(fset *token.FileSet, root fs.FS) ([]source, error) {
	var sources []source
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := path.Base(name); name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("layers: %w", err)
		}
		if !ast.IsGenerated(file) {
			sources = append(sources, source{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), file})
		}
		return nil
	})
	return sources, err
}

// packages groups the sources without tests by folder and resolves their identifiers. Imports stay unresolved: no rule needs them.
func packages(fset *token.FileSet, sources []source) []pkg {
	byDir := map[string][]source{}
	for _, s := range sources {
		if !s.test {
			byDir[s.dir] = append(byDir[s.dir], s)
		}
	}
	var all []pkg
	for dir, files := range byDir {
		p := pkg{fset: fset, dir: dir, files: files, info: &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}}
		var trees []*ast.File
		for _, s := range files {
			trees = append(trees, s.file)
		}
		checker := types.Config{Importer: noImports{}, Error: func(error) {}}
		// The error is the missing imports again, which are expected.
		checked, _ := checker.Check(dir, fset, trees, p.info)
		p.scope = checked.Scope()
		all = append(all, p)
	}
	return all
}

// noImports resolves nothing.
type noImports struct{}

func (noImports) Import(string) (*types.Package, error) {
	return nil, errors.New("imports are not followed")
}

func (s source) complain(fset *token.FileSet, at token.Pos, format string, args ...any) Complaint {
	return Complaint{s.name, fset.Position(at).Line, fmt.Sprintf(format, args...)}
}
