package labels

import (
	"slices"
	"strings"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// SanctionsMaxAge is how old a list of sanctions may be unless its import says
// otherwise: such lists change weekly, and a wallet is blocked from the day on
// which it is listed. Other sources have no age at which they are wrong, and
// none by default.
const SanctionsMaxAge = 7 * 24 * time.Hour

// sanctions finds out whether a source is a list of sanctions: at least half of
// its tags are of the category sanctioned_entity.
type sanctions struct{ listed, all int }

func (s *sanctions) see(t ledger.Tag) {
	s.all++
	if t.Category == "sanctioned_entity" {
		s.listed++
	}
}

// maxAge is the age that was asked for, or the default of the content.
func (s *sanctions) maxAge(asked time.Duration) time.Duration {
	if asked == 0 && s.listed > 0 && 2*s.listed >= s.all {
		return SanctionsMaxAge
	}
	return asked
}

// SourceAge is one source of labels: all imports of one name.
type SourceAge struct {
	Name   string
	Format string
	Last   int64         // Unix milliseconds of the last import or check
	Age    time.Duration // since then; never below 0
	MaxAge time.Duration // of the last import; 0: it never goes stale
	Stale  bool          // Age is above MaxAge
}

// Sources lists the sources by name with their age at a time (Unix
// milliseconds). It is what health checks and metrics ask; a source that was
// never imported is not known here.
func (l *Log) Sources(now int64) []SourceAge {
	last := map[string]Import{}
	for _, i := range l.Imports() {
		if i.Kind == KindImport || i.Kind == KindChecked {
			last[i.Name] = i
		}
	}
	var all []SourceAge
	for name, i := range last {
		s := SourceAge{Name: name, Format: i.Format, Last: i.Recorded, MaxAge: time.Duration(i.MaxAge) * time.Millisecond}
		s.Age = max(0, time.Duration(now-i.Recorded)*time.Millisecond)
		s.Stale = s.MaxAge > 0 && s.Age > s.MaxAge
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b SourceAge) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// SequenceAt returns the sequence that the log had at a time (Unix
// milliseconds): what could be known then. 0: nothing was recorded yet.
func (l *Log) SequenceAt(ms int64) uint64 {
	var last uint64
	for _, i := range l.Imports() {
		if i.Recorded <= ms {
			last = i.Sequence
		}
	}
	return last
}
