package ethnode_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/spoortrace/spoor/chains/evm/ethnode"
	"github.com/spoortrace/spoor/chains/service"
	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// asked walks one question through a real node, and keeps what came.
func asked(t *testing.T, n *ethnode.Node, c *service.Client, q ask.Question) (last ask.Question, body []byte, a ask.Answer, err error) {
	t.Helper()
	for {
		r, err := n.Request(q)
		if err != nil {
			return q, nil, a, err
		}
		err = c.Ask(context.WithoutCancel(t.Context()), q.String(), r, func(status int, raw []byte) error {
			body = raw
			var err error
			a, err = n.Read(q, status, raw)
			return err
		})
		if err != nil || len(a.Next) == 0 {
			return q, body, a, err
		}
		q = a.Next[0]
	}
}

// TestProof: transactions of a real node's blocks are proven by block and receipts,
// with the transfers that those show; what is bent proves nothing.
func TestProof(t *testing.T) {
	geth, err := gethtest.Start(gethtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = geth.Close() })
	token, err := geth.Make(0, "Token", nil, "T", big.NewInt(1_000_000))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := geth.Mine(); err != nil {
		t.Fatal(err)
	}
	var ids []ledger.TxID
	to := common.HexToAddress("0xabc0000000000000000000000000000000000001")
	for i := range 5 {
		pay, err := geth.Send(i, &to, big.NewInt(int64(1000+i)), nil)
		if err != nil {
			t.Fatal(err)
		}
		call, err := geth.Call(0, "Token", token, nil, "transfer", to, big.NewInt(int64(7+i)))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, ledger.TxID(pay.Hash()), ledger.TxID(call.Hash()))
	}
	head, err := geth.Mine()
	if err != nil {
		t.Fatal(err)
	}
	geth.Finalize(head)
	n, err := ethnode.New("evm-1337")
	if err != nil {
		t.Fatal(err)
	}
	c, err := service.Dial(service.Options{URL: geth.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _, a, err := asked(t, n, c, ask.Question{Kind: ask.Head})
	if err != nil || a.Head == nil || a.Head.Tip.Hash != ledger.Hash(head.Hash()) || a.Head.Tip.Height != head.Number.Uint64() {
		t.Fatalf("head %+v, %v", a, err)
	}
	if _, _, a, err = asked(t, n, c, ask.Question{Kind: ask.Block, Range: ledger.Range{From: 1, To: 2}}); err != nil || a.Head.Tip.Height != 1 {
		t.Errorf("block %+v, %v", a, err)
	}
	tokens, values := 0, 0
	for _, id := range ids {
		q, body, a, err := asked(t, n, c, ask.Question{Kind: ask.Proof, Tx: id})
		if err != nil || a.Proven == nil || a.Proven.Block.Hash != ledger.Hash(head.Hash()) || a.Proven.Block.Height != head.Number.Uint64() {
			t.Fatalf("%s: %+v, %v", id, a, err)
		}
		for _, m := range a.Proven.Transfers {
			switch {
			case m.Grade != ledger.GradeProven:
				t.Errorf("%s: %+v is not proven", id, m)
			case m.Kind == ledger.TransferToken:
				tokens++
			case m.Kind == ledger.TransferNative:
				values++
			}
		}
		var receipts []json.RawMessage
		var both []struct {
			Result json.RawMessage `json:"result"`
		}
		if err := json.Unmarshal(body, &both); err != nil || json.Unmarshal(both[1].Result, &receipts) != nil {
			t.Fatal(err)
		}
		for what, change := range map[string][2]string{
			"a receipt's data":   {`"data":"0x00000000`, `"data":"0x10000000`},
			"a value":            {`"value":"0x3e8"`, `"value":"0x3e9"`},
			"the parent":         {`"parentHash":"0x`, `"parentHash":"0xf`},
			"the receipts' root": {`"receiptsRoot":"0x`, `"receiptsRoot":"0xf`},
			"gas":                {`"cumulativeGasUsed":"0x`, `"cumulativeGasUsed":"0x1`},
		} {
			bent := strings.Replace(string(body), change[0], change[1], 1)
			if bent == string(body) {
				t.Fatalf("%s: nothing was changed", what)
			}
			a, err := n.Read(q, 200, []byte(bent))
			if _, named := ledger.FaultOf(err); !named {
				t.Errorf("%s: %+v, %v", what, a, err)
			}
		}
		stranger := q
		stranger.Tx[0] ^= 1
		if _, err := n.Read(stranger, 200, body); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("another transaction: %v", err)
		}
		elsewhere := q
		elsewhere.Cursor = common.Hash{1}.Hex()
		if _, err := n.Read(elsewhere, 200, body); !errors.Is(err, ledger.ErrUntrue) {
			t.Errorf("another block: %v", err)
		}
	}
	if tokens != 5 || values != 5 {
		t.Errorf("%d token transfers and %d values were shown, want 5 and 5", tokens, values)
	}
	if _, _, _, err := asked(t, n, c, ask.Question{Kind: ask.Proof, Tx: ledger.TxID{1}}); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	if _, _, _, err := asked(t, n, c, ask.Question{Kind: ask.Block, Range: ledger.Range{From: 1000, To: 1001}}); err == nil {
		t.Error("a block to come was told")
	}
}

// FuzzRead: whatever comes, a question is answered or refused by name.
func FuzzRead(f *testing.F) {
	for _, text := range []string{`{"jsonrpc":"2.0","id":1,"result":null}`, `[{"id":1,"result":{}},{"id":2,"result":[]}]`, `{"id":1,"error":{"code":-32005,"message":"limit"}}`, `{"id":1,"result":{"number":"0x1","hash":"0x01","timestamp":"0x1"}}`} {
		for kind := range 4 {
			f.Add(kind, []byte(text))
		}
	}
	n, err := ethnode.New("ethereum")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kind int, body []byte) {
		q := []ask.Question{{Kind: ask.Head}, {Kind: ask.Block}, {Kind: ask.Proof}, {Kind: ask.Proof, Part: "block", Cursor: common.Hash{}.Hex()}}[uint(kind)%4]
		_, err := n.Read(q, 200, body)
		if _, named := ledger.FaultOf(err); err != nil && !named && !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%v has no name", err)
		}
	})
}
