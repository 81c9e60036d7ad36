package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) compareCommand() *cobra.Command {
	var export string
	show := 100
	cmd := &cobra.Command{
		Use:   "compare --kyt EXPORT",
		Short: "Compare the levels that another service gave to transfers with ours",
		Long: `Compare the levels that another service gave to transfers with ours: a matrix, why they differ, and the share that we cannot score.

EXPORT is a CSV file of transfers or of alerts, - for standard input, with a header that names its columns, in any order; case, blanks, - and _ do
not matter:
  transfer_reference     TX:INDEX or TX:ADDRESS; or the columns tx and output_address (or index)
  user_id, network       as registered; networks as KYT writes them, or as we do
  level                  SEVERE, HIGH, MEDIUM, LOW, or nothing (also alert_level, risk, rating); an export of alerts may have several rows for a
                         transfer, one after the other: the highest level counts
  asset, direction       the native coin and received where absent
  timestamp, amount      may be absent
Each transfer is registered, which changes nothing for one that is registered already, and its latest score is compared. No alert of theirs and
LOW of ours agree. Table and JSON list the first --show disagreements, CSV all of them. Memory does not grow with the file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.compare(cmd.Context(), export, show) },
	}
	cmd.Flags().StringVar(&export, "kyt", "", "CSV `FILE` exported from KYT, or - for standard input")
	cmd.Flags().IntVar(&show, "show", show, "disagreements that a table or JSON lists")
	return cmd
}

func (a *app) compare(ctx context.Context, export string, show int) error {
	if export == "" || show < 0 {
		return ledger.Invalid("--kyt", "a CSV file, and --show of 0 or more", fmt.Sprintf("%q, %d", export, show))
	}
	in := a.in
	if export != "-" {
		f, err := os.Open(export)
		if err != nil {
			return &usageError{fmt.Errorf("--kyt: %w", err)}
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	rows, err := newExportReader(in, "level")
	if err != nil {
		return err
	}
	l, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	t := newLevelTally(show)
	if a.output == "csv" {
		t.csv = render.NewDifferences(a.out)
	}
	err = t.all(ctx, l.screening, rows)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	return a.printComparison(t)
}

func (a *app) printComparison(t *levelTally) error {
	c := t.result()
	var err error
	switch a.output {
	case "csv":
		err = t.csv.Close()
	case "json":
		err = render.CompareJSON(a.out, c)
	default:
		err = render.Compare(a.out, c)
	}
	if err == nil && c.Refused > 0 {
		return &partialError{fmt.Sprintf("done, but %d rows could not be asked for; the first is row %d: %s", c.Refused, c.Refusals[0].Row, c.Refusals[0].Reason)}
	}
	return err
}

// levelTally counts a comparison. Its size is that of the matrix and the reasons.
type levelTally struct {
	show    int
	c       render.Comparison
	cells   map[[2]string]int64
	reasons map[string]int64
	csv     *render.Differences // nil: not written
}

func newLevelTally(show int) *levelTally {
	return &levelTally{
		show: show, cells: map[[2]string]int64{}, reasons: map[string]int64{},
		c: render.Comparison{Differences: []render.Difference{}, Refusals: []render.Refusal{}},
	}
}

// How many transfers are held, how many of them are asked for at a time, and how
// many kinds of reason and refused rows are told apart.
const (
	compareBatch    = 256
	compareParallel = 16
	maxReasons      = 1000
	maxRefusals     = 20
)

// all asks for the transfers in batches and counts them in the file's order.
func (t *levelTally) all(ctx context.Context, screening spoorv1.ScreeningServiceClient, rows *exportReader) error {
	return rows.batches(0, func(batch []*judged) error { return t.batch(ctx, screening, batch) })
}

func (t *levelTally) batch(ctx context.Context, screening spoorv1.ScreeningServiceClient, batch []*judged) error {
	answers, err := registerAll(ctx, screening, batch)
	if err != nil {
		return err
	}
	for i, j := range batch {
		if err := t.count(j, answers[i]); err != nil {
			return err
		}
	}
	return nil
}

// registerAll registers a batch, several at a time. What concerns one row alone is
// said of that row.
func registerAll(ctx context.Context, screening spoorv1.ScreeningServiceClient, batch []*judged) ([]*spoorv1.RegisteredTransfer, error) {
	answers := make([]*spoorv1.RegisteredTransfer, len(batch))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(compareParallel)
	for i, j := range batch {
		if j.refused != "" {
			continue
		}
		group.Go(func() (err error) {
			answers[i], err = registerPatiently(ctx, screening, j.request)
			switch status.Code(err) {
			case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition:
				j.refused, err = status.Convert(err).Message(), nil
			}
			return err
		})
	}
	return answers, group.Wait()
}

// registerPatiently waits as long as the server says where it has too much to do.
func registerPatiently(ctx context.Context, screening spoorv1.ScreeningServiceClient, m *spoorv1.RegisterTransferRequest) (*spoorv1.RegisteredTransfer, error) {
	for {
		answer, err := screening.RegisterTransfer(ctx, m)
		if status.Code(err) != codes.ResourceExhausted {
			return answer, err
		}
		wait := time.Second
		for _, d := range status.Convert(err).Details() {
			if retry, ok := d.(*errdetails.RetryInfo); ok {
				wait = max(10*time.Millisecond, retry.GetRetryDelay().AsDuration())
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (t *levelTally) count(j *judged, answer *spoorv1.RegisteredTransfer) error {
	if j.refused != "" {
		t.c.Refused++
		if len(t.c.Refusals) < maxRefusals {
			t.c.Refusals = append(t.c.Refusals, render.Refusal{Row: j.row, Reason: j.refused})
		}
		return nil
	}
	ours, reason, kind := ourLevel(answer)
	t.c.Transfers++
	t.cells[[2]string{j.theirs, ours}]++
	if !slices.Contains(render.Levels(), ours) {
		t.c.Unscored++
	}
	if ours == j.theirs || j.theirs == "NONE" && ours == "LOW" {
		t.c.Agreed++
		return nil
	}
	if _, known := t.reasons[kind]; !known && len(t.reasons) >= maxReasons {
		kind = "others"
	}
	t.reasons[kind]++
	d := render.Difference{
		Row: j.row, Network: j.request.GetNetwork(), Reference: j.request.GetTransferReference(), Theirs: j.theirs, Ours: ours, Reason: reason, External: answer.GetExternalId(),
	}
	if t.csv != nil {
		return t.csv.Add(d)
	}
	if len(t.c.Differences) < t.show {
		t.c.Differences = append(t.c.Differences, d)
	}
	return nil
}

// ourLevel is our level with the rules behind it, or why there is none. The kind
// is the reason without the figures of this one transfer.
func ourLevel(t *spoorv1.RegisteredTransfer) (level, reason, kind string) {
	s := t.GetScreening()
	if s == nil || s.RiskScore == nil {
		state := t.GetState()
		if s.GetState() != "" && state == "SCORED" {
			state = s.GetState()
		}
		return state, strings.TrimSpace(state + " " + s.GetRiskReason()), state
	}
	if len(s.GetTriggers()) == 0 {
		return s.GetRisk(), "no rule triggered: " + s.GetRiskReason(), "no rule triggered"
	}
	top := s.GetTriggers()[0]
	return s.GetRisk(), top.GetRuleId() + ": " + top.GetMessage(), top.GetRuleId() + " (" + top.GetCategory() + ")"
}

// result orders what was counted: levels from the highest, reasons from the most frequent.
func (t *levelTally) result() *render.Comparison {
	rank := func(level string) int {
		if i := slices.Index(render.Levels(), level); i >= 0 {
			return i
		}
		return len(render.Levels())
	}
	t.c.Matrix, t.c.Reasons = []render.LevelCount{}, []render.Reason{}
	for cell, n := range t.cells {
		t.c.Matrix = append(t.c.Matrix, render.LevelCount{Theirs: cell[0], Ours: cell[1], Transfers: n})
	}
	slices.SortFunc(t.c.Matrix, func(a, b render.LevelCount) int {
		return cmp.Or(rank(a.Ours)-rank(b.Ours), strings.Compare(a.Ours, b.Ours), rank(a.Theirs)-rank(b.Theirs))
	})
	for kind, n := range t.reasons {
		t.c.Reasons = append(t.c.Reasons, render.Reason{Reason: kind, Transfers: n})
	}
	slices.SortFunc(t.c.Reasons, func(a, b render.Reason) int {
		return cmp.Or(cmp.Compare(b.Transfers, a.Transfers), strings.Compare(a.Reason, b.Reason))
	})
	return &t.c
}
