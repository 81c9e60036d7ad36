package screening

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// batch is what changes decided that are written together. It reads what they
// wrote before it reads the engine.
type batch struct {
	reader  store.Reader
	rows    map[string]row
	touched map[string]bool // tenants whose state must be read again
	events  bool            // an alert event is among the rows

	trial map[string]row // of the change that is being decided
}

// row is a value to write; nil: to delete.
type row struct {
	partition, sort string
	value           []byte
}

func rowKey(partition, sort string) string { return partition + "\x00" + sort }

// attempt decides one change; it leaves nothing when it fails.
func (b *batch) attempt(decide func(*batch) error) error {
	b.trial = map[string]row{}
	if err := decide(b); err != nil {
		return err
	}
	maps.Copy(b.rows, b.trial)
	return nil
}

// get reads the body of a row, store.ErrAbsent when there is none.
func (b *batch) get(partition, sort string) ([]byte, error) {
	for _, rows := range []map[string]row{b.trial, b.rows} {
		if r, ok := rows[rowKey(partition, sort)]; ok {
			if r.value == nil {
				return nil, store.ErrAbsent
			}
			return open(r.value)
		}
	}
	value, err := b.reader.Get([]byte(partition), []byte(sort))
	if err != nil {
		return nil, err
	}
	return open(value)
}

func (b *batch) put(partition, sort string, body []byte) {
	b.trial[rowKey(partition, sort)] = row{partition, sort, seal(append([]byte{}, body...))}
}

func (b *batch) drop(partition, sort string) {
	b.trial[rowKey(partition, sort)] = row{partition: partition, sort: sort}
}

// scan lists the sort keys that begin with a prefix, in order.
func (b *batch) scan(partition, prefix string) ([]string, error) {
	found := map[string]bool{}
	for r, err := range b.reader.Scan([]byte(partition), []byte(prefix), after(prefix), false) {
		if err != nil {
			return nil, err
		}
		found[string(r.Sort)] = true
	}
	for _, rows := range []map[string]row{b.rows, b.trial} {
		for _, r := range rows {
			if r.partition == partition && len(r.sort) >= len(prefix) && r.sort[:len(prefix)] == prefix {
				found[r.sort] = r.value != nil
			}
		}
	}
	maps.DeleteFunc(found, func(_ string, there bool) bool { return !there })
	return slices.Sorted(maps.Keys(found)), nil
}

// next is the number after the last one counted under a name.
func (b *batch) next(partition, name string) (uint64, error) {
	body, err := b.get(partition, "#"+name)
	if err != nil && !errors.Is(err, store.ErrAbsent) {
		return 0, err
	}
	n := uint64(1)
	if err == nil && len(body) == 8 {
		n = binary.BigEndian.Uint64(body) + 1
	}
	b.put(partition, "#"+name, binary.BigEndian.AppendUint64(nil, n))
	return n, nil
}

// ops are the rows in the order of their keys.
func (b *batch) ops() []store.Op {
	var ops []store.Op
	for _, key := range slices.Sorted(maps.Keys(b.rows)) {
		r := b.rows[key]
		ops = append(ops, store.Op{Partition: []byte(r.partition), Sort: []byte(r.sort), Value: r.value, Delete: r.value == nil})
	}
	return ops
}

// after is the first key that does not begin with a prefix.
func after(prefix string) []byte {
	end := []byte(prefix)
	end[len(end)-1]++
	return end
}

func numbered(kind string, n uint64) string {
	return string(binary.BigEndian.AppendUint64([]byte(kind), n))
}

// load reads a row into a struct; found is false when it is absent.
func load(get func(partition, sort string) ([]byte, error), partition, sort string, to any) (found bool, err error) {
	body, err := get(partition, sort)
	if errors.Is(err, store.ErrAbsent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(body, to); err != nil {
		return false, fmt.Errorf("row %.40q: %w: %w", sort, err, ledger.ErrCorrupt)
	}
	return true, nil
}

func (b *batch) save(partition, sort string, from any) error {
	body, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("row %.40q: %w", sort, err)
	}
	b.put(partition, sort, body)
	return nil
}

func appendOps(to []byte, ops []store.Op) []byte {
	for _, op := range ops {
		kind := byte(0)
		if op.Delete {
			kind = 1
		}
		to = append(to, kind)
		for _, part := range [][]byte{op.Partition, op.Sort, op.Value} {
			to = append(binary.AppendUvarint(to, uint64(len(part))), part...)
		}
	}
	return to
}

// readOps reads what appendOps wrote.
func readOps(body []byte) ([]store.Op, error) {
	var ops []store.Op
	for len(body) > 0 {
		op := store.Op{Delete: body[0] == 1}
		known := body[0] <= 1
		body = body[1:]
		for _, part := range []*[]byte{&op.Partition, &op.Sort, &op.Value} {
			n, size := binary.Uvarint(body)
			if !known || size <= 0 || n > uint64(len(body)-size) {
				return nil, fmt.Errorf("batch: %w", ledger.ErrCorrupt)
			}
			*part = body[size : size+int(n)]
			body = body[size+int(n):]
		}
		ops = append(ops, op)
	}
	return ops, nil
}
