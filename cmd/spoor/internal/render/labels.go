package render

import (
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func labelGrid(labels []*spoorv1.Label, s Style) *grid {
	g := &grid{right: []bool{true}}
	g.add("id", "label", "category", "confidence", "source", "recorded", "")
	for _, l := range labels {
		state := Clean(l.GetType())
		if l.GetPrivate() {
			state = strings.TrimSpace("private " + state)
		}
		if l.ValidTo != nil {
			state = strings.TrimSpace(state + " until " + l.GetValidTo().AsTime().Format(time.DateOnly))
		}
		if l.GetRetractedSequence() != 0 {
			state = strings.TrimSpace(state + " retracted by entry " + strconv.FormatUint(l.GetRetractedSequence(), 10))
		}
		g.add(Clean(l.GetId()), Clean(l.GetLabel()), Clean(l.GetCategory()), strconv.Itoa(int(l.GetConfidence())), Clean(l.GetSource()), s.when(l.GetRecorded()), state)
	}
	return g
}

// Labels prints the labels of one address or transaction.
func Labels(w io.Writer, labels []*spoorv1.Label, s Style) error {
	p := &paper{w: w}
	if len(labels) == 0 {
		p.line("No label. That nobody labelled it does not make it clean.")
		return p.err
	}
	l := labels[0]
	of := address(l.GetNetwork(), l.GetAddress())
	if of == "" {
		of = Clean(l.GetTx())
	}
	p.line("%s of %s:%s", plural(int64(len(labels)), "label", "labels"), Clean(l.GetNetwork()), of)
	p.print(labelGrid(labels, s))
	return p.err
}

// Actors prints who labels name.
func Actors(w io.Writer, all []*spoorv1.Actor) error {
	p := &paper{w: w}
	for _, a := range all {
		p.line("  %s is %s, %s %s", Clean(a.GetId()), Clean(a.GetLabel()), Clean(a.GetUri()), Clean(strings.Join(a.GetJurisdictions(), " ")))
	}
	return p.err
}

// LabelsCSV writes one row a label. Its first six columns are those that label
// import reads, so that what it wrote can be read again.
func LabelsCSV(w io.Writer, labels []*spoorv1.Label) error {
	s := &records{header: []string{"network", "address", "label", "category", "source", "confidence", "tx", "actor", "abuse", "valid_from", "valid_to", "recorded", "id", "sequence", "retracted_sequence"}}
	for _, l := range labels {
		s.add(l.GetNetwork(), l.GetAddress(), l.GetLabel(), l.GetCategory(), l.GetSource(), strconv.Itoa(int(l.GetConfidence())), l.GetTx(), l.GetActor(), l.GetAbuse(),
			utc(l.GetValidFrom()), utc(l.GetValidTo()), utc(l.GetRecorded()), l.GetId(), strconv.FormatUint(l.GetSequence(), 10), strconv.FormatUint(l.GetRetractedSequence(), 10))
	}
	return s.write(w)
}

// LabelSets prints the imports of the label log.
func LabelSets(w io.Writer, sets []*spoorv1.LabelSet, s Style) error {
	p := &paper{w: w}
	p.line("%s in the label log", plural(int64(len(sets)), "entry", "entries"))
	if len(sets) == 0 {
		return p.err
	}
	g := &grid{right: []bool{true, true}}
	g.add("entry", "labels", "format", "name", "recorded", "", "sha256")
	for _, set := range sets {
		g.add(strconv.FormatUint(set.GetSequence(), 10), number(set.GetCount()), Clean(set.GetFormat()), Clean(set.GetName()), s.when(set.GetRecorded()), ageOf(set), Clean(set.GetSha256()))
	}
	p.print(g)
	return p.err
}

// ageOf says that a set is stale, and how old the last look at its source is.
func ageOf(set *spoorv1.LabelSet) string {
	if set.Age == nil {
		return ""
	}
	age := plural(int64(set.GetAge().AsDuration().Hours())/24, "day", "days") + " old"
	if set.GetStale() {
		return "STALE, " + age
	}
	return age
}

// Retraction prints a label that was withdrawn, and what rested on it.
func Retraction(w io.Writer, r *spoorv1.RetractLabelResponse, s Style) error {
	if err := Labels(w, []*spoorv1.Label{r.GetLabel()}, s); err != nil {
		return err
	}
	p := &paper{w: w}
	if len(r.GetAffected()) == 0 {
		p.line("No answer that is kept rested on it.")
		return p.err
	}
	p.line("%s rested on it:", plural(int64(len(r.GetAffected())), "kept answer", "kept answers"))
	g := &grid{}
	g.add("kind", "id", "level before", "level after")
	for _, a := range r.GetAffected() {
		g.add(Clean(a.GetKind()), Clean(a.GetId()), Clean(a.GetLevelBefore()), Clean(a.GetLevelAfter()))
	}
	p.print(g)
	return p.err
}

// RetractionCSV writes one row an answer that rested on the label.
func RetractionCSV(w io.Writer, r *spoorv1.RetractLabelResponse) error {
	s := &records{header: []string{"label", "retracted_sequence", "kind", "id", "level_before", "level_after"}}
	id, sequence := r.GetLabel().GetId(), strconv.FormatUint(r.GetLabel().GetRetractedSequence(), 10)
	if len(r.GetAffected()) == 0 {
		s.add(id, sequence, "", "", "", "")
	}
	for _, a := range r.GetAffected() {
		s.add(id, sequence, a.GetKind(), a.GetId(), a.GetLevelBefore(), a.GetLevelAfter())
	}
	return s.write(w)
}

// LabelSetsCSV writes one row an import.
func LabelSetsCSV(w io.Writer, sets []*spoorv1.LabelSet) error {
	s := &records{header: []string{"sequence", "labels", "format", "name", "creator", "sha256", "recorded", "stale"}}
	for _, set := range sets {
		s.add(strconv.FormatUint(set.GetSequence(), 10), strconv.FormatInt(set.GetCount(), 10), set.GetFormat(), set.GetName(), set.GetCreator(), set.GetSha256(), utc(set.GetRecorded()), strconv.FormatBool(set.GetStale()))
	}
	return s.write(w)
}

// Import prints what became of imported label files.
func Import(w io.Writer, r *spoorv1.ImportLabelsResponse) error {
	p := &paper{w: w}
	p.line("%s taken in, %s refused; the label log is at entry %d", plural(r.GetAccepted(), "label", "labels"), number(r.GetRefused()), r.GetSequence())
	for _, set := range r.GetSets() {
		p.line("  %s: %s, %s%s", Clean(set.GetName()), plural(set.GetCount(), "label", "labels"), Clean(set.GetFormat()), leftOut(set))
	}
	for _, l := range r.GetEnded() {
		p.line("  ended %s: %s:%s, %s (label %s)", utc(l.GetValidTo()), Clean(l.GetNetwork()), Clean(l.GetAddress()), Clean(l.GetLabel()), Clean(l.GetId()))
	}
	for _, refusal := range r.GetRefusals() {
		p.line("  refused: %s: %s", Clean(refusal.GetFile()), Clean(refusal.GetReason()))
	}
	if n := r.GetRefused() - int64(len(r.GetRefusals())); n > 0 {
		p.line("  and %s more refused", number(n))
	}
	return p.err
}

// leftOut says what of a file was not taken in, and why.
func leftOut(set *spoorv1.LabelSet) string {
	text := ""
	if n := set.GetActors(); n > 0 {
		text += "; " + plural(n, "actor", "actors")
	}
	if n := set.GetDuplicates(); n > 0 {
		text += "; " + number(n) + " known already"
	}
	if n := set.GetEnded(); n > 0 {
		text += "; " + number(n) + " ended"
	}
	if n := set.GetRefused(); n > 0 {
		text += "; " + number(n) + " refused"
	}
	for _, network := range slices.Sorted(maps.Keys(set.GetSkipped())) {
		text += "; " + number(set.GetSkipped()[network]) + " of " + Clean(network) + " left out"
	}
	return text
}

// ImportCSV writes one row a set.
func ImportCSV(w io.Writer, r *spoorv1.ImportLabelsResponse) error {
	return LabelSetsCSV(w, r.GetSets())
}
