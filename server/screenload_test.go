package server_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/badgerkv"
)

// population is how many addresses the generated index has: SPOOR_ADDRESSES, or 20,000.
func population(b *testing.B) uint64 {
	b.Helper()
	text := os.Getenv("SPOOR_ADDRESSES")
	if text == "" {
		return 20_000
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n < 1000 {
		b.Fatalf("SPOOR_ADDRESSES: want 1000 or more, got %q", text)
	}
	return n
}

// citizen is the n-th address of the crowd.
func citizen(n uint64) ledger.Address {
	var payload [20]byte
	binary.BigEndian.PutUint64(payload[:], n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(payload[8:], n)
	return ledger.AccountAddress("tron", payload)
}

// cityBlocks are 400 transfers of USDT each: every address is paid once by an
// earlier one, and pays a later one half of the time, so that money has a depth.
// Every hundredth address is a labelled service (see cityWorld).
func cityBlocks(n uint64) iter.Seq2[*ledger.Block, error] {
	const perBlock = 400
	usdt, _ := ledger.AssetBySymbol("tron", "USDT")
	return func(yield func(*ledger.Block, error) bool) {
		random := rand.New(rand.NewPCG(3, 4))
		var parent ledger.Hash
		for height, next := uint64(0), uint64(1); next < n; height++ {
			b := &ledger.Block{Parent: parent, Ref: ledger.BlockRef{Chain: "tron", Height: height, Time: 1_600_000_000_000 + int64(height)*3000}, Grade: ledger.GradeAttested}
			binary.BigEndian.PutUint64(b.Ref.Hash[:], height+1)
			parent = b.Ref.Hash
			for i := uint32(0); i < perBlock && next < n; i++ {
				from := random.Uint64N(next)
				if recent := max(next, 5000) - 5000; random.IntN(2) == 0 {
					from = recent + random.Uint64N(next-recent)
				}
				tx := ledger.Tx{Chain: "tron", Pos: ledger.At(height, i+1), Time: b.Ref.Time, Grade: b.Grade}
				binary.BigEndian.PutUint64(tx.ID[:], next)
				t := ledger.Transfer{To: citizen(next), Asset: usdt, Amount: ledger.NewAmount(1_000_000 + random.Uint64N(1_000_000_000)), Grade: b.Grade}
				if random.IntN(4) > 0 { // the others are issued, so that there is something to pay
					t.From = citizen(from)
				}
				tx.Transfers = []ledger.Transfer{t}
				b.Txs = append(b.Txs, tx)
				next++
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// cityWorld is the index on disk, with labels.
func cityWorld(b *testing.B, n uint64) *world {
	b.Helper()
	w := emptyWorld(b, badgerkv.New(badgerkv.Options{}))
	network, err := w.store.Create(b.Context(), "tron")
	if err != nil {
		b.Fatal(err)
	}
	if err := network.Append(b.Context(), cityBlocks(n), store.AppendOptions{Target: 1 << 40}); err != nil {
		b.Fatal(err)
	}
	kinds := []string{"exchange", "exchange", "exchange", "scam", "gambling", "sanctioned_entity", "mixing", "merchant_services"}
	for i := uint64(0); i < min(n, 1_000_000)/100; i += 10 { // each addition is synced
		k := kinds[i/10%uint64(len(kinds))]
		tag := ledger.Tag{Address: citizen(i * 100), Chain: "tron", Label: k, Source: "load", Category: k, Confidence: 70}
		if _, err := w.labels.Add(tag, 1_700_000_000_000); err != nil {
			b.Fatal(err)
		}
	}
	return w
}

// BenchmarkScreen asks for scores over TCP on this machine, at 32 and at 512
// requests at a time, each address once (nothing is cached) and again. It reports
// requests per second, the median and the 99th percentile, and what was refused.
func BenchmarkScreen(b *testing.B) {
	n := population(b)
	w := cityWorld(b, n)
	s, err := server.New(quiet(b, w))
	if err != nil {
		b.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(lis, server.LocalTrust()) }()
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Stop(ctx)
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	client := spoorv1.NewScreeningServiceClient(conn)
	var asked uint64 // uncached, by every run so far: none asks for the addresses of another
	for _, at := range []int{1, 32, 512} {
		for _, kind := range []string{"uncached", "cached"} {
			b.Run(fmt.Sprintf("%s/%d", kind, at), func(b *testing.B) {
				first := asked
				if kind == "uncached" {
					if asked += uint64(b.N); asked > n {
						b.Skipf("%d addresses are too few: each is asked for once", n)
					}
				}
				screened(b, client, at, func(i uint64) ledger.Address {
					if kind == "cached" {
						return citizen(i % 64)
					}
					return citizen((first + i) * 2654435761 % n)
				})
			})
		}
	}
	b.Run("stream", func(b *testing.B) { screenedStream(b, client, n) })
}

func screened(b *testing.B, client spoorv1.ScreeningServiceClient, at int, which func(uint64) ledger.Address) {
	b.Helper()
	var mu sync.Mutex
	var took []time.Duration
	refused, failed := 0, error(nil)
	next := make(chan uint64, at)
	var all sync.WaitGroup
	begin := time.Now()
	for range at {
		all.Go(func() {
			for i := range next {
				began := time.Now()
				_, err := client.ScreenAddress(b.Context(), &spoorv1.ScreenAddressRequest{Address: which(i).Qualified()})
				mu.Lock()
				switch {
				case status.Code(err) == codes.ResourceExhausted:
					refused++
				case err != nil:
					failed = err
				default:
					took = append(took, time.Since(began))
				}
				mu.Unlock()
			}
		})
	}
	for i := range b.N {
		next <- uint64(i)
	}
	close(next)
	all.Wait()
	elapsed := time.Since(begin)
	if failed != nil {
		b.Fatal(failed)
	}
	slices.Sort(took)
	if len(took) > 0 {
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
	}
	b.ReportMetric(float64(len(took))/elapsed.Seconds(), "answers/s")
	b.ReportMetric(float64(refused), "refused")
}

func screenedStream(b *testing.B, client spoorv1.ScreeningServiceClient, n uint64) {
	b.Helper()
	stream, err := client.ScreenAddresses(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for i := range uint64(b.N) {
			m := &spoorv1.ScreenAddressRequest{Address: citizen(i * 2654435761 % n).Qualified()}
			if stream.Send(&spoorv1.ScreenAddressesRequest{Request: m}) != nil {
				return // Recv says why
			}
		}
		_ = stream.CloseSend()
	}()
	for i := range uint64(b.N) {
		answer, err := stream.Recv()
		if err != nil {
			b.Fatal(err)
		}
		if answer.GetIndex() != i || answer.GetScreening() == nil {
			b.Fatalf("answer %d: %v", i, answer)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		b.Fatalf("after the last: %v", err)
	}
}
