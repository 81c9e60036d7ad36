package rates

import (
	"strings"
	"testing"
)

// What is published reads, each figure with its count and its interval, and is quoted
// by the name of its heuristic; what is not measured says so.
func TestPublished(t *testing.T) {
	all, err := Published()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.N <= 0 || r.Hits < 0 || r.Hits > r.N || len(r.SHA256) != 64 || r.Low == "" || r.High == "" || len(r.Date) != len("2006-01-02") {
			t.Errorf("%+v", r)
		}
	}
	for _, name := range []string{"co-spend", "coinjoin", "deposit reuse", "bridge by id", "rapid_pass_through"} {
		if said := Quote(name); len(said) == 0 || strings.Contains(said[0], "not measured") {
			t.Errorf("%s: %v", name, said)
		}
	}
	if said := Quote("astrology"); len(said) != 1 || said[0] != "astrology: not measured" {
		t.Error(said)
	}
}
