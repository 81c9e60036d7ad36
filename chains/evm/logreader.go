package evm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/ledger"
)

// LogReader reads single logs as blocks of a node are read, for exports that
// hold logs: ERC-20 transfers, the wrapped coin's deposits and withdrawals, and
// what issuers of stablecoins do. It is safe for concurrent use.
type LogReader struct{ d decoder }

// NewLogReader returns the reader of an EVM network; ledger.ErrInvalid for another.
func NewLogReader(chain ledger.Chain) (*LogReader, error) {
	p, ok := chain.Params()
	if !ok || p.Family != ledger.FamilyEVM {
		return nil, ledger.Invalid("network", "an EVM network", string(chain))
	}
	return &LogReader{decoder{rules: rulesOf(p), topics: newTopics()}}, nil
}

// Read returns the transfer that a log is, if it is one, and what it says
// besides. from and to are those of its transaction, to zero where it created a
// contract. Index and Slot are the caller's to set.
func (r *LogReader) Read(l *types.Log, from, to [20]byte) (t ledger.Transfer, moves bool, notices []ledger.Notice) {
	tx := &transaction{from: from}
	if to != ([20]byte{}) {
		a := common.Address(to)
		tx.to = &a
	}
	said := r.d.read(l, tx, nil)
	return said.transfer, said.moves, said.notices
}
