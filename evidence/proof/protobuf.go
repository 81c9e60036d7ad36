package proof

import (
	"encoding/binary"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// message is a protobuf message as its fields in their order.
type message []pbField

type pbField struct {
	number uint64
	varint bool
	value  uint64 // of a varint
	bytes  []byte // of the other kinds
}

// readMessage reads the fields of a message without knowing their types.
func readMessage(subject string, b []byte) (message, error) {
	var m message
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 || tag>>3 == 0 {
			return nil, ledger.Invalid(subject, "a protobuf message", fmt.Sprintf("%d bytes left", len(b)))
		}
		f, size := readField(tag, b[n:])
		if size < 0 {
			return nil, ledger.Invalid(subject, "a protobuf message", fmt.Sprintf("field %d of wire type %d", tag>>3, tag&7))
		}
		m, b = append(m, f), b[n+size:]
	}
	return m, nil
}

// readField reads what follows a tag and returns its size, negative when it is cut off or of a wire type that TRON does not use.
func readField(tag uint64, b []byte) (pbField, int) {
	f := pbField{number: tag >> 3}
	switch tag & 7 {
	case 0:
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return f, -1
		}
		f.varint, f.value = true, v
		return f, n
	case 2:
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return f, -1
		}
		f.bytes = b[n : n+int(length)]
		return f, n + int(length)
	}
	return f, -1
}

// reader asks fields of one message. A field that is there twice could be read in two ways, and is refused; the first refusal stays.
type reader struct {
	subject string
	fields  message
	err     error
}

func read(subject string, b []byte) *reader {
	m, err := readMessage(subject, b)
	return &reader{subject: subject, fields: m, err: err}
}

func (r *reader) find(number uint64, varint bool) pbField {
	var found pbField
	seen := 0
	for _, f := range r.fields {
		if f.number != number {
			continue
		}
		if seen++; (seen > 1 || f.varint != varint) && r.err == nil {
			r.err = ledger.Invalid(r.subject, fmt.Sprintf("field %d once, of its own type", number), fmt.Sprint(seen))
		}
		found = f
	}
	return found
}

// bytes returns a field of bytes, nil when it is absent.
func (r *reader) bytes(number uint64) []byte { return r.find(number, false).bytes }

// integer returns a field that is a number, 0 when it is absent.
func (r *reader) integer(number uint64) int64 { return int64(r.find(number, true).value) }
