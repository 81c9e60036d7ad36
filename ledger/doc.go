// Package ledger holds the nouns that every other package speaks in: chains,
// addresses, assets, amounts, positions, transactions, transfers, tags and the
// sentinel errors. It does no I/O and knows no wire format.
//
// Amounts are unsigned 256-bit integers in base units (satoshi, wei, sun, the
// smallest unit of a token); there is no float and no fiat value here.
// Hashes are kept in the order in which people print them, on every chain.
package ledger
