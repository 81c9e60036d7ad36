package blockbook_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/chains/bitcoin/blockbook"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// The first payment between two people: block 170, from Satoshi to Hal Finney, as
// the chain has it, told in Blockbook's words.
const (
	payment = "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16"
	coin    = "0437cd7f8525ceed2324359c2d0ba26006d92d856a9c20fa0241106ee5a597c9"
	spender = "ea44e97271691990157559d0bdd9959e02790c34db6c006d779e82fa5aee708e"
	first   = "410411db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3ac"
	hal     = "4104ae1a62fe09c5f51b13905f07f06b99a2f7159b2225f374cd378d71302fa28414e7aab37397f554a7df5f142c21c1b7303b8a0626f1baded5c72a704f7e6cd84cac"
	signed  = "47304402204e45e16932b8af514961a1d3a1a25fdf3f4f7732e9d624c6c61548ab5fb8cd410220181522ec8eca07de4860a4acdd12909d831cc56cbbac4622082221a8768d1d0901"
	block   = "00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee"
	raw     = "0100000001c997a5e56e104102fa209c6a852dd90660a20b2d9c352423edce25857fcd37040000000048" + signed + "ffffffff0200ca9a3b00000000" + "43" + hal + "00286bee00000000" + "43" + first + "00000000"
)

func paid() string {
	return fmt.Sprintf(`{"txid":%q,"version":1,"vin":[{"txid":%q,"n":0,"addresses":["12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S"],"isAddress":false,"value":"5000000000"}],
		"vout":[{"value":"1000000000","n":0,"hex":%q,"addresses":["1Q2TWHE3GMdB6BZKafqwxXtWAWgFt5Jvm3"],"isAddress":false},
		{"value":"4000000000","n":1,"spent":true,"spentTxId":%q,"spentHeight":181,"hex":%q}],
		"blockHash":%q,"blockHeight":170,"confirmations":1,"blockTime":1231731025,"value":"5000000000","valueIn":"5000000000","fees":"0","hex":%q}`,
		payment, coin, hal, spender, first, block, raw)
}

