package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// method is one RPC of the wire interface with the role that it needs.
type method struct {
	name string // "/spoor.v1.TraceService/StartTrace"
	role spoorv1.Role
	desc protoreflect.MethodDescriptor
}

// methods lists every RPC of package spoor.v1 from its descriptors.
func methods(t *testing.T) (all []method) {
	t.Helper()
	protoregistry.GlobalFiles.RangeFilesByPackage("spoor.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				d := s.Methods().Get(j)
				role := proto.GetExtension(d.Options(), spoorv1.E_RequiredRole).(spoorv1.Role)
				all = append(all, method{"/" + string(s.FullName()) + "/" + string(d.Name()), role, d})
			}
		}
		return true
	})
	if len(all) < 14 {
		t.Fatalf("only %d methods", len(all))
	}
	return all
}

// call calls a method with an empty message, whatever its kind.
func call(ctx context.Context, c *client, m method) error {
	if !m.desc.IsStreamingClient() && !m.desc.IsStreamingServer() {
		return c.conn.Invoke(ctx, m.name, &emptypb.Empty{}, &emptypb.Empty{})
	}
	s, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, m.name)
	if err == nil {
		err = s.SendMsg(&emptypb.Empty{})
	}
	if err == nil || errors.Is(err, io.EOF) { // refused meanwhile: RecvMsg says why
		err = s.CloseSend()
	}
	for err == nil {
		err = s.RecvMsg(&emptypb.Empty{})
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// included is the table of the roles, written out: who may call what needs a role.
func included(have, need spoorv1.Role) bool {
	may := map[spoorv1.Role][]spoorv1.Role{
		spoorv1.Role_ROLE_READER:       {spoorv1.Role_ROLE_READER},
		spoorv1.Role_ROLE_INVESTIGATOR: {spoorv1.Role_ROLE_READER, spoorv1.Role_ROLE_INVESTIGATOR},
		spoorv1.Role_ROLE_SCREENER:     {spoorv1.Role_ROLE_READER, spoorv1.Role_ROLE_SCREENER},
		spoorv1.Role_ROLE_ADMIN:        {spoorv1.Role_ROLE_READER, spoorv1.Role_ROLE_INVESTIGATOR, spoorv1.Role_ROLE_SCREENER, spoorv1.Role_ROLE_ADMIN},
	}
	return slices.Contains(may[have], need)
}

// TestRoles: every method states a role, and no listener below it lets a call through.
func TestRoles(t *testing.T) {
	w := newWorld(t)
	for role := spoorv1.Role_ROLE_UNSPECIFIED; role <= spoorv1.Role_ROLE_SCREENER; role++ {
		c := serve(t, quiet(t, w), server.Trust{Role: role})
		for _, m := range methods(t) {
			if m.role == spoorv1.Role_ROLE_UNSPECIFIED {
				t.Errorf("%s states no role", m.name)
			}
			err := call(t.Context(), c, m)
			if refused := status.Code(err) == codes.PermissionDenied; refused != !included(role, m.role) {
				t.Errorf("%s with %s: %v", m.name, role, err)
			}
			if !included(role, m.role) {
				refusal{codes.PermissionDenied, "PERMISSION_DENIED", "", "needs the role " + m.role.String()}.check(t, m.name, err)
			}
			if status.Code(err) == codes.Internal || status.Code(err) == codes.Unknown {
				t.Errorf("%s with an empty message: %v", m.name, err)
			}
		}
		if err := c.conn.Invoke(t.Context(), "/spoor.v1.TraceService/Nothing", &emptypb.Empty{}, &emptypb.Empty{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("a method that is none: %v", err)
		}
	}
}

// TestRate: a client above its rate is told so and when to come back; another listener without limits is not touched.
func TestRate(t *testing.T) {
	cfg := quiet(t, newWorld(t))
	cfg.Rate = 0.001 // a burst of 1, and then nothing for the length of a test
	c := serve(t, cfg, server.Trust{Role: spoorv1.Role_ROLE_ADMIN, Limited: true})
	free := listen(t, c.server, server.LocalTrust())
	var header metadata.MD
	if _, err := c.IndexStatus(t.Context(), &spoorv1.IndexStatusRequest{}, grpc.Header(&header)); err != nil {
		t.Fatal(err)
	}
	if got := header.Get("x-ratelimit-limit"); len(got) != 1 || got[0] != "1" {
		t.Errorf("first call: x-ratelimit-limit %v, want 1", got)
	}
	if got := header.Get("x-ratelimit-remaining"); len(got) != 1 || got[0] != "0" {
		t.Errorf("first call: x-ratelimit-remaining %v, want 0", got)
	}
	_, err := c.IndexStatus(t.Context(), &spoorv1.IndexStatusRequest{}, grpc.Header(&header))
	refusal{codes.ResourceExhausted, "EXCEEDED_RATE_LIMIT", "", "requests a second"}.check(t, "second call", err)
	retry, ok := detail[*errdetails.RetryInfo](err)
	if !ok || retry.GetRetryDelay().AsDuration() <= 0 || len(header.Get("retry-after")) != 1 {
		t.Errorf("second call: retry info %v, header %v", retry, header)
	}
	_, err = c.stream(t.Context(), &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}})
	refusal{codes.ResourceExhausted, "EXCEEDED_RATE_LIMIT", "", "requests a second"}.check(t, "a stream", err)
	if _, err := free.IndexStatus(t.Context(), &spoorv1.IndexStatusRequest{}); err != nil {
		t.Errorf("a listener without limits: %v", err)
	}
}

