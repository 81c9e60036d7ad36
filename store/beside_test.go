package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"sync"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// TestReadersBesideWriter reads while blocks arrive, are reorganised, folded and
// rebuilt: every snapshot must equal the index of exactly the blocks up to its tip.
func TestReadersBesideWriter(t *testing.T) {
	ctx := context.Background()
	blocks := busyBlocks(60)
	want := map[ledger.Hash]string{}
	for i := range blocks {
		want[blocks[i].Ref.Hash] = fresh(t, t.TempDir(), blocks[:i+1])
	}
	for name, engine := range map[string]store.Engine{"memkv": memkv.New(), "no views": liveEngine()} {
		t.Run(name, func(t *testing.T) {
			s, n := open(t, t.TempDir(), engine, "tron")
			defer s.Close()
			bound := uint64(5)
			o := store.AppendOptions{ReorgBound: &bound, BatchSize: 30}
			if err := n.Append(ctx, series(blocks[0]), o); err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			var readers sync.WaitGroup
			for range 3 {
				readers.Add(1)
				go func() {
					defer readers.Done()
					for {
						select {
						case <-done:
							return
						default:
							readOnce(t, n, want)
						}
					}
				}()
			}
			for i := range blocks {
				err := n.Append(ctx, series(blocks[i]), o)
				if err == nil && i%20 == 19 {
					err = n.Rebuild(ctx, n.Blocks(ctx), n.Contents(), o)
				}
				if err != nil {
					t.Error(err)
				}
			}
			close(done)
			readers.Wait()
		})
	}
}

// busyBlocks are linked blocks in which a few accounts pay each other.
func busyBlocks(n int) []*ledger.Block {
	blocks := run("tron", 1, uint64(n))
	for i, b := range blocks {
		for j := range 8 {
			b.Txs = append(b.Txs, ledger.Tx{
				ID: ledger.TxID{byte(i), byte(j)}, Chain: "tron", Pos: ledger.At(b.Ref.Height, uint32(j)),
				Transfers: []ledger.Transfer{{From: account(j % 3), To: account(i % 5), Asset: ledger.NativeAsset("tron"), Amount: ledger.NewAmount(uint64(1_000_000 + i))}},
			})
		}
	}
	return blocks
}

func readOnce(t *testing.T, n *store.Network, want map[ledger.Hash]string) {
	snap, err := n.Snapshot(0)
	if err != nil {
		t.Error(err)
		return
	}
	defer snap.Close()
	asOf, err := snap.AsOf(context.Background(), "tron")
	if err != nil {
		t.Error(err)
		return
	}
	var out bytes.Buffer
	if err := snap.Export(context.Background(), "tron", &out); err != nil || out.String() != want[asOf.Hash] {
		t.Errorf("export at height %d: %v\n%s", asOf.Height, err, out.String())
	}
	for i := range 3 {
		h := ledger.Holder{Address: account(i), Asset: ledger.NativeAsset("tron")}
		for e, err := range snap.Events(context.Background(), h, ledger.Point{}) {
			if err != nil || e.At.Pos.Height() > asOf.Height {
				t.Errorf("event %v at height %d: %v", e, asOf.Height, err)
			}
		}
	}
}

// TestOtherFormat changes the format number in the head, checksum and all, as
// docs/format.md says that it is stored.
func TestOtherFormat(t *testing.T) {
	for step, want := range map[int8]error{1: ledger.ErrNewer, -1: ledger.ErrPrecondition} {
		ctx := context.Background()
		dir, kv := t.TempDir(), &mapKV{rows: map[string][]store.Row{}}
		engine := func(string) (store.KV, error) { return kv, nil }
		s, _ := open(t, dir, engine, "bitcoin")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		head := value(kv, 'p', "head")
		head = head[:len(head)-4]
		head[0] += byte(step)
		var covered []byte
		for _, part := range [][]byte{{'p'}, []byte("head"), head} {
			covered = append(binary.AppendUvarint(covered, uint64(len(part))), part...)
		}
		head = binary.BigEndian.AppendUint32(head, crc32.Checksum(covered, crc32.MakeTable(crc32.Castagnoli)))
		if err := kv.Write(ctx, []store.Op{{Partition: []byte{'p'}, Sort: []byte("head"), Value: head}}); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(dir, engine, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Network(ctx, "bitcoin"); !errors.Is(err, want) || step < 0 && !strings.Contains(err.Error(), "ingest it again") {
			t.Errorf("format %+d: got %v, want %v", step, err, want)
		}
		if _, err := s.Repair(ctx, "bitcoin"); !errors.Is(err, want) {
			t.Errorf("format %+d: repair: got %v, want %v", step, err, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
