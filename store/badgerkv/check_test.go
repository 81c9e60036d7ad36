package badgerkv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// tables makes a closed store of three tables, one for each time it was open.
func tables(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kv")
	var old []byte
	for i := range byte(3) {
		kv, err := New(Small())(dir)
		if err != nil {
			t.Fatal(err)
		}
		next := []byte{i}
		err = errors.Join(kv.Write(t.Context(), []store.Op{{Partition: []byte("p"), Sort: next, Value: []byte("v")}}),
			kv.Publish(t.Context(), []byte("head"), nil, old, next, 1), kv.Close())
		if err != nil {
			t.Fatal(err)
		}
		old = next
	}
	return dir
}

// TestManifest changes the MANIFEST and its copy of a store, which Badger alone
// would open with holes.
func TestManifest(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(manifest []byte) []byte
		spoil   bool // the copy as well
		refused bool
	}{
		{"as it is", func(m []byte) []byte { return m }, false, false},
		{"copy lost", func(m []byte) []byte { return m }, true, false},
		{"half a record more", func(m []byte) []byte { return append(m, 0, 0, 0, 9, 1, 2) }, false, false},
		{"last record cut off", func(m []byte) []byte { return m[:lastRecord(t, m)] }, false, true},
		{"last record cut off and copy lost", func(m []byte) []byte { return m[:lastRecord(t, m)] }, true, true},
		{"cut inside the last record", func(m []byte) []byte { return m[:len(m)-3] }, false, true},
		{"last record zeroed", func(m []byte) []byte { clear(m[lastRecord(t, m):]); return m }, false, true},
		{"last record zeroed and copy lost", func(m []byte) []byte { clear(m[lastRecord(t, m):]); return m }, true, true},
		{"a bit flipped", func(m []byte) []byte { m[len(m)-1] ^= 4; return m }, false, true},
		{"empty", func([]byte) []byte { return nil }, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tables(t)
			name := filepath.Join(dir, "MANIFEST")
			raw, err := os.ReadFile(name)
			if err == nil {
				err = os.WriteFile(name, c.change(raw), 0o600)
			}
			if c.spoil {
				err = errors.Join(err, os.WriteFile(filepath.Join(dir, sideName), []byte("damaged"), 0o600))
			}
			if err != nil {
				t.Fatal(err)
			}
			kv, err := New(Small())(dir)
			if c.refused != errors.Is(err, ledger.ErrCorrupt) {
				t.Fatalf("open: %v; refused should be %v", err, c.refused)
			}
			if err != nil {
				return
			}
			r, done := kv.View()
			n := 0
			for _, err := range r.Scan([]byte("p"), nil, nil, false) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			done()
			if n != 3 {
				t.Errorf("%d rows, want 3", n)
			}
			if err := kv.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// lastRecord returns where the last record of a MANIFEST begins.
func lastRecord(t *testing.T, m []byte) int {
	t.Helper()
	for end := magicSize; ; {
		next := end + frameSize + int(binary.BigEndian.Uint32(m[end:]))
		if next >= len(m) {
			return end
		}
		end = next
	}
}

// TestMissingTable: Badger's error has no name of its own.
func TestMissingTable(t *testing.T) {
	dir := tables(t)
	if err := os.Remove(filepath.Join(dir, "000002.sst")); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Small())(dir); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("open: %v, want ErrCorrupt", err)
	}
}

func TestReserve(t *testing.T) {
	o := Small()
	o.Reserve = 1 << 60
	if _, err := New(o)(filepath.Join(t.TempDir(), "kv")); !errors.Is(err, ledger.ErrExhausted) {
		t.Errorf("open with no room: %v, want ErrExhausted", err)
	}
}

// logOf encodes transactions as Badger does, those in publish with a pointer.
func logOf(publish []uint64, numbers ...uint64) []byte {
	raw := make([]byte, logHeader)
	add := func(meta byte, key, value string) {
		e := []byte{meta, 0}
		for _, n := range []int{len(key), len(value), 0} {
			e = binary.AppendUvarint(e, uint64(n))
		}
		e = append(append(e, key...), value...)
		raw = append(raw, binary.BigEndian.AppendUint32(e, castagnoli(e))...)
	}
	for _, n := range numbers {
		add(1<<6, fmt.Sprint("row ", n), "value")
		if slices.Contains(publish, n) {
			add(1<<6, string(epochKey([]byte("head"))), "epoch")
		}
		add(lastOfTxn, "!badger!txn", strconv.FormatUint(n, 10))
	}
	return append(raw, make([]byte, 100)...)
}

