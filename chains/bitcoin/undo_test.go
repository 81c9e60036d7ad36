package bitcoin

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

// Vectors of Bitcoin Core's serialize_tests.cpp and compress_tests.cpp.
func TestVarIntVectors(t *testing.T) {
	for text, want := range map[string]uint64{
		"00": 0, "7f": 0x7f, "8000": 0x80, "a334": 0x1234, "82fe7f": 0xffff, "c7e756": 0x123456, "86ffc7e756": 0x80123456,
		"8efefefe7f": 0xffffffff, "fefefefefefefefe7f": 0x7fffffffffffffff, "80fefefefefefefefe7f": 0xffffffffffffffff,
	} {
		raw, _ := hex.DecodeString(text)
		c := cursor{data: raw}
		if got := c.varInt(); got != want || c.err != nil || c.left() != 0 {
			t.Errorf("%s: got %x, %v, want %x", text, got, c.err, want)
		}
		if got := putVarInt(nil, want); !bytes.Equal(got, raw) {
			t.Errorf("%x: got %x, want %s", want, got, text)
		}
	}
	for _, text := range []string{"", "80", "80fefefefefefefeff00", "80fefefefefefefefe80", "80fefefefefefefefeff00", "ffffffffffffffffffff7f"} {
		raw, _ := hex.DecodeString(text)
		c := cursor{data: raw}
		if got := c.varInt(); c.err == nil {
			t.Errorf("%s: got %x, want an error", text, got)
		}
	}
}

func TestAmountVectors(t *testing.T) {
	const cent, coin = 1_000_000, 100_000_000
	for amount, x := range map[uint64]uint64{0: 0, 1: 1, cent: 7, coin: 9, 50 * coin: 0x32, 21_000_000 * coin: 0x1406f40} {
		if got, ok := expandAmount(x); got != amount || !ok {
			t.Errorf("%x: got %d, %v, want %d", x, got, ok, amount)
		}
	}
	for n := uint64(0); n <= maxMoney; n += n/7 + 1 {
		if got, ok := expandAmount(compressAmount(n)); got != n || !ok {
			t.Fatalf("%d came back as %d, %v", n, got, ok)
		}
	}
	for _, x := range []uint64{1<<64 - 1, 1<<64 - 10, compressAmount(maxMoney + 1), 10_000_000_000_000_000} {
		if got, ok := expandAmount(x); ok {
			t.Errorf("%x: got %d, want a refusal", x, got)
		}
	}
}

func TestCoinListOfRealBlocks(t *testing.T) {
	for _, r := range realBlocks(t) {
		list := map[string]string{"300025": "block300025", "testnet 1087400": "block1087400"}[r.name]
		if list == "" {
			continue
		}
		raw := readGzip(t, "bitcoin/bcoin/"+list+"-undo.raw.gz")
		b := decode(t, r.chain, r.raw)
		undo, err := b.DecodeCoinList(raw)
		if err != nil {
			t.Fatal(err)
		}
		paysOut(t, b, undo, r.height)
		for name, bad := range map[string][]byte{"cut": raw[:len(raw)-1], "long": append(bytes.Clone(raw), 0), "too much": append(bytes.Repeat([]byte{255}, 8), raw[8:]...)} {
			if _, err := b.DecodeCoinList(bad); !errors.Is(err, ledger.ErrInvalid) {
				t.Errorf("%s, %s: got %v, want an invalid list", r.name, name, err)
			}
		}
	}
}

// paysOut checks that a miner took every satoshi of subsidy and fees, which only
// holds with the right coin behind every input. It reads the undo data back from
// both forms of Bitcoin Core, too.
func paysOut(t *testing.T, b *Block, undo Undo, height uint64) {
	t.Helper()
	own := b.Unknown()
	for _, old := range []bool{false, true} {
		again, err := DecodeUndo(encodeUndo(t, undo, old))
		if err != nil {
			t.Fatal(err)
		}
		if again.Shape() != b.Shape() {
			t.Error("another shape")
		}
		undo = again
	}
	if err := b.Apply(undo); err != nil {
		t.Fatal(err)
	}
	if b.Unknown() != 0 || own == 0 {
		t.Errorf("%d of %d inputs are unknown", b.Unknown(), own)
	}
	block, err := b.At(height, ledger.GradeAttested, "")
	if err != nil {
		t.Fatal(err)
	}
	var in, out uint64
	for i := range block.Txs {
		moreIn, moreOut := total(&block.Txs[i])
		in, out = in+moreIn, out+moreOut
	}
	if subsidy := b.network.Subsidy(height); out != in+subsidy {
		t.Errorf("paid out %d, came in %d and %d", out, in, subsidy)
	}
}

