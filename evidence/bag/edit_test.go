package bag

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// edits are the ways in which TestRandomEdits changes a package. Each may give back the same bytes: those are drawn again.
var edits = []struct {
	name string
	do   func(*rand.Rand, []byte) []byte
}{
	{"flip a bit", func(r *rand.Rand, b []byte) []byte {
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		return b
	}},
	{"set a byte", func(r *rand.Rand, b []byte) []byte {
		b[r.IntN(len(b))] = byte(r.Uint32())
		return b
	}},
	{"insert", func(r *rand.Rand, b []byte) []byte {
		return slices.Insert(b, r.IntN(len(b)+1), some(r, b)...)
	}},
	{"delete", func(r *rand.Rand, b []byte) []byte {
		from, to := within(r, b)
		return slices.Delete(b, from, to)
	}},
	{"truncate", func(r *rand.Rand, b []byte) []byte { return b[:r.IntN(len(b))] }},
	{"append", func(r *rand.Rand, b []byte) []byte { return append(b, some(r, b)...) }},
	{"repeat a part", func(r *rand.Rand, b []byte) []byte {
		from, to := within(r, b)
		return slices.Insert(b, to, slices.Clone(b[from:to])...)
	}},
	{"swap two parts", func(r *rand.Rand, b []byte) []byte {
		cuts := []int{r.IntN(len(b)), r.IntN(len(b)), r.IntN(len(b)), r.IntN(len(b))}
		slices.Sort(cuts)
		return slices.Concat(b[:cuts[0]], b[cuts[2]:cuts[3]], b[cuts[1]:cuts[2]], b[cuts[0]:cuts[1]], b[cuts[3]:])
	}},
	{"zero a part", func(r *rand.Rand, b []byte) []byte {
		from, to := within(r, b)
		clear(b[from:to])
		return b
	}},
}

// some are random bytes, or a part of the package, which looks more like what belongs there.
func some(r *rand.Rand, b []byte) []byte {
	if r.IntN(2) == 0 {
		from, to := within(r, b)
		return slices.Clone(b[from:to])
	}
	fresh := make([]byte, 1+r.IntN(40))
	for i := range fresh {
		fresh[i] = byte(r.Uint32())
	}
	return fresh
}

func within(r *rand.Rand, b []byte) (from, to int) {
	from = r.IntN(len(b))
	return from, from + r.IntN(min(len(b)-from, 1+r.IntN(400))+1)
}

// Every random edit is refused. SPOOR_SEED repeats a run.
func TestRandomEdits(t *testing.T) {
	const trials = 10000
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SPOOR_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("SPOOR_SEED: %v", err)
		}
	}
	t.Logf("SPOOR_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	raw, _ := write(t, exampleFiles(), exampleInfo())
	for done := 0; done < trials; {
		edit := edits[r.IntN(len(edits))]
		changed := edit.do(r, slices.Clone(raw))
		if bytes.Equal(changed, raw) {
			continue
		}
		done++
		_, err := Open(bytes.NewReader(changed), int64(len(changed)))
		if !errors.Is(err, ledger.ErrCorrupt) && !errors.Is(err, ledger.ErrInvalid) {
			t.Fatalf("SPOOR_SEED=%d, edit %d, %s: %v", seed, done, edit.name, err)
		}
	}
}

// Every single bit counts: the zip has no place that may be anything.
func TestEveryBit(t *testing.T) {
	raw, _ := write(t, exampleFiles()[:1], Info{Name: "a"})
	for bit := range 8 * len(raw) {
		raw[bit/8] ^= 1 << (bit % 8)
		if _, err := Open(bytes.NewReader(raw), int64(len(raw))); !errors.Is(err, ledger.ErrCorrupt) && !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("bit %d of byte %d: %v", bit%8, bit/8, err)
		}
		raw[bit/8] ^= 1 << (bit % 8)
	}
}

// parts are the files of a good package, for forgeries that hold together better than a random edit does.
func parts(t *testing.T) []source {
	t.Helper()
	raw, _ := write(t, exampleFiles(), exampleInfo())
	r, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var all []source
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, part(f.Name, string(text)))
	}
	return all
}

func part(name, text string) source {
	return source{
		entry{name: name, crc: crc32.ChecksumIEEE([]byte(text)), size: uint64(len(text))}, sha256.Sum256([]byte(text)), held([]byte(text)),
	}
}

func (s source) text() string {
	r, _ := s.open()
	raw, _ := io.ReadAll(r)
	return string(raw)
}

