package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/bag"
	"github.com/spoortrace/spoor/evidence/pack"
	"github.com/spoortrace/spoor/ledger"
)

// verifyFlags are those of spoor verify.
type verifyFlags struct {
	signature, public, token, authority, full, previous string
}

func (a *app) verifyCommand() *cobra.Command {
	var flags verifyFlags
	cmd := &cobra.Command{
		Use:   "verify PACKAGE|TRACE",
		Short: "Check an evidence package offline, or a trace by tracing again",
		Long: `Check an evidence package, without an index and without a network: container, signature and time stamp, proofs, personal facts, custody log; and
trace the case again from the record in the package, under every policy, and compare each figure.

spoor-verify does the same with a program of its own that shares no code with this one.

TRACE is a file that spoor trace -o json wrote, or traces/ID of a server. It is traced again on the blocks, labels and rules that it names, from the index, and
every field that comes out otherwise is listed; coverage, finality and dollars are not compared.
Exit status 1: something does not hold.`,
		Example: `  spoor verify zx81-3f2a77b0-court.zip --public-key examiner.pub
  spoor verify zx81-3f2a77b0-public.zip --full zx81-3f2a77b0-court.zip
  spoor verify trace.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, t, err := givenTrace(args[0])
			if err != nil {
				return err
			}
			if name != "" || t != nil {
				return a.verifyTrace(cmd, name, t)
			}
			return a.verify(cmd, args[0], flags)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.public, "public-key", "", "`FILE` with the examiner's public key (minisign); the signature is PACKAGE.minisig")
	f.StringVar(&flags.signature, "signature", "", "`FILE` with the signature, if it is elsewhere")
	f.StringVar(&flags.authority, "authority", "", "`FILE` of PEM certificates of time-stamping authorities; the token is PACKAGE.tsr")
	f.StringVar(&flags.token, "token", "", "`FILE` with the time stamp, if it is elsewhere")
	f.StringVar(&flags.full, "full", "", "full `PACKAGE` from which this redacted one has to be derived")
	f.StringVar(&flags.previous, "previous", "", "`PACKAGE` whose place this one takes: the list of changed figures is made again")
	return cmd
}

// verdict is what spoor verify prints.
type verdict struct {
	Package  string           `json:"package"`
	SHA256   string           `json:"sha256"`
	Root     string           `json:"root"`
	Case     string           `json:"case"`
	Level    evidence.Level   `json:"redaction"`
	Holds    bool             `json:"holds"`
	Proven   int              `json:"proven"`
	Attested int              `json:"attested"`
	Inferred int              `json:"inferred"`
	Checks   []evidence.Check `json:"checks"`
}

func (a *app) verify(cmd *cobra.Command, name string, flags verifyFlags) error {
	b, zip, err := openPackage(name)
	if err != nil {
		return err
	}
	report := &evidence.Report{}
	report.Add("container", nil, fmt.Sprintf("%d files", len(b.Files())))
	d, err := pack.Read(b)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	traced := evidence.Verify(cmd.Context(), d)
	report.Checks = append(report.Checks, traced.Checks...)
	report.Proven, report.Attested, report.Inferred = traced.Proven, traced.Attested, traced.Inferred
	if traced.OK() {
		report.Add("renderings are those of the records", pack.Check(b, d), "")
	} else {
		report.Add("renderings are those of the records", errors.New("not made: the records do not hold"), "")
	}
	if err := a.verifyBeside(report, name, b, zip, flags); err != nil {
		return err
	}
	v := verdict{name, b.Sum().SHA256, b.Sum().Root, d.Cover.Case, d.Cover.Redaction, report.OK(), report.Proven, report.Attested, report.Inferred, report.Checks}
	if err := a.printVerdict(v); err != nil {
		return err
	}
	if !v.Holds {
		return fmt.Errorf("%s does not hold: %w", name, ledger.ErrCorrupt)
	}
	return nil
}

func openPackage(name string) (*bag.Bag, []byte, error) {
	zip, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, &usageError{err}
	}
	b, err := bag.Open(bytes.NewReader(zip), int64(len(zip)))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, zip, nil
}

// verifyBeside checks what lies beside the zip and was asked for.
func (a *app) verifyBeside(report *evidence.Report, name string, b *bag.Bag, zip []byte, flags verifyFlags) error {
	if flags.public != "" {
		key, err := os.ReadFile(flags.public)
		if err != nil {
			return &usageError{err}
		}
		comment, err := verifySignature(key, zip, first(flags.signature, name+".minisig"))
		report.Add("signature", err, comment)
	}
	if flags.authority != "" {
		pem, err := os.ReadFile(flags.authority)
		if err != nil {
			return &usageError{err}
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return ledger.Invalid("--authority", "a file of PEM certificates", flags.authority)
		}
		at, err := verifyToken(first(flags.token, name+".tsr"), b.Sum().SHA256, roots)
		report.Add("time stamp", err, at)
	}
	if flags.full != "" {
		full, _, err := openPackage(flags.full)
		if err != nil {
			return err
		}
		report.Add("derived from "+flags.full, pack.Derived(b, full), "")
	}
	if flags.previous != "" {
		return verifyPrevious(report, b, flags.previous)
	}
	return nil
}

// verifyPrevious makes the list of changed figures again.
func verifyPrevious(report *evidence.Report, b *bag.Bag, name string) error {
	before, _, err := openPackage(name)
	if err != nil {
		return err
	}
	old, err := pack.Read(before)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	now, err := pack.Read(b)
	if err != nil {
		return err
	}
	changed := evidence.Changes(old, now)
	if sum := before.Sum().SHA256; now.Cover.Supersedes != sum {
		err = ledger.Invalid("--previous", "the package "+now.Cover.Supersedes, sum)
	} else if !slices.Equal(changed, now.Cover.Changes) {
		err = fmt.Errorf("the package lists %d changed figures, %d differ: %w", len(now.Cover.Changes), len(changed), ledger.ErrCorrupt)
	}
	report.Add("takes the place of "+name, err, fmt.Sprintf("%d changed figures", len(changed)))
	return nil
}

func verifySignature(key, zip []byte, signature string) (comment string, err error) {
	public, err := bag.ReadPublic(key)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(signature)
	if err != nil {
		return "", err
	}
	return bag.Verify(public, bytes.NewReader(zip), text)
}

func verifyToken(token, sha string, roots *x509.CertPool) (string, error) {
	text, err := os.ReadFile(token)
	if err != nil {
		return "", err
	}
	at, err := bag.VerifyTimestamp(text, sha, roots)
	return at.UTC().Format("2006-01-02T15:04:05Z"), err
}

func (a *app) printVerdict(v verdict) error {
	if a.output == "json" {
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	fmt.Fprintf(a.out, "package   %s\nsha256    %s\nroot      %s\ncase      %s, for %s\n\n", v.Package, v.SHA256, v.Root, v.Case, v.Level)
	for _, c := range v.Checks {
		word := "ok"
		if !c.OK {
			word = "FAILED"
		}
		fmt.Fprintf(a.out, "%-8s  %s", word, c.Name)
		if c.Detail != "" {
			fmt.Fprintf(a.out, ": %s", c.Detail)
		}
		fmt.Fprintln(a.out)
	}
	word := "The package holds."
	if !v.Holds {
		word = "THE PACKAGE DOES NOT HOLD."
	}
	_, err := fmt.Fprintf(a.out, "\ntransfers: %d proven by their network, %d attested, %d inferred\n%s\n", v.Proven, v.Attested, v.Inferred, word)
	return err
}
