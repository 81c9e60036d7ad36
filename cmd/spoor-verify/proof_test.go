package main

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// proofCase is a proof with what it shows, line by line.
type proofCase struct {
	Network string          `json:"network"`
	Shows   []string        `json:"shows"`
	Proof   json.RawMessage `json:"proof"`
}

// unpacked reads a file of test data, which may be gzipped.
func unpacked(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return b
	}
	if b, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return b
}

func proofCases(t testing.TB, name string) (all []proofCase) {
	t.Helper()
	if err := json.Unmarshal(unpacked(t, "testdata/proofs-"+name+".json.gz"), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// lines prints what a proof shows.
func (s shown) lines() []string {
	head := fmt.Sprintf("block %s tx %s height %d index %d time %d", s.block, s.tx, s.height, s.index, s.time)
	if s.outputs != nil {
		head += fmt.Sprintf(" amounts %v", s.amounts)
	}
	all := []string{head}
	for _, in := range s.inputs {
		if in.known {
			all = append(all, fmt.Sprintf("in %s %d %s %s", in.tx, in.index, in.address, in.value))
			continue
		}
		all = append(all, fmt.Sprintf("in %s %d", in.tx, in.index))
	}
	for _, out := range s.outputs {
		all = append(all, fmt.Sprintf("out %s %s", out.address, out.value))
	}
	for _, m := range s.moves {
		all = append(all, fmt.Sprintf("%s %d %s>%s %s %s %v", m.kind, m.log, m.from, m.to, m.asset, m.amount, m.certain))
	}
	return all
}

// Real transactions of three networks show what another program reads out of them.
func TestProofs(t *testing.T) {
	for name, want := range map[string]int{"bitcoin": 40, "ethereum": 20, "tron": 26} {
		cases := proofCases(t, name)
		if len(cases) != want {
			t.Errorf("%s: %d proofs, want %d", name, len(cases), want)
		}
		for i, c := range cases {
			s, err := readProof(c.Network, c.Proof)
			if err != nil {
				t.Errorf("%s %d: %v", name, i, err)
				continue
			}
			if got, want := strings.Join(s.lines(), "\n"), strings.Join(c.Shows, "\n"); got != want {
				t.Errorf("%s %d:\ngot\n%s\nwant\n%s", name, i, got, want)
			}
		}
	}
}

// The first payment from one person to another: Satoshi's 50 coins of block 9, of which Hal Finney got 10 in block 170.
func TestFirstPayment(t *testing.T) {
	c := proofCases(t, "bitcoin")[0]
	s, err := readProof(c.Network, c.Proof)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(s.block, " ", s.tx, " ", s.amounts, " ", s.inputs[0].value, " ", s.outputs[0].value, " ", s.outputs[1].value)
	want := "00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16 true 5000000000 1000000000 4000000000"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Another program's 55 calls of USDT in one TRON block: this one reads the same payer, payee and amount.
func TestTronAgreesWithUntron(t *testing.T) {
	var file struct {
		Trc20Txs []struct{ TxID, EncodedTx, TronTokenEvm, FromTron, ToTron, Amount string }
	}
	if err := json.Unmarshal(unpacked(t, "../../evidence/proof/testdata/tron-trc20-78115149.json.gz"), &file); err != nil {
		t.Fatal(err)
	}
	n, _ := networkOf("tron")
	account := func(text string) string {
		b, err := hex.DecodeString(text[len(text)-40:])
		if err != nil {
			t.Fatal(err)
		}
		return n.account([20]byte(b))
	}
	for _, want := range file.Trc20Txs {
		b, err := hex.DecodeString(want.EncodedTx[2:])
		if err != nil {
			t.Fatal(err)
		}
		tx := pbRead(b)
		moves := n.tronMoves("tron", tx.text(1), tx.text(5))
		told := shownMove{"token", -1, account(want.FromTron), account(want.ToTron), "tron:" + account(want.TronTokenEvm), want.Amount, true}
		if len(moves) != 1 || moves[0] != told {
			t.Errorf("%s: got %+v, want %+v", want.TxID, moves, told)
		}
	}
	if len(file.Trc20Txs) != 55 {
		t.Errorf("%d calls, want 55", len(file.Trc20Txs))
	}
}

// edited changes one bit, one byte, one hex digit, or the length by one.
func edited(r *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	at := r.IntN(len(b))
	switch r.IntN(6) {
	case 0:
		b[at] ^= 1 << r.IntN(8)
	case 1:
		b[at] = byte(r.IntN(256))
	case 2:
		return append(b[:at], b[at+1:]...)
	case 3:
		return append(b[:at:at], append([]byte{b[at]}, b[at:]...)...)
	default:
		b[at] = "0123456789abcdef"[r.IntN(16)]
	}
	return b
}

// Of 12,000 random edits of proofs none is accepted, and a third or more are not found by their form alone.
func TestEditedProofsAreRefused(t *testing.T) {
	const seed, some = 20261123, 4_000
	for _, name := range []string{"bitcoin", "ethereum", "tron"} {
		cases := proofCases(t, name)
		r := rand.New(rand.NewPCG(seed, 1))
		wellFormed := 0
		for made := 0; made < some; {
			c := cases[r.IntN(len(cases))]
			b := edited(r, c.Proof)
			if bytes.Equal(b, c.Proof) {
				continue
			}
			made++
			if isForm(c.Network, b) {
				wellFormed++
			}
			if _, err := readProof(c.Network, b); err == nil {
				t.Errorf("%s: edit %d of seed %d is accepted:\n%s\nof\n%s", name, made, seed, b, c.Proof)
			}
		}
		if wellFormed < some/3 {
			t.Errorf("%s: only %d edits were well-formed", name, wellFormed)
		}
		t.Logf("%s: seed %d: %d edits refused, %d of them well-formed", name, seed, some, wellFormed)
	}
}

func isForm(name string, b []byte) bool {
	switch n, _ := networkOf(name); n.family {
	case familyBitcoin:
		return oneForm(b, &bitcoinProof{}) == nil
	case familyEVM:
		return oneForm(b, &ethereumProof{}) == nil
	}
	return oneForm(b, &tronProof{}) == nil
}

// Parts of one proof in another's place are refused.
func TestSwappedPartsAreRefused(t *testing.T) {
	bitcoin, ethereum := proofCases(t, "bitcoin")[0], proofCases(t, "ethereum")[1]
	for name, change := range map[string]func(p *bitcoinProof){
		"no coinbase":             func(p *bitcoinProof) { p.Coinbase, p.CoinbaseBranch = "", nil },
		"itself as coinbase":      func(p *bitcoinProof) { p.Coinbase = p.Tx },
		"a spent one twice":       func(p *bitcoinProof) { p.Previous = append(p.Previous, p.Previous[0]) },
		"itself as spent":         func(p *bitcoinProof) { p.Previous = []bitcoinLeaf{p.bitcoinLeaf} },
		"no branch":               func(p *bitcoinProof) { p.Branch = nil },
		"a spent one's header":    func(p *bitcoinProof) { p.Previous[0].Header = p.Header },
		"another place":           func(p *bitcoinProof) { p.Index = 0 },
		"a place beyond the tree": func(p *bitcoinProof) { p.Index += 2 },
	} {
		var p bitcoinProof
		if err := json.Unmarshal(bitcoin.Proof, &p); err != nil {
			t.Fatal(err)
		}
		if change(&p); accepted(t, "bitcoin", p) {
			t.Errorf("bitcoin: %s is accepted", name)
		}
	}
	for name, change := range map[string]func(p *ethereumProof){
		"receipt as transaction": func(p *ethereumProof) { p.Transaction = p.Receipt },
		"no receipt before":      func(p *ethereumProof) { p.Before = nil },
		"itself as before":       func(p *ethereumProof) { p.Before = p.Receipt },
		"another place":          func(p *ethereumProof) { p.Index++ },
		"a node more":            func(p *ethereumProof) { p.Receipt = append(p.Receipt, p.Receipt[0]) },
	} {
		var p ethereumProof
		if err := json.Unmarshal(ethereum.Proof, &p); err != nil {
			t.Fatal(err)
		}
		if change(&p); accepted(t, "ethereum", p) {
			t.Errorf("ethereum: %s is accepted", name)
		}
	}
	if _, err := readProof("polygon", proofCases(t, "ethereum")[12].Proof); err == nil {
		t.Error("a transaction that is signed for Ethereum is accepted of Polygon")
	}
	if _, err := readProof("moneropolis", bitcoin.Proof); err == nil {
		t.Error("a network that is not known has a proof")
	}
}

func accepted(t *testing.T, name string, p any) bool {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	_, err = readProof(name, b)
	return err == nil
}

// To leave a spent transaction out is no lie, and shows less.
func TestWithoutSpent(t *testing.T) {
	var p bitcoinProof
	if err := json.Unmarshal(proofCases(t, "bitcoin")[0].Proof, &p); err != nil {
		t.Fatal(err)
	}
	p.Previous = nil
	n, _ := networkOf("bitcoin")
	s, err := n.showBitcoin(p)
	if err != nil || s.amounts || s.inputs[0].known {
		t.Errorf("got %+v, %v; want amounts that are not shown", s, err)
	}
}

// A reader takes any bytes without a panic.
func FuzzProof(f *testing.F) {
	known := map[string]bool{}
	for _, name := range []string{"bitcoin", "ethereum", "tron"} {
		for _, c := range proofCases(f, name) {
			known[string(c.Proof)] = true
			f.Add(c.Network, []byte(c.Proof))
		}
	}
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		if _, err := readProof(name, b); err == nil && !known[strings.TrimSuffix(string(b), "\n")] {
			t.Errorf("accepted of %s:\n%s", name, b)
		}
	})
}

// FuzzParts: neither do the readers of parts, and what RLP reads is written again as it was.
func FuzzParts(f *testing.F) {
	f.Add([]byte{0xc2, 0x80, 0x01})
	f.Add([]byte{0x0a, 0x01, 0x41})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = readBitcoinTx(b)
		_, _ = readEthereumTx(b)
		_, _ = readEthereumReceipt(b)
		_, _ = trieValue(keccak256(b), 0, [][]byte{b})
		n, _ := networkOf("tron")
		n.tronMoves("tron", b, nil)
		items, err := rlpItems(b)
		if err != nil {
			return
		}
		var again []byte
		for _, it := range items {
			if it.list {
				again = append(append(again, rlpPrefix(0xc0, len(it.body))...), it.body...)
				continue
			}
			again = append(again, rlpBytes(it.body)...)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("%x is read, and written as %x", b, again)
		}
	})
}
