package risk

import (
	"bytes"
	_ "embed" // the default rules
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/spoortrace/spoor/ledger"
)

//go:embed rules.yaml
var defaultRules []byte

// DefaultRules returns the documented set that is in force where nobody imported
// another: rules.yaml beside this file.
func DefaultRules() (*Rules, error) { return ParseRules("rules.yaml", defaultRules) }

// maxRules and maxRulesText bound a rule file.
const (
	maxRules     = 1_000
	maxRulesText = 1 << 20
)

// ruleFile is a rule as it is written, by key. What is a number is text, so that
// no figure goes through a float.
type ruleFile map[string]string

// The keys of a file and of a rule.
const (
	fileKeys = "version min_labelled rules"
	ruleKeys = "id category direction exposure asset min_amount max_amount min_usd max_usd percentage level score"
)

// ParseRules reads a rule file (docs/method.md, Rules). ledger.ErrInvalid names the
// rule and the field, what was wanted and what came.
func ParseRules(name string, text []byte) (*Rules, error) {
	if len(text) > maxRulesText {
		return nil, ledger.Invalid(name, "at most 1 MiB", strconv.Itoa(len(text))+" bytes")
	}
	if err := plainYAML(name, text); err != nil {
		return nil, err
	}
	var in map[string]yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&in); err != nil {
		return nil, ledger.Invalid(name, "the keys of a rule file (docs/method.md, Rules)", err.Error())
	}
	if err := d.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return nil, ledger.Invalid(name, "one document", "more")
	}
	if err := knownKeys(name, in, fileKeys); err != nil {
		return nil, err
	}
	version, labelled, list := in["version"], in["min_labelled"], in["rules"]
	s := &Rules{Version: version.Value, Text: bytes.Clone(text), MinLabelledPPM: 500_000}
	if s.Version == "" || len(s.Version) > 64 {
		return nil, ledger.Invalid(name+": version", "1 to 64 characters", s.Version)
	}
	var rules []ruleFile
	if err := list.Decode(&rules); err != nil {
		return nil, ledger.Invalid(name+": rules", "a list of rules, each key with one value", err.Error())
	}
	if len(rules) == 0 || len(rules) > maxRules {
		return nil, ledger.Invalid(name+": rules", "1 to 1000 rules", strconv.Itoa(len(rules)))
	}
	var err error
	if labelled.Value != "" {
		if s.MinLabelledPPM, err = percentage(name+": min_labelled", labelled.Value); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	for i, one := range rules {
		at := fmt.Sprintf("%s: rule %d", name, i+1)
		r, err := one.rule(at)
		if err != nil {
			return nil, err
		}
		if seen[r.ID] {
			return nil, ledger.Invalid(at+": id", "one that no other rule has", r.ID)
		}
		seen[r.ID] = true
		s.Rules = append(s.Rules, r)
	}
	return s, nil
}

// knownKeys refuses a key that is none of those listed.
func knownKeys[V any](at string, in map[string]V, list string) error {
	for _, key := range slices.Sorted(maps.Keys(in)) {
		if !slices.Contains(strings.Fields(list), key) {
			return ledger.Invalid(at, "one of the keys "+list, key)
		}
	}
	return nil
}

// plainYAML refuses aliases, which can make a small text huge.
func plainYAML(name string, text []byte) error {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return ledger.Invalid(name, "YAML", err.Error())
	}
	open := []*yaml.Node{&root}
	for len(open) > 0 {
		n := open[len(open)-1]
		open = append(open[:len(open)-1], n.Content...)
		if n.Kind == yaml.AliasNode || n.Anchor != "" {
			return ledger.Invalid(fmt.Sprintf("%s:%d", name, n.Line), "no alias and no anchor", n.Value+n.Anchor)
		}
	}
	return nil
}

func (in ruleFile) rule(at string) (Rule, error) {
	r := Rule{ID: in["id"], Category: in["category"]}
	if err := knownKeys(at, in, ruleKeys); err != nil {
		return r, err
	}
	if in["id"] == "" || len(in["id"]) > 64 || strings.ContainsAny(in["id"], " \t\n") {
		return r, ledger.Invalid(at+": id", "1 to 64 characters without spaces", in["id"])
	}
	at += " (" + in["id"] + ")"
	if !knownCategory(in["category"]) {
		return r, ledger.Invalid(at+": category", "a category such as scam or scam.romance", in["category"])
	}
	kinds := map[string]Kind{"ownership": Ownership, "direct": Direct, "indirect": Indirect}
	kind, ok := kinds[in["exposure"]]
	if !ok {
		return r, ledger.Invalid(at+": exposure", "ownership, direct or indirect", in["exposure"])
	}
	r.Kind = kind
	switch {
	case in["direction"] == "received":
	case in["direction"] == "sent":
		r.Direction = Sent
	case in["direction"] == "any", in["direction"] == "" && kind == Ownership:
		r.AnySide = true
	default:
		return r, ledger.Invalid(at+": direction", "received, sent or any", in["direction"])
	}
	if err := in.thresholds(at, &r); err != nil {
		return r, err
	}
	return r, in.level(at, &r)
}

