package replay_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/spoortrace/spoor/cmd/spoor-verify/replay"
)

// TestListedOnce: each thing of a list that figures are made of stands there once. One that is there twice, or not at all, is found.
func TestListedOnce(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 61))
	done := map[string]int{}
	for range trials(t, 30) {
		files := filesOf(t, newMarket(random.Uint64()).build(t))
		for _, list := range []struct {
			file, name string // no name: the file itself
			needed     bool   // one that is missing is found, too
		}{
			{"payments.json", "", true},
			{"ledger.json", "", true},
			{"holdings.json", "", true},
			{"restitution.json", "", true},
			{"results.json", "", true},
			{"results.json", "terminals", true},
			{"results.json", "sheets", true},
			{"record.json", "histories", true},
			{"record.json", "transactions", false},
			{"record.json", "balances", true},
			{"record.json", "crossings", false},
			{"record.json", "clocks", false},
		} {
			for _, twice := range []bool{true, false} {
				forged := maps.Clone(files)
				if !twice && !list.needed || !relist(t, random, forged, list.file, list.name, twice) {
					continue
				}
				done[list.file+" "+list.name]++
				if found, _ := replay.Check(forged); len(found) == 0 {
					t.Errorf("seed %d: %s %s: twice %v is not found", seed, list.file, list.name, twice)
				}
			}
		}
	}
	if len(done) < 12 {
		t.Errorf("lists: %v", done)
	}
}

// relist puts one thing of a list behind itself, or takes it away. Numbers stay as they are written.
func relist(t *testing.T, random *rand.Rand, files map[string][]byte, file, name string, twice bool) bool {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(files[file]))
	d.UseNumber()
	var whole any
	if err := d.Decode(&whole); err != nil {
		t.Fatal(err)
	}
	changed := false
	change := func(v any) any {
		list, _ := v.([]any)
		if len(list) == 0 {
			return v
		}
		changed = true
		at := random.IntN(len(list))
		if twice {
			return slices.Insert(list, at, list[at])
		}
		return slices.Delete(list, at, at+1)
	}
	within := whole
	if all, ok := whole.([]any); ok && name != "" {
		within = all[random.IntN(len(all))]
	}
	if object, ok := within.(map[string]any); ok {
		object[name] = change(object[name])
	} else {
		whole = change(whole)
	}
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	files[file] = text
	return changed
}
