package cases

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/internal/chainlog"
	"github.com/spoortrace/spoor/ledger"
)

// Frozen is a case as it was when its custody log had a size, with all that is
// sealed opened: what a package is made of.
type Frozen struct {
	Case    Case
	Persons []Named
	Remarks map[string]Remarks     // by payment
	Notes   []string               // in their order
	Rows    map[string][]ReturnRow // of services' answers that count, by the hash of the exhibit
	Custody Excerpt
	salts   caseKey
}

// Excerpt is the beginning of a custody log, as it is written.
type Excerpt struct {
	Origin     string
	Key        string // public, of the checkpoint's signature
	Checkpoint []byte
	Entries    []json.RawMessage
}

// Salt is a secret of the case, the same for the same words: whoever has not
// the key of the case cannot guess what was committed to with it.
func (f *Frozen) Salt(words ...string) [32]byte {
	mac := hmac.New(sha256.New, f.salts[:])
	for _, w := range append([]string{"salt"}, words...) {
		fmt.Fprintf(mac, "%d %s ", len(w), w)
	}
	return [32]byte(mac.Sum(nil))
}

// Size is how many entries the custody log of a case has. It shows nothing else,
// and is not recorded.
func (s *Store) Size(a Actor, id ID) (uint64, error) {
	h, err := s.find(a.Tenant, id)
	if err != nil {
		return 0, err
	}
	return h.log.Size(), nil
}

// At returns a case as it was at a size of its custody log, and records that it
// was read. The same size gives the same answer, for ever.
func (s *Store) At(a Actor, id ID, size uint64) (*Frozen, error) {
	h, err := s.read(a, id, fmt.Sprintf("all of it, as of entry %d", size))
	if err != nil {
		return nil, err
	}
	return s.freeze(h, id, size)
}

// Again is At for work that goes on from a reading that is recorded: a board that
// is followed, a case that is watched. Whoever is no member any more gets
// ledger.ErrNotFound; it is not recorded.
func (s *Store) Again(a Actor, id ID, size uint64) (*Frozen, error) {
	if err := s.May(a, id, &Read{}); err != nil {
		return nil, err
	}
	h, err := s.find(a.Tenant, id)
	if err != nil {
		return nil, err
	}
	return s.freeze(h, id, size)
}

func (s *Store) freeze(h *held, id ID, size uint64) (_ *Frozen, err error) {
	f := &Frozen{Case: Case{ID: id}, Remarks: map[string]Remarks{}, Custody: Excerpt{Origin: originOf(id), Key: s.key.Public}}
	f.Custody.Checkpoint, err = h.log.At(size, func(line chainlog.Entry) error {
		var e Entry
		if err := decode(line.Body, &e); err != nil {
			return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
		}
		e.Sequence = line.Number
		f.Custody.Entries = append(f.Custody.Entries, slices.Clone(line.Body))
		return f.Case.fold(e)
	})
	if err == nil {
		err = s.openAll(f)
	}
	if err != nil {
		return nil, fmt.Errorf("cases: case %s as of entry %d: %w", id, size, err)
	}
	return f, nil
}

// openAll opens what is sealed.
func (s *Store) openAll(f *Frozen) (err error) {
	c := &f.Case
	if f.salts, err = s.keyOf(c); err != nil {
		return err
	}
	for _, v := range c.Victims {
		n := Named{Pseudonym: v.Pseudonym}
		if err := f.salts.openJSON(v.Sealed, about(c.ID, v.Pseudonym), &n.Person); err != nil {
			return err
		}
		f.Persons = append(f.Persons, n)
	}
	for _, p := range c.Payments {
		if p.Sealed == nil {
			continue
		}
		var r Remarks
		if err := f.salts.openJSON(p.Sealed, about(c.ID, p.ID), &r); err != nil {
			return err
		}
		f.Remarks[p.ID] = r
	}
	for _, n := range c.Notes {
		text, err := f.salts.open(n.Sealed, about(c.ID, "note"))
		if err != nil {
			return err
		}
		f.Notes = append(f.Notes, string(text))
	}
	return s.openReturns(f)
}

// openReturns reads the rows of services' answers back.
func (s *Store) openReturns(f *Frozen) error {
	f.Rows = map[string][]ReturnRow{}
	for _, r := range f.Case.Returns {
		if r.Replaced {
			continue
		}
		text, err := s.exhibit(f.salts, f.Case.ID, r.Rows)
		if err != nil {
			return err
		}
		var rows []ReturnRow
		if err := decode(text, &rows); err != nil {
			return fmt.Errorf("%w: the rows of an answer: %w", ledger.ErrCorrupt, err)
		}
		f.Rows[r.Rows] = rows
	}
	return nil
}

// Other is what a case shows to colleagues who are no members of it: whose it
// is, and which addresses it is about.
type Other struct {
	ID        ID
	Authority string
	Addresses []string // NETWORK:ADDRESS of payees and of what was seized
}

// Others lists the cases of a tenant but one, by id.
func (s *Store) Others(tenant string, but ID) []Other {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []Other
	for id, h := range s.cases {
		h.mu.Lock()
		if c := h.state; id != but && c.Opening.Tenant == tenant {
			all = append(all, c.other())
		}
		h.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b Other) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (c *Case) other() Other {
	o := Other{ID: c.ID, Authority: c.Opening.Authority}
	for _, p := range c.Payments {
		if p.To != "" && p.Withdrawn == "" {
			o.Addresses = append(o.Addresses, string(p.Network)+":"+p.To)
		}
	}
	for _, z := range c.Seizures {
		o.Addresses = append(o.Addresses, z.Address)
	}
	slices.Sort(o.Addresses)
	o.Addresses = slices.Compact(o.Addresses)
	return o
}

// All are the cases of all tenants as they are. Nothing sealed is opened, and no
// reading is recorded: it is for the server's own clock, not for anybody's eyes.
func (s *Store) All() []Case {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []Case
	for _, h := range s.cases {
		h.mu.Lock()
		all = append(all, h.state.clone())
		h.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b Case) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Asked reports whether something was recorded under a request's name.
func (c *Case) Asked(request string) bool {
	_, ok := c.ids[request]
	return ok && request != ""
}

// CheckpointAt is the signed checkpoint of a custody log at a size, with the
// public key. It shows no entry, and is not recorded.
func (s *Store) CheckpointAt(a Actor, id ID, size uint64) (checkpoint []byte, key string, err error) {
	h, err := s.find(a.Tenant, id)
	if err != nil {
		return nil, "", err
	}
	checkpoint, err = h.log.At(size, func(chainlog.Entry) error { return nil })
	return checkpoint, s.key.Public, err
}