// TestLogGaps: what Badger lost between logs is damage only below a publication.
func TestLogGaps(t *testing.T) {
	cut := func(raw []byte) []byte { return raw[:len(raw)-105] }
	for _, c := range []struct {
		name     string
		logs     [][]byte
		newest   uint64
		leftover int
		refused  bool
	}{
		{"none", nil, 0, 0, false},
		{"one after another", [][]byte{logOf(nil, 5, 6), logOf([]uint64{8}, 7, 8)}, 4, 0, false},
		{"tail of the last lost", [][]byte{logOf(nil, 5, 6), cut(logOf([]uint64{8}, 7, 8))}, 4, 0, false},
		{"tail of the first lost below a publication", [][]byte{cut(logOf(nil, 5, 6)), logOf([]uint64{8}, 7, 8)}, 4, 0, true},
		{"tail of the first lost, nothing published", [][]byte{cut(logOf(nil, 5, 6)), logOf(nil, 7, 8)}, 4, 1, false},
		{"published behind what would go", [][]byte{cut(logOf(nil, 5, 6)), logOf(nil, 7), logOf([]uint64{8}, 8)}, 4, 0, true},
		{"tail of the first lost and flushed before", [][]byte{cut(logOf(nil, 5, 6)), logOf([]uint64{8}, 7, 8)}, 6, 0, false},
		{"first emptied after its flush", [][]byte{{}, logOf([]uint64{8}, 7, 8)}, 6, 0, false},
		{"first emptied without a flush", [][]byte{{}, logOf([]uint64{8}, 7, 8)}, 4, 0, true},
		{"last empty", [][]byte{logOf([]uint64{6}, 5, 6), {}}, 4, 0, false},
		{"first of a fresh store emptied", [][]byte{{}, logOf([]uint64{3}, 3)}, 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			var names []string
			for i, raw := range c.logs {
				names = append(names, fmt.Sprintf("%05d%s", i+1, memExt))
				if err := os.WriteFile(filepath.Join(dir, names[i]), raw, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			leftover, err := checkLogs(dir, names, c.newest)
			if c.refused != errors.Is(err, ledger.ErrCorrupt) || len(leftover) != c.leftover {
				t.Errorf("leftover %q, error %v; want %d and refused %v", leftover, err, c.leftover, c.refused)
			}
		})
	}
}

// TestOwnLogs reads a log that Badger wrote.
func TestOwnLogs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kv")
	kv, err := New(Small())(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range byte(5) {
		if err := kv.Write(t.Context(), []store.Op{{Partition: []byte("p"), Sort: []byte{i}, Value: bytes.Repeat([]byte{i}, 1000)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := kv.Publish(t.Context(), []byte("head"), nil, nil, []byte("1"), 1); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "00001"+memExt))
	if err != nil {
		t.Fatal(err)
	}
	if s := readLog("", raw); s.first != 1 || s.last != 6 || !s.publishes {
		t.Errorf("log of five writes and a publication reads as %+v", s)
	}
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
}

// FuzzFiles feeds the readers of Badger's files: they must neither panic nor read
// past the end.
func FuzzFiles(f *testing.F) {
	f.Add(logOf([]uint64{2}, 1, 2))
	f.Add([]byte("Bdgr\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00x"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if s := readLog("", raw); s.first > s.last {
			t.Errorf("log from %d to %d", s.first, s.last)
		}
		if end, err := records(raw); err == nil && (end > len(raw) || !continues(raw, raw[:end])) {
			t.Errorf("a MANIFEST of %d bytes ends at %d", len(raw), end)
		}
		name := filepath.Join(t.TempDir(), "000001.sst")
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := checkTable(name, 1, true); err == nil && len(raw) < 16 {
			t.Errorf("%d bytes are a sound table", len(raw))
		}
	})
}
