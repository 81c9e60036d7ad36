package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) diffCommand() *cobra.Command {
	var fetch bool
	cmd := &cobra.Command{
		Use:   "diff TRACE [TRACE]",
		Short: "Say what more data, or time, changed in a trace",
		Long: `Answer the request of a trace again, of what is held now, as of now, and say what came out otherwise: places, hops, and the rows of its conservation
sheets, which re-add in both. With a second TRACE the two are compared as they are.

TRACE is a file that spoor trace -o json wrote; the first one may be traces/ID of a server, too.`,
		Example: `  spoor trace --fetch TX --max-requests 500 -o json > before.json
  spoor diff --fetch before.json
  spoor diff before.json after.json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			req := &spoorv1.DiffTraceRequest{}
			var err error
			if req.Name, req.Trace, err = wantTrace(args[0]); err != nil {
				return err
			}
			if len(args) == 2 {
				name, is, err := wantTrace(args[1])
				if err != nil {
					return err
				}
				if req.Is = is; name != "" || fetch {
					return &usageError{errors.New("the second TRACE: want a file, and no --fetch beside it")}
				}
			}
			if fetch {
				req.Fetch = &spoorv1.Fetch{Anew: true}
				a.sayWhoLearns()
			}
			return askedOf(a, cmd, fetch, func(l *link) (*spoorv1.TraceDiff, error) {
				return l.traces.DiffTrace(cmd.Context(), req)
			}, render.Diff, render.DiffCSV)
		},
	}
	cmd.Flags().BoolVar(&fetch, "fetch", false, "ask the sources of the settings (else public ones) for what the index lacks, first")
	return cmd
}

// wantTrace is givenTrace of what must be one.
func wantTrace(arg string) (name string, t *spoorv1.Trace, err error) {
	name, t, err = givenTrace(arg)
	if err == nil && name == "" && t == nil {
		err = ledger.Invalid("TRACE", "a file that spoor trace -o json wrote, or traces/ID", fmt.Sprintf("%.80s", arg))
	}
	return name, t, err
}
