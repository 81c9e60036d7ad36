package render

import (
	"io"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// VerifiedTrace prints whether a trace comes out again as it was.
func VerifiedTrace(w io.Writer, v *spoorv1.VerifyTraceResponse, _ Style) error {
	p := &paper{w: w}
	switch v.GetVerdict() {
	case "EQUAL":
		p.line("The trace comes out again: %s compared, all equal.", plural(v.GetCompared(), "field", "fields"))
		return p.err
	case "NOT_COMPARABLE":
		p.line("The trace cannot be compared: %s", Clean(v.GetReason()))
		return p.err
	}
	g := &grid{}
	g.add("field", "was", "is")
	for _, d := range v.GetDifferences() {
		g.add(Clean(d.GetField()), Clean(d.GetWas()), Clean(d.GetIs()))
	}
	p.print(g)
	if more := v.GetFound() - int64(len(v.GetDifferences())); more > 0 {
		p.line("and %s more", number(more))
	}
	p.line("THE TRACE DOES NOT COME OUT AGAIN.")
	return p.err
}

// VerifiedTraceCSV writes a row for each field that differs.
func VerifiedTraceCSV(w io.Writer, v *spoorv1.VerifyTraceResponse) error {
	s := &records{header: []string{"field", "was", "is"}}
	for _, d := range v.GetDifferences() {
		s.add(d.GetField(), d.GetWas(), d.GetIs())
	}
	return s.write(w)
}
