package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// labelService implements the LabelService on the label log.
type labelService struct {
	spoorv1.UnimplementedLabelServiceServer
	data  *data
	pages pager
	now   func() time.Time
}

// labelMessage converts a tag that holds.
func (v *view) labelMessage(t ledger.Tag) *spoorv1.Label { return labelMessage(labels.Entry{Tag: t}) }

func labelMessage(e labels.Entry) *spoorv1.Label {
	t := e.Tag
	m := &spoorv1.Label{
		Id: strconv.FormatUint(t.ID, 10), Network: string(t.Chain), Address: t.Address.String(), Label: t.Label, Category: t.Category,
		Source: t.Source, Confidence: int32(t.Confidence), Actor: t.Actor, Abuse: t.Abuse, Concepts: t.Concepts,
		ValidFrom: timeMessage(t.ValidFrom), ValidTo: timeMessage(t.ValidTo), Recorded: timeMessage(t.Recorded),
		Sequence: e.Sequence, RetractedSequence: e.Retracted,
	}
	if t.Tx != nil {
		m.Tx = hashText(t.Chain, *t.Tx)
	}
	return m
}

// tagSets lists the imports up to the view's sequence.
func (v *view) tagSets() []*spoorv1.TagSet {
	var sets []*spoorv1.TagSet
	for _, i := range v.data.labels.Imports() {
		if i.Sequence <= v.labelSequence() && i.Kind == labels.KindImport {
			sets = append(sets, &spoorv1.TagSet{Name: i.Name, Sequence: i.Sequence, Recorded: timeMessage(i.Recorded)})
		}
	}
	return sets
}

// ImportLabels takes files piece by piece; each is one batch of the log, all of it or nothing.
func (s *labelService) ImportLabels(stream spoorv1.LabelService_ImportLabelsServer) error {
	dir, err := os.MkdirTemp("", "spoor-labels-")
	if err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	defer os.RemoveAll(dir)
	answer := &spoorv1.ImportLabelsResponse{}
	var file *upload
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if file != nil && file.name != m.GetFile() {
			if err := s.importFile(stream.Context(), file, answer); err != nil {
				return err
			}
			file = nil
		}
		if file == nil {
			if file, err = newUpload(dir, m.GetFile()); err != nil {
				return err
			}
		}
		if err := file.write(m.GetChunk()); err != nil {
			return err
		}
	}
	if file == nil {
		return ledger.Invalid("file", "at least one label file", "")
	}
	if err := s.importFile(stream.Context(), file, answer); err != nil {
		return err
	}
	answer.Sequence = s.data.labels.Sequence()
	return stream.SendAndClose(answer)
}

// upload is a label file on its way in.
type upload struct {
	name, path string
	size       int
	file       *os.File
	out        *bufio.Writer
}

const maxLabelFile = 200 << 20

func newUpload(dir, name string) (*upload, error) {
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return nil, ledger.Invalid("file", "a file name without folders", name)
	}
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	return &upload{name: name, path: path, file: f, out: bufio.NewWriter(f)}, nil
}

func (u *upload) write(chunk []byte) error {
	if u.size += len(chunk); u.size > maxLabelFile {
		return ledger.Invalid("file", "at most 200 MiB", u.name)
	}
	_, err := u.out.Write(chunk)
	return err
}

func (s *labelService) importFile(ctx context.Context, u *upload, answer *spoorv1.ImportLabelsResponse) error {
	if err := errors.Join(u.out.Flush(), u.file.Close()); err != nil {
		return fmt.Errorf("labels: %s: %w", u.name, err)
	}
	done, err := s.data.labels.ImportFile(ctx, u.path, s.now().UnixMilli())
	if err != nil {
		return err
	}
	if !done.Known {
		answer.Accepted += int64(done.Tags)
	}
	answer.Refused += int64(done.Refused)
	for _, reason := range done.Refusals {
		answer.Refusals = append(answer.Refusals, &spoorv1.LabelRefusal{File: u.name, Reason: reason})
	}
	answer.Sets = append(answer.Sets, setMessage(done))
	return nil
}

func setMessage(i labels.Import) *spoorv1.LabelSet {
	format := "manual"
	if i.Kind == labels.KindImport {
		format = "export"
		switch name := strings.TrimSuffix(strings.ToLower(i.Name), ".gz"); filepath.Ext(name) {
		case ".yaml", ".yml":
			format = "tagpack"
		case ".csv":
			format = "csv"
		}
	}
	m := &spoorv1.LabelSet{Name: i.Name, Format: format, Sequence: i.Sequence, Count: int64(i.Tags), Recorded: timeMessage(i.Recorded)}
	if i.SHA256 != [32]byte{} {
		m.Sha256 = ledger.Hash(i.SHA256).String()
	}
	return m
}

// ListLabels lists the labels of one address, the retracted ones too.
func (s *labelService) ListLabels(ctx context.Context, m *spoorv1.ListLabelsRequest) (*spoorv1.ListLabelsResponse, error) {
	a, err := ledger.ParseQualified(m.GetAddress())
	if err != nil {
		return nil, err
	}
	all, err := s.data.labels.History(ctx, a)
	if err != nil {
		return nil, err
	}
	answer := &spoorv1.ListLabelsResponse{Sequence: s.data.labels.Sequence()}
	from, to, next, err := s.window("labels "+a.Qualified(), m.GetPageToken(), m.GetPageSize(), len(all))
	if err != nil {
		return nil, err
	}
	for _, e := range all[from:to] {
		answer.Labels = append(answer.Labels, labelMessage(e))
	}
	answer.NextPageToken = next
	return answer, nil
}

