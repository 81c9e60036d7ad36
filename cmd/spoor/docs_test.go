package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/evidence/bag"
)

// secondHash is another payment of the demo.
const secondHash = "32981c6c8d1928e64e9e1c819b07c2f618d03bf70fbd966b55e269a1fac393bd"

// TestDocs runs every command that the documents show in a block of code, in a
// folder where `make demo` was run: lines that begin with spoor, ./spoor or
// "$ spoor", up to a pipe, a redirection or a comment. TX and NETWORK:ADDRESS
// stand for a payment and a wallet of the demo. Commands that do not end, or
// that need what is not here, are those of notHere.
func TestDocs(t *testing.T) {
	if testing.Short() {
		t.Skip("one command after another: the tests without the race detector run them")
	}
	var files []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Fatal("no documents")
	}
	shown := map[string][]string{}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range commands(string(raw)) {
			if !notHere(command) {
				shown[name] = append(shown[name], command)
			}
		}
	}
	if len(shown["../../README.md"]) == 0 {
		t.Fatal("README.md shows no command")
	}
	dir := demoIndex(t)
	rules, err := os.ReadFile("../../tracer/risk/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	examiner, _, err := bag.NewKey("")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	// The files that the documents speak of as the reader's own.
	deposit := "user_id,network,transfer_reference,asset,level\nu,tron," + usdtHash + ":0,USDT,LOW\n"
	for name, text := range map[string]string{
		"rules.yaml": string(rules), "deposits.csv": deposit, "export.csv": deposit,
		"reports.xlsx": "victim,status,network,tx,to_address\nB. Example,confirmed,tron," + secondHash + ",TQimtt6MmASiLDEsKsfDDaDq5CFRE2BY1F\n", "agency.yaml": "agency: Prosecutor\n",
		"answer.csv": "time,kind,asset,amount\n2026-02-01T00:00:00Z,opening,USDT,100\n", "examiner.key": string(examiner),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"demo-data", demoDir} {
		if err := os.CopyFS(name, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SPOOR_DATA", "demo-data")
	trace, _, _ := call(t, "trace", usdtHash, "-o", "json")
	if err := os.WriteFile("trace.json", []byte(trace), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, list := range shown {
		for _, command := range list {
			if _, errOut, status := call(t, words(command)...); status != 0 {
				t.Errorf("%s: spoor %s: exit status %d\n%s", name, command, status, errOut)
			}
		}
	}
}

// commands lists what a document shows in blocks of code, without the program's name.
func commands(text string) []string {
	var list []string
	code := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			code = !code
			continue
		}
		if !code {
			continue
		}
		line, _, _ = strings.Cut(line, " # ")
		for part := range strings.SplitSeq(line, " ; ") {
			part = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(part), "$ "), "./")
			command, ok := strings.CutPrefix(part, "spoor ")
			for _, end := range []string{" | ", " > ", " &"} {
				command, _, _ = strings.Cut(command, end)
			}
			if ok {
				list = append(list, strings.TrimSpace(command))
			}
		}
	}
	return list
}

// notHere tells commands that do not end by themselves, or read files and servers of the reader's.
func notHere(command string) bool {
	first, _, _ := strings.Cut(command, " ")
	return first == "serve" || first == "ingest" || first == "demo" || strings.HasPrefix(command, "labels import") || strings.Contains(command, "--server") || strings.Contains(command, "--follow") || strings.Contains(command, "--fetch")
}

// words splits a command as a shell does, as far as documents go: double quotes group.
func words(command string) []string {
	var list []string
	for i, part := range strings.Split(command, `"`) {
		if i%2 == 1 {
			list = append(list, part)
			continue
		}
		for _, word := range strings.Fields(part) {
			switch word {
			case "TX":
				word = usdtHash
			case "NETWORK:ADDRESS":
				word = seized
			case "bitcoin:ADDRESS", "OTHER":
				word = "bitcoin:12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S"
			}
			if found, err := filepath.Glob(word); err == nil && len(found) == 1 {
				word = found[0] // as a shell does
			}
			list = append(list, word)
		}
	}
	return list
}

func TestCommandsOfDocs(t *testing.T) {
	text := "spoor not code\n```\n$ spoor trace x -o dot | dot -Tsvg > x.svg\n./spoor labels add a \"b c\" --category scam   # why\n  answer of spoor\n```\nspoor after\n"
	got := commands(text)
	if len(got) != 2 || got[0] != "trace x -o dot" || got[1] != `labels add a "b c" --category scam` {
		t.Fatalf("got %q", got)
	}
	if w := words(got[1]); len(w) != 6 || w[3] != "b c" {
		t.Errorf("got %q", w)
	}
}
