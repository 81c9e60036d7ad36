package server

import (
	"context"

	"google.golang.org/grpc"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// LocalTenant is the tenant of whoever reaches a listener without keys.
const LocalTenant = "local"

// Caller is who makes a call.
type Caller struct {
	Tenant string // whose data it works on; LocalTenant without keys
	KeyID  string // id of its key; empty without keys
	Name   string // name of its key, such as "deposit desk"
	Role   spoorv1.Role
	// Sandbox is set for a tenant that only tries things out.
	Sandbox bool
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

// callerStream is a stream whose context knows its caller.
type callerStream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // of one stream
}

func (s *callerStream) Context() context.Context { return s.ctx }

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
