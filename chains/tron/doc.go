// Package tron reads blocks from java-tron's gRPC interface and hands them on only
// after they have been checked against their own headers.
//
// Proven, that is recomputed: the block's id from the header's bytes, txTrieRoot
// from the transactions as they came (their outcome is in them), every
// transaction's id, and that the header carries a signature that recovers. So
// TRX and TRC-10 that a transaction sends itself, and whether it succeeded, are as
// true as the block's id. Whether the signer was an elected producer is not
// checked: 7 of 27 producers sign with a key of their witness permission, which no
// header names (24 of the 100 real headers under test). That the block is the chain's is the node's word.
//
// Attested, the node's word alone: what java-tron calls transaction infos, which
// are in no root: logs (TRC-20), internal transactions, fees, withdrawn rewards.
// They must name the block's transactions in order, agree with their outcomes, and
// hold a log for every transfer() that USDT accepted.
//
// Internal transactions are left out by nodes without vm.saveInternalTx, and no
// call tells. A block in which a contract was called with success and no internal
// transaction came is therefore marked as lacking internal transfers, unless one
// came in the four blocks before its stretch of 64, or the operator says that his
// node keeps them (NodeOptions.Internal). Without vm.saveFeaturedInternalTx, rewards
// that contracts withdraw are missing: what they hold is a lower bound.
//
// What contracts of the protocol do:
//
//   - Transfer, TransferAsset, CreateSmart, TriggerSmart: value moves, as signed.
//   - WithdrawBalance: a reward comes from nobody. Block rewards reach their
//     producers by it alone.
//   - Freeze, Unfreeze, WithdrawExpireUnfreeze, CancelAllUnfreeze: nothing moves;
//     staked TRX stays its owner's. The stake of a contract that self-destructs goes
//     to its heir unseen; what it leaves to itself is taken for burnt.
//   - Delegate, UnDelegate, Freeze and Unfreeze for another, AccountCreate, AccountPermissionUpdate: notices. An
//     account that a transfer brings into being has none: the block does not tell.
//   - ParticipateAssetIssue, AssetIssue, UnfreezeAsset, exchanges, the market,
//     shielded transfers: TRX or TRC-10 moves in ways that are not followed; the
//     block is marked as lacking internal transfers, which leaves TRC-20 whole.
//   - Any type that this package does not know marks the block by its number.
//
// The fee, with all its parts, is one outflow of the transaction's owner.
package tron
