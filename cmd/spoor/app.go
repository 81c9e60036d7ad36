package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
)

// app is one call of the command: its streams and the flags that all commands share.
type app struct {
	in          io.Reader
	out, errOut io.Writer
	started     bool // flags and arguments were understood; what fails from here on is no wrong use
	config      Config

	dataDir, serverAddr, output, zone, configFile string
	insecure                                      bool
	caFile, keyFile                               string

	style render.Style
	log   *slog.Logger
}

const defaultData = "spoor-data"

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "spoor",
		Short: "Follow stolen cryptocurrency from a reported payment to where it rests",
		Long: `Spoor follows stolen cryptocurrency from a reported payment to where it rests.

Every command works on a data directory, or through a server with --server; both give the same answer.
Amounts are whole coins (25050.5), or base units with a u (25050500000u).

Exit status: 0 done, 1 failed (a verification that does not hold, too), 2 wrong use,
3 the index does not fit (wrong chain, newer format), 4 done but partial: a limit ended the work, or input was left out.`,
		Version:           version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.start(cmd) },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	f := root.PersistentFlags()
	f.StringVar(&a.dataDir, "data", "", "data directory (SPOOR_DATA; default ./"+defaultData+")")
	f.StringVar(&a.serverAddr, "server", "", "`HOST:PORT` of a server to ask instead (SPOOR_SERVER)")
	f.BoolVar(&a.insecure, "insecure", false, "allow plaintext beyond this machine")
	f.StringVar(&a.caFile, "ca", "", "`FILE` with the certificates to trust a server by (default: the system's)")
	f.StringVar(&a.keyFile, "key-file", "", "`FILE` with the API key for a server (SPOOR_KEY is the key itself)")
	f.StringVarP(&a.output, "output", "o", "", "table, json or csv; for a trace also dot, svg or graphml (default table)")
	f.StringVar(&a.zone, "tz", "", "`ZONE` whose time tables print beside UTC, such as Asia/Bangkok")
	f.StringVar(&a.configFile, "config", "", "`FILE` of settings (SPOOR_CONFIG)")
	root.AddCommand(a.demoCommand(), a.ingestCommand(), a.traceCommand(), a.findCommand(), a.pathCommand(), a.explainCommand(), a.diffCommand(), a.txCommand(), a.addressCommand(), a.labelsCommand(), a.clusterCommand(), a.evaluateCommand(), a.indexCommand(), a.serveCommand(), a.keyCommand(), a.compareCommand(), a.transfersCommand(),
		a.screenCommand(), a.alertsCommand(), a.watchCommand(), a.rulesCommand(), a.caseCommand(), a.freezeCommand(), a.verifyCommand(), a.manCommand())
	a.complete(root)
	return root
}

// start settles what the flags, the environment and the file of settings say,
// in this order of weight.
func (a *app) start(cmd *cobra.Command) (err error) {
	a.log = slog.New(slog.NewTextHandler(a.errOut, nil))
	if a.config, err = readConfig(first(a.configFile, os.Getenv("SPOOR_CONFIG"))); err != nil {
		return err
	}
	named := a.dataDir != ""
	a.dataDir = first(a.dataDir, os.Getenv("SPOOR_DATA"), a.config.Data, defaultData)
	a.serverAddr = first(a.serverAddr, os.Getenv("SPOOR_SERVER"), a.config.Server)
	a.caFile = first(a.caFile, a.config.CA)
	a.keyFile = first(a.keyFile, a.config.KeyFile)
	a.output = first(a.output, a.config.Output, "table")
	if named && !cmd.Flags().Changed("server") {
		a.serverAddr = "" // a directory that is named outright is what is meant
	}
	if named && cmd.Flags().Changed("server") {
		return fmt.Errorf("--data and --server: %w", ledger.Invalid("--server", "one of the two", a.serverAddr))
	}
	if formats := formatsOf(cmd); !slices.Contains(formats, a.output) {
		return ledger.Invalid("--output", "one of "+strings.Join(formats, ", "), a.output)
	}
	if zone := first(a.zone, a.config.Timezone); zone != "" {
		if a.style.Zone, err = time.LoadLocation(zone); err != nil {
			return ledger.Invalid("--tz", "a zone such as Asia/Bangkok", zone)
		}
	}
	a.started = true
	return nil
}

// formatsOf lists what a command can print.
func formatsOf(cmd *cobra.Command) []string {
	formats := []string{"table", "json", "csv"}
	if cmd.Name() == "trace" {
		formats = append(formats, "dot", "svg", "graphml")
	}
	return formats
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// version is what the build recorded.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && v == "(devel)" {
			v += " " + s.Value
		}
	}
	return v
}
