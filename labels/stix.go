package labels

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// A STIX 2.1 bundle names wallets in two ways. An object of type
// cryptocurrency-wallet (no part of the standard, but what OpenCTI and others
// write) has the address in `value` or `address`. An indicator has a pattern
// such as [cryptocurrency-wallet:value = 'ADDRESS']. Either type may have a
// vendor's prefix, as custom types have: x-cryptocurrency-wallet.
//
// Who is behind it stands in the objects that point to it or that it points to:
// relationships, the holder_ref and exchange_ref of a wallet, and the object_refs
// of observed data, reports and groupings, at most two steps away. A tag says the name of the first such
// threat actor, intrusion set, malware, campaign, incident, tool,
// infrastructure, attack pattern or identity (in this order), the category of the words (labels,
// malware_types, indicator_types) of the wallet and of all of them, the
// confidence of the wallet's object or else of the indicator, and the indicator's
// times as its validity. Revoked objects are left out and counted as REVOKED.
type stixObject struct {
	Type           string   `json:"type"`
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	Value          string   `json:"value"`
	Address        string   `json:"address"`
	Currency       string   `json:"currency"`
	Symbol         string   `json:"symbol"`
	Pattern        string   `json:"pattern"`
	Labels         []string `json:"labels"`
	MalwareTypes   []string `json:"malware_types"`
	IndicatorTypes []string `json:"indicator_types"`
	ActorTypes     []string `json:"threat_actor_types"`
	SourceRef      string   `json:"source_ref"`
	TargetRef      string   `json:"target_ref"`
	CreatedByRef   string   `json:"created_by_ref"`
	HolderRef      string   `json:"holder_ref"`
	ExchangeRef    string   `json:"exchange_ref"`
	ObjectRefs     []string `json:"object_refs"`
	Confidence     int      `json:"confidence"`
	Revoked        bool     `json:"revoked"`
	ValidFrom      string   `json:"valid_from"`
	ValidUntil     string   `json:"valid_until"`
	Modified       string   `json:"modified"`
}

// stixNames ranks the types that say who is behind a wallet.
var stixNames = []string{
	"threat-actor", "intrusion-set", "malware", "campaign", "incident", "tool", "infrastructure", "attack-pattern", "identity",
}

// stixWords maps words of STIX's open vocabularies, and common labels, onto categories.
var stixWords = map[string]string{
	"ransomware": "ransomware", "malware": "malware", "trojan": "malware", "malicious-activity": "illicit_actor_org", "threat-actor": "illicit_actor_org",
	"intrusion-set": "illicit_actor_org", "terrorist": "terrorist_financing", "crime-syndicate": "illicit_actor_org", "criminal": "illicit_actor_org",
	"sanctioned": "sanctioned_entity", "sanction": "sanctioned_entity", "phishing": "scam.phishing", "scam": "scam", "fraud": "scam",
	"mixer": "mixing", "mixing": "mixing", "exchange": "exchange", "darknet": "darknet_market", "theft": "stolen_funds", "hack": "stolen_funds",
	"sextortion": "extortion.sextortion", "pig-butchering": "scam.pig_butchering", "money-laundering": "laundering_service",
}

// maxStix bounds the objects of a bundle, which are kept until all are read.
const maxStix = 500_000

type stixBundle struct {
	objects map[string]stixObject
	order   []string            // ids as they came
	edges   map[string][]string // both ways
	places  map[string]string
}

// walkSTIX is the walk of a STIX bundle.
func walkSTIX(ctx context.Context, in *input, take func(ledger.Tag) error) error {
	b := &stixBundle{objects: map[string]stixObject{}, edges: map[string][]string{}, places: map[string]string{}}
	seen := false
	err := eachMember(ctx, in, func(key string, d *json.Decoder) error {
		if key != "objects" {
			var skip json.RawMessage
			return decodeValue(d, &skip)
		}
		seen = true
		return eachElement(ctx, in, d, func() error { return b.add(in, d) })
	})
	if err != nil {
		return err
	}
	if !seen {
		return ledger.Invalid(in.name, "a STIX bundle: a list of objects", "none")
	}
	for _, id := range b.order {
		if err := b.give(in, id, take); err != nil {
			return err
		}
	}
	return nil
}

// add keeps an object, and what it joins.
func (b *stixBundle) add(in *input, d *json.Decoder) error {
	place := fmt.Sprintf("%s: byte %d", in.name, d.InputOffset())
	var o stixObject
	if err := decodeValue(d, &o); err != nil {
		return err
	}
	if o.Type == "" || o.ID == "" {
		return ledger.Invalid(place, "a STIX object with type and id", o.Type+" "+o.ID)
	}
	if len(b.objects) >= maxStix {
		return ledger.Invalid(place, "at most 500000 objects", "more")
	}
	if o.Revoked {
		if o.wallet() {
			in.report.skip("REVOKED")
		}
		return nil
	}
	o.Name, o.Value, o.Address = clip(o.Name), clip(o.Value), clip(o.Address)
	if _, twice := b.objects[o.ID]; !twice {
		b.order = append(b.order, o.ID)
	}
	b.objects[o.ID], b.places[o.ID] = o, place // a later version replaces an earlier one
	if o.SourceRef != "" && o.TargetRef != "" {
		b.join(o.SourceRef, o.TargetRef)
	}
	for _, ref := range append([]string{o.HolderRef, o.ExchangeRef}, o.ObjectRefs...) {
		if ref != "" {
			b.join(o.ID, ref)
		}
	}
	return nil
}

