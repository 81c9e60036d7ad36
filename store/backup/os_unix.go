//go:build unix

package backup

import (
	"errors"
	"os"
	"syscall"

	"github.com/spoortrace/spoor/ledger"
)

// lockName is held while a folder is being restored; it goes before the folder is moved.
const lockName = "RESTORING"

// lockFile takes a file for this process; the system drops it however that ends.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(ledger.ErrBusy, f.Close())
	}
	return f, nil
}
