package server_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store/memkv"
)

func (c *client) transaction(t *testing.T, ref string) *spoorv1.Transaction {
	t.Helper()
	got, err := c.LookupTransaction(t.Context(), &spoorv1.LookupTransactionRequest{Ref: ref})
	if err != nil {
		t.Fatalf("%s: %v", ref, err)
	}
	return got
}

// coinsOf writes a coin transaction: inputs, outputs with what became of them, fee.
func coinsOf(m *spoorv1.Transaction) string {
	var s []string
	for _, in := range m.GetInputs() {
		if in.GetCoinbase() {
			s = append(s, "coinbase")
			continue
		}
		s = append(s, fmt.Sprintf("%s:%d=%s %s", in.GetPreviousTx()[:6], in.GetPreviousIndex(), who("bitcoin", in.GetAddress()), in.GetAmount()))
	}
	s = append(s, "->")
	for _, o := range m.GetOutputs() {
		text := fmt.Sprintf("%d=%s %s %s", o.GetIndex(), who("bitcoin", o.GetAddress()), o.GetAmount(), o.GetSpendState())
		if o.GetSpentByTx() != "" {
			text += fmt.Sprintf(" %s:%d", o.GetSpentByTx()[:6], o.GetSpentByInput())
		}
		s = append(s, text)
	}
	return strings.Join(append(s, "fee "+m.GetFee()), " ")
}

func TestLookupCoins(t *testing.T) {
	c := local(t, newWorld(t))
	fund, pay, on := short("fund"), short("pay"), short("on")
	for tx, want := range map[string]string{
		"mix":  fund + ":0=x 4 " + pay + ":0=scam 3 " + fund + ":2=y 3 -> 0=a 6 SPENT " + on + ":0 1=b 3 UNSPENT fee 1",
		"pay":  fund + ":1=victim 3 -> 0=scam 3 SPENT " + short("mix") + ":1 fee 0",
		"fund": "coinbase -> 0=x 4 SPENT " + short("mix") + ":0 1=victim 3 SPENT " + pay + ":0 2=y 3 SPENT " + short("mix") + ":2 fee ",
	} {
		got := c.transaction(t, ref("bitcoin", tx, ":0"))
		if text := coinsOf(got); text != want {
			t.Errorf("%s:\ngot  %s\nwant %s", tx, text, want)
		}
		height := map[string]uint32{"fund": 1, "pay": 2, "mix": 3}[tx]
		block := coinBlocks()[height].Ref
		index := uint32(1)
		if tx == "fund" {
			index = 0
		}
		if got.GetHeight() != height || got.GetBlockHash() != block.Hash.String() || got.GetTime().AsTime().UnixMilli() != block.Time || got.GetTxIndex() != index {
			t.Errorf("%s: at %d, %s, %v, index %d", tx, got.GetHeight(), got.GetBlockHash(), got.GetTime().AsTime(), got.GetTxIndex())
		}
		if got.GetNetwork() != "bitcoin" || got.GetTx() != txID(tx).String() || got.GetGrade() != "proven" || got.GetStatus() != "OK" {
			t.Errorf("%s: %s %s %s %s", tx, got.GetNetwork(), got.GetTx(), got.GetGrade(), got.GetStatus())
		}
		if got.GetAsOf().GetHeight() != 5 || got.GetCoverage().GetState() != "COMPLETE" {
			t.Errorf("%s: as of %v, coverage %v", tx, got.GetAsOf(), got.GetCoverage())
		}
	}
}

// TestLookupSparse: UNSPENT is not said where later blocks are missing, nor a fee where coins are not known.
func TestLookupSparse(t *testing.T) {
	w := emptyWorld(t, memkv.New())
	lone := spending("lone", []ledger.OutPoint{out("elsewhere", 4)}, coin{"d", 9})
	w.append(t, block(nil, 10, coins0, spending("reward", nil, coin{"miner", 50}), lone))
	got := local(t, w).transaction(t, ref("bitcoin", "lone", ""))
	if text, want := coinsOf(got), short("elsewhere")+":4=  -> 0=d 9 UNKNOWN fee "; text != want || got.GetCoverage().GetState() != "PARTIAL" {
		t.Errorf("got %s, %v; want %s", text, got.GetCoverage(), want)
	}
}

