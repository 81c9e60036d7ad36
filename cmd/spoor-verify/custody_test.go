package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

// custodyPack is a package with a log of 12 entries, and the checkpoint after each.
func custodyPack(t testing.TB) (p *pack, checkpoints []string) {
	t.Helper()
	var data struct {
		Custody     json.RawMessage
		Checkpoints []string
	}
	if err := json.Unmarshal(file(t, "testdata/custody.json"), &data); err != nil {
		t.Fatal(err)
	}
	p = &pack{files: map[string][]byte{"custody.json": data.Custody}}
	put(t, p, "case.json", value{"case": "zx81-3f2a77b0", "redaction": "court"})
	return p, data.Checkpoints
}

// changed is the pack with another custody log.
func changed(t testing.TB, change func(log *custodyLog)) *pack {
	t.Helper()
	p, _ := custodyPack(t)
	var log custodyLog
	if err := readPart(p, "custody.json", &log); err != nil {
		t.Fatal(err)
	}
	change(&log)
	put(t, p, "custody.json", log)
	return p
}

// The log that another program wrote holds, also against each of its earlier checkpoints.
func TestCustody(t *testing.T) {
	p, checkpoints := custodyPack(t)
	if found := checkCustody(p, nil); len(found) > 0 {
		t.Errorf("got %s", told(found))
	}
	for i, kept := range checkpoints {
		if found := checkCustody(p, []byte(kept)); len(found) > 0 {
			t.Errorf("checkpoint %d: got %s", i+1, told(found))
		}
	}
	put(t, p, "case.json", value{"case": "zx81-3f2a77b1", "redaction": "court"})
	if found := checkCustody(p, nil); len(found) != 1 {
		t.Errorf("the log of another case: got %s", told(found))
	}
}

// A log that was shortened, and signed again by whoever has the key, does not hold what was kept elsewhere.
func TestCustodyThatWasPutBack(t *testing.T) {
	_, checkpoints := custodyPack(t)
	shorter := changed(t, func(log *custodyLog) {
		log.Entries, log.Size, log.Checkpoint = log.Entries[:7], 7, checkpoints[6]
	})
	if found := checkCustody(shorter, nil); len(found) > 0 {
		t.Errorf("a log of 7 entries: got %s", told(found))
	}
	for i, kept := range checkpoints {
		if found := checkCustody(shorter, []byte(kept)); (len(found) > 0) != (i+1 > 7) {
			t.Errorf("checkpoint %d of a log of 7: got %s", i+1, told(found))
		}
	}
}

// What is withheld for whom it may be is no failure, but cannot be compared with anything earlier.
func TestWithheldCustody(t *testing.T) {
	_, checkpoints := custodyPack(t)
	none := changed(t, func(log *custodyLog) { log.Entries = []custodyEntry{} })
	for level, holds := range map[string]bool{"court": false, "agency": false, "defence": false, "exchange": true, "victim": true, "public": true} {
		put(t, none, "case.json", value{"case": "zx81-3f2a77b0", "redaction": level})
		if found := checkCustody(none, nil); (len(found) == 0) != holds {
			t.Errorf("%s: got %s", level, told(found))
		}
	}
	put(t, none, "case.json", value{"case": "zx81-3f2a77b0", "redaction": "public"})
	if got := told(checkCustody(none, []byte(checkpoints[11]))); got != "" {
		t.Errorf("the same checkpoint: got %s", got)
	}
	if got := told(checkCustody(none, []byte(checkpoints[3]))); !strings.Contains(got, "cannot be compared") {
		t.Errorf("an earlier checkpoint: got %s", got)
	}
	empty := &pack{files: map[string][]byte{}}
	put(t, empty, "case.json", value{"case": "zx81-3f2a77b0", "redaction": "court"})
	put(t, empty, "custody.json", custodyLog{})
	if found := checkCustody(empty, nil); len(found) > 0 {
		t.Errorf("no case: got %s", told(found))
	}
	if found := checkCustody(empty, []byte(checkpoints[3])); len(found) == 0 {
		t.Error("no case where there was one is accepted")
	}
}

// Each change by hand is found.
func TestChangedCustody(t *testing.T) {
	for name, change := range map[string]func(log *custodyLog){
		"an entry less":       func(log *custodyLog) { log.Entries = log.Entries[1:] },
		"an entry twice":      func(log *custodyLog) { log.Entries = append(log.Entries, log.Entries[0]) },
		"entries in disorder": func(log *custodyLog) { log.Entries[0], log.Entries[1] = log.Entries[1], log.Entries[0] },
		"another number":      func(log *custodyLog) { log.Entries[0].Number = 2 },
		"another body":        func(log *custodyLog) { log.Entries[3].Body = log.Entries[2].Body },
		"another origin":      func(log *custodyLog) { log.Origin = "another of zx81-3f2a77b0" },
		"another size":        func(log *custodyLog) { log.Size-- },
		"no checkpoint":       func(log *custodyLog) { log.Checkpoint = "" },
		"no key":              func(log *custodyLog) { log.Key = "" },
		"another name":        func(log *custodyLog) { log.Key = "x" + log.Key },
		"a signature twice": func(log *custodyLog) {
			_, signature, _ := strings.Cut(log.Checkpoint, "\n\n")
			log.Checkpoint += signature
		},
		"no line break at end": func(log *custodyLog) { log.Checkpoint = strings.TrimSuffix(log.Checkpoint, "\n") },
	} {
		if found := checkCustody(changed(t, change), nil); len(found) == 0 {
			t.Errorf("%s is accepted", name)
		}
	}
}

// Of 10,000 random edits of the custody log each is found, but those that leave what JSON says as it is.
func TestEditedCustodyIsFound(t *testing.T) {
	const seed = 19
	p, _ := custodyPack(t)
	whole := p.files["custody.json"]
	r := rand.New(rand.NewPCG(seed, 6))
	var was custodyLog
	if err := readPart(p, "custody.json", &was); err != nil {
		t.Fatal(err)
	}
	for made := 0; made < 10_000; {
		b := edited(r, whole)
		var now custodyLog
		p.files["custody.json"] = b
		if readPart(p, "custody.json", &now) == nil && sameLog(was, now) {
			continue // a space, or a field's name in capitals: strict reading of the files finds that
		}
		made++
		if len(checkCustody(p, nil)) == 0 {
			t.Errorf("edit %d of seed %d is not found: %s", made, seed, b)
		}
	}
	t.Logf("seed %d: 10000 edits found", seed)
}

func sameLog(a, b custodyLog) bool {
	if a.Origin != b.Origin || a.Key != b.Key || a.Checkpoint != b.Checkpoint || a.Size != b.Size || len(a.Entries) != len(b.Entries) {
		return false
	}
	for i := range a.Entries {
		if a.Entries[i].Number != b.Entries[i].Number || !bytes.Equal(a.Entries[i].Body, b.Entries[i].Body) {
			return false
		}
	}
	return true
}
