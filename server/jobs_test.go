package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store/memkv"
)

// longWorld is an account that passes one payment on in thousands of parts: a trace that takes a while.
func longWorld(t testing.TB, parts int) *world {
	t.Helper()
	w := emptyWorld(t, memkv.New())
	rows := []row{{tx: "v1", from: "victim", to: "m", amount: uint64(parts)}}
	for i := range parts {
		rows = append(rows, row{tx: fmt.Sprint("part ", i), from: "m", to: fmt.Sprint("payee ", i), amount: 1, second: int64(i + 1)})
	}
	w.export(t, rows, ledger.Claim{Range: ledger.Range{From: uint64(export0), To: uint64(export0 + 86_400_000)}})
	return w
}

func longTrace() *spoorv1.TraceRequest {
	return &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, MinValue: "0", ServicePayees: proto.Int64(0)}
}

// begin starts a stream and reads its first hop, so that the trace runs; it goes
// on when the client reads on, since what was sent fills the window.
func begin(ctx context.Context, c *client) (spoorv1.TraceService_StreamTraceClient, error) {
	s, err := c.StreamTrace(ctx, &spoorv1.StreamTraceRequest{Request: longTrace()})
	if err == nil {
		_, err = s.Recv()
	}
	return s, err
}

// drain reads a stream to its end and counts what came.
func drain(s spoorv1.TraceService_StreamTraceClient) (hops int, result *spoorv1.Trace, err error) {
	for {
		e, err := s.Recv()
		if err != nil {
			return hops, result, err
		}
		if e.GetHop() != nil {
			hops++
		}
		if e.GetResult() != nil {
			result = e.GetResult()
		}
	}
}

