package bag

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"strconv"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

// sparse is a zip of which only the headers and the directory are held; the bytes of its files are zeros.
type sparse struct {
	parts []held64
	size  int64
}

type held64 struct {
	at  int64
	raw []byte
}

func (s sparse) ReadAt(p []byte, at int64) (int, error) {
	if at >= s.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), s.size-at))
	clear(p[:n])
	for _, part := range s.parts {
		if from := part.at - at; from < int64(n) && from+int64(len(part.raw)) > 0 {
			copy(p[max(from, 0):n], part.raw[max(-from, 0):])
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func newSparse(entries []entry) (sparse, uint64) {
	var s sparse
	at := place(entries)
	for _, e := range entries {
		s.parts = append(s.parts, held64{int64(e.offset), e.local()})
	}
	end := directory(entries, at)
	s.parts = append(s.parts, held64{int64(at), end})
	s.size = int64(at) + int64(len(end))
	return s, at
}

// Sizes and offsets around the limits of the old format: archive/zip finds each file, and this package its own directory.
func TestZip64(t *testing.T) {
	for _, sizes := range [][]uint64{
		{0}, {most32 - 1}, {most32}, {most32 + 1}, {most32, 1, most32}, {most32 - 31 - 4, 7}, {most32 - 30, 7}, {most32 - 32, 7}, {1 << 40, 1 << 41, 0, 9},
	} {
		var entries []entry
		for i, size := range sizes {
			entries = append(entries, entry{name: strconv.Itoa(i), crc: uint32(i), size: size})
		}
		s, at := newSparse(entries)
		r, err := zip.NewReader(s, s.size)
		if err != nil {
			t.Fatalf("%v: %v", sizes, err)
		}
		if len(r.File) != len(entries) {
			t.Fatalf("%v: %d files", sizes, len(r.File))
		}
		for i, f := range r.File {
			data, err := f.DataOffset()
			want := int64(entries[i].offset) + int64(len(entries[i].local()))
			if err != nil || f.UncompressedSize64 != sizes[i] || f.CompressedSize64 != sizes[i] || data != want || f.CRC32 != uint32(i) {
				t.Errorf("%v: file %d: %d bytes at %d, %v, want %d at %d", sizes, i, f.UncompressedSize64, data, err, sizes[i], want)
			}
		}
		got, err := readDirectory(s, s.size)
		if err != nil || len(got) != len(entries) || got[len(got)-1] != entries[len(entries)-1] {
			t.Errorf("%v, directory at %d: %v, %v, want %v", sizes, at, got, err, entries)
		}
	}
}

func TestManyFiles(t *testing.T) {
	for _, n := range []int{most16 - 6, most16 - 5} { // five files more are the package's own
		files := make([]File, n)
		for i := range files {
			files[i] = File{Path: "f/" + strconv.Itoa(i), Role: "raw", Bytes: []byte(strconv.Itoa(i))}
		}
		raw, _ := write(t, files, exampleInfo())
		if b := open(t, raw); len(b.Files()) != n {
			t.Errorf("%d files, want %d", len(b.Files()), n)
		}
		r, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
		if err != nil || len(r.File) != n+5 {
			t.Errorf("%d files: archive/zip sees %d, %v", n, len(r.File), err)
		}
	}
}

// A directory that is larger than any that Write makes is refused before it is read.
func TestTooManyFiles(t *testing.T) {
	end := directory([]entry{{name: "a"}}, 0)
	row, rest := end[:sizeCentral+1], end[sizeCentral+1:]
	s := sparse{parts: []held64{{0, row}, {longestDirectory + 1, rest}}, size: longestDirectory + 1 + sizeEnd}
	copy(rest[12:], []byte{1, 0, 0, 0x10})
	if _, err := readDirectory(s, s.size); !errors.Is(err, ledger.ErrExhausted) {
		t.Errorf("got %v", err)
	}
}
