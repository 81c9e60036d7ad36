package cases

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/spoortrace/spoor/internal/chainlog"
	"github.com/spoortrace/spoor/ledger"
)

// Store has the cases of one data directory, each replayed in memory. It is safe
// for use by several goroutines, and by one process.
type Store struct {
	dir  string
	now  func() time.Time
	key  chainlog.Key
	wrap *caseKey
	lock *os.File

	mu    sync.RWMutex
	cases map[ID]*held
}

// held is one case; its entries are made one after another.
type held struct {
	mu    sync.Mutex
	state Case
	log   *chainlog.Log
}

// Options are what a store is opened with.
type Options struct {
	Now         func() time.Time
	WrappingKey []byte // 32 bytes that seal the keys of the cases, kept elsewhere; nil: they lie in plain, mode 0600
}

// Actor is who does something. Tenant and name were authenticated by the caller.
type Actor struct {
	Tenant string
	Name   string
}

// Open opens or makes DIR/cases and replays every case. ledger.ErrBusy when
// another process has it, ledger.ErrCorrupt when a log does not hold.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{dir: filepath.Join(dir, "cases"), now: o.Now, cases: map[ID]*held{}}
	if o.WrappingKey != nil {
		if len(o.WrappingKey) != len(caseKey{}) {
			return nil, ledger.Invalid("wrapping key", "32 bytes", fmt.Sprintf("%d bytes", len(o.WrappingKey)))
		}
		k := caseKey(o.WrappingKey)
		s.wrap = &k
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(s.dir, "keys"), 0o700), chainlog.SyncDir(dir)); err != nil {
		return nil, fmt.Errorf("cases: %w", err)
	}
	var err error
	if s.lock, err = chainlog.Lock(filepath.Join(s.dir, "lock")); err != nil {
		return nil, fmt.Errorf("cases: %w", err)
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("cases: %w", err), s.lock.Close())
	}
	return s, nil
}

// Close lets another process have the store.
func (s *Store) Close() error { return s.lock.Close() }

func (s *Store) load() error {
	ids, left, err := folders(s.dir)
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	if len(ids) > 0 {
		if err := s.openKey(false); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if s.cases[id], err = s.open(id, filepath.Join(s.dir, string(id))); err != nil {
			return err
		}
	}
	return nil
}

// openKey reads the key that signs checkpoints, or makes it for the first case: a
// folder without cases needs none.
func (s *Store) openKey(fresh bool) (err error) {
	if s.key.Signer != nil {
		return nil
	}
	s.key, err = chainlog.OpenKey(filepath.Join(s.dir, "custody"), "spoor-custody", fresh)
	return err
}

// folders lists the cases, and what New left over when it was cut short. A name
// that is neither is ledger.ErrCorrupt.
func folders(dir string) (ids []ID, left []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		name := e.Name()
		if slices.Contains([]string{"lock", "keys", "custody.key", "custody.pub"}, name) {
			continue
		}
		if strings.HasSuffix(name, ".new") {
			left = append(left, name)
			continue
		}
		id, err := ParseID(name)
		if err != nil || !e.IsDir() {
			return nil, nil, fmt.Errorf("%w: %q is no case", ledger.ErrCorrupt, name)
		}
		ids = append(ids, id)
	}
	return ids, left, nil
}

func originOf(id ID) string { return "spoor custody log of " + string(id) }

// open replays a case, and ends what a crash cut short.
func (s *Store) open(id ID, dir string) (*held, error) {
	h := &held{state: Case{ID: id}}
	var err error
	h.log, err = chainlog.Open(filepath.Join(dir, "custody"), originOf(id), s.key, h.state.take)
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", id, err)
	}
	if n := h.log.Beyond(); n > 0 {
		if err := h.add(Entry{Time: stamp(s.now()), By: "spoor", Kind: KindRecovered}, &recovered{n}); err != nil {
			return nil, err
		}
	}
	if h.state.Erased {
		return h, s.dropKey(id)
	}
	return h, nil
}

// take folds one line of a log.
func (c *Case) take(line chainlog.Entry) error {
	var e Entry
	if err := decode(line.Body, &e); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
	}
	if err := c.fold(e); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
	}
	return nil
}

