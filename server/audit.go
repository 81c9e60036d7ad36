package server

import (
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spoortrace/spoor/access"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// audited says whether calls of a method are recorded: all that need more than
// a reader's role, since they change something or read what is a tenant's own,
// but for questions about an address, which come by the thousand a second and
// leave nothing behind.
func audited(method string) bool {
	switch method {
	case spoorv1.ScreeningService_ScreenAddress_FullMethodName, spoorv1.ScreeningService_ScreenAddresses_FullMethodName:
		return false
	}
	return strings.HasPrefix(method, "/spoor.") && requiredRole(method) != spoorv1.Role_ROLE_READER
}

// begun is the outcome of a stream that has just begun.
const begun = "BEGUN"

// audit records what a caller with a key does. Before the work it asks whether
// there is a place to record it, and the answer goes out only after it is
// recorded: if we were to crash between the two, nobody has had an answer.
type audit struct {
	log    *access.Audit // nil: nothing is recorded
	caller Caller
	method string
}

// auditOf records nothing where there are no keys or no log.
func (g *gate) auditOf(caller Caller, method string) audit {
	if g.server.cfg.Audit == nil || caller.KeyID == "" || !audited(method) {
		return audit{}
	}
	return audit{g.server.cfg.Audit, caller, method}
}

func (a audit) ready() error {
	if a.log == nil {
		return nil
	}
	return withheld(a.log.Ready())
}

// subject is the hash of what a request is about; empty: nothing in particular.
func (a audit) subject(request any) string {
	if a.log == nil || request == nil {
		return ""
	}
	return a.log.Subject(subjectOf(request))
}

func (a audit) record(subject, outcome string) error {
	if a.log == nil {
		return nil
	}
	return withheld(a.log.Record(access.Event{
		Tenant: a.caller.Tenant, Key: a.caller.KeyID, Name: a.caller.Name, Role: accessRole(a.caller.Role),
		Method: a.method, Subject: subject, Outcome: outcome,
	}))
}

// end records how a call ended, and returns its answer's error: err, unless it cannot be recorded.
func (a audit) end(subject string, err error) error {
	if failed := a.record(subject, outcomeOf(err)); failed != nil {
		return failed
	}
	return err
}

// outcomeOf is OK, or the code of a status.
func outcomeOf(err error) string { return code.Code(status.Code(err)).String() }

// withheld is the answer where the audit log cannot be written.
func withheld(err error) error {
	if err == nil {
		return nil
	}
	return withDetails(codes.Unavailable, errAudit{err}, info("AUDIT_UNAVAILABLE"), &errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
}

// errAudit says nothing of the disk to clients.
type errAudit struct{ error }

func (errAudit) Error() string {
	return "the audit log cannot be written; what this call may have changed stays, and no answer is given without a record"
}

func (e errAudit) Unwrap() error { return e.error }

// subjectOf is what a request is about: the user, transfer, alert or whatever it
// names, else all of it.
func subjectOf(request any) []byte {
	m, ok := request.(proto.Message)
	if !ok {
		return nil
	}
	fields := m.ProtoReflect().Descriptor().Fields()
	for _, name := range []protoreflect.Name{"user_id", "external_id", "id", "name", "address", "tenant", "file"} {
		f := fields.ByName(name)
		if f == nil || f.Kind() != protoreflect.StringKind || f.IsList() {
			continue
		}
		if text := m.ProtoReflect().Get(f).String(); text != "" {
			return []byte(text)
		}
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil
	}
	return raw
}
