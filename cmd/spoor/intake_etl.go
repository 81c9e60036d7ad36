package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/chains/evm"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store"
)

// etl takes in exports of ethereum-etl. Their rows have heights, so that they
// become blocks of the chain: attested, and partial in what the tables lack.
func (in *intake) etl(ctx context.Context, req *spoorv1.EvmCsv, progress progressFunc) (*spoorv1.IngestResult, error) {
	chain, err := network(req.GetNetwork(), "ethereum", ledger.FamilyEVM, "ethereum or another EVM network")
	if err != nil {
		return nil, err
	}
	bridges, err := evm.NewBridges(append([][]byte{evm.BundledBridges()}, in.bridges...)...)
	if err != nil {
		return nil, err
	}
	progress(&spoorv1.Progress{Phase: "read", Network: string(chain), Unit: "files"})
	o := archive.EtlOptions{Chain: chain, Paths: req.GetCsvPaths(), Complete: req.GetComplete(), Notices: bridges.Notices}
	reader, err := evm.NewLogReader(chain)
	if err != nil {
		return nil, err
	}
	o.Logs = reader.Read
	set, err := archive.ReadEtl(ctx, o)
	if err != nil {
		return nil, err
	}
	n, err := in.create(ctx, chain)
	if err != nil {
		return nil, err
	}
	before, err := n.Status()
	if err != nil {
		return nil, err
	}
	t, err := newTally(n, before)
	if err != nil {
		return nil, err
	}
	options := store.AppendOptions{Memory: in.memory, ReorgBound: new(uint64), Target: set.Range().To, Progress: in.reporter(chain, "write", int64(set.Len()), "blocks", progress,
		func(p store.Progress) int64 { return int64(p.Blocks - min(before.Blocks, p.Blocks)) })}
	again, err := fuller(set, before)
	if err == nil && !again {
		err = n.Append(ctx, t.count(set.Blocks()), options)
	}
	if again || errors.Is(err, store.ErrBackfill) {
		t.reset()
		err = n.Rebuild(ctx, store.MergeBlocks(n.Blocks(ctx), t.count(set.Blocks())), n.Contents(), options)
	}
	if err = errors.Join(err, t.close()); err != nil {
		return nil, subject(chain, err)
	}
	return etlResult(chain, t, set.Report()), nil
}

// fuller reports that the set holds blocks again that the index holds, and lacks
// less of them.
func fuller(set *archive.EtlSet, before store.Status) (bool, error) {
	for b, err := range set.Blocks() {
		if err != nil {
			return false, err
		}
		for _, s := range before.Spans {
			if s.From <= b.Ref.Height && b.Ref.Height <= s.To && lacksLess(b.Partial, s.Partial) {
				return true, nil
			}
		}
	}
	return false, nil
}

// lacksLess compares what two forms of a block lack.
func lacksLess(one, other string) bool {
	if one == other || other == "" {
		return false
	}
	if one == "" {
		return true
	}
	lacks := strings.Split(other, " and ")
	return !slices.ContainsFunc(strings.Split(one, " and "), func(part string) bool { return !slices.Contains(lacks, part) })
}

func etlResult(chain ledger.Chain, t *tally, r archive.EtlReport) *spoorv1.IngestResult {
	m := &spoorv1.IngestResult{Network: string(chain), Blocks: t.blocks, Transactions: t.txs, Transfers: t.outs, Duplicates: t.held + int64(r.Duplicates)}
	if r.NoHash > 0 {
		m.Warnings = append(m.Warnings, fmt.Sprintf("%d blocks have no hash in any table", r.NoHash))
	}
	return m
}
