package chainlog

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/spoortrace/spoor/ledger"
)

// mark is a place in a log, just after a line.
type mark struct {
	bytes int64
	chain [sha256.Size]byte
	tree  tree // its size is the number of lines
}

const (
	chainText = 2 * sha256.Size
	prefix    = chainText + 1 + 8 + 1 // before the body
	// MaxBody bounds one entry, so that a damaged file cannot ask for memory.
	MaxBody = 16 << 20
)

// errTorn is a line that is not whole, or that does not follow from the one before it.
var errTorn = errors.New("the line does not follow from the one before it")

// add returns the line of a body and the mark after it.
func (m mark) add(body []byte) (line []byte, after mark) {
	sum := sha256.New()
	sum.Write(m.chain[:])
	sum.Write(body)
	sum.Sum(after.chain[:0])
	crc := crc32.Update(crc32.Checksum(after.chain[:], crc32.MakeTable(crc32.Castagnoli)), crc32.MakeTable(crc32.Castagnoli), body)
	line = hex.AppendEncode(make([]byte, 0, prefix+len(body)+1), after.chain[:])
	line = fmt.Appendf(line, " %08x ", crc)
	line = append(append(line, body...), '\n')
	after.bytes = m.bytes + int64(len(line))
	after.tree = m.tree.with(body)
	return line, after
}

// parse takes a line without its line break apart and returns its body and the mark after it.
func (m mark) parse(line []byte) ([]byte, mark, error) {
	if len(line) <= prefix || len(line) > prefix+MaxBody {
		return nil, m, errTorn
	}
	body := line[prefix:]
	want, after := m.add(body)
	if !bytes.Equal(line, want[:len(want)-1]) {
		return nil, m, errTorn
	}
	return body, after, nil
}

// scan reads lines from the beginning and gives each body, with the mark after
// it, to each. It returns the mark after the last whole line; the rest of r, if
// any, is torn (errTorn).
func scan(r io.Reader, each func(body []byte, after mark) error) (at mark, err error) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return at, nil
		}
		if errors.Is(err, io.EOF) {
			return at, errTorn
		}
		if err != nil {
			return at, err
		}
		body, after, err := at.parse(line)
		if err != nil {
			return at, err
		}
		if err := each(body, after); err != nil {
			return at, fmt.Errorf("line %d: %w", after.tree.size, err)
		}
		at = after
	}
}

// readLine returns a line without its break; io.EOF with what there is where it has none.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > prefix+MaxBody+1 {
			return nil, errTorn
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return line, err
		}
		return line[:len(line)-1], nil
	}
}

// valid refuses what cannot be a line of its own.
func valid(body []byte) error {
	if len(body) == 0 || bytes.IndexByte(body, '\n') >= 0 {
		return ledger.Invalid("entry", "one line that is not empty", string(body))
	}
	if len(body) > MaxBody {
		return fmt.Errorf("an entry of %d bytes, at most %d: %w", len(body), MaxBody, ledger.ErrExhausted)
	}
	return nil
}
