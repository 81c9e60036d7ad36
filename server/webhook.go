package server

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
)

// Webhook is where a tenant's alert events are sent: one after the other, in their
// order, each until it is taken or 24 hours old. Where one was given up, the tenant
// reads it again with WatchAlerts from a cursor.
type Webhook struct {
	Tenant string
	URL    string
	Secret []byte // signs what is sent
}

// How an event is sent (judgment).
const (
	hookTimeout  = 10 * time.Second
	hookFirst    = time.Second // before the second try; twice as long each time
	hookMost     = 15 * time.Minute
	hookGiveUp   = 24 * time.Hour
	hookSigned   = "X-Spoor-Signature"
	hookEvent    = "X-Spoor-Event-Id"
	hookMaxReply = 1 << 16
)

// outlet is somebody outside who is told of a tenant's alert events.
type outlet interface {
	// whose is the tenant whose events they are.
	whose() string
	// kind is webhook, mail or exec, as watches name it.
	kind() string
	// name tells it from others of its tenant; what was delivered is kept under it.
	name() string
	// all reports that it is told of every event; else of those whose watch says so.
	all() bool
	// tell delivers one event.
	tell(ctx context.Context, m *spoorv1.AlertEvent, body []byte) error
}

// sender delivers events to one outlet. What it has delivered is kept, so that
// a restart goes on after it; an event that was taken just before a crash may come
// twice, under the same id.
type sender struct {
	*screenService
	to    outlet
	first time.Duration // before the second try
}

// hook is the outlet of a Webhook.
type hook struct {
	Webhook
	client *http.Client
	now    func() time.Time
}

func newHook(w Webhook, now func() time.Time) *hook {
	return &hook{w, &http.Client{Timeout: hookTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // only the host that was configured is told
	}}, now}
}

func (h *hook) whose() string { return h.Tenant }
func (h *hook) kind() string  { return "webhook" }
func (h *hook) name() string  { return h.URL }
func (h *hook) all() bool     { return true }

// run sends until its context ends.
func (h *sender) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := h.drain(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn(h.to.kind(), "tenant", h.to.whose(), "error", err)
			pause(ctx, h.first)
		}
	}
}

// drain sends what is waiting, then waits for more.
func (h *sender) drain(ctx context.Context) error {
	cursor, err := h.store.Delivered(h.to.whose(), h.to.name())
	if err != nil {
		return err
	}
	events, more, err := h.store.Events(ctx, h.to.whose(), cursor, eventPage)
	if err != nil {
		return err
	}
	// What is on its way when the server stops may arrive, and is then not sent again.
	lasting, done := outlasting(ctx, hookGrace)
	defer done()
	for i := range events {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if h.to.all() || slices.Contains(events[i].Alert.Notify, h.to.kind()) {
			if err := h.send(ctx, lasting, &events[i]); err != nil {
				return err
			}
		}
		if err := h.store.SetDelivered(lasting, h.to.whose(), h.to.name(), events[i].Number); err != nil {
			return err
		}
	}
	if len(events) > 0 {
		return nil
	}
	select {
	case <-more:
	case <-ctx.Done():
	}
	return nil
}

// send tries one event until it is taken, or too old.
func (h *sender) send(ctx, lasting context.Context, e *screening.Event) error {
	m, err := eventMessage(e)
	if err != nil {
		return err
	}
	body, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return err
	}
	for wait := h.first; ; wait = min(2*wait, hookMost) {
		err := h.to.tell(lasting, m, body)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if h.now().Sub(time.UnixMilli(e.Time)) > hookGiveUp {
			h.log.Error(h.to.kind()+": given up after 24 hours", "tenant", h.to.whose(), "event", m.GetEventId(), "error", err)
			return nil
		}
		h.log.Warn(h.to.kind()+": to be tried again", "tenant", h.to.whose(), "event", m.GetEventId(), "in", wait, "error", err)
		pause(ctx, wait)
	}
}

func (h *hook) tell(ctx context.Context, m *spoorv1.AlertEvent, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(hookEvent, m.GetEventId())
	req.Header.Set(hookSigned, SignWebhook(h.Secret, h.now(), body))
	reply, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(reply.Body, hookMaxReply)) // so that the connection can be used again
	if reply.StatusCode < 200 || reply.StatusCode > 299 {
		return fmt.Errorf("status %d", reply.StatusCode)
	}
	return nil
}

// SignWebhook returns the header that a receiver checks:
// t=UNIX SECONDS,v1=HEX of HMAC-SHA256(secret, "UNIX SECONDS" + "." + body).
func SignWebhook(secret []byte, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// hookGrace is how long an event that is on its way keeps a server from ending.
const hookGrace = time.Second

// outlasting is a context that ends a while after another.
func outlasting(ctx context.Context, d time.Duration) (lasting context.Context, done func()) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(d):
			cancel()
		case <-lasting.Done():
		}
	})
	return lasting, func() {
		stop()
		cancel()
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
