package bitcoin

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/ledger"
)

// Codes of JSON-RPC errors (Bitcoin Core, rpc/protocol.h; btcd, btcjson).
const (
	codeMisc           = -1 // btcd: out of range; Core: anything, pruned among it
	codeNotFound       = -5
	codeOutOfRange     = -8
	codeInDownload     = -10
	codeWarmingUp      = -28
	codeMethodNotFound = -32601
)

// call asks the node and gives its own errors their names.
func (n *Node) call(ctx context.Context, subject, method string, result any, params ...any) error {
	return named(subject, n.client.Call(ctx, method, result, params...))
}

// named gives an error of the node itself the fault that its code stands for.
func named(subject string, err error) error {
	var e *rpc.Error
	if !errors.As(err, &e) {
		return err
	}
	f, detail := ledger.FaultUnsupported, ""
	switch {
	case strings.Contains(e.Message, "pruned"):
		detail = "the node keeps only the newest blocks (pruned); use one that keeps all, or begin at a height that it has"
	case e.Code == codeWarmingUp || e.Code == codeInDownload:
		f = ledger.FaultBusy
	case e.Code == codeNotFound, e.Code == codeOutOfRange, e.Code == codeMisc:
		f = ledger.FaultLagging
	case e.Code != codeMethodNotFound:
		return err
	}
	return &ledger.SourceError{Fault: f, Subject: subject, Detail: detail, Err: e}
}

// hashAt asks for the hash at a height of the node's best chain.
func (n *Node) hashAt(ctx context.Context, height uint64) (ledger.Hash, error) {
	subject := fmt.Sprintf("getblockhash of block %d", height)
	var text string
	if err := n.call(ctx, subject, "getblockhash", &text, height); err != nil {
		return ledger.Hash{}, err
	}
	return parseHash(subject, text)
}

func parseHash(subject, text string) (ledger.Hash, error) {
	var hash ledger.Hash
	if _, err := hex.Decode(hash[:], []byte(text)); err != nil || len(text) != 2*len(hash) {
		return hash, fault(ledger.FaultMalformed, subject, ledger.Invalid("hash", "64 hex digits", text))
	}
	return hash, nil
}

// header asks for the header of a hash, which proves it.
func (n *Node) header(ctx context.Context, hash ledger.Hash) (Header, error) {
	subject := "getblockheader of " + hash.String()
	var text string
	if err := n.call(ctx, subject, "getblockheader", &text, hash.String(), false); err != nil {
		return Header{}, err
	}
	return parseHeader(subject, text, hash)
}

// parseHeader reads a header that was asked for by its hash.
func parseHeader(subject, text string, want ledger.Hash) (Header, error) {
	h, err := readHeader(subject, text)
	if err == nil && h.Hash != want {
		return h, ledger.Untrue(ledger.FaultWrongBlock, subject, "got the header of "+h.Hash.String())
	}
	return h, err
}

func readHeader(subject, text string) (Header, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != HeaderSize {
		return Header{}, fault(ledger.FaultMalformed, subject, ledger.Invalid("header", "160 hex digits", text))
	}
	return ParseHeader(raw)
}
