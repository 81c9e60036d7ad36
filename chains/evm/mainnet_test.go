package evm

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/ledger"
)

// recorded is a file of testdata/mainnet; see PROVENANCE.md there.
type recorded struct {
	Block    json.RawMessage
	Receipts []json.RawMessage
	Parity   json.RawMessage
	Calls    json.RawMessage
}

func readFile(t testing.TB, name string, v any) {
	t.Helper()
	text, err := os.ReadFile("testdata/mainnet/" + name)
	if err == nil && strings.HasSuffix(name, ".gz") {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(text)); err == nil {
			text, err = io.ReadAll(z)
		}
	}
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func mainnet(t testing.TB, height int) *answers {
	t.Helper()
	var r recorded
	readFile(t, fmt.Sprintf("%d.json", height), &r)
	return &answers{block: r.Block, receipts: r.Receipts}
}

// rows prints what the transfers of a block move, one a line.
func rows(b *ledger.Block) string {
	var w strings.Builder
	for _, tx := range b.Txs {
		for _, x := range tx.Transfers {
			asset := "eth"
			if !x.Asset.Native() {
				asset = x.Asset.Contract.String()
			}
			fmt.Fprintf(&w, "%d:%d #%d %s -> %s %s of %s kind %d status %d %s\n", tx.Pos.Index(), x.Slot, x.Index, x.From, x.To, x.Amount, asset, x.Kind, x.Status, x.Grade)
		}
	}
	return w.String()
}

// TestMainnet proves real blocks of before Byzantium, whose receipts have no
// status, and compares what they moved.
func TestMainnet(t *testing.T) {
	tests := []struct {
		height int
		want   string
	}{
		{1755634, "0:0 #0  -> 0x61C808D82A3Ac53231750daDc13c777b59310bD9 5000000000000000000 of eth kind 2 status 0 proven\n"},
		{1755635, `0:0 #0 0x6498077292a0921C8804924FDf47B5E91E2a215f -> 0x8B3B3b624c3C0397D3da8Fd861512393d51DCbac 5000000000000000000 of 0xBB9bc244D798123fDe783fCc1C72d3Bb8C189413 kind 0 status 0 proven
0:1 #0 0xeD059bc543141c8C93031d545079b3Da0233b27f ->  728360000000000 of eth kind 3 status 0 proven
1:0 #0 0x3763e6e1228bFeaB94191C856412d1Bb0A8e6996 -> 0xEC1ebAc9dA3430213281c80FA6d46378341a96aE 405738107000000000 of eth kind 1 status 0 proven
1:1 #0 0x3763e6e1228bFeaB94191C856412d1Bb0A8e6996 ->  420000000000000 of eth kind 3 status 0 proven
2:0 #0  -> 0xA027231f42C80Ca4125b5Cb962A21CD4f812e88f 5001148360000000000 of eth kind 2 status 0 proven
`},
		{483920, `0:0 #0 0x1B63142628311395CEaFeEa5667e7C9026c862Ca -> 0xAC4dF82fe37EA2187bc8C011a23d743B4F39019A 100000 of 0xf4eCEd2f682CE333f96f2D8966C613DeD8fC95DD kind 0 status 0 proven
0:1 #0 0x1B63142628311395CEaFeEa5667e7C9026c862Ca ->  2542650000000000 of eth kind 3 status 0 proven
1:0 #1 0x9b22a80D5c7B3374a05b446081f97d0A34079e7F -> 0x66F183060253CFbe45bEFF1E6E7ebBe318c81E56 200000 of 0xf4eCEd2f682CE333f96f2D8966C613DeD8fC95DD kind 0 status 0 proven
1:1 #0 0x9b22a80D5c7B3374a05b446081f97d0A34079e7F ->  2542650000000000 of eth kind 3 status 0 proven
2:0 #0 0x9Df428A91Ff0F3635C8f0ce752933b9788926804 -> 0x9E669F970ec0F49Bb735f20799A7e7C4A1c274E2 11000440000000000 of eth kind 1 status 0 proven
2:1 #0 0x9Df428A91Ff0F3635C8f0ce752933b9788926804 ->  1050000000000000 of eth kind 3 status 0 proven
3:0 #0 0x2a65Aca4D5fC5B5C859090a6c34d164135398226 -> 0x743B8aeedc163c0e3a0fE9f3910d146C48E70Da8 1530219620000000000 of eth kind 1 status 0 proven
3:1 #0 0x2a65Aca4D5fC5B5C859090a6c34d164135398226 ->  1050000000000000 of eth kind 3 status 0 proven
4:0 #0  -> 0x52bc44d5378309EE2abF1539BF71dE1b7d7bE3b5 5007185300000000000 of eth kind 2 status 0 proven
`},
	}
	for _, test := range tests {
		b, err := newDecoder(t, "ethereum", Contracts{}).whole("block", mainnet(t, test.height))
		if err != nil {
			t.Fatal(err)
		}
		if got := rows(b); !strings.EqualFold(got, test.want) {
			t.Errorf("block %d:\ngot\n%swant\n%s", test.height, got, test.want)
		}
	}
}

