package bag

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// File is a payload file. It has Bytes, or Open where it is too large to hold: that is called twice, one after the other, and must give the
// same bytes both times.
type File struct {
	Path  string // below data/: ASCII letters, digits, . _ - in parts between slashes; at most 200 bytes
	Role  string // what the file is for: lower-case ASCII letters, digits, -
	Bytes []byte
	Open  func() (io.ReadCloser, error)
}

// Sum tells one package from all others.
type Sum struct {
	SHA256 string // of the zip, lower-case hex
	Size   int64  // of the zip, in bytes
	Root   string // Merkle root over the payload, see Root
}

// source is a file of the bag with what its headers and manifests say of it.
type source struct {
	entry
	sha256 [32]byte
	open   func() (io.ReadCloser, error)
}

// Write writes the package of the files to w. Their order does not matter. It reads each file twice, since sizes and hashes stand in front of
// the bytes, and holds none but those that came as Bytes. After an error what was written to w is no package.
func Write(w io.Writer, files []File, info Info) (Sum, error) {
	info, err := info.checked()
	if err != nil {
		return Sum{}, fmt.Errorf("bag: %w", err)
	}
	if err := checkFiles(files); err != nil {
		return Sum{}, fmt.Errorf("bag: %s: %w", info.Name, err)
	}
	payload, manifest, err := measure(files, info.Name)
	if err != nil {
		return Sum{}, fmt.Errorf("bag: %s: %w", info.Name, err)
	}
	bag := slices.Concat(payload, tagFiles(payload, info))
	slices.SortFunc(bag, func(a, b source) int { return cmp.Compare(a.name, b.name) })
	sum, err := pack(w, bag)
	if err != nil {
		return Sum{}, fmt.Errorf("bag: %s: %w", info.Name, err)
	}
	sum.Root = manifest.Root
	return sum, nil
}

func checkFiles(files []File) error {
	paths := make([]string, len(files))
	for i, f := range files {
		if paths[i] = f.Path; f.Open != nil && f.Bytes != nil {
			return ledger.Invalid(f.Path, "Bytes or Open", "both")
		}
		if err := checkRole(f.Path, f.Role); err != nil {
			return err
		}
	}
	return checkPaths(paths)
}

// measure reads every file once, and adds the manifest of them.
func measure(files []File, name string) (payload []source, m Manifest, err error) {
	prefix := name + "/" + payloadFolder
	listed := make([]Listing, 0, len(files))
	for _, f := range files {
		open := f.Open
		if open == nil {
			open = held(f.Bytes)
		}
		s, err := read(prefix+f.Path, open)
		if err != nil {
			return nil, m, err
		}
		payload = append(payload, s)
		listed = append(listed, Listing{f.Path, hex.EncodeToString(s.sha256[:]), int64(s.size), f.Role})
	}
	m = newManifest(listed)
	raw, err := m.encode()
	if err != nil {
		return nil, m, err
	}
	s, err := read(prefix+manifestName, held(raw))
	payload = append(payload, s)
	slices.SortFunc(payload, func(a, b source) int { return cmp.Compare(a.name, b.name) })
	return payload, m, err
}

func held(raw []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
}

// read takes a file's measures.
func read(name string, open func() (io.ReadCloser, error)) (s source, err error) {
	r, err := open()
	if err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	d := newDigest()
	if _, err := io.Copy(d, r); err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	return source{entry{name: name, crc: d.crc.Sum32(), size: d.size}, d.sum(), open}, nil
}

// tagFiles makes the bag's own files for a sorted payload.
func tagFiles(payload []source, info Info) []source {
	var size uint64
	rows := make([]row, len(payload))
	for i, s := range payload {
		size += s.size
		rows[i] = row{strings.TrimPrefix(s.name, info.Name+"/"), s.sha256}
	}
	texts := tagTexts(rows, infoText(info, len(payload), size))
	tags := make([]source, len(texts))
	for i, t := range texts {
		tags[i] = source{entry{name: info.Name + "/" + t.name, crc: crc32.ChecksumIEEE(t.text), size: uint64(len(t.text))}, sha256.Sum256(t.text), held(t.text)}
	}
	return tags
}

// tagText is one of the bag's own files.
type tagText struct {
	name string
	text []byte
}

// tagTexts returns the bag's own files by name, for the sorted rows of its payload.
func tagTexts(payload []row, info []byte) []tagText {
	sums := sumsText(payload)
	tagSums := sumsText([]row{{infoName, sha256.Sum256(info)}, {bagitName, sha256.Sum256([]byte(bagitText))}, {sumsName, sha256.Sum256(sums)}})
	return []tagText{{infoName, info}, {bagitName, []byte(bagitText)}, {sumsName, sums}, {tagSumsName, tagSums}}
}

// pack writes the zip of the sorted files.
func pack(w io.Writer, files []source) (Sum, error) {
	entries := make([]entry, len(files))
	for i, f := range files {
		entries[i] = f.entry
	}
	at := place(entries)
	end := directory(entries, at)
	if len(end) > longestDirectory {
		return Sum{}, fmt.Errorf("%w: %d files have a directory of %d bytes, more than %d", ledger.ErrExhausted, len(files), len(end), longestDirectory)
	}
	whole := newDigest()
	out := io.MultiWriter(w, whole)
	for i, f := range files {
		if _, err := out.Write(entries[i].local()); err != nil {
			return Sum{}, fmt.Errorf("%s: %w", f.name, err)
		}
		if err := f.copyTo(out); err != nil {
			return Sum{}, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if _, err := out.Write(end); err != nil {
		return Sum{}, err
	}
	sha := whole.sum()
	return Sum{SHA256: hex.EncodeToString(sha[:]), Size: int64(whole.size)}, nil
}

// copyTo writes the file's bytes. That they are those that were measured is seen only behind the last of them: the caller drops the rest.
func (s source) copyTo(w io.Writer) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	d := newDigest()
	if _, err := io.Copy(io.MultiWriter(w, d), r); err != nil {
		return err
	}
	if d.size != s.size || d.sum() != s.sha256 {
		return fmt.Errorf("%w: it changed while it was packed, from %d bytes of sha256 %x to %d of %x", ledger.ErrCorrupt, s.size, s.sha256, d.size, d.sum())
	}
	return nil
}

// digest takes all measures of a file in one reading.
type digest struct {
	sha  hash.Hash
	crc  hash.Hash32
	size uint64
}

func newDigest() *digest { return &digest{sha: sha256.New(), crc: crc32.NewIEEE()} }

// Write never fails.
func (d *digest) Write(p []byte) (int, error) {
	d.size += uint64(len(p))
	d.sha.Write(p)
	d.crc.Write(p)
	return len(p), nil
}

func (d *digest) sum() (h [32]byte) {
	d.sha.Sum(h[:0])
	return h
}