// safeLog collects what a server logs.
type safeLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *safeLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *safeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestPanic: a bug in a handler is an internal error that says nothing of the
// inside, the log has its stack, and the server goes on; so does one in a trace
// that was begun with StartTrace, which runs in nobody's call.
func TestPanic(t *testing.T) {
	var log safeLog
	cfg := quiet(t, newWorld(t))
	cfg.Store = nil // the bug
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Ingest = func(context.Context, *spoorv1.IngestRequest, func(*spoorv1.IngestEvent)) (*spoorv1.IngestResult, error) {
		panic("the secret path /home/x")
	}
	c := serve(t, cfg, server.LocalTrust())
	inside := func(name string, err error) {
		t.Helper()
		s := status.Convert(err)
		if s.Code() != codes.Internal || len(s.Details()) > 0 || s.Message() != "internal error; the server's log has it" {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}}
	_, err := c.stream(t.Context(), m)
	inside("a stream", err)
	_, err = c.LookupTransaction(t.Context(), &spoorv1.LookupTransactionRequest{Ref: ref("tron", "v1", "")})
	inside("a call", err)
	ingest, err := c.Ingest(t.Context(), &spoorv1.IngestRequest{Source: &spoorv1.IngestRequest_Tron{Tron: &spoorv1.TronCsv{CsvPaths: []string{"a"}}}})
	if err == nil {
		_, err = ingest.Recv()
	}
	inside("ingest", err)
	failed := c.started(t, &spoorv1.StartTraceRequest{Request: m})
	inside("a begun trace", status.ErrorProto(failed.GetError()))
	if failed.GetState() != "FAILED" {
		t.Errorf("a begun trace: %v", failed)
	}
	if text := log.String(); strings.Count(text, "msg=panic") != 4 || !strings.Contains(text, "secret path") || !strings.Contains(text, "goroutine") {
		t.Errorf("logged:\n%s", text)
	}
}

// TestHealthAndReflection: each service is SERVING, and a listener lists its services only where it is to.
func TestHealthAndReflection(t *testing.T) {
	c := local(t, newWorld(t))
	far := listen(t, c.server, server.Trust{Role: spoorv1.Role_ROLE_READER})
	for _, name := range []string{"", "spoor.v1.TraceService", "spoor.v1.LabelService", "spoor.v1.AdminService"} {
		got, err := healthpb.NewHealthClient(far.conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: name})
		if err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v, %v", name, got, err)
		}
	}
	list := func(c *client) (names string, err error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s, err := reflectionpb.NewServerReflectionClient(c.conn).ServerReflectionInfo(ctx)
		if err != nil {
			return "", err
		}
		if err := s.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil && !errors.Is(err, io.EOF) { // EOF: the stream has ended, Recv says why
			return "", err
		}
		got, err := s.Recv()
		for _, one := range got.GetListServicesResponse().GetService() {
			names += one.GetName() + " "
		}
		return names, err
	}
	if names, err := list(c); err != nil || !strings.Contains(names, "spoor.v1.TraceService") {
		t.Errorf("reflection: %q, %v", names, err)
	}
	if names, err := list(far); status.Code(err) != codes.Unimplemented {
		t.Errorf("reflection where there is none: %q, %v", names, err)
	}
}
