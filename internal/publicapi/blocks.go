package publicapi

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/ledger"
)

// Blocks are those of a block file, by height: what an index does not keep.
type Blocks map[uint64]*wire.MsgBlock

// ReadBlocks reads a file of blocks, each with the network's magic and its length
// before it, in order from a height on.
func ReadBlocks(file []byte, from uint64) (Blocks, error) {
	all := Blocks{}
	for height := from; len(file) > 0; height++ {
		if len(file) < 8 || int(binary.LittleEndian.Uint32(file[4:])) > len(file)-8 {
			return nil, fmt.Errorf("publicapi: block %d is cut off", height)
		}
		size := binary.LittleEndian.Uint32(file[4:])
		b := &wire.MsgBlock{}
		if err := b.Deserialize(bytes.NewReader(file[8 : 8+size])); err != nil {
			return nil, fmt.Errorf("publicapi: block %d: %w", height, err)
		}
		all[height], file = b, file[8+size:]
	}
	return all, nil
}

// Block implements Raw.
func (r Blocks) Block(height uint64) (header []byte, txs []RawTx, err error) {
	b := r[height]
	if b == nil {
		return nil, nil, fmt.Errorf("publicapi: no block %d", height)
	}
	var head bytes.Buffer
	if err := b.Header.Serialize(&head); err != nil {
		return nil, nil, err
	}
	for _, t := range b.Transactions {
		one := RawTx{Version: uint32(t.Version), LockTime: t.LockTime}
		if one.ID, err = ledger.ParseTxID(t.TxHash().String()); err != nil {
			return nil, nil, err
		}
		for _, in := range t.TxIn {
			prev, err := ledger.ParseTxID(in.PreviousOutPoint.Hash.String())
			if err != nil {
				return nil, nil, err
			}
			one.Prevs = append(one.Prevs, ledger.OutPoint{Tx: prev, Index: in.PreviousOutPoint.Index})
			one.Scripts, one.Sequences = append(one.Scripts, in.SignatureScript), append(one.Sequences, in.Sequence)
		}
		txs = append(txs, one)
	}
	return head.Bytes(), txs, nil
}