func TestLookupAccounts(t *testing.T) {
	c := local(t, newWorld(t))
	got := c.transaction(t, txID("two").String())
	var s []string
	for _, x := range got.GetTransfers() {
		s = append(s, fmt.Sprintf("%s %s>%s %s %s", x.GetIndex(), who("tron", x.GetFrom()), who("tron", x.GetTo()), x.GetAmount(), x.GetAsset().GetSymbol()))
	}
	if text := strings.Join(s, ", "); text != "0 victim>d 7 USDT, 1 victim>e 8 USDT" {
		t.Errorf("transfers %s", text)
	}
	if got.Height != nil || got.GetBlockHash() != "" || got.GetTime().AsTime().UnixMilli() != export0+8000 || got.GetGrade() != "attested" || got.GetStatus() != "OK" {
		t.Errorf("got %v", got)
	}
	if failed := c.transaction(t, ref("tron", "failed", "")); failed.GetStatus() != "FAILED" {
		t.Errorf("status of a reverted transaction: %s", failed.GetStatus())
	}
	fake := c.transaction(t, ref("tron", "fake", "")).GetTransfers()[0].GetAsset()
	if fake.GetDecimals() != 3 || fake.GetContract() != named("tron", "fake contract").String() {
		t.Errorf("a token that only a file knows: %v", fake)
	}
	for name, test := range map[string]struct {
		ref  string
		want refusal
	}{
		"unknown":   {ref("bitcoin", "nowhere", ""), refusal{codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "indexed to height 5"}},
		"63 digits": {txID("two").String()[1:], refusal{invalid, wrong, "ref", "64 hex digits"}},
		"nothing":   {"", refusal{invalid, wrong, "ref", "ref: "}},
		"endless":   {strings.Repeat("1", 513), refusal{invalid, wrong, "ref", "512"}},
	} {
		_, err := c.LookupTransaction(t.Context(), &spoorv1.LookupTransactionRequest{Ref: test.ref})
		test.want.check(t, name, err)
	}
}

// TestLookupOrphan: what stood in a block that another one replaced is not in the chain.
func TestLookupOrphan(t *testing.T) {
	w := newWorld(t)
	blocks := coinBlocks()
	c := local(t, w)
	c.transaction(t, ref("bitcoin", "on", ""))
	five := block(blocks[4], 5, coins0+51*minute, spending("other r5", nil, coin{"miner", 50}))
	w.append(t, five, block(five, 6, coins0+60*minute, spending("other r6", nil, coin{"miner", 50})))
	_, err := c.LookupTransaction(t.Context(), &spoorv1.LookupTransactionRequest{Ref: ref("bitcoin", "on", "")})
	refusal{codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "indexed to height 6"}.check(t, "orphan", err)
	if text := coinsOf(c.transaction(t, ref("bitcoin", "mix", ""))); !strings.Contains(text, "0=a 6 UNSPENT") {
		t.Errorf("spent by an orphan: %s", text)
	}
}

func (c *client) address(t *testing.T, m *spoorv1.LookupAddressRequest) *spoorv1.AddressInfo {
	t.Helper()
	got, err := c.LookupAddress(t.Context(), m)
	if err != nil {
		t.Fatalf("%v: %v", m, err)
	}
	return got
}

func eventsOf(c ledger.Chain, events []*spoorv1.AddressEvent) string {
	var s []string
	for _, e := range events {
		s = append(s, fmt.Sprintf("%s:%s %s %s %s", e.GetPosition().GetTx()[:6], e.GetIndex(), e.GetDirection(), e.GetAmount(), who(c, e.GetCounterparty())))
	}
	return strings.Join(s, ", ")
}

