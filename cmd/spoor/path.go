package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) pathCommand() *cobra.Command {
	m := &spoorv1.FindPathsRequest{}
	var since, before string
	cmd := &cobra.Command{
		Use:   "path NETWORK:ADDRESS NETWORK:ADDRESS",
		Short: "How money got from one address to another",
		Long: `How money got from the first address to the second: chains of payments in the order of time, by what could pass, the widest first; the smallest payment of a
chain is its width. In accounts each payment is made by whoever got the one before, after it; of coins each is an output of the transaction that spends
the coin before. It shows that money could go that way, not whose it was: that is spoor trace.

Same network and same asset: swaps and bridges end a path. It never leads through services, mixers and the like (only from and to them), and says at how many
it stopped.
Exit status 1: there is no path in the index; 4: none was found, and not everything was looked at.`,
		Example: `  spoor path tron:TNcxqFUfdBRscyJyJAdj9M6hSYotVJJHvs tron:TV6MuMXfmLbBqPZvBHdwFsDnQeVfnmiuSi --max-hops 4`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if m.Since, err = timeFlag("--from", since); err != nil {
				return err
			}
			if m.Before, err = timeFlag("--to", before); err != nil {
				return err
			}
			m.From, m.To = args[0], args[1]
			return a.path(cmd, m)
		},
	}
	f := cmd.Flags()
	f.Int32Var(&m.MaxHops, "max-hops", 6, "most payments of a path, up to 12")
	f.StringVar(&since, "from", "", "payments not before a `TIME` with zone")
	f.StringVar(&before, "to", "", "payments before a `TIME` with zone")
	f.StringVar(&m.Asset, "asset", "", "asset by symbol, native or contract (default: every one that both moved)")
	f.Int32Var(&m.MaxResults, "limit", 10, "most paths, of each asset")
	return cmd
}

// timeFlag reads a time with zone; nothing is none.
func timeFlag(name, text string) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // none was given
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, ledger.Invalid(name, "a time with zone such as 2026-05-03T09:00:00Z", text)
	}
	return timestamppb.New(at), nil
}

func (a *app) path(cmd *cobra.Command, m *spoorv1.FindPathsRequest) error {
	l, err := a.connect(cmd.Context(), false)
	if err != nil {
		return err
	}
	answer, err := l.traces.FindPaths(cmd.Context(), m)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	if err := print(a, answer, render.Paths, render.PathsCSV); err != nil {
		return err
	}
	switch answer.GetOutcome() {
	case "NONE_IN_INDEX":
		return errors.New("the index holds no path from the one to the other")
	case "NONE_WITHIN_LIMITS":
		return &partialError{"no path within the limits; what was not looked at is said above"}
	}
	return nil
}
