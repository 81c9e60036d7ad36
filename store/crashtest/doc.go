// Package crashtest holds the tests of what a store keeps and says after a kill,
// a power cut, damage to its files and a full disk. It has no code of its own:
// the tests drive package store on badgerkv through its public API, in child
// processes that they may kill.
//
// SPOOR_TRIALS sets the number of trials of each test; without it they make 100
// (make soak: 1,000). They need Linux, and power cuts amd64: sparse files, mount
// namespaces and ptrace.
package crashtest
