package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDrawnDemo: the demo's trace is drawn to the same bytes each time, and every
// hop's and place's amount is in the drawing.
func TestDrawnDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another; the tests without the race detector run it")
	}
	dir := demoIndex(t)
	var trace struct {
		Hops      []struct{ Tx, Index, Dirty string }
		Terminals []struct{ Reason, Dirty, At string }
	}
	answer, errOut, _ := call(t, "trace", "tron:"+usdtHash, "-o", "json", "--data", dir)
	if err := json.Unmarshal([]byte(answer), &trace); err != nil || len(trace.Hops) == 0 || len(trace.Terminals) == 0 {
		t.Fatalf("%d hops, %d places, %v\n%s", len(trace.Hops), len(trace.Terminals), err, errOut)
	}
	for _, form := range []string{"svg", "graphml"} {
		golden := filepath.Join("testdata", "demo."+form)
		for range 20 {
			out, errOut, status := call(t, "trace", "tron:"+usdtHash, "-o", form, "--data", dir)
			if status != 0 {
				t.Fatalf("%s: exit status %d\n%s", form, status, errOut)
			}
			if *update {
				if err := os.WriteFile(golden, []byte(out), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if diff := cmp.Diff(string(want), out); diff != "" || err != nil {
				t.Fatalf("%s: %v %s", form, err, diff)
			}
			for _, h := range trace.Hops {
				if text := h.Tx + ":" + h.Index + "=" + h.Dirty; !strings.Contains(out, text) {
					t.Fatalf("%s lacks the hop %s", form, text)
				}
			}
			for _, end := range trace.Terminals {
				if !strings.Contains(out, end.Reason+"="+end.Dirty+" of ") || !strings.Contains(out, " at "+end.At) {
					t.Fatalf("%s lacks the place %+v", form, end)
				}
			}
		}
	}
}
