package bitcoin_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/ledger"
)

// core answers as Bitcoin Core does, from blocks on disk.
type core struct {
	chain  ledger.Chain
	blocks []*ledger.Block
	coins  map[ledger.OutPoint]ledger.Output
	byHash map[string]int

	rest, spent bool            // what it serves
	prevouts    bool            // in JSON
	refuse      map[string]bool // paths and methods that it does not know
	warming     bool
	pruned      int // blocks below are not there

	mu     sync.Mutex        // guards what follows
	served map[string]int    // by method or kind of path
	pool   map[string]string // unconfirmed transactions in hex, by id
	state  uint64            // of pool
}

func (c *core) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.served[what]++
}

// counted returns how often something was asked.
func (c *core) counted(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.served[what]
}

// setPool replaces the unconfirmed transactions.
func (c *core) setPool(pool map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pool, c.state = pool, c.state+1
}

func (c *core) callPool(method string, params []any) (result any, code int, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if method == "getrawmempool" && len(params) > 1 && c.refuse["mempool_sequence"] {
		return nil, -1, "getrawmempool ( verbose )"
	}
	if method == "getrawmempool" && len(params) == 1 {
		return slices.Sorted(maps.Keys(c.pool)), 0, ""
	}
	if method == "getrawmempool" {
		return map[string]any{"txids": slices.Sorted(maps.Keys(c.pool)), "mempool_sequence": c.state}, 0, ""
	}
	if text, ok := c.pool[params[0].(string)]; ok {
		return text, 0, ""
	}
	return nil, -5, "No such mempool or blockchain transaction"
}

// newCore serves the first count blocks of mainnet.
func newCore(t *testing.T, count int) *core {
	t.Helper()
	files, err := archive.Open(t.Context(), archive.Options{Chain: "bitcoin", Blocks: []string{"../../testdata/demo/bitcoin"}})
	if err != nil {
		t.Fatal(err)
	}
	c := &core{chain: "bitcoin", coins: map[ledger.OutPoint]ledger.Output{}, byHash: map[string]int{}, refuse: map[string]bool{}, served: map[string]int{}}
	for h := range uint64(count) {
		b, err := files.Block(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		c.add(b)
	}
	return c
}

func (c *core) add(b *ledger.Block) {
	c.byHash[b.Ref.Hash.String()] = len(c.blocks)
	c.blocks = append(c.blocks, b)
	for i := range b.Txs {
		for k, out := range b.Txs[i].Outputs {
			c.coins[ledger.OutPoint{Tx: b.Txs[i].ID, Index: uint32(k)}] = out
		}
	}
}

// serve runs the node; its answers are counted by method.
func (c *core) serve(t *testing.T) rpc.Options {
	t.Helper()
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return rpc.Options{URL: server.URL, Retries: 1}
}

func (c *core) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path, ok := strings.CutPrefix(r.URL.Path, "/rest/"); ok && c.rest {
		c.serveREST(w, strings.Split(strings.TrimSuffix(path, ".bin"), "/"))
		return
	}
	if r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(r.Body); err != nil {
		return
	}
	if bytes.HasPrefix(bytes.TrimSpace(text.Bytes()), []byte("[")) {
		var calls []json.RawMessage
		_ = json.Unmarshal(text.Bytes(), &calls)
		answers := make([]any, len(calls))
		for i := range calls {
			answers[i] = c.answer(calls[i])
		}
		_ = json.NewEncoder(w).Encode(answers)
		return
	}
	_ = json.NewEncoder(w).Encode(c.answer(text.Bytes()))
}

func (c *core) serveREST(w http.ResponseWriter, part []string) {
	i, ok := c.byHash[part[len(part)-1]]
	if !ok || c.refuse[part[0]] || (part[0] != "headers" && i < c.pruned) {
		http.Error(w, part[len(part)-1]+" not available", http.StatusNotFound)
		return
	}
	c.count(part[0])
	switch part[0] {
	case "headers":
		count, _ := strconv.Atoi(part[1])
		for _, b := range c.blocks[i:min(i+count, len(c.blocks))] {
			_, _ = w.Write(b.Header)
		}
	case "block":
		_, _ = w.Write(c.blocks[i].Raw)
	case "spenttxouts":
		if !c.spent {
			http.NotFound(w, nil)
			return
		}
		_, _ = w.Write(c.spentOutputs(i))
	}
}

