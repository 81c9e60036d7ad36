package tron

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
)

// maxHeight is what a ledger.Position can hold.
const maxHeight = 1<<43 - 1

// header is a block's header, its id computed from its bytes.
type header struct {
	raw       []byte
	signature []byte
	id        ledger.Hash
	parent    ledger.Hash
	root      [32]byte
	number    uint64
	time      int64
}

func (h *header) ref(c ledger.Chain) ledger.BlockRef {
	return ledger.BlockRef{Chain: c, Height: h.number, Hash: h.id, Time: h.time}
}

// readHeader reads a header and checks it by itself: form, id and signature. An
// empty answer is java-tron's way to say that it has no such block.
func readHeader(subject string, b *protocol.BlockExtention) (*header, error) {
	raw := b.GetBlockHeader().GetRawData()
	if len(raw) == 0 {
		if len(b.GetTransactions()) > 0 || len(b.GetBlockid()) > 0 {
			return nil, refuse(ledger.FaultHeader, subject, "a block without a header")
		}
		return nil, refuse(ledger.FaultLagging, subject, "the node has no such block")
	}
	var m protocol.HeaderRaw
	if err := proto.Unmarshal(raw, &m); err != nil {
		return nil, refuse(ledger.FaultMalformed, subject, "the header is no protobuf")
	}
	if m.GetNumber() < 0 || m.GetNumber() > maxHeight || len(m.GetParentHash()) != 32 || m.GetTimestamp() < 0 {
		return nil, refuse(ledger.FaultHeader, subject, "number %d, time %d, parent of %d bytes", m.GetNumber(), m.GetTimestamp(), len(m.GetParentHash()))
	}
	h := &header{raw: raw, signature: b.GetBlockHeader().GetWitnessSignature(), number: uint64(m.GetNumber()), time: m.GetTimestamp()}
	copy(h.parent[:], m.GetParentHash())
	h.id = sha256.Sum256(raw)
	binary.BigEndian.PutUint64(h.id[:8], h.number)
	if len(m.GetTxTrieRoot()) != 32 && (h.number > 0 || len(m.GetTxTrieRoot()) != 0) {
		return nil, refuse(ledger.FaultHeader, subject, "txTrieRoot of %d bytes", len(m.GetTxTrieRoot()))
	}
	copy(h.root[:], m.GetTxTrieRoot())
	if id := b.GetBlockid(); len(id) > 0 && string(id) != string(h.id[:]) {
		return nil, refuse(ledger.FaultWrongBlock, subject, "the answer says id %x, its header %s", id, h.id)
	}
	if h.number == 0 {
		return h, nil
	}
	if got := binary.BigEndian.Uint64(h.parent[:8]); got != h.number-1 {
		return nil, refuse(ledger.FaultWrongParent, subject, "block %d names a parent at %d", h.number, got)
	}
	if _, ok := signer(raw, h.signature); !ok || len(m.GetWitnessAddress()) != 21 {
		return nil, refuse(ledger.FaultHeader, subject, "no producer's signature")
	}
	return h, nil
}

// signer recovers the public key that signed a header, without its first byte.
func signer(raw, signature []byte) ([]byte, bool) {
	if len(signature) != 65 {
		return nil, false
	}
	v := signature[64]
	if v >= 27 {
		v -= 27
	}
	if v > 3 {
		return nil, false
	}
	digest := sha256.Sum256(raw)
	key, _, err := ecdsa.RecoverCompact(append([]byte{27 + v}, signature[:64]...), digest[:])
	if err != nil {
		return nil, false
	}
	return key.SerializeUncompressed()[1:], true
}

// tx is a transaction with what its bytes say.
type tx struct {
	id       ledger.TxID
	raw      *protocol.TransactionRaw
	said     int32 // outcome in the block: 0 not said, 1 success, others are failures
	contract *protocol.Contract
}

// failed reports an outcome other than success.
func (t *tx) failed() bool { return t.said > 1 }

// calls reports a transaction that runs a contract's code.
func (t *tx) calls() bool {
	return t.contract.GetType() == typeCreateSmart || t.contract.GetType() == typeTriggerSmart
}

