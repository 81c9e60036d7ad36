package ask

import (
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// Window is where a list in order of height is read on from: at a height of which
// some rows were seen already, which come again. So no row is doubled or lost
// between two pages, though equal rows stand in one transaction. It is kept as a
// Question's Cursor.
type Window struct {
	From uint64 // the first height of the page
	Rows int    // of that height that were seen
	Size int    // rows of the longest page so far
}

// WindowOf reads where a question goes on.
func WindowOf(q Question) (Window, error) {
	w := Window{From: q.Range.From}
	if q.Cursor == "" {
		return w, nil
	}
	if _, err := fmt.Sscanf(q.Cursor, "%d %d %d", &w.From, &w.Rows, &w.Size); err != nil {
		return w, ledger.Untrue(ledger.FaultMalformed, q.String(), fmt.Sprintf("want a cursor of three numbers, got %.40q", q.Cursor))
	}
	return w, nil
}

// String prints the cursor.
func (w Window) String() string { return fmt.Sprintf("%d %d %d", w.From, w.Rows, w.Size) }

// Page judges a page by the heights of its rows; more is whether the service says
// that there are more. It returns how many of the rows are taken now (the last
// height's may be cut, and come again) and the question that goes on, nil after
// the last page. A page that is not
// in order, that lacks what the one before had, or that one height fills, so that
// nobody can tell whether that was all of it, is an error.
func (w Window) Page(q Question, heights []uint64, more bool) (take int, next *Question, err error) {
	impossible := func(format string, args ...any) error {
		return ledger.Untrue(ledger.FaultContents, q.String(), fmt.Sprintf(format, args...))
	}
	last, again := w.From, 0
	for i, h := range heights {
		if h < last || h >= q.Range.To {
			return 0, nil, impossible("row %d is of %d, want %d to %d in ascending order", i, h, last, q.Range.To-1)
		}
		if last = h; h == w.From {
			again++
		}
	}
	switch {
	case again < w.Rows:
		return 0, nil, impossible("the page before had %d rows of %d, this one has %d", w.Rows, w.From, again)
	case !more && len(heights) <= Trusted:
		return len(heights), nil, nil
	case len(heights) == 0:
		return 0, nil, impossible("an empty page says that there are more")
	}
	cut := len(heights)
	for cut > 0 && heights[cut-1] == last {
		cut--
	}
	size := max(w.Size, len(heights))
	if cut > 0 || w.From != last || w.Rows != len(heights) {
		return cut, w.then(q, Window{last, len(heights) - cut, size}), nil
	}
	// Nothing but what was there before: the height is whole if a page could have
	// held more of it.
	if more || len(heights) >= w.Size {
		return 0, nil, impossible("%d transfers at %d, and perhaps more: they fill the page", len(heights), last)
	}
	if last+1 >= q.Range.To {
		return len(heights), nil, nil
	}
	return len(heights), w.then(q, Window{last + 1, 0, size}), nil
}

func (Window) then(q Question, w Window) *Question {
	q.Cursor = w.String()
	return &q
}
