package bag

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
)

func exampleInfo() Info {
	return Info{
		Name: "case-7-full", Organization: "Public Prosecutor", ExternalIdentifier: "2025/77", Description: "DEMONSTRATION", BaggingDate: "2025-11-23",
	}
}

func exampleFiles() []File {
	return []File{
		{Path: "report.pdf", Role: "report", Bytes: []byte("%PDF-1.7\n")},
		{Path: "exports/stix.json", Role: "export", Bytes: []byte("{}\n")},
		{Path: "exports/case-uco.jsonld", Role: "export", Bytes: []byte("{\"@graph\": []}\n")},
		{Path: "empty", Role: "raw"},
		{Path: "proofs/0.json", Role: "proof", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("[1]")), nil }},
	}
}

func write(t testing.TB, files []File, info Info) ([]byte, Sum) {
	t.Helper()
	var b bytes.Buffer
	sum, err := Write(&b, files, info)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), sum
}

func open(t testing.TB, raw []byte) *Bag {
	t.Helper()
	b, err := Open(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	raw, sum := write(t, exampleFiles(), exampleInfo())
	b := open(t, raw)
	if b.Sum() != sum || b.Info() != exampleInfo() {
		t.Errorf("got %+v of %+v, want %+v of %+v", b.Sum(), b.Info(), sum, exampleInfo())
	}
	var paths []string
	for _, f := range b.Files() {
		paths = append(paths, f.Path+" "+f.Role+" "+strconv.FormatInt(f.Size, 10))
	}
	want := []string{"empty raw 0", "exports/case-uco.jsonld export 15", "exports/stix.json export 3", "proofs/0.json proof 3", "report.pdf report 9"}
	if d := cmp.Diff(want, paths); d != "" {
		t.Error(d)
	}
	if got, err := b.Read("proofs/0.json"); err != nil || string(got) != "[1]" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := b.Read("none"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a file that is not there: %v", err)
	}
	whole, err := io.ReadAll(b.Raw())
	if err != nil || !bytes.Equal(whole, raw) {
		t.Errorf("Raw: %d bytes, %v, want %d", len(whole), err, len(raw))
	}
}

// The package is a golden file: another version that writes other bytes breaks every hash that a court was given.
func TestGolden(t *testing.T) {
	raw, sum := write(t, exampleFiles(), exampleInfo())
	want := Sum{
		SHA256: "5b0c23e70ec878d81cb2c6ac2f43fc8466560c28ed597cbf6b37f18424fa34eb",
		Size:   3224,
		Root:   "347687c9d1074b5bfdec60b9f6e15d9fed74303a46994da8ce06105114a0c554",
	}
	if sum != want {
		t.Errorf("got %+v, want %+v", sum, want)
	}
	manifest, err := open(t, raw).Read(manifestName)
	if err != nil || !strings.HasPrefix(string(manifest), "{\n \"format\": 1,\n \"root\": \""+want.Root+"\",\n \"files\": [\n  {\n   \"path\": \"empty\",\n") {
		t.Errorf("got %s, %v", manifest, err)
	}
}

// What others read of the zip and the bag: the standard library's zip, and RFC 8493 by its text.
func TestOthersReadIt(t *testing.T) {
	raw, _ := write(t, exampleFiles(), exampleInfo())
	r, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, f := range r.File {
		if f.Method != zip.Store || f.Flags != 0 || len(f.Extra) > 0 || f.Mode() != 0o644 || !f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: %+v", f.Name, f.FileHeader)
		}
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		texts[f.Name] = string(text)
	}
	if got, want := texts["case-7-full/bagit.txt"], "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"; got != want {
		t.Errorf("bagit.txt: got %q, want %q", got, want)
	}
	total := 0
	for name, text := range texts {
		if strings.Contains(name, "/data/") {
			total += len(text)
		}
	}
	want := "Source-Organization: Public Prosecutor\nExternal-Identifier: 2025/77\nExternal-Description: DEMONSTRATION\nBagging-Date: 2025-11-23\n" +
		fmt.Sprintf("Payload-Oxum: %d.6\n", total)
	if got := texts["case-7-full/bag-info.txt"]; got != want {
		t.Errorf("bag-info.txt: got %q, want %q", got, want)
	}
	// printf '[1]' | sha256sum
	if line := "080a9ed428559ef602668b4c00f114f1a11c3f6b02a435f0bdc154578e4d7f22  data/proofs/0.json\n"; !strings.Contains(texts["case-7-full/manifest-sha256.txt"], line) {
		t.Errorf("manifest-sha256.txt: no line %q in\n%s", line, texts["case-7-full/manifest-sha256.txt"])
	}
}

