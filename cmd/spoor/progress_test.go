package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/vbauerster/mpb/v8"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func reports() []*spoorv1.Progress {
	return []*spoorv1.Progress{
		{Phase: "scan", Network: "bitcoin", Unit: "blocks"},
		{Phase: "write", Network: "bitcoin", Done: 0, Total: 100, Unit: "blocks"},
		{Phase: "write", Network: "bitcoin", Done: 57, Total: 100, Unit: "blocks"},
		{Phase: "verify", Network: "tron", Done: 3, Unit: "blocks"},
		{Phase: "verify", Network: "tron", Done: 5, Total: 5, Unit: "blocks"},
	}
}

// TestBarsEnd: the bars end whatever the last report of a phase was: work may
// fail in the middle, or know no total.
func TestBarsEnd(t *testing.T) {
	for n := range len(reports()) + 1 {
		var out bytes.Buffer
		m := &meter{app: &app{}, bars: mpb.New(mpb.WithOutput(&out), mpb.WithWidth(40), mpb.WithAutoRefresh())}
		for _, p := range reports()[:n] {
			m.show(p)
		}
		ended := make(chan struct{})
		go func() {
			m.close()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatalf("after %d reports the bars do not end", n)
		}
		if n > 0 && !strings.Contains(out.String(), "bitcoin scan") {
			t.Errorf("after %d reports: %q", n, out.String())
		}
	}
}

// TestLogLines: without a terminal there is a line every few seconds at most.
func TestLogLines(t *testing.T) {
	var out bytes.Buffer
	a := &app{errOut: &out, log: slog.New(slog.NewTextHandler(&out, nil))}
	m := a.meter()
	for _, p := range reports() {
		m.show(p)
	}
	if out.Len() > 0 {
		t.Errorf("short work logs %q", out.String())
	}
	m.logged = time.Now().Add(-logEvery)
	for _, p := range reports()[1:] {
		m.show(p)
	}
	m.close()
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "network=bitcoin") || !strings.Contains(got, "of=100") {
		t.Errorf("got %q", got)
	}
}
