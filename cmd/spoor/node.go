package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/grpc/codes"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

const nodeHelp = `With --node the blocks of a running node are read from the tip of the index to the node's head, and with --follow on as they arrive, until
SIGINT. Everything is verified before it is stored. A reorganisation is followed up to the network's bound; a deeper one halts with an
alarm. Several --node stand in for each other. A first --from begins an index anywhere; below it nothing is known.`

// nodeFlags are the flags of all commands that read a node.
type nodeFlags struct {
	spoorv1.Node

	from, to, bound uint64
}

func (n *nodeFlags) given() bool { return len(n.Urls) > 0 }

func (n *nodeFlags) flags(f *pflag.FlagSet, what string) {
	f.StringArrayVar(&n.Urls, "node", nil, "`"+what+"` of a node; may be repeated")
	f.BoolVar(&n.Follow, "follow", false, "go on as blocks arrive")
	f.Uint64Var(&n.from, "from", 0, "first `HEIGHT` (default: after the tip, 0 in an empty index)")
	f.Uint64Var(&n.to, "to", 0, "last `HEIGHT` (default: the node's head)")
	f.StringArrayVar(&n.Headers, "header", nil, "header of every request, `\"Name: value\"`, or \"Name: @FILE\" for a key; may be repeated")
	f.StringVar(&n.CaPath, "node-ca", "", "`FILE` with the certificates to trust the node by (default: the system's)")
	f.Uint32Var(&n.Rate, "rate", 0, "greatest number of requests per second (default: no limit)")
	f.Uint32Var(&n.Parallel, "parallel", 0, "blocks that are fetched at a time (default 4)")
	f.Uint64Var(&n.bound, "reorg-bound", 0, "blocks below the tip that may be replaced (default: the network's own)")
}

// ingestNode reads a node as its flags say.
func (a *app) ingestNode(cmd *cobra.Command, n *nodeFlags, network string) error {
	changed := cmd.Flags().Changed
	n.Network = network
	if changed("from") {
		n.FromHeight = &n.from
	}
	if changed("to") {
		n.ToHeight = &n.to
	}
	if changed("reorg-bound") {
		n.ReorgBound = &n.bound
	}
	if n.Follow && n.ToHeight != nil {
		return &usageError{errors.New("--to: want none with --follow, which has no end")}
	}
	err := a.ingest(cmd.Context(), &spoorv1.IngestRequest{Source: &spoorv1.IngestRequest_Node{Node: &n.Node}})
	if n.Follow && interrupted(cmd.Context(), err) {
		return nil // that is how it ends
	}
	return err
}

// interrupted reports an end that the user asked for.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, context.Canceled) || codeOf(err) == codes.Canceled)
}

// event shows one message of an ingest.
func (m *meter) event(e *spoorv1.IngestEvent) {
	switch {
	case e.GetFollow() != nil:
		m.follow(e.GetFollow())
	case e.GetSighting() != nil:
		s := e.GetSighting()
		what := "unconfirmed"
		if s.GetDropped() {
			what = "dropped from the mempool"
		}
		m.app.log.Info(what, "network", s.GetNetwork(), "tx", s.GetTx(), "address", s.GetAddress(), "received", s.GetReceived(), "sent", s.GetSent())
	case e.GetProgress() != nil:
		m.show(e.GetProgress())
	}
}

// follow shows how far a network is followed: a bar while the index catches up
// on a terminal, else a line for each block at the head and every few seconds below it.
func (m *meter) follow(f *spoorv1.FollowStatus) {
	height := f.GetAsOf().GetHeight()
	if m.bars != nil && f.GetLagBlocks() > 0 && f.GetTrouble() == "" {
		m.note.Store(pace(f))
		m.show(&spoorv1.Progress{Phase: "follow", Network: f.GetNetwork(), Done: int64(height), Total: int64(f.GetHeadHeight()), Unit: "height"})
		return
	}
	urgent := f.GetLagBlocks() == 0 || f.GetTrouble() != "" || f.GetReplaced() > 0
	if !urgent && time.Since(m.logged) < logEvery {
		return
	}
	m.logged = time.Now()
	m.end()
	args := []any{"network", f.GetNetwork(), "height", height, "head", f.GetHeadHeight(), "lag", f.GetLagBlocks()}
	if f.FinalHeight != nil {
		args = append(args, "final", f.GetFinalHeight())
	}
	if f.GetReplaced() > 0 {
		args = append(args, "replaced", f.GetReplaced())
	}
	if f.GetLagBlocks() > 0 {
		args = append(args, "blocks_s", f.GetBlocksPerSecond(), "txs_s", f.GetTransactionsPerSecond())
	}
	if f.GetTimeLeft() != nil {
		args = append(args, "left", f.GetTimeLeft().AsDuration().String())
	}
	if f.GetTrouble() != "" {
		m.app.log.Warn("follow: trying again", append(args, "trouble", f.GetTrouble())...)
		return
	}
	m.app.log.Info("follow", args...)
}

// pace is what a bar says beside its height.
func pace(f *spoorv1.FollowStatus) string {
	if f.GetTimeLeft() == nil {
		return ""
	}
	return fmt.Sprintf(" (%s blocks/s, %s left)", f.GetBlocksPerSecond(), f.GetTimeLeft().AsDuration())
}

// followAll reads the nodes of the file of settings beside the services. One
// that fails for a while is tried again by itself; one that cannot be believed,
// or whose chain left the index below its bound, halts with an alarm, and the
// others go on.
func (o *owner) followAll(ctx context.Context, nodes []NodeConfig) error {
	for i := range nodes {
		if _, err := ledger.ParseChain(nodes[i].Network); err != nil {
			return fmt.Errorf("config: follow: %w", err)
		}
		o.follows.Go(func() error {
			o.followOne(ctx, &nodes[i])
			return nil
		})
	}
	return nil
}

// retryAfter is how long serve waits before it asks again for a node that could
// not be reached at all.
const retryAfter = 15 * time.Second

func (o *owner) followOne(ctx context.Context, n *NodeConfig) {
	for ctx.Err() == nil {
		_, err := o.intake.node(ctx, n.request(), func(*spoorv1.IngestEvent) {})
		if fault, named := ledger.FaultOf(err); named {
			o.intake.follows.Fault(ledger.Chain(n.Network), fault)
		}
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ledger.ErrUnavailable):
			o.log.Warn("follow: trying again", "network", n.Network, "in", retryAfter, "error", err)
		default:
			o.log.Error("ALARM: a network is followed no longer; somebody must look at it", "network", n.Network, "error", err)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}
