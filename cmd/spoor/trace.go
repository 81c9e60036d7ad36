package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

const refHelp = `A REF is NETWORK:TX[:INDEX|:ADDRESS], a bare transaction hash (searched in every network of the index), or the address of its page at
mempool.space, blockstream, the etherscan family or tronscan. INDEX is an output of a Bitcoin transaction, or the transfer within a TRON transaction
(in exports the row order); ADDRESS picks the payments to it. A REF that fits several payments lists them and exits 2.`

// traceFlags are the flags of a trace that are not fields of its request as they are.
type traceFlags struct {
	maxHops       int32
	servicePayees int64
	maxEvents     int64
	sheet         string
	prices        []string
	follow        bool
	upstream      bool
	fetch         bool
	ask           spoorv1.Fetch
	maxTime       time.Duration
}

func (a *app) traceCommand() *cobra.Command {
	req, flags := &spoorv1.TraceRequest{}, &traceFlags{}
	cmd := &cobra.Command{
		Use:   "trace REF...",
		Short: "Follow payments to where the money rests",
		Long: `Follow payments to where the money rests, hop by hop, and add it all up.

` + refHelp + `

Rules (--policy):
` + policyHelp() + `
--upstream asks which earlier payments paid for these, down to mints, services and what the index does not hold; fifo (the default there), lifo, haircut and
poison have an answer.
-o svg draws the answer, a column a hop, an address a box, up to the 300 largest connections; graphml (Gephi, yEd, networkx) and dot (Graphviz) have all of it.
Transfers between the same two addresses in one asset are one connection in svg and graphml; each is listed in it as TX:INDEX=BASE UNITS.
Exit status 4: a limit (--max-hops, --max-events) ended the trace somewhere; what is left is PENDING. What the index does not cover is
NOT_COVERED in the answer and no reason for another status.`,
		Example: "  spoor trace tron:4d5f37b606d8dad9a0554efd6becb005ef9a53def9d68f636e01f63f86d12c4c --policy fifo\n  spoor trace 0437cd7f8525ceed2324359c2d0ba26006d92d856a9c20fa0241106ee5a597c9:0 -o json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, refs []string) error {
			req.Refs = refs
			return a.trace(cmd, req, flags)
		},
	}
	f := cmd.Flags()
	f.StringVar(&req.Policy, "policy", "", "accounting rule (default dirty-first)")
	f.BoolVar(&req.AllPolicies, "all-policies", false, "every rule, side by side")
	f.StringArrayVar(&req.Amounts, "amount", nil, "how much of each payment is the victim's, in whole coins or base units with a u; once, or once per payment")
	f.StringVar(&req.Asset, "asset", "", "asset to follow where a transaction moves several: a symbol, native or a contract")
	f.StringVar(&req.MinValue, "min-value", "", "prune transfers whose traced total is below it (default dust of the asset; 0 prunes nothing)")
	f.Int32Var(&flags.maxHops, "max-hops", tracer.DefaultHops, "greatest depth")
	f.StringVar(&req.AsOf, "as-of", "", "data cut-off: a height, or a time with its zone (default the tip)")
	f.StringArrayVar(&req.Through, "through", nil, "`NETWORK:ADDRESS` that never stops the trace, whatever its labels; may be repeated")
	f.StringArrayVar(&req.StopAt, "stop-at", nil, "`NETWORK:ADDRESS` that ends the trace; may be repeated")
	f.Int64Var(&flags.servicePayees, "service-payees", tracer.DefaultServicePayees, "an account with more distinct payees is a suspected service; 0: never")
	f.Int64Var(&flags.maxEvents, "max-events", 0, "greatest number of transfers to replay (default the server's)")
	f.StringVar(&req.Network, "network", "", "network to search for a bare hash (default all)")
	f.BoolVar(&req.Heuristics, "heuristics", false, "let a bridge's other leg be found by recipient, amount and time, too (tier T2); it is wrong at times")
	f.BoolVar(&req.FeesToCoinbase, "fees-to-coinbase", false, "follow miner fees into the coinbase of their block")
	f.BoolVar(&a.style.Wide, "wide", false, "tables with transaction hashes")
	f.BoolVar(&a.style.All, "all", false, "tables with every hop and place, however many")
	f.BoolVar(&flags.upstream, "upstream", false, "ask where the payments' money came from")
	f.BoolVar(&flags.follow, "follow", false, "go on as blocks arrive, until SIGINT: hops are TENTATIVE, then FINAL, or RETRACTED by a reorganisation; with --fetch the sources are asked again every minute")
	f.BoolVar(&flags.fetch, "fetch", false, "ask the sources of the settings (else public ones) for what the index lacks of the trace, and for nothing else")
	f.Int64Var(&flags.ask.MaxRequests, "max-requests", 0, "with --fetch: greatest number of requests; what is left is NOT_COVERED and says why (default 10,000)")
	f.Int64Var(&flags.ask.MaxBytes, "max-bytes", 0, "with --fetch: greatest number of bytes that are read (default 1 GiB)")
	f.DurationVar(&flags.maxTime, "max-time", 0, "with --fetch: greatest time (default 1h)")
	f.BoolVar(&flags.ask.Anew, "anew", false, "with --fetch: as of the newest block, though the cut-off of an earlier --fetch is young")
	f.BoolVar(&flags.ask.Prove, "prove", false, "with --fetch: ask for proofs, too: transactions that can be shown to be in their block are graded proven (Bitcoin by Esplora, EVM networks by a node)")
	f.StringArrayVar(&flags.prices, "prices", nil, "`FILE` of prices (asset,time,usd,source) that annotate amounts; may be repeated; not through a server")
	f.StringVar(&flags.sheet, "sheet", "hops", "what -o csv writes: hops, terminals or conservation")
	return cmd
}

