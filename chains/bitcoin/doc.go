// Package bitcoin reads blocks of Bitcoin and its test networks and proves each
// of them against its own header: proof of work, merkle root, witness
// commitment, and the rules that need no other block. Undo data of Bitcoin Core
// says what the inputs spent.
//
// Decode, DecodeUndo and what they return do no I/O. Node reads a chain from
// Bitcoin Core or btcd: headers first, each proven against those before it
// (links, work, difficulty, median time, checkpoints), then blocks that are one
// of them.
//
// It executes no script and checks no signature: that a spend was allowed is the
// word of the chain's work. On signet, where work is cheap and blocks are signed
// instead, that is the word of the node.
//
// Everything that it reads may be hostile. A slice is only made after the bytes
// that must fill it were seen; every refusal of bytes is a ledger.InvalidError,
// and every one of a node's answer a ledger.SourceError, which names the fault.
package bitcoin
