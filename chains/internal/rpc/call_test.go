package rpc

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// node answers every request with what a test says.
func node(t *testing.T, o Options, answer http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	o.URL = strings.Replace(s.URL, "http://", "http://user:secret@", 1) + "/key-in-path"
	if o.Timeout == 0 {
		o.Timeout = 300 * time.Millisecond
	}
	c, err := Dial(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.wait = func(time.Duration) <-chan time.Time { return time.After(0) }
	return c
}

// echo answers each request of a body with its own parameters.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var many []request
	if json.Unmarshal(body, &many) != nil {
		var one request
		_ = json.Unmarshal(body, &one)
		_, _ = io.WriteString(w, result(one))
		return
	}
	var parts []string
	for i := range many { // the last first: order is free
		parts = append(parts, result(many[len(many)-1-i]))
	}
	_, _ = io.WriteString(w, "["+strings.Join(parts, ",")+"]")
}

func result(r request) string {
	params, _ := json.Marshal(r.Params)
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":%s}`, r.ID, params)
}

func TestCallAndBatch(t *testing.T) {
	c := node(t, Options{}, echo)
	var one []int
	if err := c.Call(context.Background(), "m", &one, 1, 2); err != nil || fmt.Sprint(one) != "[1 2]" {
		t.Errorf("got %v, %v", one, err)
	}
	calls := make([]*Call, 7)
	for i := range calls {
		calls[i] = &Call{Method: "m", Params: []any{i}, Result: new([]int)}
	}
	if err := c.Batch(context.Background(), calls); err != nil {
		t.Fatal(err)
	}
	for i, call := range calls {
		if got := *call.Result.(*[]int); call.Err != nil || len(got) != 1 || got[0] != i {
			t.Errorf("call %d: got %v, %v", i, got, call.Err)
		}
	}
}

