// Package ask has the words in which a chain's history is asked for piece by
// piece, of services that index it: questions about single transactions and
// accounts, and what an answer says. It does no I/O.
//
// An adapter of an API (a Service) is pure: it says which request puts a
// question, and reads what came back. Whoever sends the request records it, so
// that what a service said once can be read again without it.
package ask

import (
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// Kind says what is asked.
type Kind string

// The kinds of questions.
const (
	Head    Kind = "head"    // the newest block
	Block   Kind = "block"   // the block at Range.From: its hash and time
	Tx      Kind = "tx"      // a transaction with everything that it moves
	Spends  Kind = "spends"  // of a chain of coins: who spends the outputs of Tx
	History Kind = "history" // the transfers of Holder in Range
	Count   Kind = "count"   // how many transactions Holder has, about: asked before its history
	Proof   Kind = "proof"   // that Tx is in its block
)

// Question is one thing to know of one chain. It is comparable.
type Question struct {
	Kind   Kind
	Tx     ledger.TxID
	Holder ledger.Holder
	// Range is half-open, of heights; where a service tells no heights (see
	// Service.Clocked), of Unix milliseconds.
	Range ledger.Range
	// Part and Cursor are the adapter's own: which of several lists, and where in
	// it to go on. Both are empty when a question is put first.
	Part   string
	Cursor string
}

// String prints the question for people, its place in a list left out.
func (q Question) String() string {
	switch q.Kind {
	case Head, Block:
		return fmt.Sprintf("%s %d", q.Kind, q.Range.From)
	case Tx, Spends, Proof:
		return fmt.Sprintf("%s %s", q.Kind, q.Tx)
	case Count:
		return fmt.Sprintf("%s %s %s", q.Kind, q.Holder.Address, q.Holder.Asset)
	case History:
	}
	return fmt.Sprintf("%s %s %s %d..%d", q.Kind, q.Holder.Address, q.Holder.Asset, q.Range.From, q.Range.To)
}

// Request is how a question is put to an API over HTTP. Neither field may hold a
// key: it is recorded, and shown.
type Request struct {
	Path string // below the base URL, with its query: "/tx/ab..?x=1"
	Body string // JSON to be posted; empty: a GET
}

// Placed is a confirmed transaction with its block, as a service tells it.
type Placed struct {
	Tx    ledger.Tx       // Pos is set only where Indexed; Grade is attested
	Block ledger.BlockRef // Hash is zero where the service does not tell it
	// Indexed says that Tx.Pos has the transaction's true index in its block.
	Indexed bool
	// Whole says that Tx lists everything that it moved. Else it lists what the
	// question asked for, each transfer once; Slot and Index of its transfers count
	// from 0 in their order.
	Whole bool
}

// Spend says what became of an output.
type Spend struct {
	Of ledger.OutPoint
	// Spent says that a confirmed transaction, By at Height, spends it.
	Spent  bool
	By     ledger.TxID
	Height uint64
}

// Proven is a transaction whose place in a block the answer proves: by a merkle
// branch and headers that have the work of blocks, or by the whole block.
type Proven struct {
	Tx    ledger.TxID
	Block ledger.BlockRef
	Index uint32 // of the transaction in its block
	// Transfers are, of a transaction of accounts, those that the block shows.
	Transfers []ledger.Transfer
}

// Answer is what one response says. Everything in it is the service's word.
type Answer struct {
	Head   *ledger.Head // of Head and Block: the block is Head.Tip
	Txs    []Placed
	Spends []Spend
	Count  uint64
	Proven *Proven
	// Assets are symbols and decimals that the service claims of tokens.
	Assets []ledger.AssetInfo
	// Next are further requests that the same question needs, each a copy of it
	// with Part or Cursor set: more pages, another list. The question is answered
	// when none is left.
	Next []Question
	// Unconfirmed says that the transaction is known and in no block.
	Unconfirmed bool
}

// Service is one kind of API. It is pure and safe for concurrent use.
type Service interface {
	// Chain is the network that it tells of.
	Chain() ledger.Chain

	// Clocked reports that the service tells times in place of heights: Height of
	// every block, and Range, are Unix milliseconds.
	Clocked() bool

	// Request puts a question; a *ledger.SourceError with FaultUnsupported where
	// the API has no answer to it.
	Request(q Question) (Request, error)

	// Read reads the answer: HTTP status (200, 400 or 404; others do not come here)
	// and body. Errors: ledger.ErrNotFound for what the service does not know; a
	// *ledger.SourceError for everything else (FaultBusy where the service says in
	// its own words to come back; FaultMalformed, FaultContents, FaultMismatched).
	// A list that is cut, not in order, or of another account is an error, never a
	// shorter answer.
	Read(q Question, status int, body []byte) (Answer, error)
}

// Joined makes transactions of rows that each tell one or more transfers of one: each
// once, in the order in which they come first. Slot and Index count from 0.
func Joined(rows []Placed) (all []Placed) {
	at := map[ledger.TxID]int{}
	for _, r := range rows {
		k, ok := at[r.Tx.ID]
		if !ok {
			k, at[r.Tx.ID] = len(all), len(all)
			all = append(all, r)
			all[k].Tx.Transfers = nil
		}
		for _, t := range r.Tx.Transfers {
			n := uint32(len(all[k].Tx.Transfers))
			t.Index, t.Slot = n, n
			all[k].Tx.Transfers = append(all[k].Tx.Transfers, t)
		}
	}
	return all
}

// Trusted is how many rows a page may have at most to be believed to be the last
// one: services cap pages without saying so, none below this. After a longer
// page the rest is asked for until nothing new comes.
const Trusted = 9

// Unsupported says that an API has no answer to a question.
func Unsupported(q Question, api string) error {
	return ledger.Untrue(ledger.FaultUnsupported, q.String(), api+" has no answer to this")
}
