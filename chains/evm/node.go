package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/ledger"
)

// NodeOptions say which node to read, and how.
type NodeOptions struct {
	// Chain is the network that the node must serve: "ethereum", "base", "evm-1337".
	Chain ledger.Chain
	RPC   rpc.Options
	// Notices reads what the logs of bridges say: (*Bridges).Notices, or another. It
	// is called concurrently. Nil: nothing is read.
	Notices TxNotices
	// Contracts are known beside those of the chain.
	Contracts Contracts
	// NoTraces leaves out execution traces, and with them internal transfers, even
	// where the node has them: they cost it more than everything else together.
	NoTraces bool
}

// Node is an Ethereum node as a source of blocks (store.Source). It is safe for
// concurrent use.
type Node struct {
	client  *rpc.Client
	decoder decoder
	traces  traceMethod
	final   string      // the tag by which the node names its final block; empty: none
	believe bool        // the chain's headers hash to something else; see doc.go
	raw     bool        // receipts are to be had in their consensus bytes
	single  atomic.Bool // receipts are to be had one by one only

	mu        sync.Mutex
	finalized *ledger.BlockRef // the highest final block that the node has named
}

// traceMethod is the way in which a node tells of internal calls.
type traceMethod uint8

const (
	tracesNone   traceMethod = iota
	tracesCalls              // debug_traceBlockByHash with the callTracer: geth, Erigon, Reth, Nethermind, anvil
	tracesParity             // trace_block: OpenEthereum, Erigon, Nethermind, Reth
)

// Dial connects to a node, holds its chain id and, where it is known, its genesis
// block against the network's, and finds out what it can tell.
func Dial(ctx context.Context, o NodeOptions) (*Node, error) {
	p, ok := o.Chain.Params()
	if !ok || p.Family != ledger.FamilyEVM {
		return nil, ledger.Invalid("network", "an EVM network", string(o.Chain))
	}
	client, err := rpc.Dial(o.RPC)
	if err != nil {
		return nil, err
	}
	n := &Node{client: client, decoder: decoder{rules: rulesOf(p).with(o.Contracts), topics: newTopics(), notices: o.Notices}}
	if err := n.identify(ctx, p); err != nil {
		return nil, err
	}
	latest, err := n.probeHeaders(ctx)
	if err != nil {
		return nil, err
	}
	if err := n.probeFinal(ctx); err != nil {
		return nil, err
	}
	if err := n.probeReceipts(ctx, latest); err != nil {
		return nil, err
	}
	if !o.NoTraces {
		err = n.probeTraces(ctx, latest)
	}
	return n, err
}

// Chain is the network that the node was found to serve.
func (n *Node) Chain() ledger.Chain { return n.decoder.rules.chain }

// Internal reports whether the node tells of internal transfers.
func (n *Node) Internal() bool { return n.traces != tracesNone }

// Close gives idle connections back.
func (n *Node) Close() { n.client.Close() }

// String prints the node's software and address.
func (n *Node) String() string { return n.decoder.source }

func (n *Node) identify(ctx context.Context, p ledger.Params) error {
	var id hexutil.Uint64
	if err := n.client.Call(ctx, "eth_chainId", &id); err != nil {
		return err
	}
	if uint64(id) != p.ChainID {
		return refuse(ledger.FaultWrongChain, "eth_chainId of "+n.client.String(), "want %d (%s), got %d", p.ChainID, p.Chain, uint64(id))
	}
	if p.Genesis != "" {
		h, err := n.header(ctx, hexutil.EncodeUint64(0))
		if err != nil {
			return err
		}
		if got := ledger.Hash(h.hash).String(); got != p.Genesis {
			return refuse(ledger.FaultWrongChain, "block 0 of "+n.client.String(), "want %s (%s), got %s", p.Genesis, p.Chain, got)
		}
	}
	n.decoder.source = n.client.String()
	var software string
	err := n.client.Call(ctx, "web3_clientVersion", &software)
	if answered := new(rpc.Error); err != nil && !errors.As(err, &answered) {
		return err
	}
	if software != "" {
		n.decoder.source = fmt.Sprintf("%.100s at %s", strings.ToValidUTF8(software, "?"), n.client)
	}
	return nil
}

// probeHeaders finds out whether a chain that is known by its id alone hashes its
// headers as Ethereum does, and returns its newest block.
func (n *Node) probeHeaders(ctx context.Context) (*header, error) {
	n.believe = !n.decoder.rules.exact
	latest, err := n.header(ctx, "latest")
	if err != nil {
		return nil, err
	}
	n.believe = !latest.proven
	return latest, nil
}

// probeFinal finds the tag of the final block: "finalized", or else "safe", which
// in a network without the former is the best that the node says. A node that has
// the tag and no such block yet is not asked for another.
func (n *Node) probeFinal(ctx context.Context) error {
	for _, tag := range []string{"finalized", "safe"} {
		var answer json.RawMessage
		err := n.client.Call(ctx, "eth_getBlockByNumber", &answer, tag, false)
		if err == nil || notYet(err) {
			n.final = tag
			return nil
		}
		if answered := new(rpc.Error); !errors.As(err, &answered) {
			return err
		}
	}
	return nil
}

// notYet reports a node's answer that it knows of no such block so far.
func notYet(err error) bool {
	answered := new(rpc.Error)
	const unknownBlock = -39001 // geth's, of the engine API
	return errors.As(err, &answered) && (answered.Code == unknownBlock || strings.Contains(answered.Message, "not found"))
}

// probeTraces asks for the traces of the newest block, in the richer form first.
// Only the answer that there is no such method tells that there is none: a node
// may well fail to trace this block.
func (n *Node) probeTraces(ctx context.Context, latest *header) error {
	for _, m := range []traceMethod{tracesCalls, tracesParity} {
		a := &answers{}
		err := n.askTraces(ctx, m, latest, a)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		answered := new(rpc.Error)
		if err == nil || errors.As(err, &answered) && !unserved(answered) {
			n.traces = m
			return nil
		}
		if fault, _ := ledger.FaultOf(err); answered.Code == 0 && fault != ledger.FaultUnauthorized && fault != ledger.FaultUnsupported {
			return err
		}
	}
	return nil
}

// probeReceipts finds out whether the node serves receipts in their consensus
// bytes. They are of use where everything else of a receipt can be computed.
func (n *Node) probeReceipts(ctx context.Context, latest *header) error {
	if r := n.decoder.rules; !r.exact || r.deposits || r.stateSync {
		return nil
	}
	var raws []hexutil.Bytes
	err := n.client.Call(ctx, "debug_getRawReceipts", &raws, latest.hash)
	answered := new(rpc.Error)
	fault, _ := ledger.FaultOf(err)
	switch {
	case err == nil:
		n.raw = true
	case errors.As(err, &answered), fault == ledger.FaultUnauthorized, fault == ledger.FaultUnsupported:
	default:
		return err
	}
	return nil
}

// unserved reports a method that the node does not have, has with other
// parameters, or keeps from its caller.
func unserved(e *rpc.Error) bool {
	const noMethod, noSuchMethodEither, otherParams = -32601, -32004, -32602 // JSON-RPC 2.0, EIP-1474
	if e.Code == noMethod || e.Code == noSuchMethodEither || e.Code == otherParams {
		return true
	}
	text := strings.ToLower(e.Message)
	for _, s := range []string{"does not exist", "not available", "not supported", "unsupported method", "not allowed", "not whitelisted", "disabled", "method not found"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}
