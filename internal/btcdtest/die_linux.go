package btcdtest

import (
	"os/exec"
	"syscall"
)

// dieWithParent ends the node with a test that is killed.
func dieWithParent(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
