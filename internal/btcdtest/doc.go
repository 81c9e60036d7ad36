// Package btcdtest runs real btcd nodes inside a test: simnet, on loopback,
// with blocks mined on demand and coins that a test can spend. The program
// is built from the module that go.mod pins as a tool. Only tests import this
// package; nothing of it is in the binaries.
package btcdtest