// spentOutputs writes what the inputs of a block spend as Core's REST does.
func (c *core) spentOutputs(i int) []byte {
	var b bytes.Buffer
	_ = wire.WriteVarInt(&b, 0, uint64(len(c.blocks[i].Txs)))
	for _, tx := range c.blocks[i].Txs {
		_ = wire.WriteVarInt(&b, 0, uint64(len(tx.Inputs)))
		for _, in := range tx.Inputs {
			out := c.coins[in.Prev]
			value, _ := out.Value.Uint64()
			_ = wire.WriteTxOut(&b, 0, 0, wire.NewTxOut(int64(value), out.Address.Script()))
		}
	}
	return b.Bytes()
}

func (c *core) answer(request json.RawMessage) any {
	var call struct {
		ID     any
		Method string
		Params []any
	}
	_ = json.Unmarshal(request, &call)
	c.count(call.Method)
	result, code, message := c.call(call.Method, call.Params)
	if message != "" {
		return map[string]any{"id": call.ID, "result": nil, "error": map[string]any{"code": code, "message": message}}
	}
	return map[string]any{"id": call.ID, "result": result, "error": nil}
}

func (c *core) call(method string, params []any) (result any, code int, message string) {
	if c.warming {
		return nil, -28, "Loading block index..."
	}
	if c.refuse[method] {
		return nil, -32601, "Method not found"
	}
	switch method {
	case "getnetworkinfo":
		return map[string]any{"subversion": "/Satoshi:30.0.0/"}, 0, ""
	case "getbestblockhash":
		return c.blocks[len(c.blocks)-1].Ref.Hash.String(), 0, ""
	case "getblockcount":
		return len(c.blocks) - 1, 0, ""
	case "getblockhash":
		h := int(params[0].(float64))
		if h >= len(c.blocks) {
			return nil, -8, "Block height out of range"
		}
		return c.blocks[h].Ref.Hash.String(), 0, ""
	case "getblockheader", "getblock":
		return c.callBlock(method, params)
	case "getrawmempool", "getrawtransaction":
		return c.callPool(method, params)
	}
	return nil, -32601, "Method not found"
}

func (c *core) callBlock(method string, params []any) (result any, code int, message string) {
	i, ok := c.byHash[params[0].(string)]
	switch {
	case !ok:
		return nil, -5, "Block not found"
	case method == "getblockheader":
		return hex.EncodeToString(c.blocks[i].Header), 0, ""
	case i < c.pruned:
		return nil, -1, "Block not available (pruned data)"
	case params[1].(float64) == 0:
		return hex.EncodeToString(c.blocks[i].Raw), 0, ""
	}
	return c.verbose(i), 0, ""
}

// verbose is getblock at verbosity 3, as far as it concerns inputs.
func (c *core) verbose(i int) any {
	var txs []any
	for _, tx := range c.blocks[i].Txs {
		var vin []any
		for _, in := range tx.Inputs {
			input := map[string]any{"txid": in.Prev.Tx.String(), "vout": in.Prev.Index}
			if c.prevouts {
				out := c.coins[in.Prev]
				input["prevout"] = map[string]any{
					"generated": true, "height": 1, "value": json.Number(out.Value.Decimal(8)),
					"scriptPubKey": map[string]any{"hex": hex.EncodeToString(out.Address.Script())},
				}
			}
			vin = append(vin, input)
		}
		if len(vin) == 0 {
			vin = []any{map[string]any{"coinbase": "00"}}
		}
		txs = append(txs, map[string]any{"txid": tx.ID.String(), "vin": vin})
	}
	return map[string]any{"hash": c.blocks[i].Ref.Hash.String(), "tx": txs}
}

