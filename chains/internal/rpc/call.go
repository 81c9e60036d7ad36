package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Call is one request of a batch; its Result, a pointer, or its Err is filled in.
type Call struct {
	Method string
	Params []any
	Result any
	Err    error
}

type request struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
}

func (c *Client) request(call *Call) request {
	params := call.Params
	if params == nil {
		params = []any{}
	}
	return request{"2.0", c.ids.Add(1), call.Method, params}
}

// Call asks one thing and decodes the result into a pointer; nil: it is not
// wanted. A JSON null leaves what the pointer points at as it was.
func (c *Client) Call(ctx context.Context, method string, result any, params ...any) error {
	one := &Call{Method: method, Params: params, Result: result}
	return c.retry(ctx, func() (time.Duration, error) {
		r := c.request(one)
		body, err := json.Marshal(r)
		if err != nil {
			return 0, fmt.Errorf("rpc: %s: %w", method, err)
		}
		reply, err := c.post(ctx, method, body, 1)
		if err != nil {
			return 0, err
		}
		a, err := parseAnswer(reply.body)
		switch {
		case reply.status != http.StatusOK && (err != nil || a.err == nil):
			return reply.after, reply.refused(method)
		case err != nil:
			return 0, malformed(method, err)
		}
		return reply.after, a.into(method, r.ID, result)
	})
}

// Batch asks several things at once. The error is one of the whole batch; those
// of single calls stand in them. A node that takes no batches is asked one by
// one, and a batch that is too large for it in halves.
func (c *Client) Batch(ctx context.Context, calls []*Call) error {
	switch {
	case len(calls) == 0:
		return nil
	case len(calls) == 1 || c.single.Load():
		return c.oneByOne(ctx, calls)
	}
	subject := fmt.Sprintf("batch of %d, first %s", len(calls), calls[0].Method)
	err := c.retry(ctx, func() (time.Duration, error) { return c.batch(ctx, subject, calls) })
	if fault, _ := ledger.FaultOf(err); fault == ledger.FaultTooLarge {
		half := len(calls) / 2
		if err := c.Batch(ctx, calls[:half]); err != nil {
			return err
		}
		return c.Batch(ctx, calls[half:])
	}
	if errors.Is(err, errNoBatch) {
		c.single.Store(true)
		return c.oneByOne(ctx, calls)
	}
	return err
}

// errNoBatch: the node answered a batch with one object.
var errNoBatch = errors.New("the node takes no batches")

