package render

import (
	"io"
	"strconv"
	"strings"
	"time"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// Found prints candidates for a payment without a hash.
func Found(w io.Writer, m *spoorv1.FindTransfersResponse, s Style) error {
	p := &paper{w: w}
	g := &grid{right: []bool{true, true}}
	g.add("", "paid", "", "off by", "time (UTC)", "off by", "payment", "from")
	for i, f := range m.GetTransfers() {
		off := "exact"
		if f.GetAmountOff() != "0" {
			sign, units := "+", f.GetAmountOff()
			if rest, less := strings.CutPrefix(units, "-"); less {
				sign, units = "-", rest
			}
			off = sign + coins(units, f.GetAsset())
		}
		g.add(strconv.Itoa(i+1), coins(f.GetAmount(), f.GetAsset()), symbol(f.GetAsset()), off, s.column(f.GetTime()),
			(time.Duration(f.GetSecondsOff()) * time.Second).String(), Clean(f.GetRef()), Clean(f.GetFrom()))
	}
	if len(m.GetTransfers()) > 0 {
		p.print(g)
	}
	if more := m.GetFound() - int64(len(m.GetTransfers())); more > 0 {
		p.line("and %s more (--max)", number(more))
	}
	p.line("As of       %s", s.asOf(m.GetAsOf()))
	p.line("Coverage    %s", coverage(m.GetCoverage()))
	return p.err
}

// FoundCSV writes candidates for a payment without a hash.
func FoundCSV(w io.Writer, m *spoorv1.FindTransfersResponse) error {
	s := &records{header: joined([]string{"ref", "from", "to", "time"}, amountColumns())}
	for _, f := range m.GetTransfers() {
		s.add(joined([]string{f.GetRef(), f.GetFrom(), f.GetTo(), utc(f.GetTime())},
			amountCells(f.GetAmount(), f.GetAsset(), "", ""))...)
	}
	return s.write(w)
}
