package server_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store/memkv"
)

// receiver takes webhooks as a customer's server does: it checks the signature with
// its own code, refuses the first tries, and remembers what it took.
type receiver struct {
	t      *testing.T
	secret string

	mu     sync.Mutex
	refuse int
	taken  []string // event ids
	events []*spoorv1.AlertEvent
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Error(err)
	}
	at, mac, _ := strings.Cut(req.Header.Get("X-Spoor-Signature"), ",v1=")
	sum := hmac.New(sha256.New, []byte(r.secret))
	sum.Write([]byte(strings.TrimPrefix(at, "t=") + "." + string(body)))
	if want := hex.EncodeToString(sum.Sum(nil)); mac != want {
		r.t.Errorf("signature %s, want %s", mac, want)
	}
	e := &spoorv1.AlertEvent{}
	if err := protojson.Unmarshal(body, e); err != nil {
		r.t.Error(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse--; r.refuse >= 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if id := req.Header.Get("X-Spoor-Event-Id"); id != e.GetEventId() || id == "" {
		r.t.Errorf("event id %q in the header, %q in the body", id, e.GetEventId())
	}
	r.taken = append(r.taken, e.GetEventId())
	r.events = append(r.events, e)
}

// count returns how many events came, if each came once and in order.
func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.IsSortedFunc(r.events, func(a, b *spoorv1.AlertEvent) int { return len(a.GetCursor()) - len(b.GetCursor()) }) {
		r.t.Errorf("out of order: %v", r.taken)
	}
	if len(slices.Compact(slices.Clone(r.taken))) != len(r.taken) {
		r.t.Errorf("twice: %v", r.taken)
	}
	return len(r.taken)
}

// Alerts are sent, signed, once each and in order; a receiver that is down for a
// while loses none, and a server that starts again goes on where it was.
func TestWebhook(t *testing.T) {
	r := &receiver{t: t, secret: "between us", refuse: 3}
	at := httptest.NewServer(r)
	defer at.Close()
	w := emptyWorld(t, memkv.New())
	w.append(t, deskBlocks()...)
	kv, err := memkv.New()(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := screening.Open(t.Context(), kv)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close() //nolint:errcheck // in memory
	raise := func(rule string) {
		a := screening.Alert{Type: "TRANSFER", Level: "HIGH", Network: "bitcoin", Address: "bitcoin:somebody", Rule: rule, Finality: screening.Final}
		if _, raised, err := kept.Raise(t.Context(), server.LocalTenant, a, time.Now().UnixMilli()); err != nil || !raised {
			t.Fatal(raised, err)
		}
	}
	for round := range 2 {
		cfg := quiet(t, w)
		cfg.Screening, cfg.WebhookRetry = kept, time.Millisecond
		cfg.Webhooks = []server.Webhook{{Tenant: server.LocalTenant, URL: at.URL, Secret: []byte(r.secret)}}
		s, err := server.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range []string{"a", "b", "c"} {
			raise(rule + string(rune('0'+round)))
		}
		eventually(t, "the webhooks", func() bool { return r.count() == 3*(round+1) })
		s.Stop(t.Context())
	}
	if n := r.count(); n != 6 {
		t.Errorf("%d events", n)
	}
}
