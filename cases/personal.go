package cases

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spoortrace/spoor/internal/chainlog"
	"github.com/spoortrace/spoor/ledger"
)

// maxExhibit bounds an exhibit, which is sealed in memory.
const maxExhibit = 256 << 20

// Named is a victim with what is known of the person.
type Named struct {
	Pseudonym string
	Person
}

// AddPayments takes rows that ReadPayments accepted, all or none, as one entry.
// The same name (without regard to case and spaces) is the same victim.
func (s *Store) AddPayments(a Actor, id ID, request string, rows []Row) (Case, error) {
	return s.record(a, id, request, rows, func(c *Case) (Fact, error) {
		k, err := s.keyOf(c)
		if err != nil {
			return nil, err
		}
		return paymentsOf(c, k, rows)
	})
}

func paymentsOf(c *Case, k caseKey, rows []Row) (*paymentsAdded, error) {
	byMatch := map[string]string{}
	for _, v := range c.Victims {
		byMatch[v.Match] = v.Pseudonym
	}
	var add paymentsAdded
	for _, r := range rows {
		if err := texts("victim", r.Victim); err != nil {
			return nil, fmt.Errorf("line %d: %w", r.Line, err)
		}
		match := k.match(r.Victim)
		if byMatch[match] == "" {
			v := Victim{Pseudonym: fmt.Sprintf("V-%d", len(c.Victims)+len(add.Victims)+1), Match: match}
			var err error
			if v.Sealed, err = k.sealJSON(Person{Name: r.Victim}, about(c.ID, v.Pseudonym)); err != nil {
				return nil, err
			}
			add.Victims = append(add.Victims, v)
			byMatch[match] = v.Pseudonym
		}
		p := r.payment(fmt.Sprintf("P-%d", len(c.Payments)+len(add.Payments)+1), byMatch[match])
		if r.BankLeg != "" || r.Note != "" {
			var err error
			if p.Sealed, err = k.sealJSON(Remarks{r.BankLeg, r.Note}, about(c.ID, p.ID)); err != nil {
				return nil, err
			}
		}
		add.Payments = append(add.Payments, p)
	}
	return &add, nil
}

// about binds a sealed text to its case and place.
func about(id ID, what string) string { return string(id) + " " + what }

// Persons opens what is sealed of the victims, and records that it was read.
func (s *Store) Persons(a Actor, id ID) ([]Named, error) {
	var all []Named
	err := s.unseal(a, id, "victims", func(c *Case, k caseKey) error {
		for _, v := range c.Victims {
			n := Named{Pseudonym: v.Pseudonym}
			if err := k.openJSON(v.Sealed, about(id, v.Pseudonym), &n.Person); err != nil {
				return err
			}
			all = append(all, n)
		}
		return nil
	})
	return all, err
}

// SetVictim corrects what is known of a person; what is empty stays as it is. The
// pseudonym stays, too, and no two victims have one name.
func (s *Store) SetVictim(a Actor, id ID, request, pseudonym string, p Person) (Case, error) {
	return s.record(a, id, request, []string{pseudonym, p.Name, p.Contact, p.Text}, func(c *Case) (Fact, error) {
		at := slices.IndexFunc(c.Victims, func(v Victim) bool { return v.Pseudonym == pseudonym })
		if at < 0 {
			return nil, fmt.Errorf("victim %q: %w", pseudonym, ledger.ErrNotFound)
		}
		k, err := s.keyOf(c)
		if err != nil {
			return nil, err
		}
		var now Person
		if err := k.openJSON(c.Victims[at].Sealed, about(id, pseudonym), &now); err != nil {
			return nil, err
		}
		now.Name, now.Contact, now.Text = cmp.Or(p.Name, now.Name), cmp.Or(p.Contact, now.Contact), cmp.Or(p.Text, now.Text)
		v := &victimChanged{Victim{Pseudonym: pseudonym, Match: k.match(now.Name)}}
		v.Victim.Sealed, err = k.sealJSON(now, about(id, pseudonym))
		return v, err
	})
}

// Remarks opens what is sealed of the payments, by id, and records that it was read.
func (s *Store) Remarks(a Actor, id ID) (map[string]Remarks, error) {
	all := map[string]Remarks{}
	err := s.unseal(a, id, "remarks", func(c *Case, k caseKey) error {
		for _, p := range c.Payments {
			if p.Sealed == nil {
				continue
			}
			var r Remarks
			if err := k.openJSON(p.Sealed, about(id, p.ID), &r); err != nil {
				return err
			}
			all[p.ID] = r
		}
		return nil
	})
	return all, err
}