func TestSameBytesInAnyOrder(t *testing.T) {
	want, wantSum := write(t, exampleFiles(), exampleInfo())
	rng := rand.New(rand.NewPCG(1, 2))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for i := range 50 {
		runtime.GOMAXPROCS(1 + i%3)
		files := exampleFiles()
		rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
		got, sum := write(t, files, exampleInfo())
		if !bytes.Equal(got, want) || sum != wantSum {
			t.Fatalf("order %d: got %+v, want %+v", i, sum, wantSum)
		}
	}
}

func TestAnyFilesComeBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		part := rapid.StringMatching(`[a-z0-9]([A-Za-z0-9._-]{0,6}[a-z])?`)
		parts := rapid.SliceOfN(part, 1, 3)
		var files []File
		var paths []string
		for _, p := range rapid.SliceOfN(parts, 0, 12).Draw(rt, "paths") {
			path := strings.Join(p, "/")
			if checkPaths(append(paths, path)) == nil {
				paths = append(paths, path)
				files = append(files, File{Path: path, Role: "raw", Bytes: rapid.SliceOf(rapid.Byte()).Draw(rt, "bytes")})
			}
		}
		info := exampleInfo()
		info.Description = rapid.String().Draw(rt, "description")
		raw, sum := write(t, files, info)
		b := open(t, raw)
		if b.Sum() != sum || len(b.Files()) != len(files) {
			rt.Fatalf("got %+v with %d files, want %+v with %d", b.Sum(), len(b.Files()), sum, len(files))
		}
		for _, f := range files {
			if got, err := b.Read(f.Path); err != nil || !bytes.Equal(got, f.Bytes) {
				rt.Fatalf("%s: got %x, %v, want %x", f.Path, got, err, f.Bytes)
			}
		}
	})
}

