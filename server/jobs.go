package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strconv"
	"sync"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// The states of a trace, as printed.
const (
	stateRunning = "RUNNING"
	stateDone    = "DONE"
	stateFailed  = "FAILED"
)

// jobs keeps the traces begun with StartTrace. They are caches: a restart
// forgets them, and asking again costs a replay.
type jobs struct {
	log  *slog.Logger
	keep int // finished traces that are kept, the oldest dropped first

	ctx    context.Context // ends all running traces
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu       sync.Mutex
	next     int
	byName   map[string]*job
	finished []string
}

type job struct {
	tenant  string // nobody else's
	request *spoorv1.TraceRequest
	trace   *spoorv1.Trace // replaced, never changed
	hops    int64
}

func newJobs(log *slog.Logger, keep int) *jobs {
	ctx, cancel := context.WithCancel(context.Background())
	return &jobs{log: log, keep: keep, ctx: ctx, cancel: cancel, byName: map[string]*job{}}
}

// stop cancels what runs and waits for it.
func (j *jobs) stop() {
	j.cancel()
	j.wait.Wait()
}

// work makes a trace and reports its hops.
type work func(ctx context.Context, onHop func(tracer.Hop)) (*spoorv1.Trace, error)

// start runs work under a new name, in a slot that it gives back. The same request id with the same request
// gives the trace that runs already; with another request it is refused. Ids and traces are the caller's tenant's own.
func (j *jobs) start(ctx context.Context, requestID string, request *spoorv1.TraceRequest, slot func() (func(), error), do work) (*spoorv1.Trace, error) {
	caller := Principal(ctx)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.next++
	name := "traces/t" + strconv.Itoa(j.next)
	if requestID != "" {
		sum := sha256.Sum256([]byte(caller.Tenant + "\x00" + requestID))
		name = "traces/r" + hex.EncodeToString(sum[:12])
	}
	if known := j.byName[name]; known != nil {
		if !proto.Equal(known.request, request) {
			return nil, ledger.Invalid("request_id", "a new id for a new request", requestID)
		}
		return known.trace, nil
	}
	if err := j.ctx.Err(); err != nil {
		return nil, err
	}
	release, err := slot()
	if err != nil {
		return nil, err
	}
	one := &job{tenant: caller.Tenant, request: request, trace: &spoorv1.Trace{Name: name, State: stateRunning, Request: request}}
	j.byName[name] = one
	j.wait.Add(1)
	go func() {
		defer j.wait.Done()
		defer release()
		trace, err := j.run(withCaller(j.ctx, caller), one, do)
		j.finish(name, one, trace, err)
	}()
	return one.trace, nil
}

// run works outside of any call, where no interceptor stands: a panic would end the process.
func (j *jobs) run(ctx context.Context, one *job, do work) (trace *spoorv1.Trace, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			trace, err = nil, bug(j.log, "a trace begun with StartTrace", panicked)
		}
	}()
	return do(ctx, func(tracer.Hop) { j.progress(one) })
}

func (j *jobs) progress(one *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	one.hops++
	if one.hops%256 != 0 {
		return
	}
	one.trace = &spoorv1.Trace{
		Name: one.trace.GetName(), State: stateRunning, Request: one.request,
		Progress: &spoorv1.Progress{Phase: "replay", Done: one.hops, Unit: "hops"},
	}
}

func (j *jobs) finish(name string, one *job, trace *spoorv1.Trace, err error) {
	if err != nil {
		trace = &spoorv1.Trace{State: stateFailed, Request: one.request, Error: status.Convert(toStatus(j.log, err)).Proto()}
	}
	trace.Name = name
	j.mu.Lock()
	defer j.mu.Unlock()
	one.trace = trace
	j.finished = append(j.finished, name)
	if len(j.finished) > j.keep {
		delete(j.byName, j.finished[0])
		j.finished = j.finished[1:]
	}
}

func (j *jobs) get(ctx context.Context, name string) (*spoorv1.Trace, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if one := j.byName[name]; one != nil && one.tenant == Principal(ctx).Tenant {
		return one.trace, nil
	}
	return nil, absent("trace", name, "no such trace; traces are kept until the server stops or newer ones push them out")
}
