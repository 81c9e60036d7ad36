package ledger

// Holder is one asset in one account.
type Holder struct {
	Address Address
	Asset   Asset
}

// Compare orders holders by address, then asset.
func (h Holder) Compare(o Holder) int {
	if c := h.Address.Compare(o.Address); c != 0 {
		return c
	}
	return h.Asset.Compare(o.Asset)
}

// Event is one in- or outflow of a Holder, as the index lists it. From and To
// are both set, so that a transfer between two holders reads the same from
// either side; a fee has no To, a mint no From. A self-transfer is listed once,
// as an outflow whose To is its From.
type Event struct {
	At     Point
	Kind   TransferKind
	From   Address
	To     Address
	Amount Amount
	// Plain says for certain that nothing was exchanged: see Tx.Plain.
	Plain bool
}

// Balance is what an account held just before a point.
type Balance struct {
	Amount Amount // cumulative in - out + Deficit
	// Deficit is the least opening that keeps every known balance up to the
	// snapshot's as-of non-negative; 0 where the account's history is whole.
	Deficit Amount
}

// Coverage says how much of what was asked an answer rests on.
type Coverage uint8

// The states. Unknown is not clean.
const (
	CoverageUnknown Coverage = iota
	CoveragePartial
	CoverageComplete
)

// String prints UNKNOWN, PARTIAL or COMPLETE.
func (c Coverage) String() string { return [...]string{"UNKNOWN", "PARTIAL", "COMPLETE"}[c] }

// Range is a half-open range of heights (in an export: Unix milliseconds).
type Range struct{ From, To uint64 }

// Claim states what a set of transfers is complete for: every transfer of the
// account (of all accounts when it is zero) inside the range is in it. It is
// the word of whoever imported the file, or of the service that was asked.
type Claim struct {
	Account Address
	Range   Range
	Asset   Asset // of which asset; zero: of all
	// Tx narrows the claim to the coins that the account got in a transaction: it is
	// known what became of each of them. Zero: it is about all that the account did.
	Tx TxID
}

// Tag is one attribution: somebody says that an address (or a transaction) is
// something. Tags of different sources may contradict each other; all are kept.
type Tag struct {
	ID         uint64  // sequence number in the label log
	Address    Address // zero when Tx is tagged
	Chain      Chain   // of Tx; equal to Address.Chain otherwise
	Tx         *TxID
	Label      string
	Source     string
	Category   string // our id, such as "scam.pig_butchering"
	Concepts   []string
	Abuse      string
	Actor      string
	Confidence int // 0-100; GraphSense's scale
	Definer    bool
	Context    string
	Pack       string // title of the tag pack or name of the file
	Creator    string
	ValidFrom  int64 // Unix milliseconds; 0: always
	ValidTo    int64 // Unix milliseconds, exclusive; 0: for ever
	LastMod    int64 // Unix milliseconds; 0: not stated
	Recorded   int64 // Unix milliseconds, when it was imported
	// Type is what the tag claims, in GraphSense's words: "" is actor, who controls
	// the address; event, attribute and mention claim nothing about control.
	Type   string
	Tenant string // whose private label it is; "": everyone's
}

// ValidAt reports whether the tag holds at a block time (Unix milliseconds).
func (t Tag) ValidAt(ms int64) bool {
	return (t.ValidFrom == 0 || t.ValidFrom <= ms) && (t.ValidTo == 0 || ms < t.ValidTo)
}
