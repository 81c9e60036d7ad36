package labels

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
)

const (
	day = 24 * 60 * 60 * 1000
	// later is a time after all editions of these tests.
	later = 1_800_000_000_000
)

// sdnOf is a file in the form of OFAC's, issued on a day of January 2025.
func sdnOf(issued int, addresses ...string) string {
	text := fmt.Sprintf(`<Sanctions xmlns="https://sanctionslistservice.ofac.treas.gov/api/PublicationPreview/exports/ADVANCED_XML">
<DateOfIssue CalendarTypeID="1"><Year>2025</Year><Month>1</Month><Day>%d</Day></DateOfIssue>
<ReferenceValueSets><FeatureTypeValues><FeatureType ID="887">Digital Currency Address - USDT</FeatureType></FeatureTypeValues>
<ListValues><List ID="1550">SDN List</List><List ID="91512">Consolidated List</List></ListValues></ReferenceValueSets><DistinctParties>`, issued)
	for i, a := range addresses {
		text += fmt.Sprintf(`<DistinctParty FixedRef="%d"><Profile ID="%[1]d"><Feature FeatureTypeID="887"><VersionDetail>%s</VersionDetail></Feature></Profile></DistinctParty>`, i+1, a)
	}
	return text + `</DistinctParties><SanctionsEntries><SanctionsEntry ProfileID="1" ListID="1550"/></SanctionsEntries></Sanctions>`
}

func importText(t testing.TB, l *Log, name, text string, opt Options, recorded int64) (Import, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return l.ImportFile(t.Context(), path, opt, recorded)
}

