package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/chains/evm"
	"github.com/spoortrace/spoor/chains/tron"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store"
)

// node takes in the blocks of a node, and with follow goes on as they arrive.
func (in *intake) node(ctx context.Context, req *spoorv1.Node, report func(*spoorv1.IngestEvent)) (*spoorv1.IngestResult, error) {
	chain, err := ledger.ParseChain(req.GetNetwork())
	if err != nil {
		return nil, err
	}
	if req.GetFollow() && req.ToHeight != nil {
		return nil, ledger.Invalid("to_height", "none with follow, which has no end", fmt.Sprint(req.GetToHeight()))
	}
	end, err := in.follows.Begin(chain)
	if err != nil {
		return nil, err
	}
	result, err := in.read(ctx, chain, req, report)
	if errors.Is(err, context.Canceled) {
		end(nil)
	} else {
		end(err)
	}
	if err != nil {
		return nil, subject(chain, err)
	}
	return result, nil
}

func (in *intake) read(ctx context.Context, chain ledger.Chain, req *spoorv1.Node, report func(*spoorv1.IngestEvent)) (*spoorv1.IngestResult, error) {
	d := &dialer{chain: chain, req: req, bridges: in.bridges}
	if err := d.settle(ctx, in); err != nil {
		return nil, err
	}
	report(&spoorv1.IngestEvent{Event: &spoorv1.IngestEvent_Progress{Progress: &spoorv1.Progress{Phase: "connect", Network: string(chain), Unit: "nodes"}}})
	sources, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	n, err := in.create(ctx, chain)
	if err != nil {
		return nil, err
	}
	v := &voyage{in: in, chain: chain, report: report, result: &spoorv1.IngestResult{Network: string(chain)}}
	o := store.FollowOptions{
		From: req.FromHeight, To: req.ToHeight, Follow: req.GetFollow(), Parallel: int(req.GetParallel()),
		KeepRaw: req.GetKeepRaw(), ReorgBound: req.ReorgBound, Report: v.show,
	}
	work, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	work.Go(func() error {
		defer cancel()
		return follow(ctx, n, sources, o, in.reporter(chain, "fill", 0, "blocks", func(p *spoorv1.Progress) {
			report(&spoorv1.IngestEvent{Event: &spoorv1.IngestEvent_Progress{Progress: p}})
		}, func(p store.Progress) int64 { return int64(p.Blocks) }))
	})
	work.Go(func() error {
		if err := in.watch(ctx, n, sources, req.GetWatch(), report); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	})
	return v.result, work.Wait()
}

// follow goes on from the tip; a first height below what is held is filled in
// beside it, and filled tells how far that is.
func follow(ctx context.Context, n *store.Network, sources []store.Source, o store.FollowOptions, filled func(store.Progress)) error {
	err := store.Follow(ctx, n, sources, o)
	if !errors.Is(err, store.ErrBackfill) {
		return err
	}
	on := o
	on.From = nil
	o.Report = func(s store.FollowStatus) { filled(store.Progress{Tip: s.Tip, Blocks: s.Blocks, Txs: s.Txs}) }
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error { return store.Backfill(ctx, n, sources, o) })
	work.Go(func() error { return store.Follow(ctx, n, sources, on) })
	return work.Wait()
}

// dialer opens the nodes of a request. A new family of chains is one more case of open.
type dialer struct {
	chain   ledger.Chain
	req     *spoorv1.Node
	bridges [][]byte
	tip     *ledger.BlockRef // of the index; nil: it is empty
	anchor  *bitcoin.Anchor
	first   uint64 // height that the newest blocks of the index hang together from
}

