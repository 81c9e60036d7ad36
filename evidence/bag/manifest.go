package bag

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/spoortrace/spoor/ledger"
)

// longestListing is more than any file takes of the manifest.
const longestListing = 512

// Manifest is data/MANIFEST.json.
type Manifest struct {
	Format int       `json:"format"` // 1
	Root   string    `json:"root"`   // see Root
	Files  []Listing `json:"files"`  // every payload file but the manifest, by path
}

// Listing is one file of the manifest.
type Listing struct {
	Path   string `json:"path"`   // relative to data/
	SHA256 string `json:"sha256"` // lower-case hex
	Size   int64  `json:"size"`   // in bytes
	Role   string `json:"role"`
}

func (l Listing) leaf() []byte {
	return fmt.Appendf(nil, "%s %d %s", l.SHA256, l.Size, l.Path)
}

// Root is the Merkle tree hash of RFC 6962, section 2.1, over the files in the order of their paths, in hex. A leaf is "SHA256 SIZE PATH"
// without a line end. A file's audit path shows that it was in a package, without the other files.
func Root(files []Listing) string {
	leaves := make([]tlog.Hash, len(files))
	for i, l := range files {
		leaves[i] = tlog.RecordHash(l.leaf())
	}
	root := treeHash(leaves)
	return hex.EncodeToString(root[:])
}

func treeHash(leaves []tlog.Hash) tlog.Hash {
	if len(leaves) == 0 {
		h, _ := tlog.TreeHash(0, nil) // of an empty tree it asks no reader and is no error
		return h
	}
	if len(leaves) == 1 {
		return leaves[0]
	}
	half := 1
	for half*2 < len(leaves) {
		half *= 2
	}
	return tlog.NodeHash(treeHash(leaves[:half]), treeHash(leaves[half:]))
}

// newManifest sorts the files and adds their root.
func newManifest(files []Listing) Manifest {
	slices.SortFunc(files, func(a, b Listing) int { return cmp.Compare(a.Path, b.Path) })
	return Manifest{1, Root(files), files}
}

func (m Manifest) encode() ([]byte, error) {
	raw, err := json.MarshalIndent(m, "", " ")
	return append(raw, '\n'), err
}

// decodeManifest takes what encode makes and nothing else: of two texts for one manifest only one is the package's.
func decodeManifest(raw []byte) (m Manifest, err error) {
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("bag: %s: %w: %w", manifestName, ledger.ErrCorrupt, err)
	}
	if m.Format > 1 {
		return m, fmt.Errorf("bag: %s: format %d: %w", manifestName, m.Format, ledger.ErrNewer)
	}
	again, err := m.encode()
	if err != nil {
		return m, fmt.Errorf("bag: %s: %w", manifestName, err)
	}
	if m.Format != 1 || !bytes.Equal(again, raw) {
		return m, fmt.Errorf("bag: %s: %w: not in the form in which it is written", manifestName, ledger.ErrCorrupt)
	}
	return m, nil
}
