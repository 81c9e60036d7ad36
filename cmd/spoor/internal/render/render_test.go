package render

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-update rewrites it):\n%s", path, diff)
	}
}

func text[M any](t *testing.T, print func(io.Writer, M) error, m M) string {
	t.Helper()
	var b bytes.Buffer
	if err := print(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func styled[M any](print func(io.Writer, M, Style) error, s Style) func(io.Writer, M) error {
	return func(w io.Writer, m M) error { return print(w, m, s) }
}

const (
	usdtContract = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
	victim       = "TNcxqFUfdBRscyJyJAdj9M6hSYotVJJHvs"
	mule         = "TVXy9j3MHePgN3ydyr3D8NojB5RLD3AcRs"
	exchange     = "TV6MuMXfmLbBqPZvBHdwFsDnQeVfnmiuSi"
	wallet       = "TM8PjCzv71EakELjVHoqsZY2aRHoPU8nr5"
	start        = 1641405312
)

// hostileLabel turns the text around, moves the cursor, and ends the line.
const hostileLabel = "Bin\u202eecna\x1b[2J\nnext: \u200b\"quote\\ =1+1"

func usdt() *spoorv1.Asset {
	return &spoorv1.Asset{Network: "tron", Contract: usdtContract, Symbol: "USDT", Decimals: 6}
}

func at(seconds int64) *timestamppb.Timestamp {
	return timestamppb.New(time.Unix(start+seconds, 0))
}

func label(name, category string) []*spoorv1.Label {
	return []*spoorv1.Label{{Id: "1", Network: "tron", Address: exchange, Label: name, Category: category, Source: "tags.csv", Confidence: 50, Recorded: at(0), Sequence: 1}}
}

// aTrace is one payment of 25,050.5 USDT: a part goes to an exchange in two
// arrivals, a part rests, and dust falls below the floor.
func aTrace() *spoorv1.Trace {
	hop := func(id, parent uint32, seconds int64, from, to, amount, dirty string) *spoorv1.Hop {
		return &spoorv1.Hop{
			Id: id, Parent: parent, Depth: id, Tx: strings.Repeat("a", 63) + strconv.Itoa(int(id)), Index: "0", Time: at(seconds), From: from, To: to, Asset: usdt(),
			Amount: amount, Dirty: dirty, Shares: []*spoorv1.Share{{Seed: 1, Dirty: dirty}}, Grade: "ATTESTED",
		}
	}
	end := func(address, dirty, reason, bucket string, hop uint32, seconds int64, via string) *spoorv1.Terminal {
		return &spoorv1.Terminal{
			Address: address, Asset: usdt(), Dirty: dirty, Low: dirty, High: dirty, Shares: []*spoorv1.Share{{Seed: 1, Dirty: dirty}}, Reason: reason, Bucket: bucket,
			At: strings.Repeat("a", 63) + strconv.Itoa(int(hop)) + ":0", Via: via, Holder: "unknown", FreezableBy: "ISSUER", ArrivedAt: at(seconds), Hop: hop,
		}
	}
	t := &spoorv1.Trace{
		State: "DONE", Policy: "dirty-first", Pins: &spoorv1.Pins{LabelSequence: 3, RuleVersion: "2026-11"},
		AsOf:     []*spoorv1.AsOf{{Network: "tron", Time: at(100_000)}},
		Coverage: []*spoorv1.Coverage{{Network: "tron", State: "PARTIAL", Detail: "1 file", Missing: []string{"later transfers of 1 account"}}},
		Bounds:   &spoorv1.Bounds{Floors: []*spoorv1.Floor{{Asset: usdt(), Amount: "1000000"}}, ServicePayees: 1000, MaxHops: 64, MaxEvents: 5_000_000},
		Seeds:    []*spoorv1.Seed{{Id: 1, Ref: "x", Tx: strings.Repeat("a", 63) + "1", Index: "0", Address: mule, Asset: usdt(), Amount: "25050500000", Time: at(0)}},
		Hops: []*spoorv1.Hop{
			hop(1, 0, 0, victim, mule, "25050500000", "25050500000"),
			hop(2, 1, 59, mule, exchange, "9000000000", "9000000000"),
			hop(3, 1, 7_500, mule, wallet, "30000000000", "16050000000"),
			hop(4, 3, 90_061, wallet, exchange, "6000000000", "6000000000"),
		},
		Terminals: []*spoorv1.Terminal{
			end(wallet, "10050000000", "NOT_COVERED", "RESTING", 3, 7_500, mule),
			end(exchange, "9000000000", "SERVICE", "STOPPED", 2, 59, mule),
			end(exchange, "6000000000", "SERVICE", "STOPPED", 4, 90_061, wallet),
			end("", "500000", "PRUNED", "PRUNED", 0, 80_000, mule),
		},
		Conservation: []*spoorv1.Conservation{{
			Network: "tron", Asset: usdt(), Seeded: "25050500000", Collided: "0", ConvertedIn: "0", Resting: "10050000000", Stopped: "15000000000",
			Burnt: "0", Fees: "0", ConvertedOut: "0", Pruned: "500000", Pending: "0", Conserves: true,
		}},
		AccountsWithAssumedOpening: []*spoorv1.AssumedOpening{{Address: wallet, Asset: usdt(), Opening: "13950000000", Kind: "lower_bound"}},
		PolicyRanges:               []*spoorv1.PolicyRange{{Address: exchange, Asset: usdt(), Low: "8263859874", High: "15000000000"}},
	}
	for _, h := range t.GetHops()[1:] {
		if h.GetTo() == exchange {
			h.ToLabels = label(hostileLabel, "exchange")
		}
	}
	for _, end := range t.GetTerminals() {
		if end.GetAddress() == exchange {
			end.Labels, end.Holder, end.FreezableBy = label(hostileLabel, "exchange"), "VASP hot", "VASP"
		}
	}
	return t
}

func withPolicies(t *spoorv1.Trace) *spoorv1.Trace {
	poisoned := proto.CloneOf(t.GetConservation()[0])
	poisoned.Conserves, poisoned.Stopped = false, "99000000000"
	t.PolicyResults = []*spoorv1.PolicyResult{
		{Policy: "fifo", Terminals: t.GetTerminals(), Conservation: t.GetConservation()},
		{Policy: "poison", Terminals: t.GetTerminals()[1:], Conservation: []*spoorv1.Conservation{poisoned}},
	}
	return t
}

func bangkok(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Bangkok")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestTrace(t *testing.T) {
	golden(t, "trace.txt", text(t, styled(Trace, Style{}), aTrace()))
	golden(t, "trace_wide.txt", text(t, styled(Trace, Style{Wide: true, All: true, Zone: bangkok(t)}), aTrace()))
	golden(t, "trace_hops.csv", text(t, HopsCSV, aTrace()))
	golden(t, "trace_terminals.csv", text(t, TerminalsCSV, aTrace()))
	golden(t, "trace_conservation.csv", text(t, ConservationCSV, withPolicies(aTrace())))
	golden(t, "trace.dot", text(t, Dot, aTrace()))
	golden(t, "trace.svg", text(t, SVG, aTrace()))
	golden(t, "trace.graphml", text(t, GraphML, aTrace()))
	sides := func(w io.Writer, m *spoorv1.Trace) error { return Policies(w, m, nil, Style{}) }
	golden(t, "policies.txt", text(t, sides, withPolicies(aTrace())))
}

// TestNothingHostile: no form that is read on a terminal or in a spreadsheet obeys a label.
func TestNothingHostile(t *testing.T) {
	trace := withPolicies(aTrace())
	for name, print := range map[string]func(io.Writer, *spoorv1.Trace) error{
		"table": styled(Trace, Style{All: true, Wide: true}), "hops": HopsCSV, "terminals": TerminalsCSV, "dot": Dot, "svg": SVG, "graphml": GraphML,
		"policies": func(w io.Writer, m *spoorv1.Trace) error { return Policies(w, m, nil, Style{}) },
	} {
		out := text(t, print, trace)
		for _, r := range out {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
				t.Errorf("%s: %U in %q", name, r, out)
				break
			}
		}
		if !strings.Contains(out, "U+202E") {
			t.Errorf("%s hides the label", name)
		}
	}
}

func TestNeutral(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "plain": "plain", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "'<U+0009>=1", "\r=1": "'<U+000D>=1", "a\x1b[0m": "a<U+001B>[0m", "\xff": "<0xFF>",
	} {
		if got := neutral(cell); got != want {
			t.Errorf("neutral(%q) = %q, want %q", cell, got, want)
		}
	}
}

