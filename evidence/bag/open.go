package bag

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// Bag is a package that was found whole. Any number of goroutines may read it.
type Bag struct {
	r        io.ReaderAt
	info     Info
	manifest Manifest
	sum      Sum
	files    map[string]source // by path below data/, the manifest too
}

// Open reads all of a package once and returns it if every byte is where and what Write would have put. Otherwise the error matches
// ledger.ErrCorrupt and names the file and what is wrong with it, or ledger.ErrInvalid where this is no zip at all.
func Open(r io.ReaderAt, size int64) (*Bag, error) {
	b := &Bag{r: r, files: map[string]source{}}
	entries, err := readDirectory(r, size)
	if err != nil {
		return nil, fmt.Errorf("bag: %w", err)
	}
	if err := b.nameOf(entries); err != nil {
		return nil, fmt.Errorf("bag: %w", err)
	}
	files, err := b.scan(entries, size)
	if err != nil {
		return nil, fmt.Errorf("bag: %s: %w", b.info.Name, err)
	}
	if err := b.check(files); err != nil {
		return nil, fmt.Errorf("bag: %s: %w", b.info.Name, err)
	}
	return b, nil
}

// Info returns what the package says of itself.
func (b *Bag) Info() Info { return b.info }

// Sum returns what tells the package from all others.
func (b *Bag) Sum() Sum { return b.sum }

// Manifest returns the list of the payload. The caller may change it.
func (b *Bag) Manifest() Manifest {
	m := b.manifest
	m.Files = slices.Clone(m.Files)
	return m
}

// Files returns the payload files by path, without the manifest. The caller may change the slice.
func (b *Bag) Files() []Listing { return slices.Clone(b.manifest.Files) }

// Raw returns the zip itself.
func (b *Bag) Raw() io.Reader { return io.NewSectionReader(b.r, 0, b.sum.Size) }

// OpenFile returns the bytes of a payload file or of MANIFEST.json, by its path below data/. They are checked once more: where the zip was
// changed since Open, the reader's last answer is ledger.ErrCorrupt in place of io.EOF.
func (b *Bag) OpenFile(path string) (io.Reader, error) {
	s, ok := b.files[path]
	if !ok {
		return nil, fmt.Errorf("bag: %s: %s: %w", b.info.Name, path, ledger.ErrNotFound)
	}
	return b.open(s), nil
}

func (b *Bag) open(s source) io.Reader {
	at := s.offset + uint64(len(s.local()))
	return &checkedReader{io.NewSectionReader(b.r, int64(at), int64(s.size)), s, newDigest()}
}

// Read returns a whole file as OpenFile does.
func (b *Bag) Read(path string) ([]byte, error) {
	r, err := b.OpenFile(path)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

type checkedReader struct {
	r    io.Reader
	want source
	got  *digest
}

func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	_, _ = c.got.Write(p[:n]) // it never fails
	if err == io.EOF && (c.got.size != c.want.size || c.got.sum() != c.want.sha256) {
		return n, fmt.Errorf("bag: %s: %w: it changed since the package was opened", c.want.name, ledger.ErrCorrupt)
	}
	return n, err
}

// readDirectory reads names, sizes and checksums from the end of the zip, places the entries as Write would, and compares the whole directory
// with that of a zip of these entries.
func readDirectory(r io.ReaderAt, size int64) ([]entry, error) {
	at, length, err := findDirectory(r, size)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, size-int64(at))
	if _, err := r.ReadAt(raw, int64(at)); err != nil && err != io.EOF {
		return nil, fmt.Errorf("directory: %w", err)
	}
	entries, err := parseDirectory(raw[:length], uint64(size))
	if err != nil {
		return nil, err
	}
	if got := place(entries); got != at {
		return nil, fmt.Errorf("directory: %w: the files in it take %d bytes, and it begins at %d", ledger.ErrCorrupt, got, at)
	}
	if !bytes.Equal(directory(entries, at), raw) {
		return nil, fmt.Errorf("directory: %w: not in the form in which it is written", ledger.ErrCorrupt)
	}
	return entries, nil
}

