// Package risk says how risky an address or a transfer is, and why: exposure to
// labelled entities in both directions, under haircut, and a score by versioned
// rules. It is pure: it reads one snapshot, and two calls agree to the byte.
//
// Unknown is not clean: where the index does not cover an address, or too little
// of its value is labelled and no rule triggers, there is no score.
package risk

import (
	"context"
	"iter"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/behavior"
)

// Index is what a score asks of one snapshot. Safe for concurrent use; answers
// do not change while it is held.
type Index interface {
	behavior.Index

	// Cluster returns the T0 cluster of an address as of the snapshot: a cluster
	// of one where nothing joins it, or where the network has no clusters.
	Cluster(ctx context.Context, a ledger.Address) (ledger.Cluster, error)

	// Members yields the addresses of a cluster in the order in which they joined.
	Members(ctx context.Context, c ledger.Cluster) iter.Seq2[ledger.Address, error]

	// ClusterTags returns the tags of a cluster's definers, in log order: those
	// that hold for every member.
	ClusterTags(ctx context.Context, c ledger.Cluster) ([]ledger.Tag, error)
}

// Direction is the side of an address that an exposure is on.
type Direction uint8

// The directions.
const (
	Received Direction = iota
	Sent
)

// String prints RECEIVED or SENT.
func (d Direction) String() string { return [...]string{"RECEIVED", "SENT"}[d] }

// Kind says how near a labelled entity is.
type Kind uint8

// The kinds: the address or its cluster is itself labelled; the labelled entity
// is the other side of a transfer; it is two or more transfers away.
const (
	Ownership Kind = iota
	Direct
	Indirect
)

// Level is what a rule gives; none triggers none.
type Level uint8

// The levels and their scores: LOW 0-30, MEDIUM 31-70, HIGH 71-90, SEVERE 91-100.
const (
	None Level = iota
	Low
	Medium
	High
	Severe
)

// String prints the level in capitals; empty for None.
func (l Level) String() string { return [...]string{"", "LOW", "MEDIUM", "HIGH", "SEVERE"}[l] }

// State says what a screening came to.
type State uint8

// The states. Only Scored has a score.
const (
	Scored State = iota
	NoHistory
	NotCovered
	TooLittleLabelled
)

// String prints SCORED, NO_HISTORY, NOT_COVERED or TOO_LITTLE_LABELLED.
func (s State) String() string {
	return [...]string{"SCORED", "NO_HISTORY", "NOT_COVERED", "TOO_LITTLE_LABELLED"}[s]
}

// Exposure is the value of one category on one side, in one asset.
type Exposure struct {
	Category         string
	Direction        Direction // of no meaning for Ownership
	Kind             Kind
	Asset            ledger.Asset
	Amount           ledger.Amount // under haircut
	PPM              uint32        // parts per million of all value of that direction and asset, rounded down
	MinHops, MaxHops int           // transfers to the labelled entity; 1: direct, 0: ownership
	Low, High        ledger.Amount // what is so for certain; what a limit left open counted in full
	Paths            []Path        // the largest first, at most MaxPaths
}

// Path is one way to a labelled entity.
type Path struct {
	Entity    ledger.Address
	Tag       ledger.Tag
	Amount    ledger.Amount
	Hops      int    // on the nearest way; crossings and moves of the cluster's own count none
	Transfers []Step // from the screened address outward
}

// Step is one transfer of a path. Behind a bridge it is on another network.
type Step struct {
	Chain ledger.Chain
	Tx    ledger.TxID
	Index uint32
	Kind  ledger.TransferKind
	At    ledger.Point
	Time  int64 // Unix milliseconds

	plain bool // nothing was exchanged in that transaction
}

// Trigger is a rule that triggered, or one that could not be evaluated.
type Trigger struct {
	Rule       Rule
	Exposure   int    // index into Assessment.Exposures; -1 for ownership without value
	Message    string // what was found against the thresholds
	NotWhy     string // why it could not be evaluated; empty where it triggered
	Categories string // the category that matched, which may be below the rule's
}

// Behavior is a pattern with its evidence.
type Behavior struct {
	Pattern string
	Message string
	Steps   []Step
}

// Assessment is a score and all it rests on.
type Assessment struct {
	State           State
	Score           uint8 // 0-100; of no meaning unless Scored
	Level           Level // of the score; None unless Scored
	Reason          string
	Cluster         ledger.Cluster
	Tags            []ledger.Tag // of the address, then of its cluster's definers
	Exposures       []Exposure   // ordered by direction, kind, category as in reports, asset
	Triggers        []Trigger    // the highest first
	NotEvaluated    []Trigger
	Behaviors       []Behavior
	ReceivedPPM     uint32 // share of value whose source is labelled
	SentPPM         uint32
	RuleVersion     string
	FirstAt, LastAt int64    // Unix milliseconds of the first and last event; 0 without history
	Limits          []string // what a limit left out; not empty: partial
	Used            []string // heuristics that the answer rests on, by name
}

// Price values an amount in millionths of a dollar; false where no price is known.
type Price func(a ledger.Asset, amount ledger.Amount, ms int64) (micros ledger.Amount, ok bool)

// Options bound and colour a screening. Zero limits take the defaults beside them.
type Options struct {
	Own       func(ledger.Address) bool // the tenant's own addresses, never an exposure; nil: none
	Price     Price                     // nil: every threshold in dollars is NOT_EVALUATED, stablecoins excepted
	Events    int                       // events looked at in all; 20,000
	Hops      int                       // transfers followed outward; 12
	Paths     int                       // paths kept for an exposure; 3
	Behaviors bool                      // look for patterns, too
}

// Payment is one transfer to score: that money alone.
type Payment struct {
	Seed      tracer.Seed
	Direction Direction // Received: where it came from; Sent: where it went
}
