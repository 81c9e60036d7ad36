package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"

	"github.com/spoortrace/spoor/ledger"
)

// BackupSink takes a copy of a network; names are paths below the network's folder.
type BackupSink interface {
	// File takes what a file holds; r is read to its end.
	File(name string, r io.Reader) error
	// Rows takes what an engine in that folder holds, in the order of a Loader.
	Rows(name string, rows iter.Seq2[Op, error]) error
}

// Backup hands out the network as of one tip, which it returns with its digest:
// the rows of one view of the engine, an anchor of one line, raw blocks and kept
// files. Blocks may be taken in meanwhile; only the instant at which the view is
// taken waits for a batch under way. ledger.ErrPrecondition when the engine
// cannot yield all of its rows.
func (n *Network) Backup(ctx context.Context, to BackupSink) (tip ledger.BlockRef, digest ledger.Hash, err error) {
	x := n.pin()
	defer x.done()
	rows, h, done, err := x.freeze(ctx)
	if err != nil {
		return tip, digest, fmt.Errorf("store: backup of %s: %w", n.chain, err)
	}
	defer done()
	gen := path.Base(x.dir)
	err = to.File("CURRENT", bytes.NewReader(currentText(gen)))
	if err == nil {
		err = to.File(gen+"/anchor", bytes.NewReader([]byte(anchorOf(h).String())))
	}
	if err == nil {
		err = to.Rows(gen+"/engine", rows)
	}
	if err == nil {
		err = x.backupRaw(ctx, gen, h, to)
	}
	for _, f := range x.current().meta.Files {
		if err == nil {
			err = n.backupFile(f, to)
		}
	}
	if err != nil {
		return tip, digest, fmt.Errorf("store: backup of %s: %w", n.chain, err)
	}
	return h.tip.ref, h.tip.digest, nil
}

// freeze takes a view between two batches of the base. Overlay blocks that are
// being written then are named by no head, and taken out when the copy is opened.
func (x *index) freeze(ctx context.Context) (iter.Seq2[Op, error], *head, func(), error) {
	x.half.Lock()
	defer x.half.Unlock()
	if _, err := os.Stat(x.journal.path()); !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil, errors.Join(fmt.Errorf("a batch was broken off and is not finished yet: %w", ledger.ErrBusy), err)
	}
	rows, reader, done, err := Dump(ctx, x.kv)
	if err != nil {
		return nil, nil, nil, err
	}
	stored, err := reader.Get(headKey().partition, headKey().sort)
	if err == nil {
		var h *head
		if h, err = decodeHead(stored); err == nil {
			return rows, h, done, nil
		}
	}
	done()
	return nil, nil, nil, err
}

// backupRaw hands out the raw blocks up to where the head says that the next one goes.
func (x *index) backupRaw(ctx context.Context, gen string, h *head, to BackupSink) error {
	for segment := uint64(0); segment <= h.rawSegment; segment++ {
		if segment == h.rawSegment && h.rawEnd == 0 {
			return nil
		}
		f, err := os.Open(segmentName(x.dir, segment))
		if err != nil {
			return corrupt("raw segment %d: %v", segment, err)
		}
		var r io.Reader = f
		if segment == h.rawSegment {
			r = io.LimitReader(f, int64(h.rawEnd))
		}
		err = ctx.Err()
		if err == nil {
			err = to.File(gen+"/"+path.Base(f.Name()), r)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) backupFile(f File, to BackupSink) error {
	r, err := n.OpenFile(f)
	if err != nil {
		return err
	}
	return errors.Join(to.File("files/"+f.SHA256.String(), r), r.Close())
}

// Dump yields every row of one view of an engine, and gives the view's reader.
// The view stays open until done is called. ledger.ErrPrecondition when the
// engine's views are no Whole.
func Dump(ctx context.Context, kv KV) (rows iter.Seq2[Op, error], r Reader, done func(), err error) {
	r, done = kv.View()
	whole, ok := r.(Whole)
	if !ok {
		done()
		return nil, nil, nil, fmt.Errorf("store: this engine cannot yield all of its rows; use its own backup: %w", ledger.ErrPrecondition)
	}
	return func(yield func(Op, error) bool) {
		for op, err := range whole.All() {
			if err == nil {
				err = ctx.Err()
			}
			if !yield(op, err) || err != nil {
				return
			}
		}
	}, r, done, nil
}

// Fill makes an engine in a folder of its own, puts in what Dump yielded, and
// closes it: everything is durable then. After an error the folder is of no use.
func Fill(ctx context.Context, engine Engine, dir string, rows iter.Seq2[Op, error]) error {
	kv, err := engine(dir)
	if err != nil {
		return err
	}
	if l, ok := kv.(Loader); ok {
		err = l.Load(ctx, func(to Streams) error {
			for op, err := range rows {
				if err == nil {
					err = to.Put(0, op)
				}
				if err != nil {
					return err
				}
			}
			return to.End(0)
		})
	} else {
		err = fmt.Errorf("store: this engine takes no sorted rows; use its own restore: %w", ledger.ErrPrecondition)
	}
	return errors.Join(err, kv.Close())
}
