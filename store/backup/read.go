package backup

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// piece is one of a backup, checked against its hash.
type piece struct {
	kind, name string
	bytes      []byte // until the next one is read
}

// reader reads a backup piece by piece and believes nothing.
type reader struct {
	from   *bufio.Reader
	sum    hash.Hash
	pieces int
	buffer []byte
	last   string // where we are, for errors
}

func newReader(from io.Reader) (*reader, error) {
	r := &reader{from: bufio.NewReaderSize(from, pieceSize), sum: sha256.New(), last: "the first line"}
	line, err := r.line()
	if err != nil {
		return nil, err
	}
	v, ok := strings.CutPrefix(line, magic)
	switch {
	case !ok:
		return nil, r.damaged("it is no backup")
	case v != version:
		return nil, fmt.Errorf("backup: it is of version %q, this program reads %s: %w", v, version, ledger.ErrNewer)
	}
	r.sum.Write([]byte(line + "\n"))
	return r, nil
}

func (r *reader) damaged(format string, args ...any) error {
	return fmt.Errorf("backup: %s: %s: %w", r.last, fmt.Sprintf(format, args...), ledger.ErrCorrupt)
}

func (r *reader) line() (string, error) {
	var b []byte
	for len(b) < mostLine {
		c, err := r.from.ReadByte()
		if errors.Is(err, io.EOF) {
			return "", r.damaged("the file ends here")
		}
		if err != nil {
			return "", fmt.Errorf("backup: %w", err)
		}
		if c == '\n' {
			return string(b), nil
		}
		b = append(b, c)
	}
	return "", r.damaged("a line of more than %d bytes", mostLine)
}

// next returns the next piece; io.EOF only behind the whole of a sound file.
func (r *reader) next() (piece, error) {
	line, err := r.line()
	if err != nil {
		return piece{}, err
	}
	words := strings.SplitN(line, " ", 4)
	if words[0] == "end" {
		return piece{}, r.end(line)
	}
	r.sum.Write([]byte(line + "\n"))
	if len(words) != 4 || words[0] != kindFile && words[0] != kindRows || !sound(words[3]) {
		return piece{}, r.damaged("%q is no piece", line)
	}
	r.pieces++
	r.last = fmt.Sprintf("%s, piece %d", words[3], r.pieces)
	size, err := strconv.Atoi(words[1])
	if err != nil || size < 0 || size > mostPiece {
		return piece{}, r.damaged("a size of %q", words[1])
	}
	if cap(r.buffer) < size {
		r.buffer = make([]byte, size)
	}
	b := r.buffer[:size]
	if _, err := io.ReadFull(r.from, b); err != nil {
		return piece{}, r.damaged("it is cut off: %v", err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != words[2] {
		return piece{}, r.damaged("its SHA-256 is %x, written is %s", sum, words[2])
	}
	r.sum.Write(b)
	return piece{words[0], words[3], b}, nil
}

func (r *reader) end(line string) error {
	r.last = "the last line"
	if want := fmt.Sprintf("end %d %x", r.pieces, r.sum.Sum(nil)); line != want {
		return r.damaged("it is %q, want %q", line, want)
	}
	if _, err := r.from.ReadByte(); !errors.Is(err, io.EOF) {
		return r.damaged("there is more behind it")
	}
	return io.EOF
}

// Check reads a backup to its end. ledger.ErrCorrupt names the first part that
// does not hold, ledger.ErrNewer a version of a later program.
func Check(from io.Reader) error {
	r, err := newReader(from)
	for err == nil {
		var p piece
		if p, err = r.next(); err == nil && p.kind == kindRows {
			err = r.rows(p.bytes, func(store.Op) bool { return true })
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// rows takes a piece apart for as long as yield wants more.
func (r *reader) rows(b []byte, yield func(store.Op) bool) error {
	for len(b) > 0 {
		var fields [3][]byte
		for i := range fields {
			size, n := binary.Uvarint(b)
			if n <= 0 || size > uint64(len(b)-n) {
				return r.damaged("a row is cut off")
			}
			fields[i], b = b[n:n+int(size)], b[n+int(size):]
		}
		if !yield(store.Op{Partition: fields[0], Sort: fields[1], Value: fields[2]}) {
			return nil
		}
	}
	return nil
}
