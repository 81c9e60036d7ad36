package labels

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"

	"github.com/spoortrace/spoor/ledger"
)

// gunzip reads plain text and gzip alike. A gzip that is cut off or damaged,
// in its header or further in, ends in ledger.ErrInvalid that names the file.
func gunzip(name string, r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	magic, err := buffered.Peek(2)
	if err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return buffered, nil //nolint:nilerr // a text of one byte is for the caller to judge
	}
	z, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, zipped(name, err)
	}
	return &unzipped{name: name, in: z}, nil
}

// unzipped gives the errors of a gzip stream their names.
type unzipped struct {
	name string
	in   *gzip.Reader
}

func (u *unzipped) Read(b []byte) (int, error) {
	n, err := u.in.Read(b)
	return n, zipped(u.name, err)
}

// zipped tells a file that is no whole gzip, which its sender can mend, from a disk that fails.
func zipped(name string, err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &corrupt) {
		return ledger.Invalid(name, "plain text or a whole gzip file", err.Error())
	}
	return err
}
