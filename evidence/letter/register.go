package letter

import (
	"fmt"
	"time"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/ledger"
)

// State is how far a request has come.
type State string

// The states. Of several holds under one request the worst is the request's.
const (
	Sent     State = "SENT"     // no answer yet
	Answered State = "ANSWERED" // nothing is held
	Held     State = "HELD"
	Expiring State = "EXPIRING" // within the notice
	Expired  State = "EXPIRED"
)

// Notice is how long before its end a hold counts as expiring, unless the caller
// has another wish. Judgment: an order for more time takes a working day or two.
const Notice = 72 * time.Hour

// Hold is what a service says to hold of one asset.
type Hold struct {
	Asset  string // NETWORK:native or NETWORK:CONTRACT
	Amount ledger.Amount
	Until  time.Time // zero: no end was named
	State  State
}

// Entry is a request with what came of it.
type Entry struct {
	Request   string
	To        string
	Reference string // the service's own, of its last answer that named one; else ours
	Accounts  []string
	Sent      time.Time
	Answered  time.Time // last answer; zero: none
	State     State
	Holds     []Hold // in the order in which their assets were first named
}

// Register lists the requests of a case in their order, each with its state at a
// time. Of two answers about one asset the later recorded one holds: a service
// extends, raises or lifts a hold by answering again.
func Register(c cases.Case, now time.Time, notice time.Duration) ([]Entry, error) {
	all := []Entry{}
	for _, r := range c.Requests {
		e := Entry{Request: r.ID, To: r.To, Reference: r.Reference, Accounts: r.Accounts, Sent: r.Sent, State: Sent}
		for _, a := range r.Answers {
			if err := e.take(a); err != nil {
				return nil, fmt.Errorf("register: answer to %s: %w", r.ID, err)
			}
		}
		e.judge(now, notice)
		all = append(all, e)
	}
	return all, nil
}

func (e *Entry) take(a cases.Answer) error {
	e.State, e.Answered = Answered, a.Time
	if a.Reference != "" {
		e.Reference = a.Reference
	}
	if a.Held == "" {
		return nil // says nothing of a hold, and so changes none
	}
	n, err := ledger.ParseAmount(a.Held)
	if err != nil {
		return err
	}
	hold := Hold{Asset: a.Asset, Amount: n, Until: a.HoldExpires}
	for i := range e.Holds {
		if e.Holds[i].Asset == a.Asset {
			e.Holds[i] = hold
			return nil
		}
	}
	e.Holds = append(e.Holds, hold)
	return nil
}

// judge gives each hold and the request their states.
func (e *Entry) judge(now time.Time, notice time.Duration) {
	rank := map[State]int{Answered: 0, Held: 1, Expiring: 2, Expired: 3}
	for i := range e.Holds {
		h := &e.Holds[i]
		switch {
		case h.Amount.IsZero():
			h.State = Answered // lifted
		case h.Until.IsZero() || h.Until.Sub(now) > notice:
			h.State = Held
		case h.Until.After(now):
			h.State = Expiring
		default:
			h.State = Expired
		}
		if rank[h.State] > rank[e.State] {
			e.State = h.State
		}
	}
}
