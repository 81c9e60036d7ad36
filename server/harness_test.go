package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// client talks to a server in this process.
type client struct {
	spoorv1.TraceServiceClient
	spoorv1.LabelServiceClient
	spoorv1.AdminServiceClient
	conn   *grpc.ClientConn
	server *server.Server
}

// quiet is a configuration over a world whose log goes to the test.
func quiet(t testing.TB, w *world) server.Config {
	return server.Config{Store: w.store, Labels: w.labels, Log: slog.New(slog.NewTextHandler(logTo{t}, nil))}
}

type logTo struct{ testing.TB }

func (l logTo) Write(b []byte) (int, error) {
	l.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// local serves a world to a client in this process, until the test ends.
func local(t testing.TB, w *world) *client {
	t.Helper()
	return serve(t, quiet(t, w), server.LocalTrust())
}

func serve(t testing.TB, cfg server.Config, trust server.Trust) *client {
	t.Helper()
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.Stop(ctx)
	})
	return listen(t, s, trust)
}

// listen opens one more listener of a server and connects to it.
func listen(t testing.TB, s *server.Server, trust server.Trust) *client {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(lis, trust) }()
	conn, err := grpc.NewClient("passthrough:///here", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.Stop(ctx)
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return &client{spoorv1.NewTraceServiceClient(conn), spoorv1.NewLabelServiceClient(conn), spoorv1.NewAdminServiceClient(conn), conn, s}
}

// streamed is what StreamTrace sent, in order of its kinds.
type streamed struct {
	hops      []*spoorv1.Hop
	terminals []*spoorv1.Terminal
	result    *spoorv1.Trace
}

func (c *client) stream(ctx context.Context, m *spoorv1.TraceRequest) (*streamed, error) {
	s, err := c.StreamTrace(ctx, &spoorv1.StreamTraceRequest{Request: m})
	if err != nil {
		return nil, err
	}
	got := &streamed{}
	for {
		e, err := s.Recv()
		switch {
		case errors.Is(err, io.EOF) && got.result != nil:
			return got, nil
		case err != nil:
			return nil, err
		case got.result != nil:
			return nil, fmt.Errorf("%v after the result", e)
		case e.GetHop() != nil && len(got.terminals) > 0:
			return nil, fmt.Errorf("hop %v after a terminal", e)
		case e.GetHop() != nil:
			got.hops = append(got.hops, e.GetHop())
		case e.GetTerminal() != nil:
			got.terminals = append(got.terminals, e.GetTerminal())
		default:
			got.result = e.GetResult()
		}
	}
}

// trace asks by StreamTrace and puts the answer together.
func (c *client) trace(t testing.TB, m *spoorv1.TraceRequest) *spoorv1.Trace {
	t.Helper()
	got, err := c.stream(t.Context(), m)
	if err != nil {
		t.Fatalf("%v: %v", m, err)
	}
	got.result.Hops, got.result.Terminals = got.hops, got.terminals
	return got.result
}

// started asks by StartTrace and waits for the end.
func (c *client) started(t testing.TB, m *spoorv1.StartTraceRequest) *spoorv1.Trace {
	t.Helper()
	got, err := c.StartTrace(t.Context(), m)
	if err != nil {
		t.Fatalf("%v: %v", m, err)
	}
	return c.finished(t, got.GetName())
}

func (c *client) finished(t testing.TB, name string) *spoorv1.Trace {
	t.Helper()
	for {
		got, err := c.GetTrace(t.Context(), &spoorv1.GetTraceRequest{Name: name})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.GetState() != "RUNNING" {
			return got
		}
		time.Sleep(time.Millisecond)
	}
}

// jsonOf writes a message as the command line does, without the blanks that protojson varies.
func jsonOf(t testing.TB, m proto.Message) string {
	t.Helper()
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), ": ", ":")
}

// detail returns the first detail of a kind in an error's status.
func detail[M proto.Message](err error) (found M, ok bool) {
	for _, d := range status.Convert(err).Details() {
		if m, is := d.(M); is {
			return m, true
		}
	}
	return found, false
}
