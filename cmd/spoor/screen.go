package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) screenCommand() *cobra.Command {
	var file, asOf string
	cmd := &cobra.Command{
		Use:   "screen NETWORK:ADDRESS... | --file PATH",
		Short: "Say how risky addresses are, and why",
		Long: `Say how risky addresses are, and why: the score of the highest rule that their exposure triggers, 0 to 100.

With --file the addresses are read line by line (- reads standard input), and any number of them is answered in order. Exit status 4: of some address
nothing can be said, which does not make it clean.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (file == "") == (len(args) == 0) {
				return &usageError{errors.New("want addresses, or --file with one a line")}
			}
			return a.screen(cmd.Context(), args, file, asOf)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "`PATH` of a file with one NETWORK:ADDRESS a line; - is standard input")
	cmd.Flags().StringVar(&asOf, "as-of", "", "height or time with zone of the data cut-off")
	return cmd
}

func (a *app) screen(ctx context.Context, args []string, file, asOf string) (err error) {
	var in io.Reader = strings.NewReader(strings.Join(args, "\n"))
	switch file {
	case "":
	case "-":
		in = os.Stdin
	default:
		f, err := os.Open(file)
		if err != nil {
			return &usageError{err}
		}
		defer f.Close()
		in = f
	}
	l, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	unscored, err := a.screenLines(ctx, l, in, asOf)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	if unscored > 0 {
		return &partialError{fmt.Sprintf("done, but %d addresses have no score", unscored)}
	}
	return nil
}

// screenLines sends lines while it prints answers, so that neither end holds more than a few.
func (a *app) screenLines(ctx context.Context, l *link, in io.Reader, asOf string) (unscored int, err error) {
	group, ctx := errgroup.WithContext(ctx)
	stream, err := l.screening.ScreenAddresses(ctx)
	if err != nil {
		return 0, err
	}
	group.Go(func() error {
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			text := strings.TrimSpace(lines.Text())
			if text == "" {
				continue
			}
			ask := &spoorv1.ScreenAddressesRequest{Request: &spoorv1.ScreenAddressRequest{Address: text, AsOf: asOf}}
			if err := stream.Send(ask); err != nil {
				return nil //nolint:nilerr // Recv says why
			}
		}
		return errors.Join(lines.Err(), stream.CloseSend())
	})
	group.Go(func() error {
		table := render.NewScreenings(a.out, a.output)
		for {
			answer, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return table.End()
			}
			if err != nil {
				return err
			}
			if answer.GetScreening().GetRisk() == "" {
				unscored++
			}
			if err := table.Add(answer); err != nil {
				return err
			}
		}
	})
	return unscored, group.Wait()
}
