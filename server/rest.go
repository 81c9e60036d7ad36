package server

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// openapiFile describes the JSON interface; protoc-gen-openapiv2 makes it of the proto files.
//
//go:embed openapi/spoor.swagger.json
var openapiFile []byte

// restGrace is how long requests may go on when the server ends.
const restGrace = 5 * time.Second

// ServeREST answers the services as JSON over HTTP on a listener until ctx is
// done, then lets running requests end for 5 seconds, and closes the listener.
//
// Each request becomes a gRPC call inside this process, through the same gate:
// keys, rates, request rules and the audit log are those of Serve.
func (s *Server) ServeREST(ctx context.Context, l net.Listener, trust Trust) error {
	inside := trust
	inside.TLS, inside.Forwarded, inside.Reflect = nil, true, false
	pipe := bufconn.Listen(1 << 20)
	conn, err := grpc.NewClient("passthrough:///rest", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
		grpc.WithUnaryInterceptor(checkUnaryQuery), grpc.WithStreamInterceptor(checkStreamQuery))
	if err != nil {
		return errors.Join(fmt.Errorf("rest: %w", err), l.Close())
	}
	handler, err := newGateway(ctx, conn, trust, s.cfg.Log)
	if err != nil {
		return errors.Join(err, conn.Close(), l.Close())
	}
	web := newWeb(handler, trust, s.cfg.Log)
	var all errgroup.Group
	all.Go(func() error {
		err := s.Serve(pipe, inside)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the pipe was closed below
		}
		return err
	})
	all.Go(func() error {
		<-ctx.Done()
		return errors.Join(endWeb(web), conn.Close(), pipe.Close())
	})
	all.Go(func() error {
		if err := serveWeb(web, l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("rest: %s: %w", l.Addr(), err)
		}
		return nil
	})
	return all.Wait()
}

func newWeb(h http.Handler, trust Trust, log *slog.Logger) *http.Server {
	web := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams}, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	if trust.TLS != nil {
		web.TLSConfig = trust.TLS.Clone()
	}
	return web
}

func serveWeb(web *http.Server, l net.Listener) error {
	if web.TLSConfig != nil {
		return web.ServeTLS(l, "", "")
	}
	return web.Serve(l)
}

// endWeb cuts off what still runs after the grace, which is no error.
func endWeb(web *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), restGrace)
	defer cancel()
	if err := web.Shutdown(ctx); err != nil {
		return web.Close()
	}
	return nil
}

// gateway turns HTTP requests into calls of the services.
type gateway struct {
	log       *slog.Logger
	codec     *restCodec
	mux       *runtime.ServeMux // made of the proto files
	routes    routes
	screening spoorv1.ScreeningServiceClient
	labels    spoorv1.LabelServiceClient
	guard     *guard
}

// newGateway is the HTTP side over a connection to the services.
func newGateway(ctx context.Context, conn *grpc.ClientConn, trust Trust, log *slog.Logger) (http.Handler, error) {
	known, err := readRoutes(openapiFile)
	if err != nil {
		return nil, err
	}
	g := &gateway{
		log: log, codec: newRestCodec(), routes: known,
		screening: spoorv1.NewScreeningServiceClient(conn), labels: spoorv1.NewLabelServiceClient(conn), guard: newGuard(trust),
	}
	g.mux = runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, g.codec),
		runtime.WithIncomingHeaderMatcher(headerIn), runtime.WithOutgoingHeaderMatcher(headerOut), runtime.WithMetadata(forwarded),
		runtime.WithErrorHandler(g.writeError), runtime.WithRoutingErrorHandler(g.noRoute),
		runtime.WithDisablePathLengthFallback(), runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptReserved),
	)
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		spoorv1.RegisterTraceServiceHandler, spoorv1.RegisterLabelServiceHandler, spoorv1.RegisterAdminServiceHandler, spoorv1.RegisterScreeningServiceHandler, spoorv1.RegisterCaseServiceHandler,
	} {
		if err := register(ctx, g.mux, conn); err != nil {
			return nil, fmt.Errorf("rest: %w", err)
		}
	}
	return g.guard.before(g), nil
}

// ServeHTTP sends a request to what answers it. The streams of questions are by
// hand: their bodies are read line by line, never as a whole.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := context.WithValue(r.Context(), requestKey{}, r)
	r = r.WithContext(ctx)
	path := r.URL.EscapedPath()
	switch {
	case path == "/openapi.json" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		w.Header().Set("Content-Type", typeJSON)
		_, _ = w.Write(openapiFile)
	case path == "/v1/screenings:stream" && r.Method == http.MethodPost:
		g.screenLines(w, r)
	case path == "/v1/labels:import" && r.Method == http.MethodPost:
		g.importLines(w, r)
	case strings.HasPrefix(path, "/api/"):
		g.serveKYT(w, r)
	default:
		if g.takeBody(w, r) {
			g.mux.ServeHTTP(w, r)
		}
	}
}

// headerIn names the headers that become metadata, besides Authorization, which
// the gateway passes on itself. No others: a client must not be able to send
// what forwarded sends.
func headerIn(name string) (string, bool) {
	switch name {
	case "X-Api-Key", "Token":
		return strings.ToLower(name), true
	}
	return "", false
}

// headerOut names the metadata of an answer that become headers.
func headerOut(name string) (string, bool) {
	switch name {
	case "x-ratelimit-limit", "x-ratelimit-remaining", "retry-after":
		return http.CanonicalHeaderKey(name), true
	}
	return "", false
}

// forwarded says to the gate who the client is.
func forwarded(_ context.Context, r *http.Request) metadata.MD {
	md := metadata.Pairs(ForwardedPeer, clientOf(r))
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		fingerprint := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
		md.Set(ForwardedCertificate, hex.EncodeToString(fingerprint[:]))
	}
	return md
}

// clientOf is the address of the client, without its port.
func clientOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// outgoing is the context of a call that is made by hand.
func (g *gateway) outgoing(r *http.Request) context.Context {
	md := forwarded(r.Context(), r)
	for _, name := range keyHeaders() {
		md.Append(strings.ToLower(name), r.Header.Values(name)...)
	}
	return metadata.NewOutgoingContext(r.Context(), md)
}
