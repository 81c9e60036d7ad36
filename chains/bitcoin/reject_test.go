package bitcoin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/ledger"
)

func refused(t *testing.T, raw []byte, want string) {
	t.Helper()
	_, err := Decode(regtest, raw)
	if !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an invalid block for %q", err, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	const coins = 100_000_000
	base := func() *wire.MsgTx { return coinbaseTx(1, 50*coins) }
	a := spendTx(nil, []wire.OutPoint{somewhere(1)}, 5, 6)
	child := spendTx(nil, []wire.OutPoint{{Hash: a.TxHash(), Index: 1}}, 3)
	if b := decode(t, regtest, mine(t, base(), a, child)); b.Unknown() != 1 || b.txs[2].Inputs[0].Value != ledger.NewAmount(6) {
		t.Errorf("a coin of the block itself: got %d unknown, %+v", b.Unknown(), b.txs[2].Inputs[0])
	}
	longScript := base()
	longScript.TxIn[0].SignatureScript = make([]byte, 101)
	twoInputs := base()
	twoInputs.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: [32]byte{1}}, nil, nil))
	mixed := spendTx(nil, []wire.OutPoint{somewhere(1), {Index: 0xffffffff}}, 1)
	for name, c := range map[string]struct {
		txs  []*wire.MsgTx
		want string
	}{
		"no coinbase":               {[]*wire.MsgTx{a, child}, "a coinbase as its first transaction"},
		"coinbase with two inputs":  {[]*wire.MsgTx{twoInputs}, "a coinbase as its first transaction"},
		"long coinbase script":      {[]*wire.MsgTx{longScript}, "2 to 100 bytes"},
		"two coinbases":             {[]*wire.MsgTx{base(), coinbaseTx(2, 1)}, "one coinbase"},
		"half a coinbase":           {[]*wire.MsgTx{base(), mixed}, "one coinbase"},
		"a coin twice":              {[]*wire.MsgTx{base(), a, spendTx(nil, []wire.OutPoint{somewhere(1)}, 1)}, "not spent yet"},
		"a coin twice at once":      {[]*wire.MsgTx{base(), spendTx(nil, []wire.OutPoint{somewhere(2), somewhere(2)}, 1)}, "not spent yet"},
		"child before its parent":   {[]*wire.MsgTx{base(), child, a}, "an earlier transaction"},
		"an output that is not":     {[]*wire.MsgTx{base(), a, spendTx(nil, []wire.OutPoint{{Hash: a.TxHash(), Index: 2}}, 1)}, "an earlier transaction"},
		"the coinbase spent":        {[]*wire.MsgTx{base(), spendTx(nil, []wire.OutPoint{{Hash: base().TxHash()}}, 1)}, "not of the coinbase"},
		"21 million and one":        {[]*wire.MsgTx{coinbaseTx(1, 21e6*coins+1)}, "21 million"},
		"negative value":            {[]*wire.MsgTx{base(), spendTx(nil, []wire.OutPoint{somewhere(1)}, -1)}, "21 million"},
		"sum above 21 million":      {[]*wire.MsgTx{base(), spendTx(nil, []wire.OutPoint{somewhere(1)}, 20e6*coins, 2e6*coins)}, "21 million"},
		"sum that wraps":            {[]*wire.MsgTx{base(), spendTx(nil, []wire.OutPoint{somewhere(1)}, 1<<62, 1<<62, 1<<62, 1<<62)}, "21 million"},
		"no output":                 {[]*wire.MsgTx{base(), spendTx(nil, []wire.OutPoint{somewhere(1)})}, "items"},
		"a witness, no commitment":  {[]*wire.MsgTx{base(), spendTx([]byte{1}, []wire.OutPoint{somewhere(1)}, 1)}, "a witness commitment"},
		"a pair of equal neighbors": {[]*wire.MsgTx{base(), a, child, child}, "CVE-2012-2459"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, mine(t, c.txs...), c.want) })
	}
	huge := base()
	huge.AddTxOut(wire.NewTxOut(0, make([]byte, 1_000_000)))
	refused(t, mine(t, huge), "weight")
}

