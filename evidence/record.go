package evidence

import (
	"time"
)

// Record is everything that the traces read of the networks: with it they can
// be run again, and every policy recomputed, without an index.
type Record struct {
	Blocks       []Block       `json:"blocks"`       // of the transactions, by network and height
	Histories    []History     `json:"histories"`    // one per account and asset that traced units came to
	Transactions []Transaction `json:"transactions"` // by network and place
	Balances     []Balance     `json:"balances"`     // at the cut-off
	Services     []Payees      `json:"services"`     // what was asked about distinct payees
	Covered      []Held        `json:"covered"`      // what was asked about completeness
	Labels       []Tagged      `json:"labels"`       // of every address that was asked for
	Notices      []Noted       `json:"notices"`      // what is known besides transfers
	Clocks       []Clock       `json:"clocks,omitempty"`
	Crossings    []Passage     `json:"crossings,omitempty"` // transfers that go on in another asset or network, under whatever policy
}

// History is all in- and outflows of one asset in one account, traced or not,
// from a place on.
type History struct {
	Network  string `json:"network"`
	Address  string `json:"address"`
	Asset    string `json:"asset"`
	From     Place  `json:"from"`    // of the first event that is listed
	Opening  string `json:"opening"` // balance just before it
	Deficit  string `json:"deficit"` // part of the opening that was assumed: the least that keeps every known balance from going below zero
	To       Place  `json:"to"`      // of the last event that can be listed, inclusive; means nothing where Complete
	Events   []Flow `json:"events"`
	Complete bool   `json:"complete"` // the events reach to the cut-off; else up to To
}

// Flow is one in- or outflow.
type Flow struct {
	Place  Place  `json:"place"`
	Kind   string `json:"kind"` // token, native, internal, fee or seized
	From   string `json:"from"`
	To     string `json:"to"`
	Amount string `json:"amount"`
}

// Held says whether every transfer of the account from a place to the cut-off is held.
type Held struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Asset   string `json:"asset"`
	Height  uint64 `json:"height"`
	TxIndex uint32 `json:"tx_index"`
	Covered bool   `json:"covered"`
}

// Transaction is a transaction as a whole: inputs and outputs, or transfers.
type Transaction struct {
	Network   string     `json:"network"`
	Tx        string     `json:"tx"`
	Height    uint64     `json:"height"`
	TxIndex   uint32     `json:"tx_index"`
	Time      time.Time  `json:"time"`
	Status    string     `json:"status"` // ok, failed or unknown
	Grade     string     `json:"grade"`
	Coinbase  bool       `json:"coinbase,omitempty"`
	Inputs    []Input    `json:"inputs,omitempty"`
	Outputs   []Output   `json:"outputs,omitempty"`
	Transfers []Transfer `json:"transfers,omitempty"`
	Notices   []Notice   `json:"notices,omitempty"`
}

// Input spends an output. Its amount is known where the output is.
type Input struct {
	Tx      string `json:"tx"`
	Index   uint32 `json:"index"`
	Height  uint64 `json:"height"` // of Tx; 0 with TxIndex 0 where the index does not hold it
	TxIndex uint32 `json:"tx_index"`
	Known   bool   `json:"known"`
	Address string `json:"address,omitempty"`
	Value   string `json:"value,omitempty"`
}

// Output is a coin.
type Output struct {
	Address string `json:"address"`
	Value   string `json:"value"`
	Spent   *At    `json:"spent,omitempty"` // by which transaction; absent: by none up to the cut-off
}

// At is the place of a transaction.
type At struct {
	Height  uint64 `json:"height"`
	TxIndex uint32 `json:"tx_index"`
}

// Transfer moves an asset between two accounts.
type Transfer struct {
	Index  uint32 `json:"index"`
	Slot   uint32 `json:"slot"`
	Kind   string `json:"kind"`
	From   string `json:"from"`
	To     string `json:"to"`
	Asset  string `json:"asset"`
	Amount string `json:"amount"`
	Status string `json:"status"`
	Grade  string `json:"grade"`
}

// Notice is what a transaction did besides moving value.
type Notice struct {
	Slot     uint32 `json:"slot"`
	Kind     string `json:"kind"`
	Account  string `json:"account"`
	Peer     string `json:"peer,omitempty"`
	Contract string `json:"contract,omitempty"`
	Asset    string `json:"asset,omitempty"`
	Amount   string `json:"amount"`
	Network  string `json:"network,omitempty"`
	Ref      string `json:"ref,omitempty"`
	Grade    string `json:"grade"`
}

// Balance is what an account holds at the cut-off.
type Balance struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Asset   string `json:"asset"`
	Amount  string `json:"amount"`
	Deficit string `json:"deficit"`
}

// Payees says at which place an account paid its N-th distinct payee.
type Payees struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Asset   string `json:"asset"`
	N       int    `json:"n"`
	Place   *Place `json:"place,omitempty"` // absent: it has paid fewer
}

// Tagged is an address with its labels; none is an answer, too.
type Tagged struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Tags    []Tag  `json:"tags"`
}

// Tag is a label as a trace reads it.
type Tag struct {
	Sequence   uint64   `json:"sequence"` // in the label log; 0: of the case
	Label      string   `json:"label"`
	Category   string   `json:"category"`
	Concepts   []string `json:"concepts,omitempty"`
	Actor      string   `json:"actor,omitempty"`
	Source     string   `json:"source"`
	Pack       string   `json:"pack,omitempty"`
	Confidence int      `json:"confidence"`
	ValidFrom  int64    `json:"valid_from,omitempty"` // Unix milliseconds
	ValidTo    int64    `json:"valid_to,omitempty"`   // exclusive
	LastMod    int64    `json:"last_modified,omitempty"`
	Recorded   int64    `json:"recorded,omitempty"`
	Type       string   `json:"type,omitempty"`
}

// Noted lists what was noted of a subject from a place on.
type Noted struct {
	Network  string         `json:"network"`
	Subject  string         `json:"subject"`
	Ref      bool           `json:"ref,omitempty"` // the subject is a bridge's id, not an address
	After    Place          `json:"after"`
	Complete bool           `json:"complete"`
	Notices  []PlacedNotice `json:"notices"`
}

// PlacedNotice is a notice with its transaction.
type PlacedNotice struct {
	Notice
	Tx    string `json:"tx"`
	Place Place  `json:"place"`
	Time  int64  `json:"time"` // Unix milliseconds
}

// Clock orders events across networks: the running maximum of block times.
type Clock struct {
	Network string `json:"network"`
	Height  uint64 `json:"height"`
	Time    int64  `json:"time"` // Unix milliseconds
}

// Passage is a transfer that goes on in another asset or network. The traced
// amounts of its Crossing are left empty.
type Passage struct {
	Network  string   `json:"network"`
	Tx       string   `json:"tx"`
	Index    string   `json:"index"`
	Place    Place    `json:"place"`
	Asset    string   `json:"asset"`
	Crossing Crossing `json:"crossing"`
}
