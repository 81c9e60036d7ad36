package tron

import (
	"encoding/hex"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
)

func account(b byte) []byte { return append([]byte{0x41}, append(make([]byte, 19), b)...) }

// made builds a block of one transaction with one contract.
func made(t *testing.T, kind int32, c proto.Message, said int32, info *protocol.TransactionInfo) *ledger.Block {
	t.Helper()
	value, err := proto.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	contract := &protocol.Contract{Type: kind, Parameter: &protocol.Parameter{Value: value}}
	x := &tx{said: said, contract: contract, raw: &protocol.TransactionRaw{Contract: []*protocol.Contract{contract}}}
	b, err := (&build{chain: "tron", h: &header{number: 1}, subject: "made"}).block("made", &protocol.BlockExtention{}, []*tx{x}, []*protocol.TransactionInfo{info})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// told prints what a transaction did, one line a transfer or notice.
func told(b *ledger.Block) string {
	var lines []string
	for _, tr := range b.Txs[0].Transfers {
		end := func(a ledger.Address) string {
			if a.IsZero() {
				return "-"
			}
			return hex.EncodeToString([]byte(a.Payload)[19:])
		}
		what := "TRX"
		if !tr.Asset.Native() {
			what = tr.Asset.TokenID
		}
		if !tr.Asset.Contract.IsZero() {
			what = "token"
		}
		lines = append(lines, [...]string{"token", "native", "internal", "fee", "seized"}[tr.Kind]+" "+end(tr.From)+">"+end(tr.To)+" "+tr.Amount.String()+" "+what+" "+tr.Grade.String())
	}
	for _, n := range b.Txs[0].Notices {
		lines = append(lines, [...]string{"created", "permission", "delegated", "undelegated", "frozen", "unfrozen"}[n.Kind]+" "+n.Ref)
	}
	return strings.Join(lines, "; ") + " | " + b.Partial
}

func TestContracts(t *testing.T) {
	one := &protocol.Permission{Threshold: 2, Keys: []*protocol.Permission_Key{{Address: account(1), Weight: 1}, {Address: account(2), Weight: 1}}}
	usdt, _ := ledger.AssetBySymbol("tron", "USDT")
	topic, _ := hex.DecodeString(topicDestroy)
	seized := &protocol.TransactionInfo_Log{Address: []byte(usdt.Contract.Payload), Topics: [][]byte{topic}, Data: append(append(make([]byte, 31), 9), append(make([]byte, 31), 50)...)}
	fake := &protocol.TransactionInfo_Log{Address: account(7)[1:], Topics: seized.Topics, Data: seized.Data}
	nft := transferLog(string(account(7)[1:]), string(account(1)[1:]), string(account(2)[1:]), []byte{1})
	nft.Topics = append(nft.Topics, nft.Topics[1])
	call := &protocol.TriggerSmartContract{OwnerAddress: account(1), ContractAddress: account(3), CallValue: 5, CallTokenValue: 6, TokenId: 1000001}
	for _, c := range []struct {
		name     string
		kind     int32
		contract proto.Message
		said     int32
		info     *protocol.TransactionInfo
		want     string
	}{
		{"TRX", 1, &protocol.TransferContract{OwnerAddress: account(1), ToAddress: account(2), Amount: 7}, 1, &protocol.TransactionInfo{Fee: 3}, "native 01>02 7 TRX proven; fee 01>- 3 TRX attested | "},
		{"failed", 1, &protocol.TransferContract{OwnerAddress: account(1), ToAddress: account(2), Amount: 7}, 2, &protocol.TransactionInfo{Fee: 3}, "fee 01>- 3 TRX attested | "},
		{"TRC-10", 2, &protocol.TransferAssetContract{AssetName: []byte("1000001"), OwnerAddress: account(1), ToAddress: account(2), Amount: 7}, 1, &protocol.TransactionInfo{}, "native 01>02 7 1000001 proven | "},
		{"TRC-10 by name", 2, &protocol.TransferAssetContract{AssetName: []byte("SEED"), OwnerAddress: account(1), ToAddress: account(2), Amount: 7}, 0, &protocol.TransactionInfo{}, "native 01>02 7 name:SEED proven | "},
		{"call with value", 31, call, 1, &protocol.TransactionInfo{}, "native 01>03 5 TRX proven; native 01>03 6 1000001 proven | internal transfers"},
		{"out of energy", 31, call, 10, &protocol.TransactionInfo{Fee: 9, Log: []*protocol.TransactionInfo_Log{seized}}, "fee 01>- 9 TRX attested | "},
		{"reward", 13, &protocol.Owned{OwnerAddress: account(1)}, 1, &protocol.TransactionInfo{WithdrawAmount: 8}, "internal ->01 8 TRX attested | "},
		{"lent by a stake", 11, &protocol.FreezeBalanceContract{OwnerAddress: account(1), FrozenBalance: 4, ReceiverAddress: account(2)}, 1, &protocol.TransactionInfo{}, "delegated bandwidth | "},
		{"a stake for oneself", 11, &protocol.FreezeBalanceContract{OwnerAddress: account(1), FrozenBalance: 4}, 1, &protocol.TransactionInfo{}, " | "},
		{"taken back", 12, &protocol.FreezeBalanceContract{OwnerAddress: account(1), Resource: 1, ReceiverAddress: account(2)}, 1, &protocol.TransactionInfo{UnfreezeAmount: 4}, "undelegated energy | "},
		{"freeze", 54, &protocol.Owned{OwnerAddress: account(1)}, 1, &protocol.TransactionInfo{}, " | "},
		{"exchange", 44, &protocol.Owned{OwnerAddress: account(1)}, 1, &protocol.TransactionInfo{}, " | internal transfers"},
		{"unknown", 99, &protocol.Owned{OwnerAddress: account(1)}, 1, &protocol.TransactionInfo{}, " | contract type 99"},
		{"permission", 46, &protocol.AccountPermissionUpdateContract{OwnerAddress: account(1), Owner: one}, 1, &protocol.TransactionInfo{}, ""},
		{"delegation", 57, &protocol.DelegateResourceContract{OwnerAddress: account(1), Resource: 1, Balance: 4, ReceiverAddress: account(2)}, 1, &protocol.TransactionInfo{}, "delegated energy | "},
		{"seized", 31, &protocol.TriggerSmartContract{OwnerAddress: account(1), ContractAddress: account(3)}, 1, &protocol.TransactionInfo{Log: []*protocol.TransactionInfo_Log{seized, fake, nft}}, "seized 09>- 50 token attested | internal transfers"},
	} {
		got := told(made(t, c.kind, c.contract, c.said, c.info))
		if c.name == "permission" {
			a, _ := (&build{chain: "tron"}).account(account(1))
			b, _ := (&build{chain: "tron"}).account(account(2))
			c.want = "permission owner 2: " + a.String() + " 1, " + b.String() + " 1 | "
		}
		if got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}
