package labels

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// OFAC's advanced XML (sdn_advanced.xml, cons_advanced.xml; the UN's sanctions
// schema 1.0) is read token by token. Kept are the feature types whose name is
// "Digital Currency Address - TICKER", and the parties that have such a feature:
// about a thousand addresses of a file of 100 MB. The dates and programs of a
// party follow after all parties, so that tags are given at the end.
//
// A tag says: the primary name of the party, sanctioned_entity, authority_data
// (60), the page of the party at OFAC as its source; the ticker, date of listing
// and programs in its context. It does not speak for a cluster: some of the
// addresses are deposit addresses at exchanges. It is valid without a limit of
// time, since who controls an address does not begin with the listing, until an
// edition of the list (by its date of issue) has it no more.
const (
	digitalCurrency = "Digital Currency Address - "
	ofacPage        = "https://sanctionssearch.ofac.treas.gov/Details.aspx?id="
	maxDepth        = 64
)

// walkOFAC is the walk of OFAC's advanced XML.
func walkOFAC(ctx context.Context, in *input, take func(ledger.Tag) error) error {
	r := &ofacReader{in: in, xml: xml.NewDecoder(in.text), tickers: map[string]string{}, parties: map[string]*ofacParty{}, lists: map[string]string{}, entries: map[string]int{}}
	if err := r.read(ctx); err != nil {
		return err
	}
	if r.root != "Sanctions" {
		return ledger.Invalid(in.name, "OFAC's advanced XML: an element Sanctions", r.root)
	}
	if date, err := time.Parse("2006-1-2", strings.Join(r.issued[:], "-")); err == nil && len(r.entries) > 0 {
		in.edition = Edition{List: r.list(), Published: date.UnixMilli(), Complete: true}
	}
	for _, id := range r.order {
		party := r.parties[id]
		for _, a := range party.addresses {
			if err := in.give(party.claim(a, r.list()), take); err != nil {
				return err
			}
		}
	}
	return nil
}

type ofacReader struct {
	in      *input
	xml     *xml.Decoder
	root    string
	path    []string          // names of the open elements
	text    strings.Builder   // of the innermost one
	tickers map[string]string // of a feature type's id
	parties map[string]*ofacParty
	order   []string // profile ids as they came

	id      string // of the open FeatureType
	party   *ofacParty
	feature string // ticker of the open Feature; "": of another kind
	primary bool   // the open Alias is the primary one
	named   bool   // its first name is read
	entry   *ofacParty
	date    [3]string
	issued  [3]string         // day of the file
	lists   map[string]string // names of lists by their ids
	entries map[string]int    // on each list
}

type ofacParty struct {
	id        string // FixedRef
	profile   string
	names     []string
	addresses []ofacAddress
	listed    string // 2018-11-28; "" not stated
	programs  []string
}

type ofacAddress struct{ ticker, text, place string }

func (r *ofacReader) read(ctx context.Context) error {
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return fmt.Errorf("%s: %w", r.in.name, ctx.Err())
		}
		r.in.text.next()
		token, err := r.xml.Token()
		if errors.Is(err, io.EOF) && len(r.path) == 0 {
			return nil
		}
		if err != nil {
			return r.syntax(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := r.start(t); err != nil {
				return err
			}
		case xml.EndElement:
			r.end()
		case xml.CharData:
			if r.text.Len()+len(t) <= maxLine {
				r.text.Write(t)
			}
		case xml.Directive:
			return ledger.Invalid(r.place(), "no DOCTYPE and no entities of its own", clip(string(t)))
		}
	}
}

func (r *ofacReader) place() string {
	line, _ := r.xml.InputPos()
	return fmt.Sprintf("%s:%d", r.in.name, line)
}

