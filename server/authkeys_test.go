package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/access"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// TestKeyLife makes a key with a key, uses it, lists it and revokes it.
func TestKeyLife(t *testing.T) {
	store := keys(t, new(time.Duration))
	root, token := newKey(t, store, access.Admin, time.Time{})
	cfg := quiet(t, newWorld(t))
	cfg.Keys = store
	c := serve(t, cfg, server.Trust{Keys: store})
	admin := with(t.Context(), "authorization", "Bearer "+token)
	expires := timestamppb.New(time.Now().Add(time.Hour).Truncate(time.Millisecond))
	made, err := c.CreateKey(admin, &spoorv1.CreateKeyRequest{Tenant: "bank", Role: spoorv1.Role_ROLE_READER, Name: "desk", Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	if k := made.GetKey(); k.GetTenant() != "bank" || k.GetRole() != spoorv1.Role_ROLE_READER || !k.GetExpires().AsTime().Equal(expires.AsTime()) {
		t.Errorf("made %v", k)
	}
	reader := with(t.Context(), "authorization", "bearer "+made.GetToken())
	if _, err := c.IndexStatus(reader, &spoorv1.IndexStatusRequest{}); err != nil {
		t.Errorf("the key that was made: %v", err)
	}
	if _, err := c.UpdateTenant(admin, &spoorv1.UpdateTenantRequest{Tenant: &spoorv1.Tenant{Name: "bank", Rate: 9, WebhookHosts: []string{"hooks.bank.example"}}}); err != nil {
		t.Error(err)
	}
	list, err := c.ListKeys(admin, &spoorv1.ListKeysRequest{Tenant: "bank"})
	if err != nil || len(list.GetKeys()) != 1 || list.GetKeys()[0].GetId() != made.GetKey().GetId() || list.GetTenants()[0].GetRate() != 9 || leaks(err, made.GetToken()) {
		t.Errorf("%v, %v", list, err)
	}
	revoked, err := c.RevokeKey(admin, &spoorv1.RevokeKeyRequest{Id: made.GetKey().GetId()})
	if err != nil || revoked.GetRevoked() == nil {
		t.Errorf("%v, %v", revoked, err)
	}
	_, err = c.IndexStatus(reader, &spoorv1.IndexStatusRequest{})
	refusal{codes.Unauthenticated, "API_KEY_REVOKED", "", "revoked"}.check(t, "a revoked key", err)
	_, err = c.RevokeKey(admin, &spoorv1.RevokeKeyRequest{Id: made.GetKey().GetId()})
	refusal{codes.FailedPrecondition, "FAILED_PRECONDITION", "", "was revoked at"}.check(t, "revoked twice", err)
	_, err = c.RevokeKey(admin, &spoorv1.RevokeKeyRequest{Id: "0123456789abcdef"})
	refusal{codes.NotFound, "NOT_FOUND", "", "no such key"}.check(t, "a key of nobody", err)
	if list, err = c.ListKeys(admin, &spoorv1.ListKeysRequest{}); err != nil || list.GetKeys()[0].GetId() != root.ID {
		t.Errorf("%v, %v", list, err)
	}
}

func TestBadKeyRequests(t *testing.T) {
	cfg := quiet(t, newWorld(t))
	cfg.Keys = keys(t, new(time.Duration))
	c := serve(t, cfg, server.LocalTrust())
	good := func() *spoorv1.CreateKeyRequest {
		return &spoorv1.CreateKeyRequest{Tenant: "acme", Role: spoorv1.Role_ROLE_READER, Name: "x"}
	}
	for _, b := range []struct {
		field, text string
		spoil       func(*spoorv1.CreateKeyRequest)
	}{
		{"tenant", "match regex", func(m *spoorv1.CreateKeyRequest) { m.Tenant = "../x" }},
		{"tenant", "without a key", func(m *spoorv1.CreateKeyRequest) { m.Tenant = "local" }},
		{"role", "", func(m *spoorv1.CreateKeyRequest) { m.Role = 0 }},
		{"role", "", func(m *spoorv1.CreateKeyRequest) { m.Role = 99 }},
		{"name", "", func(m *spoorv1.CreateKeyRequest) { m.Name = "" }},
		{"name", "printable", func(m *spoorv1.CreateKeyRequest) { m.Name = "a\x00b" }},
		{"expires", "to come", func(m *spoorv1.CreateKeyRequest) { m.Expires = timestamppb.New(time.Unix(1, 0)) }},
		{"certificate_pem", "PEM block", func(m *spoorv1.CreateKeyRequest) { m.CertificatePem = "-----BEGIN PRIVATE KEY-----" }},
	} {
		m := good()
		b.spoil(m)
		_, err := c.CreateKey(t.Context(), m)
		refusal{invalid, wrong, b.field, b.text}.check(t, b.field, err)
	}
	none := local(t, newWorld(t))
	_, err := none.CreateKey(t.Context(), good())
	refusal{codes.FailedPrecondition, "FAILED_PRECONDITION", "", "keeps no keys"}.check(t, "a server without keys", err)
}

// certificate makes a certificate that signs itself, for TLS on this machine.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"here"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}
}

// TestClientCertificate: the certificate that was entered is a key, another is none.
func TestClientCertificate(t *testing.T) {
	store := keys(t, new(time.Duration))
	cfg := quiet(t, newWorld(t))
	cfg.Keys = store
	here, known, stranger := certificate(t), certificate(t), certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	local := serve(t, cfg, server.LocalTrust())
	entered, err := local.CreateKey(t.Context(), &spoorv1.CreateKeyRequest{
		Tenant: "acme", Role: spoorv1.Role_ROLE_READER, Name: "desk",
		CertificatePem: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: known.Certificate[0]})),
	})
	if err != nil || entered.GetToken() != "" || !entered.GetKey().GetExpires().AsTime().Equal(known.Leaf.NotAfter) {
		t.Fatalf("%v, %v", entered, err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- local.server.Serve(l, server.Trust{
			Keys: store, TLS: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{here}, ClientAuth: tls.RequestClientCert},
		})
	}()
	roots := x509.NewCertPool()
	roots.AddCert(here.Leaf)
	ask := func(certificates ...tls.Certificate) error {
		t.Helper()
		creds := credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: "here", Certificates: certificates})
		conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(creds))
		if err != nil {
			t.Fatal(err)
		}
		_, err = spoorv1.NewAdminServiceClient(conn).IndexStatus(t.Context(), &spoorv1.IndexStatusRequest{})
		if closed := conn.Close(); closed != nil {
			t.Error(closed)
		}
		return err
	}
	if err := ask(known); err != nil {
		t.Errorf("the certificate: %v", err)
	}
	refusal{codes.Unauthenticated, "API_KEY_INVALID", "", ""}.check(t, "another", ask(stranger))
	refusal{codes.Unauthenticated, "API_KEY_MISSING", "", ""}.check(t, "none", ask())
	if _, err := local.RevokeKey(t.Context(), &spoorv1.RevokeKeyRequest{Id: entered.GetKey().GetId()}); err != nil {
		t.Fatal(err)
	}
	if err := ask(known); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a revoked certificate: %v", err)
	}
	local.server.Stop(t.Context())
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
