package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// Limits of the HTTP listener. What a request may ask is up to the gate; these
// bound what it may cost before the gate has seen it.
const (
	maxHTTP       = 1024        // requests at a time
	maxHTTPClient = 256         // of them from one address
	maxBody       = maxRequest  // bytes of a body that is read as a whole
	bodyTime      = time.Minute // for such a body, or for the next bytes of a stream
	writeTime     = time.Minute // for the client to take the next bytes of an answer
	retrySoon     = "1"         // seconds, when there are too many requests
	contentPolicy = "default-src 'none'; frame-ancestors 'none'"
)

// guard stands before every HTTP request: security headers, no requests from
// pages of other sites, no names that a page of another site may have pointed
// here, and no more requests at a time than there is room for.
type guard struct {
	secure bool // TLS
	named  bool // clients need keys, so that the name of the host tells nothing
	cross  *http.CrossOriginProtection

	mu      sync.Mutex
	running int
	clients map[string]int // address to its running requests; absent: none
}

// streams is how many calls one connection may carry at a time. That of a
// gateway carries those of all its clients, which the guard bounds each.
func (t Trust) streams() uint32 {
	if t.Forwarded {
		return maxHTTP
	}
	return maxStreams
}

func newGuard(trust Trust) *guard {
	return &guard{secure: trust.TLS != nil, named: trust.Keys != nil || trust.TLS != nil, cross: http.NewCrossOriginProtection(), clients: map[string]int{}}
}

// before wraps the gateway.
func (d *guard) before(g *gateway) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.setHeaders(w.Header())
		if err := d.foreign(r); err != nil {
			g.fail(w, http.StatusForbidden, statusOf(codes.PermissionDenied, "FOREIGN_ORIGIN", err.Error()))
			return
		}
		if !printable(r.Header) {
			s := statusOf(codes.Unauthenticated, "API_KEY_INVALID", "a key is of printable ASCII characters")
			g.fail(w, http.StatusUnauthorized, s)
			return
		}
		client := clientOf(r)
		if !d.enter(client) {
			w.Header().Set("Retry-After", retrySoon)
			g.fail(w, http.StatusTooManyRequests, statusOf(codes.ResourceExhausted, "EXCEEDED_RATE_LIMIT", "too many requests at a time"))
			return
		}
		defer d.leave(client)
		a := &answer{ResponseWriter: w, control: http.NewResponseController(w)}
		defer g.recovered(a, r)
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &timedBody{ReadCloser: r.Body, control: a.control}
		}
		g.ServeHTTP(a, r)
	})
}

// keyHeaders are those that a key comes in.
func keyHeaders() []string { return []string{"Authorization", "X-Api-Key", "Token"} }

// printable says whether every key that is shown can be passed on. The gateway
// would leave out one that cannot, and go by another beside it.
func printable(h http.Header) bool {
	for _, name := range keyHeaders() {
		for _, value := range h.Values(name) {
			if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
				return false
			}
		}
	}
	return true
}

func (d *guard) setHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if d.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// foreign is why a request comes from a page of another site; nil: it does not.
// Where nobody needs a key, a browser on this machine would be the way in.
func (d *guard) foreign(r *http.Request) error {
	if err := d.cross.Check(r); err != nil {
		return err
	}
	if d.named {
		return nil
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if _, err := netip.ParseAddr(trimBrackets(host)); err != nil && host != "localhost" && host != "" {
		return fmt.Errorf("without keys and TLS this server is called by its address or localhost, not %.100q", host)
	}
	return nil
}

func trimBrackets(host string) string {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

func (d *guard) enter(client string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running >= maxHTTP || d.clients[client] >= maxHTTPClient {
		return false
	}
	d.running++
	d.clients[client]++
	return true
}

func (d *guard) leave(client string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running--
	if d.clients[client]--; d.clients[client] == 0 {
		delete(d.clients, client)
	}
}

// recovered answers a request that panicked.
func (g *gateway) recovered(a *answer, r *http.Request) {
	panicked := recover()
	if panicked == nil {
		return
	}
	if err, ok := panicked.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(panicked) // net/http's own way to cut a client off
	}
	g.log.Error("panic", "method", r.Method+" "+r.URL.Path, "value", fmt.Sprint(panicked), "stack", string(debug.Stack()))
	if !a.began {
		g.fail(a, http.StatusInternalServerError, statusOf(codes.Internal, "INTERNAL", internalText))
	}
}

// takeBody reads a body as a whole, or answers why not. The time is that of the
// whole body, not of its pieces.
func (g *gateway) takeBody(w http.ResponseWriter, r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody {
		return true
	}
	body := r.Body
	if timed, ok := body.(*timedBody); ok {
		timed.limit(time.Now().Add(bodyTime))
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		g.fail(w, http.StatusRequestEntityTooLarge, statusOf(codes.InvalidArgument, "TOO_LARGE", "a body of more than "+strconv.Itoa(maxBody)+" bytes"))
		return false
	case err != nil:
		g.fail(w, http.StatusBadRequest, statusOf(codes.InvalidArgument, "INVALID_ARGUMENT", "the body did not come as announced, or not in time"))
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	r.ContentLength = int64(len(text))
	return true
}

// timedBody gives a client a minute for its next bytes, or until a time. One
// goroutine reads; another may set the time.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController

	mu    sync.Mutex // guards until, and that the deadline is by it
	until time.Time
}

// limit ends a read that runs, and those to come, at a time. It may not be in the
// past: net/http, which waits for the end of the connection itself once the body
// has been read, would take that for the end.
func (b *timedBody) limit(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until = until
	_ = b.control.SetReadDeadline(until)
}

func (b *timedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	until := b.until
	if until.IsZero() {
		until = time.Now().Add(bodyTime)
	}
	// Where there are no deadlines (a test's recorder) there is no slow client either.
	_ = b.control.SetReadDeadline(until)
	b.mu.Unlock()
	n, err := b.ReadCloser.Read(p)
	b.idle()
	return n, err
}

// idle takes the deadline off, or it would end the request while the answer is being made.
func (b *timedBody) idle() { _ = b.control.SetReadDeadline(time.Time{}) }

// answer gives a client a minute to take the next bytes, and knows what has been
// sent. It also puts an error that ends a stream before its first message into
// the form of other errors: the gateway writes it as a line of the stream.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	began   bool
	failed  bool
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader sends the header.
func (a *answer) WriteHeader(code int) {
	a.failed = code >= http.StatusBadRequest
	a.began = true
	if a.failed {
		a.Header().Del("Transfer-Encoding")
	}
	if code == http.StatusUnauthorized {
		a.Header().Set("WWW-Authenticate", `Bearer realm="spoor"`)
	}
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) Write(p []byte) (int, error) {
	a.began = true
	_ = a.control.SetWriteDeadline(time.Now().Add(writeTime))
	if line, ok := bytes.CutPrefix(p, []byte(`{"error":{`)); ok && a.failed {
		if inner, ok := bytes.CutSuffix(line, []byte("}")); ok {
			_, err := a.ResponseWriter.Write(append([]byte("{"), inner...))
			return len(p), err
		}
	}
	return a.ResponseWriter.Write(p)
}

// Flush sends what was written so far.
func (a *answer) Flush() { _ = a.control.Flush() }
