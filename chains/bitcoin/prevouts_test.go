package bitcoin

import (
	"encoding/json"
	"errors"
	"math/big"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/ledger"
)

func TestSatoshi(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "0.00000000": 0, "50.00000000": 50e8, "50": 50e8, "0.00000001": 1, "1e-08": 1, "1E-8": 1, "1.5e-07": 15, "1.23e-06": 123, "20999999.9769": 2099999997690000, "21000000": maxMoney,
	} {
		if got, err := satoshi(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "+1", "0.000000001", "1e-9", "1.55e-07e-1", "1.5e-08", "1e8", "1e-", "1e--1", "21000000.00000001", "NaN", "0x1", "184467440737.09551617", "1e-256"} {
		if got, err := satoshi(text); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%q: got %d, %v; want invalid", text, got, err)
		}
	}
}

// FuzzSatoshi: what is read is the number that the text means, to the unit.
func FuzzSatoshi(f *testing.F) {
	for _, s := range []string{"50.00000000", "1e-08", "0.1", "20999999.9769", "1.5e-07"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := satoshi(s)
		if err != nil || !json.Valid([]byte(s)) {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("%q was read as %d", s, got)
		}
		if want.Mul(want, big.NewRat(1e8, 1)).Cmp(new(big.Rat).SetInt(new(big.Int).SetUint64(got))) != 0 {
			t.Errorf("%q: got %d, want %s", s, got, want)
		}
	})
}

// FuzzJSONSpent: no JSON makes the reader of spent outputs fail, and what it
// tells is of the block's own inputs.
func FuzzJSONSpent(f *testing.F) {
	block := mine(f, coinbaseTx(1, 50), spendTx(nil, []wire.OutPoint{somewhere(1), somewhere(2)}, 1))
	b, err := Decode(regtest, block)
	if err != nil {
		f.Fatal(err)
	}
	in := b.txs[1].Inputs
	f.Add([]byte(`{"hash":"` + b.Header.Hash.String() + `","tx":[{},{"txid":"` + b.txs[1].ID.String() + `","vin":[
		{"txid":"` + in[0].Prev.Tx.String() + `","vout":1,"prevout":{"value":0.5,"scriptPubKey":{"hex":"51"}}},
		{"txid":"` + in[1].Prev.Tx.String() + `","vout":2,"prevout":{"value":1e-08,"scriptPubKey":{"hex":""}}}]}]}`))
	f.Add([]byte(`{"tx":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var given jsonBlock
		if json.Unmarshal(text, &given) != nil {
			return
		}
		undo, told, err := b.undoOf(&given)
		switch {
		case err != nil && !errors.Is(err, ledger.ErrInvalid):
			t.Fatal(err)
		case err == nil && (len(undo) != 1 || len(undo[0]) != 2 || told > 2):
			t.Errorf("got %+v, %d told", undo, told)
		}
	})
}

func TestJSONSpentRefuses(t *testing.T) {
	b, err := Decode(regtest, mine(t, coinbaseTx(1, 50), spendTx(nil, []wire.OutPoint{somewhere(1)}, 1)))
	if err != nil {
		t.Fatal(err)
	}
	tx := &b.txs[1]
	prev := tx.Inputs[0].Prev
	good := func(value, script string, vout string) string {
		return `{"hash":"` + b.Header.Hash.String() + `","tx":[{"txid":"x"},{"txid":"` + tx.ID.String() + `","vin":[{"txid":"` +
			prev.Tx.String() + `","vout":` + vout + `,"prevout":{"value":` + value + `,"scriptPubKey":{"hex":"` + script + `"}}}]}]}`
	}
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"as it is":         {good("0.5", "51", "1"), true},
		"another output":   {good("0.5", "51", "2"), false},
		"no hex":           {good("0.5", "5", "1"), false},
		"nine decimals":    {good("0.500000001", "51", "1"), false},
		"negative":         {good("-1", "51", "1"), false},
		"21 million":       {good("21000000.1", "51", "1"), false},
		"one list too few": {`{"hash":"` + b.Header.Hash.String() + `","tx":[{}]}`, false},
		"another block":    {`{"hash":"","tx":[{},{}]}`, false},
	} {
		var given jsonBlock
		if err := json.Unmarshal([]byte(c.text), &given); err != nil {
			t.Fatal(name, err)
		}
		undo, told, err := b.undoOf(&given)
		if (err == nil) != c.ok || c.ok && (told != 1 || undo[0][0].Value != 5e7) {
			t.Errorf("%s: got %+v, %d told, %v", name, undo, told, err)
		}
	}
}
