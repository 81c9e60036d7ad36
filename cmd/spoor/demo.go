package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/labels"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/testdata/demo"
)

// demoDir is not the default of other commands: the demo's data must not mix
// with a case's.
const demoDir = "spoor-demo"

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Index bundled real data, label it, and trace three real payments",
		Long: `Index bundled real data, label it, and trace three real payments.

It works in --data, by default ./` + demoDir + ` whatever the environment says, and may be run again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("data") {
				a.dataDir = demoDir
			}
			a.serverAddr, a.output = "", "table"
			return a.demo(cmd.Context())
		},
	}
}

// story is one payment of the demo.
type story struct {
	title string
	args  []string // of spoor trace, as a user would write them
	req   *spoorv1.TraceRequest
	sides []string // policies to print side by side
}

func stories() []story {
	const (
		satoshi = "bitcoin:0437cd7f8525ceed2324359c2d0ba26006d92d856a9c20fa0241106ee5a597c9:0"
		locky   = "2d7b8af1d0043da6149508f6faf34d4e130451169300ad3fc5e1f8a5d65f9ccb:13NrgYhtjgMtPpGdtPpxV4WX3S7azfeD48"
		usdt    = "tron:4d5f37b606d8dad9a0554efd6becb005ef9a53def9d68f636e01f63f86d12c4c"
	)
	return []story{
		{
			title: "1. Satoshi's coins of block 9, to Hal Finney and on. Every block up to 14131 is held, so UNSPENT means unspent.",
			args:  []string{satoshi, "--as-of", "14131"},
			req:   &spoorv1.TraceRequest{Refs: []string{satoshi}, AsOf: "14131"},
		},
		{
			title: "2. A ransom payment to Locky in block 400000. No later block is held: the answer says NOT_COVERED, never unspent.",
			args:  []string{locky},
			req:   &spoorv1.TraceRequest{Refs: []string{locky}},
		},
		{
			title: "3. 25,050 USDT into a wallet that a seizure order names, and on to an exchange. Nobody says that the payer is a victim.\n" +
				"   Under fifo and under libr the exchange received another part of it. Which rule a court follows decides; both are exact.",
			args:  []string{usdt, "--policy", "fifo", "--all-policies"},
			req:   &spoorv1.TraceRequest{Refs: []string{usdt}, Policy: "fifo", AllPolicies: true},
			sides: []string{"fifo", "libr"},
		},
	}
}

func (a *app) demo(ctx context.Context) error {
	l, err := a.connect(ctx, true)
	if err != nil {
		return err
	}
	err = a.demoIndex(ctx, l)
	for _, s := range stories() {
		if err == nil {
			err = a.tell(ctx, l, s)
		}
	}
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	a.say("%s\nThe index is in %s. Next:\n", rule, a.dataDir)
	for _, args := range nextCommands() {
		a.say("  %s\n", a.commandLine(args...))
	}
	return nil
}

// nextCommands can be copied as they are printed.
func nextCommands() [][]string {
	const wallet = "tron:TVXy9j3MHePgN3ydyr3D8NojB5RLD3AcRs"
	return [][]string{
		{"index", "status"},
		{"address", wallet, "--events", "10"},
		{"labels", "show", wallet},
		{"tx", "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16"},
		{"trace", "https://tronscan.org/#/transaction/4d5f37b606d8dad9a0554efd6becb005ef9a53def9d68f636e01f63f86d12c4c", "--wide"},
		{"trace", "tron:4d5f37b606d8dad9a0554efd6becb005ef9a53def9d68f636e01f63f86d12c4c", "-o", "dot"},
		{"index", "verify"},
		{"serve"},
	}
}

const rule = "--------------------------------------------------------------------------------"

func (a *app) say(format string, args ...any) { fmt.Fprintf(a.out, format, args...) }

// commandLine writes a command so that it works from the folder where the demo was started.
func (a *app) commandLine(args ...string) string {
	self := "spoor"
	if strings.ContainsRune(os.Args[0], filepath.Separator) {
		self = os.Args[0]
	}
	return self + " " + strings.Join(args, " ") + " --data " + a.dataDir
}

// demoIndex unpacks the bundled files beside each other and brings them in.
func (a *app) demoIndex(ctx context.Context, l *link) (err error) {
	dir, err := os.MkdirTemp("", "spoor-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.CopyFS(dir, demo.Files); err != nil {
		return err
	}
	a.say("Bitcoin mainnet 0 to 14131 and 400000, and an export of TRON transfers; see testdata/demo for their origin.\n\n")
	for _, req := range []*spoorv1.IngestRequest{
		{Source: &spoorv1.IngestRequest_Bitcoin{Bitcoin: &spoorv1.BitcoinBlocks{BlockPaths: []string{filepath.Join(dir, "bitcoin")}, KeepRaw: true}}},
		{Source: &spoorv1.IngestRequest_Tron{Tron: &spoorv1.TronCsv{
			CsvPaths: []string{filepath.Join(dir, "tron", "tron-usdt-aso-ship.csv.gz")}, Complete: []string{filepath.Join(dir, "tron", "complete-wallets.csv")},
		}}},
	} {
		result, err := a.ingestBy(ctx, l, req)
		if err != nil {
			return err
		}
		if err := render.Ingest(a.out, result, a.style); err != nil {
			return err
		}
	}
	files, err := labels.Find(filepath.Join(dir, "labels"))
	if err != nil {
		return err
	}
	imported, err := importBy(ctx, l, files, nil)
	if err != nil {
		return err
	}
	return render.Import(a.out, imported)
}

// tell traces one payment and prints it.
func (a *app) tell(ctx context.Context, l *link, s story) error {
	a.say("%s\n%s\n   %s\n\n", rule, s.title, a.commandLine(append([]string{"trace"}, s.args...)...))
	t, err := a.traceBy(ctx, l, s.req)
	if err != nil {
		return err
	}
	if err := render.Trace(a.out, t, a.style); err != nil || len(s.sides) == 0 {
		return err
	}
	a.say("\n")
	return render.Policies(a.out, t, s.sides, a.style)
}
