package server_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store/memkv"
)

// lookout is a server that watches without a node, and the chain that its sources tell of.
type lookout struct {
	*asking
	*client
	screens spoorv1.ScreeningServiceClient
	cases   spoorv1.CaseServiceClient
	cfg     server.Config
}

func newLookout(t *testing.T, change func(*server.Config)) *lookout {
	t.Helper()
	l := &lookout{asking: newAsking(t)}
	kv, err := memkv.New()(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := screening.Open(t.Context(), kv)
	if err != nil {
		t.Fatal(err)
	}
	files, err := cases.Open(t.TempDir(), cases.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = kept.Close(), files.Close() })
	l.cfg = quiet(t, l.world)
	l.cfg.Fetch, l.cfg.FetchLimits, l.cfg.FetchEvery, l.cfg.Screening, l.cfg.Cases = l.fetcher, l.limits, 20*time.Millisecond, kept, files
	if change != nil {
		change(&l.cfg)
	}
	l.client = serve(t, l.cfg, server.LocalTrust())
	l.screens, l.cases = spoorv1.NewScreeningServiceClient(l.conn), spoorv1.NewCaseServiceClient(l.conn)
	return l
}

// mover is a payment whose money moves after block 140, and the refs of the moves.
func (l *lookout) mover(t *testing.T, from int) (m *spoorv1.TraceRequest, moves []string) {
	t.Helper()
	whole := local(t, l.whole)
	for i := from; i < len(l.ids); i++ {
		m := &spoorv1.TraceRequest{Refs: []string{"bitcoin-simnet:" + l.ids[i].String() + ":0"}, Policy: "haircut", MinValue: "0"}
		trace := whole.trace(t, m)
		moves, old := []string{}, 0
		for _, h := range trace.GetHops() {
			switch others := append(slices.Clone(h.GetFromOthers()), h.GetFrom()); {
			case h.GetHeight() <= 140:
				old++
			case h.GetParent() != 0 && !slices.Contains(others, h.GetTo()):
				moves = append(moves, "bitcoin-simnet:"+h.GetTx()+":"+h.GetIndex())
			}
		}
		if old > 1 && len(moves) > 1 {
			slices.Sort(moves)
			return m, moves
		}
	}
	t.Fatal("no payment moves")
	return nil, nil
}

// alerts are those of what is watched, TYPE NAME REF.
func (l *lookout) alerts(t *testing.T) (all []string) {
	t.Helper()
	m, err := l.screens.ListAlerts(t.Context(), &spoorv1.ListAlertsRequest{PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range m.GetAlerts() {
		all = append(all, a.GetType()+" "+a.GetCase()+a.GetTrace()+" "+a.GetHeld().GetRef())
	}
	slices.Sort(all)
	return all
}

// follow has the sources asked until the test ends.
func (l *lookout) follow(t *testing.T) {
	t.Helper()
	s, err := l.screens.WatchAlerts(t.Context(), &spoorv1.WatchAlertsRequest{Cursor: "0"})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			if _, err := s.Recv(); err != nil {
				return
			}
		}
	}()
}

