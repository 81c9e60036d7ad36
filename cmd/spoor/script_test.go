package main

import (
	"bufio"
	"flag"
	"os"
	"path/filepath"
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
	demo, err := filepath.Abs("../../testdata/demo")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("DEMO", demo)
			env.Setenv("SPOOR_DATA", filepath.Join(env.WorkDir, "data"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": exits, "printed": printed},
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
	if err := os.WriteFile(ts.MkAbs("printed.count"), []byte(strings.Repeat("x", ran)), 0o600); err != nil {
		ts.Fatalf("%v", err)
	}
}
