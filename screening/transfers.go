package screening

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// Register enters a transfer of a user as PENDING. The same (kind, user,
// reference, direction) again is the transfer that is there, and known is true.
// It is durable when this returns.
func (s *Store) Register(ctx context.Context, tenant, user string, r Registration, now int64) (t Transfer, known bool, err error) {
	return s.RegisterScored(ctx, tenant, user, r, Result{State: Pending}, now)
}

// RegisterScored is Register with what scoring a transfer came to, in one durable
// write. One that is known keeps its result.
func (s *Store) RegisterScored(ctx context.Context, tenant, user string, r Registration, first Result, now int64) (t Transfer, known bool, err error) {
	err = s.do(ctx, func(b *batch) error {
		p := string(partition(tenant))
		secret, err := b.secret(tenant)
		if err != nil {
			return err
		}
		id := externalID(secret, user, r)
		if known, err = load(b.get, p, "T"+id, &t); err != nil || known {
			t.User = user
			return err
		}
		t = Transfer{ID: id, Registration: r, UserKey: named(secret, "user", user), Registered: now, State: Pending}
		if t.Sealed, err = b.sealUser(tenant, t.UserKey, user); err != nil {
			return err
		}
		if t.Number, err = b.chain(p, &t); err != nil {
			return err
		}
		b.put(p, "u"+t.UserKey+id, nil)
		err = b.setResult(p, &t, first, now)
		t.User = user
		return err
	})
	return t, known, err
}

// link is one registration in the chain: its digest is over what was registered
// with the sealed user, so that it outlives the user's key.
type link struct {
	ID     string
	Digest [sha256.Size]byte
	Chain  [sha256.Size]byte // SHA-256 of the link before and this digest
}

func digestOf(t *Transfer) ([sha256.Size]byte, error) {
	body, err := json.Marshal(struct {
		ID string
		Registration
		Sealed     []byte
		Registered int64
	}{t.ID, t.Registration, t.Sealed, t.Registered})
	return sha256.Sum256(body), err
}

func (b *batch) chain(p string, t *Transfer) (uint64, error) {
	n, err := b.next(p, "C")
	if err != nil {
		return 0, err
	}
	var before, l link
	if n > 1 {
		if found, err := load(b.get, p, numbered("C", n-1), &before); err != nil || !found {
			return 0, fmt.Errorf("registration %d: %w", n-1, errors.Join(err, ledger.ErrCorrupt))
		}
	}
	l.ID = t.ID
	if l.Digest, err = digestOf(t); err != nil {
		return 0, err
	}
	l.Chain = sha256.Sum256(append(before.Chain[:], l.Digest[:]...))
	return n, b.save(p, numbered("C", n), &l)
}

