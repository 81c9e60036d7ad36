// Package server answers over gRPC: traces, look-ups, labels and the care of
// the index. It reads the store and the label log, never a chain.
package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"buf.build/go/protovalidate"
	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/entities"
	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/prices"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer"
)

// BackupFunc writes a backup to a file and reports how far it has come. Only the
// command knows what lies in the data directory.
type BackupFunc func(ctx context.Context, m *spoorv1.BackupIndexRequest, report func(*spoorv1.Progress)) (*spoorv1.BackupIndexResult, error)

// IngestFunc brings a source into the index. Only the command knows chains.
// It reports what IngestEvent says, the result excepted.
type IngestFunc func(ctx context.Context, req *spoorv1.IngestRequest, report func(*spoorv1.IngestEvent)) (*spoorv1.IngestResult, error)

// Config is what a Server needs. Zero limits take the defaults named beside them.
type Config struct {
	Store  *store.Store // owned by the caller, open until Stop returned
	Labels *labels.Log  // owned by the caller
	// Entities is the index of clusters, owned by the caller; nil: no clusters.
	Entities *entities.Set
	Ingest   IngestFunc    // nil: Ingest is refused
	Backup   BackupFunc    // nil: BackupIndex is refused
	Prices   *prices.Table // annotations in dollars; nil: stablecoins at 1 alone
	// Follows is the board that Ingest reports to; nil: one that stays empty.
	Follows *Follows
	// Keys are what CreateKey makes, owned by the caller; nil: keys are refused.
	Keys *access.Store
	// Audit records what is done with keys, owned by the caller; nil: nothing is recorded.
	Audit *access.Audit
	// Screening is what exchanges registered, owned by the caller; nil: nothing is kept, and single addresses are screened alone.
	Screening *screening.Store
	// Cases are kept there, owned by the caller; nil: every call about one is refused.
	Cases *cases.Store
	// CasesError is why Cases is nil: what every call about one is answered with.
	CasesError error
	// Software is the name and version that packages state.
	Software string
	// Program is the SHA-256 of the running program, in hex, which packages state; nil: they do not.
	Program func() (string, error)
	// Fetch asks services for what traces lack, owned by the caller; nil: a trace that asks for it is refused.
	Fetch *fetch.Fetcher
	// FetchLimits are what one trace may ask for at most.
	FetchLimits fetch.Budget
	// FetchEvery is how often a trace that asks sources and is followed asks again; 0: a minute.
	FetchEvery time.Duration
	// Scoring is the judgment of screenings; nil: package risk with its default rules.
	Scoring *Scoring
	Log     *slog.Logger // nil: slog.Default()

	// Webhooks are told of alerts, Mails and Commands of those of watches that ask for
	// it; nothing else is ever sent anywhere.
	Webhooks []Webhook
	Mails    []Mail
	Commands []Command
	// WebhookRetry is the time before any of them is tried a second time; 0: a second.
	WebhookRetry time.Duration

	MaxTraces  int     // traces at a time; 8
	MaxEvents  int     // events of one trace, per chain; tracer.DefaultEvents
	TraceBytes int64   // memory of the traces that run, together; 2 GiB
	KeepTraces int     // finished traces kept for GetTrace; 256
	Rate       float64 // requests per second and client on a Remote listener; 200, bursts of twice that
}

// message sizes: a request is small, an answer may be a page of a large trace.
const (
	maxRequest = 4 << 20
	maxStreams = 256
)

// Server holds the services and serves them on any number of listeners.
type Server struct {
	cfg       Config
	validator protovalidate.Validator
	meter     *access.Meter
	jobs      *jobs
	data      *data
	health    *health.Server
	metrics   *prometheus.Registry
	calls     *grpcprom.ServerMetrics
	traces    *traces
	screens   *screenService
	cases     *caseService
	pages     pager

	clientLimits access.Limits

	mu      sync.Mutex
	started []*grpc.Server
	stopped bool
}

// New builds the services.
func New(cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.TraceBytes <= 0 {
		cfg.TraceBytes = 2 << 30
	}
	cfg.MaxTraces, cfg.MaxEvents = orDefault(cfg.MaxTraces, 8), orDefault(cfg.MaxEvents, tracer.DefaultEvents)
	cfg.KeepTraces = orDefault(cfg.KeepTraces, 256)
	if cfg.Follows == nil {
		cfg.Follows = NewFollows(time.Now)
	}
	if cfg.Rate == 0 {
		cfg.Rate = 200
	}
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("server: request rules: %w", err)
	}
	key := make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("server: page key: %w", err)
	}
	said, err := published()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, validator: validator, meter: newMeter(), clientLimits: clientLimits(cfg.Rate), jobs: newJobs(cfg.Log, cfg.KeepTraces),
		data: &data{store: cfg.Store, labels: cfg.Labels, entities: cfg.Entities, prices: cfg.Prices, published: said}, health: health.NewServer(), pages: pager{key},
	}
	cfg.Follows.tell(s.health)
	if cfg.Entities != nil {
		s.data.clusters = newClusterer(s.data, cfg.Log)
	}
	s.traces = &traces{data: s.data, jobs: s.jobs, pages: s.pages, slots: make(chan struct{}, cfg.MaxTraces), held: map[string]int{}, maxEvents: cfg.MaxEvents, memory: newMemory(cfg.TraceBytes), follows: cfg.Follows, fetcher: cfg.Fetch, fetchLimits: cfg.FetchLimits, fetchEvery: cmp.Or(cfg.FetchEvery, time.Minute)}
	s.cases = &caseService{data: s.data, cases: cfg.Cases, broken: cfg.CasesError, pages: s.pages, software: cfg.Software, program: cfg.Program, slot: s.traces.slot}
	if s.screens, err = s.newScreens(); err != nil {
		return nil, err
	}
	s.metrics, s.calls = newMetrics(cfg.Follows, s.traces.slots)
	s.metrics.MustRegister(rescoreMetrics{s.screens})
	if cfg.Labels != nil {
		s.metrics.MustRegister(labelMetrics{cfg.Labels, time.Now})
	}
	return s, nil
}

