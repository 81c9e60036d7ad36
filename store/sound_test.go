package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// TestSnapshotSound damages one of two networks: the other one answers, and no
// question about the damaged one is answered as if nothing were held of it.
func TestSnapshotSound(t *testing.T) {
	ctx, dir, engine := t.Context(), t.TempDir(), mapEngine()
	s, n := open(t, dir, engine, "bitcoin")
	if err := n.Append(ctx, series(run("bitcoin", 1, 3)...), store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	tron, err := s.Create(ctx, "tron")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tron.Append(ctx, series(busyBlocks(3)...), store.AppendOptions{}), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "networks/tron/CURRENT"), []byte("gen-7"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(dir, engine, store.Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Snapshot(ctx, nil); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("snapshot of all: got %v, want %v", err, ledger.ErrCorrupt)
	}
	snap, err := s.SnapshotSound(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	if ref, err := snap.AsOf(ctx, "bitcoin"); err != nil || ref.Height != 3 {
		t.Errorf("the sound network: got %+v, %v", ref, err)
	}
	if d := snap.Damaged(); len(d) != 1 || !errors.Is(d["tron"], ledger.ErrCorrupt) {
		t.Errorf("damaged: got %v", d)
	}
	h := ledger.Holder{Address: account(1), Asset: ledger.NativeAsset("tron")}
	token := ledger.TokenAsset(account(5))
	for name, ask := range map[string]func() error{
		"AsOf":    func() error { _, err := snap.AsOf(ctx, "tron"); return err },
		"FindTx":  func() error { _, err := snap.FindTx(ctx, "tron", ledger.TxID{1}); return err },
		"Balance": func() error { _, err := snap.Balance(ctx, h, ledger.Point{}); return err },
		"Covered": func() error { _, err := snap.Covered(ctx, h, 1); return err },
		"PayeeAt": func() error { _, _, err := snap.PayeeAt(ctx, h, 1); return err },
		"Clock":   func() error { _, err := snap.Clock(ctx, "tron", 1); return err },
		"Summary": func() error { _, err := snap.AddressSummary(ctx, h.Address); return err },
		"Asset":   func() error { _, err := snap.AssetInfo(ctx, token); return err },
		"Events": func() (err error) {
			for _, e := range snap.Events(ctx, h, ledger.Point{}) {
				err = e
			}
			return err
		},
		"Notices": func() (err error) {
			for _, e := range snap.Notices(ctx, h.Address, ledger.Point{}) {
				err = e
			}
			return err
		},
	} {
		if err := ask(); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("%s of the damaged network: got %v, want %v", name, err, ledger.ErrCorrupt)
		}
	}
}
