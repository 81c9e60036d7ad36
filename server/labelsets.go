package server

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spoortrace/spoor/labels"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// ListLabelSets lists the imports and additions of the log, and which of them are stale.
func (s *labelService) ListLabelSets(ctx context.Context, m *spoorv1.ListLabelSetsRequest) (*spoorv1.ListLabelSetsResponse, error) {
	var sets []labels.Import
	last := map[string]uint64{} // of a source -> sequence of its last set
	for _, i := range s.data.labels.Imports() {
		if i.Kind == labels.KindImport {
			last[i.Name] = i.Sequence
		}
		if i.Kind == labels.KindImport || i.Kind == labels.KindAdd {
			sets = append(sets, i)
		}
	}
	from, to, next, err := s.window(ctx, "label sets", m.GetPageToken(), m.GetPageSize(), len(sets))
	if err != nil {
		return nil, err
	}
	ages := map[string]labels.SourceAge{}
	for _, a := range s.data.labels.Sources(s.now().UnixMilli()) {
		ages[a.Name] = a
	}
	answer := &spoorv1.ListLabelSetsResponse{Sequence: s.data.labels.Sequence(), NextPageToken: next}
	for _, i := range sets[from:to] {
		set := setMessage(i)
		if a := ages[i.Name]; a.MaxAge > 0 && last[i.Name] == i.Sequence {
			set.Age, set.Stale = durationpb.New(a.Age.Truncate(time.Second)), a.Stale
		}
		answer.Sets = append(answer.Sets, set)
	}
	return answer, nil
}
