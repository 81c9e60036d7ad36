package evm

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/spoortrace/spoor/ledger"
)

// decodeRaw reads receipts from their consensus bytes, where a node serves them
// (debug_getRawReceipts). The root proves the bytes as they came, and with them
// each receipt's bloom filter: nothing is encoded or filtered again, which makes
// this several times as fast as the JSON form (BenchmarkReceipts). blobPrice is
// what a receipt in JSON states, for all blob transactions of the block.
func decodeRaw(subject string, h *header, txs []*transaction, raws []hexutil.Bytes, blobPrice *big.Int) ([]*receipt, error) {
	if len(raws) < len(txs) {
		return nil, refuse(ledger.FaultMissing, subject, "want %d receipts, got %d", len(txs), len(raws))
	}
	if len(raws) > len(txs) {
		return nil, refuse(ledger.FaultContents, subject, "want %d receipts, got %d", len(txs), len(raws))
	}
	list := make(items, len(raws))
	for i, raw := range raws {
		list[i] = raw
	}
	if sum := root(list); sum != h.ReceiptHash {
		return nil, refuse(ledger.FaultRoot, subject, "receiptsRoot %s, the receipts make %s", h.ReceiptHash, sum)
	}
	all, bloom, room := make([]*receipt, len(txs)), types.Bloom{}, &logRoom{}
	for i, raw := range raws {
		rec := &receipt{encoded: raw, blobPrice: blobPrice}
		if !rec.split(raw, txs[i].kind, &bloom, room) {
			return nil, refuse(ledger.FaultMalformed, subject, "receipt %d is not one of a transaction of type %d", i, txs[i].kind)
		}
		all[i] = rec
	}
	if bloom != h.Bloom {
		return nil, refuse(ledger.FaultBloom, subject, "the bloom filters of the receipts do not make that of the header")
	}
	return all, number(subject, txs, all)
}

// split reads the bytes of a receipt (EIP-2718: its type, then the list of status
// or state root, cumulative gas, bloom filter, logs). Logs share memory with the bytes.
func (rec *receipt) split(raw []byte, kind uint64, bloom *types.Bloom, room *logRoom) bool {
	if kind != 0 {
		if len(raw) == 0 || uint64(raw[0]) != kind {
			return false
		}
		raw = raw[1:]
	}
	fields, rest, err := rlp.SplitList(raw)
	if err != nil || len(rest) != 0 {
		return false
	}
	status, fields, err := rlp.SplitString(fields)
	if err != nil || !rec.outcome(status) {
		return false
	}
	if rec.cumulated, fields, err = rlp.SplitUint64(fields); err != nil {
		return false
	}
	filter, fields, err := rlp.SplitString(fields)
	if err != nil || len(filter) != len(bloom) {
		return false
	}
	merge(bloom, (*types.Bloom)(filter))
	logs, rest, err := rlp.SplitList(fields)
	if err != nil || len(rest) != 0 {
		return false
	}
	return rec.splitLogs(logs, room)
}

// logRoom is memory for the logs of a block, a few hundred at once.
type logRoom struct {
	logs   []types.Log
	refs   []*types.Log
	topics []common.Hash
}

// The pieces that logRoom takes.
const (
	roomLogs   = 256
	mostTopics = 4
)

// take returns room for n logs, and for at least as many topics as they can have.
func (r *logRoom) take(n int) (logs []types.Log, refs []*types.Log, topics *[]common.Hash) {
	if len(r.logs) < n {
		r.logs, r.refs = make([]types.Log, max(n, roomLogs)), make([]*types.Log, max(n, roomLogs))
	}
	logs, refs = r.logs[:n:n], r.refs[:n:n]
	r.logs, r.refs = r.logs[n:], r.refs[n:]
	if cap(r.topics)-len(r.topics) < mostTopics*n {
		r.topics = make([]common.Hash, 0, mostTopics*max(n, roomLogs))
	}
	return logs, refs, &r.topics
}

// splitLogs reads the logs of a receipt.
func (rec *receipt) splitLogs(b []byte, room *logRoom) bool {
	n, err := rlp.CountValues(b)
	if err != nil || n == 0 {
		return err == nil
	}
	logs, refs, topics := room.take(n)
	rec.logs = refs
	for i := range logs {
		if b = splitLog(b, &logs[i], topics); b == nil {
			return false
		}
		rec.logs[i] = &logs[i]
	}
	return true
}

// outcome reads a status, or a state root of before Byzantium.
func (rec *receipt) outcome(status []byte) bool {
	switch {
	case len(status) == common.HashLength:
		rec.status = ledger.StatusUnknown
	case len(status) == 0:
		rec.status = ledger.StatusFailed
	case len(status) == 1 && status[0] == 1:
		rec.status = ledger.StatusOK
	default:
		return false
	}
	return true
}

// splitLog reads a log and returns what follows it; nil when it is none. Its
// topics are laid behind those of the logs before.
func splitLog(b []byte, l *types.Log, topics *[]common.Hash) []byte {
	log, after, err := rlp.SplitList(b)
	if err != nil {
		return nil
	}
	address, log, err := rlp.SplitString(log)
	if err != nil || len(address) != common.AddressLength {
		return nil
	}
	words, log, err := rlp.SplitList(log)
	if err != nil {
		return nil
	}
	first := len(*topics)
	for len(words) > 0 {
		var word []byte
		if word, words, err = rlp.SplitString(words); err != nil || len(word) != common.HashLength {
			return nil
		}
		*topics = append(*topics, common.Hash(word))
	}
	data, rest, err := rlp.SplitString(log)
	if err != nil || len(rest) != 0 {
		return nil
	}
	l.Address, l.Data = common.Address(address), data
	if all := *topics; len(all) > first {
		l.Topics = all[first:len(all):len(all)]
	}
	return after
}
