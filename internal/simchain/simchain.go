// Package simchain writes valid block files of btcd's simnet of any size, the
// same bytes for the same options: to measure ingest, ours and that of others, on
// the very same blocks. No input needs a signature, so that nobody who validates
// is charged for one: every output pays a script hash whose script is known.
package simchain

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Options size a chain.
type Options struct {
	Txs      int    // transactions besides coinbases
	PerBlock int    // of them; 0: 2,000
	Seed     uint64 // of the choices
}

// Stats count what was written.
type Stats struct{ Blocks, Txs, Inputs, Outputs, Bytes int }

const (
	funding  = 120               // blocks whose coinbases are split into outputs to begin with
	shares   = 400               // outputs of each of them
	maturity = 100               // simnet's
	usual    = 2000              // transactions a block
	interval = 601 * time.Second // one above the target, so that the difficulty stays the least
	services = 1000              // owners who get one output in six; the first of them one in 25 of all
)

// coin is an output that may be spent.
type coin struct {
	op    wire.OutPoint
	value int64
	owner uint32
}

type maker struct {
	w     *bufio.Writer
	rng   *rand.Rand
	stats Stats
	prev  wire.BlockHeader
	coins []coin
	owner uint32 // the last fresh one
}

// Write writes the blocks from height 1 on, each with the network's magic and
// its length before it, as blk*.dat files have them.
func Write(w io.Writer, o Options) (Stats, error) {
	genesis := chaincfg.SimNetParams.GenesisBlock
	rng := rand.New(rand.NewPCG(o.Seed, 1)) //nolint:gosec // the same bytes for the same seed
	m := &maker{w: bufio.NewWriterSize(w, 1<<20), rng: rng, prev: genesis.Header, owner: services}
	perBlock := cmp.Or(o.PerBlock, usual)
	var young [][]coin // coins of coinbases that are not mature
	for height := int32(1); height <= funding || m.stats.Txs < o.Txs; height++ {
		if len(young) >= maturity {
			m.coins = append(m.coins, young[0]...)
			young = young[1:]
		}
		var txs []*wire.MsgTx
		for n := min(perBlock, o.Txs-m.stats.Txs); height > funding && n > 0; n-- {
			txs = append(txs, m.pay())
		}
		split := 1
		if height <= funding {
			split = shares
		}
		coinbase := m.coinbase(height, split)
		if err := m.block(append([]*wire.MsgTx{coinbase}, txs...)); err != nil {
			return m.stats, fmt.Errorf("simchain: block %d: %w", height, err)
		}
		young = append(young, m.made(coinbase))
	}
	if err := m.w.Flush(); err != nil {
		return m.stats, fmt.Errorf("simchain: %w", err)
	}
	return m.stats, nil
}

// script is an owner's: the number, dropped, padded to the size of a usual
// input, and true.
func script(owner uint32) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{txscript.OP_DATA_4}, owner)
	b = append(b, txscript.OP_DROP, txscript.OP_PUSHDATA1, 92)
	b = append(b, bytes.Repeat([]byte{0xab}, 92)...)
	return append(b, txscript.OP_DROP, txscript.OP_TRUE)
}

func lock(owner uint32) []byte {
	b := append([]byte{txscript.OP_HASH160, txscript.OP_DATA_20}, address.Hash160(script(owner))...)
	return append(b, txscript.OP_EQUAL)
}

func unlock(owner uint32) []byte {
	s := script(owner)
	return append([]byte{txscript.OP_PUSHDATA1, byte(len(s))}, s...)
}

// payee picks who is paid: a service, an owner of before, or a fresh one.
func (m *maker) payee() uint32 {
	switch n := m.rng.IntN(100); {
	case n < 4:
		return 1
	case n < 20:
		return 1 + m.rng.Uint32N(services)
	case n < 40:
		return 1 + m.rng.Uint32N(m.owner)
	}
	m.owner++
	return m.owner
}

