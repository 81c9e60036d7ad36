package evm

import (
	"encoding/json"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/spoortrace/spoor/ledger"
)

// transaction is what a block says of one of its transactions.
type transaction struct {
	std      *types.Transaction // nil for a type that go-ethereum does not know
	kind     uint64
	raw      []byte // canonical bytes; nil when nobody told
	hash     common.Hash
	from     common.Address
	to       *common.Address // nil: it makes a contract
	value    *big.Int
	mint     *big.Int // OP stack: made out of nothing for from, whatever becomes of the transaction
	gas      uint64
	gasPrice *big.Int // as stated; of a foreign type
	nonce    uint64
	silent   bool // it has no input
	unrooted bool // nodes list it, no root has it
	grade    ledger.Grade
}

// txAnswer is what is read of a transaction beside its canonical fields.
type txAnswer struct {
	Type       hexutil.Uint64  `json:"type"`
	Hash       *common.Hash    `json:"hash"`
	From       *common.Address `json:"from"`
	To         *common.Address `json:"to"`
	Value      *hexutil.Big    `json:"value"`
	Gas        hexutil.Uint64  `json:"gas"`
	GasPrice   *hexutil.Big    `json:"gasPrice"`
	Nonce      hexutil.Uint64  `json:"nonce"`
	Input      hexutil.Bytes   `json:"input"`
	R          *hexutil.Big    `json:"r"`
	SourceHash *common.Hash    `json:"sourceHash"`
	Mint       *hexutil.Big    `json:"mint"`
	IsSystem   bool            `json:"isSystemTx"`
}

// decodeTx reads a transaction. raw are its canonical bytes where they had to
// be asked for: known types make them from their fields.
func (r rules) decodeTx(subject string, i int, answer json.RawMessage, raw []byte) (*transaction, error) {
	var a txAnswer
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, refuse(ledger.FaultMalformed, subject, "transaction %d: %v", i, err)
	}
	if a.Hash == nil || a.From == nil {
		return nil, refuse(ledger.FaultMalformed, subject, "transaction %d: want hash and from", i)
	}
	tx := &transaction{
		kind: uint64(a.Type), hash: *a.Hash, from: *a.From, to: a.To, value: wei(a.Value), gas: uint64(a.Gas),
		gasPrice: wei(a.GasPrice), nonce: uint64(a.Nonce), silent: len(a.Input) == 0, raw: raw,
	}
	switch {
	case knows(tx.kind) && r.stateSync && *a.From == (common.Address{}) && wei(a.R).Sign() == 0:
		tx.unrooted, tx.grade = true, ledger.GradeAttested
		return tx, nil
	case knows(tx.kind):
		return tx, tx.standard(subject, i, answer)
	case r.deposits && tx.kind == depositType:
		return tx, tx.deposit(subject, i, &a)
	case !r.foreign:
		return nil, refuse(ledger.FaultMalformed, subject, "transaction %d: type 0x%x is not of this chain", i, tx.kind)
	}
	tx.grade = ledger.GradeAttested
	if raw != nil && crypto.Keccak256Hash(raw) != tx.hash {
		return nil, refuse(ledger.FaultContents, subject, "transaction %d: its bytes hash to %s, it states %s", i, crypto.Keccak256Hash(raw), tx.hash)
	}
	return tx, nil
}

func (tx *transaction) standard(subject string, i int, answer json.RawMessage) error {
	tx.std = new(types.Transaction)
	if err := tx.std.UnmarshalJSON(answer); err != nil {
		return refuse(ledger.FaultMalformed, subject, "transaction %d: %v", i, err)
	}
	var err error
	if tx.raw, err = tx.std.MarshalBinary(); err != nil {
		return refuse(ledger.FaultMalformed, subject, "transaction %d: %v", i, err)
	}
	tx.to, tx.value, tx.gas, tx.nonce, tx.silent = tx.std.To(), tx.std.Value(), tx.std.Gas(), tx.std.Nonce(), len(tx.std.Data()) == 0
	return nil
}

// depositType is the OP stack's: value from the chain below, signed by nobody.
const depositType = 0x7e

// deposit makes the canonical bytes of a deposit (OP stack specification, "Deposits").
func (tx *transaction) deposit(subject string, i int, a *txAnswer) error {
	if a.SourceHash == nil {
		return refuse(ledger.FaultMalformed, subject, "transaction %d: want a source hash", i)
	}
	tx.mint = wei(a.Mint)
	fields, err := rlp.EncodeToBytes(struct {
		Source      common.Hash
		From        common.Address
		To          *common.Address `rlp:"nil"`
		Mint, Value *big.Int
		Gas         uint64
		IsSystem    bool
		Data        []byte
	}{*a.SourceHash, tx.from, tx.to, tx.mint, tx.value, tx.gas, a.IsSystem, a.Input})
	if err != nil {
		return refuse(ledger.FaultMalformed, subject, "transaction %d: %v", i, err)
	}
	tx.raw = append([]byte{depositType}, fields...)
	return nil
}

// sender recovers the signer and holds it and the hash against what was stated.
// The root has vouched for the bytes before.
func (r rules) sender(subject string, i int, tx *transaction) error {
	if tx.raw != nil {
		if sum := crypto.Keccak256Hash(tx.raw); sum != tx.hash {
			return refuse(ledger.FaultContents, subject, "transaction %d: hash %s, want %s", i, tx.hash, sum)
		}
	}
	if tx.std == nil {
		return nil
	}
	from, err := types.Sender(types.LatestSignerForChainID(r.id), tx.std)
	if err != nil && !tx.std.Protected() {
		from, err = types.Sender(types.FrontierSigner{}, tx.std) // before Homestead, signatures of either half were good
	}
	if err != nil {
		return refuse(ledger.FaultContents, subject, "transaction %d: signature: %v", i, err)
	}
	if from != tx.from {
		return refuse(ledger.FaultContents, subject, "transaction %d: from %s, signed by %s", i, tx.from, from)
	}
	return nil
}

// target is who is paid: the contract that it makes, when it makes one.
func (tx *transaction) target() common.Address {
	if tx.to != nil {
		return *tx.to
	}
	return crypto.CreateAddress(tx.from, tx.nonce)
}

// price is what each gas cost. Deposits and state syncs cost nothing.
func (tx *transaction) price(baseFee *big.Int) (*big.Int, bool) {
	switch {
	case tx.std == nil && (tx.kind == depositType || tx.unrooted):
		return new(big.Int), true
	case tx.std == nil:
		return tx.gasPrice, true
	case baseFee == nil:
		return tx.std.GasPrice(), true
	}
	tip := tx.std.EffectiveGasTipValue(baseFee)
	return new(big.Int).Add(tip, baseFee), tip.Sign() >= 0
}
