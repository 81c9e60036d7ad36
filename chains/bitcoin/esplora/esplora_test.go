package esplora_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/chains/bitcoin/esplora"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// The first payment between two people: block 170, from Satoshi to Hal Finney, as
// the chain has it, told in Esplora's words.
const (
	payment = "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16"
	coin    = "0437cd7f8525ceed2324359c2d0ba26006d92d856a9c20fa0241106ee5a597c9"
	first   = "410411db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3ac"
	hal     = "4104ae1a62fe09c5f51b13905f07f06b99a2f7159b2225f374cd378d71302fa28414e7aab37397f554a7df5f142c21c1b7303b8a0626f1baded5c72a704f7e6cd84cac"
	signed  = "47304402204e45e16932b8af514961a1d3a1a25fdf3f4f7732e9d624c6c61548ab5fb8cd410220181522ec8eca07de4860a4acdd12909d831cc56cbbac4622082221a8768d1d0901"
	block   = "00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee"
)

func paid() string {
	return fmt.Sprintf(`{"txid":%q,"version":1,"locktime":0,"vin":[{"txid":%q,"vout":0,"prevout":{"scriptpubkey":%q,"value":5000000000},
		"scriptsig":%q,"is_coinbase":false,"sequence":4294967295}],"vout":[{"scriptpubkey":%q,"scriptpubkey_type":"p2pk","value":1000000000},{"scriptpubkey":%q,"value":4000000000}],
		"size":275,"weight":1100,"fee":0,"status":{"confirmed":true,"block_height":170,"block_hash":%q,"block_time":1231731025}}`,
		payment, coin, first, signed, hal, first, block)
}

