package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

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

func (a *app) labelsImportCommand() *cobra.Command {
	o := &spoorv1.ImportOptions{}
	var confidence string
	var maxAge time.Duration
	cmd := &cobra.Command{
		Use:   "import PATH...",
		Short: "Import label files, or folders of them",
		Long: `Import label files, plain or gzipped, or folders of them. What a file is, is told by its content:

  GraphSense TagPacks and ActorPacks (YAML)
  label CSVs: network,address,label,category,source,confidence, and if there actor,abuse,context,valid_from,valid_to
  OFAC's sdn_advanced.xml
  OpenSanctions' entities (JSON lines)
  STIX 2.1 bundles with wallets
  etherscan-labels' combinedAllLabels.json and Forta's tables
  lists of one address a line, or a JSON list of them, with --label

Each file is taken in whole or not at all. Exit status 4: addresses that do not parse were refused, and it is printed which.`,
		Example: `  spoor labels import sdn_advanced.xml tagpacks/
  spoor labels import usdt.txt --network USDT --label "OFAC SDN" --category sanctioned_entity --source OFAC`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if confidence != "" {
				n, ok := labels.ParseConfidence(confidence)
				if !ok || n == 0 {
					return ledger.Invalid("--confidence", "an id of GraphSense's scale, or 1 to 100", confidence)
				}
				o.Confidence = int32(n)
			}
			if maxAge < 0 {
				return ledger.Invalid("--max-age", "a duration such as 168h", maxAge.String())
			}
			if maxAge > 0 {
				o.MaxAge = durationpb.New(maxAge)
			}
			return a.importLabels(cmd.Context(), paths, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Network, "network", "", "network of lists that name none, or a ticker such as XBT; USDT: by the form of each address")
	f.StringVar(&o.Label, "label", "", "label of a plain list")
	f.StringVar(&o.Category, "category", "", "category of labels that have none")
	f.StringVar(&o.Source, "source", "", "where the claims come from, if the file does not say")
	f.StringVar(&confidence, "confidence", "", "trust in the source, if the file does not say: an id of GraphSense's scale, or 1 to 100")
	f.DurationVar(&maxAge, "max-age", 0, "age above which the source is stale, such as 168h; default: 168h for a list of sanctions, else none")
	return cmd
}

func (a *app) importLabels(ctx context.Context, paths []string, o *spoorv1.ImportOptions) error {
	var files []string
	for _, path := range paths {
		found, err := labels.Find(path)
		if err != nil {
			return &usageError{err}
		}
		if len(found) == 0 {
			return ledger.Invalid("path", "a label file, or a folder with some", path)
		}
		files = append(files, found...)
	}
	l, err := a.connect(ctx, true)
	if err != nil {
		return err
	}
	all, err := importBy(ctx, l, files, o)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	table := func(w io.Writer, r *spoorv1.ImportLabelsResponse, _ render.Style) error { return render.Import(w, r) }
	if err := print(a, all, table, render.ImportCSV); err != nil {
		return err
	}
	if n := all.GetRefused(); n > 0 {
		return &partialError{fmt.Sprintf("done, but %d labels were refused", n)}
	}
	return nil
}

// importBy sends the files one call each: what came before a bad file stays imported.
func importBy(ctx context.Context, l *link, files []string, o *spoorv1.ImportOptions) (*spoorv1.ImportLabelsResponse, error) {
	all := &spoorv1.ImportLabelsResponse{}
	for i, path := range files {
		r, err := sendFile(ctx, l, path, optionsFor(path, o))
		if err != nil && i > 0 {
			err = &hintedError{err, fmt.Sprintf("the %d files before it are imported; mend it and repeat the command", i)}
		}
		if err != nil {
			return nil, err
		}
		all.Sequence, all.Accepted, all.Refused = r.GetSequence(), all.GetAccepted()+r.GetAccepted(), all.GetRefused()+r.GetRefused()
		all.Refusals, all.Sets = append(all.Refusals, r.GetRefusals()...), append(all.Sets, r.GetSets()...)
	}
	return all, nil
}

const uploadChunk = 256 << 10

// optionsFor completes what was asked for with what the path says of the network.
func optionsFor(path string, o *spoorv1.ImportOptions) *spoorv1.ImportOptions {
	network := labels.NetworkOf(path)
	if o.GetNetwork() != "" || network == "" {
		return o
	}
	one := &spoorv1.ImportOptions{}
	if o != nil {
		one = proto.CloneOf(o)
	}
	one.Network = network
	return one
}

func sendFile(ctx context.Context, l *link, path string, o *spoorv1.ImportOptions) (*spoorv1.ImportLabelsResponse, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &usageError{err}
	}
	defer f.Close()
	stream, err := l.labels.ImportLabels(ctx)
	if err != nil {
		return nil, err
	}
	buffer := make([]byte, uploadChunk)
	for sent := false; ; sent = true {
		n, err := io.ReadFull(f, buffer)
		if n > 0 || !sent {
			m := &spoorv1.ImportLabelsRequest{File: filepath.Base(path), Chunk: buffer[:n]}
			if !sent {
				m.Options = o
			}
			if failed := stream.Send(m); failed != nil {
				break // CloseAndRecv says why
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return stream.CloseAndRecv()
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
	cmd := &cobra.Command{
		Use:   "retract ID",
		Short: "Withdraw one label; it stays in the log",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.connect(cmd.Context(), true)
			if err != nil {
				return err
			}
			done, err := l.labels.RetractLabel(cmd.Context(), &spoorv1.RetractLabelRequest{Id: args[0], Reason: reason})
			if err = errors.Join(err, l.close()); err != nil {
				return err
			}
			return print(a, done, render.Retraction, render.RetractionCSV)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the log")
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
