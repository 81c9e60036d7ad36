package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// meter shows how far long work has come: bars where stderr is a terminal, a
// line of the log every few seconds elsewhere.
type meter struct {
	app    *app
	bars   *mpb.Progress // nil: no terminal
	bar    *mpb.Bar
	phase  string
	note   atomic.Value // string, printed behind the bar
	logged time.Time
	began  time.Time // the phase
	from   int64     // its first report
}

// logEvery is how often a line is logged; short work logs none.
const logEvery = 5 * time.Second

func (a *app) meter() *meter {
	m := &meter{app: a, logged: time.Now()}
	if terminal(a.errOut) {
		m.bars = mpb.New(mpb.WithOutput(a.errOut), mpb.WithWidth(40))
	}
	return m
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// show takes the next report.
func (m *meter) show(p *spoorv1.Progress) {
	phase := p.GetNetwork() + p.GetPhase()
	fresh := phase != m.phase
	if fresh {
		m.phase, m.began, m.from = phase, time.Now(), p.GetDone()
	}
	rate, left := m.pace(p)
	if m.bars == nil {
		if time.Since(m.logged) >= logEvery {
			m.logged = time.Now()
			m.app.log.Info(p.GetPhase(), "network", p.GetNetwork(), "done", p.GetDone(), "of", p.GetTotal(), "unit", p.GetUnit(),
				"height", p.GetHeight(), "rate", rate, "left", left)
		}
		return
	}
	m.tell(p, rate, left)
	if m.bar == nil || fresh {
		m.end()
		m.bar = m.bars.AddBar(0, // a bar that is made with a total ends only when it is reached
			mpb.PrependDecorators(decor.Name(p.GetNetwork()+" "+p.GetPhase()+" ")),
			mpb.AppendDecorators(decor.CurrentNoUnit(" %d "+p.GetUnit()), decor.Elapsed(decor.ET_STYLE_GO, decor.WCSyncSpace), decor.Any(m.noted)))
	}
	m.bar.SetTotal(max(p.GetTotal(), p.GetDone()+1), false)
	m.bar.SetCurrent(p.GetDone())
}

// line prints a line above the bars.
func (m *meter) line(text string) {
	w := m.app.errOut
	if m.bars != nil {
		w = m.bars
	}
	_, _ = fmt.Fprintln(w, text)
}

// fetching shows how far the asking for a trace is.
func (m *meter) fetching(p *spoorv1.FetchProgress) {
	m.note.Store(fmt.Sprintf(" %d requests, %d KB, %d hops, %d.%d %% of the money found", p.GetRequests(), p.GetBytes()>>10, p.GetHops(), p.GetResolvedPpm()/10_000, p.GetResolvedPpm()/1000%10))
	m.show(&spoorv1.Progress{Phase: "ask", Done: p.GetRequests(), Total: p.GetRequests() + p.GetWaiting(), Unit: "requests"})
}

// pace says how many units a second the phase has made, and how long it will
// take at that rate: 0 while either is unknown.
func (m *meter) pace(p *spoorv1.Progress) (rate int64, left time.Duration) {
	took := time.Since(m.began)
	made := p.GetDone() - m.from
	if took < time.Second || made <= 0 {
		return 0, 0
	}
	if rest := p.GetTotal() - p.GetDone(); rest > 0 {
		left = time.Duration(int64(took) / made * rest).Round(time.Second)
	}
	return made * int64(time.Second) / int64(took), left
}

// tell puts height, rate and time left behind the bar.
func (m *meter) tell(p *spoorv1.Progress, rate int64, left time.Duration) {
	if p.GetUnit() == "height" || p.GetUnit() == "requests" {
		return // they have a note of their own
	}
	var note string
	if h := p.GetHeight(); h > 0 {
		note += fmt.Sprintf(" height %d", h)
	}
	if rate > 0 {
		note += fmt.Sprintf(" %d %s/s", rate, p.GetUnit())
	}
	if left > 0 {
		note += fmt.Sprintf(" %s left", left)
	}
	m.note.Store(note)
}

func (m *meter) noted(decor.Statistics) string {
	note, _ := m.note.Load().(string)
	return note
}

// end completes the bar of a phase, wherever its last report was.
func (m *meter) end() {
	if m.bar != nil {
		m.bar.SetTotal(-1, true)
		m.bar = nil
	}
}

// close ends the bars before anything else is printed.
func (m *meter) close() {
	m.end()
	if m.bars != nil {
		m.bars.Wait()
	}
}
