// Package proof builds and checks what a transaction's own chain proves about it offline: that it stands in a block, and what it moved there.
// Each builder has its verifier beside it; both are pure functions of their arguments. Builders check their own proofs before they return them.
//
// A verifier says which block the proof leads to. Whoever calls it compares that block with the row that is to be proven:
//
//   - Bitcoin: the header shows its own work, against the easiest target of the network only; no history of difficulty is checked. The
//     work is returned: a header of difficulty 1 costs about 2^32 hashes, so that a small figure where large ones are usual is no proof.
//   - Ethereum: the hash of the header's bytes. That the chain has such a block is the word of a node or a checkpoint.
//   - TRON: the block's id, by the same measure. The witness's signature over the header is not held against a set of producers
//     (7 of 27 sign with keys that no header names), and is no part of the proof. A merkle branch shows that a transaction is in the block,
//     not at which place: the last node of an odd level is carried up, so that branches of different places can be the same.
//
// What a proof shows is said by Grade, with one sentence why. Proven never means more than that the chain itself commits to it: not who
// owns an address, not what a token is worth, and, for a token that is not known, not that its contract does what was asked of it.
//
// Wire forms are plain structs of numbers and lower-case hex without a prefix; Encode and Decode have one form for each value, so that a
// proof with any byte changed is a different proof. Ids are in printed order; all other hashes are in the order in which they are computed.
package proof
