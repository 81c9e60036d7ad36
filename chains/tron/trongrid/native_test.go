package trongrid_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// Accounts of the rows below, in hex.
const (
	ann = "41aa00000000000000000000000000000000000000"
	ben = "41bb00000000000000000000000000000000000000"
	cat = "41cc00000000000000000000000000000000000000"
)

func coins(t testing.TB) ask.Question {
	t.Helper()
	a, err := hex.DecodeString(ann[2:])
	if err != nil {
		t.Fatal(err)
	}
	h := ledger.Holder{Address: ledger.AccountAddress("tron", [20]byte(a)), Asset: ledger.NativeAsset("tron")}
	return ask.Question{Kind: ask.History, Holder: h, Range: ledger.Range{From: 5, To: 100}}
}

// signed is a row of a transfer, a call or a withdrawal of rewards.
func signed(t testing.TB, at int, kind int32, m proto.Message, outcome string, fee, withdrawn int) string {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := proto.Marshal(&protocol.TransactionRaw{Contract: []*protocol.Contract{{Type: kind, Parameter: &protocol.Parameter{Value: body}}}})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"ret":[{"contractRet":%q,"fee":%d}],"txID":"%x","raw_data_hex":"%x","blockNumber":7,"block_timestamp":%d,"withdraw_amount":%d,"internal_transactions":[]}`,
		outcome, fee, sha256.Sum256(raw), raw, at, withdrawn)
}

func pays(t testing.TB, at int, from, to string, amount int64, outcome string) string {
	t.Helper()
	a, _ := hex.DecodeString(from)
	b, _ := hex.DecodeString(to)
	return signed(t, at, 1, &protocol.TransferContract{OwnerAddress: a, ToAddress: b, Amount: amount}, outcome, 100, 0)
}

func inside(at int, from, to, note string, amount int, rejected bool) string {
	return fmt.Sprintf(`{"internal_tx_id":"1","tx_id":"%064x","block_timestamp":%d,"from_address":%q,"to_address":%q,"data":{"note":%q,"rejected":%t,"call_value":{"_":%d}}}`,
		at, at, from, to, note, rejected, amount)
}

// TestNative: what was signed and what contracts sent is the history of TRX; what
// is not followed, or not of the account, is not taken for nothing.
func TestNative(t *testing.T) {
	a, _ := hex.DecodeString(ann)
	b, _ := hex.DecodeString(ben)
	q := coins(t)
	body := page(false,
		pays(t, 6, ann, ben, 5, "SUCCESS"), pays(t, 7, ben, ann, 6, "SUCCESS"), pays(t, 8, ann, ben, 7, "OUT_OF_ENERGY"),
		signed(t, 9, 31, &protocol.TriggerSmartContract{OwnerAddress: a, ContractAddress: b, CallValue: 8}, "SUCCESS", 9, 0),
		signed(t, 10, 13, &protocol.Owned{OwnerAddress: a}, "SUCCESS", 0, 11),
		inside(11, ben, ann, "call", 12, false), inside(12, ben, ann, "63616c6c", 13, true), inside(13, ben, cat, "63616c6c", 13, false),
		signed(t, 14, 54, &protocol.Owned{OwnerAddress: a}, "SUCCESS", 3, 0),
	)
	answer, err := service(t).Read(q, 200, []byte(body))
	if err != nil || len(answer.Next) != 0 {
		t.Fatalf("%+v, %v", answer, err)
	}
	var moves []string
	for _, p := range answer.Txs {
		if p.Whole {
			t.Errorf("%s is not all of it", p.Tx.ID)
		}
		for _, m := range p.Tx.Transfers {
			moves = append(moves, fmt.Sprintf("%d:%d %s", p.Block.Height, m.Kind, m.Amount))
		}
	}
	if got, want := strings.Join(moves, ", "), "6:1 5, 6:3 100, 7:1 6, 8:3 100, 9:1 8, 9:3 9, 10:2 11, 11:2 12, 14:3 3"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	r, err := service(t).Request(q)
	if err != nil || !strings.Contains(r.Path, "/transactions?") || !strings.Contains(r.Path, "search_internal=true") {
		t.Errorf("%+v, %v", r, err)
	}
	honest := pays(t, 6, ann, ben, 5, "SUCCESS")
	for name, c := range map[string]struct {
		row   string
		fault ledger.Fault
	}{
		"another id":             {strings.Replace(honest, `"txID":"`, `"txID":"0`, 1), ledger.FaultMismatched},
		"no raw":                 {strings.Replace(honest, `"raw_data_hex"`, `"raw"`, 1), ledger.FaultMalformed},
		"no outcome":             {strings.Replace(honest, `"ret":[{`, `"ret":[{},{`, 1), ledger.FaultMalformed},
		"an exchange":            {signed(t, 6, 44, &protocol.Owned{OwnerAddress: a}, "SUCCESS", 0, 0), ledger.FaultUnsupported},
		"a type to come":         {signed(t, 6, 99, &protocol.Owned{OwnerAddress: a}, "SUCCESS", 0, 0), ledger.FaultUnsupported},
		"what is listed inside":  {strings.Replace(honest, `"internal_transactions":[]`, `"internal_transactions":[{}]`, 1), ledger.FaultUnsupported},
		"an unknown note":        {inside(6, ben, ann, "conjure", 1, false), ledger.FaultUnsupported},
		"a negative amount":      {inside(6, ben, ann, "call", -1, false), ledger.FaultContents},
		"an address that is not": {inside(6, "zz", ann, "call", 1, false), ledger.FaultMalformed},
		"no time":                {strings.Replace(honest, `"block_timestamp"`, `"time"`, 1), ledger.FaultMalformed},
		"behind the range":       {pays(t, 100, ann, ben, 5, "SUCCESS"), ledger.FaultContents},
	} {
		got, err := service(t).Read(q, 200, []byte(page(false, c.row)))
		if fault, _ := ledger.FaultOf(err); fault != c.fault {
			t.Errorf("%s: %v, want %s; got %+v", name, err, c.fault, got)
		}
	}
}
