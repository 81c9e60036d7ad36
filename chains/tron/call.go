package tron

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/ledger"
)

// maxAnswer bounds an answer, unpacked: a block has at most 2 MB of transactions,
// their infos a few times as much.
const maxAnswer = 64 << 20

func refuse(f ledger.Fault, subject, format string, args ...any) error {
	return ledger.Untrue(f, subject, fmt.Sprintf(format, args...))
}

// connect prepares a connection; it is made by the first call.
func connect(target, ca string) (*grpc.ClientConn, string, error) {
	host, secure := strings.CutPrefix(target, "grpcs://")
	if _, _, err := net.SplitHostPort(host); err != nil || strings.Contains(host, "/") {
		return nil, "", ledger.Invalid("node", "HOST:PORT or grpcs://HOST:PORT", "another form")
	}
	creds := insecure.NewCredentials()
	if secure {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if ca != "" {
			pem, err := os.ReadFile(ca)
			config.RootCAs = x509.NewCertPool()
			if err != nil || !config.RootCAs.AppendCertsFromPEM(pem) {
				return nil, "", ledger.Invalid("ca", "a readable PEM file of certificates", ca)
			}
		}
		creds = credentials.NewTLS(config)
	}
	conn, err := grpc.NewClient(host, grpc.WithTransportCredentials(creds), grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect(), MinConnectTimeout: 20 * time.Second}), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)))
	if err != nil {
		return nil, "", ledger.Invalid("node", "HOST:PORT or grpcs://HOST:PORT", host)
	}
	return conn, host, nil
}

// reconnect waits for a node that was away no longer than its users would.
func reconnect() backoff.Config {
	c := backoff.DefaultConfig
	c.MaxDelay = 5 * time.Second
	return c
}

// readHeaders reads "Name: value" and "Name: @FILE".
func readHeaders(lines []string) (metadata.MD, error) {
	md := metadata.MD{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || value == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
			return nil, ledger.Invalid("header", "Name: value, or Name: @FILE", "a line that is not shown: it may be a key")
		}
		if file, ok := strings.CutPrefix(value, "@"); ok {
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm()&0o007 != 0 {
				return nil, ledger.Invalid("header", "a readable file after @ that others cannot read (chmod 600)", file)
			}
			text, err := os.ReadFile(file)
			if value = strings.TrimSpace(string(text)); err != nil || value == "" || strings.ContainsAny(value, "\r\n") {
				return nil, ledger.Invalid("header", "a file with one line after @", file)
			}
		}
		md.Append(strings.ToLower(name), value)
	}
	return md, nil
}

// ask makes one call, with the node's headers, rate and time limit, and again
// three times after faults that may pass. A busy node is given more time.
func ask[Q, A any](ctx context.Context, n *Node, subject string, method func(context.Context, Q, ...grpc.CallOption) (A, error), q Q) (A, error) {
	pause := n.pause
	for try := 0; ; try++ {
		a, err := once(ctx, n, subject, method, q)
		if fault, ok := ledger.FaultOf(err); !ok || !fault.Transient() || try == 3 {
			return a, err
		}
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-time.After(pause):
			pause *= 3
		}
	}
}

func once[Q, A any](ctx context.Context, n *Node, subject string, method func(context.Context, Q, ...grpc.CallOption) (A, error), q Q) (A, error) {
	var none A
	if err := n.limit.Wait(ctx); err != nil {
		if ctx.Err() == nil {
			err = &ledger.SourceError{Fault: ledger.FaultTimeout, Subject: subject, Detail: "the rate limit leaves no time", Err: err}
		}
		return none, err
	}
	bounded, cancel := context.WithTimeout(metadata.NewOutgoingContext(ctx, n.headers), n.o.Timeout)
	defer cancel()
	a, err := method(bounded, q)
	if err == nil {
		return a, nil
	}
	if ctx.Err() != nil {
		return none, ctx.Err()
	}
	return none, &ledger.SourceError{Fault: faultOf(err), Subject: subject, Detail: status.Code(err).String()}
}

// faultOf names the fault of a call. gRPC says in the message alone whether its
// own decoder or its size limit refused an answer.
func faultOf(err error) ledger.Fault {
	s := status.Convert(err)
	switch s.Code() {
	case codes.Unavailable:
		// java-tron says so of what its operator switched off, and of blocks that a lite node lacks.
		if strings.HasPrefix(s.Message(), "this API is ") {
			return ledger.FaultUnsupported
		}
		return ledger.FaultUnreachable
	case codes.DeadlineExceeded, codes.Canceled:
		return ledger.FaultTimeout
	case codes.ResourceExhausted:
		if strings.Contains(s.Message(), "larger than max") {
			return ledger.FaultTooLarge
		}
		return ledger.FaultBusy
	case codes.Unauthenticated, codes.PermissionDenied:
		return ledger.FaultUnauthorized
	case codes.Unimplemented, codes.InvalidArgument:
		return ledger.FaultUnsupported
	case codes.NotFound, codes.OutOfRange:
		return ledger.FaultLagging
	case codes.Internal:
		if strings.Contains(s.Message(), "unmarshal") {
			return ledger.FaultMalformed
		}
	}
	return ledger.FaultServerError
}
