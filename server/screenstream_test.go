package server_test

import (
	"errors"
	"io"
	"runtime"
	"testing"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// TestStreamHoldsNothing: what a stream of 100,000 addresses holds is the same at
// its tenth as at its end, but for a margin that an answer in ten would exceed.
func TestStreamHoldsNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("100,000 answers; the tests without the race detector run it")
	}
	const n, margin = 100_000, 4 << 20 // an answer is of 500 bytes and more
	d := newScreenDesk(t)
	d.label(t, "scam", "stolen_funds")
	stream, err := d.ScreenAddresses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"scam", "a", "b", "c", "x"}
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			m := &spoorv1.ScreenAddressRequest{Address: qualifiedName(names[i%len(names)])}
			if err := stream.Send(&spoorv1.ScreenAddressesRequest{Request: m}); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	var early, late uint64
	for i := range n {
		got, err := stream.Recv()
		if err != nil || got.GetIndex() != uint64(i) || got.GetScreening() == nil {
			t.Fatalf("answer %d: %v, %v", i, got, err)
		}
		switch i {
		case n/10 - 1:
			early = heldBytes()
		case n - 1:
			late = heldBytes()
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v", err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if late > early+margin {
		t.Errorf("%d bytes are held after %d answers, %d after %d: more than %d between", early, n/10, late, n, margin)
	}
	t.Logf("%d bytes are held after %d answers, %d after %d", early, n/10, late, n)
}

// heldBytes is the memory in use after a collection.
func heldBytes() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what a pool held is let go by the second
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
