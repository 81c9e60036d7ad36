package chainlog

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/spoortrace/spoor/ledger"
)

// Checkpoint is a signed statement of what a log holds. Its text begins as that
// of other transparency logs, with origin, size and root hash (base64); then
// come the length of the file and the last CHAIN:
//
//	spoor custody log of zx81-3f2a77b0
//	3
//	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//	bytes 612
//	chain 6f1e...
//
//	— spoor-custody AbCd...
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   tlog.Hash
	bytes  int64
	chain  string
}

func checkpointOf(origin string, m mark) Checkpoint {
	return Checkpoint{origin, m.tree.size, m.tree.root(), m.bytes, hex.EncodeToString(m.chain[:])}
}

func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\nbytes %d\nchain %s\n", c.Origin, c.Size, c.Root, c.bytes, c.chain)
}

func (c Checkpoint) sign(signer note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: c.text()}, signer)
}

// OpenCheckpoint verifies and reads a checkpoint of the log with that origin.
func OpenCheckpoint(raw []byte, origin string, verifier note.Verifier) (c Checkpoint, err error) {
	signed, err := note.Open(raw, note.VerifierList(verifier))
	if err != nil {
		return c, fmt.Errorf("%w: checkpoint: %w", ledger.ErrCorrupt, err)
	}
	c, ok := parseCheckpoint(signed.Text)
	if !ok || c.Origin != origin || !soleSignature(signed, raw) {
		return c, fmt.Errorf("%w: checkpoint: it is signed, and none of %q", ledger.ErrCorrupt, origin)
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
func parseCheckpoint(text string) (c Checkpoint, ok bool) {
	lines := strings.Split(text, "\n")
	if len(lines) != 6 {
		return c, false
	}
	size, sizeErr := strconv.ParseUint(lines[1], 10, 63)
	root, rootErr := tlog.ParseHash(lines[2])
	length, isBytes := strings.CutPrefix(lines[3], "bytes ")
	bytes, bytesErr := strconv.ParseInt(length, 10, 64)
	chain, isChain := strings.CutPrefix(lines[4], "chain ")
	if sizeErr != nil || rootErr != nil || bytesErr != nil || !isBytes || !isChain || len(chain) != chainText {
		return c, false
	}
	c = Checkpoint{lines[0], size, root, bytes, chain}
	return c, c.text() == text
}
