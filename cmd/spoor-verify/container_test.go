package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// unzipped takes a zip apart.
func unzipped(t testing.TB, raw []byte) *pack {
	t.Helper()
	p, err := readPack(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A zip that is compressed, or whose entries share their bytes, is refused before it fills the memory.
func TestZipBombs(t *testing.T) {
	var raw bytes.Buffer
	w := zip.NewWriter(&raw)
	f, err := w.Create("case/data/zeros")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := readPack(raw.Bytes()); err == nil {
		t.Error("a compressed zip is read")
	}
	one := zipEntry{name: "case/data/zeros", bytes: make([]byte, 1000)}
	shared := append(one.header(), one.bytes...)
	at := uint64(len(shared))
	for range 100 {
		shared = append(shared, one.row()...)
	}
	shared = append(shared, zipEnd(100, uint64(len(shared))-at, at)...)
	if _, err := readPack(shared); err == nil {
		t.Error("a zip of 100 entries over the same bytes is read")
	}
}

func told(found []finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%+v\n", f)
	}
	return b.String()
}

// The container of another program's package holds; each change of it is found, and named.
func TestContainer(t *testing.T) {
	raw := file(t, "testdata/case-7-full.zip")
	if found := checkContainer(unzipped(t, raw)); len(found) > 0 {
		t.Errorf("got %s", told(found))
	}
	for name, test := range map[string]struct {
		change func(p *pack)
		want   string
	}{
		"a file more":           {func(p *pack) { p.files["more"] = nil }, "Subject:more Want:a file that MANIFEST.json lists"},
		"a file less":           {func(p *pack) { delete(p.files, "empty") }, "Subject:empty"},
		"a byte more":           {func(p *pack) { p.files["empty"] = []byte{0} }, "Subject:empty Want:0 bytes"},
		"a tag file more":       {func(p *pack) { p.tags["fetch.txt"] = nil }, "Subject:fetch.txt Want:no file of a bag"},
		"a tag file less":       {func(p *pack) { delete(p.tags, "bagit.txt") }, "Subject:bagit.txt Want:a file of the bag"},
		"another tag file":      {func(p *pack) { p.tags["bag-info.txt"] = []byte("Payload-Oxum: 1.1\n") }, "Subject:bag-info.txt Want:line 1"},
		"another manifest":      {func(p *pack) { p.tags["manifest-sha256.txt"] = nil }, "Subject:manifest-sha256.txt"},
		"another tag manifest":  {func(p *pack) { p.tags["tagmanifest-sha256.txt"] = nil }, "Subject:tagmanifest-sha256.txt"},
		"no list":               {func(p *pack) { delete(p.files, manifestPath) }, "Subject:MANIFEST.json"},
		"the list in one line":  {func(p *pack) { p.files[manifestPath] = bytes.ReplaceAll(p.files[manifestPath], []byte("\n "), nil) }, "not in the form"},
		"a path that goes up":   {func(p *pack) { p.files["../up"] = nil }, `Got:".."`},
		"a path in capitals":    {func(p *pack) { p.files["EMPTY"] = nil }, "where capitals do not count"},
		"a path below a file":   {func(p *pack) { p.files["empty/more"] = nil }, "below empty"},
		"another name":          {func(p *pack) { p.name = "case-8" }, "Subject:zip"},
		"bytes outside entries": {func(p *pack) { p.zipSHA256 = strings.Repeat("0", 64) }, "Subject:zip"},
	} {
		p := unzipped(t, raw)
		test.change(p)
		if got := told(checkContainer(p)); !strings.Contains(got, test.want) {
			t.Errorf("%s: got %s, want %q in it", name, got, test.want)
		}
	}
}

// Of 10,000 random edits of the zip each is found: it is no zip any more, or its files do not make it.
func TestEditedContainersAreFound(t *testing.T) {
	const seed = 13
	raw := file(t, "testdata/case-7-full.zip")
	r := rand.New(rand.NewPCG(seed, 4))
	read := 0
	for made := 0; made < 10_000; {
		b := edited(r, raw)
		if bytes.Equal(b, raw) {
			continue
		}
		made++
		p, err := readPack(b)
		if err != nil {
			continue
		}
		read++
		if len(checkContainer(p)) == 0 {
			t.Errorf("edit %d of seed %d is not found", made, seed)
		}
	}
	t.Logf("seed %d: 10000 edits found, %d of them by these checks", seed, read)
}

// A zip of more than 65,535 files is what the standard library reads, and what it was made of.
func TestZipOfManyFiles(t *testing.T) {
	p := &pack{name: "many", files: map[string][]byte{}, tags: map[string][]byte{"bagit.txt": []byte("a")}}
	for i := range 70_000 {
		p.files[fmt.Sprint("f", i)] = fmt.Append(nil, i)
	}
	var raw bytes.Buffer
	p.writeZip(&raw)
	again := unzipped(t, raw.Bytes())
	if len(again.files) != len(p.files) || again.name != p.name || string(again.tags["bagit.txt"]) != "a" || string(again.files["f69999"]) != "69999" || again.zipSHA256 != p.zipSum() {
		t.Errorf("got %d files of %s", len(again.files), again.name)
	}
}

// Trees of 0 to 3 leaves by hand, from the formulas of RFC 6962, and larger ones by their two halves.
func TestMerkleRoot(t *testing.T) {
	leaf := func(text string) []byte { h := sha256.Sum256([]byte("\x00" + text)); return h[:] }
	node := func(a, b []byte) []byte { h := sha256.Sum256(append(append([]byte{1}, a...), b...)); return h[:] }
	ab := node(leaf("a"), leaf("b"))
	for i, want := range [][]byte{sha256.New().Sum(nil), leaf("a"), ab, node(ab, leaf("c")), node(ab, node(leaf("c"), leaf("d"))), node(node(ab, node(leaf("c"), leaf("d"))), leaf("e"))} {
		var leaves [][]byte
		for _, c := range "abcde"[:i] {
			leaves = append(leaves, []byte(string(c)))
		}
		if got := merkleRoot(leaves); !bytes.Equal(got[:], want) {
			t.Errorf("%d leaves: got %x, want %x", i, got, want)
		}
	}
}