// findDirectory returns where the directory begins and how long its rows are. Both lie within the file; no more is known of them.
func findDirectory(r io.ReaderAt, size int64) (at, length uint64, err error) {
	tail := make([]byte, min(size, sizeEnd64+sizeLocator64+sizeEnd))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0, 0, fmt.Errorf("directory: %w", err)
	}
	if len(tail) < sizeEnd || binary.LittleEndian.Uint32(tail[len(tail)-sizeEnd:]) != sigEnd {
		return 0, 0, noEnd(r, size)
	}
	end := tail[len(tail)-sizeEnd:]
	length, at = uint64(binary.LittleEndian.Uint32(end[12:])), uint64(binary.LittleEndian.Uint32(end[16:]))
	count := binary.LittleEndian.Uint16(end[10:])
	if (count == most16 || length == most32 || at == most32) && len(tail) == sizeEnd64+sizeLocator64+sizeEnd {
		length, at = binary.LittleEndian.Uint64(tail[40:]), binary.LittleEndian.Uint64(tail[48:])
	}
	if at > uint64(size) || length > uint64(size)-at || uint64(size)-at-length > uint64(len(tail)) {
		return 0, 0, fmt.Errorf("directory: %w: %d bytes from %d on do not end a file of %d", ledger.ErrCorrupt, length, at, size)
	}
	if length > longestDirectory {
		return 0, 0, fmt.Errorf("directory: %w: %d bytes, more than %d", ledger.ErrExhausted, length, longestDirectory)
	}
	return at, length, nil
}

// noEnd tells a damaged package from what never was one.
func noEnd(r io.ReaderAt, size int64) error {
	head := make([]byte, 4)
	if _, err := r.ReadAt(head, 0); err == nil && binary.LittleEndian.Uint32(head) == sigLocal {
		return fmt.Errorf("%w: the zip does not end as one: it was cut, or something was put behind it", ledger.ErrCorrupt)
	}
	return fmt.Errorf("%w: no package: %d bytes that are no zip", ledger.ErrInvalid, size)
}

// parseDirectory takes from each row what an entry is made of. The rest of the row is compared later, whole.
func parseDirectory(raw []byte, size uint64) ([]entry, error) {
	var entries []entry
	for len(raw) > 0 {
		e, n, err := parseRow(raw, size)
		if err != nil {
			return nil, fmt.Errorf("directory: row %d: %w", len(entries)+1, err)
		}
		if len(entries) > 0 && entries[len(entries)-1].name >= e.name {
			return nil, fmt.Errorf("directory: row %d: %w: %q stands behind %q", len(entries)+1, ledger.ErrCorrupt, e.name, entries[len(entries)-1].name)
		}
		entries = append(entries, e)
		raw = raw[n:]
	}
	return entries, nil
}

func parseRow(raw []byte, size uint64) (e entry, n int, err error) {
	if len(raw) < sizeCentral || binary.LittleEndian.Uint32(raw) != sigCentral {
		return e, 0, fmt.Errorf("%w: no row of a zip's directory", ledger.ErrCorrupt)
	}
	name, extra := int(binary.LittleEndian.Uint16(raw[28:])), int(binary.LittleEndian.Uint16(raw[30:]))
	n = sizeCentral + name + extra
	if len(raw) < n {
		return e, 0, fmt.Errorf("%w: it was cut", ledger.ErrCorrupt)
	}
	e.crc = binary.LittleEndian.Uint32(raw[16:])
	e.size = uint64(binary.LittleEndian.Uint32(raw[24:]))
	e.name = string(raw[sizeCentral : sizeCentral+name])
	if e.size == most32 && extra >= 12 { // id and length of the field, then the size
		e.size = binary.LittleEndian.Uint64(raw[sizeCentral+name+4:])
	}
	if e.size > size {
		return e, 0, fmt.Errorf("%w: %q has %d bytes in a zip of %d", ledger.ErrCorrupt, e.name, e.size, size)
	}
	return e, n, nil
}

// nameOf takes the package's name from the first entry, which can only be one file.
func (b *Bag) nameOf(entries []entry) error {
	if len(entries) == 0 {
		return fmt.Errorf("%w: the zip is empty", ledger.ErrCorrupt)
	}
	name, ok := strings.CutSuffix(entries[0].name, "/"+infoName)
	if !ok || checkName(name) != nil {
		return fmt.Errorf("%w: the first file is %q, not NAME/%s", ledger.ErrCorrupt, entries[0].name, infoName)
	}
	b.info.Name = name
	return nil
}

