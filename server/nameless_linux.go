package server

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// nameless is a file that goes with the process, however that ends: a package
// has names of victims in it. It never has a name where the file system can do
// without.
func nameless() (*os.File, error) {
	fd, err := unix.Open(os.TempDir(), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return unlinked()
	}
	file := os.NewFile(uintptr(fd), "spoor-package")
	if file == nil {
		return nil, fmt.Errorf("server: temporary file: %w", os.ErrInvalid)
	}
	return file, nil
}
