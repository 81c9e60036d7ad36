package bitcoin

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// Least serialised sizes in bytes, to bound counts.
const (
	minInput  = 32 + 4 + 1 + 4
	minOutput = 8 + 1
	minTx     = 4 + 1 + minInput + 1 + minOutput + 4
)

// transaction is one decoded transaction with what the checks of its block need.
// Hashes are in computed order; slices point into the raw block.
type transaction struct {
	tx         ledger.Tx // no position, no time, inputs unknown
	id, wid    [32]byte  // without and with witness; equal when it has none
	hasWitness bool
	weight     int // BIP 141: three times the size without witness, plus the size

	nullInput  bool     // the first input spends nothing, as a coinbase does
	script     []byte   // of the first input
	witness    [][]byte // of the first input
	commitment []byte   // 32 bytes of the last output that looks like a witness commitment
}

// readTx decodes one transaction and checks what it can say by itself.
func readTx(c *cursor, chain ledger.Chain) (transaction, error) {
	t := transaction{tx: ledger.Tx{Chain: chain}}
	start := c.at
	c.bytes(4) // version
	if t.hasWitness = c.left() > 0 && c.data[c.at] == 0; t.hasWitness {
		if marker := c.bytes(2); marker != nil && marker[1] != 1 {
			return t, ledger.Invalid("transaction", "an input, or the witness flag 1 (BIP 144)", fmt.Sprintf("%d", marker[1]))
		}
	}
	body := c.at
	t.readInputs(c)
	if err := t.readOutputs(c, chain); err != nil {
		return t, err
	}
	end := c.at
	if t.hasWitness {
		if err := t.readWitness(c); err != nil {
			return t, err
		}
	}
	c.bytes(4) // lock time
	if c.err != nil {
		return t, c.err
	}
	t.hash(c.data[start:c.at], body-start, end-start)
	return t, nil
}

func (t *transaction) readInputs(c *cursor) {
	t.tx.Inputs = make([]ledger.Input, c.count(minInput))
	for i := range t.tx.Inputs {
		in := &t.tx.Inputs[i]
		if prev := c.bytes(32); prev != nil {
			in.Prev.Tx = ledger.TxID(printed([32]byte(prev)))
		}
		in.Prev.Index = c.uint32()
		script := c.script()
		c.bytes(4) // sequence
		if i == 0 {
			t.script = script
			t.nullInput = in.Prev == nowhere()
		}
	}
	if len(t.tx.Inputs) == 0 {
		c.fail("at least one input")
	}
}

func (t *transaction) readOutputs(c *cursor, chain ledger.Chain) error {
	t.tx.Outputs = make([]ledger.Output, c.count(minOutput))
	var total uint64
	for i := range t.tx.Outputs {
		value := c.uint64()
		// Both are at most maxMoney, so that the sum cannot wrap.
		if value > maxMoney || total+value > maxMoney {
			return ledger.Invalid(fmt.Sprintf("output %d", i), "outputs of at most 21 million coins together", fmt.Sprintf("%d more", value))
		}
		total += value
		script := c.script()
		if len(script) >= 38 && bytes.HasPrefix(script, commitmentPrefix()) {
			t.commitment = script[6:38]
		}
		t.tx.Outputs[i] = ledger.Output{Address: ledger.ScriptAddress(chain, script), Value: ledger.NewAmount(value)}
	}
	if len(t.tx.Outputs) == 0 {
		c.fail("at least one output")
	}
	return nil
}

// readWitness reads a stack for each input; only the first one is kept. A
// transaction without any item must not be written with witnesses (BIP 144).
func (t *transaction) readWitness(c *cursor) error {
	items := 0
	for i := range t.tx.Inputs {
		n := c.count(1)
		items += n
		if i == 0 {
			t.witness = make([][]byte, n)
		}
		for k := range n {
			item := c.script()
			if i == 0 {
				t.witness[k] = item
			}
		}
	}
	if items == 0 && c.err == nil {
		return ledger.Invalid("transaction", "a witness, where its flag announces one", "none")
	}
	return nil
}

// hash computes both ids from the serialised transaction; body and end cut out
// what has no witness in it.
func (t *transaction) hash(raw []byte, body, end int) {
	t.wid = doubleHash(raw)
	t.id, t.weight = t.wid, 4*len(raw)
	if t.hasWitness {
		h := sha256.New()
		h.Write(raw[:4])
		h.Write(raw[body:end])
		h.Write(raw[len(raw)-4:])
		t.id = sha256.Sum256(h.Sum(nil))
		t.weight = 3*(4+end-body+4) + len(raw)
	}
	t.tx.ID = ledger.TxID(printed(t.id))
}
