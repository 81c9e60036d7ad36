package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// page is what goes into the file: what was checked, by which program, and what came of it.
type page struct {
	Package string  `json:"package"`
	SHA256  string  `json:"sha256"`
	Program string  `json:"program_sha256"`
	Holds   bool    `json:"holds"`
	Checks  []check `json:"checks"`
	Grades  grades  `json:"grades"`
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

// listed bounds the findings of one check in print; JSON has all.
const listed = 20

func (p *page) print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(p)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "VERIFICATION OF AN EVIDENCE PACKAGE\n\npackage           %s\nsha256            %s\nchecked by        spoor-verify, sha256 %s\n\n", p.Package, p.SHA256, p.Program)
	for _, c := range p.Checks {
		word := "ok    "
		if !c.OK {
			word = "FAILED"
		}
		fmt.Fprintf(&b, "%s  %s", word, c.Name)
		if c.Detail != "" {
			fmt.Fprintf(&b, ": %s", c.Detail)
		}
		b.WriteString("\n")
		for i, f := range c.Found {
			if i == listed {
				fmt.Fprintf(&b, "        and %d more\n", len(c.Found)-listed)
				break
			}
			fmt.Fprintf(&b, "        %s: want %.300s, got %.300s\n", f.Subject, f.Want, f.Got)
		}
	}
	fmt.Fprintf(&b, "\ntransfers: %d proven, %d attested, %d inferred, %d failed\n", p.Grades.Proven, p.Grades.Attested, p.Grades.Inferred, p.Grades.Failed)
	if p.Holds {
		b.WriteString("THE PACKAGE HOLDS.\n")
	} else {
		b.WriteString("THE PACKAGE DOES NOT HOLD.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
