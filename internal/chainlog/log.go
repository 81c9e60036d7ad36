package chainlog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/spoortrace/spoor/ledger"
)

// Log is an open log. It holds no file open between appends, so that a process
// may have thousands. It is safe for use by several goroutines; that no other
// process writes is its owner's care (Lock).
type Log struct {
	name, origin string
	key          Key
	cut          int64
	beyond       uint64

	mu     sync.Mutex
	at     mark
	signed []byte // the checkpoint as it is on the disk; nil: none
	broken error  // a write failed and could not be undone
}

// Entry is one entry as it is read.
type Entry struct {
	Number uint64 // from 1
	Body   []byte
}

// Open opens or makes the log NAME, verifies all of it, and gives each entry to
// each. origin names the log in its checkpoints: one log's do not fit another.
func Open(name, origin string, key Key, each func(Entry) error) (*Log, error) {
	l := &Log{name: name, origin: origin, key: key}
	if err := l.recover(each); err != nil {
		return nil, fmt.Errorf("chainlog: %s: %w", name, err)
	}
	return l, nil
}

func (l *Log) recover(each func(Entry) error) error {
	acknowledged, err := l.acknowledged()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(l.name+".log", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	seen := acknowledged.Size == 0
	l.at, err = scan(file, func(body []byte, after mark) error {
		seen = seen || checkpointOf(l.origin, after) == acknowledged
		return each(Entry{after.tree.size, body})
	})
	if err != nil && !errors.Is(err, errTorn) {
		return err
	}
	if !seen {
		return fmt.Errorf("%w: line %d: %d entries were acknowledged", ledger.ErrCorrupt, l.at.tree.size+1, acknowledged.Size)
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if l.cut = info.Size() - l.at.bytes; l.cut > 0 {
		if err := errors.Join(file.Truncate(l.at.bytes), file.Sync()); err != nil {
			return err
		}
	}
	l.beyond = l.at.tree.size - acknowledged.Size
	if l.signed != nil && l.at.tree.size == acknowledged.Size {
		return nil
	}
	return l.sign(file) // an empty log is signed, too
}

// acknowledged reads the checkpoint; a zero one where nothing was.
func (l *Log) acknowledged() (c Checkpoint, err error) {
	l.signed, err = os.ReadFile(l.name + ".checkpoint")
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	return OpenCheckpoint(l.signed, l.origin, l.key.Verifier)
}

// sign acknowledges lines that were found beyond the checkpoint.
func (l *Log) sign(file *os.File) error {
	if err := file.Sync(); err != nil {
		return err
	}
	text, err := checkpointOf(l.origin, l.at).sign(l.key.Signer)
	if err != nil {
		return err
	}
	l.signed = text
	return Replace(l.name+".checkpoint", text, 0o600)
}

// Append adds entries, all or none, and returns once they are durable. An error
// leaves the log as it was; where even that fails, it takes nothing more until
// it is opened again.
func (l *Log) Append(bodies ...[]byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	var text []byte
	after := l.at
	for _, body := range bodies {
		if err := valid(body); err != nil {
			return fmt.Errorf("chainlog: %w", err)
		}
		var line []byte
		line, after = after.add(body)
		text = append(text, line...)
	}
	signed, err := checkpointOf(l.origin, after).sign(l.key.Signer)
	if err != nil {
		return fmt.Errorf("chainlog: %w", err)
	}
	if err := l.write(text, signed); err != nil {
		return fmt.Errorf("chainlog: %s: %w", l.name, err)
	}
	l.at, l.signed = after, signed
	return nil
}

func (l *Log) write(text, signed []byte) error {
	file, err := os.OpenFile(l.name+".log", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	moved := false
	if _, err = file.WriteAt(text, l.at.bytes); err == nil {
		err = file.Sync()
	}
	if err == nil {
		moved, err = replace(l.name+".checkpoint", signed, 0o600)
	}
	if err == nil {
		return nil
	}
	// The checkpoint may be the new one all the same: the old one goes back first.
	var undo error
	if moved {
		undo = Replace(l.name+".checkpoint", l.signed, 0o600)
	}
	if undo == nil {
		undo = file.Truncate(l.at.bytes)
	}
	if undo != nil {
		l.broken = fmt.Errorf("chainlog: %s: a write failed and could not be undone, open it again: %w", l.name, undo)
	}
	return err
}

// Size is the number of entries.
func (l *Log) Size() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at.tree.size
}

// Cut returns how many bytes of an unfinished write Open cut off.
func (l *Log) Cut() int64 { return l.cut }

// Beyond returns how many whole entries Open found beyond the checkpoint, from a
// crash or by hand: whoever opened the log should record it.
func (l *Log) Beyond() uint64 { return l.beyond }

// Checkpoint returns the signed checkpoint, to be kept elsewhere.
func (l *Log) Checkpoint() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.signed)
}

// Read verifies the log again from its first line to what is acknowledged and
// gives each entry to each.
func (l *Log) Read(each func(Entry) error) error {
	_, err := Verify(l.name, l.origin, l.key.Verifier, Check{upTo: l.Checkpoint()}, each)
	return err
}

// errEnough ends a scan.
var errEnough = errors.New("enough")

// At gives the first size entries to each, and returns a checkpoint of the log
// as it was then. Its signature is the same whenever it is made.
func (l *Log) At(size uint64, each func(Entry) error) ([]byte, error) {
	if size == 0 || size > l.Size() {
		return nil, ledger.Invalid("size", fmt.Sprintf("1 to %d", l.Size()), fmt.Sprint(size))
	}
	file, err := os.Open(l.name + ".log")
	if err != nil {
		return nil, fmt.Errorf("chainlog: %w", err)
	}
	defer file.Close()
	var signed []byte
	_, err = scan(file, func(body []byte, after mark) error {
		if err := each(Entry{after.tree.size, body}); err != nil {
			return err
		}
		if after.tree.size < size {
			return nil
		}
		if signed, err = checkpointOf(l.origin, after).sign(l.key.Signer); err != nil {
			return err
		}
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("chainlog: %s: %w", l.name, err)
	}
	return signed, nil
}
