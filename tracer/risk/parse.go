package risk

import (
	"bytes"
	_ "embed" // the default rules
	"errors"
	"fmt"
	"io"
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

// rulesFile is a rule file as it is written. What is a number is written as text, so
// that no figure goes through a float.
type rulesFile struct {
	Version     string     `yaml:"version"`
	MinLabelled string     `yaml:"min_labelled"`
	Rules       []ruleFile `yaml:"rules"`
}

type ruleFile struct {
	ID         string `yaml:"id"`
	Category   string `yaml:"category"`
	Direction  string `yaml:"direction"`
	Exposure   string `yaml:"exposure"`
	Asset      string `yaml:"asset"`
	MinAmount  string `yaml:"min_amount"`
	MaxAmount  string `yaml:"max_amount"`
	MinUSD     string `yaml:"min_usd"`
	MaxUSD     string `yaml:"max_usd"`
	Percentage string `yaml:"percentage"`
	Level      string `yaml:"level"`
	Score      string `yaml:"score"`
}

// ParseRules reads a rule file (docs/method.md, Rules). ledger.ErrInvalid names the
// rule and the field, what was wanted and what came.
func ParseRules(name string, text []byte) (*Rules, error) {
	if len(text) > maxRulesText {
		return nil, ledger.Invalid(name, "at most 1 MiB", strconv.Itoa(len(text))+" bytes")
	}
	if err := plainYAML(name, text); err != nil {
		return nil, err
	}
	var in rulesFile
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&in); err != nil {
		return nil, ledger.Invalid(name, "the keys of a rule file (docs/method.md, Rules)", err.Error())
	}
	if err := d.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return nil, ledger.Invalid(name, "one document", "more")
	}
	s := &Rules{Version: in.Version, Text: bytes.Clone(text), MinLabelledPPM: 500_000}
	if s.Version == "" || len(s.Version) > 64 {
		return nil, ledger.Invalid(name+": version", "1 to 64 characters", in.Version)
	}
	if len(in.Rules) == 0 || len(in.Rules) > maxRules {
		return nil, ledger.Invalid(name+": rules", "1 to 1000 rules", strconv.Itoa(len(in.Rules)))
	}
	var err error
	if in.MinLabelled != "" {
		if s.MinLabelledPPM, err = percentage(name+": min_labelled", in.MinLabelled); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	for i := range in.Rules {
		at := fmt.Sprintf("%s: rule %d", name, i+1)
		r, err := in.Rules[i].rule(at)
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

func (in *ruleFile) rule(at string) (Rule, error) {
	r := Rule{ID: in.ID, Category: in.Category}
	if in.ID == "" || len(in.ID) > 64 || strings.ContainsAny(in.ID, " \t\n") {
		return r, ledger.Invalid(at+": id", "1 to 64 characters without spaces", in.ID)
	}
	at += " (" + in.ID + ")"
	if !knownCategory(in.Category) {
		return r, ledger.Invalid(at+": category", "a category such as scam or scam.romance", in.Category)
	}
	kinds := map[string]Kind{"ownership": Ownership, "direct": Direct, "indirect": Indirect}
	kind, ok := kinds[in.Exposure]
	if !ok {
		return r, ledger.Invalid(at+": exposure", "ownership, direct or indirect", in.Exposure)
	}
	r.Kind = kind
	switch {
	case in.Direction == "received":
	case in.Direction == "sent":
		r.Direction = Sent
	case in.Direction == "any", in.Direction == "" && kind == Ownership:
		r.AnySide = true
	default:
		return r, ledger.Invalid(at+": direction", "received, sent or any", in.Direction)
	}
	if err := in.thresholds(at, &r); err != nil {
		return r, err
	}
	return r, in.level(at, &r)
}

func (in *ruleFile) thresholds(at string, r *Rule) error {
	if r.Kind == Ownership && (in.Asset+in.MinAmount+in.MaxAmount+in.MinUSD+in.MaxUSD+in.Percentage) != "" {
		return ledger.Invalid(at, "no asset and no threshold beside ownership, which has no amount", "some")
	}
	var err error
	if in.Asset != "" {
		if r.Asset, err = assetOf(at+": asset", in.Asset); err != nil {
			return err
		}
	}
	if (in.MinAmount != "" || in.MaxAmount != "") && r.Asset == nil {
		return ledger.Invalid(at+": asset", "an asset beside min_amount and max_amount", "")
	}
	for _, f := range []struct {
		name, text string
		to         **ledger.Amount
		usd        bool
	}{
		{"min_amount", in.MinAmount, &r.MinAmount, false},
		{"max_amount", in.MaxAmount, &r.MaxAmount, false},
		{"min_usd", in.MinUSD, &r.MinMicros, true},
		{"max_usd", in.MaxUSD, &r.MaxMicros, true},
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
	if in.Percentage != "" {
		r.MinPPM, err = percentage(at+": percentage", in.Percentage)
	}
	return err
}

func (in *ruleFile) level(at string, r *Rule) error {
	ranges := map[string]struct {
		level     Level
		low, high int
	}{"LOW": {Low, 0, 30}, "MEDIUM": {Medium, 31, 70}, "HIGH": {High, 71, 90}, "SEVERE": {Severe, 91, 100}}
	of, ok := ranges[in.Level]
	if !ok {
		return ledger.Invalid(at+": level", "LOW, MEDIUM, HIGH or SEVERE", in.Level)
	}
	score, err := strconv.Atoi(in.Score)
	if err != nil || score < of.low || score > of.high {
		return ledger.Invalid(at+": score", fmt.Sprintf("%d to %d for %s", of.low, of.high, in.Level), in.Score)
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
