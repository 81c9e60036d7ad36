package ledger

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func person(n byte) Address { return AccountAddress("tron", [20]byte{19: n}) }

func TestPermissions(t *testing.T) {
	a, b, c := person(1), person(2), person(3)
	n := Notice{Kind: NoticePermission, Account: a, Ref: "owner 2: " + a.String() + " 1, " + b.String() + " 1; active 1: " + b.String() + " 1, " + c.String() + " 1"}
	got, err := n.Permissions()
	if err != nil || len(got) != 2 || got[0].Name != "owner" || got[0].Threshold != 2 || got[1].Keys[1] != (Key{c, 1}) {
		t.Fatalf("got %+v, %v", got, err)
	}
	// The account's own key is no subject of its own, and a key named twice is one.
	if keys, want := n.Subjects("tron"), []Address{a, b, c}; !slices.Equal(keys, want) {
		t.Errorf("subjects: got %v, want %v", keys, want)
	}
	for _, test := range []struct {
		of   int
		keys []Address
		want bool
	}{{0, []Address{b}, false}, {0, []Address{a, b}, true}, {1, []Address{c}, true}, {1, []Address{a}, false}, {1, nil, false}} {
		if got[test.of].Reached(test.keys) != test.want {
			t.Errorf("%v for %+v: want %v", test.keys, got[test.of], test.want)
		}
	}
	huge := Permission{Name: "owner", Threshold: 2, Keys: []Key{{a, math.MaxInt64}, {b, math.MaxInt64}}}
	if !huge.Reached([]Address{a, b}) || (Permission{Name: "owner", Keys: []Key{{a, 1}}}).Reached([]Address{a}) {
		t.Error("weights that overflow must count, a threshold of 0 must not")
	}
}

// What cannot be read has no keys, and an error for who asks.
func TestPermissionsHostile(t *testing.T) {
	a := person(1).String()
	for _, ref := range []string{"owner", "owner 1", "owner x: " + a + " 1", ": ", "owner 1: " + a, "owner 1: x 1", "owner 1: " + a + " 1,", "owner 1: " + a + " 99999999999999999999", "; "} {
		n := Notice{Kind: NoticePermission, Account: person(2), Ref: ref}
		if _, err := n.Permissions(); err == nil || len(n.Subjects("tron")) != 1 {
			t.Errorf("%q: got %v, %v", ref, n.Subjects("tron"), err)
		}
	}
}

func FuzzPermissions(f *testing.F) {
	f.Add("owner 2: " + person(1).String() + " 1; active 1: " + strings.Repeat(person(2).String()+" 1, ", 3) + person(3).String() + " 1")
	f.Fuzz(func(t *testing.T, ref string) {
		n := Notice{Kind: NoticePermission, Account: person(1), Ref: ref}
		subjects := n.Subjects("tron")
		for i, a := range subjects {
			if slices.Contains(subjects[:i], a) {
				t.Fatalf("%q: %s is listed twice", ref, a)
			}
		}
	})
}
