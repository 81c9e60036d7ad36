package trontest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// fee is what each transaction pays in its made info, in sun.
const fee = 345

const triggerSmart = 31

// usdt is TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t.
const usdt = "41a614f803b6fd780986a42c78ec9c7f77e6ded13c"

// infosOf makes the TransactionInfoList of a block.
func infosOf(block []byte) []byte {
	header := at(block, 2, 1)
	var list []byte
	for _, t := range all(block, 1) {
		tx := at(t, 1)
		raw := at(tx, 1)
		id := sha256.Sum256(raw)
		outcome := number(at(tx, 5), 3)
		info := putNumber(putBytes(nil, 1, id[:]), 2, fee)
		info = putNumber(putNumber(info, 3, number(header, 7)), 4, number(header, 1))
		receipt := putNumber(nil, 6, fee)
		if number(at(raw, 11), 1) == triggerSmart {
			receipt = putNumber(receipt, 7, outcome)
		}
		info = putBytes(info, 7, receipt)
		if outcome > 1 {
			info = putNumber(info, 9, 1)
		} else if log := logOf(at(raw, 11)); log != nil {
			info = putBytes(info, 8, log)
		}
		list = putBytes(list, 1, info)
	}
	return list
}

// logOf is the log that a call of USDT's transfer or transferFrom leaves; nil for all else.
func logOf(contract []byte) []byte {
	call := at(contract, 2, 2)
	data := at(call, 4)
	if number(contract, 1) != triggerSmart || hex.EncodeToString(at(call, 2)) != usdt || len(data) < 4 {
		return nil
	}
	from := word(at(call, 1))
	switch args := data[4:]; hex.EncodeToString(data[:4]) {
	case "23b872dd": // transferFrom(address,address,uint256)
		if len(args) < 96 {
			return nil
		}
		from, data = word(args[:32]), args[32:]
	case "a9059cbb": // transfer(address,uint256)
		if len(args) < 64 {
			return nil
		}
		data = args
	default:
		return nil
	}
	transfer, err := hex.DecodeString("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
	if err != nil {
		return nil
	}
	log := putBytes(nil, 1, at(call, 2)[1:])
	for _, topic := range [][]byte{transfer, from, word(data[:32])} {
		log = putBytes(log, 2, topic)
	}
	return putBytes(log, 3, bytes.Clone(data[32:64]))
}

// word is the last 20 bytes of an address as the ABI writes them.
func word(address []byte) []byte {
	w := make([]byte, 32)
	copy(w[12:], address[len(address)-20:])
	return w
}
