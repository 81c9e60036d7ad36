package server

import (
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// Follows holds how far each network is followed, for whoever asks: the index
// status, health and metrics. It is safe for concurrent use.
type Follows struct {
	now func() time.Time

	mu       sync.Mutex
	networks map[ledger.Chain]*followed
	health   *health.Server // nil: nobody asks
	changed  chan struct{}  // closed and replaced with every report
}

// followed is one network.
type followed struct {
	active   bool
	status   *spoorv1.FollowStatus // replaced, never changed
	replaced uint64                // blocks replaced since the process began
	troubled time.Time             // since when; zero: no trouble
	halted   string                // why it ended by itself; empty: it did not
	faults   map[ledger.Fault]uint64
}

// NewFollows returns an empty board.
func NewFollows(now func() time.Time) *Follows {
	return &Follows{now: now, networks: map[ledger.Chain]*followed{}, changed: make(chan struct{})}
}

// tell names who is to know of health.
func (f *Follows) tell(h *health.Server) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.health = h
}

// Health of a network that is followed.
const (
	// lagAllowed is how many blocks the index of a followed network may be behind
	// while its health says SERVING (judgment: more than a node's own burst).
	lagAllowed = 10
	// troubleAllowed is how long its node may fail to answer.
	troubleAllowed = time.Minute
)

// HealthName is the name under which gRPC health answers for a network.
func HealthName(c ledger.Chain) string { return "spoor.v1.network/" + string(c) }

// Begin claims a network: two sources with minds of their own must not write
// one index. End gives it back, with the error that ended it.
func (f *Follows) Begin(c ledger.Chain) (end func(error), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.networks[c]
	if n == nil {
		n = &followed{}
		f.networks[c] = n
	}
	if n.active {
		return nil, fmt.Errorf("%s is read from a node already: %w", c, ledger.ErrPrecondition)
	}
	n.active, n.halted = true, ""
	return func(err error) { f.end(c, err) }, nil
}

func (f *Follows) end(c ledger.Chain, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.networks[c]
	n.active, n.troubled = false, time.Time{}
	if err != nil {
		n.halted = err.Error()
	}
	f.judge(c, n)
}

// Report takes the newest status of a network that was begun.
func (f *Follows) Report(m *spoorv1.FollowStatus) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := ledger.Chain(m.GetNetwork())
	n := f.networks[c]
	if n == nil {
		return
	}
	n.status = m
	n.replaced += uint64(m.GetReplaced())
	switch {
	case m.GetTrouble() == "":
		n.troubled = time.Time{}
	case n.troubled.IsZero():
		n.troubled = f.now()
	}
	f.judge(c, n)
	close(f.changed)
	f.changed = make(chan struct{})
}

// judge tells health what to say of a network; the caller holds mu.
func (f *Follows) judge(c ledger.Chain, n *followed) {
	if f.health == nil {
		return
	}
	state := healthpb.HealthCheckResponse_SERVING
	switch {
	case !n.active, n.status == nil, n.status.GetLagBlocks() > lagAllowed:
		state = healthpb.HealthCheckResponse_NOT_SERVING
	case !n.troubled.IsZero() && f.now().Sub(n.troubled) > troubleAllowed:
		state = healthpb.HealthCheckResponse_NOT_SERVING
	}
	f.health.SetServingStatus(HealthName(c), state)
}

// Status returns how a network is followed, nil when it is not.
func (f *Follows) Status(c ledger.Chain) *spoorv1.FollowStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.networks[c]
	if n == nil || n.status == nil || !n.active && n.halted == "" {
		return nil
	}
	m, _ := proto.Clone(n.status).(*spoorv1.FollowStatus)
	if n.halted != "" {
		m.Trouble = "halted: " + n.halted
	}
	return m
}

// wait returns a channel that is closed at the next report.
func (f *Follows) wait() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}