// TestJSON: the same message, the same bytes, and nothing lost.
func TestJSON(t *testing.T) {
	first := text(t, func(w io.Writer, m *spoorv1.Trace) error { return JSON(w, m) }, aTrace())
	for range 20 {
		if again := text(t, func(w io.Writer, m *spoorv1.Trace) error { return JSON(w, m) }, aTrace()); again != first {
			t.Fatal("two printings differ")
		}
	}
	back := &spoorv1.Trace{}
	if err := protojson.Unmarshal([]byte(first), back); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(back, aTrace()) {
		t.Error("reading it back gives another trace")
	}
	for _, name := range []string{`"accounts_with_assumed_opening"`, `"freezable_by": "VASP"`, `"conserves": true`, `"fees": "0"`} {
		if !strings.Contains(first, name) {
			t.Errorf("no %s in\n%s", name, first)
		}
	}
}

// TestFolded: a tree of 500 hops is cut, says so, and --all has every hop.
func TestFolded(t *testing.T) {
	trace := aTrace()
	for id := uint32(5); id <= 500; id++ {
		h := proto.CloneOf(trace.GetHops()[1])
		h.Id, h.Parent, h.Dirty = id, id/2, strconv.Itoa(int(1000*(id%97)))
		trace.Hops = append(trace.Hops, h)
	}
	short := text(t, styled(Trace, Style{}), trace)
	shown, hidden := 0, 0
	for _, line := range strings.Split(short, "\n") {
		fields := strings.Fields(line)
		switch {
		case strings.Contains(line, "ATTESTED"):
			shown++
		case strings.HasSuffix(line, "hops more") || strings.HasSuffix(line, "hop more"):
			n, err := strconv.Atoi(fields[len(fields)-3])
			if err != nil {
				t.Fatal(line)
			}
			hidden += n
		}
	}
	if shown+hidden != 500 || shown < shownHops || shown > shownHops+10 {
		t.Errorf("printed %d hops and %d as more, want 500 together, %d to %d of them printed\n%s", shown, hidden, shownHops, shownHops+10, short)
	}
	if !strings.Contains(short, "of 500 hops, those with most money (--all prints all)") {
		t.Errorf("does not say that it is cut:\n%s", short)
	}
	if n := strings.Count(text(t, styled(Trace, Style{All: true}), trace), "ATTESTED"); n != 500 {
		t.Errorf("--all prints %d hops, want 500", n)
	}
}

// TestPeelChain: a long chain is not indented, and a deep one does not exhaust anything.
func TestPeelChain(t *testing.T) {
	trace := aTrace()
	trace.Hops = trace.GetHops()[:1]
	for id := uint32(2); id <= 20_000; id++ {
		h := proto.CloneOf(trace.GetHops()[0])
		h.Id, h.Parent = id, id-1
		trace.Hops = append(trace.Hops, h)
	}
	longest := 0
	for _, line := range strings.Split(text(t, styled(Trace, Style{All: true}), trace), "\n") {
		longest = max(longest, len(line))
	}
	if longest > 250 {
		t.Errorf("a line has %d bytes", longest)
	}
}

// TestWrongSheet: a sheet that does not re-add is called out.
func TestWrongSheet(t *testing.T) {
	trace := aTrace()
	trace.Conservation[0].Stopped = "14999999999"
	if out := text(t, styled(Trace, Style{}), trace); !strings.Contains(out, "DOES NOT ADD UP") {
		t.Errorf("accepts a sheet that does not add up:\n%s", out)
	}
}
