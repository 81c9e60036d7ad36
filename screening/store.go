package screening

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"sync"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// Keys. Partitions are "meta" and "t/" + tenant; the first byte of a sort key is
// its kind:
//
//	meta  head                 epoch and number of the last batch (the pointer)
//	meta  log + number         a batch as it was decided, until it is applied
//	meta  tenant + name        a tenant that has rows
//	meta  seen + network       the block up to which a network was looked at; the label log has one, too
//	t/..  K                    the tenant's secret
//	      T + id               a transfer or attempt
//	      N + network, height  transfers by the last block that their score saw; then their id
//	      A + evidence, id     transfers by what their score rests on
//	      a + evidence, watch  watches by what their score rests on
//	      Q + kind + id        what is to be scored again, and when
//	      S + kind             how far going over everything has come
//	      V                    the hash of the rules that everything was scored by
//	      P + id               transfers that are not seen yet
//	      U + user             the key of a user
//	      u + user, id         transfers by user
//	      C + number           the chain of registrations
//	      L + id               an alert
//	      l + number           alerts in the order of their creation
//	      t + transfer, id     alerts by transfer
//	      F + id               alerts that are tentative
//	      E + number           an alert event
//	      W + address          a watch
//	      O + address          the tenant's own addresses among them
//	      # + kind             how many there are of a kind
//	      R                    the rule file in force; r + version: every one taken
//	      H + endpoint         the last event that a webhook took
//
// Every value ends with its CRC-32C.

// Store is safe for concurrent use. One goroutine writes; it ends with Close.
type Store struct {
	kv    store.KV
	queue chan *change
	ended chan struct{}

	mu      sync.RWMutex // guards what follows, and closed against queue
	closed  bool
	watched map[string]*tenantState
	events  chan struct{} // closed and replaced with every alert event

	// Of the writer alone.
	epoch, number uint64
	pointer       []byte
	broken        error
}

// tenantState is what every screening asks of a tenant; it is replaced, never changed.
type tenantState struct {
	version uint64
	own     map[string]bool
	rules   []byte
}

// change is one decision: it reads, and writes what it decides.
type change struct {
	decide func(*batch) error
	done   chan error
}

const (
	maxBatch = 512 // changes of one durable write
	waiting  = 4096
)

// Open takes over an engine of its own and finishes what a crash interrupted.
// ledger.ErrCorrupt when something acknowledged is damaged.
func Open(ctx context.Context, kv store.KV) (*Store, error) {
	s := &Store{kv: kv, queue: make(chan *change, waiting), ended: make(chan struct{}), watched: map[string]*tenantState{}, events: make(chan struct{})}
	if err := s.recover(ctx); err != nil {
		return nil, fmt.Errorf("screening: %w", err)
	}
	if err := s.loadTenants(); err != nil {
		return nil, fmt.Errorf("screening: %w", err)
	}
	go s.write()
	return s, nil
}

// Dump yields every row as of one moment, until done is called; what is decided
// meanwhile is not in it. Another engine that is filled with them opens as after a crash at that moment.
func (s *Store) Dump(ctx context.Context) (rows iter.Seq2[store.Op, error], done func(), err error) {
	rows, _, done, err = store.Dump(ctx, s.kv)
	return rows, done, err
}

// Close ends the writer after what it was asked, and closes the engine.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.queue)
	s.mu.Unlock()
	<-s.ended
	return s.kv.Close()
}

var errClosed = errors.New("screening: the store is closed")

// do has a change decided and made durable, together with others that wait.
func (s *Store) do(ctx context.Context, decide func(*batch) error) error {
	c := &change{decide: decide, done: make(chan error, 1)}
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return errClosed
	}
	select {
	case s.queue <- c:
		s.mu.RUnlock()
	case <-ctx.Done():
		s.mu.RUnlock()
		return ctx.Err()
	}
	return <-c.done // it is decided: an answer of "cancelled" would not be true
}

func (s *Store) write() {
	defer close(s.ended)
	for first := range s.queue {
		changes := []*change{first}
		for len(changes) < maxBatch {
			select {
			case c, ok := <-s.queue:
				if ok {
					changes = append(changes, c)
					continue
				}
			default:
			}
			break
		}
		s.commit(changes)
	}
}

