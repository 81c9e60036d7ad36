package tron

import (
	"slices"
	"testing"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
)

// What this package writes of permissions is what the ledger reads.
func TestPermissionsAreReadBack(t *testing.T) {
	of := func(keys ...byte) *protocol.Permission {
		p := &protocol.Permission{Threshold: int64(len(keys))}
		for _, k := range keys {
			p.Keys = append(p.Keys, &protocol.Permission_Key{Address: account(k), Weight: int64(k)})
		}
		return p
	}
	b := made(t, typePermissionUpdate, &protocol.AccountPermissionUpdateContract{
		OwnerAddress: account(1), Owner: of(1, 2), Witness: of(3), Actives: []*protocol.Permission{of(2, 4), of()},
	}, 1, &protocol.TransactionInfo{})
	n := b.Txs[0].Notices[0]
	got, err := n.Permissions()
	if err != nil {
		t.Fatal(err)
	}
	address := func(k byte) ledger.Address { return ledger.AccountAddress("tron", [20]byte(account(k)[1:])) }
	key := func(k byte) ledger.Key { return ledger.Key{Address: address(k), Weight: int64(k)} }
	want := []ledger.Permission{
		{Name: "owner", Threshold: 2, Keys: []ledger.Key{key(1), key(2)}},
		{Name: "witness", Threshold: 1, Keys: []ledger.Key{key(3)}},
		{Name: "active", Threshold: 2, Keys: []ledger.Key{key(2), key(4)}},
		{Name: "active"},
	}
	if !slices.EqualFunc(got, want, func(x, y ledger.Permission) bool {
		return x.Name == y.Name && x.Threshold == y.Threshold && slices.Equal(x.Keys, y.Keys)
	}) {
		t.Errorf("%q: got %+v, want %+v", n.Ref, got, want)
	}
	if subjects := n.Subjects("tron"); !slices.Equal(subjects, []ledger.Address{address(1), address(2), address(3), address(4)}) {
		t.Errorf("subjects %v", subjects)
	}
}

// An account that somebody pays for is not his as a contract is that he made.
func TestActivation(t *testing.T) {
	b := made(t, typeAccountCreate, &protocol.AccountCreateContract{OwnerAddress: account(1), AccountAddress: account(2)}, 1, &protocol.TransactionInfo{})
	if n := b.Txs[0].Notices[0]; n.Kind != ledger.NoticeActivated || n.Account != ledger.AccountAddress("tron", [20]byte(account(2)[1:])) || n.Peer != ledger.AccountAddress("tron", [20]byte(account(1)[1:])) {
		t.Errorf("got %+v", n)
	}
	b = made(t, typeCreateSmart, &protocol.CreateSmartContract{OwnerAddress: account(1)}, 1, &protocol.TransactionInfo{ContractAddress: account(2)})
	if n := b.Txs[0].Notices[0]; n.Kind != ledger.NoticeCreated || n.Account != ledger.AccountAddress("tron", [20]byte(account(2)[1:])) {
		t.Errorf("got %+v", n)
	}
}
