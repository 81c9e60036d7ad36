package proof

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

// accepts reports whether bytes decode to a proof that verifies, and whether they decode at all.
func accepts[P Bitcoin | Ethereum | Tron](b []byte, verify func(P) error) (decoded, accepted bool) {
	p, err := Decode[P](b)
	if err != nil {
		return false, false
	}
	return true, verify(p) == nil
}

func isBitcoin(p Bitcoin) error   { _, err := VerifyBitcoin("bitcoin", p); return err }
func isEthereum(p Ethereum) error { _, err := VerifyEthereum("ethereum", p); return err }
func isTron(p Tron) error         { _, err := VerifyTron("tron", p); return err }

// realBitcoin are proofs of a coinbase, of a payment with all its amounts, and of one with some.
func realBitcoin(t testing.TB) [][]byte {
	t.Helper()
	early := earlyBlocks(t)[:171]
	late := bitcoinFile(t, "bitcoin/bcoin/block300025.raw.gz", 0)
	var all [][]byte
	for _, b := range []*BitcoinBlock{early[170], late} {
		find := lookup(append([]*BitcoinBlock{late}, early...)...)
		for i := 0; i < len(b.txs); i += 1 + len(b.txs)/10 {
			p := must[Bitcoin](t)(BuildBitcoin("bitcoin", b, b.IDs()[i], find))
			all = append(all, must[[]byte](t)(Encode(p)))
		}
	}
	return all
}

func realEthereum(t testing.TB) [][]byte {
	t.Helper()
	var all [][]byte
	large, _, _ := made(t, 150)
	for _, b := range []*EthereumBlock{recordedBlock(t, 483920), recordedBlock(t, 1755635), large} {
		for i := 0; i < len(b.txs); i += 1 + len(b.txs)/10 {
			all = append(all, must[[]byte](t)(Encode(must[Ethereum](t)(BuildEthereum("ethereum", b, i)))))
		}
	}
	return all
}

func realTron(t testing.TB) [][]byte {
	t.Helper()
	var all [][]byte
	b, _ := recordedTron(t)
	for i := 0; i < len(b.txs); i += 103 {
		all = append(all, must[[]byte](t)(Encode(must[Tron](t)(BuildTron("tron", b, i)))))
	}
	return append(all, must[[]byte](t)(Encode(must[Tron](t)(BuildTron("tron", b, len(b.txs)-1)))))
}

