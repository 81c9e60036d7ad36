package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) caseAddCommand() *cobra.Command {
	m := &spoorv1.AddPaymentsRequest{Options: &spoorv1.SheetOptions{}}
	row := &spoorv1.PaymentRow{}
	var file, mapping string
	cmd := &cobra.Command{
		Use:   "add CASE [REF...] [--file SHEET]",
		Short: "Add victims' payments, one by one or from a spreadsheet",
		Long: `Add victims' payments, one by one or from a spreadsheet (CSV in UTF-8, UTF-16, Windows-874 or GB18030, or XLSX).

Columns: report_ref, victim, status, network, tx, index, to_address, amount, asset, time, bank_leg, note; a mapping file gives yours other names.
Every payment is looked up in the index first. One that is unknown, reverted, ambiguous, without value, on another network, in a replaced block, or
there already is named with its line, and nothing is added; --skip-refused adds the others. --dry-run says what would happen.
Exit status 4: some rows were left out.`,
		Example: `  spoor case add 12/2026 tron:4d5f37b6...:TVXy9j3M... --victim "A. Example" --report-ref R-7 --status confirmed
  spoor case add 12/2026 --file reports.xlsx --tz Asia/Bangkok --dry-run`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			m.Name, m.Options.Zone = caseName(args[0]), a.zoneName()
			for _, ref := range args[1:] {
				m.Rows = append(m.Rows, &spoorv1.PaymentRow{
					Ref: ref, Victim: row.GetVictim(), ReportRef: row.GetReportRef(), Status: row.GetStatus(), Amount: row.GetAmount(), Asset: row.GetAsset(),
					BankLeg: row.GetBankLeg(), Note: row.GetNote(),
				})
			}
			if file != "" {
				if m.File, err = os.ReadFile(file); err != nil {
					return &usageError{err}
				}
			}
			if mapping != "" {
				text, err := os.ReadFile(mapping)
				if err != nil {
					return &usageError{err}
				}
				m.Options.Mapping = string(text)
			}
			return a.addPayments(cmd.Context(), m)
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "file", "", "`SHEET` with payments")
	f.StringVar(&mapping, "mapping", "", "`FILE` (YAML) that says how its columns are called")
	f.StringVar(&m.Options.Encoding, "encoding", "", "utf-8, utf-16le, utf-16be, windows-874 or gb18030 (default: a byte order mark, else UTF-8)")
	f.StringVar(&m.Options.DateOrder, "date-order", "", "dmy or mdy, for dates such as 3/4/2024")
	f.BoolVar(&m.DryRun, "dry-run", false, "say what would be added, and add nothing")
	f.BoolVar(&m.SkipRefused, "skip-refused", false, "add the rows that can be traced although others cannot")
	f.StringVar(&m.RequestId, "request-id", "", "the same id again adds nothing again")
	f.StringVar(&row.Victim, "victim", "", "name of the victim of the REFs; encrypted")
	f.StringVar(&row.ReportRef, "report-ref", "", "number of the report")
	f.StringVar(&row.Status, "status", "suspected", "suspected or confirmed")
	f.StringVar(&row.Amount, "amount", "", "how much of each payment is the victim's (default: all)")
	f.StringVar(&row.Asset, "asset", "", "asset where a transaction moves several")
	f.StringVar(&row.BankLeg, "bank-leg", "", "bank transfer that went before; encrypted")
	f.StringVar(&row.Note, "note", "", "encrypted")
	return cmd
}

// zoneName is the zone of --tz; empty: none was given.
func (a *app) zoneName() string {
	if a.style.Zone == nil {
		return ""
	}
	return a.style.Zone.String()
}

func (a *app) addPayments(ctx context.Context, m *spoorv1.AddPaymentsRequest) error {
	l, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	answer, err := l.cases.AddPayments(ctx, m)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	if err := print(a, answer, render.Added, render.AddedCSV); err != nil {
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
	case m.GetDryRun() || m.GetSkipRefused():
		return &partialError{rowsText(refused) + " cannot be traced"}
	}
	return fmt.Errorf("%s cannot be traced, nothing was added; --skip-refused adds the others", rowsText(refused))
}

func rowsText(n int) string {
	if n == 1 {
		return "1 row"
	}
	return strconv.Itoa(n) + " rows"
}
