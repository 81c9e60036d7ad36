package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) ingestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ingest",
		Short: "Bring blocks or transfer exports into the index",
		Long: `Bring blocks or transfer exports into the index.

A call that is cut off leaves nothing half-visible and may be repeated; what is there already is not taken in twice.
Exit status 4: something of the files was left out, and it is printed what.
With --server, paths are those of the server's machine.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return needsCommand(cmd) },
	}
	cmd.AddCommand(a.ingestBitcoinCommand(), a.ingestEVMCommand(), a.ingestTronCommand())
	return cmd
}

// needsCommand refuses a command that is only a family of others.
func needsCommand(cmd *cobra.Command) error {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return &usageError{fmt.Errorf("want one of %v", names)}
}

func (a *app) ingestBitcoinCommand() *cobra.Command {
	req, node := &spoorv1.BitcoinBlocks{}, &nodeFlags{}
	var height uint32
	cmd := &cobra.Command{
		Use:   "bitcoin --blocks PATH... | --node URL [--follow]",
		Short: "Take in block files, or the blocks of Bitcoin Core or btcd",
		Long: `Take in blk*.dat files of Bitcoin Core, single blocks (raw or hex), or directories of them; each may be gzipped.

Of all branches the one with the most work is taken. Every block is proven against its own header: work, merkle root, witness commitment, links.
A single block that is not linked to genesis has its height from its parent, else from its coinbase (BIP 34), else from --height.

` + nodeHelp + `
Bitcoin Core is read fastest with -rest; from v30 on it then tells the coins that each block spends, too.`,
		Example: "  spoor ingest bitcoin --blocks ~/.bitcoin/blocks --undo ~/.bitcoin/blocks\n  spoor ingest bitcoin --blocks block400000.raw --keep-raw\n  spoor ingest bitcoin --node http://127.0.0.1:8332 --cookie ~/.bitcoin/.cookie --follow",
		RunE: func(cmd *cobra.Command, more []string) error {
			if cmd.Flags().Changed("height") {
				req.Height = &height
			}
			req.BlockPaths = append(req.BlockPaths, more...)
			if node.given() {
				if len(req.BlockPaths) > 0 {
					return &usageError{errors.New("--node: want a node or --blocks, not both")}
				}
				node.KeepRaw = req.GetKeepRaw()
				return a.ingestNode(cmd, node, first(req.GetNetwork(), "bitcoin"))
			}
			if len(req.BlockPaths) == 0 {
				return &usageError{errors.New("--blocks or --node: want at least one file or directory of blocks, or a node")}
			}
			return a.ingest(cmd.Context(), &spoorv1.IngestRequest{Source: &spoorv1.IngestRequest_Bitcoin{Bitcoin: req}})
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&req.BlockPaths, "blocks", nil, "`PATH` of block files or a directory; more paths may follow")
	f.StringArrayVar(&req.UndoPaths, "undo", nil, "`PATH` of rev*.dat files or a directory; may be repeated")
	f.Uint32Var(&height, "height", 0, "height of a single block that nothing else tells")
	f.BoolVar(&req.KeepRaw, "keep-raw", false, "keep the raw blocks: proofs need them")
	f.StringVar(&req.Network, "network", "", "bitcoin, bitcoin-testnet, bitcoin-signet, bitcoin-regtest or bitcoin-simnet (default bitcoin)")
	node.flags(f, "URL")
	f.StringVar(&node.CookiePath, "cookie", "", "`FILE` .cookie of Bitcoin Core, instead of USER:PASSWORD in the URL")
	f.StringArrayVar(&node.Watch, "watch", nil, "`ADDRESS` whose unconfirmed transactions are reported; may be repeated")
	return cmd
}

func (a *app) ingestTronCommand() *cobra.Command {
	req, node := &spoorv1.TronCsv{}, &nodeFlags{}
	cmd := &cobra.Command{
		Use:   "tron --csv PATH... | --node HOST:PORT [--follow]",
		Short: "Take in exports of TRON transfers, or the blocks of a java-tron node",
		Long: `Take in exports of TRON transfers: what people download from Tronscan, or our own columns (ts_ms, tx_id, from_address, to_address, amount_raw, token;
optional from_tag, to_tag, symbol, decimals, status), by name and in any order; each may be gzipped.

Nothing in an export can be verified, and what it leaves out is unknown unless --complete says what it is complete for:
  all             every transfer of the network between its first and last row
  FROM..TO        every transfer of the network in that time: days (2022-01-05), RFC 3339 times or Unix milliseconds
  FILE            every transfer up to the last row of the addresses that the file lists

` + nodeHelp + `
A node is read over gRPC (port 50051; ",HOST:PORT" behind it for solidified blocks at a port of their own). Logs and internal transfers are
the node's word; it has internal transfers only with saveInternalTx: if it has, say so with --internal-transfers.`,
		Example: "  spoor ingest tron --csv transfers.csv --complete wallets.csv\n  spoor ingest tron --node 127.0.0.1:50051 --from 79000000 --follow",
		RunE: func(cmd *cobra.Command, more []string) error {
			req.CsvPaths = append(req.CsvPaths, more...)
			switch {
			case node.given() && len(req.CsvPaths) > 0:
				return &usageError{errors.New("--node: want a node or --csv, not both")}
			case node.given():
				return a.ingestNode(cmd, node, first(req.GetNetwork(), "tron"))
			case len(req.CsvPaths) == 0:
				return &usageError{errors.New("--csv or --node: want at least one file of transfers, or a node")}
			}
			return a.ingest(cmd.Context(), &spoorv1.IngestRequest{Source: &spoorv1.IngestRequest_Tron{Tron: req}})
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&req.CsvPaths, "csv", nil, "`PATH` of an export; more paths may follow")
	f.StringArrayVar(&req.Complete, "complete", nil, "what the exports are complete for: all, `FROM..TO` or a file of addresses; may be repeated")
	f.StringVar(&req.Network, "network", "", "tron or tron-nile (default tron)")
	node.flags(f, "HOST:PORT")
	f.BoolVar(&node.KeepRaw, "keep-raw", false, "keep the raw blocks: proofs need them")
	f.BoolVar(&node.InternalTransfers, "internal-transfers", false, "the node saves internal transactions")
	return cmd
}

