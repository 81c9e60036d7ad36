package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// maxAnswer bounds one message that is read: the result of a trace under every policy.
const maxAnswer = 1 << 30

// link is a connection to whoever answers.
type link struct {
	traces    spoorv1.TraceServiceClient
	labels    spoorv1.LabelServiceClient
	admin     spoorv1.AdminServiceClient
	screening spoorv1.ScreeningServiceClient
	cases     spoorv1.CaseServiceClient
	remote    bool // paths are those of another machine
	// elsewhere: another process answers, with settings of its own.
	elsewhere bool
	close     func() error
}

func newLink(conn *grpc.ClientConn, also func() error) *link {
	return &link{
		traces: spoorv1.NewTraceServiceClient(conn), labels: spoorv1.NewLabelServiceClient(conn), admin: spoorv1.NewAdminServiceClient(conn),
		screening: spoorv1.NewScreeningServiceClient(conn), cases: spoorv1.NewCaseServiceClient(conn),
		close: func() error { return errors.Join(conn.Close(), also()) },
	}
}

func nothing() error { return nil }

// connect finds who answers: the server that was named, else this process as
// the owner of the data directory, else its owner at the socket file. create
// says that the directory is made when it is missing.
func (a *app) connect(ctx context.Context, create bool) (*link, error) {
	if a.serverAddr != "" {
		return a.dialServer()
	}
	if _, err := os.Stat(filepath.Join(a.dataDir, "networks")); err != nil && !create {
		return nil, &hintedError{
			fmt.Errorf("%s is no data directory: %w", a.dataDir, ledger.ErrNotFound),
			"spoor ingest fills one, spoor demo makes one to try; --data or SPOOR_DATA name another",
		}
	}
	o, l, err := a.ownOrAsk(ctx)
	if err != nil || l != nil {
		return l, err
	}
	conn, err := o.dial()
	if err != nil {
		return nil, errors.Join(err, o.close())
	}
	return newLink(conn, o.close), nil
}

// busyFor is how long a command waits for an owner that is just starting or ending.
const busyFor = 2 * time.Second

// ownOrAsk opens the data directory, or connects to the process that has it.
func (a *app) ownOrAsk(ctx context.Context) (*owner, *link, error) {
	for deadline := time.Now().Add(busyFor); ; {
		o, err := openOwner(a.dataDir, a.config, a.log)
		if err == nil || !errors.Is(err, ledger.ErrBusy) {
			return o, nil, err
		}
		if l, _ := a.dialSocket(ctx); l != nil {
			return nil, l, nil
		}
		if time.Now().After(deadline) {
			return nil, nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func dialOptions(creds credentials.TransportCredentials) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(creds), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)), grpc.WithUnaryInterceptor(whileBuilding),
	}
}

// whileBuilding asks again for as long as the server is still building what the
// answer rests on, and says how far it is.
func whileBuilding(ctx context.Context, method string, req, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	for {
		err := invoke(ctx, method, req, answer, conn, opts...)
		if reasonOf(err) != "CLUSTERS_BEHIND" {
			return err
		}
		fmt.Fprintln(os.Stderr, status.Convert(err).Message())
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return err
		}
	}
}

// dialSocket connects to the owner's socket file, if one serves it: an owner
// that just starts, ends, or is dead does not count.
func (a *app) dialSocket(ctx context.Context) (*link, error) {
	path, err := filepath.Abs(socketPath(a.dataDir))
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("unix://"+path, dialOptions(insecure.NewCredentials())...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, busyFor)
	defer cancel()
	state, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	if err == nil && state.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		err = ledger.ErrBusy
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	l := newLink(conn, nothing)
	l.elsewhere = true
	return l, nil
}

// dialServer connects to a server by TLS, or in plaintext on this machine and
// where that is allowed outright.
func (a *app) dialServer() (*link, error) {
	host, _, err := net.SplitHostPort(a.serverAddr)
	if err != nil {
		return nil, ledger.Invalid("--server", "HOST:PORT", a.serverAddr)
	}
	creds := insecure.NewCredentials()
	if a.caFile != "" || !loopback(host) && !a.insecure {
		config := &tls.Config{MinVersion: tls.VersionTLS13}
		if config.RootCAs, err = trusted(a.caFile); err != nil {
			return nil, err
		}
		creds = credentials.NewTLS(config)
	}
	key, err := a.keyOption()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("dns:///"+a.serverAddr, append(dialOptions(creds), key...)...)
	if err != nil {
		return nil, ledger.Invalid("--server", "HOST:PORT", a.serverAddr)
	}
	l := newLink(conn, nothing)
	l.remote, l.elsewhere = true, true
	return l, nil
}

// trusted reads certificates; no name: the system's.
func trusted(name string) (*x509.CertPool, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // what crypto/tls takes for the system's
	}
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, &usageError{fmt.Errorf("--ca: %w", err)}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, ledger.Invalid("--ca", "a file of PEM certificates", name)
	}
	return pool, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