// edit changes one bit, one byte, one hex digit, or the length by one.
func edit(r *rand.Rand, b []byte) []byte {
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

func survive[P Bitcoin | Ethereum | Tron](t *testing.T, proofs [][]byte, verify func(P) error) {
	t.Helper()
	for i, b := range proofs {
		if _, ok := accepts(b, verify); !ok {
			t.Fatalf("proof %d is refused", i)
		}
	}
	r := rand.New(rand.NewPCG(5, 11))
	made, decoded := 0, 0
	for made < edits {
		whole := proofs[r.IntN(len(proofs))]
		b := edit(r, whole)
		if bytes.Equal(b, whole) {
			continue
		}
		made++
		reached, accepted := accepts(b, verify)
		if reached {
			decoded++
		}
		if accepted {
			t.Errorf("edit %d is accepted:\n%s\nof\n%s", made, b, whole)
		}
	}
	if decoded < edits/3 {
		t.Errorf("%d of %d edits reached the verifier, want more", decoded, edits)
	}
	t.Logf("%d edits of %d proofs refused, %d by the verifier", made, len(proofs), decoded)
}

// No random edit of a proof is accepted: each was found by the form, or by a hash.
func TestEditsAreRefused(t *testing.T) {
	t.Run("bitcoin", func(t *testing.T) { survive(t, realBitcoin(t), isBitcoin) })
	t.Run("ethereum", func(t *testing.T) { survive(t, realEthereum(t), isEthereum) })
	t.Run("tron", func(t *testing.T) { survive(t, realTron(t), isTron) })
}

// A proof has one spelling.
func TestOneForm(t *testing.T) {
	whole := string(realTron(t)[0])
	for name, other := range map[string]string{
		"a space":                  " " + whole,
		"a line end":               whole + "\n",
		"another proof after it":   whole + whole,
		"a field in capitals":      strings.Replace(whole, `"header"`, `"HEADER"`, 1),
		"a field that is not read": strings.Replace(whole, `{`, `{"more":"",`, 1),
		"a field twice":            strings.Replace(whole, `{`, `{"block":"00",`, 1),
		"an escape":                strings.Replace(whole, `"header":"0`, `"header":"\u0030`, 1),
		"hex in capitals":          strings.Replace(whole, "ff", "FF", 1),
		"hex with a prefix":        strings.Replace(whole, `"header":"`, `"header":"0x`, 1),
		"an empty sibling":         strings.Replace(whole, `{"right":`, `{"left":"","right":`, 1),
		"null":                     "null",
		"nothing":                  "",
	} {
		if _, ok := accepts([]byte(other), isTron); ok || other == whole {
			t.Errorf("%s is accepted:\n%s", name, other)
		}
	}
}

// Fields of one proof in another do not verify.
func TestSwappedPartsAreRefused(t *testing.T) {
	b := must[Bitcoin](t)(Decode[Bitcoin](realBitcoin(t)[1]))
	for name, change := range map[string]func(p *Bitcoin){
		"no coinbase":          func(p *Bitcoin) { p.Coinbase, p.CoinbaseBranch = "", nil },
		"itself as coinbase":   func(p *Bitcoin) { p.Coinbase = p.Bytes },
		"previous twice":       func(p *Bitcoin) { p.Previous = append(p.Previous, p.Previous[0]) },
		"itself as previous":   func(p *Bitcoin) { p.Previous = []BitcoinTx{p.BitcoinTx} },
		"no branch":            func(p *Bitcoin) { p.Branch = nil },
		"previous of a header": func(p *Bitcoin) { p.Previous[0].Header = p.Header },
	} {
		p := b
		p.Previous = append([]BitcoinTx{}, b.Previous...)
		change(&p)
		if err := isBitcoin(p); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	// To leave a previous transaction out is no lie, and proves less.
	b.Previous = nil
	if f, err := VerifyBitcoin("bitcoin", b); err != nil || f.Grade.Grade != ledger.GradeAttested || f.Inputs[0].Known {
		t.Errorf("without its previous transaction: got %+v, %v; want attested", f, err)
	}
	e := must[Ethereum](t)(Decode[Ethereum](realEthereum(t)[1]))
	for name, change := range map[string]func(p *Ethereum){
		"receipt as transaction": func(p *Ethereum) { p.Transaction = p.Receipt },
		"no receipt before":      func(p *Ethereum) { p.Before = nil },
		"itself as before":       func(p *Ethereum) { p.Before = p.Receipt },
		"another index":          func(p *Ethereum) { p.Index++ },
	} {
		p := e
		if change(&p); isEthereum(p) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// fuzz holds that a verifier never panics and accepts nothing but the proofs it was given.
func fuzz[P Bitcoin | Ethereum | Tron](f *testing.F, proofs [][]byte, verify func(P) error) {
	f.Helper()
	known := map[string]bool{}
	for _, b := range proofs {
		known[string(b)] = true
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, ok := accepts(b, verify); ok && !known[string(b)] {
			t.Errorf("accepted:\n%s", b)
		}
	})
}

func FuzzBitcoin(f *testing.F)  { fuzz(f, realBitcoin(f), isBitcoin) }
func FuzzEthereum(f *testing.F) { fuzz(f, realEthereum(f), isEthereum) }
func FuzzTron(f *testing.F)     { fuzz(f, realTron(f), isTron) }

// Blocks and parts of them never make a reader panic.
func FuzzReaders(f *testing.F) {
	f.Add(readFile(f, bitcoinData+"bitcoin/bcoin/block482683.raw.gz"))
	tron, _ := recordedTron(f)
	f.Add(tron.txs[0])
	f.Add(tron.header)
	ethereum, _, _ := made(f, 5)
	for i := range 5 {
		f.Add(ethereum.txs[i])
		f.Add(ethereum.receipts[i])
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = ReadBitcoinBlock(b)
		_, _ = ReadRawTronBlock(b)
		_, _ = ReadTronBlock(b, nil)
		_, _ = readTronTx("tron", b)
		_, _ = ReadEthereumBlock(b, nil, nil)
		_, _ = readEthereumTx(b)
		_, _ = readReceipt(b)
		_, _ = verifyTrie("trie", keccak(b), 0, [][]byte{b})
	})
}
