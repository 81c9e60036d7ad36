package layers

import (
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// mayImport says which other layers a layer may import; its own folders it always may. Data flows chains -> store -> tracer -> evidence ->
// server -> cmd, and everyone knows the ledger. A layer that is not listed may import nothing of the project.
var mayImport = map[string][]string{
	"ledger":    {},
	"chains":    {"ledger"},
	"store":     {"ledger"},
	"fetch":     {"ledger", "store", "tracer"},
	"labels":    {"ledger", "internal"},
	"tracer":    {"ledger"},
	"prices":    {"ledger"},
	"entities":  {"ledger", "store", "tracer", "internal"},
	"access":    {"ledger"},
	"screening": {"ledger", "store", "tracer"},
	"rates":     {},
	"evaluate":  {"ledger", "rates", "store", "labels", "tracer", "entities", "chains"},
	"cases":     {"ledger", "internal"},
	"evidence":  {"ledger", "tracer", "cases"},
	"proto":     {},
	"internal":  {"ledger"},
	"server":    {"ledger", "store", "fetch", "labels", "prices", "tracer", "entities", "access", "screening", "rates", "cases", "evidence", "proto"},
	"cmd":       {"ledger", "chains", "store", "fetch", "labels", "prices", "tracer", "entities", "access", "screening", "rates", "evaluate", "cases", "evidence", "proto", "server", "internal", "testdata"}, // testdata/demo is bundled
}

// concrete are folders that only cmd and tests may know, so that a new chain or engine is one line in one switch.
var concrete = []string{"store/badgerkv", "store/memkv", "store/cassandrakv"}

// conformance are suites that only tests may import.
var conformance = []string{"store/kvtest", "store/sourcetest", "internal/btcdtest", "internal/gethtest", "internal/trontest", "internal/wicked", "evidence/casetest"}

// forbidden are imports that nobody may have, with the reason. A path stands for the packages below it, too.
var forbidden = []struct {
	path   string
	except []string
	tests  bool // whether tests may
	why    string
}{
	{"github.com/btcsuite/btcd/btcutil", []string{"github.com/btcsuite/btcd/btcutil/v2"}, false, "v1 has types that do not fit btcd's /v2 modules"},
	{"github.com/fbsobreira/gotron-sdk", nil, false, "it is LGPL; chains/tron has its own wire-compatible proto"},
	{"github.com/ethereum/go-ethereum/core", []string{"github.com/ethereum/go-ethereum/core/types"}, true, "the node's machinery does not belong in a tracer"},
}

func checkImports(fset *token.FileSet, s source) []Complaint {
	var found []Complaint
	for _, spec := range s.file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has seen to it
		}
		why := judgeForeign(imported, s.test)
		if own, ok := strings.CutPrefix(imported, Module+"/"); ok && !s.test {
			why = judgeOwn(s.dir, own)
		}
		if why != "" {
			found = append(found, s.complain(fset, spec.Pos(), "imports %s: %s", imported, why))
		}
	}
	return found
}

// judgeForeign returns why nobody may import it, or nothing.
func judgeForeign(imported string, test bool) string {
	for _, f := range forbidden {
		excepted := slices.ContainsFunc(f.except, func(e string) bool { return within(imported, e) })
		if within(imported, f.path) && !excepted && (!test || !f.tests) {
			return f.why
		}
	}
	return ""
}

// judgeOwn returns why code in the folder from may not import the project's folder to, or nothing.
func judgeOwn(from, to string) string {
	fromLayer, toLayer := layer(from), layer(to)
	for _, suite := range conformance {
		if within(to, suite) && !within(from, suite) {
			return "a conformance suite is for tests"
		}
	}
	for _, engine := range concrete {
		if within(to, engine) && !within(from, engine) && fromLayer != "cmd" {
			return "only cmd and tests know a concrete engine"
		}
	}
	if fromLayer != toLayer && !slices.Contains(mayImport[fromLayer], toLayer) {
		return "the layer " + fromLayer + " may import " + listed(mayImport[fromLayer])
	}
	return ""
}

func layer(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

func within(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}

func listed(layers []string) string {
	if len(layers) == 0 {
		return "no other layer"
	}
	return "only " + strings.Join(layers, ", ")
}
