//go:build linux

package crashtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/spoortrace/spoor/store"
)

// Rows below the store: batches of several write buffers, each published as soon
// as it is written, so that buffers which wait for their flush are part of what
// is published.
const (
	rowsOfBatch = 600
	sizeOfRow   = 6000
	keptBatches = 5 // a batch deletes the one so far before it
)

func pointer(n uint64) []byte {
	if n == 0 {
		return nil
	}
	return binary.BigEndian.AppendUint64(nil, n)
}

func rowValue(batch uint64, i int) []byte {
	return noise(fmt.Sprintf("%d %d", batch, i), sizeOfRow)
}

// noise returns bytes that do not compress.
func noise(seed string, n int) []byte {
	b := make([]byte, n)
	// It never fails.
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(seed))).Read(b)
	return b
}

func published(kv store.KV) (uint64, error) {
	r, done := kv.View()
	defer done()
	v, err := r.Get([]byte("head"), nil)
	switch {
	case errors.Is(err, store.ErrAbsent):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return binary.BigEndian.Uint64(v), nil
}

// writeRows publishes batches until it is killed.
func writeRows(ctx context.Context, o order, acks io.Writer) error {
	kv, err := engine()(o.Dir)
	if err != nil {
		return err
	}
	head, err := published(kv)
	if err != nil {
		return err
	}
	for n := head + 1; ; n++ {
		ops := make([]store.Op, rowsOfBatch)
		for i := range ops {
			ops[i] = store.Op{Partition: pointer(n), Sort: binary.BigEndian.AppendUint16(nil, uint16(i)), Value: rowValue(n, i)}
		}
		// What a batch of long ago leaves behind is compacted away.
		for i := range ops {
			if n > keptBatches {
				ops = append(ops, store.Op{Partition: pointer(n - keptBatches), Sort: ops[i].Sort, Delete: true})
			}
		}
		if err := kv.Write(ctx, ops); err != nil {
			return err
		}
		if err := kv.Publish(ctx, []byte("head"), nil, pointer(n-1), pointer(n), 1); err != nil {
			return err
		}
		// A report that is lost only weakens the test.
		_, _ = acks.Write(binary.BigEndian.AppendUint32(nil, uint32(n)))
	}
}

// checkRows opens the rows after a crash: the pointer must be acked or later, and
// every row that it publishes must be there.
func checkRows(dir string, acked int) error {
	kv, err := engine()(dir)
	if err != nil {
		return err
	}
	head, err := published(kv)
	if err == nil && int(head) < acked {
		err = fmt.Errorf("batch %d was acknowledged, the pointer is at %d", acked, head)
	}
	for n := uint64(1); err == nil && n <= head; n++ {
		if n+keptBatches-1 > head { // an unpublished batch may have deleted the one before
			err = checkBatch(kv, n)
		}
	}
	return errors.Join(err, kv.Close())
}

func checkBatch(kv store.KV, n uint64) error {
	r, done := kv.View()
	defer done()
	i := 0
	for row, err := range r.Scan(pointer(n), nil, nil, false) {
		if err != nil {
			return err
		}
		if binary.BigEndian.Uint16(row.Sort) != uint16(i) || !bytes.Equal(row.Value, rowValue(n, i)) {
			return fmt.Errorf("batch %d: row %d is %x with %d bytes", n, i, row.Sort, len(row.Value))
		}
		i++
	}
	if i != rowsOfBatch {
		return fmt.Errorf("batch %d has %d of %d rows", n, i, rowsOfBatch)
	}
	return nil
}