// TestWatchWithoutNode: a trace, a case and an address that are watched are asked
// after while somebody follows, and every move of the money is one alert.
func TestWatchWithoutNode(t *testing.T) {
	l := newLookout(t, nil)
	l.before.Store(&l.young)
	m, moves := l.mover(t, 100)
	if _, err := l.screens.AddWatch(t.Context(), &spoorv1.AddWatchRequest{Trace: m}); status.Code(err) != codes.NotFound || l.requests.Load() > 0 {
		t.Errorf("%d requests that nobody wanted, %v", l.requests.Load(), err)
	}
	w, err := l.screens.AddWatch(t.Context(), &spoorv1.AddWatchRequest{Trace: m, Fetch: true})
	if err != nil || !strings.HasPrefix(w.GetTrace(), "traces/w") || !slices.Equal(w.GetRefs(), m.GetRefs()) || w.GetAsked() == nil {
		t.Fatal(w, err)
	}
	rule := &spoorv1.CasePolicy{Policy: "haircut", Reason: "a test"}
	if _, err := l.cases.CreateCase(t.Context(), &spoorv1.CreateCaseRequest{Number: "9/2026", Title: "t", Authority: "a", UtxoPolicy: rule, AccountPolicy: rule}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.cases.AddPayments(t.Context(), &spoorv1.AddPaymentsRequest{Name: "cases/9/2026", Rows: []*spoorv1.PaymentRow{{Ref: m.GetRefs()[0], Victim: "V"}}}); err != nil {
		t.Fatal(err)
	}
	ofCase, err := l.screens.AddWatch(t.Context(), &spoorv1.AddWatchRequest{Address: "cases/9/2026"})
	if err != nil {
		t.Fatal(err)
	}
	holder, paid := "", []string{}
	for _, e := range l.trace(t, m).GetTerminals() {
		if a := "bitcoin-simnet:" + e.GetAddress(); e.GetReason() == "UNSPENT" && len(paysOut(t, l, a)) > len(paid) {
			holder, paid = a, paysOut(t, l, a)
		}
	}
	if _, err := l.screens.AddWatch(t.Context(), &spoorv1.AddWatchRequest{Address: holder}); err != nil {
		t.Fatal(err)
	}
	l.before.Store(nil) // the chain grows
	quiet := l.requests.Load()
	time.Sleep(100 * time.Millisecond)
	if n := l.requests.Load(); n != quiet {
		t.Errorf("%d requests while nobody follows", n-quiet)
	}
	l.follow(t)
	var want []string
	for _, ref := range moves {
		want = append(want, "HELD_MOVED "+w.GetTrace()+" "+ref, "HELD_MOVED "+ofCase.GetCase()+" "+ref)
	}
	slices.Sort(want)
	var got []string
	eventually(t, "every move is an alert", func() bool {
		got = slices.DeleteFunc(l.alerts(t), func(a string) bool { return !strings.HasPrefix(a, "HELD_MOVED") })
		return slices.Equal(got, want)
	})
	eventually(t, "the address's payments", func() bool {
		all, err := l.screens.ListAlerts(t.Context(), &spoorv1.ListAlertsRequest{PageSize: 1000})
		var moved []string
		for _, a := range all.GetAlerts() {
			if a.GetType() == "BALANCE_MOVED" && a.GetAddress() == holder {
				moved = append(moved, strings.TrimPrefix(a.GetMessage(), "paid out in transaction "))
			}
		}
		slices.Sort(moved)
		return err == nil && slices.Equal(moved, paid)
	})
}

// paysOut are the transactions after block 140 by which an address paid.
func paysOut(t *testing.T, l *lookout, address string) (all []string) {
	t.Helper()
	a, err := ledger.ParseQualified(address)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := l.whole.store.Snapshot(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	for e, err := range snap.Events(t.Context(), ledger.Holder{Address: a, Asset: ledger.NativeAsset(a.Chain)}, ledger.Point{Pos: ledger.At(141, 0) - 1}) {
		if err != nil {
			t.Fatal(err)
		}
		tx, err := snap.TxAt(t.Context(), a.Chain, e.At.Pos)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(tx.Inputs, func(in ledger.Input) bool { return in.Address == a }) && !slices.Contains(all, tx.ID.String()) {
			all = append(all, tx.ID.String())
		}
	}
	slices.Sort(all)
	return all
}

// TestWatchTrouble: what the sources fail to tell stands beside the watch, and is
// gone when they do again.
func TestWatchTrouble(t *testing.T) {
	l := newLookout(t, nil)
	m, _ := l.mover(t, 100)
	if _, err := l.screens.AddWatch(t.Context(), &spoorv1.AddWatchRequest{Trace: m, Note: "one", Fetch: true}); err != nil {
		t.Fatal(err)
	}
	down := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	l.before.Store(&down)
	l.follow(t)
	trouble := func() string {
		all, err := l.screens.ListWatches(t.Context(), &spoorv1.ListWatchesRequest{})
		if err != nil || len(all.GetWatches()) != 1 {
			t.Fatal(all, err)
		}
		return all.GetWatches()[0].GetTrouble()
	}
	eventually(t, "the trouble is told", func() bool { return strings.Contains(trouble(), "403") })
	l.before.Store(nil)
	eventually(t, "the trouble is over", func() bool { return trouble() == "" })
	for name, x := range map[string]*spoorv1.AddWatchRequest{
		"nothing":          {},
		"both":             {Address: "bitcoin-simnet:x", Trace: m},
		"an unknown trace": {Address: "traces/t999"},
		"upstream":         {Trace: &spoorv1.TraceRequest{Refs: m.GetRefs(), Direction: spoorv1.Direction_DIRECTION_UPSTREAM}},
		"own":              {Trace: m, Own: true},
		"nobody to mail":   {Trace: m, Notify: []string{"mail"}},
		"some other way":   {Trace: m, Notify: []string{"pigeon"}},
	} {
		if _, err := l.screens.AddWatch(t.Context(), x); status.Code(err) != codes.InvalidArgument && status.Code(err) != codes.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// postOffice takes mails as a server does, over STARTTLS and from whom it knows, and
// keeps them.
type postOffice struct {
	address     string
	certificate tls.Certificate
	mu          sync.Mutex
	mails       []string
}

// roots trust the post office.
func (p *postOffice) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.certificate.Leaf)
	return pool
}

func newPostOffice(t *testing.T) *postOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &postOffice{address: l.Addr().String(), certificate: certificate(t)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.take(c)
		}
	}()
	return p
}

