// Package gethtest runs a real go-ethereum node inside a test: its own chain on the newest forks, mined block by block on demand, served over
// HTTP on loopback with the debug namespace. Only tests import it; nothing of it is in the binaries.
package gethtest
