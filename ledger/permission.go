package ledger

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Permission is one way to sign for an account: keys whose weights together reach
// the threshold.
type Permission struct {
	Name      string // "owner", "witness" or "active"; an account may have several active ones
	Threshold int64
	Keys      []Key
}

// Key is an address that signs, and what its signature weighs.
type Key struct {
	Address Address
	Weight  int64
}

// Reached reports that keys suffice for the permission.
func (p Permission) Reached(keys []Address) bool {
	sum := new(big.Int) // weights are signed 64 bits each, and their sum may not be
	for _, k := range p.Keys {
		if k.Weight > 0 && slices.Contains(keys, k.Address) {
			sum.Add(sum, big.NewInt(k.Weight))
		}
	}
	return p.Threshold > 0 && sum.Cmp(big.NewInt(p.Threshold)) >= 0
}

// Permissions reads the Ref of a NoticePermission, which replaces all that the
// account had before: "owner 2: T... 1, T... 1; active 1: T... 1".
func (n Notice) Permissions() ([]Permission, error) {
	if n.Kind != NoticePermission || n.Ref == "" {
		return nil, nil
	}
	var all []Permission
	for part := range strings.SplitSeq(n.Ref, "; ") {
		p, err := parsePermission(n.Account.Chain, part)
		if err != nil {
			return nil, fmt.Errorf("permissions of %s: %w", n.Account, err)
		}
		all = append(all, p)
	}
	return all, nil
}

func parsePermission(c Chain, text string) (Permission, error) {
	wrong := Invalid("permission", "a name, a threshold, a colon, and keys with their weights", text)
	head, list, found := strings.Cut(text, ":")
	name, number, named := strings.Cut(head, " ")
	threshold, err := strconv.ParseInt(number, 10, 64)
	if !found || !named || name == "" || err != nil {
		return Permission{}, wrong
	}
	p := Permission{Name: name, Threshold: threshold}
	if list = strings.TrimPrefix(list, " "); list == "" {
		return p, nil
	}
	for item := range strings.SplitSeq(list, ", ") {
		address, number, _ := strings.Cut(item, " ")
		weight, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return Permission{}, wrong
		}
		a, err := ParseAddress(c, address)
		if err != nil {
			return Permission{}, err
		}
		p.Keys = append(p.Keys, Key{a, weight})
	}
	return p, nil
}

// PermissionKeys are the addresses that a NoticePermission names, in order, each
// once, without the account itself, whose key is no news. None where the Ref cannot
// be read: Permissions says why.
func (n Notice) PermissionKeys() []Address {
	permissions, err := n.Permissions()
	if err != nil {
		return nil
	}
	var keys []Address
	for _, p := range permissions {
		for _, k := range p.Keys {
			if k.Address != n.Account && !slices.Contains(keys, k.Address) {
				keys = append(keys, k.Address)
			}
		}
	}
	return keys
}
