package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
)

// page is what goes into the file: what was checked, by which program, and what came of it.
type page struct {
	Package string   `json:"package"`
	SHA256  string   `json:"sha256"`
	Program string   `json:"program_sha256"`
	Case    []string `json:"case"` // lines
	Holds   bool     `json:"holds"`
	Checks  []check  `json:"checks"`
	Grades  grades   `json:"grades"`
	Sums    []string `json:"sums"`        // of the case's own policies, an asset each
	Open    []string `json:"not_checked"` // in sentences
}

// check is one chapter of the checks.
type check struct {
	Name   string    `json:"name"`
	OK     bool      `json:"ok"`
	Detail string    `json:"detail,omitempty"`
	Found  []finding `json:"found,omitempty"`
}

func newPage(name string, raw []byte) (*page, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return nil, err
	}
	return &page{Package: name, SHA256: sha256Hex(raw), Program: sha256Hex(program), Holds: true}, nil
}

func (p *page) add(name, detail string, found []finding) {
	p.Checks = append(p.Checks, check{name, len(found) == 0, detail, found})
	p.Holds = p.Holds && len(found) == 0
}

// describe says what the package is about, in its own words.
func (p *page) describe(from *pack) {
	var cover struct {
		Case, Number, Title, Authority, Redaction, Demonstration, Supersedes string
		AsOf                                                                 []struct {
			Network, Hash string
			Height        uint64
			Time          time.Time
		} `json:"as_of"`
	}
	if err := readPart(from, "case.json", &cover); err != nil {
		return // whoever needs it says so
	}
	p.Case = []string{fmt.Sprintf("case %.100s, number %.100s of %.200s: %.200s", cover.Case, cover.Number, cover.Authority, cover.Title), "made for: " + cover.Redaction}
	if cover.Demonstration != "" {
		p.Case = append(p.Case, fmt.Sprintf("DEMONSTRATION: %.200s", cover.Demonstration))
	}
	if cover.Supersedes != "" {
		p.Case = append(p.Case, "in place of the package "+cover.Supersedes)
	}
	for _, b := range cover.AsOf {
		p.Case = append(p.Case, fmt.Sprintf("data up to %s block %d of %s, %s", b.Network, b.Height, b.Time.UTC().Format("2006-01-02 15:04 MST"), b.Hash))
	}
}

// listed bounds the findings of one check in print; JSON has all.
const listed = 20

func (p *page) print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(p)
	}
	lines := []string{"VERIFICATION OF AN EVIDENCE PACKAGE", "", "package     " + p.Package, "sha256      " + p.SHA256, "checked by  spoor-verify, sha256 " + p.Program, ""}
	lines = append(append(lines, p.Case...), "")
	for _, c := range p.Checks {
		lines = append(lines, c.lines()...)
	}
	lines = append(lines, "", fmt.Sprintf("transfers: %d proven, %d attested, %d inferred, %d failed", p.Grades.Proven, p.Grades.Attested, p.Grades.Inferred, p.Grades.Failed))
	lines = append(append(lines, p.Sums...), "", "Not checked:")
	for _, one := range p.Open {
		lines = append(lines, "- "+one)
	}
	lines = append(lines, "", p.verdict())
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, visible(line)); err != nil {
			return err
		}
	}
	return nil
}

func (p *page) verdict() string {
	if p.Holds {
		return "THE PACKAGE HOLDS in everything that was checked."
	}
	return "THE PACKAGE DOES NOT HOLD."
}

func (c check) lines() []string {
	line := "ok      " + c.Name
	if !c.OK {
		line = "FAILED  " + c.Name
	}
	if c.Detail != "" {
		line += ": " + c.Detail
	}
	lines := []string{line}
	for i, f := range c.Found {
		if i == listed {
			return append(lines, fmt.Sprintf("        and %d more", len(c.Found)-listed))
		}
		lines = append(lines, fmt.Sprintf("        %.300s: want %.600s, got %.600s", f.Subject, f.Want, f.Got))
	}
	return lines
}

// visible writes what would move the cursor, turn the line or not be seen as its number: the package may be anybody's.
func visible(line string) string {
	var b strings.Builder
	for _, r := range line {
		if unicode.IsGraphic(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "<U+%04X>", r)
		}
	}
	return b.String()
}
