package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// Unfinished is what Restore adds to the name of the folder that it works in.
const Unfinished = ".restoring"

// Restore makes a data directory of a backup. The file is read twice: all of it is
// checked before anything is written. The directory must not exist, or be empty
// (ledger.ErrPrecondition). It comes into being whole: everything is written and
// made durable in DIR.restoring, judged by check (a program's own look at it; nil:
// none), and moved to its place. If we were to crash before, DIR.restoring is left, which
// the next Restore takes over; ledger.ErrBusy when another one works in it.
func Restore(ctx context.Context, from io.ReadSeeker, dir string, engine store.Engine, check func(dir string) error) error {
	if err := Check(from); err != nil {
		return err
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("backup: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("backup: %s is not empty: %w", dir, ledger.ErrPrecondition)
	}
	dir = filepath.Clean(dir)
	temp := dir + Unfinished
	lock, err := takeOver(temp)
	if err != nil {
		return err
	}
	err = unpack(ctx, from, temp, engine)
	if err == nil && check != nil {
		err = check(temp)
	}
	if err == nil {
		err = syncAll(temp)
	}
	if err == nil {
		err = errors.Join(os.Remove(lock.Name()), os.Rename(temp, dir), syncDir(filepath.Dir(dir)))
	} else {
		err = errors.Join(err, os.RemoveAll(temp))
	}
	return errors.Join(err, lock.Close())
}

// takeOver takes the folder that is worked in, and empties it.
func takeOver(temp string) (*os.File, error) {
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	lock, err := lockFile(filepath.Join(temp, lockName))
	if err != nil {
		return nil, fmt.Errorf("backup: %s: %w", temp, err)
	}
	entries, err := os.ReadDir(temp)
	for _, e := range entries {
		if err == nil && e.Name() != lockName {
			err = os.RemoveAll(filepath.Join(temp, e.Name()))
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("backup: %w", err), lock.Close())
	}
	return lock, nil
}

// unpack writes what the pieces hold.
func unpack(ctx context.Context, from io.Reader, dir string, engine store.Engine) error {
	r, err := newReader(from)
	if err != nil {
		return err
	}
	p, err := r.next()
	for err == nil {
		name := filepath.Join(dir, filepath.FromSlash(p.name))
		if err = os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		if p.kind == kindRows {
			p, err = r.fill(ctx, p, name, engine)
		} else {
			p, err = r.file(ctx, p, name)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// file writes one file, and returns the piece behind it.
func (r *reader) file(ctx context.Context, p piece, name string) (piece, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return piece{}, fmt.Errorf("backup: %w", err)
	}
	first := p.name
	var ended error // of the backup
	for err == nil && ended == nil && p.kind == kindFile && p.name == first {
		if _, err = f.Write(p.bytes); err == nil {
			err = ctx.Err()
		}
		if err == nil {
			p, ended = r.next()
		}
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return piece{}, fmt.Errorf("backup: %s: %w", first, err)
	}
	return p, ended
}

// fill makes one engine, and returns the piece behind it.
func (r *reader) fill(ctx context.Context, p piece, name string, engine store.Engine) (piece, error) {
	first := p.name
	var ended error // of the backup
	var rows iter.Seq2[store.Op, error] = func(yield func(store.Op, error) bool) {
		for ended == nil && p.kind == kindRows && p.name == first {
			more := true
			err := r.rows(p.bytes, func(op store.Op) bool {
				more = yield(op, ctx.Err())
				return more
			})
			if err != nil || !more {
				yieldError(yield, err)
				return
			}
			p, ended = r.next()
		}
		if ended != nil && !errors.Is(ended, io.EOF) {
			yield(store.Op{}, ended)
		}
	}
	if err := store.Fill(ctx, engine, name, rows); err != nil {
		return piece{}, fmt.Errorf("backup: %s: %w", first, err)
	}
	return p, ended
}

func yieldError(yield func(store.Op, error) bool, err error) {
	if err != nil {
		yield(store.Op{}, err)
	}
}

// syncAll makes the names in every folder durable; files are already.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncDir(name)
	})
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
