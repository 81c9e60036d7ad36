package backup

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"path"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

const (
	magic     = "spoor backup "
	version   = "1"
	pieceSize = 1 << 20  // bytes at which a piece is written
	mostPiece = 64 << 20 // bytes of one piece; a row is in one
	mostLine  = 4096
	kindFile  = "file"
	kindRows  = "rows"
)

// Writer writes a backup. It holds one piece in memory.
type Writer struct {
	to     io.Writer
	sum    hash.Hash
	pieces int
	size   int64
}

// NewWriter begins a backup.
func NewWriter(to io.Writer) (*Writer, error) {
	w := &Writer{to: to, sum: sha256.New()}
	return w, w.write([]byte(magic + version + "\n"))
}

func (w *Writer) write(b []byte) error {
	w.sum.Write(b)
	w.size += int64(len(b))
	if _, err := w.to.Write(b); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

func (w *Writer) piece(kind, name string, b []byte) error {
	if len(b) > mostPiece {
		return fmt.Errorf("backup: %s: a row of %d bytes: %w", name, len(b), ledger.ErrExhausted)
	}
	w.pieces++
	return errors.Join(w.write(fmt.Appendf(nil, "%s %d %x %s\n", kind, len(b), sha256.Sum256(b), name)), w.write(b))
}

// File adds a file, which r is read to its end for.
func (w *Writer) File(name string, r io.Reader) error {
	if !sound(name) {
		return ledger.Invalid("backup: name", "a path below the data directory", name)
	}
	b := make([]byte, pieceSize)
	for first := true; ; first = false {
		n, err := io.ReadFull(r, b)
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !ended {
			return fmt.Errorf("backup: %s: %w", name, err)
		}
		if n > 0 || first {
			if err := w.piece(kindFile, name, b[:n]); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
	}
}

// Rows adds an engine.
func (w *Writer) Rows(name string, rows iter.Seq2[store.Op, error]) error {
	if !sound(name) {
		return ledger.Invalid("backup: name", "a path below the data directory", name)
	}
	b := make([]byte, 0, 2*pieceSize)
	for op, err := range rows {
		if err != nil {
			return fmt.Errorf("backup: %s: %w", name, err)
		}
		for _, field := range [][]byte{op.Partition, op.Sort, op.Value} {
			b = append(binary.AppendUvarint(b, uint64(len(field))), field...)
		}
		if len(b) < pieceSize {
			continue
		}
		if err := w.piece(kindRows, name, b); err != nil {
			return err
		}
		b = b[:0]
	}
	return w.piece(kindRows, name, b)
}

// Under is a store.BackupSink that writes below a folder.
func (w *Writer) Under(folder string) Folder { return Folder{w, folder} }

// Folder writes below a folder of the data directory.
type Folder struct {
	to   *Writer
	name string
}

// File implements store.BackupSink.
func (f Folder) File(name string, r io.Reader) error { return f.to.File(path.Join(f.name, name), r) }

// Rows implements store.BackupSink.
func (f Folder) Rows(name string, rows iter.Seq2[store.Op, error]) error {
	return f.to.Rows(path.Join(f.name, name), rows)
}

// End writes the last line. It returns the size and the SHA-256 of the whole file.
func (w *Writer) End() (size int64, sum ledger.Hash, err error) {
	err = w.write(fmt.Appendf(nil, "end %d %x\n", w.pieces, w.sum.Sum(nil)))
	return w.size, ledger.Hash(w.sum.Sum(nil)), err
}

// sound says whether a name is a path below the data directory, on one line.
func sound(name string) bool {
	return len(name) < mostLine/2 && filepath.IsLocal(name) && path.Clean(name) == name && name != "." && !strings.ContainsFunc(name, unicode.IsControl) && !strings.Contains(name, `\`)
}
