package cases

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Kind is what an entry of a custody log records.
type Kind string

// The kinds.
const (
	KindOpened            Kind = "opened"
	KindMember            Kind = "member"
	KindPaymentsAdded     Kind = "payment_added"
	KindVictimChanged     Kind = "victim_changed"
	KindPaymentWithdrawn  Kind = "payment_withdrawn"
	KindNote              Kind = "note"
	KindExhibit           Kind = "exhibit"
	KindPolicyChanged     Kind = "policy_changed"
	KindAllocationChanged Kind = "allocation_changed"
	KindLabel             Kind = "label"
	KindRead              Kind = "read"
	KindTraced            Kind = "traced"
	KindPackage           Kind = "package"
	KindRequestSent       Kind = "request_sent"
	KindRequestAnswered   Kind = "request_answered"
	KindReturnImported    Kind = "return_imported"
	KindSeizure           Kind = "seizure"
	KindErased            Kind = "erased"
	KindExported          Kind = "exported"
	KindImported          Kind = "imported"
	KindReceipt           Kind = "receipt"
	KindRecovered         Kind = "recovered"
)

// Entry is one line of a custody log.
type Entry struct {
	Sequence uint64          `json:"-"` // from 1: its place
	Time     time.Time       `json:"time"`
	By       string          `json:"by"`
	Kind     Kind            `json:"kind"`
	Request  string          `json:"request,omitempty"` // the id under which it was asked for; the same again does nothing
	Asked    string          `json:"asked,omitempty"`   // keyed digest of that wish
	Data     json.RawMessage `json:"data"`
}

// Fact is what an entry says. check refuses what does not fit the case and
// changes nothing; apply takes in what was checked.
type Fact interface {
	kind() Kind
	needs() Role
	check(c *Case) error
	apply(c *Case, e Entry)
}

// empty returns a fact of a kind to decode into; nil when there is none.
func empty(k Kind) Fact {
	for _, f := range []Fact{
		&Opening{}, &Member{}, &paymentsAdded{}, &victimChanged{}, &Withdrawal{}, &Note{}, &Exhibit{}, &PolicyChange{}, &AllocationChange{}, &Label{}, &Read{},
		&Trace{}, &Package{}, &Request{}, &Answer{}, &Return{}, &Seizure{}, &erased{}, &Handover{Direction: KindExported}, &Handover{Direction: KindImported}, &Handover{Direction: KindReceipt}, &recovered{},
	} {
		if f.kind() == k {
			return f
		}
	}
	return nil
}

// decode takes exactly one JSON value with no field that is not known.
func decode(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

// fact reads what an entry says.
func (e Entry) fact() (Fact, error) {
	f := empty(e.Kind)
	if f == nil {
		return nil, fmt.Errorf("%w: an entry of the kind %q", ledger.ErrNewer, e.Kind)
	}
	return f, decode(e.Data, f)
}

// permit refuses what the author of an entry may not do.
func (c *Case) permit(e Entry, f Fact) error {
	if (e.Kind == KindOpened) != (c.Sequence == 0) {
		return fmt.Errorf("%w: a case begins with its opening, once", ledger.ErrPrecondition)
	}
	if e.Kind == KindOpened || e.Kind == KindRecovered || e.Kind == KindImported {
		return nil // whoever imports a case is its owner
	}
	role, ok := c.member(e.By)
	if !ok || role.rank() < f.needs().rank() {
		return fmt.Errorf("%w: %s needs the role %s; %q has %q", ErrRole, e.Kind, f.needs(), e.By, role)
	}
	return nil
}

// fold is how a custody log becomes a case, and the only way to change one.
func (c *Case) fold(e Entry) error {
	f, err := e.fact()
	if err != nil {
		return err
	}
	if err := c.permit(e, f); err != nil {
		return err
	}
	if err := f.check(c); err != nil {
		return err
	}
	c.Sequence++
	e.Sequence = c.Sequence
	f.apply(c, e)
	if e.Kind != KindRead && e.Kind != KindPackage && e.Kind != KindRecovered {
		c.Changed = c.Sequence
	}
	if e.Request != "" {
		if c.ids == nil {
			c.ids = map[string]string{}
		}
		c.ids[e.Request] = e.Asked
	}
	return nil
}

// ErrRole says that the member may not do it; ask an owner of the case.
var ErrRole = errors.New("not allowed")

// Replay folds entries in their order. An error of theirs ends it.
func Replay(id ID, entries iter.Seq2[Entry, error]) (Case, error) {
	c := Case{ID: id}
	for e, err := range entries {
		if err == nil {
			err = c.fold(e)
		}
		if err != nil {
			return c, fmt.Errorf("cases: case %s: entry %d: %w", id, c.Sequence+1, err)
		}
	}
	return c, nil
}
