package bitcoin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/ledger"
)

// NodeOptions say which node is read, and from where on.
type NodeOptions struct {
	// Chain is the network that the node must serve.
	Chain ledger.Chain
	// RPC is how the node is reached.
	RPC rpc.Options
	// From is the first height that the index holds or will hold. Above 0 the
	// index does not know the coins that were made before, and the node is asked
	// for them even where that is dear.
	From uint64
	// Anchor is a block that the index holds and no reorg reaches. The chain of
	// headers then begins in its difficulty period, not at genesis, which spares
	// 80 bytes a block at each start; blocks are graded as the anchor is. Blocks
	// below it cannot be read.
	Anchor *Anchor
	// Unlinked begins the chain of headers in the difficulty period of From without
	// those before it: all blocks are attested.
	Unlinked bool
	// Poll is how often Mempool asks; 0: every 2 seconds.
	Poll time.Duration
}

// Anchor is a block that is taken for true.
type Anchor struct {
	Height uint64
	Hash   ledger.Hash
	Grade  ledger.Grade
}

// Node reads a chain from Bitcoin Core, btcd or what speaks as they do. It holds
// the headers of the chain, 40 bytes each, proven against each other, and gives
// no block that is not one of them. It is a store.Source.
type Node struct {
	o       NodeOptions
	network Network
	client  *rpc.Client
	source  string // of blocks: software and address
	grade   ledger.Grade
	serves  features

	syncing sync.Mutex // held while headers are fetched

	mu      sync.RWMutex // guards what follows
	chain   *headerChain
	noCoins bool // the node's JSON does not say what inputs spend
}

// features are what a node was found to serve.
type features struct {
	rest       bool // Bitcoin Core with -rest
	spent      bool // and its spenttxouts, v30 and later
	getHeaders bool // btcd's call for many headers
	sequence   bool // Bitcoin Core: its mempool's states are numbered
}

// Dial connects to a node, checks that it serves the chain, finds out what else it
// serves, and reads all headers: 72 MB from genesis on, in seconds where the node
// is near and serves REST.
func Dial(ctx context.Context, o NodeOptions) (*Node, error) {
	network, err := NetworkOf(o.Chain)
	if err != nil {
		return nil, err
	}
	client, err := rpc.Dial(o.RPC)
	if err != nil {
		return nil, err
	}
	n := &Node{o: o, network: network, client: client}
	if err := n.checkGenesis(ctx); err != nil {
		return nil, err
	}
	if err := n.probe(ctx); err != nil {
		return nil, err
	}
	if err := n.root(ctx); err != nil {
		return nil, err
	}
	if err := n.sync(ctx); err != nil {
		return nil, err
	}
	return n, nil
}

// Chain is the network that the node was found to serve.
func (n *Node) Chain() ledger.Chain { return n.o.Chain }

// String names the node, without credentials.
func (n *Node) String() string { return n.source }

// Head brings the chain of headers up to the node's best block, and returns that.
// Bitcoin calls no block final.
//
// A node whose best chain has less work than the one it served before is lagging.
func (n *Node) Head(ctx context.Context) (ledger.Head, error) {
	if err := n.sync(ctx); err != nil {
		return ledger.Head{}, err
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	height, tip := n.chain.tip()
	return ledger.Head{Tip: ledger.BlockRef{Chain: n.o.Chain, Height: height, Hash: tip.hash, Time: int64(tip.Time) * 1000}}, nil
}

// Hash returns the hash of the block at a height, as of the last call of Head.
func (n *Node) Hash(ctx context.Context, height uint64) (ledger.Hash, error) {
	e, err := n.entry(ctx, height)
	return e.hash, err
}

// entry returns the header at a height. It looks for new ones when it has none.
func (n *Node) entry(ctx context.Context, height uint64) (entry, error) {
	if err := ctx.Err(); err != nil {
		return entry{}, err
	}
	e, first, tip := n.held(height)
	if height > tip {
		if err := n.sync(ctx); err != nil {
			return entry{}, err
		}
		e, first, tip = n.held(height)
	}
	subject := fmt.Sprintf("block %d", height)
	switch {
	case height > tip:
		return entry{}, ledger.Untrue(ledger.FaultLagging, subject, fmt.Sprintf("the node's newest block is %d", tip))
	case height < first:
		return entry{}, ledger.Untrue(ledger.FaultUnsupported, subject, fmt.Sprintf("the headers held begin at %d; blocks before are read without an anchor", first))
	}
	return e, nil
}

// held returns the header at a height, and the first and the last height held:
// it is one of another block outside of these.
func (n *Node) held(height uint64) (e entry, first, tip uint64) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	tip, e = n.chain.tip()
	if n.chain.has(height) {
		e = n.chain.at(height)
	}
	return e, n.chain.first, tip
}

