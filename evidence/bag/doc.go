// Package bag writes and reads the container of an evidence package: a zip of a BagIt 1.0 bag (RFC 8493) of which every byte follows from its
// files and its Info. The same files give the same bytes, in whatever order and on whatever machine.
//
//	NAME/bag-info.txt             who packed what, when; the payload's size
//	NAME/bagit.txt                the version of BagIt
//	NAME/data/...                 the payload
//	NAME/data/MANIFEST.json       sha256, size and role of every other payload file, and the Merkle root over them
//	NAME/manifest-sha256.txt      sha256 of every payload file
//	NAME/tagmanifest-sha256.txt   sha256 of bag-info.txt, bagit.txt and manifest-sha256.txt
//
// The entries are sorted by name and stored, dated 1980-01-01, with sizes in front of the bytes; zip64 fields stand where a number needs
// them and nowhere else. Open derives all of that again and refuses whatever differs, so that two readers cannot see two different packages
// in one file. It shows that a package is whole, not who made it: that is what Verify (minisign) and VerifyTimestamp (RFC 3161) are for.
// Signature and timestamp lie beside the zip, as NAME.zip.minisig and NAME.zip.tsr.
//
// Errors match ledger.ErrInvalid where an argument is wrong or a file is no package, ledger.ErrCorrupt where it is one and was changed.
package bag
