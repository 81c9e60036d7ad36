package rpc

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// reply is what came back: any status, the body whole and bounded.
type reply struct {
	status int
	after  time.Duration // Retry-After
	body   []byte
}

// progressBytes must arrive within each Timeout: a slower answer is none.
const progressBytes = 64 << 10

// exchange sends one request and reads the whole answer.
func (c *Client) exchange(ctx context.Context, subject, method, address string, body []byte, most int64) (*reply, error) {
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(c.o.Timeout, cancel)
	defer late.Stop()
	fail := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return c.broken(subject, own.Err() != nil, err)
	}
	req, err := http.NewRequestWithContext(own, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, ledger.Untrue(ledger.FaultMalformed, subject, "no request could be made")
	}
	c.dress(req)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fail(err)
	}
	defer resp.Body.Close()
	r := &reply{status: resp.StatusCode, after: retryAfter(resp.Header.Get("Retry-After"))}
	in := io.Reader(&paced{in: resp.Body, late: late, timeout: c.o.Timeout})
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if in, err = gzip.NewReader(in); errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fail(err)
		}
	}
	if r.status != http.StatusOK {
		most = min(most, 1<<20)
	}
	r.body, err = io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, fail(err)
	}
	if int64(len(r.body)) > most {
		return nil, ledger.Untrue(ledger.FaultTooLarge, subject, fmt.Sprintf("want at most %d bytes", most))
	}
	return r, nil
}

// dress adds headers and who asks.
func (c *Client) dress(req *http.Request) {
	req.Header.Set("Accept-Encoding", "gzip")
	if req.Method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range c.headers {
		req.Header[name] = values
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.user != "" || c.password != "" {
		req.SetBasicAuth(c.user, c.password)
	}
}

// paced puts the time-out off with every progressBytes that arrive.
type paced struct {
	in      io.Reader
	late    *time.Timer
	timeout time.Duration
	since   int
}

func (p *paced) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	if p.since += n; p.since >= progressBytes {
		p.since = 0
		p.late.Reset(p.timeout)
	}
	return n, err
}

// broken names what ended an exchange. The error of net/http holds the URL, and
// with it perhaps a key: only its cause is kept.
func (c *Client) broken(subject string, late bool, err error) error {
	var sent *url.Error
	if errors.As(err, &sent) {
		err = sent.Err
	}
	fault := ledger.FaultUnreachable
	var timeout net.Error
	var corrupt flate.CorruptInputError
	switch {
	case late, errors.As(err, &timeout) && timeout.Timeout():
		return &ledger.SourceError{Fault: ledger.FaultTimeout, Subject: subject, Detail: fmt.Sprintf("%s gave nothing, or too little, in %s", c, c.o.Timeout)}
	case errors.Is(err, io.ErrUnexpectedEOF):
		fault = ledger.FaultTruncated
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		fault = ledger.FaultMalformed
	}
	return &ledger.SourceError{Fault: fault, Subject: subject, Detail: c.String(), Err: err}
}

// retryAfter reads seconds; dates are for browsers, and no node sends them.
func retryAfter(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 3600)) * time.Second
}

// refused names what a status other than 200 says, where the body says no more.
func (r *reply) refused(subject string) error {
	fault := ledger.FaultUnsupported
	switch {
	case r.status == http.StatusTooManyRequests, r.status == http.StatusServiceUnavailable:
		fault = ledger.FaultBusy
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden:
		fault = ledger.FaultUnauthorized
	case r.status == http.StatusRequestEntityTooLarge:
		fault = ledger.FaultTooLarge
	case r.status >= 500:
		fault = ledger.FaultServerError
	case r.status >= 300 && r.status < 400:
		fault = ledger.FaultRedirected
	}
	return &ledger.SourceError{Fault: fault, Subject: subject, Detail: "HTTP " + strconv.Itoa(r.status)}
}
