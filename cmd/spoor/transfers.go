package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) transfersCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "transfers", Short: "Register past deposits and withdrawals", Args: cobra.NoArgs}
	var skip int64
	one := &cobra.Command{
		Use:   "import PATH",
		Short: "Register the transfers of a CSV file",
		Long: `Register the transfers of a CSV file, or of standard input (-), with the columns of spoor compare, level excepted. Memory does not grow with the
file. A transfer that is registered already is not registered twice, so that the same file can be imported again after an interruption; --skip goes
on behind the row that was printed. A row that cannot be registered is named and does not end the work.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if skip < 0 {
				return ledger.Invalid("--skip", "0 or more rows", fmt.Sprint(skip))
			}
			return a.importTransfers(cmd.Context(), args[0], skip)
		},
	}
	one.Flags().Int64Var(&skip, "skip", 0, "rows at the beginning that are passed over")
	cmd.AddCommand(one)
	return cmd
}

func (a *app) importTransfers(ctx context.Context, path string, skip int64) error {
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return &usageError{fmt.Errorf("transfers: %w", err)}
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	rows, err := newExportReader(in)
	if err != nil {
		return err
	}
	l, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	t := &transferImport{meter: a.meter()}
	err = rows.batches(skip, func(batch []*judged) error { return t.batch(ctx, l.screening, batch) })
	t.meter.end()
	if err = errors.Join(err, l.close()); err != nil {
		if t.c.Row > 0 {
			return &hintedError{err, fmt.Sprintf("--skip %d goes on where this ended", t.c.Row)}
		}
		return err
	}
	if err := render.TransferImport(a.out, a.output, &t.c); err != nil {
		return err
	}
	if t.c.Refused > 0 {
		return &partialError{fmt.Sprintf("done, but %d rows could not be registered; the first is row %d: %s", t.c.Refused, t.c.Refusals[0].Row, t.c.Refusals[0].Reason)}
	}
	return nil
}

// transferImport counts what became of the rows.
type transferImport struct {
	meter *meter
	c     render.TransferCounts
}

func (t *transferImport) batch(ctx context.Context, screening spoorv1.ScreeningServiceClient, batch []*judged) error {
	answers, err := registerAll(ctx, screening, batch)
	if err != nil {
		return err
	}
	for i, j := range batch {
		t.c.Add(j.row, j.refused, answers[i])
	}
	t.meter.show(&spoorv1.Progress{Phase: "register", Done: t.c.Row, Unit: "rows"})
	return nil
}
