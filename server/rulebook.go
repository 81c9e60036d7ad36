package server

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/spoortrace/spoor/rates"
	"github.com/spoortrace/spoor/tracer/risk"
)

// ruleBook is a rule file, parsed, with the hash of its version and text.
type ruleBook struct {
	*risk.Rules
	sum [sha256.Size]byte
}

func newRuleBook(r *risk.Rules) *ruleBook {
	return &ruleBook{r, sha256.Sum256(append([]byte(r.Version+"\x00"), r.Text...))}
}

// ruleBooks keeps the parsed rules of tenants who imported their own.
type ruleBooks struct {
	mu   sync.Mutex
	kept map[string]*ruleBook // by tenant
}

// of returns the parsed form of a tenant's text.
func (s *ruleBooks) of(tenant string, text []byte, parse func(name string, text []byte) (*risk.Rules, error)) (*ruleBook, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.kept[tenant]; r != nil && bytes.Equal(r.Text, text) {
		return r, nil
	}
	rules, err := parse("rules", text)
	if err != nil {
		return nil, err
	}
	if s.kept == nil {
		s.kept = map[string]*ruleBook{}
	}
	s.kept[tenant] = newRuleBook(rules)
	return s.kept[tenant], nil
}

// published is what was measured of each heuristic, as answers quote it.
func published() (map[string][]string, error) {
	all, err := rates.Published()
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	said := map[string][]string{}
	for _, r := range all {
		said[r.Heuristic] = append(said[r.Heuristic], r.String())
	}
	return said, nil
}

// errorRates quotes what was measured of each heuristic.
func (d *data) errorRates(names ...string) []string {
	var all []string
	for _, name := range names {
		said := d.published[name]
		if len(said) == 0 {
			said = []string{name + ": not measured"}
		}
		all = append(all, said...)
	}
	return all
}
