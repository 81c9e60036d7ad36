package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/access"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// keys opens a store whose clock is ahead by what the pointer says.
func keys(t testing.TB, ahead *time.Duration) *access.Store {
	t.Helper()
	s, err := access.Open(t.TempDir(), func() time.Time { return time.Now().Add(*ahead) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// newKey makes a key of the tenant acme.
func newKey(t testing.TB, s *access.Store, role access.Role, expires time.Time) (access.Key, string) {
	t.Helper()
	k, token, err := s.NewKey(access.Key{Tenant: "acme", Name: string(role) + " key", Role: role, Expires: expires}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return k, token
}

// with shows headers in every call of a context.
func with(ctx context.Context, headers ...string) context.Context {
	return metadata.NewOutgoingContext(ctx, metadata.Pairs(headers...))
}

// shown is one way to call without being let in, and what comes of it.
type shown struct {
	name    string
	headers []string
	code    codes.Code
	reason  string
}

// TestKeys calls every method of every service with no key, wrong ones, and
// keys of every role: without a key in force nothing answers, with one only
// what its role holds, and no refusal says what was shown.
func TestKeys(t *testing.T) {
	var ahead time.Duration
	store := keys(t, &ahead)
	_, late := newKey(t, store, access.Admin, time.Now().Add(time.Hour))
	gone, revoked := newKey(t, store, access.Admin, time.Time{})
	_, good := newKey(t, store, access.Admin, time.Time{})
	if _, err := store.Revoke(gone.ID, "test"); err != nil {
		t.Fatal(err)
	}
	ahead = 2 * time.Hour
	if err := store.SetTenant(access.Tenant{Name: "acme", Rate: 1_000_000}, "test"); err != nil {
		t.Fatal(err)
	}
	cfg := quiet(t, newWorld(t))
	cfg.Rate = 1e6
	c := serve(t, cfg, server.Trust{Keys: store, Role: spoorv1.Role_ROLE_ADMIN, Limited: true})
	refusals := []shown{
		{"no key", nil, codes.Unauthenticated, "API_KEY_MISSING"},
		{"an expired key", []string{"x-api-key", late}, codes.Unauthenticated, "API_KEY_EXPIRED"},
		{"a revoked key", []string{"authorization", "Bearer " + revoked}, codes.Unauthenticated, "API_KEY_REVOKED"},
		{"a key of nobody", []string{"token", strings.Replace(good, "spoor_", "spoor_0", 1)[:len(good)]}, codes.Unauthenticated, "API_KEY_INVALID"},
		{"another secret", []string{"x-api-key", good[:len(good)-4] + "0000"}, codes.Unauthenticated, "API_KEY_INVALID"},
		{"another scheme", []string{"authorization", "Basic " + good}, codes.Unauthenticated, "API_KEY_INVALID"},
		{"two keys", []string{"x-api-key", good, "token", good}, codes.Unauthenticated, "API_KEY_INVALID"},
		{"the key's hash", []string{"x-api-key", hashed(good)}, codes.Unauthenticated, "API_KEY_INVALID"},
		{"a certificate that only a gateway may forward", []string{server.ForwardedCertificate, strings.Repeat("0", 64)}, codes.Unauthenticated, "API_KEY_MISSING"},
	}
	for _, m := range methods(t) {
		for _, r := range refusals {
			err := call(with(t.Context(), r.headers...), c, m)
			if status.Code(err) == codes.Unimplemented {
				continue // a service that this server does not have
			}
			refusal{r.code, r.reason, "", ""}.check(t, m.name+" with "+r.name, err)
			if leaks(err, good, late, revoked) {
				t.Errorf("%s with %s: %v", m.name, r.name, err)
			}
		}
	}
	for role, wire := range map[access.Role]spoorv1.Role{
		access.Reader: spoorv1.Role_ROLE_READER, access.Investigator: spoorv1.Role_ROLE_INVESTIGATOR,
		access.Screener: spoorv1.Role_ROLE_SCREENER, access.Admin: spoorv1.Role_ROLE_ADMIN,
	} {
		_, token := newKey(t, store, role, time.Time{})
		for _, m := range methods(t) {
			err := call(with(t.Context(), "x-api-key", token), c, m)
			if refused := status.Code(err) == codes.PermissionDenied; refused != !included(wire, m.role) && status.Code(err) != codes.Unimplemented {
				t.Errorf("%s with a key of a %s: %v", m.name, role, err)
			}
			if leaks(err, token) {
				t.Errorf("%s with a key of a %s: %v", m.name, role, err)
			}
		}
	}
}

func hashed(token string) string {
	sum := sha256.Sum256([]byte(token[len(token)-64:]))
	return token[:len(token)-64] + hex.EncodeToString(sum[:])
}

// leaks says whether an error, its details included, has the secret of a token in it.
func leaks(err error, tokens ...string) bool {
	b, _ := proto.Marshal(status.Convert(err).Proto())
	for _, token := range tokens {
		if strings.Contains(string(b), token[len(token)-64:]) || strings.Contains(string(b), token[len(token)-64:len(token)-4]) {
			return true
		}
	}
	return false
}

// TestOpenServices: health answers without a key; the list of services only an admin gets.
func TestOpenServices(t *testing.T) {
	store := keys(t, new(time.Duration))
	_, reader := newKey(t, store, access.Reader, time.Time{})
	_, admin := newKey(t, store, access.Admin, time.Time{})
	c := serve(t, quiet(t, newWorld(t)), server.Trust{Keys: store, Reflect: true})
	if _, err := healthpb.NewHealthClient(c.conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("health: %v", err)
	}
	list := func(headers ...string) error {
		ctx, cancel := context.WithCancel(with(t.Context(), headers...))
		defer cancel()
		s, err := reflectionpb.NewServerReflectionClient(c.conn).ServerReflectionInfo(ctx)
		if err != nil {
			return err
		}
		// Where the server has refused already, Send only says that it ended.
		if err := s.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		_, err = s.Recv()
		return err
	}
	if code := status.Code(list()); code != codes.Unauthenticated {
		t.Errorf("reflection without a key: %v", code)
	}
	if code := status.Code(list("x-api-key", reader)); code != codes.PermissionDenied {
		t.Errorf("reflection for a reader: %v", code)
	}
	if err := list("x-api-key", admin); err != nil {
		t.Errorf("reflection for an admin: %v", err)
	}
}

// TestForwarded: behind a gateway the client is who the gateway says.
func TestForwarded(t *testing.T) {
	store := keys(t, new(time.Duration))
	print := sha256.Sum256([]byte("certificate"))
	if _, err := store.NewCertificate(access.Key{Tenant: "acme", Name: "gateway", Role: access.Reader}, print, "test"); err != nil {
		t.Fatal(err)
	}
	cfg := quiet(t, newWorld(t))
	cfg.Rate = 0.001 // one attempt for each client
	c := serve(t, cfg, server.Trust{Keys: store, Forwarded: true})
	ask := func(headers ...string) error {
		_, err := c.IndexStatus(with(t.Context(), headers...), &spoorv1.IndexStatusRequest{})
		return err
	}
	if err := ask(server.ForwardedCertificate, hex.EncodeToString(print[:])); err != nil {
		t.Errorf("a certificate: %v", err)
	}
	for _, client := range []string{"192.0.2.1", "192.0.2.2"} {
		if code := status.Code(ask(server.ForwardedPeer, client)); code != codes.Unauthenticated {
			t.Errorf("the first attempt of %s: %v", client, code)
		}
	}
	refusal{codes.ResourceExhausted, "EXCEEDED_RATE_LIMIT", "", "requests a second"}.check(t, "the second attempt", ask(server.ForwardedPeer, "192.0.2.1"))
	if err := ask(server.ForwardedPeer, "192.0.2.1", server.ForwardedCertificate, hex.EncodeToString(print[:])); err != nil {
		t.Errorf("with a key after it: %v", err)
	}
}

// TestNoSecretIsLogged sends a key everywhere a client could put it by mistake,
// and looks for it in logs, metrics and answers.
func TestNoSecretIsLogged(t *testing.T) {
	var log safeLog
	store := keys(t, new(time.Duration))
	_, token := newKey(t, store, access.Admin, time.Time{})
	cfg := quiet(t, newWorld(t))
	cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Store = nil // every look-up is a bug, which is logged with its stack
	c := serve(t, cfg, server.Trust{Keys: store})
	for _, headers := range [][]string{{"x-api-key", token}, {"authorization", "Bearer " + token}, {"token", token + "x"}, {"authorization", token}, {"x-request-id", token}} {
		for _, m := range methods(t) {
			if err := call(with(t.Context(), headers...), c, m); leaks(err, token) {
				t.Errorf("%s with %s: %v", m.name, headers[0], err)
			}
		}
		_, err := c.LookupTransaction(with(t.Context(), headers...), &spoorv1.LookupTransactionRequest{Ref: ref("tron", "v1", "")})
		if err == nil || leaks(err, token) {
			t.Errorf("a look-up with %s: %v", headers[0], err)
		}
	}
	page := httptest.NewRecorder()
	c.server.Metrics().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	for where, text := range map[string]string{"log": log.String(), "metrics": page.Body.String()} {
		if text == "" || strings.Contains(text, token[len(token)-64:]) {
			t.Errorf("the %s is empty or holds the secret:\n%s", where, text)
		}
	}
}

// TestTenantRate: a tenant pays for its calls, whatever key it uses, and another does not.
func TestTenantRate(t *testing.T) {
	store := keys(t, new(time.Duration))
	_, first := newKey(t, store, access.Reader, time.Time{})
	_, second := newKey(t, store, access.Admin, time.Time{})
	_, other, err := store.NewKey(access.Key{Tenant: "bank", Name: "b", Role: access.Reader}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.SetTenant(access.Tenant{Name: "acme", Rate: 1, Burst: 3}, "test"); err != nil {
		t.Fatal(err)
	}
	c := serve(t, quiet(t, newWorld(t)), server.Trust{Keys: store})
	var header metadata.MD
	ask := func(token string) error {
		_, err := c.IndexStatus(with(t.Context(), "x-api-key", token), &spoorv1.IndexStatusRequest{}, grpc.Header(&header))
		return err
	}
	for i, token := range []string{first, second, first} {
		if err := ask(token); err != nil || header.Get("x-ratelimit-limit")[0] != "3" || header.Get("x-ratelimit-remaining")[0] != string('2'-rune(i)) {
			t.Errorf("call %d: %v, header %v", i, err, header)
		}
	}
	refusal{codes.ResourceExhausted, "EXCEEDED_RATE_LIMIT", "", "more than 1 requests a second"}.check(t, "the fourth", ask(second))
	if len(header.Get("retry-after")) != 1 {
		t.Errorf("header %v", header)
	}
	if err := ask(other); err != nil {
		t.Errorf("another tenant: %v", err)
	}
}