func TestLookupAddress(t *testing.T) {
	c := local(t, newWorld(t))
	m := c.address(t, &spoorv1.LookupAddressRequest{Address: named("tron", "m").Qualified()})
	b := m.GetBalances()[0]
	got := fmt.Sprintln(len(m.GetBalances()), b.GetAsset().GetSymbol(), b.GetBalance(), b.GetReceived(), b.GetSent(), b.GetReceivedCount(), b.GetSentCount(),
		b.GetAssumedOpening(), b.GetFirst().AsTime().UnixMilli()-export0, b.GetLast().AsTime().UnixMilli()-export0)
	if got != "1 USDT 40 200 160 3 3 0 0 5000\n" {
		t.Errorf("balances %s", got)
	}
	want := fmt.Sprintf("%s:0 SENT 30 c, %s:0 RECEIVED 40 y, %s:0 SENT 80 b, %s:0 SENT 50 a, %s:0 RECEIVED 60 victim, %s:0 RECEIVED 100 x",
		short("o3"), short("p2"), short("o2"), short("o1"), short("v1"), short("p1"))
	if text := eventsOf("tron", m.GetEvents()); text != want || m.GetNextPageToken() != "" {
		t.Errorf("events %s, next %q, want %s", text, m.GetNextPageToken(), want)
	}
	if len(m.GetOtherForms()) != 2 || !strings.HasPrefix(m.GetOtherForms()[0], "41") || m.GetNetwork() != "tron" {
		t.Errorf("forms %v of %s", m.GetOtherForms(), m.GetNetwork())
	}
	for _, form := range m.GetOtherForms() {
		if same := c.address(t, &spoorv1.LookupAddressRequest{Address: "tron:" + form}); same.GetAddress() != m.GetAddress() {
			t.Errorf("%s is %s", form, same.GetAddress())
		}
	}
	victim := c.address(t, &spoorv1.LookupAddressRequest{Address: named("tron", "victim").Qualified()})
	for _, b := range victim.GetBalances() {
		if want := map[string]string{usdt.Contract.String(): "78", fake.Contract.String(): "9000"}[b.GetAsset().GetContract()]; b.GetAssumedOpening() != want || b.GetBalance() != "0" {
			t.Errorf("%s: opening %s, balance %s, want %s, 0", b.GetAsset().GetSymbol(), b.GetAssumedOpening(), b.GetBalance(), want)
		}
	}
	a := c.address(t, &spoorv1.LookupAddressRequest{Address: named("bitcoin", "a").Qualified()})
	if text, want := eventsOf("bitcoin", a.GetEvents()), short("on")+":0 SENT 6 , "+short("mix")+":0 RECEIVED 6 "; text != want {
		t.Errorf("coins: %s, want %s", text, want)
	}
	b2 := c.address(t, &spoorv1.LookupAddressRequest{Address: named("bitcoin", "b").Qualified()})
	if text, want := eventsOf("bitcoin", b2.GetEvents()), short("mix")+":1 RECEIVED 3 "; text != want {
		t.Errorf("coins: %s, want %s", text, want)
	}
	none := c.address(t, &spoorv1.LookupAddressRequest{Address: named("tron", "nobody").Qualified()})
	if len(none.GetBalances())+len(none.GetEvents()) > 0 || none.GetCoverage().GetState() == "" || none.GetAsOf() == nil {
		t.Errorf("an address that nobody used: %v", none)
	}
}

func TestBadAddresses(t *testing.T) {
	c := local(t, newWorld(t))
	const good = "tron:TV6MuMXfmLbBqPZvBHdwFsDnQeVfnmiuSi"
	for name, test := range map[string]struct {
		address string
		size    int32
		want    refusal
	}{
		"nothing":        {"", 0, refusal{invalid, wrong, "address", "address: "}},
		"endless":        {strings.Repeat("T", 257), 0, refusal{invalid, wrong, "address", "256"}},
		"no network":     {good[5:], 0, refusal{invalid, "INVALID_ADDRESS", "address", "NETWORK:ADDRESS"}},
		"bad network":    {"dogecoin:x", 0, refusal{invalid, wrong, "network", "dogecoin"}},
		"checksum":       {good[:len(good)-1] + "j", 0, refusal{invalid, "INVALID_ADDRESS", "address", "checksum"}},
		"EIP-55":         {"ethereum:0xdAC17F958D2ee523a2206206994597C13D831eC7", 0, refusal{invalid, "INVALID_ADDRESS", "address", "checksum mismatch at character"}},
		"testnet":        {"bitcoin:tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", 0, refusal{invalid, "INVALID_ADDRESS", "address", "another network"}},
		"taproot, m":     {"bitcoin:bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", 0, refusal{invalid, "INVALID_ADDRESS", "address", "bech32m"}},
		"not held":       {"ethereum:0xdac17f958d2ee523a2206206994597c13d831ec7", 0, refusal{codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "ethereum"}},
		"page of minus":  {good, -1, refusal{invalid, wrong, "page_size", "got -1"}},
		"page too large": {good, 1001, refusal{invalid, wrong, "page_size", "got 1001"}},
	} {
		_, err := c.LookupAddress(t.Context(), &spoorv1.LookupAddressRequest{Address: test.address, PageSize: test.size})
		test.want.check(t, name, err)
		if name != "not held" {
			_, err = c.ListLabels(t.Context(), &spoorv1.ListLabelsRequest{Address: test.address, PageSize: test.size})
			test.want.check(t, name+", labels", err)
		}
	}
}
