package ledger

import "testing"

func TestFamilyOfEveryNetwork(t *testing.T) {
	for _, name := range append(chainNames(), "evm-1337") {
		if p, ok := Chain(name).Params(); !ok || Chain(name).Family() != p.Family {
			t.Errorf("%s: got family %d, want %d", name, Chain(name).Family(), p.Family)
		}
	}
	for _, name := range []Chain{"evm-1", "evm-01", "evm-0", "evm-", "evm-x", "evm--1", "litecoin", ""} {
		if p, ok := name.Params(); ok || name.Family() != FamilyUnknown {
			t.Errorf("%s: got %+v, want none", name, p)
		}
	}
}
