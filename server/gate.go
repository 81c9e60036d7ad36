package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"buf.build/go/protovalidate"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// gate stands before every method of one listener: who calls (auth.go), rate and
// turn (authlimit.go), request rules, and the mapping of errors.
type gate struct {
	server *Server
	trust  Trust
}

func (g *gate) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (res any, err error) {
	defer func() { err = g.outcome(info.FullMethod, recover(), err) }()
	call, err := g.admit(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	defer call.leave()
	if err := call.spend(); err != nil {
		return nil, err
	}
	if err := g.validate(req); err != nil {
		return nil, err
	}
	if err := call.audit.ready(); err != nil {
		return nil, err
	}
	release, err := call.slot(call.ctx, patience)
	if err != nil {
		return nil, err
	}
	res, err = g.work(call.ctx, req, info.FullMethod, release, handle)
	return res, call.audit.end(call.audit.subject(req), err)
}

// work calls the method in its slot, which it gives back, and maps its error.
func (g *gate) work(ctx context.Context, req any, method string, release func(), handle grpc.UnaryHandler) (res any, err error) {
	defer release()
	defer func() { err = g.outcome(method, recover(), err) }()
	return handle(ctx, req)
}

func (g *gate) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer func() { err = g.outcome(info.FullMethod, recover(), err) }()
	call, err := g.admit(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	defer call.leave()
	checked := &checkedStream{ServerStream: stream, gate: g, call: call, ctx: call.ctx}
	err = checked.why(g.workStream(srv, checked, info.FullMethod, handle))
	if !checked.worked {
		return err
	}
	return call.audit.end(checked.subject, err)
}

// workStream calls the method and maps its error.
func (g *gate) workStream(srv any, checked *checkedStream, method string, handle grpc.StreamHandler) (err error) {
	defer func() { err = g.outcome(method, recover(), err) }()
	if method == healthpb.Health_Watch_FullMethodName {
		ctx, cancel := context.WithCancel(checked.ctx)
		defer cancel()
		return handle(srv, &watchStream{checked, ctx, cancel, g.server})
	}
	return handle(srv, checked)
}

// checkedStream counts every message that comes in and applies the request
// rules to it. The first one beyond the rate is refused; those after it wait.
type checkedStream struct {
	grpc.ServerStream
	ctx  context.Context //nolint:containedctx // of one stream
	gate *gate
	call *call

	began   bool
	worked  bool   // the first message was let through
	subject string // what it was about, for the audit log

	mu    sync.Mutex
	ended error // the caller's key is in force no more
}

func (s *checkedStream) Context() context.Context { return s.ctx }

func (s *checkedStream) RecvMsg(m any) error {
	if err := s.still(); err != nil {
		return err
	}
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if err := s.count(); err != nil {
		return err
	}
	if err := s.gate.validate(m); err != nil {
		return err
	}
	return s.begin(m)
}

func (s *checkedStream) count() error {
	if s.began {
		return s.call.wait()
	}
	s.began = true
	return s.call.spend()
}

// begin records that the stream begins, before the method hears of it.
func (s *checkedStream) begin(m any) error {
	if s.worked {
		return nil
	}
	s.subject = s.call.audit.subject(m)
	if err := s.call.audit.record(s.subject, begun); err != nil {
		return err
	}
	s.worked = true
	return nil
}

func (s *checkedStream) SendMsg(m any) error {
	if err := s.still(); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(m)
}

// still ends the stream when its key does.
func (s *checkedStream) still() error {
	err := s.call.still()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.ended = err
	}
	return s.ended
}

// why is the reason that the stream ended for: that of its key before what the
// method made of it.
func (s *checkedStream) why(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return s.ended
	}
	return err
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

// cameAs says which text or number broke a rule; nothing of a field that is
// marked as personal (debug_redact).
func cameAs(v *protovalidate.Violation) string {
	if v.FieldDescriptor == nil || !v.FieldValue.IsValid() {
		return ""
	}
	if o, ok := v.FieldDescriptor.Options().(*descriptorpb.FieldOptions); ok && o.GetDebugRedact() {
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
