package server_test

import (
	"encoding/base64"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// refusal is what a bad request has to come back as: code and reason, the
// field that BadRequest names (empty: none), and what the message says.
type refusal struct {
	code   codes.Code
	reason string
	field  string
	text   string
}

func (r refusal) check(t *testing.T, name string, err error) {
	t.Helper()
	s := status.Convert(err)
	info, _ := detail[*errdetails.ErrorInfo](err)
	var fields []string
	if bad, ok := detail[*errdetails.BadRequest](err); ok {
		for _, v := range bad.GetFieldViolations() {
			fields = append(fields, v.GetField())
		}
	}
	if s.Code() != r.code || info.GetReason() != r.reason || strings.Join(fields, " ") != r.field || !strings.Contains(s.Message(), r.text) {
		t.Errorf("%s: got %s, reason %q, fields %q: %s\nwant %s, %q, %q: %s", name, s.Code(), info.GetReason(), fields, s.Message(), r.code, r.reason, r.field, r.text)
	}
	if info != nil && info.GetDomain() != "spoor" {
		t.Errorf("%s: domain %q", name, info.GetDomain())
	}
}

const (
	invalid = codes.InvalidArgument
	wrong   = "INVALID_ARGUMENT"
)

// TestBadTraces is the list of bad inputs of a trace: each is refused with its
// code and reason, naming the field, what was wanted and what came, after
// hardly any work, and after none where the form alone is wrong.
func TestBadTraces(t *testing.T) {
	w, reads := countedWorld(t)
	c := local(t, w)
	v1 := ref("tron", "v1", "")
	if c.trace(t, &spoorv1.TraceRequest{Refs: []string{v1}}); reads.Load() == 0 {
		t.Fatal("reads are not counted")
	}
	hash := txID("v1").String()
	with := func(change func(*spoorv1.TraceRequest)) *spoorv1.TraceRequest {
		m := &spoorv1.TraceRequest{Refs: []string{v1}}
		change(m)
		return m
	}
	of := func(refs ...string) *spoorv1.TraceRequest { return &spoorv1.TraceRequest{Refs: refs} }
	amount := func(text string) *spoorv1.TraceRequest {
		return with(func(m *spoorv1.TraceRequest) { m.Amounts = []string{text} })
	}
	hops := func(n int32) *spoorv1.TraceRequest {
		return with(func(m *spoorv1.TraceRequest) { m.MaxHops = &n })
	}
	stop := func(address string) *spoorv1.TraceRequest {
		return with(func(m *spoorv1.TraceRequest) { m.StopAt = []string{address} })
	}
	for name, test := range map[string]struct {
		m    *spoorv1.TraceRequest
		want refusal
	}{
		"no request":              {nil, refusal{invalid, wrong, "request", "request: "}},
		"empty batch":             {of(), refusal{invalid, wrong, "request.refs", "at least 1"}},
		"batch over the limit":    {of(slices.Repeat([]string{hash}, 10_001)...), refusal{invalid, wrong, "request.refs", "10000"}},
		"empty REF":               {of(""), refusal{invalid, wrong, "request.refs[0]", "request.refs[0]: "}},
		"endless REF":             {of(strings.Repeat("a", 513)), refusal{invalid, wrong, "request.refs[0]", "512"}},
		"63 digits":               {of(hash[1:]), refusal{invalid, wrong, "ref", "64 hex digits, got \"" + hash[1:]}},
		"63 digits of a network":  {of("tron:" + hash[1:]), refusal{invalid, wrong, "ref", "64 hex digits"}},
		"no REF":                  {of("my money"), refusal{invalid, wrong, "ref", "NETWORK:TX"}},
		"negative index":          {of(hash + ":-1"), refusal{invalid, wrong, "ref", "an index"}},
		"index above 32 bits":     {of(hash + ":4294967296"), refusal{invalid, wrong, "ref", "an index"}},
		"unknown network":         {of("dogecoin:" + hash), refusal{invalid, wrong, "network", "dogecoin"}},
		"unknown network, apart":  {with(func(m *spoorv1.TraceRequest) { m.Network = "dogecoin" }), refusal{invalid, wrong, "network", "dogecoin"}},
		"no explorer":             {of("https://example.com/tx/" + hash), refusal{invalid, wrong, "ref", "a transaction page of"}},
		"Bitcoin hash as TRON":    {of(ref("tron", "pay", "")), refusal{codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "is not of tron, it is of bitcoin"}},
		"Bitcoin hash, TRON case": {&spoorv1.TraceRequest{Refs: []string{txID("pay").String()}, Network: "tron"}, refusal{codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "is not of tron, it is of bitcoin"}},
		"unknown transaction":     {of(ref("bitcoin", "nowhere", "")), refusal{codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "not in the index; bitcoin indexed to height 5"}},
		"unknown, with asset": {
			&spoorv1.TraceRequest{Refs: []string{txID("nowhere").String()}, Asset: "USDT"},
			refusal{codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "not in the index"},
		},
		"network not held":   {of("ethereum:" + hash), refusal{codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "is not of ethereum, it is of tron"}},
		"no such output":     {of(ref("bitcoin", "pay", ":7")), refusal{codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "no such payment"}},
		"reverted":           {of(ref("tron", "failed", "")), refusal{invalid, wrong, "ref", "reverted; moved 0"}},
		"zero value":         {of(ref("tron", "zero", "")), refusal{invalid, wrong, "ref", "carries no value; poisoning pattern"}},
		"several transfers":  {of(ref("tron", "two", "")), refusal{invalid, "AMBIGUOUS", "", "ambiguous"}},
		"fake USDT":          {&spoorv1.TraceRequest{Refs: []string{ref("tron", "fake", "")}, Asset: "USDT"}, refusal{invalid, "UNSUPPORTED_ASSET", "asset", "is not asset USDT"}},
		"unknown asset":      {with(func(m *spoorv1.TraceRequest) { m.Asset = "DOGE" }), refusal{invalid, "UNSUPPORTED_ASSET", "asset", "DOGE"}},
		"negative":           {amount("-1"), refusal{invalid, wrong, "amount", `got "-1"`}},
		"exponent":           {amount("1e3"), refusal{invalid, wrong, "amount", `got "1e3"`}},
		"more decimals":      {amount("1.0000001"), refusal{invalid, wrong, "amount", `at most 6 decimals, got "1.0000001"`}},
		"above 2^256-1":      {amount("115792089237316195423570985008687907853269984665640564039457584007913129639936u"), refusal{invalid, wrong, "amount", "256"}},
		"more than was paid": {amount("61u"), refusal{invalid, wrong, "amount", "at most what was paid, 0.00006 USDT"}},
		"nothing of it":      {amount("0"), refusal{invalid, wrong, "amount", "more than 0"}},
		"too many amounts": {
			with(func(m *spoorv1.TraceRequest) { m.Amounts = []string{"1u", "1u"} }),
			refusal{invalid, wrong, "amounts", "one for each of 1 REFs"},
		},
		"floor":        {with(func(m *spoorv1.TraceRequest) { m.MinValue = "-5" }), refusal{invalid, wrong, "min_value", `got "-5"`}},
		"no hops":      {hops(0), refusal{invalid, wrong, "request.max_hops", "got 0"}},
		"minus a hop":  {hops(-1), refusal{invalid, wrong, "request.max_hops", "got -1"}},
		"endless hops": {hops(1_000_000_000), refusal{invalid, wrong, "request.max_hops", "got 1000000000"}},
		"no events": {
			with(func(m *spoorv1.TraceRequest) { n := int64(0); m.MaxEvents = &n }),
			refusal{invalid, wrong, "request.max_events", "got 0"},
		},
		"events above the server's": {
			with(func(m *spoorv1.TraceRequest) { n := int64(math.MaxInt64); m.MaxEvents = &n }),
			refusal{invalid, wrong, "max_events", "at most "},
		},
		"good ones before it": {
			of(append(slices.Repeat([]string{hash}, 5000), "dogecoin:"+hash)...), refusal{invalid, wrong, "network", "dogecoin"},
		},
		"time without zone": {
			with(func(m *spoorv1.TraceRequest) { m.AsOf = "2022-01-05T17:55:12" }),
			refusal{invalid, wrong, "as_of", "a height or a time with zone"},
		},
		"unknown policy": {
			with(func(m *spoorv1.TraceRequest) { m.Policy = "lilo" }),
			refusal{invalid, wrong, "policy", "dirty-first, fifo"},
		},
		"unknown direction": {
			with(func(m *spoorv1.TraceRequest) { m.Direction = 7 }),
			refusal{invalid, wrong, "request.direction", "request.direction"},
		},
		"upstream": {
			with(func(m *spoorv1.TraceRequest) {
				m.Direction, m.Policy = spoorv1.Direction_DIRECTION_UPSTREAM, "libr"
			}),
			refusal{codes.FailedPrecondition, "FAILED_PRECONDITION", "", "libr has no upstream answer; those that have: fifo, lifo, haircut, poison"},
		},
		"stop at nowhere": {stop("tron:T"), refusal{invalid, wrong, "stop_at", "a tron address"}},
		"through nowhere": {
			with(func(m *spoorv1.TraceRequest) { m.Through = []string{"TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"} }),
			refusal{invalid, wrong, "through", "NETWORK:ADDRESS"},
		},
		"TRON checksum":      {stop("tron:TV6MuMXfmLbBqPZvBHdwFsDnQeVfnmiuSj"), refusal{invalid, wrong, "stop_at", "checksum"}},
		"EIP-55":             {stop("ethereum:0xdAC17F958D2ee523a2206206994597C13D831eC7"), refusal{invalid, wrong, "stop_at", "checksum mismatch at character"}},
		"bech32, mixed case": {stop("bitcoin:bc1QW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"), refusal{invalid, wrong, "stop_at", "not all lowercase or all uppercase"}},
		"testnet on mainnet": {stop("bitcoin:tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"), refusal{invalid, wrong, "stop_at", "another network"}},
	} {
		reads.Store(0)
		_, err := c.stream(t.Context(), test.m)
		test.want.check(t, name, err)
		formal := strings.HasPrefix(test.want.field, "request") || slices.Contains([]string{"network", "policy", "stop_at", "through", "max_events", "as_of"}, test.want.field)
		if n := reads.Load(); n > 100 || formal && n > 0 {
			t.Errorf("%s: refused after %d reads", name, n)
		}
		if test.m == nil || len(test.m.GetRefs()) > 10_000 || test.want.field == "request" || strings.HasPrefix(test.want.field, "request.") {
			continue // refused before a trace begins
		}
		failed := c.started(t, &spoorv1.StartTraceRequest{Request: test.m})
		test.want.check(t, name+", begun with StartTrace", status.ErrorProto(failed.GetError()))
		if failed.GetState() != "FAILED" || failed.GetTerminals() != nil {
			t.Errorf("%s: begun with StartTrace: %v", name, failed)
		}
	}
}

// TestAmbiguous: the candidates are in the details, each with a REF that works.
func TestAmbiguous(t *testing.T) {
	c := local(t, newWorld(t))
	_, err := c.stream(t.Context(), &spoorv1.TraceRequest{Refs: []string{txID("two").String()}})
	found, ok := detail[*spoorv1.AmbiguousRef](err)
	if !ok || found.GetRef() != txID("two").String() || len(found.GetCandidates()) != 2 {
		t.Fatalf("got %v, %v", found, err)
	}
	for i, to := range []string{"d", "e"} {
		one := found.GetCandidates()[i]
		if who("tron", one.GetFrom()) != "victim" || who("tron", one.GetTo()) != to || one.GetAmount() != []string{"7", "8"}[i] || one.GetAsset().GetSymbol() != "USDT" {
			t.Errorf("candidate %d: %v", i, one)
		}
		got := c.trace(t, &spoorv1.TraceRequest{Refs: []string{one.GetRef()}, MinValue: "0"})
		if who("tron", got.GetSeeds()[0].GetAddress()) != to {
			t.Errorf("%s leads to %v", one.GetRef(), got.GetSeeds())
		}
	}
	coins := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("bitcoin", "fund", ":1")}, MinValue: "0"})
	if who("bitcoin", coins.GetSeeds()[0].GetAddress()) != "victim" {
		t.Errorf("an exact REF leads to %v", coins.GetSeeds())
	}
}

