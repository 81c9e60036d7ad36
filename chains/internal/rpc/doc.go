// Package rpc asks a node over HTTP: JSON-RPC, alone and in batches, and plain
// GET for what is served as files. It believes nothing: sizes are bounded while
// they are read, ids are compared, and every failure is a *ledger.SourceError
// that names its fault and never a key, a cookie or a password.
package rpc
