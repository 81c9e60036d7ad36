package render

import (
	"encoding/json"
	"io"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// Audit is an audit log that holds, and some of its events.
type Audit struct {
	Events     uint64       `json:"events"`     // in all
	Root       string       `json:"root"`       // of the tree, base64
	Key        string       `json:"key"`        // that signed
	Checkpoint string       `json:"checkpoint"` // signed
	Shown      []AuditEvent `json:"shown"`
}

// AuditEvent is one of them.
type AuditEvent struct {
	Sequence uint64    `json:"sequence"`
	Time     time.Time `json:"time"`
	Tenant   string    `json:"tenant"`
	Key      string    `json:"key"`
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	Method   string    `json:"method"`
	Subject  string    `json:"subject"`
	Outcome  string    `json:"outcome"`
}

// AuditJSON writes it as one object.
func AuditJSON(w io.Writer, a *Audit) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(a)
}

// AuditTable prints it for people.
func AuditTable(w io.Writer, a *Audit, s Style) error {
	p := &paper{w: w}
	p.line("The audit log holds: %s, each chained to the one before it, root %s", plural(int64(a.Events), "event", "events"), Clean(a.Root))
	p.line("signed by %s", Clean(a.Key))
	if len(a.Shown) == 0 {
		return p.err
	}
	p.line("")
	g := &grid{right: []bool{true}}
	g.add("", "time", "tenant", "key", "name", "role", "method", "outcome", "subject")
	for _, e := range a.Shown {
		g.add(strconv.FormatUint(e.Sequence, 10), s.when(timestamppb.New(e.Time)), Clean(e.Tenant), Clean(e.Key), Clean(e.Name), Clean(e.Role),
			Clean(e.Method), Clean(e.Outcome), Clean(e.Subject))
	}
	p.print(g)
	return p.err
}

// AuditCSV writes one row an event.
func AuditCSV(w io.Writer, a *Audit) error {
	s := &records{header: []string{"sequence", "time", "tenant", "key", "name", "role", "method", "subject", "outcome"}}
	for _, e := range a.Shown {
		s.add(strconv.FormatUint(e.Sequence, 10), utc(timestamppb.New(e.Time)), e.Tenant, e.Key, e.Name, e.Role, e.Method, e.Subject, e.Outcome)
	}
	return s.write(w)
}
