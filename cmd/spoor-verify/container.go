package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// listing is MANIFEST.json: every other file below data/, in order of path, and the root over the lines "SHA256 SIZE PATH".
type listing struct {
	Format int          `json:"format"`
	Root   string       `json:"root"`
	Files  []listedFile `json:"files"`
}

type listedFile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Role   string `json:"role"`
}

const (
	checkNameContainer = "container"
	manifestPath       = "MANIFEST.json"
)

// checkContainer holds the manifests against the files and each other, and the zip against the only one that these files can be.
func checkContainer(p *pack) []finding {
	found := checkPaths(p)
	list, err := readListing(p.files[manifestPath])
	if err != nil {
		found = append(found, finding{checkNameContainer, manifestPath, "the list of files in its one form", err.Error()})
	} else {
		found = append(found, list.check(p)...)
	}
	found = append(found, checkTags(p)...)
	if sum := p.zipSum(); sum != p.zipSHA256 {
		found = append(found, finding{checkNameContainer, "zip", "the zip of sha256 " + sum + " that these files make", "sha256 " + p.zipSHA256})
	}
	return found
}

// readListing reads MANIFEST.json in the form in which it is written: one space for each level, and a line break at the end.
func readListing(text []byte) (l listing, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return l, err
	}
	again, err := json.MarshalIndent(l, "", " ")
	if err != nil {
		return l, err
	}
	if l.Format != 1 || !bytes.Equal(append(again, '\n'), text) {
		return l, fmt.Errorf("format %d, or not in the form in which it is written", l.Format)
	}
	return l, nil
}

// check holds the list against the files.
func (l listing) check(p *pack) []finding {
	var found []finding
	say := func(subject, want, got string) {
		found = append(found, finding{checkNameContainer, subject, want, got})
	}
	listed := map[string]bool{manifestPath: true}
	var leaves [][]byte
	for i, f := range l.Files {
		if i > 0 && l.Files[i-1].Path >= f.Path {
			say(f.Path, "files in order of path, each once", "listed behind "+l.Files[i-1].Path)
		}
		if f.Role == "" || len(f.Role) > 40 || strings.Trim(f.Role, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			say(f.Path, "a role of lower-case letters, digits and -", f.Role)
		}
		listed[f.Path] = true
		leaves = append(leaves, fmt.Appendf(nil, "%s %d %s", f.SHA256, f.Size, f.Path))
		b, ok := p.files[f.Path]
		if want, got := fmt.Sprintf("%d bytes of sha256 %s", f.Size, f.SHA256), fmt.Sprintf("%d bytes of sha256 %s", len(b), sha256Hex(b)); !ok {
			say(f.Path, want, "no such file")
		} else if want != got {
			say(f.Path, want, got)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(p.files)) {
		if !listed[path] {
			say(path, "a file that "+manifestPath+" lists", "it does not")
		}
	}
	if root := merkleRoot(leaves); hex.EncodeToString(root[:]) != l.Root {
		say(manifestPath, fmt.Sprintf("root %x", root), l.Root)
	}
	return found
}

// checkTags writes the bag's own files as RFC 8493 has them for this payload, and compares.
func checkTags(p *pack) []finding {
	var found []finding
	var sums, tagSums bytes.Buffer
	size := 0
	for _, path := range slices.Sorted(maps.Keys(p.files)) {
		size += len(p.files[path])
		fmt.Fprintf(&sums, "%s  data/%s\n", sha256Hex(p.files[path]), path)
	}
	want := map[string][]byte{
		"bag-info.txt":        bagInfo(p.tags["bag-info.txt"], fmt.Sprintf("%d.%d", size, len(p.files))),
		"bagit.txt":           []byte("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"),
		"manifest-sha256.txt": sums.Bytes(),
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		fmt.Fprintf(&tagSums, "%s  %s\n", sha256Hex(want[name]), name)
	}
	want["tagmanifest-sha256.txt"] = tagSums.Bytes()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		got, ok := p.tags[name]
		if !ok {
			found = append(found, finding{checkNameContainer, name, "a file of the bag", "there is none"})
		} else if !bytes.Equal(got, want[name]) {
			found = append(found, finding{checkNameContainer, name, differs(want[name], got), differs(got, want[name])})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.tags)) {
		if want[name] == nil {
			found = append(found, finding{checkNameContainer, name, "no file of a bag", "it is there"})
		}
	}
	return found
}

// bagInfo writes bag-info.txt again out of what it says: known labels in their order, once, each with one line that shows as itself, and the
// payload's size.
func bagInfo(text []byte, oxum string) []byte {
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		label, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		values[label] = value
	}
	var b bytes.Buffer
	for _, label := range []string{"Source-Organization", "External-Identifier", "External-Description", "Bagging-Date"} {
		hidden := func(r rune) bool { return !unicode.IsGraphic(r) }
		value := strings.TrimSpace(values[label])
		if value == "" || !utf8.ValidString(value) || strings.ContainsFunc(value, hidden) {
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n", label, value)
	}
	fmt.Fprintf(&b, "Payload-Oxum: %s\n", oxum)
	return b.Bytes()
}

// differs shows the first line of a text that another does not have at its place.
func differs(text, other []byte) string {
	lines, others := strings.SplitAfter(string(text), "\n"), strings.SplitAfter(string(other), "\n")
	for i, line := range lines {
		if i >= len(others) || others[i] != line {
			return fmt.Sprintf("line %d: %.200q", i+1, line)
		}
	}
	return fmt.Sprintf("%d lines", len(lines))
}

// checkPaths refuses paths that some system does not store as they are, or stores as those of another file.
func checkPaths(p *pack) []finding {
	var found []finding
	seen := map[string]string{}
	for _, path := range append(slices.Sorted(maps.Keys(p.files)), p.name) {
		for part := range strings.SplitSeq(path, "/") {
			if !plainName(part) || len(path) > 200 {
				found = append(found, finding{checkNameContainer, path, "letters, digits and . _ - in parts between slashes", fmt.Sprintf("%.60q", part)})
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(p.files)) {
		folded := strings.ToLower(path)
		if other, ok := seen[folded]; ok {
			found = append(found, finding{checkNameContainer, path, "a path of its own", "the same as " + other + " where capitals do not count"})
		}
		seen[folded] = path
	}
	for _, path := range slices.Sorted(maps.Keys(p.files)) {
		folded := strings.ToLower(path)
		for i := range len(folded) {
			if other, ok := seen[folded[:i]]; ok && folded[i] == '/' {
				found = append(found, finding{checkNameContainer, path, "a path that is not below a file", "below " + other})
			}
		}
	}
	return found
}

func plainName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return name != "" && strings.Trim(name, letters) == "" && name[0] != '.' && name[0] != '-' && name[len(name)-1] != '.'
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
