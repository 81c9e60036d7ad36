package labels

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// refusalsKept bounds what a report names; it counts all of them.
const refusalsKept = 20

// Report counts what became of a file's tags.
type Report struct {
	Tags     int            // taken
	Repeated int            // in the file twice, or in the log already
	Skipped  map[string]int // by network that is not indexed
	Refused  int            // address or hash that does not parse
	Refusals []string       // the first of those: place, what was wanted, what came
}

func (r *Report) refuse(err error) {
	if r.Refused++; len(r.Refusals) < refusalsKept {
		r.Refusals = append(r.Refusals, err.Error())
	}
}

func (r *Report) skip(network string) {
	if r.Skipped == nil {
		r.Skipped = map[string]int{}
	}
	if len(network) > 32 {
		network = network[:32]
	}
	r.Skipped[strings.ToUpper(network)]++
}

// field returns a field of the tag, or the header's.
func (p *packReader) field(own fieldSet, name string) (value, bool) {
	if v, ok := own[name]; ok {
		return v, true
	}
	v, ok := p.header[name]
	return v, ok
}

func (p *packReader) text(own fieldSet, name string) string {
	v, _ := p.field(own, name)
	return v.text
}

// tag makes a tag of its own and inherited fields; false when it is left out.
func (p *packReader) tag(own fieldSet, line int) (ledger.Tag, bool, error) {
	for _, name := range []string{"label", "source", "currency"} {
		if p.text(own, name) == "" {
			return ledger.Tag{}, false, ledger.Invalid(p.at(line), "the mandatory field "+name, "a tag without it")
		}
	}
	address, hash := p.text(own, "address"), p.text(own, "tx_hash")
	if (address == "") == (hash == "") {
		return ledger.Tag{}, false, ledger.Invalid(p.at(line), "exactly one of address and tx_hash", address+" "+hash)
	}
	network := p.text(own, "network")
	if network == "" {
		network = p.text(own, "currency")
	}
	chain, ok := networkOf(network, address)
	if !ok {
		p.report.skip(network)
		return ledger.Tag{}, false, nil
	}
	t := ledger.Tag{
		Chain: chain, Label: p.text(own, "label"), Source: p.text(own, "source"), Abuse: p.text(own, "abuse"), Actor: p.text(own, "actor"),
		Context: p.text(own, "context"), Pack: p.header["title"].text, Creator: p.header["creator"].text, Confidence: confidences["unknown"],
	}
	if err := identify(&t, address, hash); err != nil && !byChecksum(&t, address) {
		p.report.refuse(fmt.Errorf("%s: %w", p.at(line), err))
		return t, false, nil
	}
	if v, ok := p.field(own, "confidence"); ok {
		t.Confidence, _ = ParseConfidence(v.text)
	}
	if v, ok := p.field(own, "is_cluster_definer"); ok {
		t.Definer = v.flag
	}
	if v, ok := p.field(own, "lastmod"); ok {
		t.LastMod = v.ms
	}
	if t.Type = p.text(own, "tag_type"); t.Type == "actor" {
		t.Type = "" // what a tag is that does not say
	}
	list, _ := p.field(own, "concepts")
	t.Concepts = joinConcepts(t.Abuse, p.text(own, "category"), list.list)
	if t.Category = categorise(t.Concepts); t.Type == "mention" {
		t.Category = "" // that a page names an address says nothing of its owner
	}
	if !readValidity(&t) {
		return t, false, ledger.Invalid(p.at(line), "context: each key once", t.Context)
	}
	key := uniqueKey(t)
	if p.seen[key] {
		p.report.Repeated++
		return t, false, nil
	}
	p.seen[key] = true
	return t, true, nil
}

// identify sets what is tagged. GraphSense writes EVM addresses in lower case,
// others in any case, so that a case that is no EIP-55 checksum says nothing.
func identify(t *ledger.Tag, address, hash string) error {
	if hash != "" {
		id, err := ledger.ParseTxID(hash)
		t.Tx = &id
		return err
	}
	if t.Chain.Family() == ledger.FamilyEVM {
		address = strings.ToLower(address)
	}
	a, err := ledger.ParseAddress(t.Chain, strings.TrimSpace(address))
	t.Address = a
	return err
}

// joinConcepts lists every concept of a tag once, the abuse first.
func joinConcepts(abuse, category string, list []string) []string {
	var all []string
	for _, id := range append([]string{abuse, category}, list...) {
		if id != "" && !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

// readValidity reads our one extension of a TagPack, which lives in the context's
// JSON: valid_from and valid_to, dates as in lastmod, half-open. False: it has a
// key twice, so that readers may differ over what it says.
func readValidity(t *ledger.Tag) bool {
	var extension struct {
		From string `json:"valid_from"`
		To   string `json:"valid_to"`
	}
	if !strings.HasPrefix(t.Context, "{") || json.Unmarshal([]byte(t.Context), &extension) != nil {
		return true // GraphSense puts no rule on the context
	}
	if _, twice := keyTwice([]byte(t.Context)); twice {
		return false
	}
	if ms, want := readDate(extension.From); want == "" {
		t.ValidFrom = ms
	}
	if ms, want := readDate(extension.To); want == "" {
		t.ValidTo = ms
	}
	return true
}

// uniqueKey is what makes two tags of one pack the same tag: identifier,
// network, label and source.
func uniqueKey(t ledger.Tag) [16]byte {
	h := sha256.New()
	h.Write([]byte(subject(t)))
	for _, part := range []string{t.Label, t.Source} {
		h.Write([]byte{0})
		h.Write([]byte(strings.ToLower(part)))
	}
	return [16]byte(h.Sum(nil)[:16])
}

// subject names what is tagged, over all networks.
func subject(t ledger.Tag) string {
	if t.Tx != nil {
		return string(t.Chain) + "\x00tx\x00" + string(t.Tx[:])
	}
	return addressSubject(t.Address)
}

func addressSubject(a ledger.Address) string {
	return string(a.Chain) + "\x00" + string(rune(a.Kind)) + "\x00" + a.Payload
}
