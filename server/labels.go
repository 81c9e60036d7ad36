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

	"google.golang.org/protobuf/types/known/durationpb"

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
	// affected list the answers that a retraction changes.
	affected []affectedBy
}

// labelMessage converts a tag that holds.
func (v *view) labelMessage(t ledger.Tag) *spoorv1.Label { return labelMessage(labels.Entry{Tag: t}) }

func labelMessage(e labels.Entry) *spoorv1.Label {
	t := e.Tag
	m := &spoorv1.Label{
		Id: strconv.FormatUint(t.ID, 10), Network: string(t.Chain), Address: t.Address.String(), Label: t.Label, Category: t.Category,
		Source: t.Source, Confidence: int32(t.Confidence), Actor: t.Actor, Abuse: t.Abuse, Concepts: t.Concepts,
		ValidFrom: timeMessage(t.ValidFrom), ValidTo: timeMessage(t.ValidTo), Recorded: timeMessage(t.Recorded),
		Sequence: e.Sequence, RetractedSequence: e.Retracted, Type: t.Type, Private: t.Tenant != "",
	}
	if t.Tx != nil {
		m.Tx = hashText(t.Chain, *t.Tx)
	}
	return m
}

// tagSets lists the imports up to the view's sequence.
func (v *view) tagSets() []*spoorv1.TagSet {
	if kept := v.data.tagSets.Load(); kept != nil && kept.sequence == v.labelSequence() {
		return kept.sets
	}
	made := &tagSets{sequence: v.labelSequence()}
	for _, i := range v.data.labels.Imports() {
		if i.Sequence <= made.sequence && i.Kind == labels.KindImport {
			made.sets = append(made.sets, &spoorv1.TagSet{Name: i.Name, Sequence: i.Sequence, Recorded: timeMessage(i.Recorded)})
		}
	}
	v.data.tagSets.Store(made)
	return made.sets
}

// tagSets are the imports up to a number of the log. Nobody changes them.
type tagSets struct {
	sequence uint64
	sets     []*spoorv1.TagSet
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
	file, err := newUpload(dir, m.GetFile(), m.GetOptions())
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
	options    labels.Options
	size       int
	file       *os.File
	out        *bufio.Writer
}

const (
	maxLabelFile = 200 << 20
	maxFileName  = 255
	maxEnded     = 1000 // labels named in an answer
)

func newUpload(dir, name string, options *spoorv1.ImportOptions) (*upload, error) {
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
	return &upload{name: name, path: path, options: optionsOf(options), file: f, out: bufio.NewWriter(f)}, nil
}

func optionsOf(m *spoorv1.ImportOptions) labels.Options {
	return labels.Options{
		Network: m.GetNetwork(), Label: m.GetLabel(), Category: m.GetCategory(), Source: m.GetSource(), Confidence: int(m.GetConfidence()),
		MaxAge: m.GetMaxAge().AsDuration(), Complete: m.GetComplete(), DryRun: m.GetDryRun(),
	}
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
	done, err := s.data.labels.ImportFile(ctx, u.path, u.options, s.now().UnixMilli())
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
	for _, t := range done.Endings[:min(len(done.Endings), maxEnded)] {
		answer.Ended = append(answer.Ended, labelMessage(labels.Entry{Tag: t, Sequence: s.data.sequenceOf(t.ID)}))
	}
	answer.Sets = append(answer.Sets, setMessage(done))
	return nil
}

func setMessage(i labels.Import) *spoorv1.LabelSet {
	m := &spoorv1.LabelSet{
		Name: i.Name, Creator: i.Creator, Format: formatOf(i), Sequence: i.Sequence, Count: int64(i.Tags), Recorded: timeMessage(i.Recorded),
		Actors: int64(i.Actors), Duplicates: int64(i.Repeated), Refused: int64(i.Refused),
		Ended: int64(i.Ended), Published: timeMessage(i.Published),
	}
	for network, n := range i.Skipped {
		if m.Skipped == nil {
			m.Skipped = map[string]int64{}
		}
		m.Skipped[network] = int64(n)
	}
	if i.SHA256 != [32]byte{} {
		m.Sha256 = ledger.Hash(i.SHA256).String()
	}
	if i.MaxAge > 0 {
		m.MaxAge = durationpb.New(time.Duration(i.MaxAge) * time.Millisecond)
	}
	return m
}

// formatOf names the format; the first logs did not, and had two.
func formatOf(i labels.Import) string {
	if i.Kind != labels.KindImport {
		return "manual"
	}
	if i.Format != "" {
		return i.Format
	}
	switch name := strings.TrimSuffix(strings.ToLower(i.Name), ".gz"); filepath.Ext(name) {
	case ".yaml", ".yml":
		return "tagpack"
	case ".csv":
		return "csv"
	}
	return "export"
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
	from, to, next, err := s.window(ctx, "labels "+a.Qualified(), m.GetPageToken(), m.GetPageSize(), len(all))
	if err != nil {
		return nil, err
	}
	for _, e := range all[from:to] {
		answer.Labels = append(answer.Labels, labelMessage(e))
	}
	answer.NextPageToken = next
	answer.Actors, err = s.actors(ctx, answer.GetLabels())
	return answer, err
}

// actors describes who the labels name, each once.
func (s *labelService) actors(ctx context.Context, all []*spoorv1.Label) ([]*spoorv1.Actor, error) {
	view, err := s.data.labels.View(0)
	if err != nil {
		return nil, err
	}
	var found []*spoorv1.Actor
	seen := map[string]bool{}
	for _, l := range all {
		if l.GetActor() == "" || seen[l.GetActor()] {
			continue
		}
		seen[l.GetActor()] = true
		a, ok, err := view.Actor(ctx, l.GetActor())
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, &spoorv1.Actor{
				Id: a.ID, Label: a.Label, Uri: a.URI, Categories: a.Categories, Jurisdictions: a.Jurisdictions, Aliases: a.Aliases, Context: a.Context,
			})
		}
	}
	return found, nil
}

// window cuts the page that a token asks for out of a list that only grows.
func (s *labelService) window(ctx context.Context, query, token string, size int32, n int) (from, to int, next string, err error) {
	if token != "" {
		cursor, err := s.pages.of(ctx).cursor(query, token, 1)
		if err != nil {
			return 0, 0, "", err
		}
		from = min(int(cursor[0]), n)
	}
	to = min(from+pageSize(size), n)
	if to < n {
		next = s.pages.of(ctx).token(query, uint64(to))
	}
	return from, to, next, nil
}
