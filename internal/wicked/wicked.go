// Package wicked serves HTTP as nodes do that are broken, overrun or malicious:
// the ways are the same whatever protocol they break. It is for tests.
package wicked

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Way is one way to misbehave, and the fault that its victim must name.
type Way struct {
	Name  string
	Serve http.HandlerFunc
	Fault ledger.Fault
	// Slow: nothing comes, or too little; its victim must give up by the clock.
	Slow bool
}

// Patience is how long a client of a way waits for an answer: short where none
// will come, long where one will, however busy the machine.
func (w Way) Patience() time.Duration {
	if w.Slow {
		return 500 * time.Millisecond
	}
	return 20 * time.Second
}

// Ways are all of them, for JSON-RPC over HTTP.
func Ways() []Way {
	return []Way{
		{Name: "html", Serve: say(200, "<html>sign in</html>"), Fault: ledger.FaultMalformed},
		{Name: "cut off", Serve: say(200, `{"jsonrpc":"2.0","id":1,"result":{"number":`), Fault: ledger.FaultTruncated},
		{Name: "nothing", Serve: say(200, ""), Fault: ledger.FaultTruncated},
		{Name: "another id", Serve: say(200, `{"jsonrpc":"2.0","id":123456789,"result":null}`), Fault: ledger.FaultMismatched},
		{Name: "a key twice", Serve: say(200, `{"jsonrpc":"2.0","id":1,"result":1,"result":2}`), Fault: ledger.FaultMalformed},
		{Name: "500", Serve: say(500, "oops"), Fault: ledger.FaultServerError},
		{Name: "503", Serve: say(503, ""), Fault: ledger.FaultBusy},
		{Name: "429", Serve: say(429, ""), Fault: ledger.FaultBusy},
		{Name: "401", Serve: say(401, ""), Fault: ledger.FaultUnauthorized},
		{Name: "403", Serve: say(403, ""), Fault: ledger.FaultUnauthorized},
		{Name: "302", Serve: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, Fault: ledger.FaultRedirected},
		{Name: "endless", Serve: endless, Fault: ledger.FaultTooLarge},
		{Name: "a compression bomb", Serve: bomb, Fault: ledger.FaultTooLarge},
		{Name: "hung up", Serve: reset, Fault: ledger.FaultUnreachable},
		{Name: "half open", Serve: silent, Fault: ledger.FaultTimeout, Slow: true},
		{Name: "a trickle", Serve: trickle, Fault: ledger.FaultTimeout, Slow: true},
	}
}

func say(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// endless sends as long as somebody reads, at most a gigabyte.
func endless(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":"`)
	junk := bytes.Repeat([]byte("a"), 1<<20)
	for range 1 << 10 {
		if _, err := w.Write(junk); err != nil {
			return
		}
	}
}

// bomb is a gigabyte once unpacked: a gzip file of a thousand equal members, each
// a megabyte of zeros.
func bomb(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	var member bytes.Buffer
	z := gzip.NewWriter(&member)
	_, _ = z.Write(make([]byte, 1<<20))
	_ = z.Close()
	w.Header().Set("Content-Encoding", "gzip")
	for range 1 << 10 {
		if _, err := w.Write(member.Bytes()); err != nil {
			return
		}
	}
}

// hang up in the middle of an answer.
func reset(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = c.Close()
	}
}

func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// trickle sends a byte now and then.
func trickle(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	for range 1000 {
		if _, err := io.WriteString(w, " "); err != nil || r.Context().Err() != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}
