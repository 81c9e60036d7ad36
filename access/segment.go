package access

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// A journal may go on in further files, so that none grows without end: NAME.log
// is followed by NAME.1.log, NAME.2.log and so on. Marks count the bytes of all
// of them, and a line lies in one file. The lock stays on the first.
//
// A file is begun when all before it is acknowledged. If we were to crash just
// then, the last file is empty, and the journal goes on in it.

// defaultSegment is from which size on an audit log goes on in another file.
const defaultSegment = 64 << 20

// segment is the name of the nth file; 0 is the first.
func segment(name string, n int) string {
	if n == 0 {
		return name
	}
	return strings.TrimSuffix(name, ".log") + "." + strconv.Itoa(n) + ".log"
}

// segments returns how many files there are and the bytes of each.
func segments(name string) (sizes []int64, err error) {
	for {
		info, err := os.Stat(segment(name, len(sizes)))
		if errors.Is(err, os.ErrNotExist) && len(sizes) > 0 {
			return sizes, nil
		}
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, info.Size())
	}
}

// length is the bytes of a journal, over all of its files.
func length(name string) (sum int64, err error) {
	sizes, err := segments(name)
	for _, n := range sizes {
		sum += n
	}
	return sum, err
}

// last opens the file that is written, and returns its size.
func (j *journal) last() (int64, error) {
	sizes, err := segments(j.name)
	if err != nil {
		return 0, err
	}
	for _, n := range sizes[:len(sizes)-1] {
		j.base += n
	}
	j.number = len(sizes) - 1
	if j.number > 0 {
		if j.file, err = os.OpenFile(segment(j.name, j.number), os.O_RDWR, 0o600); err != nil {
			j.file = j.lock
			return 0, err
		}
	}
	return sizes[j.number], nil
}

// rotate goes on in another file. After an error it has not.
func (j *journal) rotate() error {
	if j.broken != nil {
		return j.broken
	}
	name := segment(j.name, j.number+1)
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && info.Size() > 0 {
		err = fmt.Errorf("%s: it is there already, with %d bytes", name, info.Size())
	}
	if err == nil {
		err = syncDir(j.dir())
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if j.file != j.lock {
		_ = j.file.Close() // all of it was synced
	}
	j.file, j.base, j.number = file, j.Bytes, j.number+1
	return nil
}

// readJournal gives the first bytes of a journal to read, over all of its files.
func readJournal(name string, length int64, read func(io.Reader) error) (err error) {
	sizes, err := segments(name)
	if err != nil {
		return err
	}
	var files []io.Reader
	for n := range sizes {
		file, failed := os.Open(segment(name, n))
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		files = append(files, file)
	}
	return read(io.LimitReader(io.MultiReader(files...), length))
}