// window cuts the page that a token asks for out of a list that only grows.
func (s *labelService) window(query, token string, size int32, n int) (from, to int, next string, err error) {
	if token != "" {
		cursor, err := s.pages.cursor(query, token, 1)
		if err != nil {
			return 0, 0, "", err
		}
		from = min(int(cursor[0]), n)
	}
	to = min(from+pageSize(size), n)
	if to < n {
		next = s.pages.token(query, uint64(to))
	}
	return from, to, next, nil
}

// AddLabel adds one label by hand.
func (s *labelService) AddLabel(ctx context.Context, m *spoorv1.AddLabelRequest) (*spoorv1.Label, error) {
	tag, err := tagOf(m.GetLabel())
	if err != nil {
		return nil, err
	}
	if tag.Tx == nil {
		held, err := s.data.labels.History(ctx, tag.Address)
		if err != nil {
			return nil, err
		}
		for _, e := range held { // the same label again, such as a repeated call, adds nothing
			if e.Retracted == 0 && sameLabel(e.Tag, tag) {
				return labelMessage(e), nil
			}
		}
	}
	added, err := s.data.labels.Add(tag, s.now().UnixMilli())
	if err != nil {
		return nil, err
	}
	return labelMessage(labels.Entry{Tag: added, Sequence: s.data.labels.Sequence()}), nil
}

func sameLabel(a, b ledger.Tag) bool {
	return a.Label == b.Label && a.Category == b.Category && a.Source == b.Source && a.Confidence == b.Confidence &&
		a.ValidFrom == b.ValidFrom && a.ValidTo == b.ValidTo && a.Actor == b.Actor && a.Abuse == b.Abuse
}

// tagOf reads a label that a user wrote.
func tagOf(l *spoorv1.Label) (ledger.Tag, error) {
	chain, err := ledger.ParseChain(l.GetNetwork())
	if err != nil {
		return ledger.Tag{}, err
	}
	t := ledger.Tag{
		Chain: chain, Label: l.GetLabel(), Category: l.GetCategory(), Source: l.GetSource(), Confidence: int(l.GetConfidence()),
		Actor: l.GetActor(), Abuse: l.GetAbuse(), Concepts: l.GetConcepts(),
	}
	if l.GetValidFrom() != nil {
		t.ValidFrom = l.GetValidFrom().AsTime().UnixMilli()
	}
	if l.GetValidTo() != nil {
		t.ValidTo = l.GetValidTo().AsTime().UnixMilli()
	}
	category, known := labels.ParseCategory(l.GetCategory())
	switch {
	case strings.TrimSpace(t.Label) == "":
		return t, ledger.Invalid("label", "a name", t.Label)
	case !known:
		return t, ledger.Invalid("category", "a category such as exchange or scam.romance", t.Category)
	case strings.TrimSpace(t.Source) == "":
		return t, ledger.Invalid("source", "where the claim comes from", t.Source)
	case t.Confidence < 1 || t.Confidence > 100:
		return t, ledger.Invalid("confidence", "1 to 100", strconv.Itoa(t.Confidence))
	case t.ValidTo != 0 && t.ValidTo <= t.ValidFrom:
		return t, ledger.Invalid("valid_to", "a time after valid_from", l.GetValidTo().AsTime().Format(time.RFC3339))
	}
	t.Category = category.ID
	if l.GetTx() != "" {
		id, err := ledger.ParseTxID(l.GetTx())
		t.Tx = &id
		return t, err
	}
	t.Address, err = ledger.ParseAddress(chain, l.GetAddress())
	return t, err
}

// RetractLabel withdraws one label from the next sequence number on.
func (s *labelService) RetractLabel(ctx context.Context, m *spoorv1.RetractLabelRequest) (*spoorv1.Label, error) {
	id, err := strconv.ParseUint(m.GetId(), 10, 64)
	if err != nil {
		return nil, ledger.Invalid("id", "the number of a label", m.GetId())
	}
	before, err := s.data.labels.Tag(ctx, id)
	if err != nil {
		return nil, err
	}
	done, err := s.data.labels.Retract(id, m.GetReason(), s.now().UnixMilli())
	if err != nil {
		return nil, err
	}
	return labelMessage(labels.Entry{Tag: before, Retracted: done.Sequence}), nil
}

// ListLabelSets lists the imports of the log.
func (s *labelService) ListLabelSets(_ context.Context, m *spoorv1.ListLabelSetsRequest) (*spoorv1.ListLabelSetsResponse, error) {
	var sets []labels.Import
	for _, i := range s.data.labels.Imports() {
		if i.Kind != labels.KindRetract {
			sets = append(sets, i)
		}
	}
	from, to, next, err := s.window("label sets", m.GetPageToken(), m.GetPageSize(), len(sets))
	if err != nil {
		return nil, err
	}
	answer := &spoorv1.ListLabelSetsResponse{Sequence: s.data.labels.Sequence(), NextPageToken: next}
	for _, i := range sets[from:to] {
		answer.Sets = append(answer.Sets, setMessage(i))
	}
	return answer, nil
}