// settle finds where the index stands.
func (d *dialer) settle(ctx context.Context, in *intake) error {
	n, err := in.held(ctx, d.chain)
	if err != nil || n == nil {
		return err
	}
	st, err := n.Status()
	if err != nil || st.Empty {
		return err
	}
	d.tip = &st.Tip
	if d.chain.Family() != ledger.FamilyBitcoin || len(st.Spans) == 0 {
		return nil
	}
	d.first = st.Spans[len(st.Spans)-1].From
	if from := d.req.FromHeight; d.first == 0 || from != nil && *from < d.first || st.Folded < d.first {
		return nil // all is read from genesis on, what lies below is to be filled in, or nothing is final yet
	}
	snap, err := n.Snapshot(st.Folded)
	if err != nil {
		return err
	}
	ref, err := snap.BlockRef(ctx, d.chain, st.Folded)
	if err == nil {
		d.anchor = &bitcoin.Anchor{Height: ref.Height, Hash: ref.Hash}
	}
	// What follows the anchor is linked to genesis if the anchor is.
	for tx, failed := range snap.BlockTxs(ctx, d.chain, st.Folded) {
		if err == nil && failed == nil {
			d.anchor.Grade = tx.Grade
		}
		err = errors.Join(err, failed)
		break
	}
	return errors.Join(err, snap.Close())
}

// dial opens every node. Those that cannot be reached at the moment are left
// out as long as one can.
func (d *dialer) dial(ctx context.Context) ([]store.Source, error) {
	var sources []store.Source
	var failed error
	for _, url := range d.req.GetUrls() {
		s, err := d.open(ctx, url)
		switch {
		case err == nil:
			sources = append(sources, s)
		case errors.Is(err, ledger.ErrUnavailable):
			failed = errors.Join(failed, err)
		default:
			return nil, err
		}
	}
	if len(sources) == 0 {
		return nil, failed
	}
	return sources, nil
}

func (d *dialer) open(ctx context.Context, url string) (store.Source, error) {
	switch d.chain.Family() {
	case ledger.FamilyBitcoin:
		return d.openBitcoin(ctx, url)
	case ledger.FamilyEVM:
		return d.openEVM(ctx, url)
	case ledger.FamilyTRON:
		return d.openTRON(ctx, url)
	}
	return nil, ledger.Invalid("network", "a network whose nodes can be read", string(d.chain))
}

func (d *dialer) openBitcoin(ctx context.Context, url string) (store.Source, error) {
	o := bitcoin.NodeOptions{Chain: d.chain, From: max(d.req.GetFromHeight(), d.first), Anchor: d.anchor}
	o.RPC.URL, o.RPC.Cookie, o.RPC.Headers, o.RPC.CA, o.RPC.Rate = url, d.req.GetCookiePath(), d.req.GetHeaders(), d.req.GetCaPath(), float64(d.req.GetRate())
	n, err := bitcoin.Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	return n, nil
}