// VerifyChain reads every registration of a tenant against the chain and
// returns how many there are. ledger.ErrCorrupt names the first that is not
// what was registered.
func (s *Store) VerifyChain(ctx context.Context, tenant string) (n uint64, err error) {
	var before [sha256.Size]byte
	err = s.read(func(get getter, r store.Reader) error {
		for row, err := range r.Scan(partition(tenant), []byte("C"), after("C"), false) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			n++
			if before, err = verifyLink(get, tenant, row, n, before); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

func verifyLink(get getter, tenant string, row store.Row, n uint64, before [sha256.Size]byte) ([sha256.Size]byte, error) {
	var l link
	var t Transfer
	if string(row.Sort) != numbered("C", n) {
		return before, fmt.Errorf("screening: registration %d is missing: %w", n, ledger.ErrCorrupt)
	}
	if _, err := load(get, string(partition(tenant)), string(row.Sort), &l); err != nil {
		return before, err
	}
	found, err := load(get, string(partition(tenant)), "T"+l.ID, &t)
	if err != nil {
		return before, err
	}
	digest, err := digestOf(&t)
	if err != nil {
		return before, err
	}
	if !found || digest != l.Digest || l.Chain != sha256.Sum256(append(before[:], digest[:]...)) {
		return before, fmt.Errorf("screening: registration %d (%s) is not what was registered: %w", n, l.ID, ledger.ErrCorrupt)
	}
	return l.Chain, nil
}

// SetResult keeps what scoring a transfer came to, in place of what it came to before.
func (s *Store) SetResult(ctx context.Context, tenant, id string, r Result, now int64) (t Transfer, err error) {
	err = s.do(ctx, func(b *batch) error {
		p := string(partition(tenant))
		found, err := load(b.get, p, "T"+id, &t)
		if err != nil || !found {
			return errors.Join(err, absent(id, found))
		}
		if err := b.setResult(p, &t, r, now); err != nil {
			return err
		}
		return openUser(b.get, tenant, &t)
	})
	return t, err
}

func (b *batch) setResult(p string, t *Transfer, r Result, now int64) error {
	b.rests(p, "A", t.ID, t.Evidence, r.Evidence)
	if t.State != Pending {
		b.drop(p, heightRow(t.Network, t.Height)+t.ID)
	}
	b.drop(p, "P"+t.ID)
	t.State, t.Tx, t.Level, t.Height, t.Evidence, t.Result, t.Updated = r.State, r.Tx, r.Level, r.Height, r.Evidence, r.Body, now
	if r.State == Pending {
		t.Updated = 0
		b.put(p, "P"+t.ID, nil)
	} else {
		b.put(p, heightRow(t.Network, t.Height)+t.ID, nil)
	}
	return b.save(p, "T"+t.ID, t)
}

func absent(id string, found bool) error {
	if found {
		return nil
	}
	return fmt.Errorf("%.64s: %w", id, ledger.ErrNotFound)
}

// getter reads the body of a row.
type getter func(partition, sort string) ([]byte, error)

// read runs a question on one view.
func (s *Store) read(ask func(get getter, r store.Reader) error) error {
	r, done := s.kv.View()
	defer done()
	return ask(func(partition, sort string) ([]byte, error) {
		value, err := r.Get([]byte(partition), []byte(sort))
		if err != nil {
			return nil, err
		}
		return open(value)
	}, r)
}

// Transfer reads a transfer or attempt; ledger.ErrNotFound when the tenant has none of that id.
func (s *Store) Transfer(_ context.Context, tenant, id string) (t Transfer, err error) {
	err = s.read(func(get getter, _ store.Reader) error {
		found, err := load(get, string(partition(tenant)), "T"+id, &t)
		if err != nil || !found {
			return errors.Join(err, absent(id, found))
		}
		return openUser(get, tenant, &t)
	})
	return t, err
}

// ids lists what stands behind a prefix of an index.
func (s *Store) ids(tenant, prefix string) (ids []string, err error) {
	err = s.read(func(_ getter, r store.Reader) error {
		for row, err := range r.Scan(partition(tenant), []byte(prefix), after(prefix), false) {
			if err != nil {
				return err
			}
			ids = append(ids, strings.TrimPrefix(string(row.Sort), prefix))
		}
		return nil
	})
	return ids, err
}

// PendingTransfers lists the transfers of a tenant that are not seen yet.
func (s *Store) PendingTransfers(tenant string) ([]string, error) { return s.ids(tenant, "P") }

// Touching lists the transfers whose score rests on something (see Transfer.Evidence).
func (s *Store) Touching(tenant, evidence string) ([]string, error) {
	return s.ids(tenant, "A"+evidence+"\x00")
}

// ScoredFrom lists the transfers of a network that were scored as of a height or
// one above it: what a replaced block may have changed.
func (s *Store) ScoredFrom(tenant, network string, height uint64) (ids []string, err error) {
	prefix := heightPrefix(network)
	err = s.read(func(_ getter, r store.Reader) error {
		for row, err := range r.Scan(partition(tenant), []byte(heightRow(network, height)), after(prefix), false) {
			if err != nil {
				return err
			}
			ids = append(ids, string(row.Sort[len(prefix)+8:]))
		}
		return nil
	})
	return ids, err
}

func heightPrefix(network string) string { return "N" + network + "\x00" }

func heightRow(network string, height uint64) string { return numbered(heightPrefix(network), height) }

// Each yields every transfer of a tenant, in no order that means anything, until yield says no.
func (s *Store) Each(ctx context.Context, tenant string, yield func(Transfer) bool) error {
	return s.read(func(get getter, r store.Reader) error {
		for row, err := range r.Scan(partition(tenant), []byte("T"), after("T"), false) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			var t Transfer
			if _, err := load(func(string, string) ([]byte, error) { return open(row.Value) }, "", string(row.Sort), &t); err != nil {
				return err
			}
			if err := openUser(get, tenant, &t); err != nil {
				return err
			}
			if !yield(t) {
				return nil
			}
		}
		return nil
	})
}

// EraseUser destroys the key of a user's id and returns how many transfers say
// of whom no more.
func (s *Store) EraseUser(ctx context.Context, tenant, user string) (n uint64, err error) {
	err = s.do(ctx, func(b *batch) error {
		p := string(partition(tenant))
		secret, err := b.secret(tenant)
		if err != nil {
			return err
		}
		hash := named(secret, "user", user)
		rows, err := b.scan(p, "u"+hash)
		for _, sort := range rows {
			b.drop(p, sort)
		}
		b.drop(p, "U"+hash)
		n = uint64(len(rows))
		return err
	})
	return n, err
}
