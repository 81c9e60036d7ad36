package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestServeREST: the listener of --rest answers the same index, and is refused
// where it would be in plaintext beyond this machine.
func TestServeREST(t *testing.T) {
	dir := demoIndex(t)
	if _, errOut, status := call(t, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--rest", "0.0.0.0:0"); status != 2 || !strings.Contains(errOut, "--rest: want an address of this machine") {
		t.Errorf("plaintext for everybody: exit status %d\n%s", status, errOut)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	serving(t, "--data", dir, "--rest", address)
	var answer []byte
	for range 50 { // the gRPC listener says its address first
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/v1/index?network=tron", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		answer, err = io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %v", res.Status, answer, err)
		}
		break
	}
	if !strings.HasPrefix(string(answer), `{"networks":[{"as_of":{"network":"tron",`) {
		t.Errorf("got %s", answer)
	}
}
