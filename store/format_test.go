package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/badgerkv"
	"github.com/spoortrace/spoor/store/memkv"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestFormat holds every byte of a small index against a file: a change of it is
// a change of the format, and the format's number must rise with it.
func TestFormat(t *testing.T) {
	blocks := goldenBlocks()
	kv := &mapKV{rows: map[string][]store.Row{}}
	s, n := open(t, t.TempDir(), func(string) (store.KV, error) { return kv, nil }, "bitcoin")
	defer s.Close()
	bound := uint64(1)
	if err := n.Append(context.Background(), series(blocks...), store.AppendOptions{ReorgBound: &bound}); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, name := range slices.Sorted(maps.Keys(kv.rows)) {
		for _, row := range kv.rows[name] {
			fmt.Fprintf(&got, "%c %x %x = %x\n", name[0], name[1:], row.Sort, row.Value)
		}
	}
	golden(t, "rows.golden", got.String())
	golden(t, "export.golden", exported(t, n))
}

func goldenBlocks() []*ledger.Block {
	blocks := run("bitcoin", 7, 9)
	alice := ledger.Address{Chain: "bitcoin", Kind: ledger.KindP2PKH, Payload: strings.Repeat("a", 20)}
	data := ledger.Address{Chain: "bitcoin", Kind: ledger.KindScript, Payload: "\x6a" + strings.Repeat("d", 300)}
	for i, b := range blocks {
		coinbase := ledger.Tx{ID: ledger.TxID{byte(i), 0xcb}, Chain: "bitcoin", Pos: ledger.At(b.Ref.Height, 2), Time: b.Ref.Time, Coinbase: true}
		coinbase.Outputs = []ledger.Output{{Address: alice, Value: ledger.NewAmount(5_000_000_000)}, {Address: data}}
		pay := ledger.Tx{ID: ledger.TxID{byte(i), 0x01}, Chain: "bitcoin", Pos: ledger.At(b.Ref.Height, 1), Time: b.Ref.Time}
		pay.Inputs = []ledger.Input{{Prev: ledger.OutPoint{Tx: ledger.TxID{byte(i - 1), 0xcb}}}}
		pay.Outputs = []ledger.Output{{Address: alice, Value: ledger.NewAmount(1)}}
		pay.Notices = []ledger.Notice{{Kind: ledger.NoticeBridgeOut, Account: alice, Amount: ledger.NewAmount(1), Asset: ledger.NativeAsset("bitcoin"), Ref: "bridge:1"}}
		b.Header, b.Txs = []byte{byte(i)}, []ledger.Tx{pay, coinbase}
	}
	return blocks
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// TestEnginesAgree plays one series of blocks, reorgs among them, on every
// engine and in several sizes of batches, and wants equal exports.
func TestEnginesAgree(t *testing.T) {
	engines := map[string]store.Engine{"memkv": memkv.New(), "badgerkv": badgerkv.New(badgerkv.Small())}
	dirs := 0
	rapid.Check(t, func(rt *rapid.T) {
		if dirs++; dirs > 12 { // a Badger takes its time to open
			return
		}
		g := &generator{T: rt, chain: rapid.SampledFrom([]ledger.Chain{"bitcoin", "tron"}).Draw(rt, "chain")}
		tip := g.next(nil, 1)
		all, handed := []*modelBlock{tip}, []*ledger.Block{tip.Block}
		for range g.n("blocks", 5, 30) {
			handed, tip, all = g.step(handed, tip, all, 4)
		}
		bound := uint64(4)
		want := fresh(rt, fmt.Sprintf("%s/fresh%d", t.TempDir(), dirs), tip.chain())
		for name, engine := range engines {
			s, n := open(rt, fmt.Sprintf("%s/%s%d", t.TempDir(), name, dirs), engine, g.chain)
			o := store.AppendOptions{ReorgBound: &bound, BatchSize: g.n("batch", 1, 200)}
			if err := n.Append(context.Background(), series(handed...), o); err != nil {
				rt.Fatalf("%s: %v", name, err)
			}
			if got := exported(rt, n); got != want {
				rt.Fatalf("%s: export differs:\ngot\n%s\nwant\n%s", name, got, want)
			}
			if err := n.Verify(context.Background(), nil); err != nil {
				rt.Fatalf("%s: verify: %v", name, err)
			}
			if err := s.Close(); err != nil {
				rt.Fatalf("%s: close: %v", name, err)
			}
		}
	})
}

// TestExportDigest recomputes the digest of a tip from the lines of an export.
func TestExportDigest(t *testing.T) {
	s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
	defer s.Close()
	if err := n.Append(context.Background(), series(goldenBlocks()...), store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	var tip [32]byte
	var block bytes.Buffer
	lines := strings.SplitAfter(exported(t, n), "\n")
	for _, line := range append(lines[1:], "B") {
		if strings.HasPrefix(line, "B") && block.Len() > 0 || strings.HasPrefix(line, "D") {
			if block.Len() > 0 {
				tip = sum(append(tip[:], sumOf(block.Bytes())...))
			}
			block.Reset()
		}
		switch line[:min(len(line), 1)] {
		case "B", "T", "I", "O", "X", "N":
			block.WriteString(line)
		case "D":
			if !strings.HasSuffix(line, fmt.Sprintf(" %x\n", tip)) {
				t.Errorf("digest of the lines: got %x, want %s", tip, line)
			}
			return
		}
	}
	t.Error("the export has no line D")
}

func sum(b []byte) [32]byte { return sha256.Sum256(b) }

func sumOf(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}
