package server

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// speaksForAll says whether what a caller adds or retracts may change the answers
// of other tenants. A tenant's key below an administrator's must not: it could
// call a competitor's wallet a scam.
func (c Caller) speaksForAll() bool {
	return c.KeyID == "" || c.Role == spoorv1.Role_ROLE_ADMIN
}

// AddLabel adds one label by hand. One that is in force word for word, such as
// that of a repeated call, is answered with and not added again.
func (s *labelService) AddLabel(ctx context.Context, m *spoorv1.AddLabelRequest) (*spoorv1.Label, error) {
	tag, err := tagOf(m.GetLabel())
	if err != nil {
		return nil, err
	}
	if caller := Principal(ctx); m.GetPrivate() || !caller.speaksForAll() {
		tag.Tenant = caller.Tenant
	}
	s.data.adding.Lock()
	defer s.data.adding.Unlock()
	held, err := s.data.tagsLike(ctx, tag)
	if err != nil {
		return nil, err
	}
	for _, t := range held {
		if sameLabel(t, tag) {
			return labelMessage(labels.Entry{Tag: t, Sequence: s.data.sequenceOf(t.ID)}), nil
		}
	}
	added, err := s.data.labels.Add(tag, s.now().UnixMilli())
	if err != nil {
		return nil, err
	}
	return labelMessage(labels.Entry{Tag: added, Sequence: s.data.sequenceOf(added.ID)}), nil
}

// tagsLike returns the tags in force of what a tag is of.
func (d *data) tagsLike(ctx context.Context, tag ledger.Tag) ([]ledger.Tag, error) {
	view, err := d.labels.ViewOf(0, tag.Tenant)
	if err != nil {
		return nil, err
	}
	if tag.Tx != nil {
		return view.TxTags(ctx, tag.Chain, *tag.Tx)
	}
	return view.Tags(ctx, tag.Address)
}

// sequenceOf returns the number of the batch that brought a tag.
func (d *data) sequenceOf(id uint64) uint64 {
	for _, i := range d.labels.Imports() {
		if i.FirstID <= id && id-i.FirstID < uint64(i.Tags) {
			return i.Sequence
		}
	}
	return 0
}

func sameLabel(a, b ledger.Tag) bool {
	return a.Tenant == b.Tenant && a.Type == b.Type && a.Label == b.Label && a.Category == b.Category && a.Source == b.Source && a.Confidence == b.Confidence &&
		a.ValidFrom == b.ValidFrom && a.ValidTo == b.ValidTo && a.Actor == b.Actor && a.Abuse == b.Abuse && slices.Equal(a.Concepts, b.Concepts)
}

// tagOf reads a label that a user wrote.
func tagOf(l *spoorv1.Label) (ledger.Tag, error) {
	chain, err := ledger.ParseChain(l.GetNetwork())
	if err != nil {
		return ledger.Tag{}, err
	}
	t := ledger.Tag{
		Chain: chain, Label: l.GetLabel(), Category: l.GetCategory(), Source: l.GetSource(), Confidence: int(l.GetConfidence()),
		Actor: l.GetActor(), Abuse: l.GetAbuse(), Concepts: l.GetConcepts(), Type: l.GetType(),
	}
	if err := checkTexts(l); err != nil {
		return t, err
	}
	if t.ValidFrom, err = millis("valid_from", l.GetValidFrom()); err != nil {
		return t, err
	}
	if t.ValidTo, err = millis("valid_to", l.GetValidTo()); err != nil {
		return t, err
	}
	category, known := labels.ParseCategory(l.GetCategory())
	switch {
	case strings.TrimSpace(t.Label) == "":
		return t, ledger.Invalid("label", "a name", t.Label)
	case !known:
		return t, ledger.Invalid("category", "a category such as exchange or scam.romance", t.Category)
	case strings.TrimSpace(t.Source) == "":
		return t, ledger.Invalid("source", "where the claim comes from", t.Source)
	case t.Type != "" && t.Type != "event" && t.Type != "attribute" && t.Type != "mention":
		return t, ledger.Invalid("type", "event, attribute or mention; empty for who controls the address", t.Type)
	case t.Confidence < 1 || t.Confidence > 100:
		return t, ledger.Invalid("confidence", "1 to 100", strconv.Itoa(t.Confidence))
	case t.ValidTo != 0 && t.ValidTo <= t.ValidFrom:
		return t, ledger.Invalid("valid_to", "a time after valid_from", l.GetValidTo().AsTime().Format(time.RFC3339))
	}
	t.Category = category.ID
	return t, labelled(&t, l)
}

// labelled reads what a label is of: an address or a transaction.
func labelled(t *ledger.Tag, l *spoorv1.Label) (err error) {
	if l.GetTx() == "" {
		t.Address, err = ledger.ParseAddress(t.Chain, l.GetAddress())
		return err
	}
	if l.GetAddress() != "" {
		return ledger.Invalid("tx", "an address or a transaction, not both", l.GetTx())
	}
	id, err := ledger.ParseTxID(l.GetTx())
	t.Tx = &id
	return renamed(err, "tx")
}

// The log keeps every label for ever.
const (
	maxText     = 1024
	maxConcepts = 100
)

func checkTexts(l *spoorv1.Label) error {
	if n := len(l.GetConcepts()); n > maxConcepts {
		return ledger.Invalid("concepts", "at most "+strconv.Itoa(maxConcepts), strconv.Itoa(n))
	}
	texts := map[string][]string{
		"label": {l.GetLabel()}, "source": {l.GetSource()}, "actor": {l.GetActor()}, "abuse": {l.GetAbuse()}, "concepts": l.GetConcepts(),
	}
	for _, field := range []string{"label", "source", "actor", "abuse", "concepts"} {
		for _, text := range texts[field] {
			if len(text) > maxText {
				return ledger.Invalid(field, "at most "+strconv.Itoa(maxText)+" bytes", text)
			}
			if strings.ContainsRune(text, 0) {
				return ledger.Invalid(field, "a text without NUL", text)
			}
		}
	}
	return nil
}

// given reports a time that says something: generated clients write the first
// second of the year 1 where there is none.
func given(t *timestamppb.Timestamp) bool { return t != nil && !t.AsTime().IsZero() }

// millis reads a time; absent is 0.
func millis(field string, t *timestamppb.Timestamp) (int64, error) {
	if !given(t) {
		return 0, nil
	}
	if !t.IsValid() {
		return 0, ledger.Invalid(field, "a time of the years 1 to 9999", t.String())
	}
	return t.AsTime().UnixMilli(), nil
}
