package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"

	"buf.build/go/protovalidate"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// gate stands before every method of one listener: role, rate, request rules,
// and the mapping of errors.
type gate struct {
	server *Server
	trust  Trust
}

func (g *gate) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (res any, err error) {
	defer func() { err = g.outcome(info.FullMethod, recover(), err) }()
	ctx, err = g.admit(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	if err := g.validate(req); err != nil {
		return nil, err
	}
	return handle(ctx, req)
}

func (g *gate) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer func() { err = g.outcome(info.FullMethod, recover(), err) }()
	ctx, err := g.admit(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	checked := &checkedStream{&callerStream{stream, ctx}, g}
	if info.FullMethod == healthpb.Health_Watch_FullMethodName {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		return handle(srv, &watchStream{checked, ctx, cancel, g.server})
	}
	return handle(srv, checked)
}

// checkedStream applies the request rules to every message that comes in.
type checkedStream struct {
	grpc.ServerStream
	gate *gate
}

func (s *checkedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.gate.validate(m)
}

// watchStream ends a health watch once it has said that the server stops: it
// would keep Stop waiting for as long as its client likes.
type watchStream struct {
	*checkedStream
	ctx    context.Context //nolint:containedctx // of one stream
	cancel func()
	server *Server
}

func (s *watchStream) Context() context.Context { return s.ctx }

func (s *watchStream) SendMsg(m any) error {
	err := s.checkedStream.SendMsg(m)
	if r, ok := m.(*healthpb.HealthCheckResponse); ok && r.GetStatus() == healthpb.HealthCheckResponse_NOT_SERVING && s.server.stopping() {
		s.cancel()
	}
	return err
}

// outcome turns a panic into an internal error, logged with its stack, and
// every other error into its status.
func (g *gate) outcome(method string, panicked any, err error) error {
	if panicked != nil {
		return bug(g.server.cfg.Log, method, panicked)
	}
	return toStatus(g.server.cfg.Log, err)
}

// bug logs a panic with its stack and is what the client hears of it. It is
// called while the panic is being recovered.
func bug(log *slog.Logger, where string, panicked any) error {
	log.Error("panic", "method", where, "value", fmt.Sprint(panicked), "stack", string(debug.Stack()))
	return status.Error(codes.Internal, internalText)
}

// admit denies by default: a method of ours without a required_role is refused
// to everyone. It returns the context that knows its caller.
func (g *gate) admit(ctx context.Context, method string) (context.Context, error) {
	caller := Caller{Tenant: LocalTenant, Role: g.trust.Role}
	if strings.HasPrefix(method, "/spoor.") {
		need := requiredRole(method)
		if !holds(caller.Role, need) {
			return nil, withDetails(codes.PermissionDenied, fmt.Errorf("%s needs the role %s; this listener grants %s", method, need, caller.Role), info("PERMISSION_DENIED"))
		}
	}
	ctx = withCaller(ctx, caller)
	if !g.trust.Limited {
		return ctx, nil
	}
	return ctx, g.server.limiter.take(ctx)
}

func requiredRole(method string) spoorv1.Role {
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		return spoorv1.Role_ROLE_UNSPECIFIED
	}
	role, _ := proto.GetExtension(found.Options(), spoorv1.E_RequiredRole).(spoorv1.Role)
	return role
}

// validate applies the rules that stand in the proto files.
func (g *gate) validate(m any) error {
	message, ok := m.(proto.Message)
	if !ok {
		return nil
	}
	err := g.server.validator.Validate(message)
	broken, ok := err.(*protovalidate.ValidationError) //nolint:errorlint // the validator returns it unwrapped
	if !ok {
		return err
	}
	bad := &errdetails.BadRequest{}
	var texts []string
	for _, v := range broken.Violations[:min(len(broken.Violations), maxListed)] {
		field, text := protovalidate.FieldPathString(v.Proto.GetField()), v.Proto.GetMessage()+cameAs(v)
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: field, Description: text})
		texts = append(texts, field+": "+text)
	}
	if more := len(broken.Violations) - maxListed; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return withDetails(codes.InvalidArgument, errors.New(strings.Join(texts, "; ")), info("INVALID_ARGUMENT"), bad)
}

// cameAs says which text or number broke a rule.
func cameAs(v *protovalidate.Violation) string {
	if v.FieldDescriptor == nil || !v.FieldValue.IsValid() {
		return ""
	}
	switch came := v.FieldValue.Interface().(type) {
	case int32, int64, protoreflect.EnumNumber:
		return fmt.Sprintf(", got %d", came)
	case string:
		return fmt.Sprintf(", got %.120q", came)
	}
	return ""
}

func exhausted(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ledger.ErrExhausted)...)
}

// limiter counts requests per client address.
type limiter struct {
	rate    rate.Limit
	mu      sync.Mutex
	clients map[string]*rate.Limiter
}

// maxClients bounds the limiter's memory; beyond it all counts start again.
const maxClients = 10_000

func newLimiter(perSecond float64) *limiter {
	return &limiter{rate: rate.Limit(perSecond), clients: map[string]*rate.Limiter{}}
}

func (l *limiter) of(client string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.clients[client] == nil {
		if len(l.clients) >= maxClients {
			clear(l.clients)
		}
		l.clients[client] = rate.NewLimiter(l.rate, max(1, int(2*l.rate)))
	}
	return l.clients[client]
}

// take spends one request of the client, or refuses with the time to wait.
func (l *limiter) take(ctx context.Context) error {
	client := "unknown"
	if p, ok := peer.FromContext(ctx); ok {
		client = p.Addr.String()
		if host, _, err := net.SplitHostPort(client); err == nil {
			client = host
		}
	}
	one := l.of(client)
	next := one.Reserve()
	wait := next.Delay()
	header := metadata.Pairs("x-ratelimit-limit", strconv.Itoa(one.Burst()))
	if wait == 0 {
		header.Append("x-ratelimit-remaining", strconv.Itoa(max(0, int(one.Tokens()))))
		return grpc.SetHeader(ctx, header)
	}
	next.Cancel()
	header.Append("x-ratelimit-remaining", "0")
	header.Append("retry-after", strconv.Itoa(int(wait/time.Second)+1))
	if err := grpc.SetHeader(ctx, header); err != nil {
		return err
	}
	return withDetails(codes.ResourceExhausted, fmt.Errorf("more than %v requests a second", float64(l.rate)),
		info("EXCEEDED_RATE_LIMIT"), &errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
}
