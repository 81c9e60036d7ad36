package report

import (
	"bytes"
	_ "embed" // the fonts
	"fmt"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/sfnt"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/export"
)

//go:embed fonts/DejaVuSansCondensed.ttf
var regular []byte

//go:embed fonts/DejaVuSansCondensed-Bold.ttf
var bold []byte

// Sizes of the page in millimetres, of the type in points.
const (
	margin   = 12.0
	pageWide = 210.0
	pageHigh = 297.0
	foot     = 14.0
	body     = 7.5
	lineHigh = 3.4
)

// paper writes a PDF.
type paper struct {
	pdf    *fpdf.Fpdf
	font   *sfnt.Font
	buffer sfnt.Buffer
	shaped bool // a text had characters that the font cannot set
}

// PDF renders a dossier as A4 pages. The same dossier gives the same bytes.
// Characters that the font lacks, and scripts that need shaping, come out as code
// points, and the report says so; report.html shows them.
func PDF(d *evidence.Dossier) ([]byte, error) {
	font, err := sfnt.Parse(regular)
	if err != nil {
		return nil, err
	}
	p := &paper{pdf: fpdf.New("P", "mm", "A4", ""), font: font}
	p.begin(d)
	v := newView(d)
	p.cover(d, v)
	for _, s := range v.sections() {
		p.section(s)
	}
	if p.shaped {
		p.text("Characters of scripts that this PDF cannot set are shown as code points, <U+0E2A>; report.html shows the text itself.", body)
	}
	var b bytes.Buffer
	err = p.pdf.Output(&b)
	return b.Bytes(), err
}

func (p *paper) begin(d *evidence.Dossier) {
	at := time.Unix(0, 0).UTC()
	for _, b := range d.Cover.AsOf {
		if b.Time.After(at) {
			at = b.Time.UTC()
		}
	}
	p.pdf.SetCreationDate(at)
	p.pdf.SetModificationDate(at)
	p.pdf.SetCatalogSort(true)
	p.pdf.SetProducer("Spoor", true)
	p.pdf.SetTitle(p.plain("Case "+d.Cover.Number), true)
	p.pdf.AddUTF8FontFromBytes("text", "", regular)
	p.pdf.AddUTF8FontFromBytes("text", "B", bold)
	p.pdf.SetMargins(margin, margin+6, margin)
	p.pdf.SetAutoPageBreak(false, foot)
	p.pdf.SetCellMargin(0)
	p.pdf.AliasNbPages("{pages}")
	head := fmt.Sprintf("Case %s, for %s", cut(d.Cover.Number, 60), d.Cover.Redaction)
	if d.Cover.Demonstration != "" {
		head += "   DEMONSTRATION: " + cut(d.Cover.Demonstration, 70)
	}
	head = p.plain(head)
	p.pdf.SetHeaderFunc(func() {
		p.pdf.SetFont("text", "", 7)
		p.pdf.SetXY(margin, 8)
		p.pdf.CellFormat(pageWide-2*margin, 4, head, "B", 0, "L", false, 0, "")
		p.pdf.SetXY(margin, margin+6)
	})
	p.pdf.SetFooterFunc(func() {
		p.pdf.SetFont("text", "", 7)
		p.pdf.SetXY(margin, pageHigh-10)
		p.pdf.CellFormat(pageWide-2*margin, 4, fmt.Sprintf("%d of {pages}", p.pdf.PageNo()), "", 0, "R", false, 0, "")
	})
}

func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// plain is the text as the font can set it.
func (p *paper) plain(s string) string {
	var b strings.Builder
	for _, r := range export.Plain(s) {
		if at, err := p.font.GlyphIndex(&p.buffer, r); err == nil && at != 0 && r < 0x0590 || settable(r) {
			b.WriteRune(r)
			continue
		}
		p.shaped = true
		fmt.Fprintf(&b, "<U+%04X>", r)
	}
	return b.String()
}

// settable are characters beyond the alphabets that need no shaping: general
// punctuation, currency signs, arrows. Hebrew and all that follow it do.
func settable(r rune) bool {
	return r >= 0x2010 && r <= 0x2027 || r >= 0x2030 && r <= 0x205e || r >= 0x20a0 && r <= 0x20b5
}

func (p *paper) cover(d *evidence.Dossier, v *view) {
	p.pdf.AddPage()
	p.pdf.SetFont("text", "B", 18)
	p.pdf.MultiCell(pageWide-2*margin, 8, p.plain("Case "+cut(d.Cover.Number, 200)+": where the money is"), "", "L", false)
	if d.Cover.Demonstration != "" {
		p.pdf.SetFont("text", "B", 11)
		p.pdf.SetTextColor(180, 0, 0)
		p.pdf.MultiCell(pageWide-2*margin, 6, p.plain("DEMONSTRATION: "+cut(d.Cover.Demonstration, 500)), "", "L", false)
		p.pdf.SetTextColor(0, 0, 0)
	}
	var rows [][]string
	for _, r := range v.cover() {
		rows = append(rows, []string{r[0], r[1]})
	}
	p.table(part{Head: []string{"", ""}, Rows: rows, Wide: []int{22, 78}})
}

