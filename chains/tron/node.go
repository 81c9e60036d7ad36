package tron

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
)

// NodeOptions say which node to read, and how. Chain and Target are needed.
type NodeOptions struct {
	// Chain is the network that the node must serve: "tron" or "tron-nile".
	Chain ledger.Chain
	// Target is HOST:PORT, or grpcs://HOST:PORT over TLS, of the service
	// protocol.Wallet (java-tron: port 50051).
	Target string
	// Solid is that of protocol.WalletSolidity, on which java-tron says what is
	// final (port 50061; TronGrid 50052). Empty: Target is asked for both, or else how high
	// the solidified block is (protocol.Database); where it tells neither, no block is
	// called final.
	Solid string
	// Headers are sent with every call: "TRON-PRO-API-KEY: value", or "Name: @FILE"
	// to take the value from a file that others cannot read.
	Headers []string
	// CA is a PEM file with the certificates to trust; empty: the system's.
	CA string
	// Rate is the greatest number of calls per second; 0: no limit.
	Rate float64
	// Timeout bounds one call; 0: 30 s.
	Timeout time.Duration
	// Internal says that the node keeps internal transactions
	// (vm.saveInternalTx = true): blocks without one are then not marked, and it is
	// not asked for those of other blocks to find out.
	Internal bool
	// NoInfos reads no transaction infos: TRC-20 transfers are then inferred from
	// what was called, and fees and internal transfers are not known. Blocks are
	// marked as lacking receipts.
	NoInfos bool
}

// Node is a java-tron node as a source of blocks (store.Source). It is safe for
// concurrent use.
type Node struct {
	o       NodeOptions
	name    string
	conns   []*grpc.ClientConn
	wallet  protocol.WalletClient
	solid   protocol.WalletSolidityClient // nil: it is not served
	heights protocol.DatabaseClient       // says how far the chain is final, where solid does not; nil: nor does it
	headers map[string][]string
	limit   *rate.Limiter
	pause   time.Duration // before a call is made again for the first time

	mu    sync.Mutex
	final *ledger.BlockRef // the highest solidified block that was named; without solid by its height alone
	kept  map[uint64]bool  // by stretch: whether internal transactions were kept
}