// syntax words what is wrong with the XML, unless it could not be read at all.
func (r *ofacReader) syntax(err error) error {
	if failed := r.in.text.failed; failed != nil {
		return fmt.Errorf("%s: %w", r.place(), failed)
	}
	return ledger.Invalid(r.place(), "whole XML 1.0 in UTF-8, without entities of its own", clip(err.Error()))
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (r *ofacReader) start(t xml.StartElement) error {
	if len(r.path) == 0 {
		r.root = t.Name.Local
	}
	if r.path = append(r.path, t.Name.Local); len(r.path) > maxDepth {
		return ledger.Invalid(r.place(), "at most 64 elements in each other", "more")
	}
	r.text.Reset()
	if attribute(t, "DeltaAction") != "" {
		return ledger.Invalid(r.place(), "a whole list; this one has changes alone", "DeltaAction")
	}
	switch t.Name.Local {
	case "FeatureType", "List":
		r.id = attribute(t, "ID")
	case "DistinctParty":
		r.party = &ofacParty{id: attribute(t, "FixedRef")}
	case "Profile":
		if r.party != nil {
			r.party.profile = attribute(t, "ID")
		}
	case "Alias":
		r.primary, r.named = attribute(t, "Primary") == "true" && r.party != nil && len(r.party.names) == 0, false
	case "Feature":
		r.feature = r.tickers[attribute(t, "FeatureTypeID")]
	case "SanctionsEntry":
		r.entry = r.parties[attribute(t, "ProfileID")]
		r.entries[attribute(t, "ListID")]++
	case "EntryEvent", "DateOfIssue":
		r.date = [3]string{}
	}
	return nil
}

// end is told what an element held.
func (r *ofacReader) end() {
	name, text := r.path[len(r.path)-1], strings.TrimSpace(r.text.String())
	r.path = r.path[:len(r.path)-1]
	r.text.Reset()
	switch name {
	case "FeatureType":
		if ticker, ok := strings.CutPrefix(text, digitalCurrency); ok {
			r.tickers[r.id] = clip(strings.TrimSpace(ticker))
		}
	case "List":
		r.lists[r.id] = text
	case "Year":
		r.date[0] = text
	case "Month":
		r.date[1] = text
	case "Day":
		r.date[2] = text
	case "DateOfIssue":
		r.issued = r.date
	case "NamePartValue":
		if r.primary && !r.named && text != "" && len(r.party.names) < 16 {
			r.party.names = append(r.party.names, clip(text))
		}
	case "DocumentedName":
		r.named = r.named || r.primary
	case "Alias":
		r.primary = false
	case "VersionDetail":
		if r.feature != "" && r.party != nil && text != "" {
			r.party.addresses = append(r.party.addresses, ofacAddress{r.feature, clip(text), r.place()})
		}
	case "Feature":
		r.feature = ""
	case "DistinctParty":
		r.keep()
	case "SanctionsEntry":
		r.entry = nil
	}
	r.listing(name, text)
}

// keep takes a party that has addresses.
func (r *ofacReader) keep() {
	if p := r.party; p != nil && len(p.addresses) > 0 {
		p.profile = orElse(p.profile, "party "+p.id) // parties without one are not one
		if r.parties[p.profile] == nil {
			r.order = append(r.order, p.profile)
		} else {
			p.addresses = append(r.parties[p.profile].addresses, p.addresses...)
		}
		r.parties[p.profile] = p
	}
	r.party = nil
}

// listing reads when and why a party of ours is listed.
func (r *ofacReader) listing(name, text string) {
	if r.entry == nil {
		return
	}
	inside := len(r.path) > 0 && r.path[len(r.path)-1] == "SanctionsMeasure"
	switch {
	case name == "EntryEvent":
		if day, err := time.Parse("2006-1-2", strings.Join(r.date[:], "-")); err == nil && r.entry.listed == "" {
			r.entry.listed = day.Format(time.DateOnly)
		}
	case name == "Comment" && inside && text != "" && len(r.entry.programs) < 64 && !slices.Contains(r.entry.programs, clip(text)):
		r.entry.programs = append(r.entry.programs, clip(text))
	}
}

// list names what the file is an edition of. OFAC publishes two: of blocked
// parties, and of all others. A party that is on both stands in either with all
// of its entries.
func (r *ofacReader) list() string {
	blocked, all := 0, 0
	for id, n := range r.entries {
		if all += n; r.lists[id] == "SDN List" {
			blocked += n
		}
	}
	if 2*blocked > all {
		return "OFAC SDN List"
	}
	return "OFAC Consolidated List"
}

// claim words what OFAC says of one address of the party.
func (p *ofacParty) claim(a ofacAddress, list string) claim {
	context, err := json.Marshal(struct {
		Ticker   string   `json:"ticker"`
		Listed   string   `json:"listed,omitempty"`
		Programs []string `json:"programs,omitempty"`
	}{a.ticker, p.listed, p.programs})
	if err != nil {
		context = nil // texts always marshal
	}
	t := ledger.Tag{
		Label: orElse(strings.Join(p.names, " "), "OFAC party "+p.id), Source: ofacPage + p.id, Creator: "OFAC", Category: "sanctioned_entity", Pack: list,
		Concepts: []string{"sanction"}, Abuse: "sanction", Confidence: confidences["authority_data"], Context: string(context),
	}
	if day, err := time.Parse(time.DateOnly, p.listed); err == nil {
		t.LastMod = day.UnixMilli()
	}
	return claim{place: a.place, network: a.ticker, address: a.text, tag: t}
}
