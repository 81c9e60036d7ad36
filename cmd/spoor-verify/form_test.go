package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// structsOf reads the structs of a file by name: their fields' JSON names and types.
func structsOf(t *testing.T, names ...string) map[string][][2]string {
	t.Helper()
	all := map[string][][2]string{}
	for _, name := range names {
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				all[spec.Name.Name] = fieldsOf(s)
			}
			return true
		})
	}
	return all
}

func fieldsOf(s *ast.StructType) [][2]string {
	fields := [][2]string{}
	for _, f := range s.Fields.List {
		tag := ""
		if f.Tag != nil {
			tag, _, _ = strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
		}
		fields = append(fields, [2]string{tag, typeName(f.Type)})
	}
	return fields
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.ArrayType:
		return typeName(e.Elt)
	}
	return ""
}

// The names that are known here are those of the types that packages are written from.
func TestFieldNames(t *testing.T) {
	structs := structsOf(t, "../../evidence/dossier.go", "../../evidence/record.go", "../../evidence/parts.go")
	for path, root := range map[string]string{
		"case.json": "Cover", "method.json": "Method", "payments.json": "Payment", "personal.json": "Personal", "ledger.json": "Row", "record.json": "Record",
		"results.json": "Result", "holdings.json": "Holding", "restitution.json": "Award", "entities.json": "Entity", "requests.json": "Request",
		"custody.json": "Custody", "reproduce.json": "Reproduce", "proofs.json": "Proof", "commitments.json": "Commitment",
	} {
		want := map[string]bool{}
		var walk func(name string)
		walk = func(name string) {
			for _, f := range structs[name] {
				if f[0] != "-" && f[0] != "" {
					want[f[0]] = true
				}
				if f[0] != "-" {
					walk(f[1])
				}
			}
		}
		walk(root)
		got := map[string]bool{}
		for _, name := range strings.Fields(fieldNames()[path]) {
			got[name] = true
		}
		if !maps.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s:\ngot  %v\nwant %v", path, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	}
}

// A record has one form.
func TestForms(t *testing.T) {
	const whole = `[{"subject":"V-1","field":"name","value":"<ü> \u2028 \" \\ \n","salt":"","commitment":"0"}]` + "\n"
	for name, text := range map[string]string{
		"":                   whole,
		"a space":            strings.Replace(whole, ":", ": ", 1),
		"no line break":      strings.TrimSuffix(whole, "\n"),
		"two line breaks":    whole + "\n",
		"two values":         strings.TrimSuffix(whole, "\n") + whole,
		"a name twice":       strings.Replace(whole, `{`, `{"subject":"V-1",`, 1),
		"an unknown name":    strings.Replace(whole, `{`, `{"more":"V-1",`, 1),
		"a name in capitals": strings.Replace(whole, `subject`, `Subject`, 1),
		"an escape":          strings.Replace(whole, `V-1`, `\u0056-1`, 1),
		"an escaped slash":   strings.Replace(whole, `V-1`, `V\/1`, 1),
		"a fraction":         strings.Replace(whole, `"V-1"`, `1.0`, 1),
		"an exponent":        strings.Replace(whole, `"V-1"`, `1e3`, 1),
		"less than nothing":  strings.Replace(whole, `"V-1"`, `-0`, 1),
		"a byte of no text":  strings.Replace(whole, "ü", "\xff", 1),
		"cut off":            whole[:20],
		"nothing":            "",
		"depth":              strings.Repeat("[", 100) + strings.Repeat("]", 100) + "\n",
	} {
		p := &pack{files: map[string][]byte{"personal.json": []byte(text)}}
		if found := checkForms(p); (len(found) == 0) != (name == "") {
			t.Errorf("%s: got %v", name, found)
		}
	}
	p, _ := custodyPack(t)
	if found := checkForms(p); len(found) != 1 || found[0].Subject != "custody.json" || !strings.Contains(found[0].Got, "no line break") {
		t.Errorf("custody: got %v", found)
	}
	p.files["custody.json"] = append(p.files["custody.json"], '\n')
	if found := checkForms(p); len(found) != 0 {
		t.Errorf("custody: got %v", found)
	}
}
