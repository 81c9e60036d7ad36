package access

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/spoortrace/spoor/ledger"
)

// checkpoint is a signed statement of what an audit log holds. Its text begins
// as that of other transparency logs, with origin, size and root hash (base64);
// then come the mark of the file and the edge of the tree, from which a process
// goes on without reading what lies before:
//
//	spoor audit log
//	3
//	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//	bytes 612
//	chain 6f1e...
//	edge qD3z...
//	edge m0Vk...
//
//	— spoor-audit AbCd...
type checkpoint struct {
	mark
	tree
}

const (
	origin   = "spoor audit log"
	auditKey = "spoor-audit" // name of the signing key
)

func (c checkpoint) sign(signer note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: c.text()}, signer)
}

func (c checkpoint) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n%s\nbytes %d\nchain %x\n", origin, c.size, c.root(), c.Bytes, c.Chain)
	for _, h := range c.edge {
		fmt.Fprintf(&b, "edge %s\n", h)
	}
	return b.String()
}

// openCheckpoint verifies and reads a checkpoint.
func openCheckpoint(raw []byte, verifier note.Verifier) (c checkpoint, err error) {
	signed, err := note.Open(raw, note.VerifierList(verifier))
	if err != nil {
		return c, fmt.Errorf("%w: checkpoint: %w", ledger.ErrCorrupt, err)
	}
	c, ok := parseCheckpoint(signed.Text)
	if !ok || !soleSignature(signed, raw) {
		return c, fmt.Errorf("%w: checkpoint: it is signed, and no checkpoint", ledger.ErrCorrupt)
	}
	return c, nil
}

// soleSignature wants the one form that sign writes: a note may hold a signature
// twice, and its base64 has bits that say nothing.
func soleSignature(signed *note.Note, raw []byte) bool {
	if len(signed.Sigs) != 1 || len(signed.UnverifiedSigs) != 0 {
		return false
	}
	if _, err := base64.StdEncoding.Strict().DecodeString(signed.Sigs[0].Base64); err != nil {
		return false
	}
	again, err := note.Sign(&note.Note{Text: signed.Text, Sigs: signed.Sigs})
	return err == nil && string(again) == string(raw)
}

// parseCheckpoint takes only what text writes.
func parseCheckpoint(text string) (c checkpoint, ok bool) {
	lines := strings.Split(text, "\n")
	if len(lines) < 6 || len(lines) > 6+64 {
		return c, false
	}
	var err [2]error
	c.size, err[0] = strconv.ParseUint(lines[1], 10, 64)
	bytes, isBytes := strings.CutPrefix(lines[3], "bytes ")
	c.Bytes, err[1] = strconv.ParseInt(bytes, 10, 64)
	chain, isChain := strings.CutPrefix(lines[4], "chain ")
	if err[0] != nil || err[1] != nil || !isBytes || !isChain || len(chain) != chainText || bits.OnesCount64(c.size) != len(lines)-6 {
		return c, false
	}
	if _, err := hex.Decode(c.Chain[:], []byte(chain)); err != nil {
		return c, false
	}
	for _, line := range lines[5 : len(lines)-1] {
		edge, isEdge := strings.CutPrefix(line, "edge ")
		raw, err := base64.StdEncoding.DecodeString(edge)
		if !isEdge || err != nil || len(raw) != tlog.HashSize {
			return c, false
		}
		c.edge = append(c.edge, tlog.Hash(raw))
	}
	c.Lines = c.size
	return c, c.text() == text
}
