// Package entities keeps which addresses of a UTXO network have one owner, as of
// any height and with the reason: a derived index beside the index of the chain,
// which it is built from and can be built from again at any time.
//
// It is a forest per tier (T0, and T1 which includes T0's joins), united by size
// and without path compression: a link, once made, stays, and carries the height
// and the transaction that made it. So the cluster of an address as of a height is
// found by following the links up to that height. What a root knows of its cluster
// (size, name, sums) is a row per height at which it changed.
//
// Blocks that no reorganisation replaces go into a store of its own, in order;
// those above live in memory, on top of it, and are dropped with their branch.
package entities