// 277647.utxostore holds the coins that block 277647 spends as btcd's own code
// compressed them, by the same scheme as Bitcoin Core.
func TestCoinsCompressedByBtcd(t *testing.T) {
	coins := map[ledger.OutPoint]Coin{}
	kinds := map[byte]int{}
	for raw := readGzip(t, "bitcoin/btcd/277647.utxostore.gz"); len(raw) > 0; {
		op := ledger.OutPoint{Tx: ledger.TxID(printed([32]byte(raw))), Index: binary.LittleEndian.Uint32(raw[32:])}
		n := binary.LittleEndian.Uint32(raw[36:])
		c := cursor{data: raw[40 : 40+n]}
		c.varInt() // height and coinbase
		value, ok := expandAmount(c.varInt())
		coin := Coin{Value: value}
		coin.kind, coin.script = readCompressed(&c)
		if !ok || c.err != nil || c.left() != 0 {
			t.Fatalf("%v: %v, %d bytes left", op, c.err, c.left())
		}
		kinds[coin.kind]++
		coins[op], raw = coin, raw[40+n:]
	}
	b := decode(t, "bitcoin", realBlocks(t)[1].raw)
	undo := make(Undo, len(b.txs)-1)
	for i := range undo {
		for _, in := range b.txs[i+1].Inputs {
			coin, ok := coins[in.Prev]
			if !ok { // made by the block itself
				script := in.Address.Script()
				v, _ := in.Value.Uint64()
				coin = Coin{Value: v, kind: plainScript, script: script}
			}
			undo[i] = append(undo[i], coin)
		}
	}
	paysOut(t, b, undo, 277647)
	if kinds[kindKeyHash] != 732 || len(coins) != 732 {
		t.Errorf("got %d coins, by kind %v", len(coins), kinds)
	}
}

// Public keys of mainnet coinbases 1 to 600, whole ones, and their two parities.
func TestKeysComeBack(t *testing.T) {
	kinds := map[byte]int{}
	for _, name := range []string{"blk00000", "blk00001"} {
		for _, raw := range framedBlocks(t, "bitcoin/nbitcoin/"+name+".dat.gz") {
			for _, out := range decode(t, "bitcoin", raw).txs[0].Outputs {
				script := out.Address.Script()
				kind, payload := compressScript(t, script)
				kinds[kind]++
				if got, err := (Coin{kind: kind, script: payload}).Script(); err != nil || !bytes.Equal(got, script) {
					t.Fatalf("got %x, %v, want %x", got, err, script)
				}
			}
		}
	}
	if kinds[kindWholeEven] < 200 || kinds[kindWholeOdd] < 200 {
		t.Errorf("got %v", kinds)
	}
	if _, err := (Coin{kind: kindWholeEven, script: bytes.Repeat([]byte{255}, 32)}).Script(); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("a key off the curve: got %v", err)
	}
}

