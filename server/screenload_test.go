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
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/access"
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

// load is a server over TCP on this machine with two tenants, as exchanges use it.
type load struct {
	screens    []spoorv1.ScreeningServiceClient // connections of the first tenant
	other      spoorv1.ScreeningServiceClient   // of the second
	many, few  context.Context                  // with the key of either
	keys       *access.Store
	address    string
	population uint64
	asked      atomic.Uint64 // addresses that were asked for
}

func newLoad(b *testing.B) *load {
	b.Helper()
	l := &load{population: population(b)}
	s, err := server.New(quiet(b, cityWorld(b, l.population)))
	if err != nil {
		b.Fatal(err)
	}
	l.keys = keys(b, new(time.Duration))
	key := func(tenant string) context.Context {
		if err := l.keys.SetTenant(access.Tenant{Name: tenant, Rate: 1_000_000, Concurrent: 10_000}, "test"); err != nil {
			b.Fatal(err)
		}
		_, token, err := l.keys.NewKey(access.Key{Tenant: tenant, Name: "load", Role: access.Screener}, "test")
		if err != nil {
			b.Fatal(err)
		}
		return with(b.Context(), "x-api-key", token)
	}
	l.many, l.few = key("acme"), key("bank")
	l.address = serveTCP(b, s, server.Trust{Keys: l.keys})
	for range 4 {
		l.screens = append(l.screens, dialTCP(b, l.address))
	}
	l.other = dialTCP(b, l.address)
	return l
}

func serveTCP(b *testing.B, s *server.Server, trust server.Trust) string {
	b.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(lis, trust) }()
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Stop(ctx)
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return lis.Addr().String()
}

func dialTCP(b *testing.B, address string) spoorv1.ScreeningServiceClient {
	b.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := conn.Close(); err != nil {
			b.Error(err)
		}
	})
	return spoorv1.NewScreeningServiceClient(conn)
}

// fresh is an address that nobody has asked for yet.
func (l *load) fresh() ledger.Address {
	return citizen(l.asked.Add(1) * 2654435761 % l.population)
}

// hot is one of a few that everybody asks for.
func (l *load) hot() ledger.Address { return citizen(l.asked.Add(1) % 64) }

// answered is what came of a load.
type answered struct {
	took            []time.Duration // ascending
	refused, failed int
	length          time.Duration
}

func (a *answered) report(b *testing.B, name string) {
	b.Helper()
	if a.failed > 0 || len(a.took) == 0 {
		b.Fatalf("%d answers, %d failures", len(a.took), a.failed)
	}
	b.ReportMetric(float64(len(a.took))/a.length.Seconds(), name+"answers/s")
	b.ReportMetric(float64(a.refused)/a.length.Seconds(), name+"refused/s")
	b.ReportMetric(float64(a.took[len(a.took)/2].Microseconds()), name+"p50-us")
	b.ReportMetric(float64(a.took[len(a.took)*99/100].Microseconds()), name+"p99-us")
}

// drive asks with n at a time for a while; who is refused comes back after a tenth of a second.
func (l *load) drive(n int, length time.Duration, which func() ledger.Address) *answered {
	ctx, cancel := context.WithTimeout(l.many, length)
	defer cancel()
	sum := &answered{length: length}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				_, err := l.screens[i%len(l.screens)].ScreenAddress(ctx, &spoorv1.ScreenAddressRequest{Address: which().Qualified()})
				if ctx.Err() != nil || status.Code(err) == codes.DeadlineExceeded {
					return
				}
				mu.Lock()
				sum.add(time.Since(began), err)
				mu.Unlock()
				if err != nil {
					time.Sleep(100 * time.Millisecond)
				}
			}
		})
	}
	all.Wait()
	slices.Sort(sum.took)
	return sum
}

func (a *answered) add(took time.Duration, err error) {
	switch {
	case status.Code(err) == codes.ResourceExhausted:
		a.refused++
	case err != nil:
		a.failed++
	default:
		a.took = append(a.took, took)
	}
}

// ask asks for one fresh address after another at a steady rate, whether the one
// before has been answered or not.
func (l *load) ask(ctx context.Context, c spoorv1.ScreeningServiceClient, every, length time.Duration) *answered {
	sum := &answered{length: length}
	var mu sync.Mutex
	var all sync.WaitGroup
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for due, end := time.Now(), time.Now().Add(length); due.Before(end); due = due.Add(every) {
		if time.Now().Before(due) {
			<-ticker.C
		}
		all.Go(func() {
			began := time.Now()
			_, err := c.ScreenAddress(ctx, &spoorv1.ScreenAddressRequest{Address: l.fresh().Qualified()})
			mu.Lock()
			defer mu.Unlock()
			sum.add(time.Since(began), err)
		})
	}
	all.Wait()
	slices.Sort(sum.took)
	return sum
}

