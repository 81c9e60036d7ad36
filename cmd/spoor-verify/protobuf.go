package main

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// pbMessage is a protobuf message: its fields in their order. The first question that it cannot answer is kept in err.
type pbMessage struct {
	fields []pbField
	err    error
}

type pbField struct {
	number uint64
	isText bool // bytes; else a number
	text   []byte
	value  uint64
}

var errProtobuf = errors.New("bytes that are no protobuf message of varints and bytes")

func pbRead(b []byte) *pbMessage {
	m := &pbMessage{}
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 || tag>>3 == 0 || tag&7 != 0 && tag&7 != 2 {
			return &pbMessage{err: errProtobuf}
		}
		b = b[n:]
		value, n := binary.Uvarint(b)
		if n <= 0 {
			return &pbMessage{err: errProtobuf}
		}
		b = b[n:]
		f := pbField{number: tag >> 3, value: value, isText: tag&7 == 2}
		if f.isText {
			if value > uint64(len(b)) {
				return &pbMessage{err: errProtobuf}
			}
			f.text, b = b[:value], b[value:]
		}
		m.fields = append(m.fields, f)
	}
	return m
}

// one finds a field. One that is there twice can be read in two ways, and is refused.
func (m *pbMessage) one(number uint64, isText bool) pbField {
	var found pbField
	for _, f := range m.fields {
		if f.number != number {
			continue
		}
		if (found.number != 0 || f.isText != isText) && m.err == nil {
			m.err = fmt.Errorf("field %d is there twice, or of another type", number)
		}
		found = f
	}
	return found
}

func (m *pbMessage) text(number uint64) []byte { return m.one(number, true).text }

func (m *pbMessage) number(number uint64) int64 { return int64(m.one(number, false).value) }