func (p *paper) section(s section) {
	p.need(50) // a heading stands with the beginning of what it is of
	p.pdf.Ln(3)
	p.pdf.SetFont("text", "B", 12)
	p.pdf.MultiCell(pageWide-2*margin, 6, p.plain(s.Title), "", "L", false)
	for _, t := range s.Text {
		p.text(t, body+0.5)
	}
	for _, x := range s.Parts {
		if x.Title != "" {
			p.need(40)
			p.pdf.Ln(1)
			p.pdf.SetFont("text", "B", 9)
			p.pdf.MultiCell(pageWide-2*margin, 5, p.plain(x.Title), "", "L", false)
		}
		if len(x.Rows) > 0 {
			p.table(x)
		}
		if x.Note != "" {
			p.text(x.Note, body)
		}
	}
}

// text writes a paragraph, over pages where it must.
func (p *paper) text(t string, size float64) {
	p.pdf.SetFont("text", "", size)
	for _, line := range p.lines(p.plain(t), pageWide-2*margin-2) {
		p.need(lineHigh + 0.6)
		p.pdf.SetX(margin)
		p.pdf.CellFormat(pageWide-2*margin, lineHigh+0.4, line, "", 1, "L", false, 0, "")
	}
	p.pdf.Ln(1)
}

// need begins a page where so much does not fit.
func (p *paper) need(high float64) {
	if p.pdf.GetY()+high > pageHigh-foot {
		p.pdf.AddPage()
	}
}

// lines breaks a text at blanks, and inside words that are wider than the line.
func (p *paper) lines(t string, wide float64) []string {
	var all []string
	line := ""
	for _, word := range strings.Fields(t) {
		joined := strings.TrimSpace(line + " " + word)
		if p.pdf.GetStringWidth(joined) <= wide {
			line = joined
			continue
		}
		if line != "" {
			all = append(all, line)
		}
		for p.pdf.GetStringWidth(word) > wide {
			n := p.fits(word, wide)
			all = append(all, word[:n])
			word = word[n:]
		}
		line = word
	}
	return append(all, line)
}

// fits is how many bytes of a word fit on a line, at least one character.
func (p *paper) fits(word string, wide float64) int {
	last := 0
	for i := range word {
		if i > 0 && p.pdf.GetStringWidth(word[:i]) > wide {
			return max(last, 1)
		}
		last = i
	}
	if last == 0 {
		return len(word)
	}
	return last
}

// table prints rows with their heads repeated on each page.
func (p *paper) table(t part) {
	p.pdf.SetLineWidth(0.1)
	wide := make([]float64, len(t.Head))
	for i := range wide {
		share := 100 / len(wide)
		if i < len(t.Wide) {
			share = t.Wide[i]
		}
		wide[i] = (pageWide - 2*margin) * float64(share) / 100
	}
	p.head(t.Head, wide)
	for _, row := range t.Rows {
		cells, high := p.wrap(row, wide)
		for len(cells) > 0 {
			if p.pdf.GetY()+min(high, lineHigh*4) > pageHigh-foot {
				p.pdf.AddPage()
				p.head(t.Head, wide)
			}
			cells, high = p.row(cells, wide, high)
		}
	}
	p.pdf.Ln(2)
}

func (p *paper) head(head []string, wide []float64) {
	if strings.Join(head, "") == "" {
		p.pdf.SetFont("text", "", body)
		return
	}
	p.pdf.SetFont("text", "B", body)
	cells, high := p.wrap(head, wide)
	p.need(high + 3*lineHigh)
	p.pdf.SetFillColor(238, 241, 246)
	p.pdf.Rect(margin, p.pdf.GetY(), pageWide-2*margin, high, "F")
	p.row(cells, wide, high)
	p.pdf.SetFont("text", "", body)
}

func (p *paper) wrap(row []string, wide []float64) (cells [][]string, high float64) {
	most := 1
	for i, text := range row {
		lines := p.lines(p.plain(text), wide[min(i, len(wide)-1)]-1.6)
		cells = append(cells, lines)
		most = max(most, len(lines))
	}
	return cells, float64(most)*lineHigh + 1
}

// row prints as many lines of a row as fit on the page, and returns the rest.
func (p *paper) row(cells [][]string, wide []float64, high float64) (rest [][]string, left float64) {
	top := p.pdf.GetY()
	fits := int((pageHigh - foot - top - 1) / lineHigh)
	shown := min(high, float64(fits)*lineHigh+1)
	x := margin
	more := 0
	for i, lines := range cells {
		p.pdf.Rect(x, top, wide[i], shown, "D")
		for n, line := range lines[:min(len(lines), fits)] {
			p.pdf.SetXY(x+0.8, top+0.5+float64(n)*lineHigh)
			p.pdf.CellFormat(wide[i]-1.6, lineHigh, line, "", 0, "L", false, 0, "")
		}
		remaining := lines[min(len(lines), fits):]
		rest = append(rest, remaining)
		more = max(more, len(remaining))
		x += wide[i]
	}
	p.pdf.SetXY(margin, top+shown)
	if more == 0 {
		return nil, 0
	}
	return rest, float64(more)*lineHigh + 1
}
