package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// fullPack is a package for the court with three facts, two letters and a custody log.
func fullPack(t testing.TB) *pack {
	t.Helper()
	p, _ := custodyPack(t)
	p.name = "case-1-court"
	var facts, commitments []value
	for i, text := range []string{"Somchai ประเทศ", "R-77/2025", "<b>note</b>"} {
		salt := sha256.Sum256([]byte{byte(i)})
		sum := sha256.Sum256(append(salt[:], text...))
		commitment := value{"subject": fmt.Sprintf("V-%d", i), "field": "name", "commitment": hex.EncodeToString(sum[:])}
		fact := maps.Clone(commitment)
		fact["value"], fact["salt"] = text, hex.EncodeToString(salt[:])
		facts, commitments = append(facts, fact), append(commitments, commitment)
	}
	put(t, p, "personal.json", facts)
	put(t, p, "commitments.json", commitments)
	put(t, p, "case.json", value{"case": "zx81-3f2a77b0", "redaction": "court", "author": "Inspector A", "title": "wallets"})
	put(t, p, "ledger.json", []value{{"id": "L-1", "amount": "5"}})
	put(t, p, "requests.json", []value{{"id": "R-1", "letter": "letters/R-1.txt"}, {"id": "R-2", "letter": "letters/R-2.txt"}})
	p.files["letters/R-1.txt"], p.files["letters/R-2.txt"], p.files["report.html"] = []byte("freeze"), []byte("freeze, too"), []byte("<p>all")
	list(t, p)
	return p
}