func TestBatchThatTheNodeRefuses(t *testing.T) {
	batches := 0
	c := node(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if body[0] == '[' {
			batches++
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}}`)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		echo(w, r)
	})
	for range 2 {
		calls := []*Call{{Method: "a", Result: new([]int), Params: []any{1}}, {Method: "b", Result: new([]int), Params: []any{2}}}
		if err := c.Batch(context.Background(), calls); err != nil || calls[0].Err != nil || calls[1].Err != nil {
			t.Fatal(err, calls[0].Err, calls[1].Err)
		}
	}
	if batches != 1 {
		t.Errorf("tried %d batches, want 1", batches)
	}
}

// TestFaultsAreNamed: whatever a node does, its fault has a name and no secret is told.
func TestFaultsAreNamed(t *testing.T) {
	huge := strings.Repeat("a", 3<<20)
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   ledger.Fault
	}{
		{"html", text(200, "<html>"), ledger.FaultMalformed},
		{"cut off", text(200, `{"id":1,"result":[1,`), ledger.FaultTruncated},
		{"empty", text(200, ""), ledger.FaultTruncated},
		{"trailing", text(200, `{"id":1,"result":[1]} {}`), ledger.FaultMalformed},
		{"key twice", text(200, `{"id":1,"result":[1],"result":[2]}`), ledger.FaultMalformed},
		{"wrong type", text(200, `{"id":1,"result":{"a":1}}`), ledger.FaultMalformed},
		{"wrong id", text(200, `{"id":77,"result":[1]}`), ledger.FaultMismatched},
		{"no result", text(200, `{"id":1}`), ledger.FaultMalformed},
		{"error", text(200, `{"id":1,"error":{"code":-5,"message":"Block not found"}}`), ledger.FaultLagging},
		{"error in 500", text(500, `{"id":1,"error":{"code":-28,"message":"Loading block index"}}`), ledger.FaultBusy},
		{"no method", text(200, `{"id":1,"error":{"code":-32601,"message":"nope"}}`), ledger.FaultUnsupported},
		{"500", text(500, "oops"), ledger.FaultServerError},
		{"503", text(503, ""), ledger.FaultBusy},
		{"429", text(429, ""), ledger.FaultBusy},
		{"401", text(401, ""), ledger.FaultUnauthorized},
		{"404", text(404, ""), ledger.FaultUnsupported},
		{"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, ledger.FaultRedirected},
		{"endless", text(200, `{"id":1,"result":["`+huge), ledger.FaultTooLarge},
		{"length", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"id":1`)
		}, ledger.FaultTruncated},
		{"silent", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the server never learns that its client has gone
			<-r.Context().Done()
		}, ledger.FaultTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := node(t, Options{Retries: -1, MaxBody: 1 << 20}, test.answer)
			var got []int
			err := c.Call(context.Background(), "m", &got)
			if fault, _ := ledger.FaultOf(err); fault != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "key-in-path")) {
				t.Errorf("the error gives a secret away: %v", err)
			}
		})
	}
}

func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestRetryUntilItAnswers(t *testing.T) {
	n := 0
	c := node(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		if n++; n < 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		echo(w, r)
	})
	var got []int
	if err := c.Call(context.Background(), "m", &got, 5); err != nil || n != 4 {
		t.Errorf("got %v after %d tries", err, n)
	}
}

// TestBatchThatIsTooLarge: geth answers an array of one error, others HTTP 413; the batch is halved.
func TestBatchThatIsTooLarge(t *testing.T) {
	for name, refuse := range map[string]http.HandlerFunc{
		"geth": text(200, `[{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch too large"}}]`), "413": text(413, ""),
	} {
		t.Run(name, func(t *testing.T) {
			c := node(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if strings.Count(string(body), "method") > 3 {
					refuse(w, r)
					return
				}
				r.Body = io.NopCloser(strings.NewReader(string(body)))
				echo(w, r)
			})
			calls := make([]*Call, 11)
			for i := range calls {
				calls[i] = &Call{Method: "m", Params: []any{i}, Result: new([]int)}
			}
			if err := c.Batch(context.Background(), calls); err != nil {
				t.Fatal(err)
			}
			for i, call := range calls {
				if got := *call.Result.(*[]int); call.Err != nil || len(got) != 1 || got[0] != i {
					t.Errorf("call %d: got %v, %v", i, got, call.Err)
				}
			}
		})
	}
}

// TestBatchesThatDoNotMatch: every answer must come once, and nothing else.
func TestBatchesThatDoNotMatch(t *testing.T) {
	for name, edit := range map[string]func(parts []string) []string{
		"one missing": func(p []string) []string { return p[1:] },
		"one twice":   func(p []string) []string { return append(p, p[0]) },
		"one foreign": func(p []string) []string { return append(p, `{"id":999,"result":[1]}`) },
		"very many": func(p []string) []string {
			return append(p, strings.Split(strings.Repeat(`{"id":9,"result":1};`, 10_000), ";")[:10_000]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := node(t, Options{Retries: -1}, func(w http.ResponseWriter, r *http.Request) {
				var many []request
				_ = json.NewDecoder(r.Body).Decode(&many)
				var parts []string
				for _, one := range many {
					parts = append(parts, result(one))
				}
				_, _ = io.WriteString(w, "["+strings.Join(edit(parts), ",")+"]")
			})
			calls := []*Call{{Method: "a", Result: new([]int)}, {Method: "b", Result: new([]int)}, {Method: "c", Result: new([]int)}}
			err := c.Batch(context.Background(), calls)
			if fault, _ := ledger.FaultOf(err); fault != ledger.FaultMismatched {
				t.Errorf("got %v, want %s", err, ledger.FaultMismatched)
			}
		})
	}
}

// TestCookieIsReadAgain: Core writes another cookie when it starts anew.
func TestCookieIsReadAgain(t *testing.T) {
	cookie := filepath.Join(t.TempDir(), ".cookie")
	write := func(text string) {
		if err := os.WriteFile(cookie, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("__cookie__:old")
	c := node(t, Options{Cookie: cookie}, func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "new" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		echo(w, r)
	})
	err := c.Call(context.Background(), "m", nil)
	if fault, _ := ledger.FaultOf(err); fault != ledger.FaultUnauthorized {
		t.Errorf("got %v, want %s", err, ledger.FaultUnauthorized)
	}
	write("__cookie__:new\n")
	if err := c.Call(context.Background(), "m", nil); err != nil {
		t.Errorf("after the node started anew: %v", err)
	}
}

// TestHeadersAndCA: keys come from files that others cannot read, and a node's own certificate is trusted by name alone.
func TestHeadersAndCA(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != "k1" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		echo(w, r)
	}))
	t.Cleanup(s.Close)
	dir := t.TempDir()
	key, open, ca := filepath.Join(dir, "key"), filepath.Join(dir, "open"), filepath.Join(dir, "ca.pem")
	for name, mode := range map[string]os.FileMode{key: 0o600, open: 0o644} {
		if err := os.WriteFile(name, []byte("k1\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	good := Options{URL: s.URL, CA: ca, Headers: []string{"X-Api-Key: @" + key}}
	c, err := Dial(good)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Call(context.Background(), "m", nil); err != nil {
		t.Error(err)
	}
	for name, o := range map[string]Options{
		"a key that all can read": {URL: s.URL, CA: ca, Headers: []string{"X-Api-Key: @" + open}},
		"no such key":             {URL: s.URL, CA: ca, Headers: []string{"X-Api-Key: @" + key + "x"}},
		"no header":               {URL: s.URL, Headers: []string{"k1"}},
		"no certificate":          {URL: s.URL, CA: key},
		"no URL":                  {URL: "localhost:8332"},
		"no cookie":               {URL: s.URL, Cookie: key + "x"},
	} {
		if _, err := Dial(o); !errors.Is(err, ledger.ErrInvalid) || strings.Contains(err.Error(), "k1") {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	stranger, err := Dial(Options{URL: s.URL, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if err := stranger.Call(context.Background(), "m", nil); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("an unknown certificate: got %v", err)
	}
}

// TestGzipBomb: what unpacks beyond the bound is refused before it is held.
func TestGzipBomb(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 256 {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	_ = z.Close()
	c := node(t, Options{MaxBody: 8 << 20, Retries: -1}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := c.Call(context.Background(), "m", nil)
	runtime.ReadMemStats(&after)
	if fault, _ := ledger.FaultOf(err); fault != ledger.FaultTooLarge {
		t.Errorf("got %v, want %s", err, ledger.FaultTooLarge)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 128<<20 {
		t.Errorf("%d MiB were allocated for a bound of 8", grown>>20)
	}
	if _, err := c.Get(context.Background(), "/file", 1<<20); err == nil {
		t.Error("GET: the bomb passed")
	}
}

// TestRetryAfter: what the node asks for is waited at least.
func TestRetryAfter(t *testing.T) {
	n := 0
	c := node(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 1 {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		echo(w, r)
	})
	var waited []time.Duration
	c.jitter = func() float64 { return 0.5 }
	c.wait = func(d time.Duration) <-chan time.Time {
		waited = append(waited, d)
		return time.After(0)
	}
	if err := c.Call(context.Background(), "m", nil); err != nil || len(waited) != 1 || waited[0] != 7*time.Second {
		t.Errorf("got %v after waiting %v", err, waited)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"result":{"a":[1]}}`), 1)
	f.Add([]byte(`[{"id":1,"error":{"code":-5,"message":"x"}},{"id":2,"result":null}]`), 2)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		all, alone, err := parseAnswers(body, max(n, 0))
		if err == nil && alone != (len(all) == 1 && bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))) {
			t.Errorf("%q: alone is %v", body, alone)
		}
		for _, a := range all {
			if a == nil && err == nil {
				t.Errorf("%q: nil answer", body)
			}
		}
	})
}
