package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/spoortrace/spoor/access"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// LocalTenant is the tenant of whoever reaches a listener without keys.
const LocalTenant = access.LocalTenant

// Caller is who makes a call.
type Caller struct {
	Tenant string // whose data it works on; LocalTenant without keys
	KeyID  string // id of its key; empty without keys
	Name   string // name of its key, such as "deposit desk"
	Role   spoorv1.Role
	// Sandbox is set for a tenant that only tries things out.
	Sandbox bool
	local   bool // in this process or at the socket file
}

// callerKey is where a context keeps its Caller.
type callerKey struct{}

// Principal returns who makes the call that ctx is of. A context that passed no
// gate has a caller with no role and no tenant, who may do nothing.
func Principal(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

func withCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// holds says whether a role may do what needs another. Roles are no ladder:
// a screener and an investigator each read, and neither is the other.
func holds(have, need spoorv1.Role) bool {
	switch {
	case have == spoorv1.Role_ROLE_UNSPECIFIED, need == spoorv1.Role_ROLE_UNSPECIFIED:
		return false
	case have == spoorv1.Role_ROLE_ADMIN, have == need:
		return true
	}
	return need == spoorv1.Role_ROLE_READER
}

// Headers that a gateway in front of a Forwarded listener sets, and must not
// pass on from its own clients.
const (
	ForwardedPeer        = "x-spoor-peer"        // address of the client, without its port
	ForwardedCertificate = "x-spoor-certificate" // SHA-256 of its certificate (DER), hex
)

// open are the services that answer without a key: whoever balances loads asks
// whether the server is up before anything else.
const open = "/grpc.health.v1.Health/"

// admit denies by default: without a key where keys are needed, without the
// role, and a method of ours without a required_role to everyone.
func (g *gate) admit(ctx context.Context, method string) (*call, error) {
	c := &call{ctx: ctx, meter: g.server.meter}
	if g.trust.Keys != nil || g.trust.Limited {
		c.payer, c.fixed = "client "+g.client(ctx), g.server.clientLimits
	}
	caller := Caller{Tenant: LocalTenant, Role: g.trust.Role, local: g.trust.local}
	if g.trust.Keys != nil {
		caller = Caller{}
		if !strings.HasPrefix(method, open) {
			var err error
			if caller, err = g.authenticate(ctx, c, method); err != nil {
				return nil, err
			}
		}
	}
	if need := g.needs(method); need != spoorv1.Role_ROLE_UNSPECIFIED || strings.HasPrefix(method, "/spoor.") {
		if !holds(caller.Role, need) {
			return nil, g.deny(c, caller, method, need)
		}
	}
	c.ctx, c.audit = context.WithValue(withCaller(ctx, caller), callKey{}, c), g.auditOf(caller, method)
	return c, c.enter()
}

// needs is the role for a method. Where keys are needed, only an admin may have
// the services listed (reflection).
func (g *gate) needs(method string) spoorv1.Role {
	if strings.HasPrefix(method, "/spoor.") {
		return requiredRole(method)
	}
	if g.trust.Keys != nil && !strings.HasPrefix(method, open) {
		return spoorv1.Role_ROLE_ADMIN
	}
	return spoorv1.Role_ROLE_UNSPECIFIED
}

// deny answers to a call without the role for it. It is paid for and recorded as any other.
func (g *gate) deny(c *call, caller Caller, method string, need spoorv1.Role) error {
	if err := c.spend(); err != nil {
		return err
	}
	who := "this listener grants"
	if caller.KeyID != "" {
		who = "the key " + caller.KeyID + " has"
	}
	err := withDetails(codes.PermissionDenied, fmt.Errorf("%s needs the role %s; %s %s", method, need, who, caller.Role), info("PERMISSION_DENIED"))
	return g.auditOf(caller, method).end("", err)
}

// authenticate says whose key it is, and makes its tenant pay for the call. An
// attempt that fails is paid by the client's address, so that nobody can try
// keys at will.
func (g *gate) authenticate(ctx context.Context, c *call, method string) (Caller, error) {
	key, tenant, err := g.identify(ctx)
	if err != nil {
		if _, spent := c.meter.Spend(c.payer, c.fixed); spent != nil {
			return Caller{}, c.refuse(spent)
		}
		return Caller{}, g.auditOf(callerOf(key, tenant), method).end("", unauthenticated(err)) // known: it has expired or was revoked
	}
	c.payer, c.keys, c.key = "tenant "+tenant.Name, g.trust.Keys, key.ID
	return callerOf(key, tenant), nil
}

func callerOf(key access.Key, tenant access.Tenant) Caller {
	return Caller{Tenant: tenant.Name, KeyID: key.ID, Name: key.Name, Role: roleOf(key.Role), Sandbox: tenant.Sandbox}
}

// errNoKey is a call without any key where one is needed.
var errNoKey = errors.New(`no API key: send one as "authorization: Bearer KEY", as "x-api-key: KEY", or a client certificate that has one`)

// identify takes the key of a call from its headers, else from the certificate
// of its connection. Two keys in one call are none.
func (g *gate) identify(ctx context.Context) (access.Key, access.Tenant, error) {
	headers, _ := metadata.FromIncomingContext(ctx)
	shown := append(append([]string{}, headers.Get("x-api-key")...), headers.Get("token")...)
	for _, text := range headers.Get("authorization") {
		scheme, token, _ := strings.Cut(text, " ")
		if !strings.EqualFold(scheme, "bearer") {
			token = ""
		}
		shown = append(shown, token)
	}
	switch len(shown) {
	case 1:
		return g.trust.Keys.Authenticate(shown[0])
	case 0:
		if fingerprint, ok := g.certificate(ctx, headers); ok {
			return g.trust.Keys.AuthenticateCertificate(fingerprint)
		}
		return access.Key{}, access.Tenant{}, errNoKey
	}
	return access.Key{}, access.Tenant{}, access.ErrUnknownKey
}

// certificate is the fingerprint of the client's certificate. TLS has seen to it
// that the client holds its private key; who issued it does not matter, since
// the very certificate was entered.
func (g *gate) certificate(ctx context.Context, headers metadata.MD) (fingerprint [sha256.Size]byte, ok bool) {
	if g.trust.Forwarded {
		text := headers.Get(ForwardedCertificate)
		if len(text) != 1 || len(text[0]) != hex.EncodedLen(len(fingerprint)) {
			return fingerprint, false
		}
		_, err := hex.Decode(fingerprint[:], []byte(text[0]))
		return fingerprint, err == nil
	}
	p, _ := peer.FromContext(ctx)
	if p == nil {
		return fingerprint, false
	}
	secured, is := p.AuthInfo.(credentials.TLSInfo)
	if !is || len(secured.State.PeerCertificates) == 0 {
		return fingerprint, false
	}
	return sha256.Sum256(secured.State.PeerCertificates[0].Raw), true
}

// unauthenticated is the answer to a call without a key that is in force. It
// says nothing of what was shown.
func unauthenticated(err error) error {
	reason := "API_KEY_INVALID"
	switch {
	case errors.Is(err, errNoKey):
		reason = "API_KEY_MISSING"
	case errors.Is(err, access.ErrExpiredKey):
		reason = "API_KEY_EXPIRED"
	case errors.Is(err, access.ErrRevokedKey):
		reason = "API_KEY_REVOKED"
	}
	return withDetails(codes.Unauthenticated, err, info(reason))
}

// roleOf is the wire's name of a key's role.
func roleOf(r access.Role) spoorv1.Role {
	return spoorv1.Role(spoorv1.Role_value["ROLE_"+strings.ToUpper(string(r))])
}

// client is the address of the client, without its port.
func (g *gate) client(ctx context.Context) string {
	if g.trust.Forwarded {
		if headers := metadata.ValueFromIncomingContext(ctx, ForwardedPeer); len(headers) == 1 {
			return headers[0]
		}
	}
	p, ok := peer.FromContext(ctx)
	if !ok {
		return "unknown"
	}
	if host, _, err := net.SplitHostPort(p.Addr.String()); err == nil {
		return host
	}
	return p.Addr.String()
}
