package server_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/tracer/risk"
)

// What labels may say and what rules may speak of are one list, but for the
// categories that say nothing of an owner; and the default rules give whom a label
// names the level that the category has.
func TestCategoriesOfRules(t *testing.T) {
	rules, err := risk.DefaultRules()
	if err != nil {
		t.Fatal(err)
	}
	silent := []string{"smart_contract", "token_smart_contract", "unnamed_service", "none"}
	for _, c := range labels.Categories() {
		text := fmt.Sprintf("version: v\nrules:\n  - {id: r, category: %s, exposure: ownership, level: LOW, score: 1}\n", c.ID)
		_, err := risk.ParseRules("one", []byte(text))
		if known := err == nil; known == slices.Contains(silent, c.ID) {
			t.Errorf("%s: a rule may speak of it: %v (%v)", c.ID, known, err)
		}
		level := risk.None
		for _, r := range rules.Rules {
			if r.Kind == risk.Ownership && risk.Within(c.ID, r.Category) {
				level = max(level, r.Level)
			}
		}
		want := c.Level.String()
		if want == "NONE" {
			want = ""
		}
		if level.String() != want {
			t.Errorf("%s: the default rules give its owner %q, the category is %q", c.ID, level, want)
		}
	}
}