// Trust is what a listener's clients may do.
type Trust struct {
	// Keys, when they are given, are what every client must have one of; each has
	// the role of its key, and the rates of its tenant.
	Keys *access.Store
	// Role is that of whoever reaches a listener without Keys.
	Role spoorv1.Role
	TLS  *tls.Config // nil: plaintext
	// Limited counts requests per client of a listener without Keys, and refuses those above the rate.
	Limited bool
	// Forwarded is for a listener that only a gateway of ours reaches: it says
	// in ForwardedPeer and ForwardedCertificate who its client is.
	Forwarded bool
	// Reflect lists the services to whoever asks (grpcurl).
	Reflect bool
	local   bool // LocalTrust
}

// LocalTrust is for clients in this process or at the socket file: they could
// open the data directory themselves.
func LocalTrust() Trust { return Trust{Role: spoorv1.Role_ROLE_ADMIN, Reflect: true, local: true} }

// Serve answers on a listener until Stop; it returns nil after Stop.
func (s *Server) Serve(lis net.Listener, trust Trust) error {
	creds := insecure.NewCredentials()
	if trust.TLS != nil {
		creds = credentials.NewTLS(trust.TLS)
	}
	g := &gate{server: s, trust: trust}
	server := grpc.NewServer(
		grpc.Creds(creds), grpc.MaxRecvMsgSize(maxRequest), grpc.MaxConcurrentStreams(trust.streams()),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 15 * time.Minute, Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.ChainUnaryInterceptor(s.calls.UnaryServerInterceptor(), g.unary), grpc.ChainStreamInterceptor(s.calls.StreamServerInterceptor(), g.stream),
	)
	spoorv1.RegisterTraceServiceServer(server, s.traces)
	spoorv1.RegisterLabelServiceServer(server, &labelService{data: s.data, pages: s.pages, now: time.Now, affected: []affectedBy{s.jobs.carrying, s.screens.affected}})
	spoorv1.RegisterAdminServiceServer(server, &admin{data: s.data, keys: s.cfg.Keys, ingest: s.cfg.Ingest, backup: s.cfg.Backup, follows: s.cfg.Follows, now: time.Now})
	spoorv1.RegisterScreeningServiceServer(server, s.screens)
	spoorv1.RegisterCaseServiceServer(server, s.cases)
	healthpb.RegisterHealthServer(server, s.health)
	if trust.Reflect {
		reflection.Register(server)
	}
	for name := range server.GetServiceInfo() {
		s.health.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}
	if !s.add(server) {
		return lis.Close()
	}
	if err := server.Serve(lis); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("server: %s: %w", lis.Addr(), err)
	}
	return nil
}

func (s *Server) add(server *grpc.Server) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = append(s.started, server)
	return !s.stopped
}

func (s *Server) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// KeepClusters has the clusters follow the index until ctx ends: they are there when
// they are asked for. Without it, the first question waits for them.
func (s *Server) KeepClusters(ctx context.Context) {
	if s.data.clusters != nil {
		s.data.clusters.keep(ctx)
	}
}

// KeepAsking asks the operator's sources what became of what is watched, again and
// again until ctx ends. Without it, that is done while somebody follows alerts.
func (s *Server) KeepAsking(ctx context.Context) {
	release := s.screens.asking.want()
	defer release()
	<-ctx.Done()
}

// Stop tells clients by health that it ends, lets running calls finish until
// ctx is done, then cuts them off. Traces begun with StartTrace are cancelled.
func (s *Server) Stop(ctx context.Context) {
	s.mu.Lock()
	s.stopped = true
	servers := s.started
	s.mu.Unlock()
	s.health.Shutdown()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var all sync.WaitGroup
		for _, server := range servers {
			all.Go(server.GracefulStop) // at once, or the last would go on taking calls
		}
		all.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		for _, server := range servers {
			server.Stop()
		}
		<-done
	}
	s.jobs.stop()
	s.screens.stop()
	if s.data.clusters != nil {
		s.data.clusters.stop()
	}
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
