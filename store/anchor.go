package store

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spoortrace/spoor/ledger"
)

// The anchor is an append-only, synced file beside the engine with one line for
// every published head: number, height, block, digest of the tip, CRC-32C. An
// engine that silently lost its last commits has a smaller number than the last
// line, which is found out at open.
type anchor struct {
	file *os.File
	last anchorLine
}

type anchorLine struct {
	seq, height  uint64
	hash, digest ledger.Hash
}

func anchorOf(h *head) anchorLine {
	return anchorLine{h.seq, h.tip.ref.Height, h.tip.ref.Hash, h.tip.digest}
}

func (l anchorLine) String() string {
	body := fmt.Sprintf("%d %d %s %s", l.seq, l.height, l.hash, l.digest)
	return fmt.Sprintf("%s %08x\n", body, crc32.Checksum([]byte(body), castagnoli))
}

func parseAnchor(line []byte) (anchorLine, error) {
	var l anchorLine
	var hash, digest []byte
	var sum uint32
	_, err := fmt.Sscanf(string(line), "%d %d %x %x %08x", &l.seq, &l.height, &hash, &digest, &sum)
	copy(l.hash[:], hash)
	copy(l.digest[:], digest)
	if err != nil || l.String() != string(line)+"\n" {
		return l, corrupt("anchor line %q", line)
	}
	return l, nil
}

// openAnchor reads the file and cuts off a line that a crash left unfinished.
func openAnchor(dir string) (*anchor, error) {
	f, err := os.OpenFile(filepath.Join(dir, "anchor"), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, corrupt("the anchor file is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("store: anchor: %w", err)
	}
	a := &anchor{file: f}
	if err := a.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return a, nil
}

func (a *anchor) load() error {
	text, err := os.ReadFile(a.file.Name())
	if err != nil {
		return fmt.Errorf("store: anchor: %w", err)
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	var before anchorLine
	for i, line := range bytes.SplitAfter(text[:whole], []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		if a.last, err = parseAnchor(line[:len(line)-1]); err != nil {
			return err
		}
		if i > 0 && a.last.seq != before.seq+1 {
			return corrupt("anchor: line %d has number %d after %d", i+1, a.last.seq, before.seq)
		}
		before = a.last
	}
	if whole == 0 {
		return corrupt("the anchor file is empty")
	}
	if err := a.file.Truncate(int64(whole)); err != nil {
		return fmt.Errorf("store: anchor: %w", err)
	}
	_, err = a.file.Seek(int64(whole), 0)
	return err
}

// createAnchor begins the file of a fresh generation.
func createAnchor(dir string) (*anchor, error) {
	f, err := os.OpenFile(filepath.Join(dir, "anchor"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: anchor: %w", err)
	}
	return &anchor{file: f}, syncDir(dir)
}

// add appends a line and makes it durable.
func (a *anchor) add(l anchorLine) error {
	if _, err := a.file.WriteString(l.String()); err != nil {
		return fmt.Errorf("store: anchor: %w", err)
	}
	if err := a.file.Sync(); err != nil {
		return fmt.Errorf("store: anchor: %w", err)
	}
	a.last = l
	return nil
}

func (a *anchor) close() error {
	if a.file == nil {
		return nil
	}
	return a.file.Close()
}

// RolledBackError reports an engine that lost publications which it had
// acknowledged: a damaged log that it skipped in silence, or an old copy.
// Network.Repair builds a sound generation from what is left.
type RolledBackError struct {
	Have, Want ledger.BlockRef // the engine's tip, and the last tip that was acknowledged
}

func (e *RolledBackError) Error() string {
	return fmt.Sprintf("store: %s: the engine is at height %d and had acknowledged height %d (block %s): it lost data; repair the index and ingest again from there",
		e.Have.Chain, e.Have.Height, e.Want.Height, e.Want.Hash)
}

// Is makes errors.Is(err, ledger.ErrCorrupt) true.
func (e *RolledBackError) Is(target error) bool { return target == ledger.ErrCorrupt }

// check compares the engine's head with the last line. A crash between
// publication and line leaves the head exactly one ahead: the line is added.
func (a *anchor) check(h *head) error {
	at := anchorOf(h)
	switch {
	case at == a.last:
		return nil
	case at.seq == a.last.seq+1:
		return a.add(at)
	case at.seq < a.last.seq:
		return &RolledBackError{
			Have: h.tip.ref,
			Want: ledger.BlockRef{Chain: h.chain, Height: a.last.height, Hash: a.last.hash},
		}
	}
	return corrupt("anchor has number %d at height %d, the engine number %d at height %d", a.last.seq, a.last.height, at.seq, at.height)
}
