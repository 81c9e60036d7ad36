package proof

import (
	"encoding/hex"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// topicTransfer is the Keccak-256 of Transfer(address,address,uint256).
const topicTransfer = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

// EthereumLog is a log as its receipt has it; its place is its index in Logs.
type EthereumLog struct {
	Contract [20]byte
	Topics   [][32]byte
	Data     []byte
}

// EthereumFacts is what an Ethereum proof shows.
type EthereumFacts struct {
	ID     ledger.TxID
	Block  ledger.Hash // to be compared with what a node or checkpoint says
	Height uint64
	Time   int64  // Unix milliseconds, as the header states
	Index  uint32 // in the block
	Type   byte
	From   ledger.Address // recovered from the signature
	To     ledger.Address // of a creation: the contract that was made
	Value  ledger.Amount
	Status ledger.Status // unknown where the receipt does not state it and the gas does not tell
	Logs   []EthereumLog
	Grade  Grade // of the transaction's own value and its logs; internal transfers are in no root

	chain ledger.Chain
}

// VerifyEthereum checks a proof down to the block's hash.
func VerifyEthereum(chain ledger.Chain, p Ethereum) (EthereumFacts, error) {
	params, ok := chain.Params()
	if !ok || params.Family != ledger.FamilyEVM {
		return EthereumFacts{}, ledger.Invalid("network", "a network of the EVM family", string(chain))
	}
	raw, err := unhex("header", p.Header)
	if err != nil {
		return EthereumFacts{}, err
	}
	h, err := readEthereumHeader(raw)
	if err != nil {
		return EthereumFacts{}, err
	}
	if err := same("block", p.Block, h.hash); err != nil {
		return EthereumFacts{}, err
	}
	bytes, err := verifyNodes("transaction", h.txRoot, uint64(p.Index), p.Transaction)
	if err != nil {
		return EthereumFacts{}, err
	}
	if err := same("id", p.ID, keccak(bytes)); err != nil {
		return EthereumFacts{}, err
	}
	t, err := readEthereumTx(bytes)
	if err != nil {
		return EthereumFacts{}, err
	}
	if t.chainID != 0 && t.chainID != params.ChainID {
		return EthereumFacts{}, ledger.Invalid("transaction", fmt.Sprintf("chain id %d", params.ChainID), fmt.Sprint(t.chainID))
	}
	f := EthereumFacts{
		ID: ledger.TxID(keccak(bytes)), Block: h.hash, Height: h.height, Time: h.time, Index: p.Index, Type: t.kind,
		From: ledger.AccountAddress(chain, t.from), To: ledger.AccountAddress(chain, t.to), Value: t.value, chain: chain,
	}
	if err := f.receipt(h.receiptRoot, t, p); err != nil {
		return EthereumFacts{}, err
	}
	return f, nil
}

// receipt reads outcome and logs.
func (f *EthereumFacts) receipt(root [32]byte, t ethereumTx, p Ethereum) error {
	bytes, err := verifyNodes("receipt", root, uint64(p.Index), p.Receipt)
	if err != nil {
		return err
	}
	r, err := readReceipt(bytes)
	if err != nil {
		return err
	}
	if r.kind != t.kind || r.failed && len(r.logs) > 0 {
		return ledger.Invalid("receipt", fmt.Sprintf("a receipt of type %d, without logs if it failed", t.kind), fmt.Sprintf("type %d, %d logs", r.kind, len(r.logs)))
	}
	before, err := gasBefore(root, r, p)
	if err != nil {
		return err
	}
	if r.gas < before {
		return ledger.Invalid("receipt", fmt.Sprintf("gas of at least %d", before), fmt.Sprint(r.gas))
	}
	f.Logs = r.logs
	switch {
	case r.failed:
		f.Status = ledger.StatusFailed
	case r.silent && len(r.logs) == 0 && r.gas-before >= t.gas:
		f.Status = ledger.StatusUnknown
	}
	f.Grade = f.grade()
	return nil
}

func (f *EthereumFacts) grade() Grade {
	switch f.Status {
	case ledger.StatusFailed:
		return proven("the transaction and its receipt, which states its failure, are under the block's roots: it moved nothing but its fee")
	case ledger.StatusUnknown:
		return attested("the transaction and its receipt are under the block's roots, but a receipt of before Byzantium that used all gas does not tell success from failure")
	}
	return proven("the transaction and its receipt are under the block's transactionsRoot and receiptsRoot")
}

// gasBefore is what the transactions before have used. It is needed, and wanted in a proof, only where a receipt does not state its outcome.
func gasBefore(root [32]byte, r receipt, p Ethereum) (uint64, error) {
	if !r.silent || p.Index == 0 {
		if p.Before != nil {
			return 0, ledger.Invalid("receipt before", "none, where it is not needed", fmt.Sprintf("%d nodes", len(p.Before)))
		}
		return 0, nil
	}
	bytes, err := verifyNodes("receipt before", root, uint64(p.Index)-1, p.Before)
	if err != nil {
		return 0, err
	}
	before, err := readReceipt(bytes)
	return before.gas, err
}

func verifyNodes(field string, root [32]byte, index uint64, nodes []string) ([]byte, error) {
	list, err := unhexAll(field+", node", nodes)
	if err != nil {
		return nil, err
	}
	return verifyTrie(field, root, index, list)
}

// Transfer reads a log as a transfer of an ERC-20 token: three topics, addresses with twelve zero bytes before them, one word of data.
// Index is the log's place in its receipt.
func (f EthereumFacts) Transfer(place int) (ledger.Transfer, bool) {
	l := f.Logs[place]
	if len(l.Topics) != 3 || hex.EncodeToString(l.Topics[0][:]) != topicTransfer || len(l.Data) != word {
		return ledger.Transfer{}, false
	}
	from, ok1 := f.party(l.Topics[1])
	to, ok2 := f.party(l.Topics[2])
	amount, err := ledger.AmountFromBytes(l.Data)
	token := ledger.TokenAsset(ledger.AccountAddress(f.chain, l.Contract))
	return ledger.Transfer{Index: uint32(place), Kind: ledger.TransferToken, From: from, To: to, Asset: token, Amount: amount}, ok1 && ok2 && err == nil
}

// party reads an address of a topic; the zero address is nobody.
func (f EthereumFacts) party(topic [32]byte) (ledger.Address, bool) {
	if [12]byte(topic[:]) != [12]byte{} {
		return ledger.Address{}, false
	}
	if a := [20]byte(topic[12:]); a != ([20]byte{}) {
		return ledger.AccountAddress(f.chain, a), true
	}
	return ledger.Address{}, true
}

// GradeOf says how far the proof goes for one transfer of its transaction. A transfer that is printed with a better grade was changed.
func (f EthereumFacts) GradeOf(t ledger.Transfer) Grade {
	same := func(own ledger.Transfer) bool {
		return own.Kind == t.Kind && own.From == t.From && own.To == t.To && own.Asset == t.Asset && own.Amount.Cmp(t.Amount) == 0
	}
	own := ledger.Transfer{Kind: ledger.TransferNative, From: f.From, To: f.To, Asset: ledger.NativeAsset(f.chain), Amount: f.Value}
	if same(own) {
		return f.ofValue()
	}
	for i := range f.Logs {
		if own, ok := f.Transfer(i); ok && same(own) {
			return proven(fmt.Sprintf("log %d of the transaction's receipt says so, and the receipt is under the block's receiptsRoot", i))
		}
	}
	return attested("no root of a header commits to what contracts send and to what a token does without a Transfer: it is a node's word")
}

func (f EthereumFacts) ofValue() Grade {
	switch f.Status {
	case ledger.StatusOK:
		return proven("the transaction's own value is in its signed bytes, under the block's transactionsRoot, and its receipt shows success")
	case ledger.StatusFailed:
		return attested("the transaction's receipt shows that it failed: its value did not move")
	}
	return f.Grade
}
