package ledger

import (
	"encoding/hex"
	"strings"
)

// TxID is a transaction's hash in the order in which people print it.
type TxID [32]byte

// ParseTxID reads 64 hex digits, with or without 0x.
func ParseTxID(s string) (TxID, error) {
	var id TxID
	digits := strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
	if len(digits) != 64 {
		return id, Invalid("transaction hash", "64 hex digits", s)
	}
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return id, Invalid("transaction hash", "64 hex digits", s)
	}
	return id, nil
}

// String prints 64 hex digits.
func (id TxID) String() string { return hex.EncodeToString(id[:]) }

// Hash is a block hash in the order in which people print it.
type Hash [32]byte

// String prints 64 hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// OutPoint names an output of a UTXO transaction.
type OutPoint struct {
	Tx    TxID
	Index uint32
}

// Status says whether a transaction or transfer took effect.
type Status uint8

// The states. StatusUnknown: the source has no receipts; it is followed and graded inferred.
const (
	StatusOK Status = iota
	StatusFailed
	StatusUnknown
)

// Grade says how far a fact can be proven offline.
type Grade uint8

// The grades, best first.
const (
	GradeProven   Grade = iota // by the chain's own proof of work or header root
	GradeAttested              // by the source that was asked
	GradeInferred              // by a rule over attested facts
)

// String prints proven, attested or inferred.
func (g Grade) String() string {
	return [...]string{"proven", "attested", "inferred"}[g]
}

// TransferKind says what moved an account's asset.
type TransferKind uint8

// The kinds of transfer on account chains.
const (
	TransferToken    TransferKind = iota // a token event
	TransferNative                       // the transaction's own value
	TransferInternal                     // value sent by a contract
	TransferFee                          // gas, energy, bandwidth: leaves the payer, To is zero
	TransferSeized                       // the issuer destroyed what a blocked account held: To is zero
)

// Input spends a previous output. Address and Value are known only where the
// previous output is: from undo data or from the index.
type Input struct {
	Prev    OutPoint
	PrevPos Position // position of the transaction that made it; 0 when not in the index
	Address Address
	Value   Amount
	Known   bool
}

// Output is a coin: who holds it and how much it is worth.
type Output struct {
	Address Address
	Value   Amount
	// SpentBy is the position of the transaction that spends it, as of the
	// snapshot that was asked; 0 when none is held. (Position 0 spends nothing.)
	SpentBy Position
}

// Transfer moves one asset from one account to another. A mint has no From, a
// fee or burn may have no To.
type Transfer struct {
	// Index is the INDEX of a REF: EVM the block-wide log index, TRON the index
	// in its transaction, exports the row order within the transaction.
	Index  uint32
	Slot   uint32 // place in the transaction's total order
	Kind   TransferKind
	From   Address
	To     Address
	Asset  Asset
	Amount Amount
	Status Status
	Grade  Grade
}

// Tx is a transaction of either model: inputs and outputs, or transfers.
type Tx struct {
	ID        TxID
	Chain     Chain
	Pos       Position
	Time      int64 // Unix milliseconds, of the block
	Coinbase  bool
	Status    Status
	Grade     Grade
	Inputs    []Input
	Outputs   []Output
	Transfers []Transfer
	Notices   []Notice
}

// Plain reports a transaction of accounts that moved value once, fees apart, and
// did nothing that was noted: it exchanged, wrapped and bridged nothing.
func (tx *Tx) Plain() bool {
	moved := 0
	for i := range tx.Transfers {
		if tx.Transfers[i].Kind != TransferFee {
			moved++
		}
	}
	return moved <= 1 && len(tx.Notices)+len(tx.Inputs)+len(tx.Outputs) == 0
}

// BlockRef names a block. In an export Height is Unix milliseconds and Hash is
// the digest of the set of files.
type BlockRef struct {
	Chain  Chain
	Height uint64
	Hash   Hash
	Time   int64 // Unix milliseconds
}

// What a block's source could not give.
const (
	PartialReceipts = "receipts"           // whether transactions succeeded, and their logs
	PartialInternal = "internal transfers" // native value sent by contracts
	PartialRows     = "transactions"       // whether there are more than those held
)

// Lacks reports whether a block of which that is missing may lack transfers of
// an asset: without internal transfers a token's are still whole.
func Lacks(partial string, a Asset) bool {
	if partial == PartialInternal {
		return a.Contract.IsZero()
	}
	return partial != ""
}

// Block is what a chain adapter hands to the index, verified against its own
// header. Transactions are in chain order; Pos of each is set.
type Block struct {
	Ref     BlockRef
	Parent  Hash
	Header  []byte // as hashed; empty in an export
	Raw     []byte // the whole block as its chain serialises it; empty where there is none
	Source  string // where it came from: a file name, a node's software and address
	Grade   Grade  // proven when linked to genesis by its own proof, else attested
	Partial string // what the source could not give ("receipts", "internal transfers"), joined by " and "; empty when whole
	Txs     []Tx
}
