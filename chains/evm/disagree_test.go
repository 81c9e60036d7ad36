package evm

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
)

// TestTracesDisagree changes traces of a real block, of which no root exists, so
// that they contradict what the roots have proven: all are refused. What cannot
// be told, that an inner call was left out, is why they are only attested.
func TestTracesDisagree(t *testing.T) {
	n := start(t, gethtest.Options{})
	var all []*answers
	contracts := play(t, n, func(height uint64) { all = append(all, ask(t, n, height)) })
	d, real := newDecoder(t, testChain, contracts), all[1] // split, failing, revertAll among them
	type calls = []map[string]any
	top := func(c calls, i int) map[string]any { return c[i]["result"].(map[string]any) }
	tests := map[string]struct {
		change func(calls) calls
		want   ledger.Fault
	}{
		"one too few":       {func(c calls) calls { return c[:len(c)-1] }, ledger.FaultContents},
		"one too many":      {func(c calls) calls { return append(c, c[0]) }, ledger.FaultContents},
		"swapped":           {func(c calls) calls { c[0], c[1] = c[1], c[0]; return c }, ledger.FaultContents},
		"swapped unnamed":   {func(c calls) calls { c[0]["result"], c[1]["result"] = c[1]["result"], c[0]["result"]; return c }, ledger.FaultContents},
		"another sender":    {func(c calls) calls { top(c, 2)["from"] = top(c, 3)["from"]; return c }, ledger.FaultContents},
		"another value":     {func(c calls) calls { top(c, 2)["value"] = "0x1"; return c }, ledger.FaultContents},
		"a failure":         {func(c calls) calls { top(c, 2)["error"] = "execution reverted"; return c }, ledger.FaultContents},
		"a success":         {func(c calls) calls { delete(top(c, 4), "error"); return c }, ledger.FaultContents},
		"a log left out":    {func(c calls) calls { top(c, 2)["logs"] = top(c, 2)["logs"].([]any)[1:]; return c }, ledger.FaultContents},
		"logs swapped":      {func(c calls) calls { l := top(c, 2)["logs"].([]any); l[0], l[1] = l[1], l[0]; return c }, ledger.FaultContents},
		"an unknown call":   {func(c calls) calls { top(c, 2)["type"] = "WIRE"; return c }, ledger.FaultMalformed},
		"nobody's call":     {func(c calls) calls { delete(top(c, 2), "from"); return c }, ledger.FaultMalformed},
		"a negative value":  {func(c calls) calls { top(c, 2)["value"] = "-0x1"; return c }, ledger.FaultMalformed},
		"a giant value":     {func(c calls) calls { top(c, 2)["value"] = "0x1" + strings.Repeat("0", 64); return c }, ledger.FaultMalformed},
		"an error instead":  {func(c calls) calls { c[2] = map[string]any{"error": "out of memory"}; return c }, ledger.FaultServerError},
		"nothing":           {func(calls) calls { return calls{} }, ledger.FaultContents},
		"as they came":      {func(c calls) calls { return c }, ""},
		"an inner left out": {func(c calls) calls { delete(top(c, 5), "calls"); return c }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var c calls
			if err := json.Unmarshal(real.calls, &c); err != nil {
				t.Fatal(err)
			}
			a := *real
			a.calls = must[[]byte](t)(json.Marshal(test.change(c)))
			_, err := d.whole("block", &a)
			if fault, _ := ledger.FaultOf(err); fault != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
