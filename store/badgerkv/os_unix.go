//go:build unix

package badgerkv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spoortrace/spoor/ledger"
)

// checkSpace reports ledger.ErrExhausted when the disk has less room than needed.
func checkSpace(dir string, need uint64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return fmt.Errorf("badgerkv: free space of %s: %w", dir, err)
	}
	if free := uint64(s.Bavail) * uint64(s.Bsize); free < need {
		return fmt.Errorf("badgerkv: the disk of %s has %d MiB left and %d MiB must stay free: make room: %w", dir, free>>20, need>>20, ledger.ErrExhausted)
	}
	return nil
}

// lockDir takes the directory before anything in it is touched; the system drops
// the lock with the process. Badger's own lock comes after the checks.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "OWNER"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%w by another process", ledger.ErrBusy)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
