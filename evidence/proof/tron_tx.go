package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// The types of contract that are read, by java-tron's numbers.
const (
	tronTransfer = 1
	tronTrigger  = 31
)

// The calls that are read: first four bytes of the Keccak-256 of their signatures.
const (
	selectTransfer     = "a9059cbb"
	selectTransferFrom = "23b872dd"
)

// word is the width of an ABI argument in bytes.
const word = 32

// readTronTx reads a transaction's id, outcome and transfers. Contents that it cannot read are no error: the transaction is in the block all
// the same.
func readTronTx(chain ledger.Chain, b []byte) (TronFacts, error) {
	tx := read("transaction", b)
	raw, outcome := tx.bytes(1), read("outcome", tx.bytes(5))
	if tx.err != nil {
		return TronFacts{}, tx.err
	}
	f := TronFacts{ID: sha256.Sum256(raw)}
	failed, result := outcome.integer(2), outcome.integer(3)
	body := read("signed data", raw)
	contract := read("contract", body.bytes(11))
	kind, parameter := contract.integer(1), read("parameter", contract.bytes(2))
	url, value := string(parameter.bytes(1)), parameter.bytes(2)
	switch why := unreadable(outcome, body, contract, parameter); {
	case why != "":
		f.Status, f.Grade = ledger.StatusUnknown, attested("the transaction is in the block, but not of the one form that is read here: "+why)
	case failed != 0 || result > 1 || result < 0:
		f.Status, f.Grade = ledger.StatusFailed, proven("the transaction's bytes, which state its failure, are under the block's txTrieRoot: it moved nothing but its fee")
	default:
		f.Transfers, f.Grade = readTransfers(chain, kind, url, value)
		if result == 0 {
			f.doubt()
		}
	}
	return f, nil
}

// unreadable says what was refused first.
func unreadable(all ...*reader) string {
	for _, r := range all {
		if r.err != nil {
			return r.err.Error()
		}
	}
	return ""
}

// doubt takes back what rests on success, where a transaction does not state it.
func (f *TronFacts) doubt() {
	f.Status = ledger.StatusUnknown
	for i := range f.Transfers {
		f.Transfers[i].Grade, f.Transfers[i].Status = ledger.GradeAttested, ledger.StatusUnknown
	}
	if f.Grade.Grade == ledger.GradeProven {
		f.Grade = attested("the signed bytes are under the block's txTrieRoot, but do not state whether they succeeded")
	}
}

func readTransfers(chain ledger.Chain, kind int64, url string, value []byte) ([]ledger.Transfer, Grade) {
	switch {
	case kind == tronTransfer && strings.HasSuffix(url, "/protocol.TransferContract"):
		return readTronPayment(chain, value)
	case kind == tronTrigger && strings.HasSuffix(url, "/protocol.TriggerSmartContract"):
		return readTronCall(chain, value)
	}
	return nil, attested(fmt.Sprintf("the transaction is in the block; what a contract of type %d moves is not read from its bytes", kind))
}

// readTronPayment reads a TransferContract: TRX from its signer.
func readTronPayment(chain ledger.Chain, value []byte) ([]ledger.Transfer, Grade) {
	r := read("TransferContract", value)
	from, ok1 := tronAddress(chain, r.bytes(1))
	to, ok2 := tronAddress(chain, r.bytes(2))
	amount := r.integer(3)
	if r.err != nil || !ok1 || !ok2 || amount <= 0 {
		return nil, attested("the transaction is in the block, but is no payment of the one form that is read here")
	}
	return []ledger.Transfer{native(chain, from, to, ledger.NewAmount(uint64(amount)))}, proven("the signed payment and its success are under the block's txTrieRoot")
}

func native(chain ledger.Chain, from, to ledger.Address, amount ledger.Amount) ledger.Transfer {
	return ledger.Transfer{Kind: ledger.TransferNative, From: from, To: to, Asset: ledger.NativeAsset(chain), Amount: amount}
}

// readTronCall reads a TriggerSmartContract: the TRX that it carries, and a call of transfer or transferFrom.
func readTronCall(chain ledger.Chain, value []byte) ([]ledger.Transfer, Grade) {
	r := read("TriggerSmartContract", value)
	caller, ok1 := tronAddress(chain, r.bytes(1))
	contract, ok2 := tronAddress(chain, r.bytes(2))
	carried, data, tokens := r.integer(3), r.bytes(4), r.integer(5)
	if r.err != nil || !ok1 || !ok2 || carried < 0 || tokens != 0 {
		return nil, attested("the transaction is in the block, but is no call of the one form that is read here")
	}
	var all []ledger.Transfer
	if carried > 0 {
		all = append(all, native(chain, caller, contract, ledger.NewAmount(uint64(carried))))
	}
	token, ok := readTokenCall(chain, caller, contract, data)
	if !ok {
		return all, attested("the call and its success are under the block's txTrieRoot; what the contract did in it is a node's word")
	}
	if !ledger.InfoOf(token.Asset).Known {
		token.Grade = ledger.GradeAttested
		return append(all, token), attested("the call of transfer and its success are under the block's txTrieRoot; that this contract's code moves what it is asked to is not shown")
	}
	return append(all, token), proven("the signed call of transfer and its success are under the block's txTrieRoot")
}

// readTokenCall reads plain calls of transfer(to, amount) and transferFrom(from, to, amount): no byte more.
func readTokenCall(chain ledger.Chain, caller, contract ledger.Address, data []byte) (ledger.Transfer, bool) {
	t := ledger.Transfer{Kind: ledger.TransferToken, From: caller, Asset: ledger.TokenAsset(contract)}
	if len(data) < 4 {
		return t, false
	}
	selector, args := hex.EncodeToString(data[:4]), data[4:]
	ok := true
	switch {
	case selector == selectTransferFrom && len(args) == 3*word:
		t.From, ok = wordAddress(chain, args)
		args = args[word:]
	case selector != selectTransfer || len(args) != 2*word:
		return t, false
	}
	to, ok2 := wordAddress(chain, args)
	amount, err := ledger.AmountFromBytes(args[word : 2*word])
	t.To, t.Amount = to, amount
	return t, ok && ok2 && err == nil
}

// tronAddress reads 21 bytes that begin with 41.
func tronAddress(chain ledger.Chain, b []byte) (ledger.Address, bool) {
	if len(b) != 21 || b[0] != 0x41 {
		return ledger.Address{}, false
	}
	return ledger.AccountAddress(chain, [20]byte(b[1:])), true
}

// wordAddress reads an address of the ABI. TRON's wallets often leave the 41 before its 20 bytes, which contracts ignore.
func wordAddress(chain ledger.Chain, w []byte) (ledger.Address, bool) {
	for i, b := range w[:12] {
		if b != 0 && (i != 11 || b != 0x41) {
			return ledger.Address{}, false
		}
	}
	return ledger.AccountAddress(chain, [20]byte(w[12:word])), true
}
