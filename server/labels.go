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
	"unicode"

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
	m, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return ledger.Invalid("file", "at least one label file", "")
	}
	for err == nil {
		m, err = s.receive(stream, m, dir, answer)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	answer.Sequence = s.data.labels.Sequence()
	return stream.SendAndClose(answer)
}

// receive takes in the file that a message begins and returns the first
// message of the next one, or io.EOF.
func (s *labelService) receive(stream spoorv1.LabelService_ImportLabelsServer, m *spoorv1.ImportLabelsRequest, dir string,
	answer *spoorv1.ImportLabelsResponse,
) (*spoorv1.ImportLabelsRequest, error) {
	file, err := newUpload(dir, m.GetFile())
	if err != nil {
		return nil, err
	}
	defer file.file.Close()
	var next error
	for next == nil && m.GetFile() == file.name {
		if err := file.write(m.GetChunk()); err != nil {
			return nil, err
		}
		m, next = stream.Recv()
	}
	if next != nil && !errors.Is(next, io.EOF) {
		return nil, next // a file that was cut off is no file
	}
	if err := s.importFile(stream.Context(), file, answer); err != nil {
		return nil, err
	}
	return m, next
}

// upload is a label file on its way in.
type upload struct {
	name, path string
	size       int
	file       *os.File
	out        *bufio.Writer
}

const (
	maxLabelFile = 200 << 20
	maxFileName  = 255
)

func newUpload(dir, name string) (*upload, error) {
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return nil, ledger.Invalid("file", "a file name without folders", name)
	}
	if len(name) > maxFileName || strings.ContainsFunc(name, unicode.IsControl) {
		return nil, ledger.Invalid("file", "a file name of at most 255 bytes without control characters", name)
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
	done, err := s.data.labels.ImportFile(ctx, u.path, labels.Options{}, s.now().UnixMilli())
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
	all, err := s.data.labels.History(ctx, a, Principal(ctx).Tenant)
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

// RetractLabel withdraws one label from the next sequence number on.
func (s *labelService) RetractLabel(ctx context.Context, m *spoorv1.RetractLabelRequest) (*spoorv1.Label, error) {
	id, err := strconv.ParseUint(m.GetId(), 10, 64)
	if err != nil {
		return nil, ledger.Invalid("id", "the number of a label", m.GetId())
	}
	before, err := s.data.labels.Tag(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, absent("label", m.GetId(), "no such label")
	}
	if err != nil {
		return nil, err
	}
	done, err := s.data.labels.Retract(id, m.GetReason(), s.now().UnixMilli())
	if err != nil {
		return nil, err
	}
	return labelMessage(labels.Entry{Tag: before, Sequence: s.data.sequenceOf(id), Retracted: done.Sequence}), nil
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
