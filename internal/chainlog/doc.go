// Package chainlog is an append-only log for what cannot be fetched again: the
// custody of a case, and whatever else must be shown to be whole later.
//
// A log NAME is two files:
//
//	NAME.log         one line an entry, "CHAIN CRC BODY". BODY has no line break.
//	                 CHAIN is SHA-256 over the CHAIN of the line before (32 zero
//	                 bytes before the first) and BODY; CRC is CRC-32C over both.
//	NAME.checkpoint  how far it was acknowledged, with the root of the Merkle tree
//	                 (RFC 6962) over the bodies, signed with Ed25519
//	                 (golang.org/x/mod/sumdb/note); replaced by rename
//
// Neither may be deleted. A line is synced before its checkpoint is written, and
// that before Append returns. If we were to crash between the two, whole lines
// beyond the checkpoint are kept and signed at the next Open, a torn one is cut
// off; both were never acknowledged. Everything else that does not fit is
// ledger.ErrCorrupt, with the line.
//
// Who holds the signing key can write another log. So a checkpoint should be
// kept elsewhere from time to time: Verify then says whether the log still holds
// all that it held, which is also the only way to see that both files were put
// back to an older state.
package chainlog
