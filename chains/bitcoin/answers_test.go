package bitcoin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/ledger"
)

// spoiled serves a node whose answers to one method are replaced from some time
// on. It answers every path that is no call with nothing, as a gate in front may.
type spoiled struct {
	*core
	method string
	answer any
}

func (s *spoiled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var text strings.Builder
	body := json.NewDecoder(r.Body)
	var call json.RawMessage
	if err := body.Decode(&call); err != nil {
		return
	}
	text.Write(call)
	var head struct {
		ID     any
		Method string
	}
	if s.method != "" && json.Unmarshal(call, &head) == nil && head.Method == s.method {
		_ = json.NewEncoder(w).Encode(map[string]any{"id": head.ID, "result": s.answer, "error": nil})
		return
	}
	r.Body = http.NoBody
	if text.Len() > 0 {
		r.Body = readCloser{strings.NewReader(text.String())}
	}
	s.core.ServeHTTP(w, r)
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// Single answers of JSON-RPC that do not hold; the chain held stays as it is.
func TestNodeRefusesAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		answer any
		want   ledger.Fault
	}{
		"no best block":           {"getbestblockhash", nil, ledger.FaultMalformed},
		"a short hash":            {"getbestblockhash", "ab", ledger.FaultMalformed},
		"a number for a hash":     {"getbestblockhash", 5, ledger.FaultMalformed},
		"no height":               {"getblockcount", nil, ledger.FaultMalformed},
		"a negative height":       {"getblockcount", -1, ledger.FaultMalformed},
		"a height above 2^64":     {"getblockcount", json.Number("18446744073709551616"), ledger.FaultMalformed},
		"a height above 2^44":     {"getblockcount", uint64(1) << 45, ledger.FaultContents},
		"a height of 0":           {"getblockcount", 0, ledger.FaultLagging},
		"one hash for all":        {"getblockhash", strings.Repeat("ab", 32), ledger.FaultFinality},
		"no hash":                 {"getblockhash", nil, ledger.FaultMalformed},
		"a header of 79 bytes":    {"getblockheader", strings.Repeat("00", 79), ledger.FaultMalformed},
		"another header":          {"getblockheader", strings.Repeat("00", 80), ledger.FaultWrongBlock},
		"a header that is no hex": {"getblockheader", strings.Repeat("xx", 80), ledger.FaultMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newRegtest(t)
			for i := range byte(10) {
				fake.mine(t, coinbase(i))
			}
			node := &spoiled{core: fake}
			server := httptest.NewServer(node)
			defer server.Close()
			n := dial(t, bitcoin.NodeOptions{Chain: regtest, RPC: rpc.Options{URL: server.URL, Retries: -1}})
			was := fake.blocks[10].Ref.Hash
			fake.mine(t, coinbase(11))
			node.method, node.answer = c.method, c.answer
			if _, err := n.Head(t.Context()); faultOf(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if hash, err := n.Hash(t.Context(), 10); err != nil || hash != was {
				t.Errorf("the chain held changed: %s, %v", hash, err)
			}
			node.method = ""
			if head, err := n.Head(t.Context()); err != nil || head.Tip != fake.blocks[11].Ref {
				t.Errorf("afterwards: got %+v, %v", head, err)
			}
		})
	}
}
