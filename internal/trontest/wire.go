package trontest

import "google.golang.org/protobuf/encoding/protowire"

// all returns the values of a field of bytes, in their order.
func all(message []byte, field protowire.Number) [][]byte {
	var found [][]byte
	walk(message, func(n protowire.Number, b []byte, _ uint64) {
		if n == field && b != nil {
			found = append(found, b)
		}
	})
	return found
}

// at returns the first value of a field of bytes of a message inside a message, and so on.
func at(message []byte, path ...protowire.Number) []byte {
	for _, field := range path {
		found := all(message, field)
		if len(found) == 0 {
			return nil
		}
		message = found[0]
	}
	return message
}

// number returns a field that is a varint; 0 when it is absent.
func number(message []byte, field protowire.Number) uint64 {
	var found uint64
	walk(message, func(n protowire.Number, b []byte, v uint64) {
		if n == field && b == nil {
			found = v
		}
	})
	return found
}

// walk shows every field of a message that is whole; b is nil of those that are varints.
func walk(message []byte, show func(n protowire.Number, b []byte, v uint64)) {
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return
		}
		message = message[size:]
		switch kind {
		case protowire.BytesType:
			b, size := protowire.ConsumeBytes(message)
			if size < 0 {
				return
			}
			show(n, b[:len(b):len(b)], 0)
			message = message[size:]
		case protowire.VarintType:
			v, size := protowire.ConsumeVarint(message)
			if size < 0 {
				return
			}
			show(n, nil, v)
			message = message[size:]
		default:
			size := protowire.ConsumeFieldValue(n, kind, message)
			if size < 0 {
				return
			}
			message = message[size:]
		}
	}
}

func putBytes(to []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, field, protowire.BytesType), value)
}

func putNumber(to []byte, field protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(to, field, protowire.VarintType), value)
}
