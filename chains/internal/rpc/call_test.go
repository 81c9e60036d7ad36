package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