func TestApplyRefuses(t *testing.T) {
	r := realBlocks(t)[2]
	fresh := decode(t, r.chain, r.raw)
	list := readGzip(t, "bitcoin/bcoin/block300025-undo.raw.gz")
	own, inside := -1, 0 // an input that spends a coin of the block itself
	for i := range fresh.txs {
		for k, in := range fresh.txs[i].Inputs {
			if in.Known && own < 0 {
				own, inside = i-1, k
			}
		}
	}
	for name, spoil := range map[string]func(Undo) Undo{
		"one transaction less": func(u Undo) Undo { return u[1:] },
		"one coin less":        func(u Undo) Undo { u[5] = u[5][1:]; return u },
		"another own coin":     func(u Undo) Undo { u[own][inside].Value++; return u },
		"a key off the curve":  func(u Undo) Undo { u[9][0] = Coin{kind: kindWholeOdd, script: make([]byte, 32)}; return u },
	} {
		b := decode(t, r.chain, r.raw)
		undo, err := b.DecodeCoinList(list)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Apply(spoil(undo)); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: got %v, want invalid undo data", name, err)
		}
		if b.Unknown() != fresh.Unknown() {
			t.Errorf("%s: %d inputs unknown, want %d", name, b.Unknown(), fresh.Unknown())
		}
	}
	poor := decode(t, r.chain, r.raw)
	undo, err := poor.DecodeCoinList(list)
	if err != nil {
		t.Fatal(err)
	}
	for i := range undo[7] {
		undo[7][i].Value = 0
	}
	if err := poor.Apply(undo); err != nil {
		t.Fatal(err)
	}
	if _, err := poor.At(r.height, ledger.GradeAttested, ""); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("more out than in: got %v", err)
	}
}

func TestLongScriptCannotBeSpent(t *testing.T) {
	raw := append(putVarInt(nil, 10_001+specialKinds), make([]byte, 10_001)...)
	c := cursor{data: raw}
	if kind, script := readCompressed(&c); kind != plainScript || !bytes.Equal(script, []byte{0x6a}) || c.left() != 0 || c.err != nil {
		t.Errorf("got %d, %x, %d left, %v", kind, script, c.left(), c.err)
	}
}

// encodeUndo writes undo data as Bitcoin Core does; old, as it did before 0.15:
// with the version of the transaction, and without height for all but its last coin.
func encodeUndo(t testing.TB, undo Undo, old bool) []byte {
	t.Helper()
	b := putCount(nil, len(undo))
	for i, coins := range undo {
		b = putCount(b, len(coins))
		for k, coin := range coins {
			switch {
			case !old:
				b = append(putVarInt(b, uint64(i+k)*2+2), 0)
			case k%2 == 0:
				b = putVarInt(putVarInt(b, uint64(i)*2+3), 0x20000002)
			default:
				b = append(b, 0)
			}
			script, err := coin.Script()
			if err != nil {
				t.Fatal(err)
			}
			b = putVarInt(b, compressAmount(coin.Value))
			kind, payload := compressScript(t, script)
			if kind == plainScript {
				b = putVarInt(b, uint64(len(payload))+specialKinds)
			} else {
				b = append(b, kind)
			}
			b = append(b, payload...)
		}
	}
	return b
}

func putCount(b []byte, n int) []byte {
	if n < 0xfd {
		return append(b, byte(n))
	}
	return binary.LittleEndian.AppendUint16(append(b, 0xfd), uint16(n))
}

func putVarInt(b []byte, n uint64) []byte {
	digits := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		n--
		digits = append(digits, byte(n&0x7f)|0x80)
	}
	for i := len(digits) - 1; i >= 0; i-- {
		b = append(b, digits[i])
	}
	return b
}

func compressAmount(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	zeros := uint64(0)
	for n%10 == 0 && zeros < 9 {
		n, zeros = n/10, zeros+1
	}
	if zeros < 9 {
		return 1 + (n/10*9+n%10-1)*10 + zeros
	}
	return 1 + (n-1)*10 + 9
}

func compressScript(t testing.TB, script []byte) (byte, []byte) {
	t.Helper()
	a := ledger.ScriptAddress("bitcoin", script)
	n := len(script)
	switch {
	case a.Kind == ledger.KindP2PKH:
		return kindKeyHash, []byte(a.Payload)
	case a.Kind == ledger.KindP2SH:
		return kindScriptHash, []byte(a.Payload)
	case n == 35 && script[0] == 33 && script[34] == 0xac && (script[1] == 2 || script[1] == 3):
		return script[1], script[2:34]
	case n == 67 && script[0] == 65 && script[66] == 0xac && script[1] == 4:
		return kindWholeEven + script[65]&1, script[2:34]
	}
	return plainScript, script
}
