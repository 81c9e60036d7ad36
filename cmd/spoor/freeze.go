package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/evidence/letter"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) freezeCommand() *cobra.Command {
	m := &spoorv1.WriteLettersRequest{}
	var contacts, agency, templates, pack string
	cmd := &cobra.Command{
		Use:   "freeze REF...|CASE [--to NETWORK:ADDRESS]",
		Short: "Write the letter that stops money where it rests now",
		Long: `Write the letter that stops money where it rests now: to the issuer of the token, or to the service that keeps the account. Without --to: to each.

It is a draft for an officer to sign. A deposit address is named, never a service's hot wallet. docs/letters.md says what --contacts, --agency and
--templates hold.`,
		Example: `  spoor freeze tron:4d5f37b6...:TVXy9j3M... --to tron:TXPggkiHzYZofVqpzMDS19ePG6qmcnu3gq --agency agency.yaml
  spoor freeze 12/2026`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) == 1 && !strings.Contains(args[0], ":") && len(args[0]) < minHash {
				m.Name = caseName(args[0])
			} else {
				m.Refs = args
			}
			if pack != "" {
				if m.Package, err = fileHash(pack); err != nil {
					return err
				}
			}
			if m.Contacts, m.Agency, m.Templates, err = letterFiles(contacts, agency, templates); err != nil {
				return err
			}
			return asked(a, cmd, func(l *link) (*spoorv1.WriteLettersResponse, error) { return l.cases.WriteLetters(cmd.Context(), m) }, render.Letters, render.LettersCSV)
		},
	}
	f := cmd.Flags()
	f.StringVar(&m.Address, "to", "", "`NETWORK:ADDRESS` that holds the money, or the deposit address that it came by")
	f.StringVar(&m.AsOf, "as-of", "", "data cut-off: a height, a time, or NETWORK=HEIGHT,NETWORK=HEIGHT (default: the tip)")
	f.StringVar(&pack, "package", "", "evidence package of the case that goes with it: a `FILE`, or its SHA-256")
	letterFlags(cmd, &contacts, &agency, &templates)
	return cmd
}

// minHash is the length from which a bare word is a transaction hash, no case.
const minHash = 64

func letterFlags(cmd *cobra.Command, contacts, agency, templates *string) {
	f := cmd.Flags()
	f.StringVar(contacts, "contacts", "", "`FILE` (YAML): whom to write to")
	f.StringVar(agency, "agency", "", "`FILE` (YAML): who writes")
	f.StringVar(templates, "templates", "", "`DIR` with templates of your own: issuer_freeze.txt.tmpl, exchange_freeze.th.txt.tmpl ...")
}

// letterFiles reads what letters are made of.
func letterFiles(contacts, agency, templates string) (c, a string, own map[string]string, err error) {
	if contacts != "" {
		text, err := os.ReadFile(contacts)
		if err != nil {
			return "", "", nil, &usageError{err}
		}
		c = string(text)
	}
	if agency != "" {
		text, err := os.ReadFile(agency)
		if err != nil {
			return "", "", nil, &usageError{err}
		}
		a = string(text)
	}
	if templates == "" {
		return c, a, nil, nil
	}
	if own, err = letter.ReadTemplates(os.DirFS(templates)); err != nil {
		return "", "", nil, &usageError{fmt.Errorf("--templates %s: %w", templates, err)}
	}
	return c, a, own, nil
}
