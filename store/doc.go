// Package store is the chain index: it takes verified blocks in and answers
// where coins and tokens went, durably and as of a height.
//
// It writes rows in any number of idempotent batches and publishes each step
// with one small pointer, so that a torn block is invisible and is written
// again. Nothing rests on the absence of a row, and every value carries its
// checksum. docs/format.md describes the rows.
package store
