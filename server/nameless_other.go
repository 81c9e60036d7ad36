//go:build !linux

package server

import "os"

// nameless is a file that goes with the process, but for a moment after it is
// made: a package has names of victims in it.
func nameless() (*os.File, error) { return unlinked() }
