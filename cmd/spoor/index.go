package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) indexCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "index",
		Short: "Look after the index",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return needsCommand(cmd) },
	}
	cmd.AddCommand(a.indexStatusCommand(), a.indexVerifyCommand(), a.indexExportCommand(), a.indexBackupCommand(), a.indexRestoreCommand())
	return cmd
}

func (a *app) indexStatusCommand() *cobra.Command {
	req := &spoorv1.IndexStatusRequest{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say what the index holds and how far it reaches",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := a.connect(cmd.Context(), false)
			if err != nil {
				return err
			}
			r, err := l.admin.IndexStatus(cmd.Context(), req)
			if err = errors.Join(err, l.close()); err != nil {
				return err
			}
			return print(a, r, render.Status, render.StatusCSV)
		},
	}
	cmd.Flags().StringVar(&req.Network, "network", "", "network to look at (default all)")
	return cmd
}

func (a *app) indexVerifyCommand() *cobra.Command {
	req := &spoorv1.VerifyIndexRequest{}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Recompute every digest and sum of the index; exit 1 if one does not hold",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := a.connect(cmd.Context(), false)
			if err != nil {
				return err
			}
			r, err := a.verifyBy(cmd.Context(), l, req)
			if err = errors.Join(err, l.close()); err != nil {
				return err
			}
			table := func(w io.Writer, r *spoorv1.VerifyIndexResult, _ render.Style) error {
				return render.Verification(w, r)
			}
			if err := print(a, r, table, render.VerificationCSV); err != nil {
				return err
			}
			if !r.GetOk() {
				return &hintedError{errors.New("the index does not hold"), "ingest into a fresh --data directory, or restore a copy; nothing of this index can be relied on"}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&req.Network, "network", "", "network to verify (default all)")
	return cmd
}

func (a *app) verifyBy(ctx context.Context, l *link, req *spoorv1.VerifyIndexRequest) (*spoorv1.VerifyIndexResult, error) {
	m := a.meter()
	defer m.close()
	stream, err := l.admin.VerifyIndex(ctx, req)
	for err == nil {
		var event *spoorv1.VerifyIndexEvent
		if event, err = stream.Recv(); err != nil {
			break
		}
		if r := event.GetResult(); r != nil {
			return r, nil
		}
		m.show(event.GetProgress())
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the server ended without a result")
	}
	return nil, err
}

func (a *app) indexExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export NETWORK",
		Short: "Write what the index holds of a network, in canonical order",
		Long: `Write what the index holds of a network to standard output, as lines of text in canonical order (docs/format.md).
Indexes of the same data have equal exports, whatever the machine, the order of the files and the size of the batches. --output does not apply.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.connect(cmd.Context(), false)
			if err != nil {
				return err
			}
			return errors.Join(a.exportBy(cmd.Context(), l, args[0]), l.close())
		},
	}
}

func (a *app) exportBy(ctx context.Context, l *link, network string) error {
	stream, err := l.admin.ExportIndex(ctx, &spoorv1.ExportIndexRequest{Network: network})
	if err != nil {
		return err
	}
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := a.out.Write(piece.GetChunk()); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
}
