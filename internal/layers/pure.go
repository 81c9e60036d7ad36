package layers

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// exact are the layers where a figure is an integer or nothing.
var exact = []string{"ledger", "tracer", "store"}

// pure are the layers whose output follows from their input alone: no clock, no chance, no disk, no network.
var pure = []string{"ledger", "tracer"}

// impure are the imports that a pure layer may not have.
var impure = []string{"os", "net", "math/rand", "math/rand/v2", "crypto/rand", "io/ioutil", "syscall", "log", "log/slog"}

// parsers are the folders below those that only read text.
var parsers = []string{"net/url", "net/netip", "net/mail", "net/textproto"}

// timeless are the layers that get times passed in.
var timeless = []string{"ledger", "tracer", "evidence"}

// plain are the layers whose types know no wire form.
var plain = []string{"ledger", "tracer"}

func checkPure(p pkg) []Complaint {
	var found []Complaint
	for _, s := range p.files {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if n == nil {
				return false
			}
			if why := p.judgeNode(layer(p.dir), n); why != "" {
				found = append(found, s.complain(p.fset, n.Pos(), "%s", why))
			}
			return true
		})
	}
	return found
}

// judgeNode returns what is wrong with one node of a file of the layer, or nothing.
func (p pkg) judgeNode(layer string, n ast.Node) string {
	switch e := n.(type) {
	case *ast.ImportSpec:
		imported, err := strconv.Unquote(e.Path.Value)
		if err == nil && slices.Contains(pure, layer) && isImpure(imported) {
			return "imports " + imported + ": the layer " + layer + " is pure"
		}
	case *ast.Ident:
		if slices.Contains(exact, layer) && p.isFloatType(e) {
			return e.Name + ": no float where money is counted"
		}
	case *ast.BasicLit:
		if slices.Contains(exact, layer) && (e.Kind == token.FLOAT || e.Kind == token.IMAG) {
			return e.Value + ": no float where money is counted"
		}
	case *ast.SelectorExpr:
		return judgeSelector(layer, e)
	case *ast.Field:
		if e.Tag != nil && slices.Contains(plain, layer) {
			return "struct tag " + e.Tag.Value + ": the wire form belongs to server and the formats"
		}
	}
	return ""
}

func isImpure(imported string) bool {
	if slices.Contains(parsers, imported) {
		return false
	}
	return slices.ContainsFunc(impure, func(i string) bool { return within(imported, i) })
}

func (p pkg) isFloatType(name *ast.Ident) bool {
	_, isType := p.info.Uses[name].(*types.TypeName)
	return isType && slices.Contains([]string{"float32", "float64", "complex64", "complex128"}, name.Name)
}

func judgeSelector(layer string, e *ast.SelectorExpr) string {
	x, ok := e.X.(*ast.Ident)
	if !ok {
		return ""
	}
	call := x.Name + "." + e.Sel.Name
	switch {
	case slices.Contains(timeless, layer) && slices.Contains([]string{"time.Now", "time.Since", "time.Until"}, call):
		return call + ": times are passed in"
	case slices.Contains(exact, layer) && isFloatCall(x.Name, e.Sel.Name):
		return call + ": no float where money is counted"
	case layer != "cmd" && slices.Contains([]string{"os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln"}, call):
		return call + ": only cmd ends the process"
	}
	return ""
}

// isFloatCall knows the standard library's ways to a float. Of package math only the limits of integers are integers.
func isFloatCall(pkg, name string) bool {
	switch pkg {
	case "math":
		return !strings.HasPrefix(name, "MaxInt") && !strings.HasPrefix(name, "MinInt") && !strings.HasPrefix(name, "MaxUint")
	case "big":
		return strings.Contains(name, "Float") || strings.Contains(name, "Rat")
	case "strconv":
		return strings.Contains(name, "Float")
	}
	return false
}