// add checks an entry, makes it durable, and only then folds it.
func (h *held) add(e Entry, f Fact) (err error) {
	if err := h.state.permit(e, f); err != nil {
		return err
	}
	if err := f.check(&h.state); err != nil {
		return err
	}
	if e.Data, err = json.Marshal(f); err != nil {
		return err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := h.log.Append(body); err != nil {
		return err
	}
	return h.state.fold(e)
}

// New opens a case; its author is its first owner. A number that the tenant has
// a case of is ledger.ErrPrecondition.
func (s *Store) New(a Actor, o Opening) (Case, error) { return s.NewOnce(a, "", o) }

// NewOnce is New under a name of the wish: the same wish again is answered with
// the same case, another one under its name is ledger.ErrPrecondition.
func (s *Store) NewOnce(a Actor, request string, o Opening) (Case, error) {
	o.Tenant = a.Tenant
	id := newID(o.Tenant, o.Number)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.openedAs(a, request); h != nil {
		if h.state.Opening != o {
			return Case{}, fmt.Errorf("cases: %w: the request %q was another one", ledger.ErrPrecondition, request)
		}
		return h.state.clone(), nil
	}
	if s.cases[id] != nil {
		return Case{}, fmt.Errorf("cases: %w: there is a case %s", ledger.ErrPrecondition, id)
	}
	if err := texts("name", a.Name); err != nil {
		return Case{}, fmt.Errorf("cases: %w", err)
	}
	if err := s.openKey(len(s.cases) == 0); err != nil {
		return Case{}, fmt.Errorf("cases: %w", err)
	}
	h, err := s.make(id, Entry{Time: stamp(s.now()), By: a.Name, Kind: KindOpened, Request: request}, &o)
	if err != nil {
		return Case{}, fmt.Errorf("cases: case %s: %w", id, err)
	}
	s.cases[id] = h
	return h.state.clone(), nil
}

// openedAs is the case that an actor opened under a request's name.
func (s *Store) openedAs(a Actor, request string) *held {
	for _, h := range s.cases {
		h.mu.Lock()
		c := &h.state
		mine := request != "" && c.Opening.Tenant == a.Tenant && c.OpenedBy == a.Name && c.opened == request
		h.mu.Unlock()
		if mine {
			return h
		}
	}
	return nil
}

// make builds the folder beside its place and moves it there. If we were to
// crash before the move, Open would take the rest away.
func (s *Store) make(id ID, e Entry, o *Opening) (*held, error) {
	next, dir := filepath.Join(s.dir, string(id)+".new"), filepath.Join(s.dir, string(id))
	if err := errors.Join(os.RemoveAll(next), os.MkdirAll(filepath.Join(next, "exhibits"), 0o700), s.makeKey(id)); err != nil {
		return nil, err
	}
	h, err := s.open(id, next)
	if err == nil {
		err = h.add(e, o)
	}
	if err == nil {
		err = chainlog.SyncDir(next)
	}
	if err == nil {
		err = os.Rename(next, dir)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(next))
	}
	if err := chainlog.SyncDir(s.dir); err != nil {
		return nil, err
	}
	return s.open(id, dir)
}

// find says of a case of another tenant what it says of none.
func (s *Store) find(tenant string, id ID) (*held, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h := s.cases[id]
	if h == nil || h.state.Opening.Tenant != tenant {
		return nil, fmt.Errorf("cases: case %q: %w", string(id), ledger.ErrNotFound)
	}
	return h, nil
}

// Add records a fact. request names the wish: the same again does nothing, and
// another wish under the same name is ledger.ErrPrecondition; empty: no name. A
// package that is recorded already is not recorded again.
func (s *Store) Add(a Actor, id ID, request string, f Fact) (Case, error) {
	switch f.(type) {
	case *Opening, *paymentsAdded, *victimChanged, *Note, *Exhibit, *erased, *recovered, *Handover:
		return Case{}, ledger.Invalid("fact", "one that Add takes", string(f.kind()))
	}
	return s.record(a, id, request, f, func(c *Case) (Fact, error) {
		if p, ok := f.(*Package); ok && slices.ContainsFunc(c.Packages, func(o Package) bool { return o.SHA256 == p.SHA256 }) {
			return nil, c.permit(Entry{By: a.Name, Kind: KindPackage}, f)
		}
		return f, nil
	})
}

// May refuses what the role of a member does not hold, before work is done for it.
func (s *Store) May(a Actor, id ID, f Fact) error {
	h, err := s.find(a.Tenant, id)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.state.permit(Entry{By: a.Name, Kind: f.kind()}, f); err != nil {
		return fmt.Errorf("cases: case %s: %w", id, err)
	}
	return nil
}

