//go:build !linux

package btcdtest

import "os/exec"

// dieWithParent: only Linux can.
func dieWithParent(*exec.Cmd) {}
