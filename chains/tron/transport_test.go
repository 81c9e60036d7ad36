package tron

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// listen runs a server of another protocol, or none, and returns its HOST:PORT.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close() //nolint:errcheck // of a test
				serve(c)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	return l.Addr().String()
}

// What is no java-tron at all ends in a named fault in time, and every call of it.
func TestTransport(t *testing.T) {
	silent := make(chan struct{})
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	cases := map[string]struct {
		target string
		want   ledger.Fault
	}{
		"closed":         {listen(t, func(net.Conn) {}), ledger.FaultUnreachable},
		"silent":         {listen(t, func(net.Conn) { <-silent }), ledger.FaultTimeout},
		"a web server":   {strings.TrimPrefix(web.URL, "http://"), ledger.FaultUnreachable},
		"noise":          {listen(t, func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-x\r\n\r\n")) }), ledger.FaultUnreachable},
		"no TLS":         {"grpcs://" + newServer(t, 0).serve(t), ledger.FaultUnreachable},
		"nobody listens": {closedPort(t), ledger.FaultUnreachable},
	}
	t.Cleanup(func() { close(silent) }) // before the listeners wait for their connections
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			n, err := Dial(t.Context(), NodeOptions{Chain: "tron", Target: c.target, Timeout: 200 * time.Millisecond})
			if n != nil || fault(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // that is the point
	return l.Addr().String()
}

// A rate is kept, and a context that leaves no time for it ends the call.
func TestRate(t *testing.T) {
	began := time.Now() // however slow the machine: no more than 20, and 20 a second since
	n, err := Dial(t.Context(), NodeOptions{Chain: "tron", Target: newServer(t, 0).serve(t), Rate: 20})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close() //nolint:errcheck // of a test
	for range 24 {  // 2 more are Dial's
		if _, err := n.Hash(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < 290*time.Millisecond {
		t.Errorf("26 calls at 20 a second, 20 of them at once: took %s", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	for range 3 {
		_, err = n.Hash(ctx, 0)
	}
	if err == nil {
		t.Error("a context without time left: got no error")
	}
}
