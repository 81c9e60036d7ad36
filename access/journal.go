package access

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spoortrace/spoor/ledger"
)

// A journal is a file of lines, each "CHAIN BODY": BODY is JSON without a line
// break, and CHAIN is SHA-256 over the chain hash of the line before it (32
// zero bytes before the first) and BODY, in hex. So a line that was changed,
// moved, added or taken out is seen from there on.
//
// A mark says how far a journal was acknowledged. It lives in a file of its own,
// which is replaced after the journal was synced and before the caller hears of
// success. If we were to crash before that, what is beyond the mark was never
// acknowledged: whole lines are kept, the torn rest is cut off. Damage below the
// mark is ledger.ErrCorrupt.
type journal struct {
	mark
	name     string   // of its first file
	lock     *os.File // that file
	file     *os.File // the one that is written, the same or a later one
	base     int64    // the bytes before that one
	number   int      // which it is
	headName string   // file of the mark
	headText []byte   // what it holds; nil: there is none
	broken   error    // a write failed and could not be undone
}

// mark is a place in a journal, just after a line.
type mark struct {
	Bytes int64
	Lines uint64
	Chain [sha256.Size]byte
}

const (
	chainText = 2 * sha256.Size
	// maxBody bounds one line, so that a damaged file cannot ask for memory.
	maxBody = 64 << 10
)

func link(before [sha256.Size]byte, body []byte) (after [sha256.Size]byte) {
	sum := sha256.New()
	sum.Write(before[:])
	sum.Write(body)
	sum.Sum(after[:0])
	return after
}

// add returns the line of a body and the mark after it.
func (m mark) add(body []byte) (line []byte, after mark) {
	after = mark{Lines: m.Lines + 1, Chain: link(m.Chain, body)}
	line = hex.AppendEncode(make([]byte, 0, chainText+len(body)+2), after.Chain[:])
	line = append(append(append(line, ' '), body...), '\n')
	after.Bytes = m.Bytes + int64(len(line))
	return line, after
}

// errTorn is a line that is not whole, or that does not follow from the one before it.
var errTorn = errors.New("the line does not follow from the one before it")

// parse takes a line without its line break apart and returns its body and the mark after it.
func (m mark) parse(line []byte) ([]byte, mark, error) {
	if len(line) <= chainText || len(line) > chainText+1+maxBody || line[chainText] != ' ' {
		return nil, m, errTorn
	}
	body := line[chainText+1:]
	want, after := m.add(body)
	if !bytes.Equal(line, want[:len(want)-1]) {
		return nil, m, errTorn
	}
	return body, after, nil
}

// scan reads lines from a mark on and gives each body, with the mark after it,
// to each. It returns the mark after the last whole line; the rest of r, if
// any, is torn (errTorn).
func scan(r io.Reader, from mark, each func(body []byte, after mark) error) (mark, error) {
	lines := bufio.NewReaderSize(r, chainText+maxBody+2)
	for at := from; ; {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return at, nil
		case errors.Is(err, io.EOF), errors.Is(err, bufio.ErrBufferFull):
			return at, errTorn
		case err != nil:
			return at, err
		}
		body, after, err := at.parse(line[:len(line)-1])
		if err != nil {
			return at, err
		}
		if err := each(body, after); err != nil {
			return at, fmt.Errorf("line %d: %w", after.Lines, err)
		}
		at = after
	}
}

// head is a mark as it was read, with the file that it came from.
type head struct {
	mark
	name string
	text []byte // nil: there is no file
}

// openJournal opens or makes a journal and reads it from a mark on: all of it,
// or what is beyond the head. What is torn beyond the head is cut off, and cut
// says how many bytes. It holds a lock on the file until it is closed.
func openJournal(name string, from mark, acknowledged head, each func(body []byte, after mark) error) (j *journal, cut int64, err error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("access: %w", err)
	}
	j = &journal{name: name, lock: file, file: file, mark: from, headName: acknowledged.name, headText: acknowledged.text}
	cut, err = j.recover(from, acknowledged.mark, each)
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("access: %s: %w", filepath.Base(name), err), j.close())
	}
	return j, cut, nil
}

func (j *journal) recover(from, acknowledged mark, each func(body []byte, after mark) error) (cut int64, err error) {
	if err := syscall.Flock(int(j.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return 0, fmt.Errorf("%w by another process", ledger.ErrBusy)
	}
	size, err := j.last()
	if err != nil {
		return 0, err
	}
	if from.Bytes < j.base {
		return 0, fmt.Errorf("%w: it went on in another file before it was acknowledged", ledger.ErrCorrupt)
	}
	size += j.base
	seen := from == acknowledged
	j.mark, err = scan(io.NewSectionReader(j.file, from.Bytes-j.base, max(0, size-from.Bytes)), from, func(body []byte, after mark) error {
		seen = seen || after == acknowledged
		return each(body, after)
	})
	if err != nil && !errors.Is(err, errTorn) {
		return 0, err
	}
	if !seen || size < acknowledged.Bytes {
		return 0, fmt.Errorf("%w: it does not hold the %d lines that were acknowledged", ledger.ErrCorrupt, acknowledged.Lines)
	}
	if cut = size - j.Bytes; cut == 0 {
		return 0, nil
	}
	return cut, errors.Join(j.file.Truncate(j.Bytes-j.base), j.file.Sync())
}

// append adds bodies: first the journal is synced, then the file of the mark is
// replaced by the text that head makes of the new mark. An error leaves
// everything as it was; where even that fails, the journal takes nothing more
// until it is opened again.
func (j *journal) append(bodies [][]byte, head func(after mark) ([]byte, error)) error {
	if j.broken != nil {
		return j.broken
	}
	var text []byte
	after := j.mark
	for _, body := range bodies {
		if len(body) > maxBody {
			return fmt.Errorf("a line of %d bytes, at most %d: %w", len(body), maxBody, ledger.ErrExhausted)
		}
		var line []byte
		line, after = after.add(body)
		text = append(text, line...)
	}
	headText, err := head(after)
	if err != nil {
		return err
	}
	_, err = j.file.WriteAt(text, j.Bytes-j.base)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return j.undo(err, false)
	}
	if moved, err := replace(j.headName, headText); err != nil {
		return j.undo(err, moved)
	}
	j.mark, j.headText = after, headText
	return nil
}

// undo cuts off what a failed append wrote. Where the mark was moved into place
// and that failed, it may be the new one all the same, so the old one is written
// back first.
func (j *journal) undo(cause error, head bool) error {
	var err error
	switch {
	case head && j.headText == nil:
		err = os.Remove(j.headName)
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	case head:
		_, err = replace(j.headName, j.headText)
	}
	if err == nil {
		err = j.file.Truncate(j.Bytes - j.base)
	}
	if err != nil {
		j.broken = fmt.Errorf("a write failed and could not be undone, open it again: %w", err)
	}
	return cause
}

func (j *journal) close() error {
	if j.file == j.lock {
		return j.lock.Close()
	}
	return errors.Join(j.file.Close(), j.lock.Close())
}

func (j *journal) dir() string { return filepath.Dir(j.name) }

// replace writes a small file so that a crash leaves the old one or the new one.
// moved says whether an error came so late that it may be either.
func replace(name string, text []byte) (moved bool, err error) {
	next := name + ".new"
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return false, err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return false, err
	}
	if err := os.Rename(next, name); err != nil {
		return true, err
	}
	return true, syncDir(filepath.Dir(name))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
