package evm

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/ledger"
)

// traceWorld makes the transactions that a recorded trace_block speaks of.
func traceWorld(t *testing.T, name string) (*header, []*transaction, *recorded) {
	t.Helper()
	var r recorded
	readFile(t, "trace-"+name+".json", &r)
	var list []parityTrace
	if err := json.Unmarshal(r.Parity, &list); err != nil {
		t.Fatal(err)
	}
	h := &header{Header: &types.Header{Difficulty: big.NewInt(1)}, hash: *list[0].BlockHash}
	var txs []*transaction
	for _, x := range list {
		if x.Place == nil || len(x.Path) > 0 {
			continue
		}
		tx := &transaction{hash: *x.TxHash, from: *x.Action.From, to: x.Action.To, value: wei(x.Action.Value)}
		if x.Type == "create" {
			tx.nonce = nonceOf(t, tx.from, *x.Result.Address)
		}
		txs = append(txs, tx)
	}
	return h, txs, &r
}

func nonceOf(t *testing.T, from, contract common.Address) uint64 {
	t.Helper()
	tx := transaction{from: from}
	for tx.nonce = 0; tx.nonce < 100_000; tx.nonce++ {
		if tx.target() == contract {
			return tx.nonce
		}
	}
	t.Fatalf("no nonce makes %s from %s", contract, from)
	return 0
}

// TestRecordedTraces reads the same real blocks from both kinds of traces:
// ether that was sent, a callcode that pays itself, a call that ran out of gas, a
// contract made, a self-destruct.
func TestRecordedTraces(t *testing.T) {
	tests := map[string][]string{
		"subtraces": {"0 0 0x39fA8c5f2793459D6622857E7D9FbB4BD91766d3 0xC083e9947Cf02b8FfC7D3090AE9AEA72DF98FD47 100000000000000000000", "1 0 0x32Be343B94f860124dC4fEe278FDCBD38C102D88 0xdf190dC7190dfba737d7777a163445b7Fff16133 437194980000000000"},
		"error":     {"0 0 0xad9253Df75b066c67AFF5cDd9D6D2B9245444726 0x627da06356442122f08e2203C749978151e55800 1000000000000000000 failed", "1 0 0x9288fE5Be3Be048b5C7a68bFd4b9A0746B7e4a00 0xE05FF93A9978BBb48356aCCc74088F3841fc5d72 1100000000000000000"},
		"create":    {"0 0 0xaf21E07E5A929D16026a7B4D88f3906a8d2e4942 0x5b3C526B152b1F3d8eabe2EC27F49B904AD51caD 64655529900000002048", "1 3 0xacDEE28D8CA76187883831A37f551A5904CDf191 0xa7E3cF952ea8D9438a26Ee346C295F1adA328AE1", "1 0 0xacDEE28D8CA76187883831A37f551A5904CDf191 0xa7E3cF952ea8D9438a26Ee346C295F1adA328AE1 0"},
		"suicide":   {"0 0 0x83973747EEC131bF9A08Ac64fB1a518e891Bdf4b 0x474fAa5018639791952fae334E2911700AC7FE9b 0", "0 1 0x474fAa5018639791952fae334E2911700AC7FE9b 0x83973747EEC131bF9A08Ac64fB1a518e891Bdf4b 50000000000000000"},
	}
	for name, want := range tests {
		h, txs, r := traceWorld(t, name)
		parity := must[[]*frame](t)(decodeParity("traces", h, txs, r.Parity))
		calls := must[[]*frame](t)(decodeCalls("traces", txs, r.Calls))
		for form, frames := range map[string][]*frame{"parity": parity, "calls": calls} {
			if form == "calls" && name == "suicide" {
				if !frames[0].lacking {
					t.Error("a self-destruct that tells nothing was taken for whole")
				}
				continue // the old tracer does not say what it moved
			}
			var got []string
			for i, f := range frames {
				steps := must[[]step](t)(h.steps("traces", i, txs[i], &receipt{status: ledger.StatusUnknown}, f))
				for _, s := range steps {
					line := fmt.Sprintf("%d %d %s %s", i, s.kind, s.from, s.to)
					if s.value != nil {
						line += " " + s.value.String()
					}
					if f.failed() {
						line += " failed"
					}
					got = append(got, line)
				}
			}
			if !strings.EqualFold(fmt.Sprint(got), fmt.Sprint(want)) {
				t.Errorf("%s, %s:\ngot  %q\nwant %q", name, form, got, want)
			}
		}
	}
}

// TestRewards compares the reward of a block with an uncle with what trace_block
// of a mainnet node said of it.
func TestRewards(t *testing.T) {
	var r recorded
	readFile(t, "trace-508110.json", &r)
	h := must[*header](t)(decodeHeader("block", r.Block, false))
	uncle := &types.Header{Number: big.NewInt(508108), Coinbase: h.Coinbase}
	got := mined(h, []*types.Header{uncle}, big.NewInt(5))
	want := []string{"5156250000000000005", "3750000000000000000"} // 0x478eae0e571ba000 and 5 wei of tips, 0x340aad21b3b70000
	for i, c := range got {
		if c.value.String() != want[i] || c.to != h.Coinbase {
			t.Errorf("reward %d: %s to %s, want %s to %s", i, c.value, c.to, want[i], h.Coinbase)
		}
	}
	if hashOf([]*types.Header{uncle}) == h.UncleHash {
		t.Error("an uncle that was made up has the hash of the real one")
	}
	for height, reward := range map[uint64]int64{1: 5, 4_369_999: 5, 4_370_000: 3, 7_279_999: 3, 7_280_000: 2, 15_537_393: 2} {
		if static(height).Cmp(coins(reward)) != 0 {
			t.Errorf("block %d: reward %s, want %d ether", height, static(height), reward)
		}
	}
}

// TestBeforeByzantium: a receipt without a status. Gas that was left, or a log,
// shows that the transaction succeeded; otherwise only a trace can tell.
func TestBeforeByzantium(t *testing.T) {
	tests := []struct {
		name string
		gas  uint64
		logs int
		want ledger.Status
	}{
		{"gas left", 30_000, 0, ledger.StatusOK},
		{"all gas taken", 21_000, 0, ledger.StatusUnknown},
		{"all gas taken, and a log", 21_000, 1, ledger.StatusOK},
	}
	for _, test := range tests {
		rec := &receipt{status: ledger.StatusUnknown, cumulated: 21_000, logs: make([]*types.Log, test.logs)}
		if err := number("receipts", []*transaction{{gas: test.gas}}, []*receipt{rec}); err != nil || rec.status != test.want {
			t.Errorf("%s: status %d, %v; want %d", test.name, rec.status, err, test.want)
		}
	}
	a := mainnet(t, 1755635)
	b := must[*ledger.Block](t)(newDecoder(t, "ethereum", Contracts{}).whole("block", a))
	if b.Partial != ledger.PartialInternal {
		t.Errorf("partial %q, want %q", b.Partial, ledger.PartialInternal)
	}
}
