// Package cases keeps criminal cases: who works on them, which payments of which
// victims they are about, what was found, asked for and seized, and who read it.
// A case is its custody log: what Get returns is that log replayed by one fold.
//
// Below DIR/cases:
//
//	lock                     held by the process that has the store; may be deleted
//	custody.key, custody.pub sign the checkpoints of all logs, made at first use;
//	                         neither may be deleted, and the first is secret
//	keys/ID                  the key of a case, mode 0600. Deleting it is what Erase
//	                         does: the log still verifies, pseudonyms remain
//	ID/custody.log           the case (see internal/chainlog); never deleted
//	ID/custody.checkpoint    how far it was acknowledged; never deleted
//	ID/exhibits/SHA256       an exhibit, sealed; named by the hash of its content
//	ID.new, *.new            left over by a crash; removed at Open
//
// Personal data and free text (names, contacts, notes, bank details, the content,
// names and descriptions of exhibits) are sealed with AES-256-GCM under the key of
// their case, bound to case and purpose. In the clear are numbers, titles, reasons,
// report references, answers of services and labels: write no name of a victim
// into them.
// A backup that holds keys/ keeps what Erase erased, and a disk may keep the
// blocks of a deleted file: back keys/ up apart, and use a wrapping key.
//
// Nothing on the disk is trusted before Open or Verify has replayed it. What
// neither sees: a whole case folder taken away, or both files of a log put back
// to an older state; keep the checkpoints of VerifyReport elsewhere against it.
package cases