// commit decides changes one after the other, each on what those before it
// decided, and makes all of them durable at once. One that fails writes nothing.
func (s *Store) commit(changes []*change) {
	reader, done := s.kv.View()
	defer done()
	b := &batch{reader: reader, rows: map[string]row{}}
	errs := make([]error, len(changes))
	for i, c := range changes {
		if errs[i] = s.broken; errs[i] == nil {
			errs[i] = b.attempt(c.decide)
		}
	}
	if err := s.persist(context.Background(), b.ops()); err != nil {
		s.broken = fmt.Errorf("screening: nothing more is written after: %w", err)
		for i := range errs {
			errs[i] = s.broken
		}
	} else {
		s.publish(b)
	}
	for i, c := range changes {
		c.done <- errs[i]
	}
}

// persist writes a batch to the log row, then moves the pointer to it: from then
// on it holds. Were we to crash before the rows below are written, recover would
// write them. The log row before is deleted once its rows are durable, which
// moving the pointer made them.
func (s *Store) persist(ctx context.Context, ops []store.Op) error {
	if len(ops) == 0 {
		return nil
	}
	next := s.number + 1
	log := store.Op{Partition: meta(), Sort: logKey(next), Value: seal(appendOps(nil, ops))}
	if err := s.kv.Write(ctx, []store.Op{log}); err != nil {
		return err
	}
	pointer := pointerValue(s.epoch, next)
	if err := s.kv.Publish(ctx, meta(), []byte("head"), s.pointer, pointer, s.epoch); err != nil {
		return err
	}
	before := store.Op{Partition: meta(), Sort: logKey(s.number), Delete: true}
	s.number, s.pointer = next, pointer
	return s.kv.Write(ctx, append(ops, before))
}

// recover applies the batches that the pointer says were decided.
func (s *Store) recover(ctx context.Context) error {
	reader, done := s.kv.View()
	defer done()
	value, err := reader.Get(meta(), []byte("head"))
	if err != nil && !errors.Is(err, store.ErrAbsent) {
		return err
	}
	if err == nil {
		s.pointer = value
		if s.epoch, s.number, err = readPointer(value); err != nil {
			return err
		}
	}
	s.epoch++
	var last uint64
	for r, err := range reader.Scan(meta(), logKey(0), logKey(s.number+1), false) {
		if err != nil {
			return err
		}
		body, err := open(r.Value)
		if err != nil {
			return fmt.Errorf("batch: %w", err)
		}
		ops, err := readOps(body)
		if err != nil {
			return err
		}
		if err := s.kv.Write(ctx, ops); err != nil {
			return err
		}
		last = binary.BigEndian.Uint64(r.Sort[3:])
	}
	if last != s.number {
		return fmt.Errorf("batch %d was acknowledged and is not there: %w", s.number, ledger.ErrCorrupt)
	}
	pointer := pointerValue(s.epoch, s.number)
	if err := s.kv.Publish(ctx, meta(), []byte("head"), s.pointer, pointer, s.epoch); err != nil {
		return err
	}
	s.pointer = pointer
	return nil
}

func meta() []byte { return []byte("meta") }

func partition(tenant string) []byte { return []byte("t/" + tenant) }

func logKey(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte("log"), n) }

func pointerValue(epoch, number uint64) []byte {
	return seal(binary.AppendUvarint(binary.AppendUvarint(nil, epoch), number))
}

func readPointer(value []byte) (epoch, number uint64, err error) {
	body, err := open(value)
	if err != nil {
		return 0, 0, err
	}
	r := bytes.NewReader(body)
	if epoch, err = binary.ReadUvarint(r); err == nil {
		number, err = binary.ReadUvarint(r)
	}
	if err != nil || r.Len() > 0 {
		return 0, 0, fmt.Errorf("pointer: %w", ledger.ErrCorrupt)
	}
	return epoch, number, nil
}

// seal appends the checksum of a value; open takes it off.
func seal(body []byte) []byte {
	return binary.BigEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func open(value []byte) ([]byte, error) {
	n := len(value) - crc32.Size
	if n < 0 || crc32.Checksum(value[:n], crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(value[n:]) {
		return nil, fmt.Errorf("a row of %d bytes does not have its checksum: %w", len(value), ledger.ErrCorrupt)
	}
	return value[:n], nil
}