func id(t *testing.T, s string) ledger.TxID {
	t.Helper()
	x, err := ledger.ParseTxID(s)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func service(t testing.TB) *esplora.Esplora {
	t.Helper()
	e, err := esplora.New("bitcoin")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTx(t *testing.T) {
	q := ask.Question{Kind: ask.Tx, Tx: id(t, payment)}
	a, err := service(t).Read(q, 200, []byte(paid()))
	if err != nil {
		t.Fatal(err)
	}
	p := a.Txs[0]
	if !p.Whole || p.Block.Height != 170 || p.Block.Hash.String() != block || p.Block.Time != 1231731025000 || p.Tx.Time != p.Block.Time || p.Tx.Grade != ledger.GradeAttested {
		t.Errorf("got %+v", p)
	}
	if in := p.Tx.Inputs[0]; in.Prev.Tx.String() != coin || in.Value != ledger.NewAmount(50_0000_0000) || !in.Known || in.Address.String() != "script:"+first {
		t.Errorf("input %+v", in)
	}
	if out := p.Tx.Outputs; len(out) != 2 || out[0].Value != ledger.NewAmount(10_0000_0000) || out[1].Address != p.Tx.Inputs[0].Address {
		t.Errorf("outputs %+v", out)
	}
}

// TestRequests: what each question asks for, and no more.
func TestRequests(t *testing.T) {
	tx := id(t, payment)
	for _, c := range []struct {
		q    ask.Question
		path string
	}{
		{ask.Question{Kind: ask.Head}, "/blocks"},
		{ask.Question{Kind: ask.Block, Range: ledger.Range{From: 170, To: 171}}, "/blocks/170"},
		{ask.Question{Kind: ask.Tx, Tx: tx}, "/tx/" + payment},
		{ask.Question{Kind: ask.Spends, Tx: tx}, "/tx/" + payment + "/outspends"},
		{ask.Question{Kind: ask.Proof, Tx: tx}, "/tx/" + payment + "/merkle-proof"},
		{ask.Question{Kind: ask.Count, Holder: holder(t, genesis)}, "/address/" + genesis},
		{ask.Question{Kind: ask.History, Holder: holder(t, genesis)}, "/address/" + genesis + "/txs/chain"},
		{ask.Question{Kind: ask.History, Holder: holder(t, genesis), Cursor: "170 " + payment}, "/address/" + genesis + "/txs/chain/" + payment},
	} {
		if r, err := service(t).Request(c.q); err != nil || r.Path != c.path || r.Body != "" {
			t.Errorf("%s: %+v, %v; want %s", c.q, r, err, c.path)
		}
	}
	script := ledger.Holder{Address: ledger.ScriptAddress("bitcoin", []byte{0x51}), Asset: ledger.NativeAsset("bitcoin")}
	for _, kind := range []ask.Kind{ask.History, ask.Count} {
		if _, err := service(t).Request(ask.Question{Kind: kind, Holder: script}); !errors.Is(err, ledger.ErrUntrue) {
			t.Errorf("%s: %v, want it to be refused", kind, err)
		}
	}
}

const genesis = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"

func holder(t *testing.T, address string) ledger.Holder {
	t.Helper()
	a, err := ledger.ParseAddress("bitcoin", address)
	if err != nil {
		t.Fatal(err)
	}
	return ledger.Holder{Address: a, Asset: ledger.NativeAsset("bitcoin")}
}

// TestHistory: a list goes on after its last row, the newest first, until it is
// empty or below the range; what is not in order or of somebody else is refused.
func TestHistory(t *testing.T) {
	script, err := hex.DecodeString(first)
	if err != nil {
		t.Fatal(err)
	}
	q := ask.Question{Kind: ask.History, Holder: ledger.Holder{Address: ledger.ScriptAddress("bitcoin", script), Asset: ledger.NativeAsset("bitcoin")}, Range: ledger.Range{To: 1000}}
	read := func(q ask.Question, body string) (ask.Answer, error) { return service(t).Read(q, 200, []byte(body)) }
	a, err := read(q, "["+paid()+"]")
	if err != nil || len(a.Txs) != 1 || !a.Txs[0].Whole || len(a.Next) != 1 || a.Next[0].Cursor != "170 "+payment {
		t.Fatalf("%+v, %v", a, err)
	}
	if a, err = read(a.Next[0], "[]"); err != nil || len(a.Next) != 0 {
		t.Errorf("the end: %+v, %v", a, err)
	}
	q.Range.From = 171
	if a, err = read(q, "["+paid()+"]"); err != nil || len(a.Next) != 0 {
		t.Errorf("below the range: %+v, %v", a, err)
	}
	late, other := q, q
	late.Cursor, other.Holder = "169 "+coin, holder(t, genesis)
	unconfirmed := strings.Replace(paid(), `"confirmed":true`, `"confirmed":false`, 1)
	for name, c := range map[string]struct {
		q     ask.Question
		body  string
		fault ledger.Fault
	}{
		"not in order":   {late, "[" + paid() + "]", ledger.FaultContents},
		"somebody else":  {other, "[" + paid() + "]", ledger.FaultMismatched},
		"unconfirmed":    {q, "[" + unconfirmed + "]", ledger.FaultMalformed},
		"another id":     {q, "[" + strings.Replace(paid(), `"txid":"`+payment, `"txid":"`+coin, 1) + "]", ledger.FaultMismatched},
		"no list":        {q, "{}", ledger.FaultMalformed},
		"a broken place": {ask.Question{Kind: ask.History, Holder: q.Holder, Cursor: "x y"}, "[]", ledger.FaultMalformed},
		"no count":       {ask.Question{Kind: ask.Count, Holder: q.Holder}, "{}", ledger.FaultMalformed},
	} {
		a, err := read(c.q, c.body)
		if fault, _ := ledger.FaultOf(err); fault != c.fault {
			t.Errorf("%s: %v, want %s; got %+v", name, err, c.fault, a)
		}
	}
	if a, err := read(ask.Question{Kind: ask.Count, Holder: q.Holder}, `{"chain_stats":{"tx_count":3}}`); err != nil || a.Count != 3 {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestLies: what is not so, or cannot be, is refused by name and gives nothing.
func TestLies(t *testing.T) {
	honest := paid()
	for _, c := range []struct {
		name, old, with string
		fault           ledger.Fault
	}{
		{"another id", `"txid":"` + payment, `"txid":"` + coin, ledger.FaultMismatched},
		{"an output's value", `"value":1000000000`, `"value":2000000000`, ledger.FaultMismatched},
		{"an output's owner", hal, first, ledger.FaultMismatched},
		{"the coin that it spends", `"txid":"` + coin, `"txid":"` + payment, ledger.FaultMismatched},
		{"another version", `"version":1`, `"version":2`, ledger.FaultMismatched},
		{"the coin's value", `"value":5000000000`, `"value":6000000000`, ledger.FaultContents},
		{"the coin's value and the fee", `"value":5000000000`, `"value":4000000000`, ledger.FaultContents},
		{"a fee", `"fee":0`, `"fee":1`, ledger.FaultContents},
		{"no fee", `"fee":0`, `"feee":0`, ledger.FaultContents},
		{"more than there is", `"value":5000000000`, `"value":9223372036854775807`, ledger.FaultContents},
		{"a negative value", `"value":5000000000`, `"value":-1`, ledger.FaultMalformed},
		{"a fraction", `"value":5000000000`, `"value":1.5`, ledger.FaultMalformed},
		{"no prevout", `"prevout":{"scriptpubkey":"` + first + `","value":5000000000}`, `"prevout":null`, ledger.FaultMalformed},
		{"a block hash that is none", block, "00", ledger.FaultMalformed},
		{"no height", `"block_height":170`, `"height":170`, ledger.FaultMalformed},
		{"a script that is no hex", hal, "zz", ledger.FaultMalformed},
		{"cut off", `"status":{"confirmed":true`, "", ledger.FaultMalformed},
	} {
		text := strings.Replace(honest, c.old, c.with, 1)
		if text == honest {
			t.Fatalf("%s: nothing was changed", c.name)
		}
		a, err := service(t).Read(ask.Question{Kind: ask.Tx, Tx: id(t, payment)}, 200, []byte(text))
		if fault, _ := ledger.FaultOf(err); fault != c.fault {
			t.Errorf("%s: %v, want %s; got %+v", c.name, err, c.fault, a)
		}
	}
	for _, c := range []struct {
		name   string
		kind   ask.Kind
		status int
		body   string
		fault  ledger.Fault
	}{
		{"html", ask.Tx, 200, "<html>", ledger.FaultMalformed},
		{"html with 404", ask.Tx, 404, "<html>", ledger.FaultMalformed},
		{"nothing", ask.Tx, 200, "", ledger.FaultTruncated},
		{"half", ask.Tx, 200, paid()[:300], ledger.FaultTruncated},
		{"two answers", ask.Tx, 200, paid() + paid(), ledger.FaultMalformed},
		{"refused", ask.Tx, 400, "Invalid hex string", ledger.FaultUnsupported},
		{"no spends", ask.Spends, 200, "[]", ledger.FaultMalformed},
		{"a spend without its transaction", ask.Spends, 200, `[{"spent":true,"status":{"confirmed":true,"block_height":5}}]`, ledger.FaultMalformed},
		{"a spend that says nothing", ask.Spends, 200, `[{}]`, ledger.FaultMalformed},
		{"no block", ask.Head, 200, "[]", ledger.FaultMalformed},
		{"a block without a time", ask.Head, 200, `[{"id":"` + block + `","height":170}]`, ledger.FaultMalformed},
		{"another block", ask.Block, 200, `[{"id":"` + block + `","height":169,"timestamp":1}]`, ledger.FaultLagging},
		{"a proof without a place", ask.Proof, 200, `{"block_height":170,"merkle":[]}`, ledger.FaultMalformed},
		{"a proof of noise", ask.Proof, 200, `{"block_height":170,"merkle":["zz"],"pos":1}`, ledger.FaultMalformed},
	} {
		q := ask.Question{Kind: c.kind, Tx: id(t, payment), Range: ledger.Range{From: 170, To: 171}}
		a, err := service(t).Read(q, c.status, []byte(c.body))
		if fault, _ := ledger.FaultOf(err); fault != c.fault {
			t.Errorf("%s: %v, want %s; got %+v", c.name, err, c.fault, a)
		}
	}
	if _, err := service(t).Read(ask.Question{Kind: ask.Tx, Tx: id(t, payment)}, 404, []byte("Transaction not found")); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("404: %v", err)
	}
}

// TestUnconfirmed: what is in no block is no fact, neither a payment nor a spend.
func TestUnconfirmed(t *testing.T) {
	text := strings.Replace(paid(), `"confirmed":true`, `"confirmed":false`, 1)
	a, err := service(t).Read(ask.Question{Kind: ask.Tx, Tx: id(t, payment)}, 200, []byte(text))
	if err != nil || !a.Unconfirmed || len(a.Txs) != 0 {
		t.Errorf("got %+v, %v", a, err)
	}
	a, err = service(t).Read(ask.Question{Kind: ask.Spends, Tx: id(t, payment)}, 200, []byte(`[{"spent":true,"txid":"`+coin+`","vin":0,"status":{"confirmed":false}},{"spent":false}]`))
	if err != nil || len(a.Spends) != 2 || a.Spends[0].Spent || a.Spends[1].Spent {
		t.Errorf("got %+v, %v", a, err)
	}
}

// FuzzRead: whatever comes, a question is answered or refused by name.
func FuzzRead(f *testing.F) {
	for _, text := range []string{paid(), `[{"spent":false}]`, `[{"id":"` + block + `","height":170,"timestamp":1}]`, `{"block_height":170,"merkle":[],"pos":1}`, block, strings.Repeat("00", 80)} {
		for kind := range 6 {
			f.Add(kind, 200, []byte(text))
		}
	}
	e := service(f)
	f.Fuzz(func(t *testing.T, kind, status int, body []byte) {
		kinds := []ask.Kind{ask.Head, ask.Block, ask.Tx, ask.Spends, ask.Proof, ask.History}
		q := ask.Question{Kind: kinds[uint(kind)%uint(len(kinds))], Tx: id(t, payment)}
		if kind < 0 {
			q.Part, q.Cursor = []string{"hash", "header"}[uint(kind)%2], "170 1 "+coin+" "+block
		}
		_, err := e.Read(q, status, body)
		if _, named := ledger.FaultOf(err); err != nil && !named && !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%v has no name", err)
		}
	})
}