func (c *Client) oneByOne(ctx context.Context, calls []*Call) error {
	for _, call := range calls {
		if call.Err = c.Call(ctx, call.Method, call.Result, call.Params...); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (c *Client) batch(ctx context.Context, subject string, calls []*Call) (time.Duration, error) {
	requests, byID := make([]request, len(calls)), map[string]int{}
	for i, call := range calls {
		requests[i] = c.request(call)
		byID[fmt.Sprint(requests[i].ID)] = i
	}
	body, err := json.Marshal(requests)
	if err != nil {
		return 0, fmt.Errorf("rpc: %s: %w", subject, err)
	}
	reply, err := c.post(ctx, subject, body, len(calls))
	if err != nil {
		return 0, err
	}
	answers, alone, err := parseAnswers(reply.body, len(calls))
	switch {
	case err == nil && alone && answers[0].err != nil && answers[0].err.fault() == ledger.FaultBusy:
		return reply.after, &ledger.SourceError{Fault: ledger.FaultBusy, Subject: subject, Err: answers[0].err}
	case err == nil && alone && (answers[0].err == nil || reply.status == http.StatusOK || reply.status == http.StatusBadRequest):
		return 0, errNoBatch
	case reply.status != http.StatusOK:
		return reply.after, reply.refused(subject)
	case err != nil:
		return 0, malformed(subject, err)
	}
	return 0, deal(subject, calls, requests, answers, byID)
}

// deal gives each call its answer: every one exactly once. One error in place of
// them all is geth's way of saying that the batch is too large.
func deal(subject string, calls []*Call, requests []request, answers []*answer, byID map[string]int) error {
	if len(answers) == 1 && len(calls) > 1 && answers[0].err != nil {
		if f := answers[0].err.fault(); f == ledger.FaultBusy {
			return &ledger.SourceError{Fault: f, Subject: subject, Err: answers[0].err}
		}
		return &ledger.SourceError{Fault: ledger.FaultTooLarge, Subject: subject, Err: answers[0].err}
	}
	for _, a := range answers {
		i, ok := byID[a.id]
		if !ok {
			return ledger.Untrue(ledger.FaultMismatched, subject, fmt.Sprintf("an answer with id %.40q, which was not asked or stands twice", a.id))
		}
		delete(byID, a.id)
		calls[i].Err = a.into(calls[i].Method, requests[i].ID, calls[i].Result)
	}
	if len(byID) > 0 {
		return ledger.Untrue(ledger.FaultMismatched, subject, fmt.Sprintf("%d of %d answers are missing", len(byID), len(calls)))
	}
	return nil
}

// post sends a body; n is how many calls it counts for.
func (c *Client) post(ctx context.Context, subject string, body []byte, n int) (*reply, error) {
	if err := c.pace(ctx, n); err != nil {
		return nil, err
	}
	reply, err := c.exchange(ctx, subject, http.MethodPost, c.url.String(), body, c.o.MaxBody)
	if err != nil || reply.status != http.StatusUnauthorized || c.o.Cookie == "" {
		return reply, err
	}
	if changed, err := c.readCookie(); err != nil || !changed {
		return reply, nil //nolint:nilerr // the refusal says more
	}
	return c.exchange(ctx, subject, http.MethodPost, c.url.String(), body, c.o.MaxBody)
}

// pace waits for the rate limit, in portions of at most its burst.
func (c *Client) pace(ctx context.Context, n int) error {
	for n > 0 {
		part := min(n, c.limit.Burst())
		if err := c.limit.WaitN(ctx, part); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &ledger.SourceError{Fault: ledger.FaultTimeout, Subject: "rate limit", Err: err}
		}
		n -= part
	}
	return nil
}

// Get reads what a node serves as a file under a path, at most so many bytes; 404 is ledger.FaultUnsupported.
func (c *Client) Get(ctx context.Context, path string, most int64) ([]byte, error) {
	var body []byte
	err := c.retry(ctx, func() (time.Duration, error) {
		if err := c.pace(ctx, 1); err != nil {
			return 0, err
		}
		reply, err := c.exchange(ctx, path, http.MethodGet, c.String()+path, nil, min(most, c.o.MaxBody))
		if err != nil {
			return 0, err
		}
		if reply.status != http.StatusOK {
			return reply.after, reply.refused(path)
		}
		body = reply.body
		return 0, nil
	})
	return body, err
}

const (
	firstWait = 250 * time.Millisecond
	lastWait  = 10 * time.Second
)

// retry repeats what may pass: twice as long a wait each time, of which a random
// part is slept (full jitter), so that clients that failed together do not come
// back together. What the node itself asks for (Retry-After) is waited at least.
func (c *Client) retry(ctx context.Context, try func() (time.Duration, error)) error {
	wait := firstWait
	for n := 0; ; n++ {
		after, err := try()
		fault, named := ledger.FaultOf(err)
		if err == nil || !named || !passes(fault, err) || n >= c.o.Retries {
			return err
		}
		pause := max(after, time.Duration(c.jitter()*float64(wait)))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.wait(pause):
		}
		wait = min(2*wait, lastWait)
	}
}

// passes reports a fault that may be gone at the next try. What a node says in
// so many words it will say again, unless it is that it is busy.
func passes(f ledger.Fault, err error) bool {
	var said *Error
	if errors.As(err, &said) {
		return f == ledger.FaultBusy
	}
	return f.Transient()
}
