package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spoortrace/spoor/ledger"
)

// Network is the index of one chain in a data directory. Its file CURRENT names
// the generation that is in force. Reads may run beside one writer.
type Network struct {
	chain   ledger.Chain
	dir     string // networks/<chain>
	engine  Engine
	minFree uint64

	rebuilding sync.Mutex   // held by Rebuild, before write
	write      sync.Mutex   // held by Append, and by Rebuild while it catches up
	waiting    atomic.Int32 // how many wait for write: Follow lets them in between two blocks

	mu  sync.Mutex
	cur *index
}

// Chain returns the network's name.
func (n *Network) Chain() ledger.Chain { return n.chain }

// Append takes blocks in: those that follow the tip, those that replace blocks
// of the tip overlay (a reorg; the block handed in last is the tip), and those
// above a gap. A block that the tip's chain holds already changes nothing. What
// a returned Progress has named is durable. Inputs whose coins are not known
// are resolved from the index. It stops at the first error; the blocks before
// it are kept, except for those of an unpublished batch that the offending
// block was part of.
//
// ErrDeepReorg, ErrBackfill and ErrUnlinked name a block that has no place,
// ledger.ErrInvalid one that contradicts itself or the coins held, and
// ledger.ErrExhausted a disk that is nearly full.
func (n *Network) Append(ctx context.Context, blocks iter.Seq2[*ledger.Block, error], o AppendOptions) error {
	n.write.Lock()
	defer n.write.Unlock()
	x := n.pin()
	defer x.done()
	if x.current().head.export {
		return fmt.Errorf("store: %s is a set of exports and only grows by a rebuild: %w", n.chain, ledger.ErrPrecondition)
	}
	return x.append(ctx, blocks, o)
}

func (n *Network) generation() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return filepath.Base(n.cur.dir)
}

// pin holds the current generation open until done is called.
func (n *Network) pin() pinned {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cur.retain()
	return pinned{n.cur}
}

type pinned struct{ *index }

// done gives the generation back. An error of closing a superseded generation
// costs nothing that is in force; its folder is removed at the next open.
func (p pinned) done() { _ = p.release() }

func (n *Network) close() error {
	n.rebuilding.Lock()
	defer n.rebuilding.Unlock()
	n.write.Lock()
	defer n.write.Unlock()
	return n.cur.release()
}

// createNetwork makes networks/<chain> with an empty first generation.
func createNetwork(ctx context.Context, dir string, engine Engine, c ledger.Chain, minFree uint64) (*Network, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	x, err := createIndex(ctx, filepath.Join(dir, "gen-1"), engine, newHead(c, nil), nil, minFree, nil)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(writeCurrent(dir, "gen-1"), syncDir(filepath.Dir(dir))); err != nil {
		return nil, errors.Join(err, x.release())
	}
	return &Network{chain: c, dir: dir, engine: engine, minFree: minFree, cur: x}, nil
}

// openNetwork opens the generation in force and removes others that a crash left.
func openNetwork(ctx context.Context, dir string, engine Engine, c ledger.Chain, minFree uint64) (*Network, error) {
	name, err := readCurrent(dir)
	if err != nil {
		return nil, err
	}
	x, err := openIndex(ctx, filepath.Join(dir, name), engine, c, minFree)
	if err != nil {
		return nil, err
	}
	others, err := filepath.Glob(filepath.Join(dir, "gen-*"))
	for _, other := range others {
		if filepath.Base(other) != name {
			err = errors.Join(err, os.RemoveAll(other))
		}
	}
	if err != nil {
		return nil, errors.Join(err, x.release())
	}
	return &Network{chain: c, dir: dir, engine: engine, minFree: minFree, cur: x}, nil
}

// currentText is what CURRENT says of a generation.
func currentText(name string) []byte {
	return fmt.Appendf(nil, "%s %08x\n", name, crc32.Checksum([]byte(name), castagnoli))
}

// writeCurrent moves the pointer: a crash leaves the old one or the new one.
func writeCurrent(dir, name string) error {
	temp := filepath.Join(dir, "CURRENT.tmp")
	if err := writeSynced(temp, currentText(name)); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(dir, "CURRENT")); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return syncDir(dir)
}

func writeSynced(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func readCurrent(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "CURRENT"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", corrupt("%s has no CURRENT", dir)
	}
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	name, _, _ := strings.Cut(string(text), " ")
	if !bytes.Equal(text, currentText(name)) {
		return "", corrupt("CURRENT says %q", text)
	}
	_, err = generationNumber(name)
	return name, err
}

func generationNumber(name string) (int, error) {
	digits, ok := strings.CutPrefix(name, "gen-")
	number, err := strconv.Atoi(digits)
	if !ok || err != nil || number < 1 {
		return 0, corrupt("generation %q", name)
	}
	return number, nil
}

// unborn reports a folder in which the first generation was never put in force:
// a crash while the network was made. Nothing was acknowledged in it.
func unborn(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "CURRENT"))
	gens, _ := filepath.Glob(filepath.Join(dir, "gen-*"))
	if !errors.Is(err, fs.ErrNotExist) || len(gens) > 1 || len(gens) == 1 && filepath.Base(gens[0]) != "gen-1" {
		return false
	}
	text, err := os.ReadFile(filepath.Join(dir, "gen-1", "anchor"))
	return err != nil || strings.Count(string(text), "\n") <= 1
}
