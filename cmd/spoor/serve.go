package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

func (a *app) serveCommand() *cobra.Command {
	var flags ServeConfig
	var noKeys bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the index over gRPC",
		Long: `Serve the index over gRPC until SIGINT or SIGTERM; running calls are given 10 seconds to end.

As soon as the data directory has an API key (spoor key new), nobody is let in without one, and each has the role of its key; a client certificate
that was entered is a key, too. Before that, whoever reaches the listener has the role of --role (reader: look-ups; investigator: traces and single
labels, too; screener: screening, too; admin: everything, which includes reading files of this machine for an ingest). Commands on this machine that name the same --data
work through the socket file in it and may do everything.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd, flags, noKeys) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.Listen, "listen", "", "`HOST:PORT` (default 127.0.0.1:9090)")
	f.StringVar(&flags.REST, "rest", "", "`HOST:PORT` where the same is answered as JSON over HTTP, described at /openapi.json (default nowhere)")
	f.StringVar(&flags.TLSCert, "tls-cert", "", "PEM `FILE` of the certificate")
	f.StringVar(&flags.TLSKey, "tls-key", "", "PEM `FILE` of its key")
	f.StringVar(&flags.Metrics, "metrics", "", "`HOST:PORT` where Prometheus is answered over HTTP, at /metrics (default nowhere)")
	f.StringVar(&flags.Role, "role", "", "what clients may do without keys: reader, investigator, screener or admin (default investigator)")
	f.BoolVar(&noKeys, "no-keys", false, "let clients in without a key although there are keys, with the --role that has to be given")
	return cmd
}

func (a *app) serve(cmd *cobra.Command, flags ServeConfig, noKeys bool) error {
	if a.serverAddr != "" {
		return ledger.Invalid("--server", "no server: this is one", a.serverAddr)
	}
	address := first(flags.Listen, a.config.Serve.Listen, "127.0.0.1:9090")
	trust, err := a.trust(address, flags)
	if err != nil {
		return err
	}
	o, err := openOwner(a.dataDir, a.config, a.log)
	if err != nil {
		return err
	}
	if trust, err = requireKeys(trust, o.keys, flags.Role != "", noKeys); err != nil {
		return errors.Join(err, o.close())
	}
	var lc net.ListenConfig
	l, err := lc.Listen(cmd.Context(), "tcp", address)
	if err != nil {
		return errors.Join(fmt.Errorf("listen: %w", err), o.close())
	}
	o.serve(l, trust)
	a.log.Info("serving", "address", l.Addr().String(), "data", a.dataDir, "tls", trust.TLS != nil, "keys", trust.Keys != nil, "role", roleName(trust.Role))
	if err := a.serveREST(cmd.Context(), o, first(flags.REST, a.config.Serve.REST), trust); err != nil {
		return errors.Join(err, o.close())
	}
	if err := a.serveMetrics(cmd.Context(), o, first(flags.Metrics, a.config.Serve.Metrics)); err != nil {
		return errors.Join(err, o.close())
	}
	if err := o.followAll(cmd.Context(), a.config.Follow); err != nil {
		return errors.Join(err, o.close())
	}
	o.follows.Go(func() error {
		o.server.KeepClusters(cmd.Context())
		return nil
	})
	a.sayWhoLearns()
	o.follows.Go(func() error {
		o.server.KeepAsking(cmd.Context())
		return nil
	})
	<-cmd.Context().Done()
	a.log.Info("stopping")
	return errors.Join(o.follows.Wait(), o.close())
}

// serveMetrics answers Prometheus until ctx ends; no address, nowhere. It has no
// keys, so that it stays on this machine unless that is allowed outright.
func (a *app) serveMetrics(ctx context.Context, o *owner, address string) error {
	if address == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil || !loopback(host) && !a.insecure {
		return ledger.Invalid("--metrics", "HOST:PORT of this machine, or --insecure beside it", address)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", o.server.Metrics())
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	o.follows.Go(func() error {
		<-ctx.Done()
		return s.Close()
	})
	o.follows.Go(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("metrics: %w", err)
		}
		return nil
	})
	a.log.Info("metrics", "address", l.Addr().String())
	return nil
}

// trust settles what the clients of a listener may do, and refuses plaintext
// beyond this machine.
func (a *app) trust(address string, flags ServeConfig) (server.Trust, error) {
	t := server.Trust{Limited: true}
	var err error
	if t.Role, err = role(first(flags.Role, a.config.Serve.Role, "investigator")); err != nil {
		return t, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return t, ledger.Invalid("--listen", "HOST:PORT", address)
	}
	t.Reflect = loopback(host) || t.Role == spoorv1.Role_ROLE_ADMIN
	cert, key := first(flags.TLSCert, a.config.Serve.TLSCert), first(flags.TLSKey, a.config.Serve.TLSKey)
	if cert == "" && key == "" {
		if !loopback(host) && !a.insecure {
			return t, &hintedError{
				ledger.Invalid("--listen", "an address of this machine (127.0.0.1) where there is no TLS", address),
				"give --tls-cert and --tls-key, or allow plaintext with --insecure",
			}
		}
		return t, nil
	}
	t.TLS, err = serverTLS(cert, key)
	return t, err
}

// requireKeys lets nobody in without a key once there is one. That whoever comes
// is to have a role all the same has to be said in two words.
func requireKeys(t server.Trust, keys *access.Store, role, noKeys bool) (server.Trust, error) {
	switch {
	case noKeys && !role:
		return t, ledger.Invalid("--no-keys", "--role beside it, which everybody gets", "no --role")
	case noKeys, len(keys.Keys()) == 0:
		return t, nil
	case role:
		return t, &hintedError{
			ledger.Invalid("--role", "no role where there are keys: each has its own", roleName(t.Role)),
			"leave --role away, or add --no-keys to let everybody in",
		}
	}
	t.Keys, t.Role = keys, spoorv1.Role_ROLE_UNSPECIFIED
	if t.TLS != nil {
		t.TLS.ClientAuth = tls.RequestClientCert // which one is in force, the keys say
	}
	return t, nil
}

func serverTLS(cert, key string) (*tls.Config, error) {
	info, err := os.Stat(key)
	if err != nil {
		return nil, ledger.Invalid("--tls-key", "a readable file", key)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, &hintedError{ledger.Invalid("--tls-key", "a file that others cannot read", fmt.Sprintf("%s with mode %04o", key, info.Mode().Perm())), "chmod 600 " + key}
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, ledger.Invalid("--tls-cert", "a certificate and its key", err.Error())
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}}, nil
}

func role(name string) (spoorv1.Role, error) {
	r, ok := spoorv1.Role_value["ROLE_"+strings.ToUpper(name)]
	if !ok || r == 0 {
		return 0, ledger.Invalid("--role", "reader, investigator, screener or admin", name)
	}
	return spoorv1.Role(r), nil
}

func roleName(r spoorv1.Role) string {
	return strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_"))
}
