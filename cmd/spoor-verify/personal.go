package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// personalFact is one fact of personal.json. One that is withheld has its commitment alone.
type personalFact struct {
	Subject    string `json:"subject"`
	Field      string `json:"field"`
	Value      string `json:"value"`
	Salt       string `json:"salt"`
	Commitment string `json:"commitment"`
}

const (
	checkNamePersonal = "personal facts"
	checkNameFull     = "derived from the full package"
	originalPath      = "original.json"
)

// checkPersonal checks that what is shown of people is what was committed to, and, in a redacted package, that its files are those of the full
// one where redaction changes nothing.
func checkPersonal(p *pack) []finding {
	var facts, committed []personalFact
	if err := readPart(p, "personal.json", &facts); err != nil {
		return []finding{{checkNamePersonal, "personal.json", "facts about persons", err.Error()}}
	}
	if err := readPart(p, "commitments.json", &committed); err != nil {
		return []finding{{checkNamePersonal, "commitments.json", "commitments", err.Error()}}
	}
	var found []finding
	if len(facts) != len(committed) {
		found = append(found, finding{checkNamePersonal, "personal.json", fmt.Sprintf("%d facts, as many as commitments", len(committed)), fmt.Sprint(len(facts))})
	}
	for i, f := range facts {
		bare := personalFact{Subject: f.Subject, Field: f.Field, Commitment: f.Commitment}
		if i < len(committed) && committed[i] != bare {
			found = append(found, finding{checkNamePersonal, f.name(), fmt.Sprintf("that of place %d: %+v", i+1, committed[i]), fmt.Sprintf("%+v", bare)})
		}
		if why := f.check(); why != "" {
			found = append(found, finding{checkNamePersonal, f.name(), "what was committed to: " + f.Commitment, why})
		}
	}
	return append(found, checkOriginal(p)...)
}

func (f personalFact) name() string { return f.Field + " of " + f.Subject }

// check says what is wrong with a fact. It does not repeat the fact: what is found is printed.
func (f personalFact) check() string {
	if f.Salt == "" && f.Value == "" {
		if _, err := hexHash(f.Commitment); err != nil {
			return err.Error()
		}
		return ""
	}
	salt, err := hexBytes(f.Salt)
	if err != nil || len(salt) != 32 {
		return fmt.Sprintf("a salt of %d bytes", len(salt))
	}
	if sum := sha256.Sum256(append(salt, f.Value...)); hex.EncodeToString(sum[:]) != f.Commitment {
		return fmt.Sprintf("salt and value make %x", sum)
	}
	return ""
}

// redactable says of which files redaction changes the content. What is a rendering changes with them.
func redactable(f listedFile) bool {
	return f.Role == "rendering" || slices.Contains([]string{"case.json", "personal.json", "requests.json", "custody.json"}, f.Path) || strings.HasPrefix(f.Path, "letters/")
}

// checkOriginal holds a redacted package's list of files against that of the full one, which it carries.
func checkOriginal(p *pack) []finding {
	var cover struct{ Redaction string }
	if err := readPart(p, "case.json", &cover); err != nil {
		return []finding{{checkNameFull, "case.json", "a case", err.Error()}}
	}
	text, carried := p.files[originalPath]
	if carried == (cover.Redaction == "court") {
		return []finding{{checkNameFull, originalPath, "in every package that is redacted, and in no other", fmt.Sprintf("there: %v, redaction %q", carried, cover.Redaction)}}
	}
	if !carried {
		return nil
	}
	full, err := readListing(text)
	if err != nil {
		return []finding{{checkNameFull, originalPath, "the list of the full package's files", err.Error()}}
	}
	own, err := readListing(p.files[manifestPath])
	if err != nil {
		return []finding{{checkNameFull, manifestPath, "the list of files", err.Error()}}
	}
	return append(full.checkRoot(), compareListings(own.byPath(), full.byPath())...)
}