// tagsOf are an address's tags as of a sequence (0: the last).
func tagsOf(t testing.TB, l *Log, a ledger.Address, sequence uint64) []ledger.Tag {
	t.Helper()
	v, err := l.View(sequence)
	if err != nil {
		t.Fatal(err)
	}
	tags, err := v.Tags(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return tags
}

// TestDelisting: what a newer edition no longer has is over on its day, under
// whatever file name it comes, and nothing else changes.
func TestDelisting(t *testing.T) {
	l := open(t, t.TempDir())
	if _, err := importText(t, l, "by hand.csv", "network,address,label,category\ntron,"+trx+",mine,scam\n", Options{}, later+1); err != nil {
		t.Fatal(err)
	}
	first, err := importText(t, l, "sdn_advanced.xml", sdnOf(2, evm, trx, omni), Options{}, later+2)
	if err != nil || first.Tags != 3 || first.List != "OFAC SDN List" || first.Ended != 0 {
		t.Fatalf("got %+v, %v", first, err)
	}
	second := sdnOf(9, evm)
	end := time.Date(2025, 1, 9, 0, 0, 0, 0, time.UTC).UnixMilli()
	for _, dry := range []bool{true, false} {
		done, err := importText(t, l, "SDN_ADVANCED.XML", second, Options{DryRun: dry}, later+3)
		var ended []string
		for _, tag := range done.Endings {
			ended = append(ended, tag.Address.String())
			if tag.ValidTo != end {
				t.Errorf("got the end %d, want %d", tag.ValidTo, end)
			}
		}
		if diff := cmp.Diff([]string{trx, omni}, ended); diff != "" || err != nil || done.Ended != 2 || done.Tags != 0 || done.Repeated != 1 {
			t.Errorf("dry %v: %+v, %v, %s", dry, done, err, diff)
		}
		if dry && (l.Sequence() != 2 || tagsOf(t, l, parse(t, "tron", trx), 0)[1].ValidTo != 0) {
			t.Error("a dry run wrote")
		}
	}
	then, now := tagsOf(t, l, parse(t, "tron", trx), 2), tagsOf(t, l, parse(t, "tron", trx), 0)
	if len(then) != 2 || len(now) != 2 || then[1].ValidTo != 0 || now[1].ValidTo != end || now[0].ValidTo != 0 {
		t.Errorf("got %+v\nthen %+v", now, then)
	}
	if tag, err := l.Tag(t.Context(), now[1].ID); err != nil || tag.ValidTo != end {
		t.Errorf("by its id: got %+v, %v", tag, err)
	}
	again, err := importText(t, l, "sdn_advanced.xml", sdnOf(20, evm, trx), Options{}, later+4)
	now = tagsOf(t, l, parse(t, "tron", trx), 0)
	if err != nil || again.Tags != 1 || len(now) != 3 || now[2].ValidFrom != end+11*day || now[2].ValidTo != 0 || now[1].ValidTo != end {
		t.Errorf("listed again: got %+v, %v, %+v", again, err, now)
	}
	if same, err := importText(t, l, "sdn_advanced.xml", sdnOf(21, evm, trx), Options{}, later+5); err != nil || same.Tags != 0 || same.Ended != 0 {
		t.Errorf("unchanged: got %+v, %v", same, err)
	}
}

// TestNoEdition: what is older, cut off, a list of changes or of another list ends nothing.
func TestNoEdition(t *testing.T) {
	l := open(t, t.TempDir())
	older, newer := sdnOf(2, evm), sdnOf(9, evm, trx)
	for _, text := range []string{older, newer} {
		if _, err := importText(t, l, "sdn.xml", text, Options{}, later+1); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"the one before":     {older, ledger.ErrPrecondition},
		"an older one":       {sdnOf(3, omni), ledger.ErrPrecondition},
		"cut off":            {sdnOf(10, evm)[:len(sdnOf(10, evm))-20], ledger.ErrInvalid},
		"without any":        {sdnOf(10), ledger.ErrInvalid},
		"changes":            {strings.Replace(sdnOf(10, evm), "<DistinctParty ", `<DistinctParty DeltaAction="del" `, 1), ledger.ErrInvalid},
		"of another list":    {strings.Replace(sdnOf(10, evm), `ListID="1550"`, `ListID="91512"`, 1), nil},
		"without its day":    {strings.Replace(sdnOf(10, evm), "<Day>10</Day>", "", 1), nil},
		"without an entry":   {strings.Replace(sdnOf(10, evm), "SanctionsEntry ", "Other ", 1), nil},
		"of a day to come":   {strings.Replace(sdnOf(10, evm), "<Year>2025", "<Year>2099", 1), ledger.ErrInvalid},
		"by another creator": {"network,address,label\nethereum," + strings.ToLower(evm) + ",x\n", nil},
	} {
		if name == "without an entry" {
			test.text = strings.ReplaceAll(test.text, "</SanctionsEntry>", "</Other>")
		}
		done, err := importText(t, l, "sdn.xml", test.text, Options{}, later+2)
		if !errors.Is(err, test.want) || done.Ended != 0 {
			t.Errorf("%s: got %+v, %v, want %v", name, done, err, test.want)
		}
		if tags := tagsOf(t, l, parse(t, "tron", trx), 0); len(tags) != 1 || tags[0].ValidTo != 0 {
			t.Errorf("%s: got %+v", name, tags)
		}
	}
}

// TestEditionsLaw: after any editions of a list, an address is labelled at a time
// if the newest edition of that time has it, or if none had it yet; as of every
// sequence, and from the file as from memory.
func TestEditionsLaw(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 12 {
		dir := t.TempDir()
		l := open(t, dir)
		var editions [][]int // which addresses each has
		for n := range 2 + r.IntN(6) {
			has := []int{0} // one stays, since an edition with none is refused
			for a := 1; a < 6; a++ {
				if r.IntN(2) == 0 {
					has = append(has, a)
				}
			}
			r.Shuffle(len(has), func(i, j int) { has[i], has[j] = has[j], has[i] })
			opt := Options{Category: "scam", Complete: true}
			if _, err := importText(t, l, "list.csv", listCSV(has), opt, int64(n+1)*day); err != nil {
				t.Fatal(err)
			}
			editions = append(editions, has)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, dir)
		for sequence := range len(editions) {
			for a := range 6 {
				tags := tagsOf(t, l, parse(t, "ethereum", fmt.Sprintf("0x%040x", a)), uint64(sequence)+1)
				for at := range sequence + 3 {
					ms := int64(at)*day + day/2
					got := slices.ContainsFunc(tags, func(tag ledger.Tag) bool { return tag.ValidAt(ms) })
					if want := labelled(editions[:sequence+1], a, at); got != want {
						t.Fatalf("editions %v, address %d as of %d on day %d: got %v, want %v: %+v", editions, a, sequence+1, at, got, want, tags)
					}
				}
			}
		}
	}
}

func listCSV(has []int) string {
	text := "network,address,label\n"
	for _, a := range has {
		text += fmt.Sprintf("ethereum,0x%040x,L\n", a)
	}
	return text
}

// labelled says what the law wants: edition i is of day i+1.
func labelled(editions [][]int, address, day int) bool {
	first := slices.IndexFunc(editions, func(has []int) bool { return slices.Contains(has, address) })
	if first < 0 || day < first+1 {
		return first >= 0
	}
	return slices.Contains(editions[min(day, len(editions))-1], address)
}

// TestDamagedEnd: no byte of an end can change unseen.
func TestDamagedEnd(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	for _, text := range []string{sdnOf(2, evm, trx), sdnOf(9, evm)} {
		if _, err := importText(t, l, "sdn.xml", text, Options{}, later+1); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	for at := len(whole) - 400; at < len(whole); at += 5 {
		damaged := slices.Clone(whole)
		damaged[at] ^= 1
		if err := os.WriteFile(filepath.Join(dir, logName), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if l, err := Open(dir); !errors.Is(err, ledger.ErrCorrupt) {
			t.Fatalf("byte %d: got %v, %v", at, l, err)
		}
	}
}
