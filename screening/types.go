package screening

// The kinds of what is registered.
const (
	KindTransfer = "TRANSFER"
	KindAttempt  = "WITHDRAWAL_ATTEMPT"
)

// The states of a transfer.
const (
	Pending    = "PENDING"
	Scored     = "SCORED"
	Expired    = "EXPIRED"
	Mismatched = "MISMATCHED"
)

// Registration is what a tenant said; it is never changed. Times are Unix milliseconds.
type Registration struct {
	Kind      string
	Network   string
	Asset     string // symbol or contract as registered; empty: the native coin
	Reference string // of an attempt its identifier
	Direction string // RECEIVED or SENT
	Amount    string // whole coins as registered; empty: not stated
	Output    string // address that was paid
	Time      int64
}

// Transfer is a registration with its latest result.
type Transfer struct {
	ID string
	Registration
	User       string // opened by the user's key, never stored; empty once erased
	Sealed     []byte // the user under that key
	UserKey    string // names the key
	Number     uint64 // in the chain of registrations
	Registered int64

	State    string
	Tx       string // hex of the transaction; empty until it is seen
	Updated  int64  // 0 while pending
	Level    string
	Height   uint64   // of the last block that the score saw
	Evidence []string // what must score it again when it changes, in the caller's words
	Result   []byte   // the caller's own form of the score
}

// Result is what scoring a transfer came to.
type Result struct {
	State, Tx, Level string
	Height           uint64
	Evidence         []string
	Body             []byte
}

// Alert is one rule that triggered for one transfer or watched address.
type Alert struct {
	ID       string
	Number   uint64 // in the order of creation
	Type     string
	Level    string
	Status   string
	Transfer string // id; empty for an address
	Address  string // NETWORK:ADDRESS; empty for a transfer
	Rule     string
	Finality string
	Network  string
	Height   uint64 // of the block that raised it
	Message  string
	Created  int64
	History  []Change
	Body     []byte   // the caller's own form of trigger and exposure
	Notify   []string `json:",omitempty"` // who else is told of it, as its watch says
	User     string   // as of its transfer; never stored
}

// Change is one entry of an alert's history.
type Change struct {
	Status, By, Comment, Finality string
	Time                          int64
}

// Event is one thing that happened to an alert.
type Event struct {
	Number uint64 // the cursor
	Kind   string // CREATED or UPDATED
	Time   int64
	Alert  Alert
}

// Watch is a watched address, case or trace.
type Watch struct {
	Address string            // NETWORK:ADDRESS, cases/ID, or traces/ID
	By      string            `json:",omitempty"` // who watches a case: the member that it is read as
	Trace   []byte            `json:",omitempty"` // the caller's own form of a trace
	Since   map[string]uint64 `json:",omitempty"` // the tips, by network, above which what happens is news
	Notify  []string          `json:",omitempty"` // who else is told of its alerts
	Asked   int64             `json:",omitempty"` // when sources were asked of it, Unix milliseconds; 0: never
	Trouble string            `json:",omitempty"` // what they failed to tell then
	Note    string
	Own     bool
	Created int64
	Level   string
	Score   *uint32
	Rules   []string // that triggered, and patterns that it showed, when it was last scored

	Evidence []string // as of a transfer
}
