package service_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spoortrace/spoor/chains/service"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

func dial(t *testing.T, o service.Options) *service.Client {
	t.Helper()
	c, err := service.Dial(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestKeys: keys from files go with every request, below the base URL's own path,
// and stand in no error.
func TestKeys(t *testing.T) {
	var last atomic.Pointer[http.Request]
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last.Store(r)
		if r.URL.Path == "/base/closed" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write(append([]byte(r.Method+" "), body...))
	}))
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("SECRET\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := dial(t, service.Options{URL: s.URL + "/base/", Headers: []string{"X-Api-Key: @" + file}, Parameters: []string{"apikey: @" + file}})
	for _, test := range []struct{ path, body, want string }{
		{"/a", "", "GET "}, {"/a?x=1", "", "GET "}, {"?x=1", "", "GET "}, {"/a", `{"v":1}`, `POST {"v":1}`},
	} {
		var got string
		if err := c.Ask(t.Context(), "a question", ask.Request{Path: test.path, Body: test.body}, func(_ int, body []byte) error {
			got = string(body)
			return nil
		}); err != nil || got != test.want {
			t.Errorf("%s: %q, %v", test.path, got, err)
		}
		r := last.Load()
		if r.URL.Query().Get("apikey") != "SECRET" || r.Header.Get("X-Api-Key") != "SECRET" || strings.Contains(test.path, "x=") != (r.URL.Query().Get("x") == "1") || !strings.HasPrefix(r.URL.Path, "/base") {
			t.Errorf("%s: asked %s, header %q", test.path, r.URL, r.Header.Get("X-Api-Key"))
		}
	}
	err := c.Ask(t.Context(), "a question", ask.Request{Path: "/closed"}, func(int, []byte) error { return nil })
	if fault, _ := ledger.FaultOf(err); fault != ledger.FaultUnauthorized || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("refused: %v", err)
	}
	s.Close()
	c = dial(t, service.Options{URL: s.URL, Parameters: []string{"apikey: @" + file}, Retries: -1})
	if err := c.Ask(t.Context(), "a question", ask.Request{Path: "/a"}, nil); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("gone: %v", err)
	}
}

// TestAgain: what passes by waiting is tried again, whether the status or the
// answer's own words say so; 400 and 404 are the adapter's to read.
func TestAgain(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch turn := n.Add(1); {
		case r.URL.Path == "/missing":
			w.WriteHeader(http.StatusNotFound)
		case turn == 1:
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			_, _ = w.Write([]byte{byte('0' + turn)})
		}
	}))
	t.Cleanup(s.Close)
	c := dial(t, service.Options{URL: s.URL})
	busy := &ledger.SourceError{Fault: ledger.FaultBusy, Subject: "a question"}
	var got []string
	if err := c.Ask(t.Context(), "a question", ask.Request{Path: "/a"}, func(_ int, body []byte) error {
		if got = append(got, string(body)); len(got) == 1 {
			return busy
		}
		return nil
	}); err != nil || strings.Join(got, " ") != "2 3" {
		t.Errorf("%q, %v", got, err)
	}
	none := errors.New("none")
	if err := c.Ask(t.Context(), "a question", ask.Request{Path: "/missing"}, func(status int, _ []byte) error {
		if status != http.StatusNotFound {
			t.Errorf("status %d", status)
		}
		return none
	}); !errors.Is(err, none) || n.Load() != 4 {
		t.Errorf("%v after %d requests", err, n.Load())
	}
}

// TestProxy: everything goes through the proxy of the settings.
func TestProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "to "+r.URL.String()) }))
	t.Cleanup(proxy.Close)
	var got string
	err := dial(t, service.Options{URL: "http://elsewhere.invalid", Proxy: proxy.URL}).Ask(t.Context(), "a question", ask.Request{Path: "/a"}, func(_ int, body []byte) error {
		got = string(body)
		return nil
	})
	if err != nil || got != "to http://elsewhere.invalid/a" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := service.Dial(service.Options{URL: "http://elsewhere.invalid", Proxy: "ftp://x"}); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("a proxy of another kind: %v", err)
	}
}
