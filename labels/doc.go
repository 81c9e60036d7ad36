// Package labels reads what others say about addresses (GraphSense TagPacks,
// label CSVs, an explorer's tags) and keeps it in a log.
//
// A tag is a claim with a source and a confidence, never a fact. Claims that
// contradict each other are all kept, none is overwritten, and a retraction is
// a record of its own. The log cannot be fetched again from anywhere, so it is
// append-only, hash-chained and synced like the custody log of a case. An
// answer that rests on labels names the sequence number that it saw.
package labels
