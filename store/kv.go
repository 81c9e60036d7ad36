package store

import (
	"context"
	"errors"
	"iter"
)

// Row is one entry of a partition: its sort key and its value.
type Row struct{ Sort, Value []byte }

// Op writes or deletes one row. Partition and sort are separate; a scan never
// leaves its partition. Value is ignored by a delete. The engine does not keep
// the slices after Write returns and never changes them.
type Op struct {
	Partition, Sort, Value []byte
	Delete                 bool
}

// Reader reads one consistent view. It is safe for concurrent use.
type Reader interface {
	// Get returns the value of a row, ErrAbsent when there is none. The caller
	// owns the bytes.
	Get(partition, sort []byte) ([]byte, error)

	// Scan yields the rows of a partition in the byte order of their sort keys,
	// from inclusive, to exclusive; nil is open. Reverse yields the same rows
	// backwards. The slices are valid until the next step of the iteration. After
	// an error it ends.
	Scan(partition, from, to []byte, reverse bool) iter.Seq2[Row, error]
}

// KV is an ordered map of rows inside partitions, with one writer. Views may be
// taken and read by many goroutines beside the writer.
type KV interface {
	// View returns a reader and its close, which must be called: a consistent
	// view where the engine has one, the live rows elsewhere.
	View() (r Reader, close func())

	// Write applies idempotent upserts and deletes, any number, in the order
	// given. It is neither atomic nor durable before a later Publish returns.
	Write(ctx context.Context, ops []Op) error

	// Publish sets the row of a pointer from old (nil: absent) to new with the
	// writer's epoch. It returns once the pointer and everything written before
	// it is durable. ErrConflict when the row is not old, ErrEpoch when a writer
	// of a higher epoch has published.
	Publish(ctx context.Context, partition, sort, old, new []byte, epoch uint64) error

	// Close releases the engine; unpublished writes may be lost.
	Close() error
}

// Loader is a KV that can take all rows of an empty store at once, sorted: it
// writes each of them once.
type Loader interface {
	// Load calls write with where to put rows and returns once all of them are
	// durable. ledger.ErrPrecondition when the store has rows; after any error the
	// store is of no use and must be removed.
	Load(ctx context.Context, write func(to Streams) error) error
}

// Streams takes rows in sorted streams: within one, rows ascend by length of
// partition, partition and sort key, and no row of one stream lies between two
// of another.
type Streams interface {
	// Put adds a row to a stream. The slices are the caller's again afterwards.
	Put(stream uint32, op Op) error
	// End says that a stream gets no more rows; one without any is no error.
	End(stream uint32) error
}

// Whole is a Reader that can yield every row of its view: in the order in which
// one stream of a Loader takes them. The slices are valid until the next step.
type Whole interface {
	All() iter.Seq2[Op, error]
}

// Engine opens a KV in a directory of its own, making it when it is missing.
type Engine func(dir string) (KV, error)

// The sentinels of engines.
var (
	// ErrAbsent: the row does not exist.
	ErrAbsent = errors.New("store: no such row")
	// ErrConflict: the pointer is not what the writer believed; read it again.
	ErrConflict = errors.New("store: pointer moved")
	// ErrEpoch: a newer writer owns the store; this one must stop.
	ErrEpoch = errors.New("store: superseded by a newer writer")
)
