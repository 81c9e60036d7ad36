package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) caseReturnCommand() *cobra.Command {
	return group("return", "Take in what services answered about accounts of their customers", a.caseReturnImportCommand())
}

func (a *app) caseReturnImportCommand() *cobra.Command {
	m := &spoorv1.ImportReturnRequest{Options: &spoorv1.SheetOptions{}}
	var from, to, mapping string
	cmd := &cobra.Command{
		Use:   "import CASE FILE --entity E --account UID --from TIME --to TIME",
		Short: "Take in a service's answer about one account; the trace goes on through it",
		Long: `Take in a service's answer about one account, CSV or XLSX as for payments; from then on the trace goes on through the account.

Columns: time, kind (opening, deposit, withdrawal, transfer_in, transfer_out, fee, trade), asset, amount, and where there is one: network, tx, address of a
deposit or withdrawal, counterparty (the other account of a transfer, or a bank), got_asset and got_amount of a trade. A mapping file gives yours other names.
--from and --to say for which time the service answered in full. A deposit or withdrawal is joined to its transaction in the index; one that cannot be is
named with its line and taken in: the trace does not pass through it. The rows are what the service says (class D, attested), nothing more.`,
		Example: `  spoor case return import 12/2026 answer.csv --entity huobi --account 8812345 --from 2026-01-01T00:00:00Z --to 2026-05-01T00:00:00Z --dry-run`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			m.Name, m.FileName, m.Options.Zone = caseName(args[0]), filepath.Base(args[1]), a.zoneName()
			if m.File, err = os.ReadFile(args[1]); err != nil {
				return &usageError{err}
			}
			if mapping != "" {
				text, err := os.ReadFile(mapping)
				if err != nil {
					return &usageError{err}
				}
				m.Options.Mapping = string(text)
			}
			if m.From, err = flagTime("--from", from); err != nil {
				return err
			}
			if m.To, err = flagTime("--to", to); err != nil {
				return err
			}
			return a.importReturn(cmd.Context(), m)
		},
	}
	f := cmd.Flags()
	f.StringVar(&m.Entity, "entity", "", "id of the service, as labels name it")
	f.StringVar(&m.Account, "account", "", "the account as the service names it")
	f.StringVar(&from, "from", "", "the answer is complete from this `TIME`")
	f.StringVar(&to, "to", "", "to this `TIME`, exclusive")
	f.StringVar(&mapping, "mapping", "", "`FILE` (YAML) that says how the columns are called")
	f.StringVar(&m.Options.Encoding, "encoding", "", "utf-8, utf-16le, utf-16be, windows-874 or gb18030 (default: a byte order mark, else UTF-8)")
	f.StringVar(&m.Options.DateOrder, "date-order", "", "dmy or mdy, for dates such as 3/4/2024")
	f.BoolVar(&m.Replaces, "replace", false, "it takes the place of earlier answers on the account")
	f.BoolVar(&m.DryRun, "dry-run", false, "say what would be taken in, and take nothing in")
	f.StringVar(&m.RequestId, "request-id", "", "the same id again takes nothing in again")
	return cmd
}

// flagTime reads a time with its zone.
func flagTime(name, text string) (*timestamppb.Timestamp, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, ledger.Invalid(name, "a time with zone such as 2026-05-03T09:00:00Z", text)
	}
	return timestamppb.New(t), nil
}

func (a *app) importReturn(ctx context.Context, m *spoorv1.ImportReturnRequest) error {
	l, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	answer, err := l.cases.ImportReturn(ctx, m)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	if err := print(a, answer, render.Returned, render.ReturnedCSV); err != nil {
		return err
	}
	refused := 0
	for _, p := range answer.GetProblems() {
		if p.GetRefused() {
			refused++
		}
	}
	switch {
	case refused == 0:
		return nil
	case m.GetDryRun():
		return &partialError{rowsText(refused) + " cannot be read"}
	}
	return fmt.Errorf("%s cannot be read, nothing was taken in", rowsText(refused))
}