// pay makes a transaction of one to three inputs and two outputs, at times more.
func (m *maker) pay() *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	var total int64
	for range min(1+m.rng.IntN(20)/12+m.rng.IntN(20)/18, len(m.coins)) {
		at := m.rng.IntN(len(m.coins))
		c := m.coins[at]
		m.coins[at] = m.coins[len(m.coins)-1]
		m.coins = m.coins[:len(m.coins)-1]
		tx.AddTxIn(wire.NewTxIn(&c.op, unlock(c.owner), nil))
		total += c.value
	}
	n := 2 + m.rng.IntN(40)/38*m.rng.IntN(30)
	owners := make([]uint32, 0, n)
	for i := range n {
		value := total / int64(n-i)
		if i == 0 && n > 1 {
			value = total / int64(n) / 2
		}
		total -= value
		owners = append(owners, m.payee())
		tx.AddTxOut(wire.NewTxOut(value, lock(owners[i])))
	}
	id := tx.TxHash()
	for i, out := range tx.TxOut {
		if out.Value > 10_000 { // the rest is left to lie
			m.coins = append(m.coins, coin{wire.OutPoint{Hash: id, Index: uint32(i)}, out.Value, owners[i]})
		}
	}
	m.stats.Txs++
	return tx
}

func (m *maker) coinbase(height int32, split int) *wire.MsgTx {
	// The builder fails on scripts that are too long alone.
	number, _ := txscript.NewScriptBuilder().AddInt64(int64(height)).AddInt64(0).Script()
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: wire.MaxPrevOutIndex}, number, nil))
	const subsidy = 50 * btcutil.SatoshiPerBitcoin
	for range split {
		tx.AddTxOut(wire.NewTxOut(subsidy/shares, lock(0)))
	}
	return tx
}

func (m *maker) made(coinbase *wire.MsgTx) []coin {
	var coins []coin
	id := coinbase.TxHash()
	for i, out := range coinbase.TxOut {
		coins = append(coins, coin{wire.OutPoint{Hash: id, Index: uint32(i)}, out.Value, 0})
	}
	return coins
}

// block mines and writes a block.
func (m *maker) block(txs []*wire.MsgTx) error {
	b := wire.MsgBlock{Header: wire.BlockHeader{
		Version: 4, PrevBlock: m.prev.BlockHash(), MerkleRoot: root(txs), Timestamp: m.prev.Timestamp.Add(interval), Bits: chaincfg.SimNetParams.PowLimitBits,
	}, Transactions: txs}
	for h := b.Header.BlockHash(); h[chainhash.HashSize-1]&0x80 != 0; h = b.Header.BlockHash() {
		b.Header.Nonce++
	}
	m.prev = b.Header
	frame := binary.LittleEndian.AppendUint32(nil, uint32(chaincfg.SimNetParams.Net))
	frame = binary.LittleEndian.AppendUint32(frame, uint32(b.SerializeSize()))
	if _, err := m.w.Write(frame); err != nil {
		return err
	}
	if err := b.Serialize(m.w); err != nil {
		return err
	}
	m.stats.Blocks++
	m.stats.Bytes += len(frame) + b.SerializeSize()
	for _, tx := range txs {
		m.stats.Inputs += len(tx.TxIn)
		m.stats.Outputs += len(tx.TxOut)
	}
	return nil
}

func root(txs []*wire.MsgTx) chainhash.Hash {
	var row []chainhash.Hash
	for _, tx := range txs {
		row = append(row, tx.TxHash())
	}
	for len(row) > 1 {
		if len(row)%2 == 1 {
			row = append(row, row[len(row)-1])
		}
		for i := range len(row) / 2 {
			first := sha256.Sum256(append(row[2*i][:], row[2*i+1][:]...))
			row[i] = sha256.Sum256(first[:])
		}
		row = row[:len(row)/2]
	}
	return row[0]
}
