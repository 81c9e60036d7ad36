package bag

import (
	"bytes"
	"crypto/sha256"
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
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", infoName, ledger.ErrCorrupt, err)
	}
	if info != b.info {
		return nil, fmt.Errorf("%s: %w: not in the form in which it is written", infoName, ledger.ErrCorrupt)
	}
	return infoText(info, files, size), nil
}
