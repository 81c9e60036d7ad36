package behavior

import (
	"context"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// record is what notices say of one account, as of the snapshot.
type record struct {
	of         ledger.Address
	permission *ledger.Noted                     // the latest that it set itself
	grants     []ledger.Permission               // by which keys its money is moved; nil where that is not known
	namedBy    []ledger.Address                  // who ever named it as a key
	creation   *ledger.Noted                     // of a contract: its making
	activation *ledger.Noted                     // of another account: who paid for it to exist
	made       []ledger.Noted                    // contracts that it made, each once
	activated  []ledger.Noted                    // accounts that it paid for
	lent       map[ledger.Address][]ledger.Noted // energy, by who was lent it
	borrowed   map[ledger.Address][]ledger.Noted // the same, by who lent it
	cut        bool                              // there are more notices than were looked at
}

// record reads the notices of an account once.
func (k *asking) record(ctx context.Context, a ledger.Address) (*record, error) {
	if r := k.records[a]; r != nil {
		return r, nil
	}
	r := &record{of: a, lent: map[ledger.Address][]ledger.Noted{}, borrowed: map[ledger.Address][]ledger.Noted{}}
	n := 0
	for note, err := range k.Notices(ctx, a, ledger.Point{}) {
		if err != nil {
			return nil, err
		}
		if n++; n > MaxEvents {
			r.cut = true
			k.limit("only the first %d notices of %s were looked at: its keys are not known", MaxEvents, a)
			break
		}
		r.add(note)
	}
	if err := r.grant(); err != nil {
		return nil, err
	}
	k.records[a] = r
	return r, nil
}

func (r *record) add(n ledger.Noted) {
	own := n.Account == r.of
	switch n.Kind {
	case ledger.NoticePermission:
		if own {
			r.permission = &n
		} else if !slices.Contains(r.namedBy, n.Account) {
			r.namedBy = append(r.namedBy, n.Account)
		}
	case ledger.NoticeCreated:
		if own && r.creation == nil {
			r.creation = &n
		} else if !own && !slices.ContainsFunc(r.made, func(m ledger.Noted) bool { return m.Account == n.Account }) {
			r.made = append(r.made, n)
		}
	case ledger.NoticeActivated:
		if own && r.activation == nil {
			r.activation = &n
		} else if !own {
			r.activated = append(r.activated, n)
		}
	case ledger.NoticeDelegated:
		if !lends(n) {
			return
		}
		if own {
			r.lent[n.Peer] = append(r.lent[n.Peer], n)
		} else {
			r.borrowed[n.Account] = append(r.borrowed[n.Account], n)
		}
	case ledger.NoticeUndelegated, ledger.NoticeFrozen, ledger.NoticeUnfrozen, ledger.NoticeWrapped, ledger.NoticeUnwrapped, ledger.NoticeBridgeOut, ledger.NoticeBridgeIn:
	}
}

// grant says which keys move the account's money. Every account of TRON begins with
// its own key, which a permission keeps or replaces; a contract has none. A witness
// permission makes blocks and moves nothing.
func (r *record) grant() error {
	if r.cut || r.creation != nil || r.of.Chain.Family() != ledger.FamilyTRON {
		return nil
	}
	if r.permission == nil {
		r.grants = []ledger.Permission{{Name: "owner", Threshold: 1, Keys: []ledger.Key{{Address: r.of, Weight: 1}}}}
		return nil
	}
	all, err := r.permission.Permissions()
	if err != nil {
		return err
	}
	r.grants = slices.DeleteFunc(all, func(p ledger.Permission) bool { return p.Name == "witness" })
	return nil
}

// reached returns the first permission for which keys suffice; empty for none.
func (r *record) reached(keys []ledger.Address) string {
	for _, p := range r.grants {
		if p.Reached(keys) {
			return p.Name
		}
	}
	return ""
}