// Mainnet by every way of reading: the same blocks, with the coins where the way tells them.
func TestNodeReadsCore(t *testing.T) {
	c := newCore(t, 14_132)
	c.spent, c.prevouts = true, true
	for name, test := range map[string]struct {
		rest, known bool
		refuse      string
		from        uint64
		ask         string // what a block must have been asked with
	}{
		"REST":                        {rest: true, known: true, ask: "spenttxouts"},
		"REST without spenttxouts":    {rest: true, refuse: "spenttxouts", ask: "block"},
		"REST, a part of the chain":   {rest: true, known: true, refuse: "spenttxouts", from: 1, ask: "getblock"},
		"JSON":                        {ask: "getblock"},
		"JSON, a part of the chain":   {known: true, from: 1, ask: "getblock"},
		"JSON, an index from genesis": {ask: "getblockheader"},
	} {
		t.Run(name, func(t *testing.T) {
			c.rest, c.refuse, c.served = test.rest, map[string]bool{test.refuse: true}, map[string]int{}
			n := dial(t, bitcoin.NodeOptions{Chain: "bitcoin", RPC: c.serve(t), From: test.from})
			head, err := n.Head(t.Context())
			if want := c.blocks[14_131].Ref; err != nil || head.Tip != want {
				t.Fatalf("head: got %+v, %v; want %+v", head, err, want)
			}
			for h, want := range c.blocks {
				if len(want.Txs) > 1 || h%1000 == 0 {
					c.check(t, n, uint64(h), test.known)
				}
			}
			if c.counted(test.ask) == 0 {
				t.Errorf("never asked for %s", test.ask)
			}
		})
	}
}

// check compares one block with the one on disk, and its inputs with the coins.
func (c *core) check(t *testing.T, n *bitcoin.Node, height uint64, known bool) {
	t.Helper()
	got, err := n.Block(t.Context(), height)
	if err != nil {
		t.Fatal(err)
	}
	want := c.blocks[height]
	if got.Ref != want.Ref || got.Parent != want.Parent || got.Grade != ledger.GradeProven || !bytes.Equal(got.Raw, want.Raw) || len(got.Txs) != len(want.Txs) {
		t.Fatalf("block %d: got %+v", height, got.Ref)
	}
	if !strings.HasPrefix(got.Source, "Satoshi:30.0.0 at http://") {
		t.Fatalf("block %d comes from %s", height, got.Source)
	}
	for i, tx := range got.Txs {
		if tx.ID != want.Txs[i].ID || tx.Pos != want.Txs[i].Pos {
			t.Fatalf("block %d, transaction %d: got %s at %d", height, i, tx.ID, tx.Pos)
		}
		for k, in := range tx.Inputs {
			coin := c.coins[in.Prev]
			if own := want.Txs[i].Inputs[k].Known; in.Known != (known || own) || in.Known && (in.Value != coin.Value || in.Address != coin.Address) {
				t.Fatalf("block %d, transaction %d, input %d: got %+v, want %+v", height, i, k, in, coin)
			}
		}
	}
}

// What a node says of itself has a name of its own.
func TestNodeFaults(t *testing.T) {
	c := newCore(t, 200)
	for name, test := range map[string]struct {
		spoil func()
		want  ledger.Fault
		text  string
	}{
		"pruned":          {func() { c.pruned = 171 }, ledger.FaultUnsupported, "keeps only the newest blocks"},
		"warming up":      {func() { c.warming = true }, ledger.FaultBusy, "Loading block index"},
		"block not there": {func() { delete(c.byHash, c.blocks[170].Ref.Hash.String()) }, ledger.FaultLagging, "Block not found"},
		"another block":   {func() { c.byHash[c.blocks[170].Ref.Hash.String()] = 169 }, ledger.FaultWrongBlock, c.blocks[169].Ref.Hash.String()},
		"no getblock":     {func() { c.refuse["getblock"] = true }, ledger.FaultUnsupported, "Method not found"},
	} {
		for _, rest := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", REST ", rest), func(t *testing.T) {
				c.become(c.blocks)
				c.rest, c.refuse, c.warming, c.pruned = rest, map[string]bool{}, false, 0
				n := dial(t, bitcoin.NodeOptions{Chain: "bitcoin", RPC: c.serve(t)})
				if _, err := n.Head(t.Context()); err != nil {
					t.Fatal(err)
				}
				test.spoil()
				if rest && name == "no getblock" {
					return // REST gives the block
				}
				if rest && name == "warming up" {
					c.rest = false // it refuses REST as well
				}
				if _, err := n.Block(t.Context(), 170); faultOf(err) != test.want || !strings.Contains(err.Error(), test.text) {
					t.Errorf("got %v, want %s with %q", err, test.want, test.text)
				}
			})
		}
	}
}
