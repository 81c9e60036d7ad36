package evm

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"

	"github.com/spoortrace/spoor/ledger"
)

// reward says who is paid for a block.
type reward uint8

const (
	rewardUnseen   reward = iota // not followed
	rewardTips                   // the tips to the header's beneficiary, once there is no difficulty
	rewardEthereum               // Ethereum's schedule: static and uncles' rewards before the merge
	rewardVaults                 // OP stack: tips, base fees and L1 fees to their own accounts
)

// rules are what the adapter must know of a chain.
type rules struct {
	chain     ledger.Chain
	id        *big.Int
	exact     bool // all header fields and the price of gas are known, so that what differs is a fault
	foreign   bool // it may have transaction types that only it knows
	deposits  bool // type 0x7e is the OP stack's deposit
	stateSync bool // nodes append a transaction that is in no root (Polygon)
	reward    reward
	// irregular is the height of a block that moves balances by fiat; 0: none.
	irregular uint64
	// wrapped are contracts like WETH9, which mint on Deposit and burn on Withdrawal
	// without a Transfer; tether and circle are issuers' own contracts.
	wrapped, tether, circle []common.Address
	// tetherOwner is who Issue and Redeem concern when no trace tells.
	tetherOwner common.Address
}

// Contracts are further contracts of kinds that the adapter knows, for networks of one's own.
type Contracts struct {
	Wrapped []ledger.Address // code of WETH9
	Tether  []ledger.Address // code of TetherToken (USDT on Ethereum)
	Circle  []ledger.Address // code of FiatToken (USDC)
}

// rulesOf returns what is known of a chain. The wrapped coins are those whose
// verified source is WETH9; Arbitrum's WETH emits a Transfer for each mint and
// burn and needs no entry.
func rulesOf(p ledger.Params) rules {
	r := rules{chain: p.Chain, id: new(big.Int).SetUint64(p.ChainID)}
	switch p.Chain {
	case "ethereum":
		r.exact, r.reward, r.irregular = true, rewardEthereum, 1_920_000
		r.wrapped = []common.Address{common.HexToAddress("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")}
		r.tetherOwner = common.HexToAddress("0xc6cde7c39eb2f0f0095f41570af89efc2c1ea828") // Tether's multisig
	case "bnb":
		r.exact = true
		r.wrapped = []common.Address{common.HexToAddress("0xbb4cdb9cbd36b01bd1cbaebf2de08d9173bc095c")}
	case "polygon":
		r.exact, r.foreign, r.stateSync = true, true, true
		r.wrapped = []common.Address{common.HexToAddress("0x0d500b1d8e8ef31e21c99d1db9a6444d3adf1270")}
	case "base":
		r.exact, r.deposits, r.reward = true, true, rewardVaults
		r.wrapped = []common.Address{common.HexToAddress("0x4200000000000000000000000000000000000006")}
	case "arbitrum":
		r.foreign = true
	default:
		r.foreign, r.reward = true, rewardTips
	}
	if usdt, ok := ledger.AssetBySymbol(p.Chain, "USDT"); ok {
		r.tether = append(r.tether, accountOf(usdt.Contract))
	}
	if usdc, ok := ledger.AssetBySymbol(p.Chain, "USDC"); ok {
		r.circle = append(r.circle, accountOf(usdc.Contract))
	}
	return r
}

// with adds contracts of the caller's network.
func (r rules) with(c Contracts) rules {
	r.wrapped = append(r.wrapped, accountsOf(c.Wrapped)...)
	r.tether = append(r.tether, accountsOf(c.Tether)...)
	r.circle = append(r.circle, accountsOf(c.Circle)...)
	return r
}

func accountOf(a ledger.Address) common.Address { return common.BytesToAddress([]byte(a.Payload)) }

func accountsOf(all []ledger.Address) []common.Address {
	var b []common.Address
	for _, a := range all {
		b = append(b, accountOf(a))
	}
	return b
}

func (r rules) address(a common.Address) ledger.Address { return ledger.AccountAddress(r.chain, a) }

func (r rules) native() ledger.Asset { return ledger.NativeAsset(r.chain) }

func (r rules) token(contract common.Address) ledger.Asset {
	return ledger.TokenAsset(r.address(contract))
}

// knows reports a transaction type whose canonical bytes go-ethereum makes.
func knows(txType uint64) bool { return txType <= 4 }

// static is Ethereum's reward for a block before the merge (EIP-649, EIP-1234), in wei.
func static(height uint64) *big.Int {
	const byzantium, constantinople = 4_370_000, 7_280_000
	ether := big.NewInt(params.Ether)
	switch {
	case height < byzantium:
		return ether.Mul(ether, big.NewInt(5))
	case height < constantinople:
		return ether.Mul(ether, big.NewInt(3))
	}
	return ether.Mul(ether, big.NewInt(2))
}