func (n *Node) checkGenesis(ctx context.Context) error {
	hash, err := n.hashAt(ctx, 0)
	switch {
	case err != nil:
		return err
	case hash != n.network.Genesis:
		return ledger.Untrue(ledger.FaultWrongChain, "genesis block of "+n.client.String(),
			fmt.Sprintf("want that of %s, %s; got %s%s", n.o.Chain, n.network.Genesis, hash, otherNetwork(hash)))
	}
	return nil
}

// otherNetwork names the network of a genesis block that is not the wanted one.
func otherNetwork(genesis ledger.Hash) string {
	for _, n := range networks() {
		if n.withGenesis().Genesis == genesis {
			return ", that of " + string(n.Chain)
		}
	}
	return ""
}

// probe finds out who the node is and what it serves.
func (n *Node) probe(ctx context.Context) error {
	n.source = n.client.String()
	// btcd is asked first for what Bitcoin Core does not have: it closes the
	// connection of those who ask for REST.
	var versions map[string]any
	switch err := n.call(ctx, "version", "version", &versions); {
	case err == nil && versions["btcdjsonrpcapi"] != nil:
		n.source, n.serves.getHeaders = "btcd at "+n.source, true
		return nil
	case err != nil && !errors.Is(err, ledger.ErrUntrue):
		return err
	}
	var info struct {
		Subversion string `json:"subversion"`
	}
	switch err := n.call(ctx, "getnetworkinfo", "getnetworkinfo", &info); {
	case err != nil && !errors.Is(err, ledger.ErrUntrue):
		return err
	case info.Subversion == "" || len(info.Subversion) > 256: // BIP 14: at most 256 bytes
		return nil
	}
	n.source = strings.Trim(info.Subversion, "/") + " at " + n.source
	n.serves.sequence = strings.Contains(info.Subversion, "Satoshi")
	return n.probeREST(ctx)
}

// probeREST asks for what is known of the genesis block: a gate in front of the
// node may answer any path with something.
func (n *Node) probeREST(ctx context.Context) error {
	genesis := n.network.Genesis.String()
	raw, err := n.peek(ctx, "/rest/headers/1/"+genesis+".bin")
	if err != nil {
		return err
	}
	header, err := ParseHeader(raw)
	if n.serves.rest = err == nil && len(raw) == HeaderSize && header.Hash == n.network.Genesis; !n.serves.rest {
		return nil
	}
	raw, err = n.peek(ctx, "/rest/spenttxouts/"+genesis+".bin")
	n.serves.spent = bytes.Equal(raw, []byte{1, 0}) // one transaction, which spends nothing
	return err
}

// peek reads a path; nothing where it is not served. Trouble that passes is an error.
func (n *Node) peek(ctx context.Context, path string) ([]byte, error) {
	raw, err := n.client.Get(ctx, path, 1<<10)
	if errors.Is(err, ledger.ErrUntrue) {
		return nil, nil
	}
	return raw, err
}

// root begins the chain of headers.
func (n *Node) root(ctx context.Context) error {
	var height uint64
	switch anchor := n.o.Anchor; {
	case anchor != nil:
		height, n.grade = anchor.Height, anchor.Grade
	case n.o.Unlinked:
		height, n.grade = n.o.From, ledger.GradeAttested
	}
	height -= height % period
	hash, err := n.hashAt(ctx, height)
	if err != nil {
		return err
	}
	header, err := n.header(ctx, hash)
	if err != nil {
		return err
	}
	if err := n.network.Check(header); err != nil {
		return fault(ledger.FaultHeader, "header "+hash.String(), err)
	}
	n.chain = newHeaderChain(n.network, height, header)
	if n.o.Anchor == nil {
		return nil
	}
	return n.reach(ctx, *n.o.Anchor)
}

// reach reads the headers up to the anchor, whose hash proves them all.
func (n *Node) reach(ctx context.Context, a Anchor) error {
	for n.chain.next <= a.Height {
		if err := n.advance(ctx, n.chain, a.Height); err != nil {
			return err
		}
	}
	if got := n.chain.at(a.Height).hash; got != a.Hash {
		return ledger.Untrue(ledger.FaultFinality, fmt.Sprintf("block %d", a.Height), fmt.Sprintf("want %s, which the index holds as final; got %s", a.Hash, got))
	}
	return nil
}

// fault gives an error of the checks its name.
func fault(f ledger.Fault, subject string, err error) error {
	return &ledger.SourceError{Fault: f, Subject: subject, Err: err}
}