// edited replaces the text of one file.
func edited(all []source, name, old, fresh string) []source {
	for i, s := range all {
		if strings.HasSuffix(s.name, name) {
			all[i] = part(s.name, strings.ReplaceAll(s.text(), old, fresh))
		}
	}
	return all
}

// resealed makes the bag's own files anew, so that they agree with a forged payload.
func resealed(all []source) []source {
	isPayload := func(s source) bool { return strings.Contains(s.name, "/data/") }
	payload := slices.DeleteFunc(slices.Clone(all), func(s source) bool { return !isPayload(s) })
	tags := tagFiles(payload, exampleInfo())
	all = slices.Concat(payload, tags)
	slices.SortFunc(all, func(a, b source) int { return cmp.Compare(a.name, b.name) })
	return all
}

// Forgeries that are well-formed zips in the form of this package, down to their checksums.
func TestForgeries(t *testing.T) {
	const top = "case-7-full/"
	for _, f := range []struct {
		name string
		do   func([]source) []source
		want string // a part of the error
	}{
		{"a payload file changed", func(a []source) []source { return edited(a, "report.pdf", "1.7", "1.4") }, "report.pdf: corrupt"},
		{"the same, with BagIt's sums", func(a []source) []source { return resealed(edited(a, "report.pdf", "1.7", "1.4")) }, "report.pdf: corrupt"},
		{"a file taken out", func(a []source) []source { return a[:len(a)-1] }, "tagmanifest-sha256.txt: corrupt: missing"},
		{"a payload file taken out", func(a []source) []source { return resealed(slices.Delete(a, 3, 4)) }, `lists "empty"`},
		{"the manifest taken out", func(a []source) []source { return resealed(slices.Delete(a, 2, 3)) }, "MANIFEST.json: corrupt: missing"},
		{"a payload file put in", func(a []source) []source { return resealed(append(a, part(top+"data/z", "z"))) }, "z: corrupt: in the package, and not listed"},
		{"a tag file put in", func(a []source) []source { return append(a, part(top+"z.txt", "z")) }, `"z.txt": corrupt: no file of a package`},
		{"a file outside", func(a []source) []source { return append(a, part("other/z", "z")) }, `"other/z": corrupt: not below`},
		{"a folder", func(a []source) []source { return resealed(append(a, part(top+"data/z/", ""))) }, "corrupt"},
		{"a way out", func(a []source) []source { return resealed(append(a, part(top+"data/z/../../../../etc/passwd", ""))) }, "corrupt"},
		{"a name twice", func(a []source) []source { return append(a, a[len(a)-1]) }, "stands behind"},
		{"another order", func(a []source) []source { a[3], a[4] = a[4], a[3]; return a }, "stands behind"},
		{"another role", func(a []source) []source { return edited(a, manifestName, `"proof"`, `"other"`) }, "manifest-sha256.txt: corrupt"},
		{"a role of no form", func(a []source) []source { return resealed(edited(a, manifestName, `"proof"`, `"PROOF"`)) }, "role of proofs/0.json"},
		{"another root", func(a []source) []source { return resealed(edited(a, manifestName, "\"root\": \"", "\"root\": \"0")) }, "the root of its files"},
		{"another size", func(a []source) []source { return resealed(edited(a, manifestName, `"size": 15`, `"size": 14`)) }, "exports/case-uco.jsonld: corrupt"},
		{"a key more", func(a []source) []source {
			return resealed(edited(a, manifestName, `"format": 1,`, `"format": 1, "x": 1,`))
		}, "not in the form"},
		{"a key twice", func(a []source) []source {
			return resealed(edited(a, manifestName, `"format": 1,`, `"format": 2, "format": 1,`))
		}, "not in the form"},
		{"text behind", func(a []source) []source { return resealed(edited(a, manifestName, "]\n}", "]\n} ")) }, "not in the form"},
		{"no JSON", func(a []source) []source { return resealed(edited(a, manifestName, "{", "[")) }, "MANIFEST.json: corrupt"},
		{"another Oxum", func(a []source) []source { return edited(a, infoName, ".6\n", ".7\n") }, "bag-info.txt: corrupt"},
		{"a line more", func(a []source) []source { return edited(a, infoName, "Payload", "X: y\nPayload") }, "bag-info.txt: corrupt"},
		{"a line twice", func(a []source) []source { return edited(a, infoName, "Payload", "Bagging-Date: 2025-11-23\nPayload") }, "bag-info.txt: corrupt"},
		{"a date of no form", func(a []source) []source { return edited(a, infoName, "2025-11-23", "23 Nov") }, "bag-info.txt: corrupt"},
		{"another BagIt", func(a []source) []source { return edited(a, bagitName, "1.0", "0.97") }, "bagit.txt: corrupt"},
		{"sums without a line", func(a []source) []source { return edited(a, "/"+sumsName, "080a9", "080a8") }, "manifest-sha256.txt: corrupt"},
	} {
		all := f.do(parts(t))
		var b bytes.Buffer
		if _, err := pack(&b, all); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		_, err := Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if !errors.Is(err, ledger.ErrCorrupt) || !strings.Contains(err.Error(), f.want) {
			t.Errorf("%s: got %v, want %q", f.name, err, f.want)
		}
	}
}

