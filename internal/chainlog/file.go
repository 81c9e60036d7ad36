package chainlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spoortrace/spoor/ledger"
)

// Replace writes a small file so that a crash leaves the old one or the one
// given, and returns once it is durable.
func Replace(name string, text []byte, mode os.FileMode) error {
	_, err := replace(name, text, mode)
	return err
}

// replace says besides whether an error came so late that it may be either.
func replace(name string, text []byte, mode os.FileMode) (moved bool, err error) {
	next := name + ".new"
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return false, err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return false, err
	}
	if err := os.Rename(next, name); err != nil {
		return true, err
	}
	return true, SyncDir(filepath.Dir(name))
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Lock takes the file for this process until it is closed; ledger.ErrBusy when
// another has it. Whoever opens logs for writing holds one over them.
func Lock(name string) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("chainlog: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("chainlog: %s: %w by another process", filepath.Base(name), ledger.ErrBusy), file.Close())
	}
	return file, nil
}
