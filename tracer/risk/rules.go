package risk

import "github.com/spoortrace/spoor/ledger"

// Rule gives a level where an exposure reaches its thresholds. Every threshold
// that is set must be reached. Schema and semantics: docs/method.md, Rules.
type Rule struct {
	ID        string
	Category  string // a category or the head of one: "scam" matches "scam.romance"
	Direction Direction
	AnySide   bool // either direction
	Kind      Kind
	Asset     *ledger.Asset // nil: any
	MinAmount *ledger.Amount
	MaxAmount *ledger.Amount
	MinMicros *ledger.Amount // dollars, in millionths
	MaxMicros *ledger.Amount
	MinPPM    uint32
	Level     Level
	Score     uint8 // within the level
}

// Rules is one version of a rule set. It is not changed once made.
type Rules struct {
	Version string
	Rules   []Rule
	// MinLabelledPPM: without any trigger and with less of the value labelled in
	// every direction that has value, there is no score. 500,000 by default.
	MinLabelledPPM uint32
	Text           []byte // the file
}
