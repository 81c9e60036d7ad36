package bitcoin

import (
	"slices"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

const inbound = "BA9AA4D1D4C8D6F4C0E4E8F7C1A2B3C4D5E6F708192A3B4C5D6E7F8091A2B3C4"

func TestParseMemo(t *testing.T) {
	in := memo{txid: strings.ToLower(inbound)}
	for text, want := range map[string]memo{
		"=:ETH.ETH:0x388C818CA8B9251b393131C08a736A67ccB19297":                                           {out: true, network: "ethereum"},
		"=:e:0x388C818CA8B9251b393131C08a736A67ccB19297":                                                 {out: true, network: "ethereum"},
		"s:BSC.BNB:0x388C818CA8B9251b393131C08a736A67ccB19297/bc1qxyz:100e7/3/0:t:10":                    {out: true, network: "bnb"},
		"SWAP:ETH.USDT-0xdac17f958d2ee523a2206206994597c13d831ec7:dx:10012345678:thor1el4ufmhll3yw7z:10": {out: true, network: "ethereum"},
		"=:r:thor1el4ufmhll3yw7zxzszvfakrk66j7fx0tvcslym":                                                {out: true},
		"=:DOGE.DOGE:DQr3kfnGmV2nmGkMu4r8K3SHwJ7g4jZ9yD":                                                 {out: true},
		"=:BTC/BTC:thor1el4ufmhll3yw7zxzszvfakrk66j7fx0tvcslym":                                          {out: true},
		"OUT:" + inbound:    in,
		"out:" + in.txid:    in,
		"REFUND:" + inbound: in,
	} {
		if got, ok := parseMemo(text); !ok || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "=", "=:", "=:ETH.ETH", "=:ETH.ETH:", "=::0x1", "=:ETH:0x1", "=:.ETH:0x1", "=:ETH.:0x1", "swap :ETH.ETH:0x1", "=:ETH.ETH:0x1\n", "=:E TH.ETH:0x1", "ADD:BTC.BTC:thor1",
		"OUT:", "OUT:" + inbound[:63], "OUT:" + inbound + "0", "OUT:0x" + inbound[:62], "OUT:" + inbound + ":1", "OUT:" + strings.Repeat("0", 64), "OUT " + inbound, inbound,
		"OUTBOUND:" + inbound, "MIGRATE:12", "=:ETH.ETH:" + strings.Repeat("x", 250), "=:ÉTH.ETH:0x1",
	} {
		if got, ok := parseMemo(text); ok {
			t.Errorf("%q: got %+v, want no memo", text, got)
		}
	}
}

// memoTx pays 5 to one script and 3 back to another, with a memo between them.
func memoTx(chain ledger.Chain, scripts ...string) *ledger.Tx {
	tx := &ledger.Tx{Chain: chain, ID: ledger.TxID{0xab}, Outputs: []ledger.Output{
		{Address: ledger.ScriptAddress(chain, []byte("\x00\x14vvvvvvvvvvvvvvvvvvvv")), Value: ledger.NewAmount(5)},
	}}
	for _, s := range scripts {
		tx.Outputs = append(tx.Outputs, ledger.Output{Address: ledger.ScriptAddress(chain, []byte(s))})
	}
	tx.Outputs = append(tx.Outputs, ledger.Output{Address: ledger.ScriptAddress(chain, []byte("\x00\x14cccccccccccccccccccc")), Value: ledger.NewAmount(3)})
	return tx
}

func TestReadMemo(t *testing.T) {
	const swap, out = "=:e:dx", "OUT:" + inbound
	push := func(s string) string { return "\x6a" + string(rune(len(s))) + s }
	vault := memoTx("bitcoin").Outputs[0].Address
	leaves := ledger.Notice{
		Kind: ledger.NoticeBridgeOut, Account: vault, Contract: vault, Asset: ledger.NativeAsset("bitcoin"), Amount: ledger.NewAmount(5),
		Network: "ethereum", Ref: "thorchain:ab" + strings.Repeat("0", 62), Grade: ledger.GradeInferred,
	}
	comes := ledger.Notice{
		Kind: ledger.NoticeBridgeIn, Account: vault, Asset: ledger.NativeAsset("bitcoin"), Amount: ledger.NewAmount(5),
		Ref: "thorchain:" + strings.ToLower(inbound), Grade: ledger.GradeInferred,
	}
	for name, c := range map[string]struct {
		tx   *ledger.Tx
		want []ledger.Notice
	}{
		"swap":               {memoTx("bitcoin", push(swap)), []ledger.Notice{leaves}},
		"outbound":           {memoTx("bitcoin", push(out)), []ledger.Notice{comes}},
		"longer push":        {memoTx("bitcoin", "\x6a\x4c"+string(rune(len(out)))+out), []ledger.Notice{comes}},
		"no memo":            {memoTx("bitcoin"), nil},
		"two memos":          {memoTx("bitcoin", push(swap), push(swap)), nil},
		"short push":         {memoTx("bitcoin", "\x6a\x05"+swap), nil},
		"something after it": {memoTx("bitcoin", push(swap)+"\x51"), nil},
		"another network":    {memoTx("bitcoin-testnet", push(swap)), nil},
		"nothing is paid":    {&ledger.Tx{Chain: "bitcoin", Outputs: memoTx("bitcoin", push(swap)).Outputs[1:2]}, nil},
	} {
		readMemo(c.tx)
		if !slices.Equal(c.tx.Notices, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, c.tx.Notices, c.want)
		}
	}
}

// FuzzMemo: no text makes the parser fail, and what it accepts is in one of the three forms.
func FuzzMemo(f *testing.F) {
	for _, s := range []string{"=:e:dx", "OUT:" + inbound, "REFUND:" + inbound, "s:BTC/BTC:thor1", "=:ETH.USDT-EC7:0x388C818CA8B9251b393131C08a736A67ccB19297/x:1:t:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, ok := parseMemo(s)
		if !ok {
			return
		}
		function, rest, _ := strings.Cut(strings.ToLower(s), ":")
		switch {
		case m.out && function != "swap" && function != "s" && function != "=":
			t.Errorf("%q leaves", s)
		case !m.out && (len(m.txid) != 64 || m.txid != rest):
			t.Errorf("%q answers %q", s, m.txid)
		}
		for _, r := range s {
			if r < '!' || r > '~' {
				t.Errorf("%q holds %q", s, r)
			}
		}
		if text, ok := memoText("\x6a\x4c" + string([]byte{byte(len(s))}) + s); len(s) < 256 && (!ok || text != s) {
			t.Errorf("got %q, %v from the script of %q", text, ok, s)
		}
	})
}
