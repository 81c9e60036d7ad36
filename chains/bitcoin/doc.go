// Package bitcoin reads blocks of Bitcoin and its test networks and proves each
// of them against its own header: proof of work, merkle root, witness
// commitment, and the rules that need no other block. Undo data of Bitcoin Core
// says what the inputs spent.
//
// It executes no script and checks no signature: that a spend was allowed is the
// word of the chain's work. It does no I/O.
//
// Everything that it reads may be hostile. A slice is only made after the bytes
// that must fill it were seen; every refusal is a ledger.InvalidError.
package bitcoin
