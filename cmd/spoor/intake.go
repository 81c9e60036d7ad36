package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store"
)

// intake brings files into the index: it is where concrete chains meet the
// store. A new kind of source is one more case of ingest.
type intake struct {
	store  *store.Store
	labels *labels.Log
	log    *slog.Logger
	now    func() time.Time
	// bridges are registries of bridges besides the bundled one, as evm.NewBridges reads them.
	bridges [][]byte
	// memory is for sorting a large ingest, in bytes; 0: the store's default.
	memory int64
	// follows holds how far each network is followed.
	follows *server.Follows
}

// progressFunc hears how far an ingest is.
type progressFunc = func(*spoorv1.Progress)

// ingest is the server.IngestFunc.
func (in *intake) ingest(ctx context.Context, req *spoorv1.IngestRequest, report func(*spoorv1.IngestEvent)) (*spoorv1.IngestResult, error) {
	progress := func(p *spoorv1.Progress) {
		report(&spoorv1.IngestEvent{Event: &spoorv1.IngestEvent_Progress{Progress: p}})
	}
	switch {
	case req.GetNode() != nil:
		return in.node(ctx, req.GetNode(), report)
	case req.GetEvm() != nil:
		return in.etl(ctx, req.GetEvm(), progress)
	case req.GetBitcoin() != nil:
		return in.bitcoin(ctx, req.GetBitcoin(), progress)
	case req.GetTron() != nil:
		return in.tron(ctx, req.GetTron(), progress)
	}
	return nil, ledger.Invalid("source", "bitcoin, evm, tron or node", "")
}

// network reads the name of a network of a family; empty: the default.
func network(name string, otherwise ledger.Chain, family ledger.Family, wanted string) (ledger.Chain, error) {
	if name == "" {
		return otherwise, nil
	}
	c, err := ledger.ParseChain(name)
	if err == nil && c.Family() != family {
		err = ledger.Invalid("network", wanted, name)
	}
	return c, err
}

// held opens a network that the store may not have yet: nil then.
func (in *intake) held(ctx context.Context, c ledger.Chain) (*store.Network, error) {
	n, err := in.store.Network(ctx, c)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil //nolint:nilnil // absent
	}
	return n, err
}

// create opens a network, or makes it. What was fetched of it piece by piece is set
// aside: blocks and exports are more than that. The answers themselves stay in
// their log.
func (in *intake) create(ctx context.Context, c ledger.Chain) (*store.Network, error) {
	n, err := in.store.Create(ctx, c)
	if err != nil || !n.Contents().Fetched {
		return n, err
	}
	in.log.Info("what was fetched of the network is set aside for what is ingested", "network", c)
	return n, n.Rebuild(ctx, func(func(*ledger.Block, error) bool) {}, store.Contents{}, store.AppendOptions{})
}

// reporter turns the store's progress into messages: at most one in a tenth of
// a second, since a publication may follow every block.
func (in *intake) reporter(c ledger.Chain, phase string, total int64, unit string, progress progressFunc, done func(store.Progress) int64) func(store.Progress) {
	var last time.Time
	return func(p store.Progress) {
		if t := in.now(); t.Sub(last) >= 100*time.Millisecond {
			last = t
			m := &spoorv1.Progress{Phase: phase, Network: string(c), Done: done(p), Total: total, Unit: unit, Height: int64(p.Tip.Height)}
			if p.Step != "" {
				m.Phase, m.Done, m.Total, m.Unit = p.Step, int64(p.Done), int64(p.Total), "parts"
			}
			progress(m)
		}
	}
}

func subject(c ledger.Chain, err error) error { return fmt.Errorf("%s: %w", c, err) }