func TestDecodeRefusesWitness(t *testing.T) {
	build := func() []*wire.MsgTx {
		txs := []*wire.MsgTx{coinbaseTx(1, 50), spendTx([]byte{1, 2, 3}, []wire.OutPoint{somewhere(1)}, 1), spendTx(nil, []wire.OutPoint{somewhere(2)}, 2)}
		commit(txs)
		return txs
	}
	decode(t, regtest, mine(t, build()...))
	last := build() // the last output that looks like a commitment counts
	last[0].TxOut = append([]*wire.TxOut{wire.NewTxOut(0, append(commitmentPrefix(), make([]byte, 32)...))}, last[0].TxOut...)
	decode(t, regtest, mine(t, last...))
	for name, c := range map[string]struct {
		spoil func([]*wire.MsgTx)
		want  string
	}{
		"another witness":         {func(txs []*wire.MsgTx) { txs[1].TxIn[0].Witness[0][0] ^= 1 }, "witnesses of the commitment"},
		"one item more":           {func(txs []*wire.MsgTx) { txs[2].TxIn[0].Witness = wire.TxWitness{{}} }, "witnesses of the commitment"},
		"another commitment":      {func(txs []*wire.MsgTx) { txs[0].TxOut[1].PkScript[20] ^= 1 }, "witnesses of the commitment"},
		"another reserved value":  {func(txs []*wire.MsgTx) { txs[0].TxIn[0].Witness[0][9] ^= 1 }, "witnesses of the commitment"},
		"a short reserved value":  {func(txs []*wire.MsgTx) { txs[0].TxIn[0].Witness[0] = txs[0].TxIn[0].Witness[0][1:] }, "32 bytes"},
		"two reserved values":     {func(txs []*wire.MsgTx) { txs[0].TxIn[0].Witness = append(txs[0].TxIn[0].Witness, []byte{}) }, "32 bytes"},
		"no reserved value":       {func(txs []*wire.MsgTx) { txs[0].TxIn[0].Witness = nil }, "32 bytes"},
		"a commitment of 31 byte": {func(txs []*wire.MsgTx) { txs[0].TxOut[1].PkScript = txs[0].TxOut[1].PkScript[:37] }, "a witness commitment"},
	} {
		t.Run(name, func(t *testing.T) {
			txs := build()
			c.spoil(txs)
			refused(t, mine(t, txs...), c.want)
		})
	}
}

func TestDecodeRefusesHeader(t *testing.T) {
	good := mine(t, coinbaseTx(1, 50))
	for bits, want := range map[uint32]string{
		0x207fffff + 1: "bits", 0x21008000: "bits", 0x00000000: "bits", 0x01000000: "bits", 0x1f800001: "bits", 0xff123456: "bits", 0x1d00ffff: "meets its target",
	} {
		raw := bytes.Clone(good)
		binary.LittleEndian.PutUint32(raw[72:], bits)
		refused(t, raw, want)
	}
	refused(t, good[:79], "80 bytes")
	refused(t, good[:80], "byte")
	refused(t, append(bytes.Clone(good), 0), "where its transactions end")
	empty := append(bytes.Clone(good[:80]), 0)
	refused(t, empty, "at least the coinbase")
	long := bytes.Replace(good, good[80:82], []byte{0xfd, 1, 0, good[81]}, 1)
	refused(t, long, "shortest form")
}

