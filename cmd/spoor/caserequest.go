package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) caseRequestsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "requests CASE", Short: "Show what was asked of whom, what is held until when, and what is late", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asked(a, cmd, func(l *link) (*spoorv1.ListRequestsResponse, error) {
				return l.cases.ListRequests(cmd.Context(), &spoorv1.ListRequestsRequest{Name: caseName(args[0])})
			}, render.Requests, render.RequestsCSV)
		},
	}
}

func (a *app) caseRequestCommand() *cobra.Command {
	m := &spoorv1.RecordRequestRequest{}
	var letter, at string
	cmd := &cobra.Command{
		Use: "request CASE --to SERVICE --letter FILE --account NETWORK:ADDRESS|ENTITY:UID...", Short: "Record that a letter was sent to a service",
		Example: `  spoor case request 12/2026 --to huobi --letter freeze.txt --account huobi:8812345 --reference 12/2026-7`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			m.Name = caseName(args[0])
			if m.LetterSha256, err = fileHash(letter); err != nil {
				return err
			}
			if at != "" {
				if m.SendTime, err = flagTime("--at", at); err != nil {
					return err
				}
			}
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) { return l.cases.RecordRequest(cmd.Context(), m) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&m.To, "to", "", "the service")
	f.StringVar(&letter, "letter", "", "`FILE` that was sent, or its SHA-256")
	f.StringArrayVar(&m.Accounts, "account", nil, "what it is about: `NETWORK:ADDRESS` or ENTITY:UID; may be repeated")
	f.StringVar(&m.Reference, "reference", "", "reference of yours")
	f.StringVar(&at, "at", "", "when it was sent (default now)")
	f.StringVar(&m.RequestId, "request-id", "", "the same id again records nothing again")
	return cmd
}

func (a *app) caseAnswerCommand() *cobra.Command {
	answer := &spoorv1.CaseAnswer{}
	m := &spoorv1.RecordAnswerRequest{Answer: answer}
	var document, at, until string
	cmd := &cobra.Command{
		Use: "answer CASE REQUEST --text TEXT [--held AMOUNT --asset A --until TIME]", Short: "Record what a service answered; a later answer on an asset takes the place of the earlier",
		Example: `  spoor case answer 12/2026 R-1 --text "frozen" --held 5598500000 --asset tron:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t --until 2026-12-01T00:00:00Z`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			m.Name, m.Request, answer.Held = caseName(args[0]), args[1], strings.TrimSuffix(answer.GetHeld(), "u")
			if document != "" {
				if answer.DocumentSha256, err = fileHash(document); err != nil {
					return err
				}
			}
			if at != "" {
				if answer.Time, err = flagTime("--at", at); err != nil {
					return err
				}
			}
			if until != "" {
				if answer.HoldExpireTime, err = flagTime("--until", until); err != nil {
					return err
				}
			}
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) { return l.cases.RecordAnswer(cmd.Context(), m) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&answer.Text, "text", "", "what it said")
	f.StringVar(&answer.Held, "held", "", "base units that it holds (a u behind them is fine); 0: it holds none any more")
	f.StringVar(&answer.Asset, "asset", "", "NETWORK:native or NETWORK:CONTRACT of what it holds")
	f.StringVar(&until, "until", "", "until when it holds it")
	f.StringVar(&answer.Reference, "reference", "", "reference of its own")
	f.StringVar(&document, "document", "", "its letter as a `FILE`, or the SHA-256 of it")
	f.StringVar(&at, "at", "", "when it came (default now)")
	f.StringVar(&m.RequestId, "request-id", "", "the same id again records nothing again")
	return cmd
}

func (a *app) caseVictimCommand() *cobra.Command {
	m := &spoorv1.SetVictimRequest{}
	cmd := &cobra.Command{
		Use: "victim CASE V-1 [--full-name N] [--contact C]", Short: "Correct the name of a victim, or add how to reach the person; encrypted", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Name, m.Victim = caseName(args[0]), args[1]
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) { return l.cases.SetVictim(cmd.Context(), m) })
		},
	}
	cmd.Flags().StringVar(&m.FullName, "full-name", "", "the name")
	cmd.Flags().StringVar(&m.Contact, "contact", "", "how to reach the person")
	return cmd
}

// fileHash is the SHA-256 of a file; what is one already stays as it is.
func fileHash(name string) (string, error) {
	if regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(name) {
		return name, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", &usageError{err}
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
