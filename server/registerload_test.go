package server_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store/badgerkv"
)

// BenchmarkRegister registers past deposits of the generated index, 64 at a time,
// with both stores on disk: each is scored, and durable when it is answered.
func BenchmarkRegister(b *testing.B) {
	n := population(b)
	w := cityWorld(b, n)
	kv, err := badgerkv.New(badgerkv.Small())(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	kept, err := screening.Open(b.Context(), kv)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := kept.Close(); err != nil {
			b.Error(err)
		}
	})
	cfg := quiet(b, w)
	cfg.Screening = kept
	c := spoorv1.NewScreeningServiceClient(serve(b, cfg, server.LocalTrust()).conn)
	var next atomic.Uint64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := next.Add(1)
			_, err := c.RegisterTransfer(b.Context(), &spoorv1.RegisterTransferRequest{
				UserId: fmt.Sprint("user ", i), Network: "tron", Asset: "USDT", Direction: "RECEIVED",
				TransferReference: fmt.Sprintf("%016x%048d:%s", 1+i%(n-1), 0, citizen(1+i%(n-1))),
			})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}