// scan reads the zip from its first byte to its last: what is not an entry's header or its bytes is the directory, which was compared.
func (b *Bag) scan(entries []entry, size int64) ([]source, error) {
	whole := newDigest()
	r := io.TeeReader(io.NewSectionReader(b.r, 0, size), whole)
	files := make([]source, len(entries))
	for i, e := range entries {
		header := e.local()
		got := make([]byte, len(header))
		if _, err := io.ReadFull(r, got); err != nil {
			return nil, fmt.Errorf("%s: header: %w", e.name, err)
		}
		if !bytes.Equal(got, header) {
			return nil, fmt.Errorf("%s: %w: its header is not in the form in which it is written", e.name, ledger.ErrCorrupt)
		}
		d := newDigest()
		if _, err := io.CopyN(d, r, int64(e.size)); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		if d.crc.Sum32() != e.crc {
			return nil, fmt.Errorf("%s: %w: its checksum is %08x, and its header says %08x", e.name, ledger.ErrCorrupt, d.crc.Sum32(), e.crc)
		}
		files[i] = source{entry: e, sha256: d.sum()}
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	sha := whole.sum()
	b.sum = Sum{SHA256: hex.EncodeToString(sha[:]), Size: size}
	return files, nil
}

// check makes manifests and tag files of what was read and compares them with those in the package.
func (b *Bag) check(files []source) error {
	var payload []row
	var paths []string
	var size uint64
	tags := map[string]source{}
	for _, s := range files {
		name, ok := strings.CutPrefix(s.name, b.info.Name+"/")
		path, isPayload := strings.CutPrefix(name, payloadFolder)
		if !ok {
			return fmt.Errorf("%q: %w: not below %s/", s.name, ledger.ErrCorrupt, b.info.Name)
		}
		if !isPayload {
			tags[name] = s
			continue
		}
		size += s.size
		payload = append(payload, row{name, s.sha256})
		b.files[path] = s
		if path != manifestName {
			paths = append(paths, path)
		}
	}
	if err := checkPaths(paths); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
	}
	if err := b.checkManifest(paths); err != nil {
		return err
	}
	return b.checkTags(tags, payload, size)
}

// checkManifest compares MANIFEST.json with the files, which are in the order of their paths, as its own are.
func (b *Bag) checkManifest(paths []string) error {
	s, ok := b.files[manifestName]
	if !ok {
		return fmt.Errorf("%s: %w: missing", manifestName, ledger.ErrCorrupt)
	}
	if s.size > longestListing*uint64(len(paths)+1) {
		return fmt.Errorf("%s: %w: %d bytes for %d files", manifestName, ledger.ErrCorrupt, s.size, len(paths))
	}
	raw, err := b.Read(manifestName)
	if err != nil {
		return err
	}
	if b.manifest, err = decodeManifest(raw); err != nil {
		return err
	}
	for i, l := range b.manifest.Files {
		if i >= len(paths) || paths[i] != l.Path {
			return fmt.Errorf("%s: %w: lists %q, which is not in the package or not at that place", manifestName, ledger.ErrCorrupt, l.Path)
		}
		s := b.files[l.Path]
		if hex.EncodeToString(s.sha256[:]) != l.SHA256 || int64(s.size) != l.Size {
			return fmt.Errorf("%s: %w: %d bytes of sha256 %x, and %s lists %d of %s", l.Path, ledger.ErrCorrupt, s.size, s.sha256, manifestName, l.Size, l.SHA256)
		}
		if err := checkRole(l.Path, l.Role); err != nil {
			return fmt.Errorf("%s: %w: %w", manifestName, ledger.ErrCorrupt, err)
		}
	}
	if len(paths) > len(b.manifest.Files) {
		return fmt.Errorf("%s: %w: in the package, and not listed in %s", paths[len(b.manifest.Files)], ledger.ErrCorrupt, manifestName)
	}
	if b.sum.Root = Root(b.manifest.Files); b.sum.Root != b.manifest.Root {
		return fmt.Errorf("%s: %w: the root of its files is %s, and it says %s", manifestName, ledger.ErrCorrupt, b.sum.Root, b.manifest.Root)
	}
	return nil
}

func (b *Bag) checkTags(tags map[string]source, payload []row, size uint64) error {
	info, err := b.readInfo(tags[infoName], len(payload), size)
	if err != nil {
		return err
	}
	for _, t := range tagTexts(payload, info) {
		s, ok := tags[t.name]
		if !ok {
			return fmt.Errorf("%s: %w: missing", t.name, ledger.ErrCorrupt)
		}
		if s.sha256 != sha256.Sum256(t.text) {
			return fmt.Errorf("%s: %w: not what follows from the files", t.name, ledger.ErrCorrupt)
		}
		delete(tags, t.name)
	}
	if len(tags) > 0 {
		return fmt.Errorf("%q: %w: no file of a package", slices.Min(slices.Collect(maps.Keys(tags))), ledger.ErrCorrupt)
	}
	return nil
}

// readInfo reads bag-info.txt into b and returns the text that these values and the payload make.
func (b *Bag) readInfo(s source, files int, size uint64) ([]byte, error) {
	if s.size > longestInfo {
		return nil, fmt.Errorf("%s: %w: %d bytes, more than %d", infoName, ledger.ErrCorrupt, s.size, longestInfo)
	}
	raw, err := io.ReadAll(b.open(s))
	if err != nil {
		return nil, err
	}
	b.info = parseInfo(raw, b.info.Name)
	info, err := b.info.checked()
	if err != nil || info != b.info {
		return nil, fmt.Errorf("%s: %w: not in the form in which it is written: %w", infoName, ledger.ErrCorrupt, err)
	}
	return infoText(info, files, size), nil
}
