package main

import (
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) findCommand() *cobra.Command {
	m := &spoorv1.FindTransfersRequest{}
	var around, tolerance string
	var within time.Duration
	cmd := &cobra.Command{
		Use:   "find NETWORK:ADDRESS --amount A --around TIME",
		Short: "Look for payments by address, amount and time, for victims without a hash",
		Long: `Look for payments to an address by amount and time, for victims without a transaction hash. The likeliest come first: by how far the amount is off, then
the time. Each has a REF for spoor trace and spoor case add.
Exit status 1: nothing fits; 4: not everything could be looked at.`,
		Example: `  spoor find tron:TVXy9j3MHePgN3ydyr3D8NojB5RLD3AcRs --amount 25050 --around 2022-01-05T18:00:00Z`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := time.Parse(time.RFC3339, around)
			if err != nil {
				return ledger.Invalid("--around", "a time with zone such as 2026-05-03T09:00:00Z", around)
			}
			percent, err := permille(tolerance)
			if err != nil {
				return err
			}
			if within < time.Second {
				return ledger.Invalid("--within", "a duration such as 48h", within.String())
			}
			m.Address, m.Around, m.TolerancePermille, m.WithinSeconds = args[0], timestamppb.New(at), &percent, int64(within/time.Second)
			return a.find(cmd, m)
		},
	}
	f := cmd.Flags()
	f.StringVar(&m.Amount, "amount", "", "what was paid, in whole coins or base units with a u")
	f.StringVar(&around, "around", "", "about when: a `TIME` with zone")
	f.DurationVar(&within, "within", 24*time.Hour, "how far off the time may be, either way")
	f.StringVar(&tolerance, "tolerance", "5", "how far off the amount may be, either way, in percent; 0: exact")
	f.StringVar(&m.Asset, "asset", "", "asset by symbol, native or contract (default: every one that the address was paid in)")
	f.Int32Var(&m.MaxResults, "max", 20, "most candidates")
	return cmd
}

// permille reads a percentage with at most one decimal.
func permille(percent string) (uint32, error) {
	p, err := ledger.ParseCoins(percent, 1)
	n, small := p.Uint64()
	if err != nil || !small || n > 1000 {
		return 0, ledger.Invalid("--tolerance", "0 to 100, with at most one decimal", strconv.Quote(percent))
	}
	return uint32(n), nil
}

func (a *app) find(cmd *cobra.Command, m *spoorv1.FindTransfersRequest) error {
	l, err := a.connect(cmd.Context(), false)
	if err != nil {
		return err
	}
	answer, err := l.traces.FindTransfers(cmd.Context(), m)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	if err := print(a, answer, render.Found, render.FoundCSV); err != nil {
		return err
	}
	switch {
	case answer.GetCut():
		return &partialError{"the address has more transfers in that time than one search reads; ask for less time (--within), or one asset"}
	case answer.GetFound() == 0:
		return errors.New("no payment fits; --within and --tolerance look further")
	}
	return nil
}
