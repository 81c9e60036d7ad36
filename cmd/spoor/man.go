package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/spoortrace/spoor/ledger"
)

func (a *app) manCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "man [COMMAND...]",
		Short: "Print the manual page of a command, or write all of them",
		Long: `Print the manual page of a command, made of the same texts as --help, or write the pages of all commands into a folder.
man -l reads a page; in share/man/man1 of a folder on its path, man finds it: man spoor-trace.`,
		Example: "  spoor man trace\n  spoor man --dir man1",
		RunE: func(cmd *cobra.Command, args []string) error {
			if dir == "" {
				return printManual(a.out, cmd.Root(), args)
			}
			if len(args) > 0 {
				return ledger.Invalid("--dir", "no command beside it: all pages are written", strings.Join(args, " "))
			}
			if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // everybody reads manuals
				return err
			}
			return writeManuals(dir, cmd.Root())
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "`DIR` to write the pages of all commands into")
	return cmd
}

func printManual(w io.Writer, root *cobra.Command, args []string) error {
	cmd, rest, err := root.Find(args)
	if err != nil || len(rest) > 0 {
		return ledger.Invalid("command", "one of spoor", strings.Join(args, " "))
	}
	_, err = io.WriteString(w, manual(cmd))
	return err
}

func writeManuals(dir string, cmd *cobra.Command) error {
	if !manualled(cmd) {
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir, manName(cmd)+".1"), []byte(manual(cmd)), 0o644); err != nil { //nolint:gosec // everybody reads manuals
		return err
	}
	for _, sub := range cmd.Commands() {
		if err := writeManuals(dir, sub); err != nil {
			return err
		}
	}
	return nil
}

// manualled leaves out what only shells call.
func manualled(cmd *cobra.Command) bool { return !cmd.Hidden && cmd.Name() != "help" }

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manual is a page in the language of man(7). It has no date, so that it changes
// with its texts alone.
func manual(cmd *cobra.Command) string {
	cmd.InitDefaultHelpFlag()
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"Spoor\" \"Spoor manual\"\n.nh\n.ad l\n", roff(strings.ToUpper(manName(cmd))))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(manName(cmd)), roff(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n\\fB%s\\fR\n", roff(cmd.UseLine()))
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	b.WriteString(".SH DESCRIPTION\n")
	paragraphs(&b, text)
	options(&b, "OPTIONS", cmd.NonInheritedFlags())
	options(&b, "GLOBAL OPTIONS", cmd.InheritedFlags())
	if cmd.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(cmd.Example))
	}
	var also []string
	if cmd.HasParent() {
		also = append(also, manName(cmd.Parent()))
	}
	for _, sub := range cmd.Commands() {
		if manualled(sub) {
			also = append(also, manName(sub))
		}
	}
	if len(also) > 0 {
		b.WriteString(".SH SEE ALSO\n")
		for i, name := range also {
			end := ","
			if i == len(also)-1 {
				end = ""
			}
			fmt.Fprintf(&b, ".BR %s (1)%s\n", roff(name), end)
		}
	}
	return b.String()
}

// paragraphs prints a help text: what runs on is filled anew, lists and sentences
// that begin a line keep it.
func paragraphs(b *strings.Builder, text string) {
	before := ""
	for line := range strings.SplitSeq(text, "\n") {
		list := strings.HasPrefix(line, " ") || strings.HasPrefix(before, " ")
		if ended := strings.HasSuffix(before, ".") || strings.HasSuffix(before, ":"); line != "" && before != "" && (list || ended) {
			b.WriteString(".br\n")
		}
		if line == "" {
			b.WriteString(".PP\n")
		} else {
			b.WriteString(roff(line) + "\n")
		}
		before = line
	}
}

func options(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name, about := pflag.UnquoteUsage(f)
		flag := "--" + f.Name
		if f.Shorthand != "" {
			flag = "-" + f.Shorthand + ", " + flag
		}
		if name != "" {
			flag += " " + name
		}
		fmt.Fprintf(b, ".TP\n\\fB%s\\fR\n%s\n", roff(flag), roff(about))
	})
}

// roff keeps text from being taken for requests and escapes.
func roff(text string) string {
	lines := strings.Split(strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
