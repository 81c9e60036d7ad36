package store_test

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/spoortrace/spoor/store"
)

// mapKV is the least engine that keeps the contract: one immutable sorted list
// of rows a partition, replaced whole by every write.
type mapKV struct {
	mu    sync.Mutex
	rows  map[string][]store.Row
	epoch uint64
	live  bool // views see later writes, as on an engine without snapshots
}

// mapEngine returns an engine that remembers its directories, as a disk would.
func mapEngine() store.Engine { return remembering(false) }

// liveEngine is the same without consistent views.
func liveEngine() store.Engine { return remembering(true) }

func remembering(live bool) store.Engine {
	var mu sync.Mutex
	open := map[string]*mapKV{}
	return func(dir string) (store.KV, error) {
		mu.Lock()
		defer mu.Unlock()
		if open[dir] == nil {
			open[dir] = &mapKV{rows: map[string][]store.Row{}, live: live}
		}
		return open[dir], nil
	}
}

type mapView map[string][]store.Row

func (kv *mapKV) View() (store.Reader, func()) {
	if kv.live {
		return liveView{kv}, func() {}
	}
	return kv.view(), func() {}
}

func (kv *mapKV) view() mapView {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	return kv.rows
}

type liveView struct{ kv *mapKV }

func (v liveView) Get(partition, sort []byte) ([]byte, error) {
	return v.kv.view().Get(partition, sort)
}

func (v liveView) Scan(partition, from, to []byte, reverse bool) iter.Seq2[store.Row, error] {
	return v.kv.view().Scan(partition, from, to, reverse)
}

func find(rows []store.Row, sort []byte) (int, bool) {
	return slices.BinarySearchFunc(rows, sort, func(r store.Row, s []byte) int { return bytes.Compare(r.Sort, s) })
}

func (v mapView) Get(partition, sort []byte) ([]byte, error) {
	rows := v[string(partition)]
	if i, ok := find(rows, sort); ok {
		return bytes.Clone(rows[i].Value), nil
	}
	return nil, store.ErrAbsent
}

func (v mapView) Scan(partition, from, to []byte, reverse bool) iter.Seq2[store.Row, error] {
	rows := v[string(partition)]
	end := len(rows)
	if to != nil {
		end, _ = find(rows, to)
	}
	start, _ := find(rows, from)
	rows = slices.Clone(rows[min(start, end):end])
	if reverse {
		slices.Reverse(rows)
	}
	return func(yield func(store.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (kv *mapKV) Write(_ context.Context, ops []store.Op) error {
	kv.mu.Lock()
	defer kv.mu.Unlock()
	next, own := maps.Clone(kv.rows), map[string]bool{}
	for _, op := range ops {
		name := string(op.Partition)
		if !own[name] {
			next[name], own[name] = slices.Clone(next[name]), true
		}
		i, ok := find(next[name], op.Sort)
		row := store.Row{Sort: bytes.Clone(op.Sort), Value: bytes.Clone(op.Value)}
		switch {
		case op.Delete && ok:
			next[name] = slices.Delete(next[name], i, i+1)
		case op.Delete:
		case ok:
			next[name][i] = row
		default:
			next[name] = slices.Insert(next[name], i, row)
		}
	}
	kv.rows = next
	return nil
}

func (kv *mapKV) Publish(ctx context.Context, partition, sort, old, next []byte, epoch uint64) error {
	r, _ := kv.View()
	held, err := r.Get(partition, sort)
	switch {
	case epoch < kv.epoch:
		return store.ErrEpoch
	case (err == nil) != (old != nil) || !bytes.Equal(held, old):
		return store.ErrConflict
	}
	kv.epoch = epoch
	return kv.Write(ctx, []store.Op{{Partition: partition, Sort: sort, Value: next}})
}

func (kv *mapKV) Close() error { return nil }