func id(t testing.TB, s string) ledger.TxID {
	t.Helper()
	x, err := ledger.ParseTxID(s)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func service(t testing.TB) *blockbook.Blockbook {
	t.Helper()
	b, err := blockbook.New("bitcoin")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTx(t *testing.T) {
	for _, kind := range []ask.Kind{ask.Tx, ask.Spends} {
		a, err := service(t).Read(ask.Question{Kind: kind, Tx: id(t, payment)}, 200, []byte(paid()))
		if err != nil {
			t.Fatal(err)
		}
		p := a.Txs[0]
		if !p.Whole || p.Block.Height != 170 || p.Block.Hash.String() != block || p.Block.Time != 1231731025000 || p.Tx.Grade != ledger.GradeAttested {
			t.Errorf("got %+v", p)
		}
		if in := p.Tx.Inputs[0]; in.Prev.Tx.String() != coin || in.Value != ledger.NewAmount(50_0000_0000) || !in.Known || !in.Address.IsZero() {
			t.Errorf("input %+v", in)
		}
		if out := p.Tx.Outputs; len(out) != 2 || out[0].Value != ledger.NewAmount(10_0000_0000) || out[1].Address.String() != "script:"+first {
			t.Errorf("outputs %+v", out)
		}
		if s := a.Spends; len(s) != 2 || s[0].Spent || !s[1].Spent || s[1].By.String() != spender || s[1].Height != 181 || s[1].Of.Index != 1 {
			t.Errorf("spends %+v", s)
		}
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
		{"other bytes", `"hex":"0100`, `"hex":"0200`, ledger.FaultMismatched},
		{"no bytes", raw, "", ledger.FaultMalformed},
		{"half of the bytes", raw, raw[:100], ledger.FaultMalformed},
		{"an output's value", `"value":"1000000000"`, `"value":"2000000000"`, ledger.FaultContents},
		{"the coin's value", `"value":"5000000000"`, `"value":"6000000000"`, ledger.FaultContents},
		{"less in than out", `"value":"5000000000"`, `"value":"4000000000"`, ledger.FaultContents},
		{"a fee", `"fees":"0"`, `"fees":"1"`, ledger.FaultContents},
		{"no fee", `"fees":"0"`, `"feees":"0"`, ledger.FaultMalformed},
		{"a negative value", `"value":"5000000000"`, `"value":"-1"`, ledger.FaultMalformed},
		{"more than there is", `"value":"5000000000"`, `"value":"9223372036854775807"`, ledger.FaultContents},
		{"a number for a text", `"value":"5000000000"`, `"value":5e9`, ledger.FaultMalformed},
		{"an output too few", `{"value":"1000000000","n":0,"hex":"` + hal + `","addresses":["1Q2TWHE3GMdB6BZKafqwxXtWAWgFt5Jvm3"],"isAddress":false},`, ``, ledger.FaultContents},
		{"a spend without its transaction", `"spentTxId":"` + spender + `",`, ``, ledger.FaultMalformed},
		{"a spend without a height", `"spentHeight":181,`, ``, ledger.FaultMalformed},
		{"an address of another network", `"isAddress":false,"value":"5000000000"`, `"isAddress":true,"addresses":["TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"],"value":"5000000000"`, ledger.FaultMalformed},
		{"a block hash that is none", block, "00", ledger.FaultMalformed},
		{"no height", `"blockHeight":170`, `"height":170`, ledger.FaultMalformed},
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
		q      ask.Question
		status int
		body   string
		fault  ledger.Fault
	}{
		{"html", ask.Question{Kind: ask.Tx}, 200, "<html>", ledger.FaultMalformed},
		{"html with 400", ask.Question{Kind: ask.Tx}, 400, "<html>", ledger.FaultMalformed},
		{"nothing", ask.Question{Kind: ask.Tx}, 200, "", ledger.FaultTruncated},
		{"refused", ask.Question{Kind: ask.Tx}, 400, `{"error":"backend is busy"}`, ledger.FaultUnsupported},
		{"no best height", ask.Question{Kind: ask.Head}, 200, `{"blockbook":{}}`, ledger.FaultMalformed},
		{"another block", ask.Question{Kind: ask.Head, Part: "block", Cursor: "170"}, 200, `{"hash":"` + block + `","height":171,"time":1}`, ledger.FaultMalformed},
		{"no hash", ask.Question{Kind: ask.Block}, 200, `{}`, ledger.FaultMalformed},
	} {
		a, err := service(t).Read(c.q, c.status, []byte(c.body))
		if fault, _ := ledger.FaultOf(err); fault != c.fault {
			t.Errorf("%s: %v, want %s; got %+v", c.name, err, c.fault, a)
		}
	}
	for _, body := range []string{`{"error":"Transaction 'ab' not found"}`, `{"error":{"message":"Transaction not found"}}`} {
		if _, err := service(t).Read(ask.Question{Kind: ask.Tx}, 400, []byte(body)); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// TestUnconfirmed: what is in no block is no fact.
func TestUnconfirmed(t *testing.T) {
	text := strings.NewReplacer(`"blockHeight":170`, `"blockHeight":-1`, `"blockHash":"`+block+`",`, ``).Replace(paid())
	a, err := service(t).Read(ask.Question{Kind: ask.Tx, Tx: id(t, payment)}, 200, []byte(text))
	if err != nil || !a.Unconfirmed || len(a.Txs)+len(a.Spends) != 0 {
		t.Errorf("got %+v, %v", a, err)
	}
}

// FuzzRead: whatever comes, a question is answered or refused by name.
func FuzzRead(f *testing.F) {
	for _, text := range []string{paid(), `{"blockbook":{"bestHeight":5}}`, `{"hash":"` + block + `","height":170,"time":1}`, `{"blockHash":"` + block + `"}`, `{"error":"x"}`} {
		for kind := range 5 {
			f.Add(kind, 200, []byte(text))
		}
	}
	b := service(f)
	f.Fuzz(func(t *testing.T, kind, status int, body []byte) {
		kinds := []ask.Kind{ask.Head, ask.Block, ask.Tx, ask.Spends, ask.History}
		q := ask.Question{Kind: kinds[uint(kind)%uint(len(kinds))], Tx: id(t, payment)}
		if kind < 0 {
			q.Part, q.Cursor = "block", "170"
		}
		_, err := b.Read(q, status, body)
		if _, named := ledger.FaultOf(err); err != nil && !named && !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%v has no name", err)
		}
	})
}
