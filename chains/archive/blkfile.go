package archive

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// maxUnpacked bounds what gzipped and hex files hold in memory, together. A file
// of Bitcoin Core has up to 128 MiB.
const maxUnpacked = 512 << 20

// blockFile is a file of blocks or of undo data. Its bytes are read from disk
// each time, or from memory where it was packed.
type blockFile struct {
	path   string
	number int     // N of blkN.dat and revN.dat, else none
	listed bool    // found in a directory, not given itself
	key    [8]byte // that its bytes are combined with (Bitcoin Core's xor.dat)
	size   int64
	memory []byte
}

// at names a byte of the file.
func (f *blockFile) at(offset int64) string { return fmt.Sprintf("%s at %d", f.path, offset) }

// readAt fills p. It opens the file anew: what is read rarely needs no handle
// that somebody must close.
func (f *blockFile) readAt(p []byte, offset int64) error {
	r, done, err := f.open()
	if err != nil {
		return err
	}
	defer done()
	if n, err := r.ReadAt(p, offset); n < len(p) {
		return fmt.Errorf("%s: %d of %d bytes: %w", f.at(offset), n, len(p), err)
	}
	return nil
}

// open returns the plain bytes of the file. Call done when it is read.
func (f *blockFile) open() (r io.ReaderAt, done func(), err error) {
	r, done = bytes.NewReader(f.memory), func() {}
	if f.memory == nil {
		file, err := os.Open(f.path)
		if err != nil {
			return nil, nil, err
		}
		r, done = file, func() { file.Close() }
	}
	if f.key != [8]byte{} {
		r = unmasked{r, f.key}
	}
	return r, done, nil
}

// unmasked combines what is read with a key that repeats over the whole file.
type unmasked struct {
	io.ReaderAt
	key [8]byte
}

func (u unmasked) ReadAt(p []byte, offset int64) (int, error) {
	n, err := u.ReaderAt.ReadAt(p, offset)
	for i := range p[:n] {
		p[i] ^= u.key[(offset+int64(i))%8]
	}
	return n, err
}

// numbered matches the names that Bitcoin Core gives to its files.
var numbered = regexp.MustCompile(`^(blk|rev)(\d{5,9})\.dat(\.gz)?$`)

// openFile looks at a file and unpacks it where that is needed. A file in hex
// comes back as the bytes that it stands for.
func openFile(path string) (*blockFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f := &blockFile{path: path, number: none, size: info.Size()}
	if m := numbered.FindStringSubmatch(filepath.Base(path)); m != nil {
		f.number, _ = strconv.Atoi(m[2])
	}
	head := make([]byte, min(f.size, 512))
	if err := f.readAt(head, 0); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}) {
		if err := f.unpack(); err != nil {
			return nil, err
		}
		head = f.memory[:min(len(f.memory), 512)]
	}
	if f.number != none {
		f.key, err = maskOf(filepath.Dir(path))
		return f, err
	}
	if looksHex(head) {
		return f, f.unhex()
	}
	return f, nil
}

func (f *blockFile) unpack() error {
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.memory, err = io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	switch {
	case err != nil:
		return ledger.Invalid(f.path, "a whole gzip file", err.Error())
	case len(f.memory) > maxUnpacked:
		return ledger.Invalid(f.path, tooMuch(), "more")
	}
	f.size = int64(len(f.memory))
	return nil
}

func tooMuch() string {
	return fmt.Sprintf("gzipped and hex files of at most %d MiB together; unpack them first", maxUnpacked>>20)
}

// maskOf returns the key of a directory's block and undo files; zero when it has none.
func maskOf(dir string) (key [8]byte, err error) {
	name := filepath.Join(dir, "xor.dat")
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return key, nil
	}
	if err != nil {
		return key, err
	}
	if len(b) != len(key) {
		return key, ledger.Invalid(name, "a key of 8 bytes", fmt.Sprintf("%d bytes", len(b)))
	}
	return [8]byte(b), nil
}

const hexDigits = "0123456789abcdefABCDEF"

func looksHex(head []byte) bool {
	return len(head) >= 160 && strings.Trim(string(head), hexDigits+" \r\n\t") == ""
}

func (f *blockFile) unhex() error {
	if f.size > maxUnpacked {
		return ledger.Invalid(f.path, tooMuch(), fmt.Sprintf("%d bytes", f.size))
	}
	text := make([]byte, f.size)
	if err := f.readAt(text, 0); err != nil {
		return err
	}
	text = bytes.Join(bytes.Fields(text), nil)
	raw := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(raw, text); err != nil {
		return ledger.Invalid(f.path, "hex", err.Error())
	}
	f.memory, f.size = raw, int64(len(raw))
	return nil
}
