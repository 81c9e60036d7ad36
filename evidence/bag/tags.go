package bag

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spoortrace/spoor/ledger"
)

// The names of the bag's own files, and the text of the one that is always the same (RFC 8493, section 2.1.1).
const (
	bagitName       = "bagit.txt"
	infoName        = "bag-info.txt"
	sumsName        = "manifest-sha256.txt"
	tagSumsName     = "tagmanifest-sha256.txt"
	payloadFolder   = "data/"
	bagitText       = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
	longestInfo     = 1 << 20
	longestInfoLine = 1 << 16
)

// Info is what the package says of itself outside its payload, in bag-info.txt. It is in clear in every redaction: name no victim here.
// Each value is one line of UTF-8; a character that would not show as itself (a line end, a control, a change of direction) is written as
// <U+000A>. An empty value is left out.
type Info struct {
	Name               string // the top folder; the zip is NAME.zip
	Organization       string // who packed it
	ExternalIdentifier string // the case number
	Description        string
	BaggingDate        string // YYYY-MM-DD
}

// labels are those of RFC 8493, section 2.2.2, in the order in which they are written.
func (i *Info) labels() []label {
	return []label{
		{"Source-Organization", &i.Organization},
		{"External-Identifier", &i.ExternalIdentifier},
		{"External-Description", &i.Description},
		{"Bagging-Date", &i.BaggingDate},
	}
}

type label struct {
	name  string
	value *string
}

// checked returns the info as it is written, or says what of it cannot be.
func (i Info) checked() (Info, error) {
	if err := checkName(i.Name); err != nil {
		return i, err
	}
	for _, l := range i.labels() {
		if !utf8.ValidString(*l.value) {
			return i, ledger.Invalid(l.name, "UTF-8", *l.value)
		}
		if *l.value = visible(strings.TrimSpace(*l.value)); len(*l.value) > longestInfoLine {
			return i, ledger.Invalid(l.name, fmt.Sprintf("at most %d bytes", longestInfoLine), *l.value)
		}
	}
	if i.BaggingDate != "" && !isDate(i.BaggingDate) {
		return i, ledger.Invalid("Bagging-Date", "YYYY-MM-DD", i.BaggingDate)
	}
	return i, nil
}

// visible writes out what would not show as itself.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if !unicode.IsGraphic(r) {
			fmt.Fprintf(&b, "<U+%04X>", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isDate(s string) bool {
	if len(s) != len("2006-01-02") {
		return false
	}
	for i, c := range []byte(s) {
		if (i == 4 || i == 7) != (c == '-') || c != '-' && (c < '0' || c > '9') {
			return false
		}
	}
	return "01" <= s[5:7] && s[5:7] <= "12" && "01" <= s[8:] && s[8:] <= "31"
}

// infoText is bag-info.txt of a payload of so many files and bytes.
func infoText(i Info, files int, size uint64) []byte {
	var b bytes.Buffer
	for _, l := range i.labels() {
		if *l.value != "" {
			fmt.Fprintf(&b, "%s: %s\n", l.name, *l.value)
		}
	}
	fmt.Fprintf(&b, "Payload-Oxum: %s.%s\n", strconv.FormatUint(size, 10), strconv.Itoa(files))
	return b.Bytes()
}

// parseInfo reads what infoText wrote. It does not judge: whoever calls it writes the text again and compares.
func parseInfo(raw []byte, name string) Info {
	i := Info{Name: name}
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		for _, l := range i.labels() {
			if l.name == key {
				*l.value = value
			}
		}
	}
	return i
}

// sumsText is a manifest of RFC 8493, section 2.1.3.
func sumsText(rows []row) []byte {
	var b bytes.Buffer
	for _, r := range rows {
		fmt.Fprintf(&b, "%x  %s\n", r.sha256, r.name)
	}
	return b.Bytes()
}

// row is a file of the bag: its name below the top folder, and its hash.
type row struct {
	name   string
	sha256 [32]byte
}