// TestSlots: one trace too many is refused with the time to wait, and let in when a place is free.
func TestSlots(t *testing.T) {
	cfg := quiet(t, longWorld(t, 3000))
	cfg.MaxTraces = 2
	c := serve(t, cfg, server.LocalTrust())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 2 {
		if _, err := begin(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.stream(t.Context(), longTrace())
	refusal{codes.ResourceExhausted, "EXCEEDED_RATE_LIMIT", "", "2 traces run already"}.check(t, "a third stream", err)
	if retry, ok := detail[*errdetails.RetryInfo](err); !ok || retry.GetRetryDelay().AsDuration() <= 0 {
		t.Errorf("a third stream: retry info %v", retry)
	}
	_, err = c.StartTrace(t.Context(), &spoorv1.StartTraceRequest{Request: longTrace(), RequestId: "x"})
	refusal{codes.ResourceExhausted, "EXCEEDED_RATE_LIMIT", "", "2 traces run already"}.check(t, "a begun trace", err)
	_, err = c.FindPaths(t.Context(), &spoorv1.FindPathsRequest{From: named("tron", "a").Qualified(), To: named("tron", "b").Qualified()})
	refusal{codes.ResourceExhausted, "EXCEEDED_RATE_LIMIT", "", "2 traces run already"}.check(t, "a search for paths", err)
	_, err = c.VerifyTrace(t.Context(), &spoorv1.VerifyTraceRequest{Trace: &spoorv1.Trace{Request: longTrace(), AsOf: []*spoorv1.AsOf{{Network: "tron"}}, Pins: &spoorv1.Pins{}}})
	refusal{codes.ResourceExhausted, "EXCEEDED_RATE_LIMIT", "", "2 traces run already"}.check(t, "a verification", err)
	_, err = c.ExplainHop(t.Context(), &spoorv1.ExplainHopRequest{Hop: 1, Trace: &spoorv1.Trace{Request: longTrace(), AsOf: []*spoorv1.AsOf{{Network: "tron"}}, Pins: &spoorv1.Pins{}}})
	refusal{codes.ResourceExhausted, "EXCEEDED_RATE_LIMIT", "", "2 traces run already"}.check(t, "an explanation", err)
	cancel()
	for {
		got, err := c.StartTrace(t.Context(), &spoorv1.StartTraceRequest{Request: longTrace(), RequestId: "x"})
		if status.Code(err) == codes.ResourceExhausted {
			time.Sleep(time.Millisecond)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if state := c.finished(t, got.GetName()).GetState(); state != "DONE" {
			t.Errorf("after the places were given back: %s", state)
		}
		return
	}
}

// TestMemoryShared: sixty-four traces at a time have memory for a few of them.
// Those that hold more than their share are refused with the time to wait, and all
// of them come to their answer, which is that of a trace alone.
func TestMemoryShared(t *testing.T) {
	cfg := quiet(t, longWorld(t, 80))
	cfg.MaxTraces, cfg.TraceBytes = 64, 2<<20
	c := serve(t, cfg, server.LocalTrust())
	alone, err := c.stream(t.Context(), longTrace())
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	var refused atomic.Int64
	for range 64 {
		wait.Go(func() {
			for {
				got, err := c.stream(t.Context(), longTrace())
				if err == nil {
					if len(got.hops) != len(alone.hops) || !proto.Equal(got.result, alone.result) {
						t.Errorf("%d hops and another answer than alone", len(got.hops))
					}
					return
				}
				retry, ok := detail[*errdetails.RetryInfo](err)
				if status.Code(err) != codes.ResourceExhausted || !ok || retry.GetRetryDelay().AsDuration() <= 0 {
					t.Errorf("%v, retry %v", err, retry)
					return
				}
				refused.Add(1)
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
	wait.Wait()
	if refused.Load() == 0 {
		t.Error("none was refused")
	}
}

// TestRequestID: the same id is the same trace, with another request it is refused, and without one each call is its own.
func TestRequestID(t *testing.T) {
	cfg := quiet(t, newWorld(t))
	cfg.KeepTraces = 3
	c := serve(t, cfg, server.LocalTrust())
	m := &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, MinValue: "0"}
	var names sync.Map
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			got, err := c.StartTrace(t.Context(), &spoorv1.StartTraceRequest{Request: m, RequestId: "mine"})
			if err != nil {
				t.Error(err)
			}
			names.Store(got.GetName(), true)
		})
	}
	wait.Wait()
	var name string
	names.Range(func(k, _ any) bool {
		if name != "" {
			t.Errorf("both %s and %s", name, k)
		}
		name = k.(string)
		return true
	})
	c.finished(t, name)
	other := proto.CloneOf(m)
	other.Policy = "fifo"
	_, err := c.StartTrace(t.Context(), &spoorv1.StartTraceRequest{Request: other, RequestId: "mine"})
	refusal{invalid, wrong, "request_id", `got "mine"`}.check(t, "another request", err)
	if again := c.started(t, &spoorv1.StartTraceRequest{Request: m, RequestId: "mine"}); again.GetState() != "DONE" || again.GetName() != name {
		t.Errorf("asked again: %s %s", again.GetName(), again.GetState())
	}
	one, two := c.started(t, &spoorv1.StartTraceRequest{Request: m}), c.started(t, &spoorv1.StartTraceRequest{Request: m})
	if one.GetName() == two.GetName() {
		t.Errorf("both are %s", one.GetName())
	}
	c.started(t, &spoorv1.StartTraceRequest{Request: m}) // pushes the oldest out
	_, err = c.GetTrace(t.Context(), &spoorv1.GetTraceRequest{Name: name})
	refusal{codes.NotFound, "NOT_FOUND", "", "traces are kept until"}.check(t, "a trace that was pushed out", err)
	for _, bad := range []string{"", "traces/", "traces/../x", "traces/a/b", "x/1", "traces/" + string(make([]byte, 65))} {
		_, err := c.GetTrace(t.Context(), &spoorv1.GetTraceRequest{Name: bad})
		refusal{invalid, wrong, "name", "name: "}.check(t, fmt.Sprintf("name %q", bad), err)
	}
}

// TestCancelled: a thousand traces that their clients give up leave no
// goroutine (TestMain looks), no snapshot (closing the store would fail) and no
// place taken.
func TestCancelled(t *testing.T) {
	cfg := quiet(t, longWorld(t, 60))
	cfg.MaxTraces = 8
	c := serve(t, cfg, server.LocalTrust())
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for j := range 125 {
				ctx, cancel := context.WithCancel(t.Context())
				s, err := c.StreamTrace(ctx, &spoorv1.StreamTraceRequest{Request: longTrace()})
				if err == nil && (i+j)%2 == 0 {
					_, err = s.Recv()
				}
				if err != nil && status.Code(err) != codes.ResourceExhausted {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wait.Wait()
	for range 8 {
		for {
			_, err := c.stream(t.Context(), longTrace())
			if err == nil {
				break
			}
			if status.Code(err) != codes.ResourceExhausted {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// TestIndexChanges: a trace that runs while its network is replaced by another
// set of files answers from the one that it began on, and says so; the next one
// sees the new set.
func TestIndexChanges(t *testing.T) {
	w := longWorld(t, 3000)
	c := local(t, w)
	s, err := begin(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	w.export(t, accountRows())
	hops, result, err := drain(s)
	if !errors.Is(err, io.EOF) || hops != 3000 || sheet(result.GetConservation()) != "seeded 3000 = resting 3000" || result.GetCoverage()[0].GetState() != "COMPLETE" {
		t.Errorf("%d hops, %v, %v", hops, result, err)
	}
	next := c.trace(t, longTrace())
	if text := sheet(next.GetConservation()); text != "seeded 60 = resting 60" || next.GetAsOf()[0].GetBlockHash() == result.GetAsOf()[0].GetBlockHash() {
		t.Errorf("the next trace: %s as of %v", text, next.GetAsOf())
	}
}

// TestDeadline: a trace that takes longer than its client waits ends there.
func TestDeadline(t *testing.T) {
	c := local(t, longWorld(t, 3000))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	s, err := begin(ctx, c)
	if err == nil {
		<-ctx.Done()
		_, _, err = drain(s)
	}
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
}

// TestStop: what runs may finish, then it is cut off; health says that the end
// is near; new calls are refused on every listener; begun traces are cancelled.
func TestStop(t *testing.T) {
	for _, patient := range []bool{true, false} {
		c := local(t, longWorld(t, 4000))
		other := listen(t, c.server, server.LocalTrust())
		watch, err := healthpb.NewHealthClient(other.conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if first, err := watch.Recv(); err != nil || first.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Fatalf("health: %v, %v", first, err)
		}
		s, err := begin(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		wait := 20 * time.Second
		if !patient {
			wait = 50 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		stopped := make(chan struct{})
		go func() { defer close(stopped); c.server.Stop(ctx) }()
		if last, err := watch.Recv(); err != nil || last.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
			t.Errorf("health while it stops: %v, %v", last, err)
		}
		refused(t, c)
		refused(t, other)
		if !patient {
			<-stopped
		}
		hops, result, err := drain(s)
		if patient && (!errors.Is(err, io.EOF) || result == nil || hops != 4000) {
			t.Errorf("a running trace: %d hops, result %t, %v", hops, result != nil, err)
		}
		if !patient && (result != nil || status.Code(err) == codes.OK) {
			t.Errorf("a trace beyond the patience: %d hops, result %t, %v", hops, result != nil, err)
		}
		<-stopped
		if patient && ctx.Err() != nil {
			t.Error("Stop took all of its time though everything had finished")
		}
	}
}

// refused waits until a listener takes no more calls.
func refused(t *testing.T, c *client) {
	t.Helper()
	for range 2000 {
		if _, err := c.IndexStatus(t.Context(), &spoorv1.IndexStatusRequest{}); status.Code(err) == codes.Unavailable {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("a listener takes calls while the server stops")
}

// TestStopBegun: Stop cancels a trace that was begun with StartTrace, and a listener that comes too late ends at once.
func TestStopBegun(t *testing.T) {
	c := local(t, longWorld(t, 20_000))
	if _, err := c.StartTrace(t.Context(), &spoorv1.StartTraceRequest{Request: longTrace()}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c.server.Stop(ctx)
	if ctx.Err() != nil {
		t.Error("Stop waited for a begun trace")
	}
	late := listen(t, c.server, server.LocalTrust())
	if _, err := late.IndexStatus(t.Context(), &spoorv1.IndexStatusRequest{}); status.Code(err) != codes.Unavailable && status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a late listener: %v", err)
	}
}