func policyHelp() string {
	var b strings.Builder
	for _, p := range tracer.Policies() {
		fmt.Fprintf(&b, "  %-12s %s\n", p.Name, p.About)
	}
	return b.String()
}

func (a *app) trace(cmd *cobra.Command, req *spoorv1.TraceRequest, flags *traceFlags) error {
	sheets := map[string]func(io.Writer, *spoorv1.Trace) error{"hops": render.HopsCSV, "terminals": render.TerminalsCSV, "conservation": render.ConservationCSV}
	csv, ok := sheets[flags.sheet]
	if !ok {
		return ledger.Invalid("--sheet", "hops, terminals or conservation", flags.sheet)
	}
	if cmd.Flags().Changed("max-hops") {
		req.MaxHops = &flags.maxHops
	}
	if cmd.Flags().Changed("service-payees") {
		req.ServicePayees = &flags.servicePayees
	}
	if cmd.Flags().Changed("max-events") {
		req.MaxEvents = &flags.maxEvents
	}
	if flags.upstream {
		req.Direction = spoorv1.Direction_DIRECTION_UPSTREAM
	}
	if err := a.asks(req, flags); err != nil {
		return err
	}
	if flags.follow && flags.upstream {
		return &usageError{errors.New("--follow: want no --upstream beside it: what came before does not change")}
	}
	if flags.follow && (req.GetAsOf() != "" || req.GetAllPolicies() || a.output != "table" && a.output != "json") {
		return &usageError{errors.New("--follow: want neither --as-of nor --all-policies beside it, and -o table or json")}
	}
	a.config.Prices = append(a.config.Prices, flags.prices...)
	l, err := a.connect(cmd.Context(), flags.fetch)
	if err != nil {
		return err
	}
	if l.elsewhere && len(flags.prices) > 0 {
		return errors.Join(&usageError{errors.New("--prices: want the data directory itself; a server has its own, in its settings")}, l.close())
	}
	if flags.follow {
		err := a.pursue(cmd.Context(), l, req)
		if interrupted(cmd.Context(), err) {
			err = nil // that is how it ends
		}
		return errors.Join(err, l.close())
	}
	t, err := a.traceBy(cmd.Context(), l, req)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	if err := a.printTrace(t, csv); err != nil {
		return err
	}
	return pending(t)
}