func TestNewerFormat(t *testing.T) {
	var b bytes.Buffer
	if _, err := pack(&b, resealed(edited(parts(t), manifestName, `"format": 1,`, `"format": 2,`))); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(bytes.NewReader(b.Bytes()), int64(b.Len())); !errors.Is(err, ledger.ErrNewer) {
		t.Errorf("got %v", err)
	}
}

// Other zips of the same files: all of them would unpack to the same bag.
func TestOtherZips(t *testing.T) {
	all := parts(t)
	stamp := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, change := range map[string]func(*zip.Writer, *zip.FileHeader){
		"by archive/zip":  func(*zip.Writer, *zip.FileHeader) {},
		"compressed":      func(_ *zip.Writer, h *zip.FileHeader) { h.Method = zip.Deflate },
		"other times":     func(_ *zip.Writer, h *zip.FileHeader) { h.Modified = stamp.AddDate(1, 0, 0) },
		"extra fields":    func(_ *zip.Writer, h *zip.FileHeader) { h.Extra = []byte{1, 2, 0, 0} },
		"comments":        func(_ *zip.Writer, h *zip.FileHeader) { h.Comment = "c" },
		"other modes":     func(_ *zip.Writer, h *zip.FileHeader) { h.SetMode(0o755) },
		"comment":         func(w *zip.Writer, _ *zip.FileHeader) { _ = w.SetComment("c") },
		"no end, comment": func(w *zip.Writer, _ *zip.FileHeader) { _ = w.SetComment("PK\x05\x06" + strings.Repeat("\x00", 18)) },
	} {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, s := range all {
			h := &zip.FileHeader{Name: s.name, Modified: stamp}
			change(w, h)
			f, err := w.CreateHeader(h)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write([]byte(s.text())); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(bytes.NewReader(b.Bytes()), int64(b.Len())); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoPackage(t *testing.T) {
	for _, raw := range []string{"", "x", "%PDF-1.7\n" + strings.Repeat("x", 100), "PK"} {
		if _, err := Open(strings.NewReader(raw), int64(len(raw))); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%.10q: %v", raw, err)
		}
	}
	empty := "PK\x05\x06" + strings.Repeat("\x00", 18)
	if _, err := Open(strings.NewReader(empty), int64(len(empty))); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("an empty zip: %v", err)
	}
}

// A directory that claims numbers of zip64 makes nobody read beyond the file or take memory for it.
func TestHostileNumbers(t *testing.T) {
	raw, _ := write(t, exampleFiles(), exampleInfo())
	for at := len(raw) - sizeEnd + 4; at+4 <= len(raw); at++ {
		for _, n := range []uint32{0, 1, 1 << 28, 1<<31 - 1, 1 << 31, most32} {
			changed := slices.Clone(raw)
			binary.LittleEndian.PutUint32(changed[at:], n)
			if bytes.Equal(changed, raw) {
				continue
			}
			if _, err := Open(bytes.NewReader(changed), int64(len(changed))); !errors.Is(err, ledger.ErrCorrupt) {
				t.Errorf("%#x at %d of %d: %v", n, at, len(raw), err)
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	raw, _ := write(f, exampleFiles(), exampleInfo())
	f.Add(raw)
	small, _ := write(f, nil, Info{Name: "a"})
	f.Add(small)
	f.Add(appendEnd64(nil, 1<<40, 1<<40, 1<<63))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := Open(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		// What was accepted is what Write makes of its files: there is no second package with these.
		var files []File
		for _, l := range b.Files() {
			text, err := b.Read(l.Path)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, File{Path: l.Path, Role: l.Role, Bytes: text})
		}
		again, sum := write(t, files, b.Info())
		if !bytes.Equal(again, raw) || sum != b.Sum() {
			t.Fatalf("written again: %+v, was %+v", sum, b.Sum())
		}
	})
}