func (b *stixBundle) join(one, other string) {
	b.edges[one] = append(b.edges[one], other)
	b.edges[other] = append(b.edges[other], one)
}

func (o stixObject) wallet() bool {
	return o.observed() || (o.Type == "indicator" && strings.Contains(o.Pattern, "cryptocurrency-wallet:"))
}

// observed says whether the object is the wallet itself.
func (o stixObject) observed() bool {
	return o.Type == "cryptocurrency-wallet" || (strings.HasPrefix(o.Type, "x-") && strings.HasSuffix(o.Type, "-cryptocurrency-wallet"))
}

// addresses returns what a wallet or an indicator names.
func (o stixObject) addresses() []string {
	if o.observed() {
		return []string{orElse(o.Value, o.Address)}
	}
	var all []string
	pattern := regexp.MustCompile(`cryptocurrency-wallet:(?:value|address)\s*=\s*'([^'\\]{1,256})'`)
	for _, match := range pattern.FindAllStringSubmatch(o.Pattern, maxPattern) {
		all = append(all, match[1])
	}
	return all
}

// maxPattern bounds the wallets of one pattern.
const maxPattern = 10_000

func (b *stixBundle) give(in *input, id string, take func(ledger.Tag) error) error {
	o := b.objects[id]
	if !o.wallet() {
		return nil
	}
	t := b.tag(o)
	for _, address := range o.addresses() {
		c := claim{place: b.places[id], network: orElse(o.Currency, o.Symbol), address: strings.TrimSpace(address), tag: t}
		if err := in.give(c, take); err != nil {
			return err
		}
	}
	return nil
}

// tag words what the bundle says of a wallet.
func (b *stixBundle) tag(o stixObject) ledger.Tag {
	words, best := slices.Clone(o.words()), len(stixNames)
	t := ledger.Tag{Source: o.ID, Creator: b.objects[o.CreatedByRef].Name, Confidence: o.Confidence}
	for _, near := range b.near(o.ID) {
		words = append(words, near.words()...)
		if rank := slices.Index(stixNames, near.Type); rank >= 0 && rank < best && near.Name != "" {
			best, t.Label = rank, near.Name
		}
		if near.Type != "indicator" {
			continue
		}
		if t.Confidence == 0 {
			t.Confidence = near.Confidence
		}
		t.ValidFrom, t.ValidTo = validity(near)
	}
	if o.Type == "indicator" {
		t.ValidFrom, t.ValidTo = validity(o)
	}
	t.Label = orElse(t.Label, o.Name)
	if t.Label == "" {
		t.Label = "wallet in " + o.ID
	}
	if t.Confidence < 0 || t.Confidence > 100 {
		t.Confidence = 0
	}
	t.Category = strongest(words, stixWords)
	if ms, want := readDate(o.Modified); want == "" {
		t.LastMod = ms
	}
	return t
}

// words are the object's labels and kinds.
func (o stixObject) words() []string {
	words := append([]string{o.Type}, o.Labels...)
	words = append(append(append(words, o.MalwareTypes...), o.IndicatorTypes...), o.ActorTypes...)
	for i, w := range words {
		words[i] = strings.ToLower(w)
	}
	return words
}

// validity reads an indicator's times; an empty or upside-down span is none.
func validity(o stixObject) (from, to int64) {
	if ms, want := readDate(o.ValidFrom); want == "" {
		from = ms
	}
	if ms, want := readDate(o.ValidUntil); want == "" && ms > from {
		to = ms
	}
	return from, to
}

// maxNear bounds what is looked at around one wallet.
const maxNear = 1000

// near returns the objects one and two steps away, nearer ones first, each once.
// The second step goes on only from objects that merely carry others.
func (b *stixBundle) near(id string) []stixObject {
	var found []stixObject
	seen := map[string]bool{id: true}
	ring := []string{id}
	for range 2 {
		var next []string
		for _, from := range ring {
			for _, to := range b.edges[from] {
				o, ok := b.objects[to]
				if !ok || seen[to] || len(found) >= maxNear {
					continue
				}
				seen[to] = true
				found = append(found, o)
				if o.Type == "indicator" || o.Type == "observed-data" {
					next = append(next, to)
				}
			}
		}
		ring = next
	}
	return found
}