// AddNote seals a text.
func (s *Store) AddNote(a Actor, id ID, request, text string) (Case, error) {
	return s.record(a, id, request, text, func(c *Case) (Fact, error) {
		if err := texts("note", text); err != nil {
			return nil, err
		}
		k, err := s.keyOf(c)
		if err != nil {
			return nil, err
		}
		box, err := k.seal([]byte(text), about(id, "note"))
		return &Note{Sealed: box}, err
	})
}

// Notes opens the notes, in their order, and records that they were read.
func (s *Store) Notes(a Actor, id ID) (all []string, err error) {
	err = s.unseal(a, id, "notes", func(c *Case, k caseKey) error {
		for _, n := range c.Notes {
			plain, err := k.open(n.Sealed, about(id, "note"))
			if err != nil {
				return err
			}
			all = append(all, string(plain))
		}
		return nil
	})
	return all, err
}

// File is an exhibit with what is sealed of it.
type File struct {
	Name        string `json:"name"` // as it came, never a path here
	Description string `json:"description"`
	Content     []byte `json:"-"`
}

// AddExhibit keeps a file. The sealed file is durable before the entry that names
// it: after a crash between the two it is a stray, which the next try replaces.
func (s *Store) AddExhibit(a Actor, id ID, request string, f File) (Case, error) {
	sum := sha256.Sum256(f.Content)
	name := hex.EncodeToString(sum[:])
	wish := []string{f.Name, f.Description, name}
	return s.record(a, id, request, wish, func(c *Case) (Fact, error) {
		if len(f.Content) > maxExhibit {
			return nil, fmt.Errorf("an exhibit of %d bytes, at most %d: %w", len(f.Content), maxExhibit, ledger.ErrExhausted)
		}
		x := &Exhibit{SHA256: name, SealedSHA256: name, Size: int64(len(f.Content))}
		if err := x.check(c); err != nil {
			return nil, err // before the file of an older entry would be written over
		}
		if err := c.permit(Entry{By: a.Name, Kind: KindExhibit}, x); err != nil {
			return nil, err
		}
		k, err := s.keyOf(c)
		if err != nil {
			return nil, err
		}
		if x.Sealed, err = k.sealJSON(f, about(id, "exhibit "+name)); err != nil {
			return nil, err
		}
		box, err := k.seal(f.Content, about(id, "content "+name))
		if err != nil {
			return nil, err
		}
		sealed := sha256.Sum256(box)
		x.SealedSHA256 = hex.EncodeToString(sealed[:])
		return x, chainlog.Replace(filepath.Join(s.dir, string(id), "exhibits", name), box, 0o600)
	})
}

// Exhibit reads a file back, compares its hash, and records that it was read.
func (s *Store) Exhibit(a Actor, id ID, name string) (f File, err error) {
	err = s.unseal(a, id, "exhibit "+name, func(c *Case, k caseKey) error {
		at := slices.IndexFunc(c.Exhibits, func(x Exhibit) bool { return x.SHA256 == name })
		if at < 0 {
			return fmt.Errorf("exhibit %q: %w", name, ledger.ErrNotFound)
		}
		var err error
		if f.Content, err = s.exhibit(k, id, name); err != nil {
			return err
		}
		return k.openJSON(c.Exhibits[at].Sealed, about(id, "exhibit "+name), &f)
	})
	return f, err
}

// exhibit reads the content of an exhibit and compares its hash.
func (s *Store) exhibit(k caseKey, id ID, name string) ([]byte, error) {
	box, err := os.ReadFile(filepath.Join(s.dir, string(id), "exhibits", name))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
	}
	content, err := k.open(box, about(id, "content "+name))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != name {
		return nil, fmt.Errorf("%w: exhibit %s has another hash", ledger.ErrCorrupt, name)
	}
	return content, nil
}

// unseal records a reading, and only then reads.
func (s *Store) unseal(a Actor, id ID, what string, read func(c *Case, k caseKey) error) error {
	c, err := s.Add(a, id, "", &Read{What: what})
	if err != nil {
		return err
	}
	k, err := s.keyOf(&c)
	if err == nil {
		err = read(&c, k)
	}
	if err != nil {
		return fmt.Errorf("cases: case %s: %w", id, err)
	}
	return nil
}

// Erase deletes the key of a case: what is sealed cannot be read again by anybody.
// The entry comes first; if we were to crash between the two, Open deletes the key.
func (s *Store) Erase(a Actor, id ID, reason string) (Case, error) {
	c, err := s.record(a, id, "", reason, func(*Case) (Fact, error) { return &erased{reason}, nil })
	if err != nil {
		return c, err
	}
	if err := s.dropKey(id); err != nil {
		return c, fmt.Errorf("cases: case %s: it is recorded as erased, and its key is not gone: %w", id, err)
	}
	return c, nil
}