// Requested is the package that was recorded under the name of a request, if one
// was. It shows pins alone, and is not recorded.
func (s *Store) Requested(a Actor, id ID, request string) (p Package, ok bool, err error) {
	h, err := s.find(a.Tenant, id)
	if err != nil || request == "" {
		return p, false, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	at := slices.IndexFunc(h.state.Packages, func(o Package) bool { return o.Request == request })
	if at < 0 {
		return p, false, nil
	}
	return h.state.Packages[at], true, nil
}

// record makes an entry of what build makes of the wish; of nothing, none.
func (s *Store) record(a Actor, id ID, request string, wish any, build func(c *Case) (Fact, error)) (Case, error) {
	h, err := s.find(a.Tenant, id)
	if err != nil {
		return Case{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	done, asked, err := s.repeated(&h.state, request, wish)
	if err != nil || done {
		return h.state.clone(), err
	}
	f, err := build(&h.state)
	if err == nil && f != nil {
		err = h.add(Entry{Time: stamp(s.now()), By: a.Name, Kind: f.kind(), Request: request, Asked: asked}, f)
	}
	if err != nil {
		return Case{}, fmt.Errorf("cases: case %s: %w", id, err)
	}
	return h.state.clone(), nil
}

// repeated says whether a wish was granted before. Its digest is keyed, since
// the wish may hold a name; without the key, the name of the wish decides.
func (s *Store) repeated(c *Case, request string, wish any) (done bool, asked string, err error) {
	if request == "" {
		return false, "", nil
	}
	text, err := json.Marshal(wish)
	if err != nil {
		return false, "", fmt.Errorf("cases: %w", err)
	}
	if k, err := s.keyOf(c); err == nil {
		mac := hmac.New(sha256.New, k[:])
		fmt.Fprintf(mac, "wish %T ", wish)
		mac.Write(text)
		asked = hex.EncodeToString(mac.Sum(nil))
	}
	before, done := c.ids[request]
	if done && before != "" && asked != "" && before != asked {
		return false, "", fmt.Errorf("cases: case %s: %w: the request %q was another one", c.ID, ledger.ErrPrecondition, request)
	}
	return done, asked, nil
}

// Get returns a case as it is, and records that it was read.
func (s *Store) Get(a Actor, id ID) (Case, error) {
	return s.Add(a, id, "", &Read{What: "case"})
}

// Summary is a case in a list.
type Summary struct {
	ID       ID
	Number   string
	Title    string
	OpenedAt time.Time
	Role     Role // of who asked
}

// List returns the cases of a tenant that the actor is a member of, by id. It
// shows nothing of what they hold, and is not recorded.
func (s *Store) List(a Actor) []Summary {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []Summary
	for id, h := range s.cases {
		h.mu.Lock()
		role, ok := h.state.member(a.Name)
		if ok && h.state.Opening.Tenant == a.Tenant {
			all = append(all, Summary{id, h.state.Opening.Number, h.state.Opening.Title, h.state.OpenedAt, role})
		}
		h.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b Summary) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Log gives each entry of a case to each, sealed as it is, and records that before.
func (s *Store) Log(a Actor, id ID, each func(Entry) error) error {
	h, err := s.read(a, id, "custody log")
	if err != nil {
		return err
	}
	return h.log.Read(func(line chainlog.Entry) error {
		var e Entry
		if err := decode(line.Body, &e); err != nil {
			return fmt.Errorf("cases: case %s: %w: %w", id, ledger.ErrCorrupt, err)
		}
		e.Sequence = line.Number
		return each(e)
	})
}

// Proofs are the checkpoint of a custody log and proofs of what it holds.
type Proofs struct {
	Checkpoint []byte
	Entry      func(number, size uint64) (tlog.RecordProof, error) // inclusion; see chainlog.Log.ProveEntry
	Tree       func(size, earlier uint64) (tlog.TreeProof, error)  // consistency; see chainlog.Log.ProveTree
}

// Proofs returns what a custody excerpt is proven with, and records that.
func (s *Store) Proofs(a Actor, id ID) (Proofs, error) {
	h, err := s.read(a, id, "custody proofs")
	if err != nil {
		return Proofs{}, err
	}
	return Proofs{h.log.Checkpoint(), h.log.ProveEntry, h.log.ProveTree}, nil
}

// read records a reading and returns the case.
func (s *Store) read(a Actor, id ID, what string) (*held, error) {
	if _, err := s.Add(a, id, "", &Read{What: what}); err != nil {
		return nil, err
	}
	return s.find(a.Tenant, id)
}