func (d *dialer) openEVM(ctx context.Context, url string) (store.Source, error) {
	bridges, err := evm.NewBridges(append([][]byte{evm.BundledBridges()}, d.bridges...)...)
	if err != nil {
		return nil, err
	}
	o := evm.NodeOptions{Chain: d.chain, Notices: bridges.Notices}
	o.RPC.URL, o.RPC.Headers, o.RPC.CA, o.RPC.Rate = url, d.req.GetHeaders(), d.req.GetCaPath(), float64(d.req.GetRate())
	n, err := evm.Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// openTRON reads HOST:PORT, or HOST:PORT,HOST:PORT where solidified blocks are
// served at a port of their own.
func (d *dialer) openTRON(ctx context.Context, target string) (store.Source, error) {
	target, solid, _ := strings.Cut(target, ",")
	n, err := tron.Dial(ctx, tron.NodeOptions{
		Chain: d.chain, Target: target, Solid: solid, Headers: d.req.GetHeaders(), CA: d.req.GetCaPath(), Rate: float64(d.req.GetRate()), Internal: d.req.GetInternalTransfers(),
	})
	if err != nil {
		return nil, err
	}
	return n, nil
}

// voyage turns the store's reports into messages.
type voyage struct {
	in     *intake
	chain  ledger.Chain
	report func(*spoorv1.IngestEvent)
	result *spoorv1.IngestResult
	marks  []mark // of the last while, ascending
	seen   uint64 // blocks replaced, as reported so far
}

// mark is how far a voyage was at a time.
type mark struct {
	at          time.Time
	blocks, txs uint64
}

// rateWindow is the while over which rates are taken.
const rateWindow = 30 * time.Second

// show passes a report on: each while the index is at the head, and a few a
// second while it catches up.
func (v *voyage) show(s store.FollowStatus) {
	v.result.Blocks, v.result.Transactions = int64(s.Blocks), int64(s.Txs)
	now := v.in.now()
	lag := s.Head - min(s.Head, s.Tip.Height)
	if n := len(v.marks); n > 0 && lag > 0 && s.Trouble == nil && now.Sub(v.marks[n-1].at) < 200*time.Millisecond {
		return
	}
	v.marks = append(v.marks, mark{now, s.Blocks, s.Txs})
	for now.Sub(v.marks[0].at) > rateWindow {
		v.marks = v.marks[1:]
	}
	m := &spoorv1.FollowStatus{
		Network: string(v.chain), HeadHeight: s.Head, LagBlocks: lag, FinalHeight: s.Final, Node: s.Source, Replaced: uint32(s.Replaced - v.seen),
	}
	v.seen = s.Replaced
	if s.Tip != (ledger.BlockRef{}) {
		height := uint32(s.Tip.Height)
		m.AsOf = &spoorv1.AsOf{
			Network: string(v.chain), Height: &height, BlockHash: s.Tip.Hash.String(), Time: timestamppb.New(time.UnixMilli(s.Tip.Time)),
			Lag: durationpb.New(now.Sub(time.UnixMilli(s.Tip.Time)).Round(time.Second)),
		}
	}
	if s.Trouble != nil {
		m.Trouble = s.Trouble.Error()
		if fault, named := ledger.FaultOf(s.Trouble); named {
			v.in.follows.Fault(v.chain, fault)
		}
	}
	v.rate(m, now)
	v.in.follows.Report(m)
	v.report(&spoorv1.IngestEvent{Event: &spoorv1.IngestEvent_Follow{Follow: m}})
}

// rate says how fast it goes and how long it will take.
func (v *voyage) rate(m *spoorv1.FollowStatus, now time.Time) {
	first := v.marks[0]
	last := v.marks[len(v.marks)-1]
	seconds := now.Sub(first.at).Seconds()
	if seconds <= 0 {
		return
	}
	blocks := float64(last.blocks-first.blocks) / seconds
	m.BlocksPerSecond = fmt.Sprintf("%.1f", blocks)
	m.TransactionsPerSecond = fmt.Sprintf("%.1f", float64(last.txs-first.txs)/seconds)
	if m.GetLagBlocks() > 0 && blocks > 0 {
		left := time.Duration(float64(m.GetLagBlocks()) / blocks * float64(time.Second))
		m.TimeLeft = durationpb.New(left.Round(time.Second))
	}
}

// watch reports unconfirmed transactions of addresses, where the node tells of them.
func (in *intake) watch(ctx context.Context, n *store.Network, sources []store.Source, addresses []string, report func(*spoorv1.IngestEvent)) error {
	if len(addresses) == 0 {
		return nil
	}
	node, ok := sources[0].(*bitcoin.Node)
	if !ok {
		return ledger.Invalid("watch", "a Bitcoin network: others' nodes do not tell of single addresses", string(n.Chain()))
	}
	watched := map[ledger.Address]bool{}
	for _, text := range addresses {
		a, err := ledger.ParseAddress(n.Chain(), text)
		if err != nil {
			return err
		}
		watched[a] = true
	}
	return node.Mempool(ctx, watched, func(o ledger.OutPoint) (ledger.Output, bool) { return coinOf(ctx, n, o) }, func(s bitcoin.Sighting) {
		report(&spoorv1.IngestEvent{Event: &spoorv1.IngestEvent_Sighting{Sighting: &spoorv1.Sighting{
			Network: string(n.Chain()), Tx: s.Tx.String(), Address: s.Address.String(), Received: s.Received.String(), Sent: s.Sent.String(),
			Time: timestamppb.New(in.now()), Dropped: s.Dropped,
		}}})
	})
}

// coinOf looks an output up in the index; false also when it cannot be read.
func coinOf(ctx context.Context, n *store.Network, o ledger.OutPoint) (ledger.Output, bool) {
	snap, err := n.Snapshot(0)
	if err != nil {
		return ledger.Output{}, false
	}
	defer snap.Close() //nolint:errcheck // reading alone
	txs, err := snap.FindTx(ctx, n.Chain(), o.Tx)
	if err != nil || len(txs) == 0 || int(o.Index) >= len(txs[len(txs)-1].Outputs) {
		return ledger.Output{}, false
	}
	return txs[len(txs)-1].Outputs[o.Index], true
}
