package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Audit is the log of what was done with keys. In its folder:
//
//	audit.log         a journal, one line a call; when it is full, it goes on in
//	                  audit.1.log, audit.2.log and so on
//	audit.checkpoint  how far it was acknowledged, with the root of the Merkle
//	                  tree (RFC 6962) over its lines, signed; replaced by rename
//	audit.key         the Ed25519 key that signs, made at first use
//	audit.pub         the other half, by which anybody can verify
//
// Who can read audit.key can sign another log. So a checkpoint should be kept
// elsewhere from time to time: VerifyAudit then says whether the log still
// holds all that it held.
//
// Calls that come together are synced together. An Audit is safe for use by
// several goroutines, and by one process.
type Audit struct {
	now    func() time.Time
	full   int64 // bytes from which on the journal goes on in another file
	signer note.Signer
	secret [sha256.Size]byte // keys the hashes of subjects
	cut    int64

	journal *journal // of the goroutine commit alone
	tree    tree     // the same

	queue  chan pending
	failed atomic.Bool // the last write did not succeed
	ended  chan struct{}

	mu     sync.RWMutex // held to send to queue; by Close, to end it
	closed bool
}

// Event is one call, or the begin or end of a stream.
type Event struct {
	Sequence uint64 // from 1, without gaps; Record gives it
	Time     time.Time
	Tenant   string
	Key      string // id
	Name     string // of the key
	Role     Role
	Method   string // such as /spoor.v1.ScreeningService/RegisterTransfer
	Subject  string // what Subject makes of what it was about; empty: nothing in particular
	Outcome  string // OK, or the code of the error; BEGUN for a stream
}

type pending struct {
	body []byte
	done chan error // has room for one
}

// queueLength bounds the calls that wait for a sync, and those of one sync.
const queueLength = 1024

// The files of an audit log.
const (
	auditLogName        = "audit.log"
	auditCheckpointName = "audit.checkpoint"
	auditKeyName        = "audit.key"
	auditPubName        = "audit.pub"
)

// OpenAudit opens or makes an audit log. ledger.ErrBusy when another process has
// it; ledger.ErrCorrupt when its end is not what was acknowledged, which only
// looks at the end: VerifyAudit reads all. A file of segment bytes or more (0:
// 64 MiB) is full.
func OpenAudit(dir string, now func() time.Time, segment int64) (*Audit, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	if segment <= 0 {
		segment = defaultSegment
	}
	a := &Audit{now: now, full: segment, queue: make(chan pending, queueLength), ended: make(chan struct{})}
	from, err := a.openKey(dir)
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	at := from.checkpoint
	beyond := uint64(0)
	a.journal, a.cut, err = openJournal(filepath.Join(dir, auditLogName), at.mark, from.head, func(body []byte, _ mark) error {
		at.tree = at.with(body)
		beyond++
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.tree = at.tree
	if from.head.text == nil { // an empty log is signed, too
		if err := a.write(nil); err != nil {
			return nil, errors.Join(err, a.journal.close())
		}
	}
	go a.commit()
	if beyond > 0 { // a crash came between the lines and their checkpoint, or somebody wrote them
		if err := a.Record(Event{Method: "audit.recover", Outcome: fmt.Sprintf("%d lines beyond the checkpoint", beyond)}); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	return a, nil
}

// Cut returns how many bytes of an unfinished write OpenAudit cut off.
func (a *Audit) Cut() int64 { return a.cut }

// Subject hashes what a call was about, with a key of this log: who knows a
// name can look for it, and who reads the log learns none.
func (a *Audit) Subject(name []byte) string { return subject(a.secret, name) }

func subject(secret [sha256.Size]byte, name []byte) string {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write(name)
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Record adds an event, with the time, and returns once it is durable.
func (a *Audit) Record(e Event) error {
	body, err := json.Marshal(wireOf(e, a.now().UTC()))
	if err != nil {
		return fmt.Errorf("access: audit log: %w", err)
	}
	p := pending{body, make(chan error, 1)}
	a.mu.RLock()
	if a.closed {
		a.mu.RUnlock()
		return fmt.Errorf("access: audit log: %w", os.ErrClosed)
	}
	a.queue <- p // commit takes it, whatever happens
	a.mu.RUnlock()
	return <-p.done
}

// Ready says whether the next event can be kept, for those who must not do what
// they cannot record. After a failure it tries.
func (a *Audit) Ready() error {
	if !a.failed.Load() {
		return nil
	}
	return a.Record(Event{Method: "audit.resume", Outcome: "OK"})
}

// commit writes what is queued, all that has come together at a time.
func (a *Audit) commit() {
	defer close(a.ended)
	for first := range a.queue {
		group := []pending{first}
		for more := true; more && len(group) < queueLength; {
			select {
			case p, open := <-a.queue:
				if more = open; open {
					group = append(group, p)
				}
			default:
				more = false
			}
		}
		err := a.write(group)
		a.failed.Store(err != nil)
		for _, p := range group {
			p.done <- err
		}
	}
}

func (a *Audit) write(group []pending) error {
	after := a.tree
	var bodies [][]byte
	for _, p := range group {
		after = after.with(p.body)
		bodies = append(bodies, p.body)
	}
	var err error
	if a.journal.Bytes-a.journal.base >= a.full {
		err = a.journal.rotate()
	}
	if err != nil {
		return fmt.Errorf("access: audit log: %w", err)
	}
	err = a.journal.append(bodies, func(m mark) ([]byte, error) { return checkpoint{m, after}.sign(a.signer) })
	if err != nil {
		return fmt.Errorf("access: audit log: %w", err)
	}
	a.tree = after
	return nil
}

// Close writes what is queued and releases the files.
func (a *Audit) Close() error {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil
	}
	a.closed = true
	close(a.queue)
	a.mu.Unlock()
	<-a.ended
	return a.journal.close()
}
