package evm

import (
	"encoding/json"
	"math/big"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/spoortrace/spoor/ledger"
)

// amount converts an unsigned integer of at most 256 bits.
func amount(v *big.Int) (ledger.Amount, error) {
	if v == nil {
		return ledger.Amount{}, nil
	}
	if v.Sign() < 0 {
		return ledger.Amount{}, ledger.ErrOverflow
	}
	return ledger.AmountFromBytes(v.Bytes())
}

// wei reads a quantity that was read as JSON; nil is 0.
func wei(v *hexutil.Big) *big.Int {
	if v == nil {
		return new(big.Int)
	}
	return (*big.Int)(v)
}

// present reports an answer that is there and not null.
func present(answer json.RawMessage) bool { return len(answer) > 0 && string(answer) != "null" }