// compareListings says which files the redacted package has differently, though redaction changes nothing in them.
func compareListings(own, full map[string]listedFile) []finding {
	var found []finding
	for _, path := range slices.Sorted(maps.Keys(own)) {
		mine, theirs := own[path], full[path]
		if path == originalPath || redactable(mine) && theirs.Path == "" {
			continue
		}
		if redactable(mine) && redactable(theirs) && mine.Role == theirs.Role {
			continue
		}
		if mine != theirs {
			found = append(found, finding{checkNameFull, path, fmt.Sprintf("%+v, as in the full package", theirs), fmt.Sprintf("%+v", mine)})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(full)) {
		if _, ok := own[path]; !ok && (!redactable(full[path]) || strings.HasSuffix(path, ".json") && full[path].Role == "record") {
			found = append(found, finding{checkNameFull, path, "a file that the full package has", "it is missing"})
		}
	}
	return found
}

// checkRoot checks the root of a list whose files are not at hand.
func (l listing) checkRoot() []finding {
	var leaves [][]byte
	for _, f := range l.Files {
		leaves = append(leaves, fmt.Appendf(nil, "%s %d %s", f.SHA256, f.Size, f.Path))
	}
	if root := merkleRoot(leaves); hex.EncodeToString(root[:]) != l.Root {
		return []finding{{checkNameFull, originalPath, fmt.Sprintf("root %x", root), l.Root}}
	}
	return nil
}

func (l listing) byPath() map[string]listedFile {
	all := map[string]listedFile{}
	for _, f := range l.Files {
		all[f.Path] = f
	}
	return all
}

// checkFull checks that a redacted package was made of this full one: it carries its list of files, and what redaction changes it only leaves
// out.
func checkFull(redacted, full *pack) []finding {
	var found []finding
	say := func(subject, want, got string) { found = append(found, finding{checkNameFull, subject, want, got}) }
	if !bytes.Equal(redacted.files[originalPath], full.files[manifestPath]) {
		say(originalPath, "the full package's "+manifestPath, differs(redacted.files[originalPath], full.files[manifestPath]))
	}
	var mine, theirs map[string]json.RawMessage
	for _, err := range []error{readPart(redacted, "case.json", &mine), readPart(full, "case.json", &theirs)} {
		if err != nil {
			say("case.json", "a case", err.Error())
		}
	}
	for _, field := range slices.Sorted(maps.Keys(mergedKeys(mine, theirs))) {
		if field != "redaction" && field != "author" && !bytes.Equal(mine[field], theirs[field]) {
			say("case.json, "+field, string(theirs[field]), string(mine[field]))
		}
	}
	if author := string(mine["author"]); author != string(theirs["author"]) && author != `"withheld"` {
		say("case.json, author", string(theirs["author"])+" or withheld", author)
	}
	found = append(found, comparePersonal(redacted, full)...)
	found = append(found, compareRequests(redacted, full)...)
	return append(found, compareCustody(redacted, full)...)
}

func mergedKeys(a, b map[string]json.RawMessage) map[string]bool {
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	return keys
}

// comparePersonal: each fact is that of the full package, or withheld.
func comparePersonal(redacted, full *pack) []finding {
	var mine, theirs []personalFact
	for _, err := range []error{readPart(redacted, "personal.json", &mine), readPart(full, "personal.json", &theirs)} {
		if err != nil {
			return []finding{{checkNameFull, "personal.json", "facts about persons", err.Error()}}
		}
	}
	var found []finding
	if len(mine) != len(theirs) {
		found = append(found, finding{checkNameFull, "personal.json", fmt.Sprintf("%d facts", len(theirs)), fmt.Sprint(len(mine))})
	}
	for i, f := range mine {
		if i >= len(theirs) {
			break
		}
		bare := theirs[i]
		if bare.Value, bare.Salt = "", ""; f != theirs[i] && f != bare {
			found = append(found, finding{checkNameFull, f.name(), "what the full package says, or nothing", "something else"})
		}
	}
	return found
}

// compareRequests: each request, and its letter, is one of the full package's.
func compareRequests(redacted, full *pack) []finding {
	type request struct{ ID, Letter string }
	var mine, theirs []json.RawMessage
	for _, err := range []error{readPart(redacted, "requests.json", &mine), readPart(full, "requests.json", &theirs)} {
		if err != nil {
			return []finding{{checkNameFull, "requests.json", "requests", err.Error()}}
		}
	}
	known, letters := map[string]bool{}, map[string]bool{}
	for _, r := range theirs {
		known[string(r)] = true
	}
	var found []finding
	for _, raw := range mine {
		var r request
		if err := json.Unmarshal(raw, &r); err != nil || !known[string(raw)] {
			found = append(found, finding{checkNameFull, "requests.json, " + r.ID, "a request of the full package", "another"})
		}
		letters[r.Letter] = true
	}
	for _, path := range slices.Sorted(maps.Keys(redacted.files)) {
		if !strings.HasPrefix(path, "letters/") {
			continue
		}
		if !letters[path] || !bytes.Equal(redacted.files[path], full.files[path]) {
			found = append(found, finding{checkNameFull, path, "a letter of the full package to a request that is shown", "another"})
		}
	}
	return found
}

// compareCustody: the log is the full package's, with all its entries or none.
func compareCustody(redacted, full *pack) []finding {
	if bytes.Equal(redacted.files["custody.json"], full.files["custody.json"]) {
		return nil
	}
	var mine, theirs custodyLog
	for _, err := range []error{readPart(redacted, "custody.json", &mine), readPart(full, "custody.json", &theirs)} {
		if err != nil {
			return []finding{{checkNameFull, "custody.json", "a custody log", err.Error()}}
		}
	}
	if mine.Origin != theirs.Origin || mine.Key != theirs.Key || mine.Checkpoint != theirs.Checkpoint || mine.Size != theirs.Size || len(mine.Entries) > 0 {
		return []finding{{checkNameFull, "custody.json", "that of the full package, with or without its entries", "another"}}
	}
	return nil
}
