package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// everyCommand lists the paths of all commands that a user may call.
func everyCommand(cmd *cobra.Command) (paths []string) {
	for _, sub := range cmd.Commands() {
		if manualled(sub) {
			paths = append(append(paths, sub.CommandPath()), everyCommand(sub)...)
		}
	}
	return paths
}

// TestManuals: every command has a page with its name, each of its flags and the
// texts of its help, and no line of them is taken for a request.
func TestManuals(t *testing.T) {
	dir := t.TempDir()
	if _, errOut, status := call(t, "man", "--dir", dir); status != 0 {
		t.Fatal(errOut)
	}
	root := (&app{}).root()
	commands := everyCommand(root)
	if len(commands) < 60 || !slices.Contains(commands, "spoor index backup") {
		t.Fatalf("%d commands: %v", len(commands), commands)
	}
	for _, path := range commands {
		raw, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(path, " ", "-")+".1"))
		if err != nil {
			t.Error(err)
			continue
		}
		cmd, _, err := root.Find(strings.Fields(path)[1:])
		if err != nil {
			t.Fatal(err)
		}
		page := string(raw)
		for _, want := range []string{roff(cmd.Short), roff(cmd.UseLine()), ".SH GLOBAL OPTIONS", `\-\-data`} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page lacks %q", path, want)
			}
		}
		for line := range strings.Lines(page) {
			request, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if known := []string{".TH", ".SH", ".TP", ".PP", ".BR", ".br", ".nh", ".ad", ".nf", ".fi"}; strings.HasPrefix(line, ".") && !slices.Contains(known, request) || strings.HasPrefix(line, "'") {
				t.Errorf("%s: a line of the text is a request: %q", path, line)
			}
		}
	}
	if got := roff(".x\n'y \\fB-z"); got != "\\&.x\n\\&'y \\efB\\-z" {
		t.Errorf("roff: %q", got)
	}
	if _, errOut, status := call(t, "man", "tracee"); status != 2 || !strings.Contains(errOut, "tracee") {
		t.Errorf("a page of no command: exit status %d, %s", status, errOut)
	}
}

// TestShells: the scripts of the three shells are made without a data directory.
func TestShells(t *testing.T) {
	t.Chdir(t.TempDir())
	for shell, want := range map[string]string{"bash": "complete -o default", "zsh": "#compdef spoor", "fish": "complete -c spoor"} {
		if out, errOut, status := call(t, "completion", shell); status != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: exit status %d, %.200s%s", shell, status, out, errOut)
		}
	}
	if left, _ := filepath.Glob("*"); len(left) > 0 {
		t.Errorf("completion made %v", left)
	}
}

// TestBash completes in a bash, as pressing Tab does.
func TestBash(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another; the tests without the race detector run it")
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "spoor")) // by this name the test binary is the program
	}
	for _, network := range []string{"bitcoin", "tron"} {
		if err == nil {
			err = os.MkdirAll(filepath.Join(dir, "data", "networks", network), 0o700)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	// The package bash-completion has the function that takes the line apart; compopt works beside a terminal alone.
	script := `
compopt() { :; }
_init_completion() { COMPREPLY=(); words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; prev=${words[cword-1]}; }
source <(spoor completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMP_KEY=9
__start_spoor
printf '%s\n' "${COMPREPLY[@]}"`
	for _, c := range []struct{ line, want string }{
		{"spoor trace --policy h", "haircut"},
		{"spoor trace -o s", "svg"},
		{"spoor index re", "restore"},
		{"spoor index export t", "tron"},
		{"spoor labels add x y --category scam.p", "scam.phishing scam.pig_butchering"},
	} {
		cmd := exec.CommandContext(t.Context(), bash, append([]string{"--norc", "-c", script, "bash"}, strings.Fields(c.line)...)...)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "SPOOR_DATA="+filepath.Join(dir, "data"), "SPOOR_CONFIG=", "SPOOR_SERVER=")
		out, err := cmd.CombinedOutput()
		words := strings.Fields(string(out))
		slices.Sort(words)
		if got := strings.Join(words, " "); err != nil || got != c.want {
			t.Errorf("%s: got %q, want %q (%v)", c.line, got, c.want, err)
		}
	}
}
