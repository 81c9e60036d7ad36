package main

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// asked connects, asks once and prints the answer.
func asked[M proto.Message](a *app, cmd *cobra.Command, ask func(*link) (M, error), table func(io.Writer, M, render.Style) error, csv func(io.Writer, M) error) error {
	return askedOf(a, cmd, false, ask, table, csv)
}

// askedOf is asked; create makes the data directory where there is none.
func askedOf[M proto.Message](a *app, cmd *cobra.Command, create bool, ask func(*link) (M, error), table func(io.Writer, M, render.Style) error, csv func(io.Writer, M) error) error {
	l, err := a.connect(cmd.Context(), create)
	if err != nil {
		return err
	}
	m, err := ask(l)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	return print(a, m, table, csv)
}

func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return needsCommand(cmd) }}
	cmd.AddCommand(commands...)
	return cmd
}

func (a *app) alertsCommand() *cobra.Command {
	list := &spoorv1.ListAlertsRequest{}
	listing := &cobra.Command{
		Use: "list", Short: "List alerts, the newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return asked(a, cmd, func(l *link) (*spoorv1.ListAlertsResponse, error) {
				all := &spoorv1.ListAlertsResponse{}
				return all, pages(func(token string) (string, error) {
					list.PageToken, list.PageSize = token, pageSize
					page, err := l.screening.ListAlerts(cmd.Context(), list)
					all.Alerts = append(all.Alerts, page.GetAlerts()...)
					return page.GetNextPageToken(), err
				})
			}, render.Alerts, render.AlertsCSV)
		},
	}
	listing.Flags().StringSliceVar(&list.Statuses, "status", nil, "only these statuses, such as UNREVIEWED")
	listing.Flags().StringSliceVar(&list.Levels, "level", nil, "only these levels: SEVERE, HIGH, MEDIUM, LOW")
	set := &spoorv1.UpdateAlertRequest{}
	update := &cobra.Command{
		Use: "update ID --status S", Short: "Set the status of an alert", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set.Id = args[0]
			return asked(a, cmd, func(l *link) (*spoorv1.ListAlertsResponse, error) {
				done, err := l.screening.UpdateAlert(cmd.Context(), set)
				return &spoorv1.ListAlertsResponse{Alerts: []*spoorv1.Alert{done}}, err
			}, render.Alerts, render.AlertsCSV)
		},
	}
	update.Flags().StringVar(&set.Status, "status", "", "UNREVIEWED, IN_REVIEW, FLAGGED, ESCALATED, NO_REVIEW, DISMISSED or CLOSED")
	update.Flags().StringVar(&set.Comment, "comment", "", "why, for the history")
	return group("alerts", "List, update and follow alerts", listing, update, a.alertsFollowCommand())
}

func (a *app) alertsFollowCommand() *cobra.Command {
	var cursor string
	cmd := &cobra.Command{
		Use: "follow", Short: "Print alert events as they happen, as JSON lines", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := a.connect(cmd.Context(), false)
			if err != nil {
				return err
			}
			stream, err := l.screening.WatchAlerts(cmd.Context(), &spoorv1.WatchAlertsRequest{Cursor: cursor})
			for err == nil {
				var e *spoorv1.AlertEvent
				if e, err = stream.Recv(); err == nil {
					err = render.JSON(a.out, e)
				}
			}
			return errors.Join(err, l.close())
		},
	}
	cmd.Flags().StringVar(&cursor, "cursor", "", "go on after this event; 0: from the first; without it: only what happens from here on")
	return cmd
}