// A repeated tail leaves the merkle root as it is; so does a list of inner nodes.
func TestMerkleTricks(t *testing.T) {
	raw := realBlocks(t)[2].raw // 461 transactions, so that the last one is repeated in the tree
	b := decode(t, "bitcoin", raw)
	var msg wire.MsgBlock
	if err := msg.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	hashes := make([][32]byte, len(b.txs))
	for i := range b.txs {
		hashes[i] = printed(b.txs[i].ID)
	}
	if got, _ := merkleRoot(append([][32]byte{}, hashes...)); got != naiveMerkle(hashes) {
		t.Errorf("merkle root: got %x, want %x", got, naiveMerkle(hashes))
	}
	msg.Transactions = append(msg.Transactions, msg.Transactions[460])
	var twice bytes.Buffer
	if err := msg.Serialize(&twice); err != nil {
		t.Fatal(err)
	}
	if _, err := Decode("bitcoin", twice.Bytes()); err == nil || !strings.Contains(err.Error(), "CVE-2012-2459") {
		t.Errorf("repeated tail: got %v", err)
	}
	nodes := append(bytes.Clone(raw[:80]), 231)
	for i := 0; i < len(hashes); i += 2 {
		nodes = append(append(nodes, hashes[i][:]...), hashes[min(i+1, len(hashes)-1)][:]...)
	}
	if _, err := Decode("bitcoin", nodes); err == nil {
		t.Error("a list of inner nodes was accepted as transactions")
	}
}

// Every byte of a block is under the work of its header: by the merkle root or by the witness commitment.
func TestMutationsAreRefused(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	tried := 0
	for _, r := range realBlocks(t) {
		n := 400
		if len(r.raw) > 100_000 {
			n = 60
		}
		want := decode(t, r.chain, r.raw)
		for range n {
			raw, how := mutate(rng, r.raw)
			if bytes.Equal(raw, r.raw) {
				continue
			}
			tried++
			got, err := Decode(r.chain, raw)
			if err == nil && !reflect.DeepEqual(got.txs, want.txs) {
				t.Fatalf("%s: %s gave other transactions", r.name, how)
			}
			if err == nil {
				t.Errorf("%s: %s was accepted", r.name, how)
			} else if !errors.Is(err, ledger.ErrInvalid) {
				t.Errorf("%s: %s: got %v, want an invalid block", r.name, how, err)
			}
		}
	}
	if tried < 1000 {
		t.Errorf("only %d mutations", tried)
	}
}

func mutate(rng *rand.Rand, raw []byte) ([]byte, string) {
	b := bytes.Clone(raw)
	i := rng.IntN(len(b))
	switch rng.IntN(6) {
	case 0:
		b[i] ^= 1 << rng.IntN(8)
		return b, "a flipped bit"
	case 1:
		b[i] = byte(rng.Uint32())
		return b, "another byte"
	case 2:
		return b[:i], "a truncation"
	case 3:
		return append(b[:i:i], b[min(len(b), i+1+rng.IntN(40)):]...), "a cut"
	case 4:
		return append(b[:i:i], append(bytes.Clone(b[i:min(len(b), i+1+rng.IntN(300))]), b[i:]...)...), "a repetition"
	}
	b[min(72, len(b)-4)+rng.IntN(4)] ^= 1 << rng.IntN(8)
	return b, "other bits"
}

func TestCoinbaseTakesTooMuch(t *testing.T) {
	for value, ok := range map[int64]bool{5_000_000_000: true, 5_000_000_001: false} {
		b := decode(t, regtest, mine(t, coinbaseTx(1, value)))
		if _, err := b.At(149, ledger.GradeAttested, ""); (err == nil) != ok {
			t.Errorf("%d: got %v", value, err)
		}
	}
	b := decode(t, regtest, mine(t, coinbaseTx(1, 5_000_000_000)))
	if _, err := b.At(150, ledger.GradeAttested, ""); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("after the halving: got %v", err)
	}
	// With a coin that nobody knows the fees are not known either.
	b = decode(t, regtest, mine(t, coinbaseTx(1, 6_000_000_000), spendTx(nil, []wire.OutPoint{somewhere(1)}, 5)))
	if _, err := b.At(1, ledger.GradeAttested, ""); err != nil {
		t.Errorf("with an unknown coin: got %v", err)
	}
}
