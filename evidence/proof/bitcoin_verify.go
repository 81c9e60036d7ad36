package proof

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// BitcoinFacts is what a Bitcoin proof shows.
type BitcoinFacts struct {
	ID       ledger.TxID
	Block    ledger.Hash
	Index    uint32   // in the block
	Time     int64    // Unix milliseconds, as the header states
	Height   uint64   // as the coinbase states (BIP 34); 0 where it states none
	Work     *big.Int // expected number of hashes behind the header
	Coinbase bool
	Inputs   []ledger.Input // Address and Value where Known, which is: proven by the transaction that is spent
	Outputs  []ledger.Output
	Grade    Grade // of what flows through the transaction; its outputs alone are always proven
}

// VerifyBitcoin checks a proof. It needs nothing but the proof and the network's easiest target.
func VerifyBitcoin(chain ledger.Chain, p Bitcoin) (BitcoinFacts, error) {
	t, facts, err := verifyBitcoinTx(chain, "transaction", p.BitcoinTx)
	if err != nil {
		return BitcoinFacts{}, err
	}
	spent, err := verifyPrevious(chain, t, facts, p.Previous)
	if err != nil {
		return BitcoinFacts{}, err
	}
	if facts.Coinbase {
		facts.Grade = proven("the block's own coinbase: it spends no output, and stands in a header with proof of work")
		return facts, nil
	}
	known, err := facts.spend(chain, t, spent)
	if err != nil {
		return BitcoinFacts{}, err
	}
	facts.Grade = gradeInputs(known, len(t.inputs))
	return facts, nil
}

// spend fills in the inputs and returns how many of their amounts are known. Where all are, they hold what the outputs pay.
func (f *BitcoinFacts) spend(chain ledger.Chain, t bitcoinTx, spent map[ledger.TxID]*bitcoinTx) (known int, err error) {
	var paid, got uint64
	for _, in := range t.inputs {
		input := ledger.Input{Prev: in}
		if from := spent[in.Tx]; from != nil {
			if uint64(in.Index) >= uint64(len(from.outputs)) {
				return 0, ledger.Invalid("input", fmt.Sprintf("one of %d outputs of %s", len(from.outputs), in.Tx), fmt.Sprint(in.Index))
			}
			out := from.outputs[in.Index]
			input.Address, input.Value, input.Known = ledger.ScriptAddress(chain, out.script), ledger.NewAmount(out.value), true
			known++
			if paid += out.value; paid > maxMoney {
				return 0, ledger.Invalid("transaction", "inputs of at most 21 million coins", fmt.Sprint(paid))
			}
		}
		f.Inputs = append(f.Inputs, input)
	}
	for _, out := range t.outputs {
		got += out.value
	}
	if known == len(t.inputs) && paid < got {
		return 0, ledger.Invalid("transaction", fmt.Sprintf("outputs of at most %d, which its inputs hold", paid), fmt.Sprint(got))
	}
	return known, nil
}

func gradeInputs(known, all int) Grade {
	if known == all {
		return proven("the transaction and every transaction that it spends stand in headers with proof of work")
	}
	return attested(fmt.Sprintf("the transaction stands in a header with proof of work; the amounts of %d of its %d inputs are a node's word", all-known, all))
}

// verifyPrevious checks the transactions that are spent, and that they are those that the inputs name, each once and in their order.
func verifyPrevious(chain ledger.Chain, t bitcoinTx, facts BitcoinFacts, previous []BitcoinTx) (map[ledger.TxID]*bitcoinTx, error) {
	spent := map[ledger.TxID]*bitcoinTx{}
	next := 0
	for i, p := range previous {
		field := fmt.Sprintf("previous transaction %d", i)
		from, its, err := verifyBitcoinTx(chain, field, p)
		if err != nil {
			return nil, err
		}
		for next < len(t.inputs) && t.inputs[next].Tx != its.ID {
			next++
		}
		if next == len(t.inputs) || spent[its.ID] != nil {
			return nil, ledger.Invalid(field, "one that an input spends, in the order of the inputs, once", its.ID.String())
		}
		if its.Block == facts.Block && its.Index >= facts.Index {
			return nil, ledger.Invalid(field, fmt.Sprintf("a place in the block before %d", facts.Index), fmt.Sprint(its.Index))
		}
		spent[its.ID] = &from
	}
	return spent, nil
}

// verifyBitcoinTx checks that a transaction stands in its block.
func verifyBitcoinTx(chain ledger.Chain, field string, p BitcoinTx) (bitcoinTx, BitcoinFacts, error) {
	header, work, err := verifyHeader(chain, field, p)
	if err != nil {
		return bitcoinTx{}, BitcoinFacts{}, err
	}
	root := [32]byte(header[36:68])
	t, err := verifyLeaf(field, p.Bytes, p.Index, p.Branch, root)
	if err != nil {
		return t, BitcoinFacts{}, err
	}
	if err := same(field+", id", p.ID, t.printed()); err != nil {
		return t, BitcoinFacts{}, err
	}
	first, err := verifyFirst(field, p, t, root)
	if err != nil {
		return t, BitcoinFacts{}, err
	}
	facts := BitcoinFacts{
		ID: t.printed(), Block: ledger.Hash(blockID(header)), Index: p.Index, Time: int64(binary.LittleEndian.Uint32(header[68:])) * 1000, Work: work, Coinbase: p.Index == 0,
	}
	if version := int32(binary.LittleEndian.Uint32(header)); version >= 2 {
		facts.Height = first.statedHeight()
	}
	for _, out := range t.outputs {
		facts.Outputs = append(facts.Outputs, ledger.Output{Address: ledger.ScriptAddress(chain, out.script), Value: ledger.NewAmount(out.value)})
	}
	return t, facts, nil
}

