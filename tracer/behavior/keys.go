package behavior

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// The heuristics of tier T0.
const (
	PermissionKey   = "permission key"
	ContractCreator = "contract creator"
)

// The bounds of T0 (judgment).
const (
	MaxKeyUsers = 20 // accounts that name one key: beyond, it is a service's
	MaxMade     = 20 // contracts of one account: beyond, it makes them for others
)

// sharedKeys joins accounts for which the same keys can sign: those that both have
// in common suffice, alone, for a permission of each. A co-signer is no owner.
func (k *asking) sharedKeys(ctx context.Context, a ledger.Address) ([]ledger.Join, error) {
	own, err := k.record(ctx, a)
	if err != nil {
		return nil, err
	}
	keys, err := k.keys(ctx, own)
	if err != nil {
		return nil, err
	}
	var others []ledger.Address
	for _, key := range keys {
		of, err := k.record(ctx, key)
		if err != nil {
			return nil, err
		}
		others = append(append(others, of.namedBy...), key)
	}
	slices.SortFunc(others, ledger.Address.Compare)
	var joins []ledger.Join
	for _, b := range slices.Compact(others) {
		if b == a {
			continue
		}
		j, joined, err := k.signedAlike(ctx, own, keys, b)
		if err != nil {
			return nil, err
		}
		if joined {
			joins = append(joins, j)
		}
	}
	return joins, nil
}

// signedAlike joins an account with another by the keys that they have in common.
func (k *asking) signedAlike(ctx context.Context, own *record, keys []ledger.Address, b ledger.Address) (ledger.Join, bool, error) {
	other, err := k.record(ctx, b)
	if err != nil {
		return ledger.Join{}, false, err
	}
	theirs, err := k.keys(ctx, other)
	if err != nil {
		return ledger.Join{}, false, err
	}
	shared := slices.DeleteFunc(slices.Clone(keys), func(key ledger.Address) bool { return !slices.Contains(theirs, key) })
	mine, its := own.reached(shared), other.reached(shared)
	if mine == "" || its == "" {
		return ledger.Join{}, false, nil
	}
	shows := own.permission // who has set none cannot be the later
	if shows == nil || other.permission != nil && shows.At.Before(other.permission.At) {
		shows = other.permission
	}
	return ledger.Join{
		A: own.of, B: b, Tier: ledger.TierExact, Heuristic: PermissionKey, Tx: shows.Tx, Pos: shows.At.Pos,
		Detail: fmt.Sprintf("%s can sign alone for both: %s of the one, %s of the other", names(shared), mine, its),
	}, true, nil
}

// keys returns those of an account in order of address, without any that is of a
// service or named by too many.
func (k *asking) keys(ctx context.Context, r *record) ([]ledger.Address, error) {
	var all []ledger.Address
	for _, p := range r.grants {
		for _, key := range p.Keys {
			all = append(all, key.Address)
		}
	}
	slices.SortFunc(all, ledger.Address.Compare)
	var usable []ledger.Address
	for _, key := range slices.Compact(all) {
		serves, err := k.serves(ctx, key)
		if err != nil {
			return nil, err
		}
		of, err := k.record(ctx, key)
		if err != nil {
			return nil, err
		}
		switch {
		case serves:
			k.limit("%s is a service: its key joins nobody", key)
		case len(of.namedBy) > MaxKeyUsers:
			k.limit("the key %s is named by more than %d accounts: it joins nobody", key, MaxKeyUsers)
		case !of.cut:
			usable = append(usable, key)
		}
	}
	return usable, nil
}

func names(all []ledger.Address) string {
	var text []string
	for _, a := range all {
		text = append(text, a.String())
	}
	return strings.Join(text, ", ")
}

// creators joins a contract with the account that signed for its making. A contract
// that makes others, and an account that made many, work for their customers.
func (k *asking) creators(ctx context.Context, a ledger.Address) ([]ledger.Join, error) {
	own, err := k.record(ctx, a)
	if err != nil {
		return nil, err
	}
	makings := own.made
	if own.creation != nil {
		makings = []ledger.Noted{*own.creation}
	}
	var joins []ledger.Join
	for _, n := range makings {
		owned, err := k.owned(ctx, n)
		if err != nil {
			return nil, err
		}
		if !owned {
			continue
		}
		b := n.Account
		if b == a {
			b = n.Peer
		}
		joins = append(joins, ledger.Join{
			A: a, B: b, Tier: ledger.TierExact, Heuristic: ContractCreator, Tx: n.Tx, Pos: n.At.Pos,
			Detail: fmt.Sprintf("%s made the contract %s", n.Peer, n.Account),
		})
	}
	return joins, nil
}

// owned reports that who made a contract is its owner.
func (k *asking) owned(ctx context.Context, n ledger.Noted) (bool, error) {
	by, err := k.record(ctx, n.Peer)
	if err != nil || n.Peer.IsZero() || by.cut || by.creation != nil {
		return false, err
	}
	if len(by.made) > MaxMade {
		k.limit("%s made more than %d contracts: they are its customers'", n.Peer, MaxMade)
		return false, nil
	}
	contract, err := k.record(ctx, n.Account)
	if err != nil || contract.creation == nil || contract.creation.Peer != n.Peer {
		return false, err // made anew by somebody else, at one address
	}
	tx, err := k.TxAt(ctx, n.Account.Chain, n.At.Pos)
	if err != nil {
		return false, err
	}
	// Where fees are held, only who signed is known to be no contract.
	signer := seen(ledger.Event{}, ledger.Asset{}, &tx).sender
	return signer.IsZero() || signer == n.Peer, nil
}
