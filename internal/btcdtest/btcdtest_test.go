package btcdtest

import (
	"testing"
	"time"
)

// TestNodes mines on two nodes apart, lets them meet, and spends a coin.
func TestNodes(t *testing.T) {
	ctx := t.Context()
	program, err := Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	key := NewKey(1)
	start := func(tls bool) *Node {
		n, err := Start(ctx, Options{Program: program, Dir: t.TempDir(), Mining: key.Address(), TLS: tls})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		return n
	}
	a, b := start(false), start(true)
	mined, err := a.Mine(ctx, 101)
	if err != nil || len(mined) != 101 {
		t.Fatalf("%d blocks, %v; want 101", len(mined), err)
	}
	if _, err := b.Mine(ctx, 3); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := b.Connect(ctx, a); err != nil {
		t.Fatal(err)
	}
	if err := a.Agree(ctx, b); err != nil {
		t.Fatal(err)
	}
	t.Log("agreed after", time.Since(began))
	if height, hash, err := b.Tip(ctx); err != nil || height != 101 || hash != mined[100] {
		t.Errorf("got tip %d %s, %v; want 101 %s", height, hash, err, mined[100])
	}
	coin, err := a.Reward(ctx, mined[0])
	if err != nil {
		t.Fatal(err)
	}
	raw, id, err := key.Spend([]Coin{coin}, Pay{coin.Value - 10_000, NewKey(2).Script()})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Send(ctx, raw); err != nil {
		t.Fatal(err)
	}
	if err := a.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := a.Send(ctx, raw); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Mine(ctx, 1); err != nil {
		t.Fatal(err)
	}
	var pool []string
	if err := a.Call(ctx, "getrawmempool", &pool); err != nil || len(pool) != 0 {
		t.Errorf("got %v, %v; want %s mined", pool, err, id)
	}
}