// TestAmbiguousWide: a payout to thousands still says that it is ambiguous, in
// trailers that clients take: gRPC's C core gives up above 16 KiB.
func TestAmbiguousWide(t *testing.T) {
	w := newWorld(t)
	blocks := coinBlocks()
	wide := spending("wide", []ledger.OutPoint{out("on", 0)})
	for range 5000 {
		wide.Outputs = append(wide.Outputs, ledger.Output{Address: named("bitcoin", "d"), Value: ledger.NewAmount(1)})
	}
	w.append(t, block(blocks[5], 6, coins0+60*minute, spending("r6", nil, coin{"miner", 50}), wide))
	c := local(t, w)
	_, err := c.stream(t.Context(), &spoorv1.TraceRequest{Refs: []string{ref("bitcoin", "wide", "")}})
	refusal{invalid, "AMBIGUOUS", "", "and 4980 more"}.check(t, "5000 payments", err)
	found, _ := detail[*spoorv1.AmbiguousRef](err)
	if n := len(found.GetCandidates()); n != 20 {
		t.Errorf("%d candidates, want 20 and in the text how many more", n)
	}
	if size := base64.StdEncoding.EncodedLen(proto.Size(status.Convert(err).Proto())) + len(status.Convert(err).Message()); size > 15<<10 {
		t.Errorf("trailers of %d bytes", size)
	}
	_, err = c.stream(t.Context(), &spoorv1.TraceRequest{Refs: make([]string, 9_000)})
	bad, _ := detail[*errdetails.BadRequest](err)
	if n := len(bad.GetFieldViolations()); status.Code(err) != invalid || n == 0 || n > 20 {
		t.Errorf("9000 empty REFs: %d violations, %v", n, status.Code(err))
	}
}

// TestTooLarge: a message over 4 MiB is refused as a whole.
func TestTooLarge(t *testing.T) {
	c := local(t, newWorld(t))
	refs := make([]string, 9_999)
	for i := range refs {
		refs[i] = strings.Repeat("x", 500)
	}
	_, err := c.StartTrace(t.Context(), &spoorv1.StartTraceRequest{Request: &spoorv1.TraceRequest{Refs: refs}})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("5 MB of request: %v", err)
	}
}
