package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

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

Each file is taken in whole or not at all. An edition of OFAC's ends the labels of earlier ones that it no longer has; with --complete any list does.

Exit status 4: addresses that do not parse were refused, and it is printed which.`,
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
	f.BoolVar(&o.Complete, "complete", false, "the file is the whole list: what earlier imports of that file name had and it has not ends now")
	f.BoolVar(&o.DryRun, "dry-run", false, "say what would be taken in and what would end, and do nothing")
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
		all.Ended = append(all.Ended, r.GetEnded()...)
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
