package ledger

// Tier says how certain it is that addresses have one owner. Each tier is kept
// apart, and every answer names the one that it rests on.
type Tier uint8

// The tiers of method.md, section 3.
const (
	TierExact    Tier = iota // T0: by protocol: co-spend with the CoinJoin veto, permission keys
	TierChange               // T1: change outputs, by three independent rules
	TierBehavior             // T2: by what the owner does: deposit reuse, funders, collectors
)

// String prints T0, T1 or T2.
func (t Tier) String() string { return [...]string{"T0", "T1", "T2"}[t] }

// Join is one reason for two addresses to have one owner, known from a position on.
type Join struct {
	A, B      Address
	Tier      Tier
	Heuristic string // "co-spend", "tx0", "change", "permission key", "deposit reuse", ...
	Tx        TxID   // the transaction that shows it
	Pos       Position
	Detail    string // one sentence with its figures; empty where the heuristic's name says it all
}

// Cluster is a set of addresses with one owner, as far as its tier says, as of
// one height. An address that nothing joins is a cluster of itself.
type Cluster struct {
	Name Address // its first-seen member: it does not depend on the order of merges
	Tier Tier    // the weakest tier that was used
	Size uint64  // addresses
	AsOf BlockRef
}

// ClusterStats are sums over the members in the chain's native asset.
type ClusterStats struct {
	In, Out     Amount // gross: transfers among members count on both sides
	Balance     Amount // In - Out, openings included
	First, Last int64  // Unix milliseconds of the first and last event
	Events      uint64
}
