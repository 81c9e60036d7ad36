package cases

import (
	"maps"
	"slices"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Case is what a custody log adds up to.
type Case struct {
	ID         ID         `json:"id"`
	Sequence   uint64     `json:"sequence"` // entries so far
	Opening    Opening    `json:"opening"`
	OpenedAt   time.Time  `json:"opened_at"`
	OpenedBy   string     `json:"opened_by"`
	Policy     Policies   `json:"policy"`
	Allocation Allocation `json:"allocation"`
	Members    []Member   `json:"members,omitempty"`
	Victims    []Victim   `json:"victims,omitempty"`
	Payments   []Payment  `json:"payments,omitempty"`
	Notes      []Note     `json:"notes,omitempty"`
	Exhibits   []Exhibit  `json:"exhibits,omitempty"`
	Labels     []Label    `json:"labels,omitempty"`
	Traces     []Trace    `json:"traces,omitempty"`
	Packages   []Package  `json:"packages,omitempty"`
	Requests   []Request  `json:"requests,omitempty"`
	Returns    []Return   `json:"returns,omitempty"`
	Seizures   []Seizure  `json:"seizures,omitempty"`
	Handovers  []Handover `json:"handovers,omitempty"`
	Reads      uint64     `json:"reads"`
	Changed    uint64     `json:"changed"`             // last entry that is neither a reading nor a package
	Recovered  uint64     `json:"recovered,omitempty"` // entries that a crash left beyond the checkpoint
	Erased     bool       `json:"erased,omitempty"`    // the personal data is gone
	ids        map[string]string
	opened     string // name of the request that opened it
}

// Role is what a member may do.
type Role string

// The roles, each with all rights of those below it.
const (
	Owner        Role = "owner"        // members, policy, allocation, erasure, hand-over
	Investigator Role = "investigator" // payments, notes, exhibits, requests
	Viewer       Role = "viewer"       // reading
)

func (r Role) rank() int { return slices.Index([]Role{Viewer, Investigator, Owner}, r) }

// Allocation is how restitution is shared among victims.
type Allocation string

// The allocations.
const (
	Traced  Allocation = "traced"   // what the trace leads to, each victim's own
	ProRata Allocation = "pro-rata" // by loss
)

// Policy is an accounting rule with the reason in law for which it was taken.
type Policy struct {
	Name   string `json:"name"` // fifo, haircut, dirty-first ...
	Reason string `json:"reason"`
}

// Policies has one policy per chain model.
type Policies struct {
	UTXO    Policy `json:"utxo"`
	Account Policy `json:"account"`
}

// Status is how sure it is that a payment was a victim's.
type Status string

// The statuses.
const (
	Suspected Status = "suspected"
	Confirmed Status = "confirmed"
)

// Victim is a pseudonym. Match is an HMAC of the name under the key of the case:
// the same name is the same victim, as long as the key lasts.
type Victim struct {
	Pseudonym string `json:"pseudonym"` // V-1, V-2 ...
	Match     string `json:"match"`
	Sealed    []byte `json:"sealed"` // a Person
}

// Payment is what a victim reported to have paid.
type Payment struct {
	ID        string        `json:"id"` // P-1, P-2 ...
	Victim    string        `json:"victim"`
	ReportRef string        `json:"report_ref,omitempty"`
	Status    Status        `json:"status"`
	Network   ledger.Chain  `json:"network"`
	Tx        string        `json:"tx,omitempty"`        // 64 hex digits, or the first of them
	TxSuffix  string        `json:"tx_suffix,omitempty"` // the last digits, where the middle is not known
	Index     string        `json:"index,omitempty"`     // of the output or event, decimal
	To        string        `json:"to,omitempty"`
	Amount    string        `json:"amount,omitempty"` // base units
	Asset     string        `json:"asset,omitempty"`
	Time      time.Time     `json:"time,omitzero"`
	Precision TimePrecision `json:"precision,omitempty"`
	Sealed    []byte        `json:"sealed,omitempty"` // Remarks
	Withdrawn string        `json:"withdrawn,omitempty"`
	Added     uint64        `json:"added"` // sequence
}

// TimePrecision says how well a time is known.
type TimePrecision string

// The precisions.
const (
	ToSecond TimePrecision = "second"
	ToMinute TimePrecision = "minute"
	ToDay    TimePrecision = "day" // the time is the day's beginning in the zone of the file
)

// NeedsCandidates says that the transaction must be looked for.
func (p Payment) NeedsCandidates() bool { return len(p.Tx) != 64 }

// Note is a sealed text.
type Note struct {
	Sequence uint64    `json:"sequence"`
	By       string    `json:"by"`
	Time     time.Time `json:"time"`
	Sealed   []byte    `json:"sealed"`
}

// Exhibit is a file in the case.
type Exhibit struct {
	SHA256       string `json:"sha256"`        // of the content
	SealedSHA256 string `json:"sealed_sha256"` // of the file as it lies there
	Size         int64  `json:"size"`          // of the content
	Sealed       []byte `json:"sealed"`        // name and description
	Sequence     uint64 `json:"sequence"`
}

// Label is a tag that holds in this case only.
type Label struct {
	Address  string `json:"address"` // NETWORK:ADDRESS
	Label    string `json:"label"`
	Category string `json:"category,omitempty"`
	Source   string `json:"source"`
	Sequence uint64 `json:"sequence"`
}

// Trace is a result by its digest, with the rules that were in force.
type Trace struct {
	Digest     string     `json:"digest"` // SHA-256
	Policy     Policies   `json:"policy"`
	Allocation Allocation `json:"allocation"`
	Sequence   uint64     `json:"sequence"`
}

// Package is an evidence package by its hash, with the pins that give it again.
type Package struct {
	SHA256     string `json:"sha256"`
	Redaction  string `json:"redaction"`
	Supersedes string `json:"supersedes,omitempty"`
	Pins       Pins   `json:"pins,omitzero"` // zero in the entries of older programs
	Sequence   uint64 `json:"sequence"`
	Request    string `json:"-"` // of its entry
}

// Pins are what a package was made of, besides the index and the program.
type Pins struct {
	AsOf          string `json:"as_of"`                 // NETWORK=HEIGHT,NETWORK=HEIGHT
	AskedAsOf     string `json:"asked_as_of,omitempty"` // as it was asked for; empty: the tip
	LabelSequence uint64 `json:"label_sequence"`
	CustodySize   uint64 `json:"custody_size"` // entries
	Author        string `json:"author"`
	Demonstration string `json:"demonstration,omitempty"`
	Subject       string `json:"subject,omitempty"`
}

// Request is one letter to a service, and what came of it.
type Request struct {
	ID        string    `json:"id"`
	To        string    `json:"to"` // entity
	Reference string    `json:"reference,omitempty"`
	Letter    string    `json:"letter"` // SHA-256
	Accounts  []string  `json:"accounts"`
	Sent      time.Time `json:"sent"`
	Answers   []Answer  `json:"answers,omitempty"`
}

// Answer is what a service said to a request.
type Answer struct {
	Request     string    `json:"request"`
	Reference   string    `json:"reference,omitempty"`
	Text        string    `json:"text"`
	Held        string    `json:"held,omitempty"` // base units
	Asset       string    `json:"asset,omitempty"`
	HoldExpires time.Time `json:"hold_expires,omitzero"`
	Document    string    `json:"document,omitempty"` // SHA-256
	Time        time.Time `json:"time"`
}

// Seizure is money that was taken.
type Seizure struct {
	Address   string    `json:"address"` // NETWORK:ADDRESS or ENTITY:ACCOUNT
	Asset     string    `json:"asset"`
	Amount    string    `json:"amount"` // base units
	Tx        string    `json:"tx,omitempty"`
	Authority string    `json:"authority"`
	Executed  time.Time `json:"executed"`
	Sequence  uint64    `json:"sequence"`
}

// member returns the role of a name.
func (c *Case) member(name string) (Role, bool) {
	for _, m := range c.Members {
		if m.Name == name {
			return m.Role, true
		}
	}
	return "", false
}

// clone shares nothing with c that a later entry changes.
func (c *Case) clone() Case {
	d := *c
	d.Members, d.Victims, d.Payments = slices.Clone(c.Members), slices.Clone(c.Victims), slices.Clone(c.Payments)
	d.Requests = slices.Clone(c.Requests) // an answer replaces the list of answers
	d.ids = maps.Clone(c.ids)
	return d
}