// readTxs reads a block's transactions and proves them by the header's root.
func readTxs(subject string, h *header, b *protocol.BlockExtention) ([]*tx, error) {
	list := b.GetTransactions()
	if len(list) >= 1<<ledger.IndexBits {
		return nil, refuse(ledger.FaultContents, subject, "%d transactions", len(list))
	}
	leaves := make([][32]byte, len(list))
	for i, t := range list {
		leaves[i] = sha256.Sum256(t.GetTransaction())
	}
	if root := merkleRoot(leaves); root != h.root {
		if len(list) == 0 {
			return nil, refuse(ledger.FaultMissing, subject, "no transactions, txTrieRoot is %x", h.root)
		}
		return nil, refuse(ledger.FaultRoot, subject, "%d transactions hash to %x, txTrieRoot is %x", len(list), root, h.root)
	}
	txs := make([]*tx, len(list))
	for i, t := range list {
		read, err := readTx(t.GetTransaction())
		if err != nil {
			return nil, refuse(ledger.FaultMalformed, subject, "transaction %d: %v", i, err)
		}
		if id := t.GetTxid(); len(id) > 0 && string(id) != string(read.id[:]) {
			return nil, refuse(ledger.FaultMismatched, subject, "transaction %d is %s, the answer says %x", i, read.id, id)
		}
		txs[i] = read
	}
	return txs, nil
}

func readTx(b []byte) (*tx, error) {
	var m protocol.Transaction
	if err := proto.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	t := &tx{id: sha256.Sum256(m.GetRawData()), raw: &protocol.TransactionRaw{}}
	if err := proto.Unmarshal(m.GetRawData(), t.raw); err != nil {
		return nil, err
	}
	if len(m.GetRet()) > 0 {
		t.said = m.GetRet()[0].GetContractRet()
		if t.said == 0 && m.GetRet()[0].GetRet() != 0 {
			t.said = -1 // failed, without a reason
		}
	}
	if t.said < 0 {
		t.said = 2
	}
	if len(t.raw.GetContract()) > 0 {
		t.contract = t.raw.GetContract()[0]
	}
	return t, nil
}

// merkleRoot is java-tron's: pairs are hashed together, the last of an odd number
// goes up as it is. No leaves: zeros.
func merkleRoot(level [][32]byte) [32]byte {
	if len(level) == 0 {
		return [32]byte{}
	}
	for len(level) > 1 {
		next := make([][32]byte, 0, (len(level)+1)/2)
		for i := 0; i < len(level); i += 2 {
			if i+1 == len(level) {
				next = append(next, level[i])
				continue
			}
			next = append(next, sha256.Sum256(append(level[i][:], level[i+1][:]...)))
		}
		level = next
	}
	return level[0]
}

// checkInfos holds transaction infos against the block.
func checkInfos(subject string, h *header, txs []*tx, infos []*protocol.TransactionInfo) error {
	if len(infos) < len(txs) {
		return refuse(ledger.FaultMissing, subject, "%d infos, want %d", len(infos), len(txs))
	}
	if len(infos) > len(txs) {
		return refuse(ledger.FaultMismatched, subject, "%d infos, want %d", len(infos), len(txs))
	}
	for i, info := range infos {
		if uint64(info.GetBlockNumber()) != h.number || info.GetBlockTimeStamp() != h.time {
			return refuse(ledger.FaultWrongBlock, subject, "info %d is of block %d at %d", i, info.GetBlockNumber(), info.GetBlockTimeStamp())
		}
		if string(info.GetId()) != string(txs[i].id[:]) {
			return refuse(ledger.FaultMismatched, subject, "info %d is of %x, want %s", i, info.GetId(), txs[i].id)
		}
		if err := checkOutcome(subject, i, txs[i], info); err != nil {
			return err
		}
	}
	return nil
}

func checkOutcome(subject string, i int, t *tx, info *protocol.TransactionInfo) error {
	r := info.GetReceipt()
	if info.GetFee() < 0 || r.GetEnergyFee() < 0 || r.GetNetFee() < 0 || r.GetEnergyFee() > info.GetFee()-r.GetNetFee() {
		return refuse(ledger.FaultContents, subject, "transaction %d: energy %d and bandwidth %d of a fee of %d", i, r.GetEnergyFee(), r.GetNetFee(), info.GetFee())
	}
	if t.said != 0 && t.failed() != (info.GetResult() != 0) {
		return refuse(ledger.FaultContents, subject, "transaction %d: outcome %d in the block, info says %d", i, t.said, info.GetResult())
	}
	if t.calls() && t.said != 0 && r.GetResult() != t.said {
		return refuse(ledger.FaultContents, subject, "transaction %d: outcome %d in the block, receipt says %d", i, t.said, r.GetResult())
	}
	return nil
}

// rawBlock is the block as java-tron serialises it: its transactions and header.
func rawBlock(b *protocol.BlockExtention) []byte {
	var out []byte
	for _, t := range b.GetTransactions() {
		out = protowire.AppendBytes(protowire.AppendTag(out, 1, protowire.BytesType), t.GetTransaction())
	}
	head := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), b.GetBlockHeader().GetRawData())
	if sig := b.GetBlockHeader().GetWitnessSignature(); len(sig) > 0 {
		head = protowire.AppendBytes(protowire.AppendTag(head, 2, protowire.BytesType), sig)
	}
	return protowire.AppendBytes(protowire.AppendTag(out, 2, protowire.BytesType), head)
}
