package layers

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// checkState refuses init functions and package-level state. A package-level var is no state when it is an error, an assertion (var _ I = T{}),
// an embedded file, or a table: it has an initial value made without make, new or sync, and nothing in the package writes to it, writes through
// it or takes its address.
func checkState(p pkg) []Complaint {
	var found []Complaint
	for _, s := range p.files {
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					found = append(found, s.complain(p.fset, d.Pos(), "func init: say it in main, or in a constructor"))
				}
			case *ast.GenDecl:
				found = append(found, checkVars(p.fset, s, d)...)
			}
		}
		for _, w := range writes(s.file) {
			if owner := p.owner(w); owner != "" {
				found = append(found, s.complain(p.fset, w.at, "%s %s, which belongs to %s", w.how, w.sel.Sel.Name, owner))
			}
			if p.isPackageVar(w.root) {
				found = append(found, s.complain(p.fset, w.at, "%s package-level var %s: pass it in, or make it a value of its own", w.how, w.root.Name))
			}
		}
	}
	return found
}

// checkVars judges the declarations of one var group by themselves.
func checkVars(fset *token.FileSet, s source, group *ast.GenDecl) []Complaint {
	if group.Tok != token.VAR {
		return nil
	}
	var found []Complaint
	for _, spec := range group.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok || embedded(group.Doc) || embedded(v.Doc) {
			continue
		}
		for _, name := range v.Names {
			if name.Name != "_" && len(v.Values) == 0 {
				found = append(found, s.complain(fset, name.Pos(), "package-level var %s has no value, so something must change it", name.Name))
			}
		}
		for _, value := range v.Values {
			if what := statefulPart(value); what != "" {
				found = append(found, s.complain(fset, value.Pos(), "package-level var %s is made with %s: it is state", v.Names[0].Name, what))
			}
		}
	}
	return found
}

func embedded(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// statefulPart returns the part of an initial value that only makes sense for state. What a function literal does inside is its own affair.
func statefulPart(value ast.Expr) string {
	var found string
	ast.Inspect(value, func(n ast.Node) bool {
		switch e := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CallExpr:
			if f, ok := e.Fun.(*ast.Ident); ok && (f.Name == "make" || f.Name == "new") {
				found = f.Name
			}
		case *ast.SelectorExpr:
			if x, ok := e.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") {
				found = x.Name + "." + e.Sel.Name
			}
		}
		return found == ""
	})
	return found
}

// takesAddress is how a write by way of a pointer reads.
const takesAddress = "takes the address of"

// write is one place that changes what root holds, or may let others change it.
type write struct {
	root *ast.Ident        // leftmost name of the target
	sel  *ast.SelectorExpr // root.Name, when the target goes through one
	at   token.Pos
	how  string
}

// writes lists assignments, increments, addresses taken, and deletes, clears and copies.
func writes(file *ast.File) []write {
	var all []write
	add := func(target ast.Expr, how string) {
		if root, sel := rootOf(target); root != nil {
			all = append(all, write{root, sel, target.Pos(), how})
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch e := n.(type) {
		case *ast.AssignStmt:
			for _, target := range e.Lhs {
				if e.Tok != token.DEFINE {
					add(target, "writes to")
				}
			}
		case *ast.IncDecStmt:
			add(e.X, "writes to")
		case *ast.RangeStmt:
			if e.Tok == token.ASSIGN {
				add(e.Key, "writes to")
				add(e.Value, "writes to")
			}
		case *ast.UnaryExpr:
			if e.Op == token.AND {
				add(e.X, takesAddress)
			}
		case *ast.CallExpr:
			if f, ok := e.Fun.(*ast.Ident); ok && len(e.Args) > 0 && (f.Name == "delete" || f.Name == "clear" || f.Name == "copy") {
				add(e.Args[0], f.Name+"s in")
			}
		}
		return true
	})
	return all
}

// rootOf returns the name that a[i].b or *a starts with, and the innermost selector on it.
func rootOf(e ast.Expr) (*ast.Ident, *ast.SelectorExpr) {
	var sel *ast.SelectorExpr
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x, sel
		case *ast.SelectorExpr:
			e, sel = x.X, x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil, nil
		}
	}
}

func (p pkg) isPackageVar(name *ast.Ident) bool {
	v, ok := p.info.Uses[name].(*types.Var)
	return ok && v.Parent() == p.scope
}

// owner returns the project's package that the write reaches into, or nothing. Taking an address there is allowed: it is how tables are passed.
func (p pkg) owner(w write) string {
	name, ok := p.info.Uses[w.root].(*types.PkgName)
	if !ok || w.sel == nil || w.how == takesAddress || !within(name.Imported().Path(), Module) {
		return ""
	}
	return name.Imported().Path()
}
