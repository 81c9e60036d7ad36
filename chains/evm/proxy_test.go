package evm

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	gethrpc "github.com/ethereum/go-ethereum/rpc"

	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/internal/gethtest"
)

// proxied is one call on its way to the node.
type proxied struct {
	ID     json.RawMessage
	Method string
	Params []any
}

// answer is what a proxy says instead of the node.
type proxyAnswer struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   *rpc.Error      `json:"error,omitempty"`
}

// proxy stands before a real node and changes what it says: change is given the
// call and the node's result, and returns another, or an error.
func proxy(t testing.TB, n *gethtest.Node, change func(c proxied, result json.RawMessage) (any, *rpc.Error)) string {
	t.Helper()
	one := func(c proxied) proxyAnswer {
		var result json.RawMessage
		a := proxyAnswer{Version: "2.0", ID: c.ID}
		err := n.RPC.CallContext(t.Context(), &result, c.Method, c.Params...)
		if coded := gethrpc.Error(nil); errors.As(err, &coded) {
			a.Error = &rpc.Error{Code: coded.ErrorCode(), Message: coded.Error()}
		}
		if a.Result, a.Error = change(c, result); a.Error == nil && a.Result == nil {
			a.Result = json.RawMessage("null")
		}
		return a
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var calls []proxied
		var single proxied
		var reply any
		if json.Unmarshal(body, &calls) == nil {
			var all []proxyAnswer
			for _, c := range calls {
				all = append(all, one(c))
			}
			reply = all
		} else if json.Unmarshal(body, &single) == nil {
			reply = one(single)
		}
		_ = json.NewEncoder(w).Encode(reply) // the client will see
	}))
	t.Cleanup(s.Close)
	return s.URL
}
