package cases

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The forms of a time: year first (with T or a space, with or without a zone),
// or the year third.
const (
	clockForm = `(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?)?$`
	yearFirst = `^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})` + clockForm
	yearLast  = `^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})` + clockForm
	serial    = `^(\d{1,6})(?:\.(\d{1,15}))?$`
)

// forms are those, compiled once a file.
type forms struct{ yearFirst, yearLast, serial *regexp.Regexp }

func newForms() forms {
	return forms{regexp.MustCompile(yearFirst), regexp.MustCompile(yearLast), regexp.MustCompile(serial)}
}

// readTime reads a time; want says what would have been one, when text is none.
func (g *reader) readTime(text string, mayBeSerial bool) (at time.Time, p TimePrecision, want string) {
	if m := g.forms.serial.FindStringSubmatch(text); m != nil && mayBeSerial {
		return g.readSerial(m[1], m[2])
	}
	m := g.forms.yearFirst.FindStringSubmatch(text)
	if m == nil {
		m = g.forms.yearLast.FindStringSubmatch(text)
		if m == nil {
			return at, "", "a time such as 2024-03-31T14:05:00+07:00"
		}
		if m[1], m[2], m[3], want = g.order(m[1], m[2], m[3]); want != "" {
			return at, "", want
		}
	}
	return g.moment(m)
}

// order turns a date with the year third to year, month, day.
func (g *reader) order(a, b, year string) (y, m, d, want string) {
	first, second := number(a), number(b)
	switch {
	case g.options.DateOrder == "dmy", g.options.DateOrder == "" && first > 12:
		return year, b, a, ""
	case g.options.DateOrder == "mdy", g.options.DateOrder == "" && second > 12:
		return year, a, b, ""
	}
	return "", "", "", "a date that reads one way only; say the order, dmy or mdy"
}

// moment makes a time of year, month, day, hour, minute, second, zone. Years from
// 2400 on are of the Buddhist era, 543 ahead.
func (g *reader) moment(m []string) (at time.Time, p TimePrecision, want string) {
	year := number(m[1])
	if year >= 2400 {
		year -= 543
	}
	if year < 2009 || year > 2100 {
		return at, "", "a year from 2009 to 2100, or 2552 to 2643 of the Buddhist era"
	}
	zone, want := g.zone(m[7])
	if want != "" {
		return at, "", want
	}
	month, day, hour, minute, second := number(m[2]), number(m[3]), number(m[4]), number(m[5]), number(m[6])
	at = time.Date(year, time.Month(month), day, hour, minute, second, 0, zone)
	if at.Month() != time.Month(month) || at.Day() != day || at.Hour() != hour || at.Minute() != minute || at.Second() != second {
		return time.Time{}, "", "a day and an hour that exist there"
	}
	switch {
	case m[4] == "":
		return at, ToDay, ""
	case m[6] == "":
		return at, ToMinute, ""
	}
	return at, ToSecond, ""
}

func (g *reader) zone(text string) (zone *time.Location, want string) {
	switch {
	case text == "Z":
		return time.UTC, ""
	case text != "":
		digits := strings.ReplaceAll(text[1:], ":", "")
		seconds := number(digits[:2])*3600 + number(digits[2:])*60
		if seconds > 14*3600 || number(digits[2:]) > 59 {
			return nil, "a zone from -14:00 to +14:00"
		}
		if text[0] == '-' {
			seconds = -seconds
		}
		return time.FixedZone(text, seconds), ""
	case g.options.Zone == nil:
		return nil, "a time with its zone; or say which zone the file has"
	}
	return g.options.Zone, ""
}

// readSerial reads days since 1899-12-30 (1904-01-01 in old workbooks of Macs),
// with a fraction of a day, to the nearest second.
func (g *reader) readSerial(days, fraction string) (at time.Time, p TimePrecision, want string) {
	zone, want := g.zone("")
	if want != "" {
		return at, "", want
	}
	year, month, day := 1899, time.December, 30
	if g.from1904 {
		year, month, day = 1904, time.January, 1
	}
	whole := number(days)
	date := time.Date(year, month, day+whole, 0, 0, 0, 0, time.UTC)
	if date.Year() < 2009 || date.Year() > 2100 {
		return at, "", "an Excel date from 2009 to 2100"
	}
	seconds := 0
	if fraction != "" {
		const scale = 1_000_000_000
		digits := (fraction + "000000000")[:9]
		seconds = (number(digits)*86_400 + scale/2) / scale
	}
	at = time.Date(date.Year(), date.Month(), date.Day(), 0, 0, seconds, 0, zone)
	if fraction == "" {
		return at, ToDay, ""
	}
	return at, ToSecond, ""
}

// number reads what a pattern has found to be digits; nothing is 0.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}