// Dial connects to a node and holds its genesis block against the network's.
func Dial(ctx context.Context, o NodeOptions) (*Node, error) {
	p, ok := o.Chain.Params()
	if !ok || p.Family != ledger.FamilyTRON {
		return nil, ledger.Invalid("network", "tron or tron-nile", string(o.Chain))
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	n := &Node{o: o, limit: rate.NewLimiter(rate.Inf, 1), pause: 100 * time.Millisecond}
	if o.Rate > 0 {
		n.limit = rate.NewLimiter(rate.Limit(o.Rate), max(1, int(o.Rate)))
	}
	var err error
	if n.headers, err = readHeaders(o.Headers); err != nil {
		return nil, err
	}
	if err := n.open(); err != nil {
		_ = n.Close()
		return nil, err
	}
	if err := n.identify(ctx, p); err != nil {
		_ = n.Close()
		return nil, err
	}
	return n, nil
}

func (n *Node) open() error {
	conn, host, err := connect(n.o.Target, n.o.CA)
	if err != nil {
		return err
	}
	n.conns, n.name, n.wallet = append(n.conns, conn), "java-tron at "+host, protocol.NewWalletClient(conn)
	if n.o.Solid != "" {
		if conn, _, err = connect(n.o.Solid, n.o.CA); err != nil {
			return err
		}
		n.conns = append(n.conns, conn)
	}
	n.solid, n.heights = protocol.NewWalletSolidityClient(conn), protocol.NewDatabaseClient(conn)
	return nil
}

func (n *Node) identify(ctx context.Context, p ledger.Params) error {
	genesis, err := n.Hash(ctx, 0)
	if err != nil {
		return err
	}
	if genesis.String() != p.Genesis {
		return refuse(ledger.FaultWrongChain, "block 0 of "+n.name, "want %s (%s), got %s", p.Genesis, p.Chain, genesis)
	}
	_, err = ask(ctx, n, "solidified block of "+n.name, n.solid.GetNowBlock2, &protocol.EmptyMessage{})
	if f, _ := ledger.FaultOf(err); f == ledger.FaultUnsupported && n.o.Solid == "" {
		n.solid = nil
		_, err = ask(ctx, n, "solidified height of "+n.name, n.heights.GetDynamicProperties, &protocol.EmptyMessage{})
		if f, _ := ledger.FaultOf(err); f == ledger.FaultUnsupported {
			n.heights = nil
			return nil
		}
	}
	return err
}

// Close gives the connections back.
func (n *Node) Close() error {
	var first error
	for _, c := range n.conns {
		if err := c.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Chain is the network that the node was found to serve.
func (n *Node) Chain() ledger.Chain { return n.o.Chain }

// String names the node, without keys.
func (n *Node) String() string { return n.name }

// Head returns the newest block and the height up to which the chain is
// solidified: signed over by 19 of 27 producers. That may not move back.
func (n *Node) Head(ctx context.Context) (ledger.Head, error) {
	// The final block is asked for first: asked for last it may be above the head.
	final, err := n.solidified(ctx)
	if err != nil {
		return ledger.Head{}, err
	}
	subject := "newest block of " + n.name
	answer, err := ask(ctx, n, subject, n.wallet.GetNowBlock2, &protocol.EmptyMessage{})
	if err != nil {
		return ledger.Head{}, err
	}
	h, err := readHeader(subject, answer)
	if err != nil {
		return ledger.Head{}, err
	}
	head := ledger.Head{Tip: h.ref(n.o.Chain)}
	if final == nil {
		return head, nil
	}
	head.Final = &final.Height
	return head, n.settle(head.Tip, *final)
}

func (n *Node) solidified(ctx context.Context) (*ledger.BlockRef, error) {
	if n.solid == nil {
		return n.solidHeight(ctx)
	}
	subject := "solidified block of " + n.name
	answer, err := ask(ctx, n, subject, n.solid.GetNowBlock2, &protocol.EmptyMessage{})
	if err != nil {
		return nil, err
	}
	h, err := readHeader(subject, answer)
	if err != nil {
		return nil, err
	}
	ref := h.ref(n.o.Chain)
	return &ref, nil
}

// solidHeight is the solidified block without its id.
func (n *Node) solidHeight(ctx context.Context) (*ledger.BlockRef, error) {
	if n.heights == nil {
		return nil, nil
	}
	subject := "solidified height of " + n.name
	answer, err := ask(ctx, n, subject, n.heights.GetDynamicProperties, &protocol.EmptyMessage{})
	if err != nil {
		return nil, err
	}
	height := answer.GetLastSolidityBlockNum()
	if height < 0 || height > maxHeight {
		return nil, refuse(ledger.FaultContents, subject, "got %d", height)
	}
	return &ledger.BlockRef{Chain: n.o.Chain, Height: uint64(height)}, nil
}

// settle holds the final block against the head and against those named before.
func (n *Node) settle(tip, final ledger.BlockRef) error {
	subject := "solidified block of " + n.name
	n.mu.Lock()
	defer n.mu.Unlock()
	if last := n.final; last != nil {
		if final.Height < last.Height {
			return refuse(ledger.FaultFinality, subject, "block %d is final, block %d was", final.Height, last.Height)
		}
		if final.Height == last.Height && final.Hash != last.Hash {
			return refuse(ledger.FaultFinality, subject, "block %d is %s, it was final as %s", final.Height, final.Hash, last.Hash)
		}
	}
	switch {
	case final.Height > tip.Height:
		return refuse(ledger.FaultFinality, subject, "block %d is final, the head is block %d", final.Height, tip.Height)
	case n.solid != nil && final.Height == tip.Height && final.Hash != tip.Hash:
		return refuse(ledger.FaultFinality, subject, "block %d %s is final, the head is %s", final.Height, final.Hash, tip.Hash)
	}
	n.final = &final
	return nil
}

// Hash returns the id of the block at a height of the node's present chain.
func (n *Node) Hash(ctx context.Context, height uint64) (ledger.Hash, error) {
	_, h, err := n.fetch(ctx, height)
	if err != nil {
		return ledger.Hash{}, err
	}
	return h.id, nil
}

// fetch asks for the block at a height and checks its header.
func (n *Node) fetch(ctx context.Context, height uint64) (*protocol.BlockExtention, *header, error) {
	subject := fmt.Sprintf("block %d of %s", height, n.name)
	if height > maxHeight {
		return nil, nil, refuse(ledger.FaultLagging, subject, "no chain is that long")
	}
	answer, err := ask(ctx, n, subject, n.wallet.GetBlockByNum2, &protocol.NumberMessage{Num: int64(height)})
	if err != nil {
		return nil, nil, err
	}
	h, err := readHeader(subject, answer)
	if err != nil {
		return nil, nil, err
	}
	if h.number != height {
		return nil, nil, refuse(ledger.FaultWrongBlock, subject, "got block %d", h.number)
	}
	if final := n.settled(); n.solid != nil && final != nil && final.Height == h.number && final.Hash != h.id {
		return nil, nil, refuse(ledger.FaultFinality, subject, "got %s, it was final as %s", h.id, final.Hash)
	}
	return answer, h, nil
}

// settled is the highest solidified block that was named; nil: none yet.
func (n *Node) settled() *ledger.BlockRef {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.final
}