// beside is a tenant that asks fifty times a second, alone and beside one that
// asks a hundred times as often.
func (l *load) beside(b *testing.B, length time.Duration, limit uint32) {
	b.Helper()
	if err := l.keys.SetTenant(access.Tenant{Name: "acme", Rate: limit, Concurrent: 10_000}, "test"); err != nil {
		b.Fatal(err)
	}
	const tick = 20 * time.Millisecond
	l.ask(l.few, l.other, tick, length).report(b, "alone-")
	wait := l.flood(b, tick/100, length+2*time.Second)
	time.Sleep(1500 * time.Millisecond) // its burst is spent
	l.ask(l.few, l.other, tick, length).report(b, "beside-")
	wait()
}

// floodOrder is the variable that makes of the test binary a client: address,
// key, tick and length in nanoseconds, population.
const floodOrder = "SPOOR_TEST_FLOOD"

// flood asks from a process of its own.
func (l *load) flood(b *testing.B, tick, length time.Duration) (wait func()) {
	b.Helper()
	md, _ := metadata.FromOutgoingContext(l.many)
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d %d %d", floodOrder, l.address, md.Get("x-api-key")[0], tick, length, l.population))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return func() {
		if err := cmd.Wait(); err != nil {
			b.Fatalf("the flood: %v: %s", err, out.String())
		}
		b.Log(strings.TrimSpace(out.String()))
	}
}

func flooding(order string) error {
	var address, key string
	var tick, length time.Duration
	l := &load{}
	if _, err := fmt.Sscan(order, &address, &key, (*int64)(&tick), (*int64)(&length), &l.population); err != nil {
		return err
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	got := l.ask(with(context.Background(), "x-api-key", key), spoorv1.NewScreeningServiceClient(conn), tick, length)
	fmt.Fprintf(os.Stdout, "beside a flood of %d answers, %d refusals, %d failures\n", len(got.took), got.refused, got.failed)
	return nil
}

// BenchmarkScreen asks for scores as exchanges do: with keys, over TCP, client
// and server on the same processors. Uncached, no address is asked for twice. It
// reports answers and refusals a second, the median and the 99th percentile.
func BenchmarkScreen(b *testing.B) {
	l := newLoad(b)
	settle(b)
	const length = 5 * time.Second
	for _, at := range []int{1, 32, 512} {
		b.Run("uncached/"+strconv.Itoa(at), func(b *testing.B) {
			l.drive(at, length, l.fresh).report(b, "")
			b.ReportMetric(residentMiB(b), "MiB-resident")
			if l.asked.Load() > l.population {
				b.Fatalf("%d addresses are too few: each is to be asked for once", l.population)
			}
		})
	}
	b.Run("cached/32", func(b *testing.B) { l.drive(32, length, l.hot).report(b, "") })
	for _, test := range []struct {
		name string
		rate uint32
	}{{"default", 0}, {"none", 1_000_000}} {
		b.Run("beside/limit="+test.name, func(b *testing.B) { l.beside(b, length, test.rate) })
	}
	b.Run("stream", func(b *testing.B) { l.stream(b) })
}

// settle waits until the engine has put in order what was written, at most two minutes.
func settle(b *testing.B) {
	b.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	for range 120 {
		before := used()
		time.Sleep(time.Second)
		if used()-before < 50*time.Millisecond {
			return
		}
	}
}

// stream asks for 100,000 addresses, or all, in one stream, and reports the memory that is held on the way.
func (l *load) stream(b *testing.B) {
	b.Helper()
	stream, err := l.screens[0].ScreenAddresses(l.many)
	if err != nil {
		b.Fatal(err)
	}
	n := min(l.population, 100_000)
	go func() {
		for range n {
			if stream.Send(&spoorv1.ScreenAddressesRequest{Request: &spoorv1.ScreenAddressRequest{Address: l.fresh().Qualified()}}) != nil {
				return // Recv says why
			}
		}
		_ = stream.CloseSend()
	}()
	began := time.Now()
	for i := range n {
		answer, err := stream.Recv()
		if err != nil {
			b.Fatal(err)
		}
		if answer.GetIndex() != i || answer.GetScreening() == nil {
			b.Fatalf("answer %d: %v", i, answer)
		}
		if i == n/10 {
			b.ReportMetric(heldMiB(), "MiB-at-a-tenth")
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		b.Fatalf("after the last: %v", err)
	}
	b.ReportMetric(heldMiB(), "MiB-at-the-end")
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "answers/s")
}

// residentMiB is the process's memory as the system sees it.
func residentMiB(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0 // not Linux
	}
	var size, resident float64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		b.Fatal(err)
	}
	return resident * float64(os.Getpagesize()) / (1 << 20)
}

// heldMiB is the memory in use after a collection.
func heldMiB() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}