func (in ruleFile) thresholds(at string, r *Rule) error {
	if r.Kind == Ownership && (in["asset"]+in["min_amount"]+in["max_amount"]+in["min_usd"]+in["max_usd"]+in["percentage"]) != "" {
		return ledger.Invalid(at, "no asset and no threshold beside ownership, which has no amount", "some")
	}
	var err error
	if in["asset"] != "" {
		if r.Asset, err = assetOf(at+": asset", in["asset"]); err != nil {
			return err
		}
	}
	if (in["min_amount"] != "" || in["max_amount"] != "") && r.Asset == nil {
		return ledger.Invalid(at+": asset", "an asset beside min_amount and max_amount", "")
	}
	for _, f := range []struct {
		name, text string
		to         **ledger.Amount
		usd        bool
	}{
		{"min_amount", in["min_amount"], &r.MinAmount, false},
		{"max_amount", in["max_amount"], &r.MaxAmount, false},
		{"min_usd", in["min_usd"], &r.MinMicros, true},
		{"max_usd", in["max_usd"], &r.MaxMicros, true},
	} {
		if f.text == "" {
			continue
		}
		decimals := 6
		if !f.usd {
			decimals = ledger.InfoOf(*r.Asset).Decimals
		}
		amount, err := ledger.ParseCoins(f.text, decimals)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", at, f.name, err)
		}
		*f.to = &amount
	}
	if in["percentage"] != "" {
		r.MinPPM, err = percentage(at+": percentage", in["percentage"])
	}
	return err
}

func (in ruleFile) level(at string, r *Rule) error {
	ranges := map[string]struct {
		level     Level
		low, high int
	}{"LOW": {Low, 0, 30}, "MEDIUM": {Medium, 31, 70}, "HIGH": {High, 71, 90}, "SEVERE": {Severe, 91, 100}}
	of, ok := ranges[in["level"]]
	if !ok {
		return ledger.Invalid(at+": level", "LOW, MEDIUM, HIGH or SEVERE", in["level"])
	}
	score, err := strconv.Atoi(in["score"])
	if err != nil || score < of.low || score > of.high {
		return ledger.Invalid(at+": score", fmt.Sprintf("%d to %d for %s", of.low, of.high, in["level"]), in["score"])
	}
	r.Level, r.Score = of.level, uint8(score)
	return nil
}

// percentage reads up to four decimals of a percentage as parts per million.
func percentage(field, text string) (uint32, error) {
	amount, err := ledger.ParseCoins(text, 4)
	n, fits := amount.Uint64()
	if err != nil || !fits || n > 1_000_000 {
		return 0, ledger.Invalid(field, "0 to 100, with up to four decimals", text)
	}
	return uint32(n), nil
}

// assetOf reads NETWORK:SYMBOL or NETWORK:native.
func assetOf(field, text string) (*ledger.Asset, error) {
	name, symbol, _ := strings.Cut(text, ":")
	c, err := ledger.ParseChain(name)
	if err != nil {
		return nil, ledger.Invalid(field, "NETWORK:SYMBOL such as tron:USDT", text)
	}
	if symbol == "native" {
		a := ledger.NativeAsset(c)
		return &a, nil
	}
	a, ok := ledger.AssetBySymbol(c, symbol)
	if !ok {
		return nil, ledger.Invalid(field, "native or a symbol that is known on "+name, text)
	}
	return &a, nil
}

// Within reports that a category is another or a kind of it: scam.romance is scam.
func Within(category, head string) bool {
	return category == head || strings.HasPrefix(category, head+".")
}

// severity orders categories as reports list them: the most severe highest.
func (s *Rules) severity(category string) int {
	best := 0
	for i := range s.Rules {
		if r := &s.Rules[i]; Within(category, r.Category) {
			best = max(best, int(r.Score)+1)
		}
	}
	return best
}

// knownCategory accepts what labels may carry.
func knownCategory(id string) bool {
	for _, known := range strings.Fields(categories) {
		if id == known {
			return true
		}
	}
	return false
}

// categories are those of package labels; a test of the server holds them together.
const categories = `sanctioned_entity sanctioned_jurisdiction terrorist_financing child_abuse_material human_trafficking scam scam.pig_butchering
scam.romance scam.investment scam.phishing scam.recovery guarantee_marketplace laundering_service stolen_funds ransomware extortion.sextortion
darknet_market fraud_shop illicit_actor_org malware special_measures mixing protocol_privacy issuer_frozen seized_funds no_kyc_exchange
instant_exchange p2p_exchange atm gambling exchange decentralized_exchange bridge lending merchant_services hosted_wallet mining mining_pool`