// asks reads the flags of --fetch.
func (a *app) asks(req *spoorv1.TraceRequest, flags *traceFlags) error {
	given := flags.ask.GetMaxRequests() != 0 || flags.ask.GetMaxBytes() != 0 || flags.maxTime != 0 || flags.ask.GetAnew() || flags.ask.GetProve()
	switch {
	case !flags.fetch && given:
		return &usageError{errors.New("--max-requests, --max-bytes, --max-time, --anew and --prove: want --fetch beside them")}
	case !flags.fetch:
		return nil
	case flags.upstream || req.GetAsOf() != "":
		return &usageError{errors.New("--fetch: want neither --upstream nor --as-of beside it")}
	case flags.maxTime != 0 && flags.maxTime < time.Second:
		return ledger.Invalid("--max-time", "a second or more", flags.maxTime.String())
	}
	flags.ask.MaxSeconds = int64(flags.maxTime / time.Second)
	req.Fetch = &flags.ask
	a.sayWhoLearns()
	return nil
}

func (a *app) printTrace(t *spoorv1.Trace, csv func(io.Writer, *spoorv1.Trace) error) error {
	switch a.output {
	case "dot":
		return render.Dot(a.out, t)
	case "svg":
		return render.SVG(a.out, t)
	case "graphml":
		return render.GraphML(a.out, t)
	}
	return print(a, t, traceTable, csv)
}

// traceTable prints a trace, and below it the rules side by side where they were asked for.
func traceTable(w io.Writer, t *spoorv1.Trace, s render.Style) error {
	if err := render.Trace(w, t, s); err != nil || len(t.GetPolicyResults()) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return render.Policies(w, t, nil, s)
}

// foundShown is how many hops are shown as they are found.
const foundShown = 20

// traceBy runs a trace over a link and puts its pieces together.
func (a *app) traceBy(ctx context.Context, l *link, req *spoorv1.TraceRequest) (*spoorv1.Trace, error) {
	m := a.meter()
	defer m.close()
	stream, err := l.traces.StreamTrace(ctx, &spoorv1.StreamTraceRequest{Request: req})
	if err != nil {
		return nil, err
	}
	t, found := &spoorv1.Trace{}, 0
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			err = errors.New("the server ended without a result")
		}
		if err != nil {
			return nil, err
		}
		switch e := event.GetEvent().(type) {
		case *spoorv1.TraceEvent_Hop:
			t.Hops = append(t.Hops, e.Hop)
			if n := len(t.GetHops()); n%256 == 0 {
				m.show(&spoorv1.Progress{Phase: "replay", Done: int64(n), Unit: "hops"})
			}
		case *spoorv1.TraceEvent_Terminal:
			t.Terminals = append(t.Terminals, e.Terminal)
		case *spoorv1.TraceEvent_Progress:
			m.show(e.Progress)
		case *spoorv1.TraceEvent_Found:
			if found++; found <= foundShown {
				m.line(render.FoundLine(e.Found, a.style))
			}
		case *spoorv1.TraceEvent_Fetching:
			m.fetching(e.Fetching)
		case *spoorv1.TraceEvent_Result:
			e.Result.Hops, e.Result.Terminals = t.GetHops(), t.GetTerminals()
			return e.Result, nil
		}
	}
}

// pending says that a limit ended the trace somewhere.
func pending(t *spoorv1.Trace) error {
	for _, end := range t.GetTerminals() {
		if end.GetReason() == "PENDING" {
			return &partialError{"a limit ended the trace before its end: what is left is PENDING; a greater --max-hops or --max-events goes on"}
		}
	}
	return nil
}
