package ledger

// NoticeKind says what a Notice reports.
type NoticeKind uint8

// The kinds. Value moves by transfers alone; a notice explains one or changes a state.
const (
	NoticeCreated     NoticeKind = iota // Account, a contract, came into being; Peer made it
	NoticePermission                    // Account's keys were replaced; Ref lists them (TRON: "owner 2: T... 1, T... 1; active ...")
	NoticeDelegated                     // Account lent Peer the resource that Ref names, for Amount of staked Asset
	NoticeUndelegated                   // Account took it back
	NoticeFrozen                        // the issuer of Asset blocked Account
	NoticeUnfrozen                      // and no longer does
	NoticeWrapped                       // Account was given Amount of Asset for as much of the native coin
	NoticeUnwrapped                     // Account gave Amount of Asset for as much of the native coin
	NoticeBridgeOut                     // Account left Amount of Asset to a bridge, for Peer on Network
	NoticeBridgeIn                      // a bridge paid Account Amount of Asset; Network is where it came from
	NoticeActivated                     // Account, which is no contract, came into being; Peer paid for it
)

// Notice is something that a transaction did to an account besides moving value.
type Notice struct {
	Slot uint32 // place in the transaction's total order
	Kind NoticeKind
	// Account is whom it is about, Peer the other party, Contract who said so.
	// The recipient of a bridge-out is an account of another network: its 20
	// bytes are read as one of this.
	Account, Peer, Contract Address
	Asset                   Asset
	Amount                  Amount
	// Network is the other side of a crossing; empty when the bridge does not say
	// or the network is not known.
	Network Chain
	// Ref is the detail that the kind names; of a bridge, PROTOCOL:ID, the same on both sides.
	Ref   string
	Grade Grade
}

// RefAddress stands for a ref where an index lists events by (account, asset).
func RefAddress(c Chain, ref string) Address { return Address{Chain: c, Kind: KindRef, Payload: ref} }

// Subjects are those by whom a notice is listed, each once: its account, its peer
// unless that is an account of another network, the ref of a crossing, and every
// other address that a permission names as a key.
func (n Notice) Subjects(c Chain) []Address {
	all := []Address{n.Account}
	if n.Crosses() {
		return append(all, RefAddress(c, n.Ref))
	}
	if !n.Peer.IsZero() && n.Peer != n.Account {
		all = append(all, n.Peer)
	}
	for _, key := range n.PermissionKeys() {
		if key != n.Peer {
			all = append(all, key)
		}
	}
	return all
}

// Crosses reports a notice that is found by its Ref.
func (n Notice) Crosses() bool { return n.Kind == NoticeBridgeOut || n.Kind == NoticeBridgeIn }

// Noted is a notice with its place.
type Noted struct {
	Notice
	Tx   TxID
	At   Point
	Time int64 // Unix milliseconds, of the block
}