func (a *app) watchCommand() *cobra.Command {
	ask := &spoorv1.AddWatchRequest{}
	one := func(w *spoorv1.Watch, err error) (*spoorv1.ListWatchesResponse, error) {
		return &spoorv1.ListWatchesResponse{Watches: []*spoorv1.Watch{w}}, err
	}
	policy := ""
	add := &cobra.Command{
		Use: "add NETWORK:ADDRESS|cases/ID|TRACE", Short: "Watch an address, or whatever holds the money of a case or trace",
		Long: `Watch an address, or whatever holds the money of a case or trace: what changes a score, or moves the money, raises alerts.

TRACE is a file that spoor trace -o json wrote, traces/ID of a server, or a payment, NETWORK:TX[:INDEX], which is traced under --policy.

With --fetch, the sources of the settings (else public ones) are asked what became of it, where no node or file tells. From then on they are asked again every minute
while spoor serve runs or somebody follows alerts, what holds most money first; so they are of networks that spoor trace --fetch began.`,
		Example: `  spoor watch add cases/12/2026 --notify mail
  spoor watch add --fetch tron:4d5f37b606d8dad9a0554efd6becb005ef9a53def9d68f636e01f63f86d12c4c --policy fifo
  spoor alerts follow`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := watchTarget(ask, args[0], policy); err != nil {
				return err
			}
			if ask.GetFetch() {
				a.sayWhoLearns()
			}
			return askedOf(a, cmd, ask.GetFetch(), func(l *link) (*spoorv1.ListWatchesResponse, error) {
				return one(l.screening.AddWatch(cmd.Context(), ask))
			}, render.Watches, render.WatchesCSV)
		},
	}
	add.Flags().StringVar(&ask.Note, "note", "", "words of your own")
	add.Flags().BoolVar(&ask.Own, "own", false, "the address is yours: it is never an exposure")
	add.Flags().StringSliceVar(&ask.Notify, "notify", nil, "who is told besides whoever reads: webhook, mail or exec, as the settings name them")
	add.Flags().BoolVar(&ask.Fetch, "fetch", false, "ask the sources of the settings (else public ones) what became of it, now and from now on")
	add.Flags().StringVar(&policy, "policy", "", "of a payment: the rule that it is traced under (default dirty-first)")
	list := &cobra.Command{
		Use: "list", Short: "List what is watched", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return asked(a, cmd, func(l *link) (*spoorv1.ListWatchesResponse, error) {
				all := &spoorv1.ListWatchesResponse{}
				return all, pages(func(token string) (string, error) {
					page, err := l.screening.ListWatches(cmd.Context(), &spoorv1.ListWatchesRequest{PageSize: pageSize, PageToken: token})
					all.Watches = append(all.Watches, page.GetWatches()...)
					return page.GetNextPageToken(), err
				})
			}, render.Watches, render.WatchesCSV)
		},
	}
	remove := &cobra.Command{
		Use: "remove ID", Short: "End a watch", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asked(a, cmd, func(l *link) (*spoorv1.ListWatchesResponse, error) {
				_, err := l.screening.RemoveWatch(cmd.Context(), &spoorv1.RemoveWatchRequest{Id: args[0]})
				return &spoorv1.ListWatchesResponse{}, err
			}, func(w io.Writer, _ *spoorv1.ListWatchesResponse, _ render.Style) error {
				_, err := io.WriteString(w, "no longer watched\n")
				return err
			}, render.WatchesCSV)
		},
	}
	return group("watch", "Watch addresses, cases and traces: what changes a score, or moves the money, raises alerts", add, list, remove)
}

// watchTarget reads what is to be watched.
func watchTarget(ask *spoorv1.AddWatchRequest, arg, policy string) error {
	if _, err := tracer.ParseRef(arg); err == nil {
		ask.Trace = &spoorv1.TraceRequest{Refs: []string{arg}, Policy: policy}
		return nil
	}
	ask.Address = arg
	if _, err := os.Stat(arg); err == nil {
		_, t, err := givenTrace(arg)
		if err != nil {
			return err
		}
		if t == nil {
			return ledger.Invalid("TRACE", "a file that spoor trace -o json wrote", arg)
		}
		ask.Address, ask.Trace = "", t.GetRequest()
	}
	if policy != "" {
		return &usageError{errors.New("--policy: want a payment beside it; others have their own")}
	}
	return nil
}

func (a *app) rulesCommand() *cobra.Command {
	show := &cobra.Command{
		Use: "show", Short: "Print the rules in force", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return asked(a, cmd, func(l *link) (*spoorv1.RuleSet, error) {
				return l.screening.GetRules(cmd.Context(), &spoorv1.GetRulesRequest{})
			}, render.Rules, render.RulesCSV)
		},
	}
	take := &cobra.Command{
		Use: "import FILE", Short: "Put a rule file in force", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return &usageError{err}
			}
			return asked(a, cmd, func(l *link) (*spoorv1.RuleSet, error) {
				return l.screening.ImportRules(cmd.Context(), &spoorv1.ImportRulesRequest{Text: string(text)})
			}, render.Rules, render.RulesCSV)
		},
	}
	test := &cobra.Command{
		Use: "test FILE", Short: "Score registered transfers under a rule file without taking it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return &usageError{err}
			}
			return asked(a, cmd, func(l *link) (*spoorv1.TestRulesResponse, error) {
				return l.screening.TestRules(cmd.Context(), &spoorv1.TestRulesRequest{Text: string(text)})
			}, render.RuleTest, render.RuleTestCSV)
		},
	}
	return group("rules", "Show, import and test the rules of scores", show, take, test)
}
