package tracer

import (
	"maps"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// Reason says why a trace ends at a terminal.
type Reason string

// The reasons, as printed. Their buckets and holders are in the table below.
const (
	Unspent          Reason = "UNSPENT"
	Frozen           Reason = "FROZEN"
	Service          Reason = "SERVICE"
	SuspectedService Reason = "SUSPECTED_SERVICE"
	DepositAddress   Reason = "DEPOSIT_ADDRESS"
	Mixer            Reason = "MIXER"
	CoinJoin         Reason = "COINJOIN"
	BridgeUnmatched  Reason = "BRIDGE_UNMATCHED"
	Contract         Reason = "CONTRACT"
	Seized           Reason = "SEIZED"
	NotCovered       Reason = "NOT_COVERED"
	Issued           Reason = "ISSUED" // upstream: minted, or a block's reward
	StoppedByUser    Reason = "STOPPED_BY_USER"
	UnsupportedAsset Reason = "UNSUPPORTED_ASSET"
	Burn             Reason = "BURN"
	Pruned           Reason = "PRUNED"
	Pending          Reason = "PENDING"
)

// Bucket is the row of the conservation sheet that a terminal counts in.
type Bucket uint8

// The buckets.
const (
	InResting Bucket = iota
	InStopped
	InBurnt
	InPruned
	InPending
)

// Bucket returns where the reason counts.
func (r Reason) Bucket() Bucket {
	switch r {
	case Unspent, Frozen, NotCovered:
		return InResting
	case Burn:
		return InBurnt
	case Pruned:
		return InPruned
	case Pending:
		return InPending
	case Service, SuspectedService, DepositAddress, Mixer, CoinJoin, BridgeUnmatched, Contract, Seized, Issued, StoppedByUser, UnsupportedAsset:
	}
	return InStopped
}

// Customer is the holder of money in an account at a service.
const Customer = "VASP account"

// Holder says what kind of holder has the money; empty for PRUNED and PENDING. An
// account at a service is named by the service; a name with a colon in it is where
// the service paid out to, of which no more is known.
func (t Terminal) Holder() string {
	if t.Address.Kind != ledger.KindNamed {
		return t.Reason.Holder()
	}
	if t.paidOut() {
		return "unknown"
	}
	return Customer
}

// FreezableBy says who can stop the money, as Reason.FreezableBy does.
func (t Terminal) FreezableBy() string {
	switch {
	case t.Address.Kind != ledger.KindNamed:
		return t.Reason.FreezableBy(t.Asset)
	case t.paidOut():
		return "NONE"
	}
	return "VASP"
}

func (t Terminal) paidOut() bool { return strings.Contains(t.Address.Payload, ":") }

// Holder says what kind of holder the reason implies; empty for PRUNED and PENDING.
func (r Reason) Holder() string {
	switch r {
	case Unspent:
		return "self-custody or unknown"
	case Frozen:
		return "issuer-frozen"
	case Service:
		return "VASP hot"
	case SuspectedService:
		return "unknown service"
	case DepositAddress:
		return "VASP deposit"
	case Mixer, CoinJoin, BridgeUnmatched, Contract:
		return "contract or mixer"
	case Seized:
		return "state"
	case NotCovered, StoppedByUser, UnsupportedAsset:
		return "unknown"
	case Burn, Issued:
		return "none"
	case Pruned, Pending:
	}
	return ""
}

// FreezableBy says who can stop the money: ISSUER, VASP, KEY (whoever takes
// the key), NONE, or DONE. A known stablecoin outside a service can be frozen
// by its issuer wherever it rests.
func (r Reason) FreezableBy(a ledger.Asset) string {
	switch r {
	case Service, SuspectedService, DepositAddress:
		return "VASP"
	case Frozen, Seized:
		return "DONE"
	case Burn, Issued:
		return "NONE"
	case Unspent, NotCovered, StoppedByUser, UnsupportedAsset, Pruned, Pending, Mixer, CoinJoin, BridgeUnmatched, Contract:
	}
	if ledger.InfoOf(a).Known && !a.Native() {
		return "ISSUER"
	}
	if r.Holder() == "contract or mixer" {
		return "NONE"
	}
	return "KEY"
}

// stopCategories are the label categories at which a trace stops, with the
// reason that they end it with. A category's sub-categories follow it.
func stopCategories() map[string]Reason {
	return map[string]Reason{
		"exchange": Service, "no_kyc_exchange": Service, "instant_exchange": Service, "p2p_exchange": Service,
		"atm": Service, "gambling": Service, "merchant_services": Service, "hosted_wallet": Service, "lending": Service,
		"mining_pool": Service, "unnamed_service": Service, "darknet_market": Service, "fraud_shop": Service,
		"guarantee_marketplace": Service, "laundering_service": Service,
		"mixing": Mixer, "protocol_privacy": Mixer,
		"bridge": BridgeUnmatched, "seized_funds": Seized, "issuer_frozen": Frozen,
	}
}

// StopCategories lists the categories at which a trace stops, by name.
func StopCategories() []string { return slices.Sorted(maps.Keys(stopCategories())) }

// StopOf returns the reason that an address's tags stop the trace with at a
// block time, and the tag that decided: the most confident one, ties to the
// one recorded first. Concepts refine: a service's deposit wallet is a
// DEPOSIT_ADDRESS, a mixing tag that says coinjoin a COINJOIN.
func StopOf(tags []ledger.Tag, at int64) (Reason, bool) {
	reason, _ := StopTag(tags, at)
	return reason, reason != ""
}

// StopTag is StopOf with the tag that decided; no reason: none does.
func StopTag(tags []ledger.Tag, at int64) (reason Reason, best ledger.Tag) {
	categories := stopCategories()
	for _, t := range tags {
		r, stops := categories[topCategory(t.Category)]
		if !stops || t.Confidence < MinTagConfidence || !t.ValidAt(at) || (reason != "" && t.Confidence <= best.Confidence) {
			continue
		}
		best, reason = t, refine(r, t)
	}
	return reason, best
}

func refine(r Reason, t ledger.Tag) Reason {
	switch {
	case r == Service && slices.Contains(t.Concepts, "deposit_wallet"):
		return DepositAddress
	case r == Mixer && slices.Contains(t.Concepts, "coinjoin"):
		return CoinJoin
	}
	return r
}

// restsAs returns what a label says of money that already rests at an address:
// frozen by the issuer, seized, or held by a contract.
func restsAs(tags []ledger.Tag, at int64) (Reason, bool) {
	for _, t := range tags {
		if t.Confidence < MinTagConfidence || !t.ValidAt(at) {
			continue
		}
		switch topCategory(t.Category) {
		case "issuer_frozen":
			return Frozen, true
		case "seized_funds":
			return Seized, true
		case "smart_contract", "token_smart_contract", "decentralized_exchange":
			return Contract, true
		}
	}
	return "", false
}

// ExemptFromService reports a label whose addresses are never a suspected
// service: what the trace looks for.
func ExemptFromService(tags []ledger.Tag, at int64) bool {
	return slices.ContainsFunc(exempting(tags), func(t ledger.Tag) bool { return t.ValidAt(at) })
}

// exempting returns the tags that exempt, at whatever time.
func exempting(tags []ledger.Tag) []ledger.Tag {
	var exempt []ledger.Tag
	for _, t := range tags {
		if t.Confidence >= MinTagConfidence && Hunted(t.Category) {
			exempt = append(exempt, t)
		}
	}
	return exempt
}

// Hunted reports a category of what traces look for: it is never a suspected service.
func Hunted(category string) bool {
	switch topCategory(category) {
	case "scam", "ransomware", "stolen_funds":
		return true
	}
	return false
}

// ServesMany reports a category at which a trace stops since many people's money
// meets there. What an issuer froze is still somebody's own.
func ServesMany(category string) bool {
	reason, stops := stopCategories()[topCategory(category)]
	return stops && reason != Frozen
}

// topCategory cuts a sub-category ("scam.romance") to its parent.
func topCategory(id string) string {
	for i := range len(id) {
		if id[i] == '.' {
			return id[:i]
		}
	}
	return id
}

// String prints the bucket as the sheet's row is named, in capitals.
func (b Bucket) String() string {
	return [...]string{"RESTING", "STOPPED", "BURNT", "PRUNED", "PENDING"}[b]
}
