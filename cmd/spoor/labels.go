package main

import (
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) labelsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "labels",
		Short: "Import, add, show and retract what others say about addresses",
		Long: `Import, add, show and retract what others say about addresses.

A label is a claim with a source and a confidence. Labels that contradict each other stand side by side; a retraction is an entry of its own.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return needsCommand(cmd) },
	}
	cmd.AddCommand(a.labelsImportCommand(), a.labelsAddCommand(), a.labelsShowCommand(), a.labelsRetractCommand(), a.labelsListCommand())
	return cmd
}

func (a *app) labelsAddCommand() *cobra.Command {
	label := &spoorv1.Label{}
	var confidence string
	var private bool
	cmd := &cobra.Command{
		Use:     "add NETWORK:ADDRESS LABEL --category C",
		Short:   "Add one label",
		Example: `  spoor labels add tron:TVXy9j3MHePgN3ydyr3D8NojB5RLD3AcRs "Cash-out desk" --category p2p_exchange --source "case file 12"`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if label.Network, label.Address, err = qualified("address", args[0]); err != nil {
				return err
			}
			if label.GetCategory() == "" {
				return &usageError{errors.New("--category: want what kind of owner it is, such as exchange or scam.romance; none if nothing is known")}
			}
			n, ok := labels.ParseConfidence(confidence)
			if !ok {
				return ledger.Invalid("--confidence", "an id of GraphSense's scale, or 0 to 100", confidence)
			}
			label.Label, label.Confidence = args[1], int32(n)
			return a.changeLabel(cmd, func(l *link) (*spoorv1.Label, error) {
				return l.labels.AddLabel(cmd.Context(), &spoorv1.AddLabelRequest{Label: label, Private: private})
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&label.Category, "category", "", "what kind of owner, such as exchange or scam.romance (required)")
	f.StringVar(&label.Source, "source", "added by hand", "where the claim comes from: a URL, a file, a court order")
	f.StringVar(&confidence, "confidence", "forensic_investigation", "trust in the source: an id of GraphSense's scale, or 0 to 100")
	f.BoolVar(&private, "private", false, "only the tenant that adds it sees the label")
	f.StringVar(&label.Actor, "actor", "", "id of the actor behind the address")
	return cmd
}

func (a *app) labelsRetractCommand() *cobra.Command {
	var reason string
	var dry bool
	cmd := &cobra.Command{
		Use:   "retract ID",
		Short: "Withdraw one label; it stays in the log",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.connect(cmd.Context(), true)
			if err != nil {
				return err
			}
			done, err := l.labels.RetractLabel(cmd.Context(), &spoorv1.RetractLabelRequest{Id: args[0], Reason: reason, DryRun: dry})
			if err = errors.Join(err, l.close()); err != nil {
				return err
			}
			return print(a, done, render.Retraction, render.RetractionCSV)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the log")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what it would change, and retract nothing")
	return cmd
}

func (a *app) changeLabel(cmd *cobra.Command, change func(*link) (*spoorv1.Label, error)) error {
	l, err := a.connect(cmd.Context(), true)
	if err != nil {
		return err
	}
	done, err := change(l)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	one := func(print func(io.Writer, []*spoorv1.Label) error) func(io.Writer, *spoorv1.Label) error {
		return func(w io.Writer, l *spoorv1.Label) error { return print(w, []*spoorv1.Label{l}) }
	}
	table := func(w io.Writer, l *spoorv1.Label, s render.Style) error {
		return render.Labels(w, []*spoorv1.Label{l}, s)
	}
	return print(a, done, table, one(render.LabelsCSV))
}

func (a *app) labelsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NETWORK:ADDRESS",
		Short: "Show every label of an address, the retracted ones too",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.connect(cmd.Context(), false)
			if err != nil {
				return err
			}
			all := &spoorv1.ListLabelsResponse{}
			err = pages(func(token string) (string, error) {
				page, err := l.labels.ListLabels(cmd.Context(), &spoorv1.ListLabelsRequest{Address: args[0], PageSize: pageSize, PageToken: token})
				all.Labels, all.Sequence = append(all.Labels, page.GetLabels()...), page.GetSequence()
				for _, actor := range page.GetActors() {
					if !slices.ContainsFunc(all.GetActors(), func(a *spoorv1.Actor) bool { return a.GetId() == actor.GetId() }) {
						all.Actors = append(all.Actors, actor)
					}
				}
				return page.GetNextPageToken(), err
			})
			if err = errors.Join(err, l.close()); err != nil {
				return err
			}
			table := func(w io.Writer, r *spoorv1.ListLabelsResponse, s render.Style) error {
				return errors.Join(render.Labels(w, r.GetLabels(), s), render.Actors(w, r.GetActors()))
			}
			csv := func(w io.Writer, r *spoorv1.ListLabelsResponse) error { return render.LabelsCSV(w, r.GetLabels()) }
			return print(a, all, table, csv)
		},
	}
}

func (a *app) labelsListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the imports and additions of the label log",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := a.connect(cmd.Context(), false)
			if err != nil {
				return err
			}
			all := &spoorv1.ListLabelSetsResponse{}
			err = pages(func(token string) (string, error) {
				page, err := l.labels.ListLabelSets(cmd.Context(), &spoorv1.ListLabelSetsRequest{PageSize: pageSize, PageToken: token})
				all.Sets, all.Sequence = append(all.Sets, page.GetSets()...), page.GetSequence()
				return page.GetNextPageToken(), err
			})
			if err = errors.Join(err, l.close()); err != nil {
				return err
			}
			table := func(w io.Writer, r *spoorv1.ListLabelSetsResponse, s render.Style) error {
				return render.LabelSets(w, r.GetSets(), s)
			}
			csv := func(w io.Writer, r *spoorv1.ListLabelSetsResponse) error { return render.LabelSetsCSV(w, r.GetSets()) }
			return print(a, all, table, csv)
		},
	}
}

// pages reads one page after the other; next returns the token of the page after.
func pages(next func(token string) (string, error)) error {
	token, err := next("")
	for err == nil && token != "" {
		token, err = next(token)
	}
	return err
}
