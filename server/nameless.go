package server

import (
	"errors"
	"os"
)

// unlinked is a temporary file whose name is taken away as soon as it is made.
func unlinked() (*os.File, error) {
	file, err := os.CreateTemp("", "spoor-package-*.zip")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
