// Package archive reads chains that somebody kept as files: CSV exports of
// account chains as explorers give them or as ethereum-etl writes them, and
// Bitcoin's block files.
//
// An export is not a chain: nothing in it can be verified, so its rows are
// graded attested, and what it leaves out is unknown unless somebody claims
// that it is complete. Export is one file, Set what several say together.
//
// Files of ethereum-etl have heights and indices: EtlSet makes blocks of them,
// attested, too.
package archive
