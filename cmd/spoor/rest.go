package main

import (
	"context"
	"fmt"
	"net"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/server"
)

// serveREST answers JSON over HTTP until ctx ends, to the same clients as the
// gRPC listener and under the same certificate; no address, nowhere.
func (a *app) serveREST(ctx context.Context, o *owner, address string, trust server.Trust) error {
	if address == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return ledger.Invalid("--rest", "HOST:PORT", address)
	}
	if trust.TLS == nil && !loopback(host) && !a.insecure {
		return &hintedError{
			ledger.Invalid("--rest", "an address of this machine (127.0.0.1) where there is no TLS", address),
			"give --tls-cert and --tls-key, or allow plaintext with --insecure",
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("rest: %w", err)
	}
	o.follows.Go(func() error { return o.server.ServeREST(ctx, l, trust) })
	a.log.Info("rest", "address", l.Addr().String())
	return nil
}
