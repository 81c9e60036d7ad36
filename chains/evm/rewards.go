package evm

import (
	"bytes"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/spoortrace/spoor/ledger"
)

// credit is native value that a block gives somebody without a transaction.
type credit struct {
	to    common.Address
	value *big.Int
	grade ledger.Grade
}

// fees are what the transactions of a block paid, by whom they go to.
type fees struct {
	tips, base, l1 *big.Int
}

// The OP stack's predeployed vaults (specification, "Predeploys").
const (
	baseFeeVault = "0x4200000000000000000000000000000000000019"
	l1FeeVault   = "0x420000000000000000000000000000000000001a"
)

// rewards lists what a block credits at its end, in the order of the protocol:
// fees and rewards, then withdrawals.
func (r rules) rewards(h *header, uncles []*types.Header, withdrawals []*types.Withdrawal, f fees, grade ledger.Grade) []credit {
	var all []credit
	pay := func(to common.Address, value *big.Int, g ledger.Grade) {
		if value.Sign() > 0 {
			all = append(all, credit{to, value, max(g, grade)})
		}
	}
	switch {
	case r.reward == rewardEthereum && !h.merged():
		for _, c := range mined(h, uncles, f.tips) {
			pay(c.to, c.value, c.grade)
		}
	case r.reward == rewardVaults:
		pay(h.Coinbase, f.tips, ledger.GradeProven)
		pay(common.HexToAddress(baseFeeVault), f.base, ledger.GradeProven)
		pay(common.HexToAddress(l1FeeVault), f.l1, ledger.GradeAttested)
	case r.reward != rewardUnseen && h.merged():
		pay(h.Coinbase, f.tips, ledger.GradeProven)
	}
	for _, w := range withdrawals {
		value := new(big.Int).Mul(new(big.Int).SetUint64(w.Amount), big.NewInt(params.GWei))
		pay(w.Address, value, ledger.GradeProven)
	}
	return all
}

// mined is Ethereum's reward before the merge (Yellow Paper, 11.3): to the miner
// the static reward, a 32nd of it for each uncle, and the tips; to the miner of an
// uncle an eighth less for each block that it is old.
func mined(h *header, uncles []*types.Header, tips *big.Int) []credit {
	full := static(h.Number.Uint64())
	miner := new(big.Int).Add(full, tips)
	var all []credit
	for _, u := range uncles {
		share := new(big.Int).Sub(new(big.Int).Add(u.Number, big.NewInt(8)), h.Number)
		share.Mul(share, full).Rsh(share, 3)
		all = append(all, credit{to: u.Coinbase, value: share})
		miner.Add(miner, new(big.Int).Rsh(full, 5))
	}
	return append([]credit{{to: h.Coinbase, value: miner}}, all...)
}

// hashOf is the keccak of the RLP of a value.
func hashOf(v any) common.Hash {
	var b bytes.Buffer
	if err := rlp.Encode(&b, v); err != nil {
		return common.Hash{}
	}
	return crypto.Keccak256Hash(b.Bytes())
}
