package evm

import (
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/spoortrace/spoor/ledger"
)

// header is a block header whose hash was recomputed, or believed where the
// chain hashes more than the fields that are known.
type header struct {
	*types.Header
	hash    common.Hash
	encoded []byte // as hashed; empty when believed
	proven  bool
}

// refuse makes a fault of an answer.
func refuse(f ledger.Fault, subject, format string, args ...any) error {
	return ledger.Untrue(f, subject, fmt.Sprintf(format, args...))
}

// decodeHeader reads the header of a block answer and recomputes its hash.
// believe accepts a hash that does not come out.
func decodeHeader(subject string, answer json.RawMessage, believe bool) (*header, error) {
	h := header{Header: new(types.Header)}
	var stated struct {
		Hash *common.Hash `json:"hash"`
	}
	if err := json.Unmarshal(answer, h.Header); err != nil {
		return nil, refuse(ledger.FaultMalformed, subject, "header: %v", err)
	}
	if err := json.Unmarshal(answer, &stated); err != nil || stated.Hash == nil {
		return nil, refuse(ledger.FaultMalformed, subject, "header: want a hash (%v)", err)
	}
	if h.Number == nil || h.Difficulty == nil || !h.Number.IsUint64() || h.Number.Uint64() >= 1<<(64-ledger.IndexBits)-1 {
		return nil, refuse(ledger.FaultMalformed, subject, "header: want a number below 2^44, got %v", h.Number)
	}
	if h.Time > 1<<53 {
		return nil, refuse(ledger.FaultHeader, subject, "want a time in seconds, got %d", h.Time)
	}
	encoded, err := rlp.EncodeToBytes(h.Header)
	if err != nil {
		return nil, refuse(ledger.FaultMalformed, subject, "header: %v", err)
	}
	switch sum := h.Hash(); {
	case sum == *stated.Hash:
		h.proven, h.encoded = true, encoded
	case !believe:
		return nil, refuse(ledger.FaultHeader, subject, "its fields hash to %s, it states %s", sum, stated.Hash)
	}
	h.hash = *stated.Hash
	return &h, nil
}

// ref names the block.
func (h *header) ref(c ledger.Chain) ledger.BlockRef {
	return ledger.BlockRef{Chain: c, Height: h.Number.Uint64(), Hash: ledger.Hash(h.hash), Time: int64(h.Time) * 1000}
}

// is checks that a header is of the height that was asked for.
func (h *header) is(subject string, height uint64) error {
	if h.Number.Uint64() != height {
		return refuse(ledger.FaultWrongBlock, subject, "want height %d, got %d", height, h.Number.Uint64())
	}
	return nil
}

// merged reports a block after the merge: nothing is mined.
func (h *header) merged() bool { return h.Difficulty.Sign() == 0 }

// keeps reports EIP-6780 (with Cancun): a contract that self-destructs keeps
// existing unless it was made in the same transaction.
func (h *header) keeps() bool { return h.ExcessBlobGas != nil }

// burnsNothing reports EIP-8246 (with Amsterdam): a self-destruct burns nothing.
func (h *header) burnsNothing() bool { return h.SlotNumber != nil }
