package publicapi

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/ledger"
)

// Blocks are those of a block file, by height: what an index does not keep.
type Blocks struct {
	byHeight map[uint64]rawBlock
	// IDs are the transactions but for coinbases, in order.
	IDs []ledger.TxID
}

type rawBlock struct {
	header []byte
	txs    []RawTx
}

// ReadBlocks reads a file of blocks, each with the network's magic and its length
// before it, in order from a height on.
func ReadBlocks(file []byte, from uint64) (*Blocks, error) {
	all := &Blocks{byHeight: map[uint64]rawBlock{}}
	for height := from; len(file) > 0; height++ {
		if len(file) < 8 || int(binary.LittleEndian.Uint32(file[4:])) > len(file)-8 {
			return nil, fmt.Errorf("publicapi: block %d is cut off", height)
		}
		size := binary.LittleEndian.Uint32(file[4:])
		if err := all.add(height, file[8:8+size]); err != nil {
			return nil, fmt.Errorf("publicapi: block %d: %w", height, err)
		}
		file = file[8+size:]
	}
	return all, nil
}

func (r *Blocks) add(height uint64, raw []byte) error {
	var b wire.MsgBlock
	if err := b.Deserialize(bytes.NewReader(raw)); err != nil {
		return err
	}
	one := rawBlock{header: raw[:wire.MaxBlockHeaderPayload]}
	for i, t := range b.Transactions {
		tx, err := rawTx(t)
		if err != nil {
			return err
		}
		if one.txs = append(one.txs, tx); i > 0 {
			r.IDs = append(r.IDs, tx.ID)
		}
	}
	r.byHeight[height] = one
	return nil
}

func rawTx(t *wire.MsgTx) (one RawTx, err error) {
	one = RawTx{Version: uint32(t.Version), LockTime: t.LockTime}
	if one.ID, err = ledger.ParseTxID(t.TxHash().String()); err != nil {
		return one, err
	}
	for _, in := range t.TxIn {
		prev, err := ledger.ParseTxID(in.PreviousOutPoint.Hash.String())
		if err != nil {
			return one, err
		}
		one.Prevs = append(one.Prevs, ledger.OutPoint{Tx: prev, Index: in.PreviousOutPoint.Index})
		one.Scripts, one.Sequences = append(one.Scripts, in.SignatureScript), append(one.Sequences, in.Sequence)
	}
	return one, nil
}

// Block implements Raw.
func (r *Blocks) Block(height uint64) (header []byte, txs []RawTx, err error) {
	b, ok := r.byHeight[height]
	if !ok {
		return nil, nil, fmt.Errorf("publicapi: no block %d", height)
	}
	return b.header, b.txs, nil
}