// verifyFirst checks the block's coinbase, and that the transaction lies as deep as it.
func verifyFirst(field string, p BitcoinTx, t bitcoinTx, root [32]byte) (bitcoinTx, error) {
	if t.coinbase() != (p.Index == 0) {
		return t, ledger.Invalid(field, "a coinbase at the block's first place, and no other", p.ID)
	}
	if p.Index == 0 {
		if p.Coinbase != "" || p.CoinbaseBranch != nil {
			return t, ledger.Invalid(field+", coinbase", "none, where the transaction is the coinbase", p.Coinbase)
		}
		return t, nil
	}
	first, err := verifyLeaf(field+", coinbase", p.Coinbase, 0, p.CoinbaseBranch, root)
	if err != nil {
		return first, err
	}
	if !first.coinbase() {
		return first, ledger.Invalid(field+", coinbase", "a transaction that spends nothing", p.Coinbase)
	}
	if len(p.CoinbaseBranch) != len(p.Branch) {
		return first, ledger.Invalid(field+", branch", fmt.Sprintf("the depth of the coinbase, %d", len(p.CoinbaseBranch)), fmt.Sprint(len(p.Branch)))
	}
	return first, nil
}

// verifyLeaf reads a transaction and climbs from it to the root.
func verifyLeaf(field, stripped string, index uint32, branch []string, root [32]byte) (bitcoinTx, error) {
	b, err := unhex(field, stripped)
	if err != nil {
		return bitcoinTx{}, err
	}
	t, err := readStripped(field, b)
	if err != nil {
		return t, err
	}
	if len(branch) > maxBranch || index >= 1<<len(branch) {
		return t, ledger.Invalid(field+", index", fmt.Sprintf("a place in a tree of depth %d, at most %d", len(branch), maxBranch), fmt.Sprint(index))
	}
	node := t.id
	for i, s := range branch {
		sibling, err := unhash(fmt.Sprintf("%s, branch %d", field, i), s)
		if err != nil {
			return t, err
		}
		switch {
		case index>>i&1 == 0:
			node = doublePair(node, sibling)
		case sibling == node:
			// The last of an odd level is its own right sibling. To stand on the right of oneself is to be a copy (CVE-2012-2459).
			return t, ledger.Invalid(field+", branch", "each transaction once (CVE-2012-2459)", s)
		default:
			node = doublePair(sibling, node)
		}
	}
	if node != root {
		return t, ledger.Invalid(field+", branch", fmt.Sprintf("a way to the merkle root %x", root), hex.EncodeToString(node[:]))
	}
	return t, nil
}

// verifyHeader checks a header's id and work.
func verifyHeader(chain ledger.Chain, field string, p BitcoinTx) ([]byte, *big.Int, error) {
	header, err := unhex(field+", header", p.Header)
	if err != nil {
		return nil, nil, err
	}
	if len(header) != headerSize {
		return nil, nil, ledger.Invalid(field+", header", "80 bytes", fmt.Sprint(len(header)))
	}
	easiest, ok := easiestTarget(chain)
	if !ok {
		return nil, nil, ledger.Invalid("network", "a network of the Bitcoin family", string(chain))
	}
	id := blockID(header)
	if err := same(field+", block", p.Block, id); err != nil {
		return nil, nil, err
	}
	bits := binary.LittleEndian.Uint32(header[72:])
	target, limit := expand(bits), expand(easiest)
	if target.Sign() <= 0 || target.Cmp(limit) > 0 {
		return nil, nil, ledger.Invalid(field+", header", fmt.Sprintf("bits of a target of %s, at most %08x", chain, easiest), fmt.Sprintf("%08x", bits))
	}
	if new(big.Int).SetBytes(id[:]).Cmp(target) > 0 {
		return nil, nil, ledger.Invalid(field+", header", fmt.Sprintf("a hash that meets its target %08x", bits), p.Block)
	}
	all := new(big.Int).Lsh(big.NewInt(1), 256)
	return header, all.Div(all, target.Add(target, big.NewInt(1))), nil
}

// blockID is the header's hash in printed order.
func blockID(header []byte) [32]byte {
	id := doubleHash(header)
	slices.Reverse(id[:])
	return id
}

// easiestTarget is the network's, in a header's compact form (chainparams.cpp of Bitcoin Core).
func easiestTarget(chain ledger.Chain) (uint32, bool) {
	switch chain {
	case "bitcoin", "bitcoin-testnet":
		return 0x1d00ffff, true
	case "bitcoin-signet":
		return 0x1e0377ae, true
	case "bitcoin-regtest", "bitcoin-simnet":
		return 0x207fffff, true
	}
	return 0, false
}

// expand reads a compact target; what is negative there is negative here, and no target.
func expand(bits uint32) *big.Int {
	target := big.NewInt(int64(bits & 0x007fffff))
	if bits&0x00800000 != 0 {
		target.Neg(target)
	}
	if size := uint(bits >> 24); size > 3 {
		return target.Lsh(target, 8*(size-3))
	}
	return target.Quo(target, new(big.Int).Lsh(big.NewInt(1), 8*(3-uint(bits>>24))))
}
