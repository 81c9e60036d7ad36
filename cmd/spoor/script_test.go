package main

import (
	"bufio"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite what the scripts expect")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"spoor": main})
}

// TestScripts runs the command as users do. A script has its own SPOOR_DATA, and in $DEMO the bundled data.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("each is one process after another: the tests without the race detector run them; what runs at once has tests of its own")
	}
	scripts(t, testscript.Params{Dir: "testdata/script"}, false)
}

// TestScriptsOfServer runs scripts whose commands ask a server, from where they
// say "served".
func TestScriptsOfServer(t *testing.T) {
	if testing.Short() {
		t.Skip("as TestScripts")
	}
	scripts(t, testscript.Params{Files: []string{"testdata/script/case.txt"}}, true)
}

func scripts(t *testing.T, p testscript.Params, remote bool) {
	t.Helper()
	demo, err := filepath.Abs("../../testdata/demo")
	if err != nil {
		t.Fatal(err)
	}
	served := func(ts *testscript.TestScript, _ bool, _ []string) {
		if !remote {
			return
		}
		address, stop := serve(t, "--data", ts.Getenv("SPOOR_DATA"))
		ts.Defer(stop)
		ts.Setenv("SPOOR_SERVER", address)
	}
	testscript.Run(t, testscript.Params{
		Dir: p.Dir, Files: p.Files, RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("DEMO", demo)
			env.Setenv("SPOOR_DATA", filepath.Join(env.WorkDir, "data"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": exits, "printed": printed, "cut": cut, "flip": flip, "unzip": unzip, "served": served, "esplora": serveEsplora},
	})
}

// exits runs a command and wants its exit status: status 2 spoor trace x.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		text := err.Error()
		got = text[strings.LastIndexByte(text, ' ')+1:]
	}
	if got != args[0] {
		ts.Fatalf("%s: exit status %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// cut writes the first bytes of a file: cut 5000 FROM TO.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	if neg || err != nil || len(args) != 3 {
		ts.Fatalf("usage: cut BYTES FROM TO")
	}
	text := ts.ReadFile(args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text[:min(n, len(text))]), 0o600))
}

// unzip unpacks a gzipped file: unzip FROM TO.
func unzip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: unzip FROM TO")
	}
	packed, err := gzip.NewReader(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	raw, err := io.ReadAll(packed)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), raw, 0o600))
}

// flip turns one bit in the middle of each file of a folder.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	files, err := filepath.Glob(ts.MkAbs(filepath.Join(args[0], "*")))
	if neg || err != nil || len(files) == 0 {
		ts.Fatalf("usage: flip FOLDER, with files in it")
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		ts.Check(err)
		raw[len(raw)/2] ^= 1
		ts.Check(os.WriteFile(name, raw, 0o600))
	}
}

// printed runs every command that a file shows on a line of its own, as it
// stands there, but for those that would not end.
func printed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: printed FILE")
	}
	ran := 0
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(args[0])))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "spoor" || fields[1] == "serve" || fields[1] == "demo" {
			continue
		}
		if err := ts.Exec(fields[0], fields[1:]...); err != nil {
			ts.Fatalf("%s: %v", lines.Text(), err)
		}
		if ts.ReadFile("stdout") == "" {
			ts.Fatalf("%s: printed nothing", lines.Text())
		}
		ran++
	}
	if ran == 0 {
		ts.Fatalf("%s shows no command", args[0])
	}
}