// list writes the manifest anew.
func list(t testing.TB, p *pack) {
	t.Helper()
	delete(p.files, manifestPath)
	l := listing{Format: 1}
	var leaves [][]byte
	for _, path := range slices.Sorted(maps.Keys(p.files)) {
		role := "record"
		if strings.HasPrefix(path, "letters/") {
			role = "letter"
		}
		if path == "report.html" {
			role = "rendering"
		}
		f := listedFile{path, sha256Hex(p.files[path]), int64(len(p.files[path])), role}
		l.Files = append(l.Files, f)
		leaves = append(leaves, fmt.Appendf(nil, "%s %d %s", f.SHA256, f.Size, f.Path))
	}
	root := merkleRoot(leaves)
	l.Root = hex.EncodeToString(root[:])
	b, err := json.MarshalIndent(l, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	p.files[manifestPath] = append(b, '\n')
}

// publicPack is the full package without facts, letters, author and entries.
func publicPack(t testing.TB) *pack {
	t.Helper()
	full := fullPack(t)
	p := &pack{name: "case-1-public", files: maps.Clone(full.files)}
	p.files[originalPath] = full.files[manifestPath]
	var commitments []value
	if err := readPart(p, "commitments.json", &commitments); err != nil {
		t.Fatal(err)
	}
	put(t, p, "personal.json", commitments)
	put(t, p, "case.json", value{"case": "zx81-3f2a77b0", "redaction": "public", "author": "withheld", "title": "wallets"})
	put(t, p, "requests.json", []value{})
	var log custodyLog
	if err := readPart(p, "custody.json", &log); err != nil {
		t.Fatal(err)
	}
	log.Entries = []custodyEntry{}
	put(t, p, "custody.json", log)
	p.files["report.html"] = []byte("<p>less")
	delete(p.files, "letters/R-1.txt")
	delete(p.files, "letters/R-2.txt")
	list(t, p)
	return p
}

func TestPersonal(t *testing.T) {
	full, public := fullPack(t), publicPack(t)
	for _, p := range []*pack{full, public} {
		if found := checkPersonal(p); len(found) > 0 {
			t.Errorf("%s: got %s", p.name, told(found))
		}
	}
	if found := checkFull(public, full); len(found) > 0 {
		t.Errorf("got %s", told(found))
	}
}

// A changed fact is found, and not repeated in what is printed.
func TestChangedFacts(t *testing.T) {
	for name, change := range map[string]func(facts []personalFact) []personalFact{
		"another value":      func(f []personalFact) []personalFact { f[0].Value += "x"; return f },
		"another salt":       func(f []personalFact) []personalFact { f[0].Salt = strings.Repeat("0", 64); return f },
		"a salt in capitals": func(f []personalFact) []personalFact { f[0].Salt = strings.ToUpper(f[0].Salt); return f },
		"a salt cut short":   func(f []personalFact) []personalFact { f[0].Salt = f[0].Salt[2:]; return f },
		"a value alone":      func(f []personalFact) []personalFact { f[0].Salt = ""; return f },
		"a salt alone":       func(f []personalFact) []personalFact { f[0].Value = ""; return f },
		"another subject":    func(f []personalFact) []personalFact { f[0].Subject = "V-9"; return f },
		"another order":      func(f []personalFact) []personalFact { f[0], f[1] = f[1], f[0]; return f },
		"one less":           func(f []personalFact) []personalFact { return f[1:] },
		"one more":           func(f []personalFact) []personalFact { return append(f, f[0]) },
	} {
		p := fullPack(t)
		var facts []personalFact
		if err := readPart(p, "personal.json", &facts); err != nil {
			t.Fatal(err)
		}
		put(t, p, "personal.json", change(facts))
		if got := told(checkPersonal(p)); got == "" || strings.Contains(got, "Somchai") {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// A redacted package that says something else than the full one is found by itself where its files tell, and with the full one in any case.
func TestRedaction(t *testing.T) {
	for name, test := range map[string]struct {
		change   func(p *pack)
		byItself bool
	}{
		"another transfer":        {change: func(p *pack) { p.files["ledger.json"] = []byte("[]\n") }, byItself: true},
		"a record more":           {change: func(p *pack) { p.files["more.json"] = []byte("[]\n") }, byItself: true},
		"a record less":           {change: func(p *pack) { delete(p.files, "ledger.json") }, byItself: true},
		"requests left out":       {change: func(p *pack) { delete(p.files, "requests.json") }, byItself: true},
		"no list of the full one": {change: func(p *pack) { delete(p.files, originalPath) }, byItself: true},
		"the list of another":     {change: func(p *pack) { p.files[originalPath] = p.files["case.json"] }, byItself: true},
		"another role in the list": {change: func(p *pack) {
			p.files[originalPath] = bytes.Replace(p.files[originalPath], []byte(`"rendering"`), []byte(`"letter"`), 1)
		}, byItself: true},
		"another commitment": {change: func(p *pack) { put(t, p, "commitments.json", []value{}) }, byItself: true},
		"a fact of another":  {change: func(p *pack) { swapFact(t, p) }, byItself: true},
		"another title": {change: func(p *pack) {
			put(t, p, "case.json", value{"case": "zx81-3f2a77b0", "redaction": "public", "author": "withheld", "title": "more"})
		}},
		"another author": {change: func(p *pack) {
			put(t, p, "case.json", value{"case": "zx81-3f2a77b0", "redaction": "public", "author": "B", "title": "wallets"})
		}},
		"a request of its own":       {change: func(p *pack) { put(t, p, "requests.json", []value{{"id": "R-3"}}) }},
		"a letter without a request": {change: func(p *pack) { p.files["letters/R-1.txt"] = []byte("freeze") }},
		"another custody log":        {change: func(p *pack) { put(t, p, "custody.json", custodyLog{}) }},
	} {
		p := publicPack(t)
		test.change(p)
		list(t, p)
		if found := checkPersonal(p); (len(found) > 0) != test.byItself {
			t.Errorf("%s: by itself: got %s", name, told(found))
		}
		if len(checkFull(p, fullPack(t)))+len(checkPersonal(p)) == 0 {
			t.Errorf("%s is not found", name)
		}
	}
}

// swapFact shows a fact that fits its commitment, under a commitment that is another's.
func swapFact(t testing.TB, p *pack) {
	t.Helper()
	salt := sha256.Sum256(nil)
	sum := sha256.Sum256(append(salt[:], "a lie"...))
	var facts []personalFact
	if err := readPart(p, "personal.json", &facts); err != nil {
		t.Fatal(err)
	}
	facts[0].Value, facts[0].Salt, facts[0].Commitment = "a lie", hex.EncodeToString(salt[:]), hex.EncodeToString(sum[:])
	put(t, p, "personal.json", facts)
}
