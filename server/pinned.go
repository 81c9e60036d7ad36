package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// pinError says why the pins of a trace are not to be had.
type pinError struct{ why string }

func (e *pinError) Error() string { return "the pins of the trace are not to be had: " + e.why }

// Is makes it a precondition.
func (e *pinError) Is(target error) bool { return target == ledger.ErrPrecondition }

func unpinned(format string, args ...any) error { return &pinError{fmt.Sprintf(format, args...)} }

// given is a finished trace, by its name or whole.
func (s *traces) given(ctx context.Context, name string, trace *spoorv1.Trace) (*spoorv1.Trace, error) {
	if (name == "") == (trace == nil) {
		return nil, ledger.Invalid("trace", "a trace, or the name of one", "")
	}
	if name != "" {
		var err error
		if trace, err = s.jobs.get(ctx, name); err != nil {
			return nil, err
		}
		if trace.GetState() != stateDone {
			return nil, fmt.Errorf("%s is %s: %w", name, trace.GetState(), ledger.ErrPrecondition)
		}
	}
	if trace.GetRequest() == nil || len(trace.GetAsOf()) == 0 || trace.GetPins() == nil {
		return nil, ledger.Invalid("trace", "a finished trace with its request, as_of and pins", "")
	}
	return trace, nil
}

// askAgain resolves the request of a trace on what it was answered from: the
// networks cut at its as-of, the labels up to its sequence, the rules of its
// version. A pinError says which of them is not to be had.
func (s *traces) askAgain(ctx context.Context, t *spoorv1.Trace) (*question, error) {
	if v := t.GetPins().GetRuleVersion(); v != ruleVersion {
		return nil, unpinned("it follows the rules of version %q, this program those of %s", v, ruleVersion)
	}
	v, err := s.data.viewAt(ctx, t)
	if err != nil {
		return nil, err
	}
	return s.askOn(ctx, v, t.GetRequest())
}

// viewAt is the index as a trace saw it.
func (d *data) viewAt(ctx context.Context, t *spoorv1.Trace) (*view, error) {
	cut := map[ledger.Chain]uint64{}
	for _, m := range t.GetAsOf() {
		c, err := ledger.ParseChain(m.GetNetwork())
		if err != nil {
			return nil, renamed(err, "trace.as_of")
		}
		cut[c] = uint64(max(m.GetTime().AsTime().UnixMilli(), 0)) // of an export
		if m.Height != nil {
			cut[c] = uint64(m.GetHeight())
		}
	}
	sequence := t.GetPins().GetLabelSequence()
	tags, err := d.labels.ViewOf(sequence, Principal(ctx).Tenant)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, unpinned("its labels go up to sequence %d, the log here to %d", sequence, d.labels.Sequence())
	}
	if err != nil {
		return nil, err
	}
	if tags.Sequence() != sequence {
		return nil, unpinned("it was made without labels, and the log here has some")
	}
	snap, err := d.store.Snapshot(ctx, cut)
	if err != nil {
		return nil, err
	}
	v := &view{Snapshot: snap, tags: tags, data: d}
	if err := v.sees(ctx, t.GetAsOf()); err != nil {
		v.close()
		return nil, err
	}
	return v, nil
}

// sees reports whether the view ends, in each network, with the block that a trace ended with.
func (v *view) sees(ctx context.Context, all []*spoorv1.AsOf) error {
	for _, was := range all {
		head, err := v.AsOf(ctx, ledger.Chain(was.GetNetwork()))
		if errors.Is(err, ledger.ErrNotFound) {
			return unpinned("nothing of %s is held up to its as-of", was.GetNetwork())
		}
		if err != nil {
			return err
		}
		is := v.asOfMessage(head)
		switch {
		case (is.Height == nil) != (was.Height == nil):
			return unpinned("%s is held as blocks in one of the two and as exports in the other", was.GetNetwork())
		case is.Height == nil && is.GetBlockHash() != was.GetBlockHash():
			return unpinned("the export of %s is of another set of files", was.GetNetwork())
		case is.GetHeight() != was.GetHeight():
			return unpinned("%s is held up to block %d, not %d", was.GetNetwork(), is.GetHeight(), was.GetHeight())
		case is.GetBlockHash() != was.GetBlockHash():
			return unpinned("block %d of %s is %s, not %s", was.GetHeight(), was.GetNetwork(), is.GetBlockHash(), was.GetBlockHash())
		}
	}
	return nil
}