// TestModernReceipts proves the receipts of two blocks of 2023 and compares the
// transfers that are read out of their 681 logs with those that ethereum-etl found.
func TestModernReceipts(t *testing.T) {
	d := newDecoder(t, "ethereum", Contracts{})
	want := expectedTransfers(t)
	found, nfts := 0, 0
	for _, b := range modernBlocks(t) {
		receipts, err := d.rules.decodeReceipts("block", b.h, b.txs, b.receipts)
		if err != nil {
			t.Fatal(err)
		}
		for i, rec := range receipts {
			for k, l := range rec.logs {
				said := d.read(l, b.txs[i], nil)
				if len(l.Topics) == 4 && l.Topics[0] == d.topics.transfer && !said.moves {
					// ethereum-etl takes the number of an ERC-721 for an amount.
					said, nfts = d.erc20(&types.Log{Address: l.Address, Topics: l.Topics[:3], Data: l.Topics[3][:]}), nfts+1
				}
				x := said.transfer
				if !said.moves || l.Topics[0] != d.topics.transfer {
					continue
				}
				got := fmt.Sprintf("%d/%d %s %s %s %s", b.h.Number, rec.first+k, x.Asset.Contract, or0(x.From), or0(x.To), x.Amount)
				if !want[strings.ToLower(got)] {
					t.Errorf("unexpected transfer %s", got)
				}
				delete(want, strings.ToLower(got))
				found++
			}
		}
		if sum := root(types.Withdrawals(b.withdrawals)); sum != *b.h.WithdrawalsHash {
			t.Errorf("block %d: withdrawalsRoot %s, want %s", b.h.Number, sum, b.h.WithdrawalsHash)
		}
	}
	for missing := range want {
		t.Errorf("missing transfer %s", missing)
	}
	if found != 291 || nfts != 9 {
		t.Errorf("%d transfers, %d of them of ERC-721; want 291 and 9", found, nfts)
	}
}

func or0(a ledger.Address) string {
	if a.IsZero() {
		return "0x0000000000000000000000000000000000000000"
	}
	return a.String()
}

// modern is a block of which all receipts are known, and of the header their roots.
type modern struct {
	h           *header
	txs         []*transaction
	receipts    []json.RawMessage
	withdrawals []*types.Withdrawal
}

type modernFile struct {
	Blocks []struct {
		Number          uint64        `json:"number"`
		Hash            common.Hash   `json:"hash"`
		ReceiptsRoot    common.Hash   `json:"receipts_root"`
		WithdrawalsRoot common.Hash   `json:"withdrawals_root"`
		Bloom           hexutil.Bytes `json:"logs_bloom"`
		Withdrawals     []struct {
			Index     uint64         `json:"index"`
			Validator uint64         `json:"validator_index"`
			Address   common.Address `json:"address"`
			Amount    json.Number    `json:"amount"`
		} `json:"withdrawals"`
	} `json:"blocks"`
	Transactions []struct {
		Hash      common.Hash `json:"hash"`
		Block     uint64      `json:"block_number"`
		Type      uint64      `json:"transaction_type"`
		Gas       uint64      `json:"gas"`
		Cumulated uint64      `json:"receipt_cumulative_gas_used"`
		Status    uint64      `json:"receipt_status"`
	} `json:"transactions"`
	Logs []struct {
		Block   uint64         `json:"block_number"`
		Tx      int            `json:"transaction_index"`
		Address common.Address `json:"address"`
		Data    hexutil.Bytes  `json:"data"`
		Topics  []common.Hash  `json:"topics"`
	} `json:"logs"`
	Transfers []struct {
		Token string `json:"token_address"`
		From  string `json:"from_address"`
		To    string `json:"to_address"`
		Value string `json:"value"`
		Log   uint64 `json:"log_index"`
		Block uint64 `json:"block_number"`
	} `json:"token_transfers"`
}

func modernBlocks(t testing.TB) []*modern {
	t.Helper()
	var f modernFile
	readFile(t, "17173049.json.gz", &f)
	var all []*modern
	for _, b := range f.Blocks {
		m := &modern{h: &header{Header: &types.Header{
			Number: new(big.Int).SetUint64(b.Number), ReceiptHash: b.ReceiptsRoot, Bloom: types.BytesToBloom(b.Bloom), WithdrawalsHash: &b.WithdrawalsRoot,
		}, hash: b.Hash}}
		for _, w := range b.Withdrawals {
			gwei := must[int64](t)(w.Amount.Int64())
			m.withdrawals = append(m.withdrawals, &types.Withdrawal{Index: w.Index, Validator: w.Validator, Address: w.Address, Amount: uint64(gwei)})
		}
		for _, tx := range f.Transactions {
			if tx.Block != b.Number {
				continue
			}
			logs := []map[string]any{}
			for _, l := range f.Logs {
				if l.Block == b.Number && l.Tx == len(m.txs) {
					logs = append(logs, map[string]any{"address": l.Address, "topics": l.Topics, "data": l.Data})
				}
			}
			receipt := must[[]byte](t)(json.Marshal(map[string]any{
				"blockHash": b.Hash, "transactionHash": tx.Hash, "logs": logs, "cumulativeGasUsed": hexutil.Uint64(tx.Cumulated),
				"status": hexutil.Uint64(tx.Status), "type": hexutil.Uint64(tx.Type),
			}))
			m.receipts = append(m.receipts, receipt)
			m.txs = append(m.txs, &transaction{hash: tx.Hash, kind: tx.Type, gas: tx.Gas})
		}
		all = append(all, m)
	}
	return all
}

func expectedTransfers(t testing.TB) map[string]bool {
	t.Helper()
	var f modernFile
	readFile(t, "17173049.json.gz", &f)
	want := map[string]bool{}
	for _, x := range f.Transfers {
		want[fmt.Sprintf("%d/%d %s %s %s %s", x.Block, x.Log, x.Token, x.From, x.To, x.Value)] = true
	}
	return want
}