func (p *postOffice) take(c net.Conn) {
	defer c.Close()
	say := func(s string) { fmt.Fprint(c, s+"\r\n") }
	say("220 here")
	in, mail, body, sealed, known := bufio.NewScanner(c), "", false, false, false
	for in.Scan() {
		line := in.Text()
		switch {
		case body && line == ".":
			body = false
			p.mu.Lock()
			p.mails = append(p.mails, mail)
			p.mu.Unlock()
			say("250 taken")
		case body:
			mail += line + "\n"
		case strings.HasPrefix(line, "EHLO") && !sealed:
			say("250-here")
			say("250 STARTTLS")
		case strings.HasPrefix(line, "EHLO"):
			say("250-here")
			say("250 AUTH PLAIN")
		case strings.HasPrefix(line, "STARTTLS"):
			say("220 go on")
			c = tls.Server(c, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{p.certificate}})
			in, sealed = bufio.NewScanner(c), true
		case strings.HasPrefix(line, "AUTH PLAIN "):
			said, _ := base64.StdEncoding.DecodeString(line[len("AUTH PLAIN "):])
			if known = sealed && string(said) == "\x00spoor\x00a secret"; !known {
				say("535 no")
				return
			}
			say("235 ok")
		case !known:
			say("530 who are you")
			return
		case strings.HasPrefix(line, "DATA"):
			body = true
			say("354 go on")
		case strings.HasPrefix(line, "QUIT"):
			say("221 bye")
			return
		default:
			mail += line + "\n"
			say("250 ok")
		}
	}
}

// TestNotify: a watch that asks for it has its alerts mailed and handed to a
// program, once each; one that does not, has not.
func TestNotify(t *testing.T) {
	post, file := newPostOffice(t), filepath.Join(t.TempDir(), "events")
	l := newLookout(t, func(c *server.Config) {
		mail := server.Mail{Tenant: server.LocalTenant, Server: post.address, From: "spoor@agency.example", To: []string{"ann@agency.example", "bob@agency.example"}, User: "spoor", Password: "a secret", Roots: post.roots()}
		strange := mail
		strange.To, strange.Roots = []string{"eve@agency.example"}, (&postOffice{certificate: certificate(t)}).roots()
		unknown := mail
		unknown.To, unknown.Password = []string{"mallory@agency.example"}, "a guess"
		c.Mails = []server.Mail{mail, strange, unknown}
		c.Commands = []server.Command{{Tenant: server.LocalTenant, Args: []string{"/bin/sh", "-c", `echo "$SPOOR_EVENT_ID" >> "$0"; cat >> "$0"; echo >> "$0"`, file}}}
	})
	l.before.Store(&l.young)
	m, moves := l.mover(t, 100)
	other, _ := l.mover(t, 1000)
	told, err := l.screens.AddWatch(t.Context(), &spoorv1.AddWatchRequest{Trace: m, Notify: []string{"mail", "exec"}, Fetch: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.screens.AddWatch(t.Context(), &spoorv1.AddWatchRequest{Trace: other, Fetch: true}); err != nil {
		t.Fatal(err)
	}
	l.before.Store(nil)
	l.follow(t)
	mails := func() []string {
		post.mu.Lock()
		defer post.mu.Unlock()
		return slices.Clone(post.mails)
	}
	eventually(t, "mails", func() bool { return len(mails()) >= len(moves) })
	text := ""
	eventually(t, "a program runs", func() bool {
		b, err := os.ReadFile(file)
		text = string(b)
		return err == nil && strings.Count(text, `"HELD_MOVED"`) >= len(moves)
	})
	time.Sleep(200 * time.Millisecond)
	if n := len(mails()); n != len(moves) {
		t.Errorf("%d mails, want %d", n, len(moves))
	}
	b, err := os.ReadFile(file)
	if err != nil || strings.Count(string(b), told.GetTrace()) == 0 || strings.Count(string(b), `"HELD_MOVED"`) != len(moves) {
		t.Errorf("the program got %s, %v", b, err)
	}
	for _, want := range []string{"FROM:<spoor@agency.example>", "TO:<bob@agency.example>", "Subject: Spoor: HELD_MOVED " + told.GetTrace(), "paid on to"} {
		if !strings.Contains(mails()[0], want) {
			t.Errorf("no %q in %s", want, mails()[0])
		}
	}
}