func (a *app) ingestEVMCommand() *cobra.Command {
	req, node := &spoorv1.EvmCsv{}, &nodeFlags{}
	cmd := &cobra.Command{
		Use:   "evm --node URL [--follow] | --csv PATH...",
		Short: "Take in the blocks of an Ethereum node or its kin, or exports of ethereum-etl",
		Long: `Take in the blocks of an EVM node (geth, Erigon, Reth, Nethermind, Besu, anvil, a hosted endpoint), or exports of ethereum-etl
(transactions, token_transfers, traces, blocks, logs, receipts; told apart by their columns; each may be gzipped).

` + nodeHelp + `
Transactions, receipts and logs are proven against each header. Value that contracts send is held only where the node serves execution
traces (debug_traceBlockByHash or trace_block); else the range is marked as lacking it.

Exports have no proof. Without receipts a transfer's status is unknown: it is followed, and graded inferred.`,
		Example: "  spoor ingest evm --node http://127.0.0.1:8545 --from 21000000 --follow\n  spoor ingest evm --csv transactions.csv token_transfers.csv --complete 3300000..3301000",
		RunE: func(cmd *cobra.Command, more []string) error {
			req.CsvPaths = append(req.CsvPaths, more...)
			switch {
			case node.given() && len(req.CsvPaths) > 0:
				return &usageError{errors.New("--node: want a node or --csv, not both")}
			case node.given():
				return a.ingestNode(cmd, node, first(req.GetNetwork(), "ethereum"))
			case len(req.CsvPaths) == 0:
				return &usageError{errors.New("--node or --csv: want a node, or at least one file of an export")}
			}
			return a.ingest(cmd.Context(), &spoorv1.IngestRequest{Source: &spoorv1.IngestRequest_Evm{Evm: req}})
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&req.CsvPaths, "csv", nil, "`PATH` of an export; more paths may follow")
	f.StringArrayVar(&req.Complete, "complete", nil, "heights `FROM..TO` (TO not included) of which the exports hold every row; may be repeated")
	f.StringVar(&req.Network, "network", "", "ethereum, bnb, polygon, arbitrum, base or evm-CHAINID (default ethereum)")
	node.flags(f, "URL")
	f.BoolVar(&node.KeepRaw, "keep-raw", false, "keep the raw blocks: proofs need them")
	return cmd
}

func (a *app) ingest(ctx context.Context, req *spoorv1.IngestRequest) error {
	l, err := a.connect(ctx, true)
	if err != nil {
		return err
	}
	result, err := a.ingestBy(ctx, l, req)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	if err := print(a, result, render.Ingest, render.IngestCSV); err != nil {
		return err
	}
	if n := len(result.GetWarnings()); n > 0 {
		return &partialError{fmt.Sprintf("done, but something was left out: %s", result.GetWarnings()[0])}
	}
	return nil
}

// ingestBy runs an ingest over a link and returns its last message.
func (a *app) ingestBy(ctx context.Context, l *link, req *spoorv1.IngestRequest) (*spoorv1.IngestResult, error) {
	if !l.remote {
		fromHere(req)
	}
	m := a.meter()
	defer m.close()
	stream, err := l.admin.Ingest(ctx, req)
	for err == nil {
		var event *spoorv1.IngestEvent
		if event, err = stream.Recv(); err != nil {
			break
		}
		if r := event.GetResult(); r != nil {
			return r, nil
		}
		m.event(event)
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the server ended without a result")
	}
	return nil, err
}

// fromHere makes paths absolute: another process of this machine may do the
// work, and it has a working directory of its own.
func fromHere(req *spoorv1.IngestRequest) {
	for _, paths := range [][]string{req.GetBitcoin().GetBlockPaths(), req.GetBitcoin().GetUndoPaths(), req.GetTron().GetCsvPaths(), req.GetTron().GetComplete(), req.GetEvm().GetCsvPaths()} {
		for i, path := range paths {
			if _, err := os.Stat(path); err != nil {
				continue // also what is no path: all, FROM..TO
			}
			if absolute, err := filepath.Abs(path); err == nil {
				paths[i] = absolute
			}
		}
	}
	if node := req.GetNode(); node != nil {
		node.CookiePath, node.CaPath = absolute(node.GetCookiePath()), absolute(node.GetCaPath())
		for i, h := range node.GetHeaders() {
			if name, file, ok := strings.Cut(h, "@"); ok && strings.HasSuffix(strings.TrimSpace(name), ":") {
				node.Headers[i] = name + "@" + absolute(file)
			}
		}
	}
}

func absolute(path string) string {
	if path == "" {
		return ""
	}
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}
