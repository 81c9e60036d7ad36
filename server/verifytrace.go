package server

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// What a verification came to, as printed.
const (
	traceEqual         = "EQUAL"
	traceDifferent     = "DIFFERENT"
	traceNotComparable = "NOT_COMPARABLE"
)

// maxFields are listed; all are counted.
const maxFields = 100

// VerifyTrace replays a trace at its own pins and lists what comes out otherwise.
func (s *traces) VerifyTrace(ctx context.Context, m *spoorv1.VerifyTraceRequest) (*spoorv1.VerifyTraceResponse, error) {
	was, err := s.given(ctx, m.GetName(), m.GetTrace())
	if err != nil {
		return nil, err
	}
	release, err := s.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	q, err := s.askAgain(ctx, was)
	if why := (*pinError)(nil); errors.As(err, &why) {
		return &spoorv1.VerifyTraceResponse{Verdict: traceNotComparable, Reason: why.why}, nil
	}
	if err != nil {
		return nil, err
	}
	defer q.view.close()
	is, err := s.run(ctx, q, nil)
	if err != nil {
		return nil, err
	}
	d := &differences{answer: &spoorv1.VerifyTraceResponse{Verdict: traceEqual}}
	d.messages("", was.ProtoReflect(), is.ProtoReflect())
	if d.answer.GetFound() > 0 {
		d.answer.Verdict = traceDifferent
	}
	return d.answer, nil
}

// differences compares messages field by field.
type differences struct {
	answer *spoorv1.VerifyTraceResponse
}

// changes reports a field that changes without the trace: what it is called and
// how far it has come, what else is held, what has become final, what a price file says.
func changes(f protoreflect.FieldDescriptor) bool {
	switch f.Name() {
	case "name", "state", "error", "progress", "coverage", "finality", "usd", "usd_source", "lag":
		return true
	}
	return false
}

// messages compares two messages of one kind; one of them may be absent.
func (d *differences) messages(path string, was, is protoreflect.Message) {
	fields := was.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if changes(f) {
			continue
		}
		name := path + string(f.Name())
		switch {
		case f.IsList():
			d.lists(name, f, was.Get(f).List(), is.Get(f).List())
		case f.HasPresence() && !was.Has(f) && !is.Has(f):
			d.answer.Compared++
		case f.HasPresence() && was.Has(f) != is.Has(f):
			d.add(name, text(f, was), text(f, is))
		default:
			d.values(name, f, was.Get(f), is.Get(f))
		}
	}
}

// lists compares what has a partner; the rest counts as one difference each.
func (d *differences) lists(name string, f protoreflect.FieldDescriptor, was, is protoreflect.List) {
	for i := range max(was.Len(), is.Len()) {
		at := fmt.Sprintf("%s[%d]", name, i)
		switch {
		case i >= is.Len():
			d.add(at, short(was.Get(i)), "")
		case i >= was.Len():
			d.add(at, "", short(is.Get(i)))
		default:
			d.values(at, f, was.Get(i), is.Get(i))
		}
	}
}

func (d *differences) values(name string, f protoreflect.FieldDescriptor, was, is protoreflect.Value) {
	if f.Message() != nil && f.Message().FullName() != (*timestamppb.Timestamp)(nil).ProtoReflect().Descriptor().FullName() {
		d.messages(name+".", was.Message(), is.Message())
		return
	}
	d.answer.Compared++
	if !was.Equal(is) {
		d.add(name, short(was), short(is))
	}
}

func (d *differences) add(name, was, is string) {
	if d.answer.Found++; d.answer.GetFound() <= maxFields {
		d.answer.Differences = append(d.answer.Differences, &spoorv1.TraceDifference{Field: name, Was: was, Is: is})
	}
}

func text(f protoreflect.FieldDescriptor, m protoreflect.Message) string {
	if !m.Has(f) {
		return ""
	}
	return short(m.Get(f))
}

// short prints a value for people; a message as what tells it from its like.
func short(v protoreflect.Value) string {
	switch of := v.Interface().(type) {
	case protoreflect.Message:
		switch m := of.Interface().(type) {
		case *timestamppb.Timestamp:
			return m.AsTime().Format("2006-01-02T15:04:05.999Z07:00")
		case *spoorv1.Hop:
			return m.GetKey() + " " + m.GetDirty()
		case *spoorv1.Terminal:
			return m.GetReason() + " " + m.GetAddress() + " " + m.GetDirty()
		}
		return "a " + string(of.Descriptor().Name())
	case string:
		return of
	}
	return v.String()
}