func TestRefusedFiles(t *testing.T) {
	for _, bad := range []string{
		"", "/a", "a/", "a//b", "..", "a/../b", "./a", "a.", ".hidden", "-rf", "a/-b", "a b", "a\\b", "a:b", "ä", "a\nb", "a\u202eb", "=1+1", "MANIFEST.json", "manifest.JSON",
		"A", "b/c", "b/C/d", strings.Repeat("x", 201),
	} {
		files := []File{{Path: "a", Role: "raw"}, {Path: "b", Role: "raw"}, {Path: bad, Role: "raw"}}
		_, err := Write(io.Discard, files, exampleInfo())
		var invalid *ledger.InvalidError
		if !errors.As(err, &invalid) || invalid.Got != bad {
			t.Errorf("path %q: got %v, want a refusal that names it", bad, err)
		}
	}
	for _, bad := range []string{"", "Report", "a b", strings.Repeat("x", 41)} {
		if _, err := Write(io.Discard, []File{{Path: "a", Role: bad}}, exampleInfo()); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("role %q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", ".", "..", "a/b", "ä", "a.", strings.Repeat("x", 101)} {
		if _, err := Write(io.Discard, nil, Info{Name: bad}); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("name %q: %v", bad, err)
		}
	}
	for _, bad := range []Info{
		{Name: "a", Organization: "\xff"},
		{Name: "a", Description: strings.Repeat("x", 1<<16+1)},
		{Name: "a", BaggingDate: "2025-13-01"},
		{Name: "a", BaggingDate: "23.11.2025"},
		{Name: "a", BaggingDate: "2025-1-1"},
	} {
		if _, err := Write(io.Discard, nil, bad); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestHostileInfoIsShown(t *testing.T) {
	info := exampleInfo()
	info.Organization = " a\nBagging-Date: 1999-01-01\r\n\u202egnp.exe\u2028\x00\u0085 "
	raw, _ := write(t, nil, info)
	const want = "a<U+000A>Bagging-Date: 1999-01-01<U+000D><U+000A><U+202E>gnp.exe<U+2028><U+0000>"
	if got := open(t, raw).Info(); got.Organization != want || got.BaggingDate != info.BaggingDate {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A file that changes between the two readings must not end in a package that says what it does not hold.
func TestFileChangesWhilePacked(t *testing.T) {
	for _, second := range []string{"other", "longer than it", ""} {
		texts := []string{"first", second}
		files := []File{{Path: "a", Role: "raw", Open: func() (io.ReadCloser, error) {
			text := texts[0]
			texts = texts[1:]
			return io.NopCloser(strings.NewReader(text)), nil
		}}}
		if _, err := Write(io.Discard, files, exampleInfo()); !errors.Is(err, ledger.ErrCorrupt) || !strings.Contains(err.Error(), "data/a") {
			t.Errorf("then %q: %v", second, err)
		}
	}
}

func TestErrorsOfFilesAndWritersComeThrough(t *testing.T) {
	gone := File{Path: "a", Role: "raw", Open: func() (io.ReadCloser, error) { return os.Open(filepath.Join(t.TempDir(), "gone")) }}
	if _, err := Write(io.Discard, []File{gone}, exampleInfo()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	raw, _ := write(t, exampleFiles(), exampleInfo())
	for n := range raw {
		if _, err := Write(&full{n}, exampleFiles(), exampleInfo()); !errors.Is(err, io.ErrShortWrite) {
			t.Fatalf("a disk with %d of %d bytes: %v", n, len(raw), err)
		}
	}
}

// full is a disk with room for so many bytes.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	f.room -= n
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// A zip that changes behind an open bag is noticed by who reads the file.
func TestChangedSinceOpen(t *testing.T) {
	raw, _ := write(t, exampleFiles(), exampleInfo())
	b := open(t, raw)
	raw[bytes.Index(raw, []byte("%PDF"))]++
	if got, err := b.Read("report.pdf"); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("got %q, %v", got, err)
	}
}

// The root of nothing is SHA-256 of nothing (RFC 6962, section 2.1); the others are built a second way, level by level.
func TestRoot(t *testing.T) {
	if got, want := Root(nil), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"; got != want {
		t.Errorf("no file: got %s, want %s", got, want)
	}
	var files []Listing
	seen := []string{Root(nil)}
	for i := range 70 {
		files = append(files, Listing{Path: "f" + strconv.Itoa(i), SHA256: strings.Repeat("a", 64), Size: int64(i)})
		if got, want := Root(files), pairwise(files); got != want {
			t.Errorf("%d files: got %s, want %s", len(files), got, want)
		}
		seen = append(seen, Root(files))
	}
	slices.Sort(seen)
	if n := len(slices.Compact(seen)); n != 71 {
		t.Errorf("%d roots of 71 lists", n)
	}
}

func pairwise(files []Listing) string {
	var level [][]byte
	for _, f := range files {
		h := sha256.Sum256(fmt.Appendf([]byte{0}, "%s %d %s", f.SHA256, f.Size, f.Path))
		level = append(level, h[:])
	}
	for len(level) > 1 {
		var next [][]byte
		for pair := range slices.Chunk(level, 2) {
			if len(pair) == 2 {
				h := sha256.Sum256(slices.Concat([]byte{1}, pair[0], pair[1]))
				pair[0] = h[:]
			}
			next = append(next, pair[0])
		}
		level = next
	}
	return fmt.Sprintf("%x", level[0])
}
