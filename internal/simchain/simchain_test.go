package simchain_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/internal/simchain"
)

// TestWrite: the blocks prove themselves, are linked, and are the same again.
func TestWrite(t *testing.T) {
	var a, b bytes.Buffer
	stats, err := simchain.Write(&a, simchain.Options{Txs: 3000, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := simchain.Write(&b, simchain.Options{Txs: 3000, Seed: 7}); err != nil || sha256.Sum256(a.Bytes()) != sha256.Sum256(b.Bytes()) {
		t.Errorf("again: other bytes, or %v", err)
	}
	file := filepath.Join(t.TempDir(), "chain.dat")
	if err := os.WriteFile(file, a.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := archive.Open(t.Context(), archive.Options{Chain: "bitcoin-simnet", Blocks: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	blocks, txs, next := 0, 0, uint64(1)
	for block, err := range files.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if block.Ref.Height != next {
			t.Fatalf("height %d, want %d", block.Ref.Height, next)
		}
		next++
		blocks++
		txs += len(block.Txs) - 1
	}
	if blocks != stats.Blocks || txs != 3000 || stats.Txs != 3000 || stats.Bytes != a.Len() || stats.Inputs < 3000 || stats.Outputs < 6000 {
		t.Errorf("%d blocks, %d transactions, %d bytes, counted as %+v", blocks, txs, a.Len(), stats)
	}
}
