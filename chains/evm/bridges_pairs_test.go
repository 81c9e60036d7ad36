package evm

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
)

// pair is a real transfer over a bridge, as testdata/bridges/PROVENANCE.md describes it.
type pair struct {
	protocol                   string
	id, tx                     [32]byte
	sender, receiver, tokenOut common.Address
	amountOut                  *big.Int
	time                       int64 // Unix seconds
	nonce                      uint64
	paidTo, tokenIn            common.Address
	amountIn                   *big.Int
}

func readPairs(t *testing.T) []pair {
	t.Helper()
	f, err := os.Open("testdata/bridges/eth-polygon.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []pair
	for _, r := range rows[1:] {
		p := pair{
			protocol: r[0], id: common.HexToHash(r[1]), tx: common.HexToHash(r[2]), sender: common.HexToAddress(r[3]), receiver: common.HexToAddress(r[4]),
			tokenOut: common.HexToAddress(r[5]), paidTo: common.HexToAddress(r[9]), tokenIn: common.HexToAddress(r[10]),
		}
		p.amountOut, _ = new(big.Int).SetString(r[6], 10)
		p.amountIn, _ = new(big.Int).SetString(r[11], 10)
		p.time, _ = strconv.ParseInt(r[7], 10, 64)
		p.nonce, _ = strconv.ParseUint(r[8], 10, 64)
		all = append(all, p)
	}
	return all
}

// transferID is what cBridge's contract makes of a deposit (Bridge.sol, _send).
func (p *pair) transferID() [32]byte {
	b := slices.Concat(p.sender[:], p.receiver[:], p.tokenOut[:], common.LeftPadBytes(p.amountOut.Bytes(), 32))
	b = binary.BigEndian.AppendUint64(b, 137)
	b = binary.BigEndian.AppendUint64(b, p.nonce)
	return crypto.Keccak256Hash(binary.BigEndian.AppendUint64(b, 1))
}

const (
	anySwapOut = "LogAnySwapOut(address indexed token, address indexed from, address indexed to, uint256 amount, uint256 fromChainID, uint256 toChainID)"
	anySwapIn  = "LogAnySwapIn(bytes32 indexed txhash, address indexed token, address indexed to, uint256 amount, uint256 fromChainID, uint256 toChainID)"
)

// sides writes the logs that the two contracts write of a pair.
func (p *pair) sides(t *testing.T) (out, in *scene) {
	out, in = newScene(t, "ethereum", 0), newScene(t, "polygon", 0xff)
	out.tx.ID = p.tx
	switch p.protocol {
	case "celer":
		out.log(hexAddress(celerPoolEth), celerSend, p.transferID(), p.sender, p.receiver, p.tokenOut, p.amountOut, uint64(137), p.nonce, uint32(5000))
		in.log(hexAddress("0x88DCDC47D2f83a99CF0000FDF667A468bB958a78"), celerRelay, [32]byte{1}, p.sender, p.paidTo, p.tokenIn, p.amountIn, uint64(1), p.id)
	case "multichain":
		out.log(hexAddress("0x6b7a87899490EcE95443e979cA9485CBE7E71522"), anySwapOut, p.tokenOut, p.sender, p.receiver, p.amountOut, big.NewInt(1), big.NewInt(137))
		in.log(hexAddress("0x4f3Aff3A747fCADe12598081e80c6605A8be192F"), anySwapIn, p.id, p.tokenIn, p.paidTo, p.amountIn, big.NewInt(1), big.NewInt(137))
	}
	return out, in
}

// Every one of 2,495 real transfers is found by its id, and by nothing else:
// recall and precision of exact matching are 1.
func TestBridgePairsByID(t *testing.T) {
	b := bundled(t)
	pairs := readPairs(t)
	arrived := map[string][]int{}
	left := make([]string, len(pairs))
	for i := range pairs {
		out, in := pairs[i].sides(t)
		leave, arrive := b.Notices(out.tx, out.logs), b.Notices(in.tx, in.logs)
		if len(leave) != 1 || len(arrive) != 1 {
			t.Fatalf("pair %d: %d notices out, %d in", i, len(leave), len(arrive))
		}
		if leave[0].Network != "polygon" || arrive[0].Network != "ethereum" {
			t.Fatalf("pair %d: to %s, from %s", i, leave[0].Network, arrive[0].Network)
		}
		left[i] = leave[0].Ref
		arrived[arrive[0].Ref] = append(arrived[arrive[0].Ref], i)
	}
	found, wrong := map[string]int{}, map[string]int{}
	for i, ref := range left {
		switch at := arrived[ref]; {
		case len(at) == 1 && at[0] == i:
			found[pairs[i].protocol]++
		case len(at) > 0:
			wrong[pairs[i].protocol]++
		}
	}
	if d := cmp.Diff(map[string]int{"celer": 357, "multichain": 2138}, found); d != "" || len(wrong) != 0 {
		t.Errorf("wrong: %v; found (-want +got)\n%s", wrong, d)
	}
}

// leg is one side of a transfer as the rule of tier T2 sees it.
type leg struct {
	to     common.Address
	amount *big.Int
	time   int64
}

// likely is the rule of docs/method.md, Crossings, tier T2: same recipient,
// amount within 1 % after the fee, within 30 minutes.
func likely(out, in leg) bool {
	least := new(big.Int).Mul(out.amount, big.NewInt(99))
	got := new(big.Int).Mul(in.amount, big.NewInt(100))
	return out.to == in.to && got.Cmp(least) >= 0 && in.amount.Cmp(out.amount) <= 0 && in.time >= out.time && in.time <= out.time+1800
}

// matchT2 returns for each out-leg the in-leg that alone fits it and that it
// alone fits, or -1.
func matchT2(outs, ins []leg) []int {
	byTo := map[common.Address][]int{}
	for i, in := range ins {
		byTo[in.to] = append(byTo[in.to], i)
	}
	fits, claims := make([][]int, len(outs)), make([]int, len(ins))
	for o, out := range outs {
		for _, i := range byTo[out.to] {
			if likely(out, ins[i]) {
				fits[o] = append(fits[o], i)
				claims[i]++
			}
		}
	}
	matched := make([]int, len(outs))
	for o := range outs {
		matched[o] = -1
		if len(fits[o]) == 1 && claims[fits[o][0]] == 1 {
			matched[o] = fits[o][0]
		}
	}
	return matched
}

// The rule without ids, on the same transfers. Recipients, amounts, fees and
// times of departure are real; the data has no time of arrival, so it is set:
// the same for all, or spread over the window. What recall loses is fees above 1 % (Multichain's minimum
// fee on small sums) and recipients with several like transfers.
func TestBridgePairsWithoutID(t *testing.T) {
	pairs := readPairs(t)
	want := map[string]string{
		"celer +2m":              "found 345 of 357, wrong 0",
		"celer +29m":             "found 345 of 357, wrong 0",
		"celer +1m to +29m":      "found 345 of 357, wrong 0",
		"multichain +2m":         "found 1827 of 2138, wrong 0",
		"multichain +29m":        "found 1829 of 2138, wrong 0",
		"multichain +1m to +29m": "found 1831 of 2138, wrong 0",
	}
	got := map[string]string{}
	for _, protocol := range []string{"celer", "multichain"} {
		for name, delay := range map[string]func(*pair) int64{
			"+2m":         func(*pair) int64 { return 120 },
			"+29m":        func(*pair) int64 { return 29 * 60 },
			"+1m to +29m": func(p *pair) int64 { return 60 + int64(p.id[31])*28*60/255 },
		} {
			var outs, ins []leg
			for i := range pairs {
				if p := &pairs[i]; p.protocol == protocol {
					outs = append(outs, leg{p.receiver, p.amountOut, p.time})
					ins = append(ins, leg{p.paidTo, p.amountIn, p.time + delay(p)})
				}
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
			got[protocol+" "+name] = fmt.Sprintf("found %d of %d, wrong %d", found, len(outs), wrong)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// A log with one byte of it changed says nothing, or something else: never the same ref for another payment.
func TestBridgePairsDamaged(t *testing.T) {
	b := bundled(t)
	for i, p := range readPairs(t)[:300] {
		out, _ := p.sides(t)
		l := out.logs[0]
		damaged := *l
		damaged.Data = slices.Clone(l.Data)
		damaged.Data[i%len(l.Data)] ^= 1 << (i % 8)
		before, after := b.Notices(out.tx, []*types.Log{l}), b.Notices(out.tx, []*types.Log{&damaged})
		if len(after) == 1 && cmp.Equal(before, after, cmp.Comparer(func(x, y ledger.Notice) bool { return x == y })) && p.protocol == "celer" && i%len(l.Data) < 32*6 {
			t.Errorf("pair %d, byte %d: read as before (%s)", i, i%len(l.Data), hex.EncodeToString(damaged.Data))
		}
	}
}
