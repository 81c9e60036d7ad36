package evm

import (
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/spoortrace/spoor/ledger"
)

// connector is the folder of Connector's pairs from Ethereum to BNB, where
// SPOOR_DATA names the data to evaluate on; "" without it.
func connector() string {
	if os.Getenv("SPOOR_DATA") == "" {
		return ""
	}
	return filepath.Join(os.Getenv("SPOOR_DATA"), "graphs", "connector-crosschain", "data", "Validation", "ETH-BNB")
}

// table reads a CSV file without its header.
func table(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

// With SPOOR_DATA: each of 8,349 payments of Multichain's on BNB names, by the
// id that is read from it, one of the 8,349 labelled source transactions, and
// each of them once.
func TestBridgeWholeMultichain(t *testing.T) {
	dir := connector()
	if dir == "" {
		return
	}
	b := bundled(t)
	labelled := map[string]int{}
	for _, r := range table(t, filepath.Join(dir, "Multi", "label.csv")) {
		labelled["multichain:"+strings.TrimPrefix(r[2], "0x")] = 0
	}
	legs, stray := 0, 0
	for _, r := range table(t, filepath.Join(dir, "Multi", "input.csv")) {
		data, err := hex.DecodeString(r[1][len("0x0175b1c4"):]) // anySwapInAuto(bytes32,address,address,uint256,uint256)
		if err != nil {
			t.Fatal(err)
		}
		word := func(i int) []byte { return data[32*i : 32*i+32] }
		in := newScene(t, "bnb", 0xff).log(hexAddress("0xd1C5966f9F5Ee6881Ff6b261BBeDa45972B1B5f3"), anySwapIn,
			[32]byte(word(0)), common.BytesToAddress(word(1)), common.BytesToAddress(word(2)), new(big.Int).SetBytes(word(3)), new(big.Int).SetBytes(word(4)), big.NewInt(56))
		notices := b.Notices(in.tx, in.logs)
		if len(notices) != 1 || notices[0].Kind != ledger.NoticeBridgeIn {
			t.Fatalf("%+v", notices)
		}
		legs++
		if _, ok := labelled[notices[0].Ref]; !ok {
			stray++
		}
		labelled[notices[0].Ref]++
	}
	once := 0
	for _, n := range labelled {
		if n == 1 {
			once++
		}
	}
	t.Logf("%d payments, %d of no labelled transaction, %d of %d labelled transactions named once", legs, stray, once, len(labelled))
	if legs != 8349 || stray != 0 || once != 8349 {
		t.Error("want 8349 payments, each of one labelled transaction")
	}
}

// With SPOOR_DATA: how often the rule of tier T2 could tell real deposits apart
// if each arrived after ten minutes with a fee of 0.3 %: 12,756 deposits over
// Celer and Poly, whose payments on BNB the data does not have.
func TestBridgeWholeDeposits(t *testing.T) {
	dir := connector()
	if dir == "" {
		return
	}
	for _, protocol := range []string{"Celer", "Poly"} {
		text, err := os.ReadFile(filepath.Join(dir, protocol, "sample.json"))
		if err != nil {
			t.Fatal(err)
		}
		var deposits []struct {
			Args struct {
				Receiver common.Address
				Amount   json.Number
			}
			Timestamp int64
		}
		if err := json.Unmarshal(text, &deposits); err != nil {
			t.Fatal(err)
		}
		var outs, ins []leg
		for _, d := range deposits {
			amount, _ := new(big.Int).SetString(d.Args.Amount.String(), 10)
			after := new(big.Int).Div(new(big.Int).Mul(amount, big.NewInt(997)), big.NewInt(1000))
			outs = append(outs, leg{d.Args.Receiver, amount, d.Timestamp})
			ins = append(ins, leg{d.Args.Receiver, after, d.Timestamp + 600})
		}
		found, wrong := 0, 0
		for o, i := range matchT2(outs, ins) {
			switch {
			case i == o:
				found++
			case i >= 0:
				wrong++
			}
		}
		t.Logf("%s: %d of %d deposits alone fit their payment, %d another's", protocol, found, len(outs), wrong)
		if wrong > 0 || found*100 < len(outs)*90 {
			t.Errorf("%s: found %d of %d, wrong %d", protocol, found, len(outs), wrong)
		}
	}
}
