package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// passphraseFile reads a passphrase: the first line of a file, so that it stands in no list of processes.
func passphraseFile(name string) (string, error) {
	if name == "" {
		return "", &usageError{errors.New("--passphrase-file: want a file whose first line is the passphrase")}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", &usageError{err}
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}

func (a *app) caseExportCommand() *cobra.Command {
	m := &spoorv1.ExportCaseRequest{}
	var out, word string
	cmd := &cobra.Command{
		Use:   "export CASE --to AGENCY --passphrase-file F --out FILE",
		Short: "Write a case as one file for another agency",
		Long: `Write a case as one file for another agency: its whole custody log, its exhibits as they are sealed, and its key under a passphrase, which is to go another
way than the file. The export is an entry of the custody log; so is the receipt that the other side sends back (spoor case receipt).`,
		Example: `  spoor case export 12/2026 --to "Public Prosecutor, Geneva" --passphrase-file word.txt --out 12-2026.spoor`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if out == "" {
				return &usageError{errors.New("--out: want a file to write to")}
			}
			m.Name = caseName(args[0])
			if m.Passphrase, err = passphraseFile(word); err != nil {
				return err
			}
			return a.exportCase(cmd.Context(), m, out)
		},
	}
	f := cmd.Flags()
	f.StringVar(&m.To, "to", "", "the agency that gets it")
	f.StringVar(&word, "passphrase-file", "", "`FILE` whose first line is the passphrase, at least 12 characters")
	f.StringVar(&out, "out", "", "`FILE` to write; it must not exist")
	return cmd
}

func (a *app) exportCase(ctx context.Context, m *spoorv1.ExportCaseRequest, out string) (err error) {
	file, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return &usageError{err}
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			err = errors.Join(err, os.Remove(out))
		}
	}()
	l, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	stream, err := l.cases.ExportCase(ctx, m)
	if err != nil {
		return err
	}
	for {
		part, err := stream.Recv()
		if err != nil {
			return err
		}
		if _, err := file.Write(part.GetChunk()); err != nil {
			return err
		}
		if part.GetSha256() != "" {
			_, err := fmt.Fprintf(a.out, "%s  sha256 %s\n", out, part.GetSha256())
			return errors.Join(err, file.Sync())
		}
	}
}

func (a *app) caseImportCommand() *cobra.Command {
	m := &spoorv1.ImportCaseRequest{}
	var word, receipt string
	cmd := &cobra.Command{
		Use:   "import FILE --agency YOURS --passphrase-file F --receipt FILE",
		Short: "Take in a case that another agency exported; you are its owner then",
		Long: `Take in a case that another agency exported, whole or not at all: its custody log goes on here, under this data directory's key, and says from whom it came
and what they signed. The receipt is for them to record.`,
		Example: `  spoor case import 12-2026.spoor --agency "Public Prosecutor, Geneva" --passphrase-file word.txt --receipt receipt.txt`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if m.Passphrase, err = passphraseFile(word); err != nil {
				return err
			}
			if receipt == "" {
				return &usageError{errors.New("--receipt: want a file to write the receipt to")}
			}
			return a.importCase(cmd.Context(), m, args[0], receipt)
		},
	}
	f := cmd.Flags()
	f.StringVar(&m.Agency, "agency", "", "your agency, as the receipt says")
	f.StringVar(&word, "passphrase-file", "", "`FILE` whose first line is the passphrase")
	f.StringVar(&receipt, "receipt", "", "`FILE` to write the receipt to; it must not exist")
	return cmd
}

func (a *app) importCase(ctx context.Context, m *spoorv1.ImportCaseRequest, name, receipt string) error {
	file, err := os.Open(name)
	if err != nil {
		return &usageError{err}
	}
	defer file.Close()
	out, err := os.OpenFile(filepath.Clean(receipt), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return &usageError{err}
	}
	l, err := a.connect(ctx, false)
	if err != nil {
		return errors.Join(err, out.Close(), os.Remove(receipt))
	}
	answer, err := sendCase(ctx, l, m, file)
	if err = errors.Join(err, l.close()); err != nil {
		return errors.Join(err, out.Close(), os.Remove(receipt))
	}
	_, err = out.WriteString(answer.GetReceipt())
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return print(a, answer.GetCase(), render.Case, render.CaseCSV)
}

func sendCase(ctx context.Context, l *link, m *spoorv1.ImportCaseRequest, file io.Reader) (*spoorv1.ImportCaseResponse, error) {
	stream, err := l.cases.ImportCase(ctx)
	if err != nil {
		return nil, err
	}
	buffer := make([]byte, 256<<10)
	for {
		n, err := io.ReadFull(file, buffer)
		if n > 0 {
			m.Chunk = buffer[:n]
			if err := stream.Send(m); err != nil {
				return stream.CloseAndRecv() // says why
			}
			m = &spoorv1.ImportCaseRequest{}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return stream.CloseAndRecv()
		}
		if err != nil {
			return nil, err
		}
	}
}

func (a *app) caseReceiptCommand() *cobra.Command {
	m := &spoorv1.RecordReceiptRequest{}
	return &cobra.Command{
		Use: "receipt CASE FILE", Short: "Record the receipt of another agency for a case that was exported", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[1])
			if err != nil {
				return &usageError{err}
			}
			m.Name, m.Receipt = caseName(args[0]), string(text)
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) { return l.cases.RecordReceipt(cmd.Context(), m) })
		},
	}
}
