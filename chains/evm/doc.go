// Package evm reads blocks from the JSON-RPC interface of an Ethereum node, or of any chain that speaks the same protocol, and hands
// them on only after they have been checked against their own headers.
//
// What is proven, that is recomputed from the answers and compared: the block hash from the header's fields, transactionsRoot from the
// canonical bytes of the transactions, withdrawalsRoot, the uncles' hash, receiptsRoot and the bloom filter from the receipts. Every
// sender is recovered from its signature, every effective gas price computed. So a token transfer, a transaction's own value, its status,
// its gas and a withdrawal are as true as the hash of their block (graded proven). That this block is the chain's is the node's word; the
// package checks no consensus.
//
// What is attested, that is the node's word alone: internal transfers, contract creations and self-destructs, which come from execution
// traces and are in no root. Traces must agree with the receipts (number, sender, target, value, outcome, and every log in order). A
// node that serves no traces makes blocks whose Partial says so. The price of blob gas on chains other than Ethereum's mainnet is
// attested, too.
//
// Not to be had from blocks at all: the balances that the genesis block hands out, and the irregular state change of the DAO fork (block
// 1,920,000 of Ethereum, marked as lacking internal transfers). The index carries such openings as a lower bound.
//
// Chains, where they differ:
//
//   - ethereum: block rewards and uncles' rewards before the merge, tips, withdrawals.
//   - base: deposits (type 0x7e) and their receipts are re-encoded and proven; the L1 fee is attested; tips, base fees and L1 fees go to
//     their vaults. The operator fee, which is 0 there, is not counted.
//   - arbitrum: transactions of its own types are proven by their raw bytes where the node serves them, and what they say is attested; without
//     raw bytes the block is attested. What its validators and its network are paid, and value that retryable tickets bring in, are not seen.
//   - polygon: the state-sync transaction that nodes append to some blocks is in no root: it is attested. Who is paid the fees is not seen.
//     Types of its own are treated as arbitrum's.
//   - bnb: fees reach the validator in ways that are not followed.
//   - arbitrum, polygon: their headers do not tell whether a contract that self-destructs stays (EIP-6780). Ether of one that is its own
//     heir, or is paid after it self-destructed, is taken for burnt.
//   - any other, by its chain id: when its headers do not hash to its block hashes, blocks are attested and their roots still checked.
package evm
