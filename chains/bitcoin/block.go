package bitcoin

import (
	"fmt"
	"math"

	"github.com/spoortrace/spoor/ledger"
)

// Block is a decoded block that holds by itself: every check that needs no other
// block has passed. Its height is not known; At gives it one.
type Block struct {
	Header Header

	network Network
	raw     []byte
	script  []byte // of the coinbase input
	txs     []ledger.Tx
	unknown int // inputs whose coin is not known
}

// Decode reads one whole serialised block and checks it: work and bits of the
// header, merkle root, witness commitment, weight, one coinbase and it first,
// values and their sums, no coin spent twice, coins of the block itself spent
// only after they are made. The block keeps raw; do not change it.
//
// Inputs that spend a coin of the same block are Known; the others wait for
// Apply or for the index.
func Decode(chain ledger.Chain, raw []byte) (*Block, error) {
	b, _, err := readBlock(chain, raw)
	return b, err
}

// readBlock is Decode that also names what was wrong, for the one who sent it.
func readBlock(chain ledger.Chain, raw []byte) (*Block, ledger.Fault, error) {
	network, err := NetworkOf(chain)
	if err != nil {
		return nil, ledger.FaultWrongChain, err
	}
	header, err := ParseHeader(raw)
	if err != nil {
		return nil, ledger.FaultMalformed, err
	}
	if err := network.Check(header); err != nil {
		return nil, ledger.FaultHeader, err
	}
	txs, err := readTxs(chain, raw)
	if err != nil {
		return nil, ledger.FaultMalformed, fmt.Errorf("block %s: %w", header.Hash, err)
	}
	// The proofs come first: what they refuse is damage, what is refused after them is a false block with work behind it.
	for _, check := range []func(Header, []transaction) error{checkMerkle, checkWitness} {
		if err := check(header, txs); err != nil {
			return nil, ledger.FaultRoot, err
		}
	}
	if err := checkShape(header, txs); err != nil {
		return nil, ledger.FaultContents, err
	}
	b := newBlock(network, header, raw, txs)
	if err := b.spendOwn(); err != nil {
		return nil, ledger.FaultContents, fmt.Errorf("block %s: %w", header.Hash, err)
	}
	return b, "", nil
}

func newBlock(network Network, header Header, raw []byte, txs []transaction) *Block {
	b := &Block{Header: header, network: network, raw: raw, script: txs[0].script, txs: make([]ledger.Tx, len(txs))}
	for i := range txs {
		b.txs[i] = txs[i].tx
		b.txs[i].Time = int64(header.Time) * 1000
		readMemo(&b.txs[i])
	}
	b.txs[0].Coinbase, b.txs[0].Inputs = true, nil
	return b
}

func readTxs(chain ledger.Chain, raw []byte) ([]transaction, error) {
	c := &cursor{data: raw, at: HeaderSize}
	txs := make([]transaction, c.count(minTx))
	for i := range txs {
		var err error
		if txs[i], err = readTx(c, chain); err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i, err)
		}
	}
	switch {
	case c.err != nil:
		return nil, c.err
	case len(txs) == 0:
		return nil, ledger.Invalid("transactions", "at least the coinbase", "none")
	case c.left() > 0:
		return nil, ledger.Invalid("block", fmt.Sprintf("%d bytes, where its transactions end", c.at), fmt.Sprintf("%d bytes", len(raw)))
	}
	return txs, nil
}

// checkShape checks what every block of the chain obeys and no hash proves.
func checkShape(h Header, txs []transaction) error {
	field := "block " + h.Hash.String()
	weight := 4 * (HeaderSize + compactSizeLen(len(txs)))
	for i := range txs {
		weight += txs[i].weight
		null := 0
		for _, in := range txs[i].tx.Inputs {
			if in.Prev == nowhere() {
				null++
			}
		}
		switch {
		case i == 0 && (!txs[0].nullInput || len(txs[0].tx.Inputs) != 1):
			return ledger.Invalid(field, "a coinbase as its first transaction", txs[0].tx.ID.String())
		case i == 0 && (len(txs[0].script) < 2 || len(txs[0].script) > 100):
			return ledger.Invalid(field, "a coinbase script of 2 to 100 bytes", fmt.Sprintf("%d bytes", len(txs[0].script)))
		case i > 0 && null > 0:
			return ledger.Invalid(field, "one coinbase", fmt.Sprintf("transaction %d that spends nothing, too", i))
		}
	}
	if weight > MaxBlockSize {
		return ledger.Invalid(field, "a weight of at most 4,000,000", fmt.Sprintf("%d", weight))
	}
	return nil
}

// nowhere is the previous output of a coinbase.
func nowhere() ledger.OutPoint { return ledger.OutPoint{Index: math.MaxUint32} }

func compactSizeLen(n int) int {
	switch {
	case n < 0xfd:
		return 1
	case n <= math.MaxUint16:
		return 3
	}
	return 5
}

// spendOwn gives inputs the coins that their own block makes, and refuses a coin
// that is spent twice.
func (b *Block) spendOwn() error {
	made, inputs := make(map[ledger.TxID]int, len(b.txs)), 0
	for i := range b.txs {
		made[b.txs[i].ID] = i
		inputs += len(b.txs[i].Inputs)
	}
	spent := make(map[ledger.OutPoint]int, inputs)
	for i := range b.txs {
		for k := range b.txs[i].Inputs {
			in := &b.txs[i].Inputs[k]
			if first, twice := spent[in.Prev]; twice {
				return ledger.Invalid(fmt.Sprintf("transaction %d, input %d", i, k), "a coin that is not spent yet",
					fmt.Sprintf("output %d of %s, spent by transaction %d", in.Prev.Index, in.Prev.Tx, first))
			}
			spent[in.Prev] = i
			from, own := made[in.Prev.Tx]
			if !own {
				b.unknown++
				continue
			}
			if from == 0 || from >= i || uint64(in.Prev.Index) >= uint64(len(b.txs[from].Outputs)) {
				return ledger.Invalid(fmt.Sprintf("transaction %d, input %d", i, k), "an output of an earlier transaction, not of the coinbase",
					fmt.Sprintf("output %d of transaction %d", in.Prev.Index, from))
			}
			out := b.txs[from].Outputs[in.Prev.Index]
			in.Address, in.Value, in.Known = out.Address, out.Value, true
		}
	}
	return nil
}

// Unknown returns the number of inputs whose coin is not known.
func (b *Block) Unknown() int { return b.unknown }
