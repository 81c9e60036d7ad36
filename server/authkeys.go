package server

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// by is how the key log names who makes a call: its key, else its tenant.
func (c Caller) by() string {
	if c.KeyID != "" {
		return c.KeyID
	}
	return c.Tenant
}

// keyStore refuses where the server was started without one.
func (s *admin) keyStore() (*access.Store, error) {
	if s.keys == nil {
		return nil, fmt.Errorf("this server keeps no keys: %w", ledger.ErrPrecondition)
	}
	return s.keys, nil
}

// CreateKey makes an API key, or enters a client certificate.
func (s *admin) CreateKey(ctx context.Context, m *spoorv1.CreateKeyRequest) (*spoorv1.CreateKeyResponse, error) {
	keys, err := s.keyStore()
	if err != nil {
		return nil, err
	}
	k := access.Key{Tenant: m.GetTenant(), Name: m.GetName(), Role: accessRole(m.GetRole())}
	if m.Expires != nil {
		if err := m.GetExpires().CheckValid(); err != nil {
			return nil, ledger.Invalid("expires", "a time", err.Error())
		}
		k.Expires = m.GetExpires().AsTime()
	}
	by := Principal(ctx).by()
	if m.GetCertificatePem() == "" {
		made, token, err := keys.NewKey(k, by)
		if err != nil {
			return nil, err
		}
		return &spoorv1.CreateKeyResponse{Key: keyMessage(made), Token: token}, nil
	}
	certificate, err := parseCertificate(m.GetCertificatePem(), s.now())
	if err != nil {
		return nil, err
	}
	if k.Expires.IsZero() || k.Expires.After(certificate.NotAfter) {
		k.Expires = certificate.NotAfter
	}
	made, err := keys.NewCertificate(k, sha256.Sum256(certificate.Raw), by)
	if err != nil {
		return nil, err
	}
	return &spoorv1.CreateKeyResponse{Key: keyMessage(made)}, nil
}

// parseCertificate reads one PEM certificate that is in force. What came is not
// repeated: it may be a private key, by mistake.
func parseCertificate(text string, now time.Time) (*x509.Certificate, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, ledger.Invalid("certificate_pem", "one PEM block CERTIFICATE", "something else")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return nil, ledger.Invalid("certificate_pem", "an X.509 certificate", err.Error())
	case now.After(certificate.NotAfter):
		return nil, ledger.Invalid("certificate_pem", "a certificate in force", "one until "+certificate.NotAfter.UTC().Format(time.RFC3339))
	}
	return certificate, nil
}

// ListKeys lists the keys and the tenants.
func (s *admin) ListKeys(_ context.Context, m *spoorv1.ListKeysRequest) (*spoorv1.ListKeysResponse, error) {
	keys, err := s.keyStore()
	if err != nil {
		return nil, err
	}
	answer := &spoorv1.ListKeysResponse{}
	for _, k := range keys.Keys() {
		if m.GetTenant() == "" || k.Tenant == m.GetTenant() {
			answer.Keys = append(answer.Keys, keyMessage(k))
		}
	}
	for _, t := range keys.Tenants() {
		if m.GetTenant() == "" || t.Name == m.GetTenant() {
			answer.Tenants = append(answer.Tenants, tenantMessage(t))
		}
	}
	return answer, nil
}

// RevokeKey ends a key.
func (s *admin) RevokeKey(ctx context.Context, m *spoorv1.RevokeKeyRequest) (*spoorv1.Key, error) {
	keys, err := s.keyStore()
	if err != nil {
		return nil, err
	}
	k, err := keys.Revoke(m.GetId(), Principal(ctx).by())
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, absent("key", m.GetId(), "no such key")
	}
	if err != nil {
		return nil, err
	}
	return keyMessage(k), nil
}

// UpdateTenant makes a tenant, or replaces its settings.
func (s *admin) UpdateTenant(ctx context.Context, m *spoorv1.UpdateTenantRequest) (*spoorv1.Tenant, error) {
	keys, err := s.keyStore()
	if err != nil {
		return nil, err
	}
	t := m.GetTenant()
	err = keys.SetTenant(access.Tenant{
		Name: t.GetName(), Rate: t.GetRate(), Burst: t.GetBurst(), Concurrent: t.GetConcurrent(), Sandbox: t.GetSandbox(), WebhookHosts: t.GetWebhookHosts(),
	}, Principal(ctx).by())
	if err != nil {
		return nil, err
	}
	return t, nil
}

func accessRole(r spoorv1.Role) access.Role {
	return access.Role(strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_")))
}

func keyMessage(k access.Key) *spoorv1.Key {
	return &spoorv1.Key{
		Id: k.ID, Tenant: k.Tenant, Name: k.Name, Role: roleOf(k.Role), Certificate: k.Certificate,
		Created: timestamppb.New(k.Created), Expires: orAbsent(k.Expires), Revoked: orAbsent(k.Revoked),
	}
}

func orAbsent(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func tenantMessage(t access.Tenant) *spoorv1.Tenant {
	return &spoorv1.Tenant{
		Name: t.Name, Rate: t.Rate, Burst: t.Burst, Concurrent: t.Concurrent, Sandbox: t.Sandbox, WebhookHosts: t.WebhookHosts,
	}
}
