package main

import (
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain TRACE HOP",
		Short: "Every rule, figure and source behind one hop of a trace",
		Long: `Every rule, figure and source behind one hop of a trace: the payment and where it is held, what the payer had just before in the order of the rule, which
hops brought it, what the rule took and why, what became of it at the payee, and the limits. It is worked out by tracing again; the figures re-add.

TRACE is a file that spoor trace -o json wrote, or traces/ID of a server; HOP is the number of a hop in it.`,
		Example: `  spoor trace 4d5f37b606d8dad9a0554efd6becb005ef9a53def9d68f636e01f63f86d12c4c -o json > trace.json
  spoor explain trace.json 3`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, t, err := givenTrace(args[0])
			if err != nil {
				return err
			}
			hop, bad := strconv.ParseUint(args[1], 10, 32)
			if bad != nil || hop == 0 {
				return ledger.Invalid("HOP", "the number of a hop, from 1", args[1])
			}
			if name == "" && t == nil {
				return ledger.Invalid("TRACE", "what spoor trace -o json wrote, or traces/ID", args[0])
			}
			return a.explain(cmd, &spoorv1.ExplainHopRequest{Name: name, Trace: t, Hop: uint32(hop)})
		},
	}
}

func (a *app) explain(cmd *cobra.Command, m *spoorv1.ExplainHopRequest) error {
	l, err := a.connect(cmd.Context(), false)
	if err != nil {
		return err
	}
	x, err := l.traces.ExplainHop(cmd.Context(), m)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	return print(a, x, render.Explained, render.ExplainedCSV)
}
