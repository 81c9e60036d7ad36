package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/entities"
	"github.com/spoortrace/spoor/evaluate"
	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/rates"
	"github.com/spoortrace/spoor/store"
)

func (a *app) evaluateCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "evaluate",
		Short: "Measure heuristics on real data, or print what was measured",
		Long: `Measure how often heuristics are right, or are found, on real data, each with its count, a Wilson 95 % interval and the hash of the data.

Without --from the published figures are printed: those that answers quote. With it everything is measured anew on a folder
in the form of docs/method.md, section Error rates; what the folder lacks is listed as not measured.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := measured(cmd.Context(), dir, a)
			if err != nil {
				return err
			}
			return render.Measured(a.out, a.output, all)
		},
	}
	cmd.Flags().StringVar(&dir, "from", "", "`FOLDER` of real data; none: the published figures")
	return cmd
}

func measured(ctx context.Context, dir string, a *app) ([]evaluate.Measured, error) {
	if dir != "" {
		return evaluate.Run(ctx, evaluate.Options{Data: dir, Date: time.Now().UTC().Format(time.DateOnly), Build: a.scratch})
	}
	published, err := rates.Published()
	if err != nil {
		return nil, err
	}
	var all []evaluate.Measured
	for _, r := range published {
		all = append(all, evaluate.Measured{Rate: r})
	}
	return all, nil
}

// scratchIndex is an index of one measurement with its labels and clusters.
type scratchIndex struct {
	*store.Snapshot
	tags     *labels.View
	clusters *entities.View
}

// Tags implements tracer.Index.
func (s scratchIndex) Tags(ctx context.Context, a ledger.Address) ([]ledger.Tag, error) {
	return s.tags.Tags(ctx, a)
}

// Cluster implements evaluate.Index.
func (s scratchIndex) Cluster(ctx context.Context, a ledger.Address) (ledger.Cluster, error) {
	return s.clusters.Cluster(ctx, a, ledger.TierExact)
}

// scratch builds an index in a folder of its own; done removes it.
func (a *app) scratch(ctx context.Context, l evaluate.Load) (idx evaluate.Index, done func() error, err error) {
	dir, err := os.MkdirTemp("", "spoor-evaluate-")
	if err != nil {
		return nil, nil, err
	}
	remove := func() error { return os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			err = errors.Join(err, remove())
		}
	}()
	o, err := openOwner(dir, Config{}, a.log)
	if err != nil {
		return nil, nil, err
	}
	snap, err := o.filled(ctx, l)
	if err != nil {
		return nil, nil, errors.Join(err, o.close())
	}
	done = func() error { return errors.Join(snap.clusters.Close(), snap.Close(), o.close(), remove()) }
	return snap, done, nil
}

// filled ingests a load and pins what it made.
func (o *owner) filled(ctx context.Context, l evaluate.Load) (*scratchIndex, error) {
	req := &spoorv1.IngestRequest{}
	switch {
	case len(l.Bitcoin) > 0:
		req.Source = &spoorv1.IngestRequest_Bitcoin{Bitcoin: &spoorv1.BitcoinBlocks{BlockPaths: l.Bitcoin}}
	case len(l.EVM) > 0:
		req.Source = &spoorv1.IngestRequest_Evm{Evm: &spoorv1.EvmCsv{CsvPaths: l.EVM, Complete: l.Complete}}
	default:
		req.Source = &spoorv1.IngestRequest_Tron{Tron: &spoorv1.TronCsv{CsvPaths: l.TRON, Complete: l.Complete}}
	}
	if _, err := o.intake.ingest(ctx, req, func(*spoorv1.IngestEvent) {}); err != nil {
		return nil, err
	}
	for _, name := range l.Labels {
		if err := o.tagged(ctx, name); err != nil {
			return nil, err
		}
	}
	snap, err := o.store.Snapshot(ctx, nil)
	if err != nil {
		return nil, err
	}
	tags, err := o.labels.View(0)
	if err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	if err := o.entities.Update(ctx, snap); err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	clusters, err := o.entities.View(ctx, snap)
	if err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	return &scratchIndex{snap, tags, clusters}, nil
}

// tagged imports a TagPack.
func (o *owner) tagged(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	report := &labels.Report{}
	tags := labels.ReadTagPack(ctx, filepath.Base(name), f, report)
	_, err = o.labels.Import(ctx, labels.Source{Name: filepath.Base(name), Tags: tags, Report: report}, time.Now().UnixMilli())
	return err
}
