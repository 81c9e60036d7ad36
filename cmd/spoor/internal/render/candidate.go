package render

import spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"

// Candidate prints a payment that an ambiguous REF may mean, on one line.
func Candidate(c *spoorv1.Candidate) string {
	line := Clean(c.GetRef()) + "  " + money(c.GetAmount(), c.GetAsset()) + " to " + address(c.GetAsset().GetNetwork(), c.GetTo())
	if c.GetFrom() != "" {
		line += " from " + address(c.GetAsset().GetNetwork(), c.GetFrom())
	}
	return line
}
