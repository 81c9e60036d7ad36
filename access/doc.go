// Package access keeps who may call this server, how often, and what they did:
// tenants and their API keys (Store), their share of the process (Meter), and a
// log of their calls that shows every later edit (Audit).
//
// It knows no network protocol. A secret is seen twice, when a key is made and
// when it is shown again; it is kept as a hash alone and is part of no error.
package access
