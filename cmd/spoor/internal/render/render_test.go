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

	"github.com/spoortrace/spoor/ledger"
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
	sides := func(w io.Writer, m *spoorv1.Trace) error { return Policies(w, m, nil, Style{}) }
	golden(t, "policies.txt", text(t, sides, withPolicies(aTrace())))
}

// TestNothingHostile: no form that is read on a terminal or in a spreadsheet obeys a label.
func TestNothingHostile(t *testing.T) {
	trace := withPolicies(aTrace())
	for name, print := range map[string]func(io.Writer, *spoorv1.Trace) error{
		"table": styled(Trace, Style{All: true, Wide: true}), "hops": HopsCSV, "terminals": TerminalsCSV, "dot": Dot,
		"policies": func(w io.Writer, m *spoorv1.Trace) error { return Policies(w, m, nil, Style{}) },
	} {
		out := text(t, print, trace)
		for _, r := range out {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
				t.Errorf("%s: %U in %q", name, r, out)
				break
			}
		}
		if !strings.Contains(out, "<U+202E>") {
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

func TestPercent(t *testing.T) {
	for _, test := range []struct {
		part, whole uint64
		want        string
	}{
		{0, 0, ""},
		{0, 3, "0%"},
		{1, 3, "33.33%"},
		{2, 3, "66.66%"},
		{3, 3, "100%"},
		{1, 1_000_000, "<0.01%"},
		{999_999, 1_000_000, "99.99%"},
		{1, 4, "25%"},
		{4, 3, ">100%"},
	} {
		if got := percent(ledger.NewAmount(test.part), ledger.NewAmount(test.whole)); got != test.want {
			t.Errorf("%d of %d is %q, want %q", test.part, test.whole, got, test.want)
		}
	}
}

func TestSince(t *testing.T) {
	for seconds, want := range map[int64]string{0: "+0s", 59: "+59s", 60: "+1m00s", 7500: "+2h05m", 86399: "+23h59m", 90061: "+1d01h", -420: "-7m00s"} {
		if got := since(at(seconds), at(0)); got != want {
			t.Errorf("%d seconds: %q, want %q", seconds, got, want)
		}
	}
}

// TestSymbol: a token that calls itself USDT is not printed as USDT.
func TestSymbol(t *testing.T) {
	fake := &spoorv1.Asset{Network: "tron", Contract: wallet, Symbol: "USDT\u202e", Decimals: 6}
	if got, want := money("5000000", fake), `5 "USDT<U+202E>" of `+wallet; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := money("5000000", usdt()); got != "5 USDT" {
		t.Errorf("got %q", got)
	}
}

func TestAddressForms(t *testing.T) {
	const key = "script:410411db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3ac"
	for s, want := range map[string]string{
		key:                                  "P2PK of 12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S",
		"script:6a0568656c6c6f":              "script:6a0568656c6c6f",
		"script:" + strings.Repeat("5", 100): "script of 50 bytes " + strings.Repeat("5", 16) + ".." + strings.Repeat("5", 16),
		"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
	} {
		if got := address("bitcoin", s); got != want {
			t.Errorf("%s: got %q, want %q", s, got, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	height := uint32(170)
	coverage := &spoorv1.Coverage{Network: "bitcoin", State: "COMPLETE", Detail: "every block from 0 to 200 is held"}
	tip := uint32(200)
	asOf := &spoorv1.AsOf{Network: "bitcoin", Height: &tip, BlockHash: "bb", Time: at(50)}
	tx := &spoorv1.Transaction{
		Network: "bitcoin", Tx: "f418", Height: &height, BlockHash: "aa", TxIndex: 1, Time: at(0), Status: "UNKNOWN", Grade: "PROVEN", Fee: "1500",
		Inputs: []*spoorv1.TransactionInput{{PreviousTx: "0437", Address: "12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S", Amount: "5000001500"}, {Index: 1, PreviousTx: "0438", PreviousIndex: 7}},
		Outputs: []*spoorv1.TransactionOutput{
			{Address: "1Q2TWHE3GMdB6BZKafqwxXtWAWgFt5Jvm3", Amount: "1000000000", SpendState: "SPENT", SpentByTx: "ea44", SpentByInput: 2},
			{Index: 1, Address: "12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S", Amount: "4000000000", SpendState: "UNKNOWN", Labels: label(hostileLabel, "exchange")},
		},
		AsOf: asOf, Coverage: coverage,
	}
	golden(t, "tx.txt", text(t, styled(Transaction, Style{}), tx))
	golden(t, "tx.csv", text(t, TransactionCSV, tx))
	info := &spoorv1.AddressInfo{
		Network: "tron", Address: mule, OtherForms: []string{"41d6", "0xd6"}, Labels: label("Seizure order", "terrorist_financing"), AsOf: &spoorv1.AsOf{Network: "tron", Time: at(9)},
		Coverage: &spoorv1.Coverage{Network: "tron", State: "UNKNOWN"},
		Balances: []*spoorv1.AssetBalance{{Asset: usdt(), Balance: "19844000000", Received: "50000000000", Sent: "31000000000", ReceivedCount: 5, SentCount: 4, First: at(0), Last: at(9), AssumedOpening: "844000000"}},
		Events: []*spoorv1.AddressEvent{
			{Position: &spoorv1.Position{Time: at(9), Tx: "bb"}, Index: "0", Direction: "SENT", Counterparty: wallet, Asset: usdt(), Amount: "1000000"},
			{Position: &spoorv1.Position{Time: at(0), Tx: "aa"}, Index: "0", Direction: "RECEIVED", Counterparty: victim, Asset: usdt(), Amount: "2500000000"},
		},
	}
	golden(t, "address.txt", text(t, styled(Address, Style{}), info))
	golden(t, "address.csv", text(t, AddressCSV, info))
	retracted := append(label(hostileLabel, "exchange"), label("=cmd()", "scam")...)
	retracted[1].RetractedSequence = 9
	golden(t, "labels.txt", text(t, styled(Labels, Style{}), retracted))
	golden(t, "labels.csv", text(t, LabelsCSV, retracted))
	status := &spoorv1.IndexStatusResponse{LabelSequence: 3, Labels: 7249, Networks: []*spoorv1.NetworkStatus{{
		AsOf: asOf, Coverage: coverage, Format: 1, FoldedHeight: &height, Blocks: 201, Transactions: 210, Transfers: 222, Addresses: 205, Digest: "cc", DiskBytes: 11_349_999,
		Files: []*spoorv1.ImportedFile{{Name: "a.csv", Sha256: "dd", SizeBytes: 999}},
	}}}
	golden(t, "status.txt", text(t, styled(Status, Style{}), status))
	golden(t, "status.csv", text(t, StatusCSV, status))
	verdict := &spoorv1.VerifyIndexResult{Networks: []*spoorv1.NetworkVerification{{Network: "bitcoin", Rows: 12, Digest: "cc", Ok: true}, {Network: "tron", Problems: []string{"row 3: checksum"}}}}
	golden(t, "verify.txt", text(t, Verification, verdict))
	golden(t, "verify.csv", text(t, VerificationCSV, verdict))
	ingested := &spoorv1.IngestResult{Network: "tron", Blocks: 1, Transactions: 4662, Transfers: 4662, Duplicates: 2, Labels: 30, AsOf: asOf, Coverage: coverage, Digest: "cc", Warnings: []string{"x: left out"}}
	golden(t, "ingest.txt", text(t, styled(Ingest, Style{}), ingested))
}
