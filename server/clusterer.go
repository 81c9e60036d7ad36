package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/spoortrace/spoor/entities"
)

// clusterWait is how long a question waits for clusters that are being built: it
// is refused then, with how far they are.
const clusterWait = 10 * time.Second

// clusterEvery is how often a server that keeps clusters looks for new final blocks.
const clusterEvery = 2 * time.Second

// clusterer builds the clusters beside the questions: when one needs them, and all
// the time once Keep was called.
type clusterer struct {
	data *data
	log  *slog.Logger
	wake chan struct{}

	mu    sync.Mutex
	ended chan struct{} // closed at the end of the run that is under way or comes next

	cancel context.CancelFunc
	wait   sync.WaitGroup
}

func newClusterer(d *data, log *slog.Logger) *clusterer {
	ctx, cancel := context.WithCancel(context.Background())
	c := &clusterer{data: d, log: log, wake: make(chan struct{}, 1), ended: make(chan struct{}), cancel: cancel}
	c.wait.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-c.wake:
			}
			if err := c.run(ctx); err != nil && ctx.Err() == nil {
				log.Error("clusters could not be built", "error", err)
			}
			c.end()
		}
	})
	return c
}

// stop ends what is being built; it is taken up again where it was published last.
func (c *clusterer) stop() {
	c.cancel()
	c.wait.Wait()
}

// keep has the clusters follow the index until ctx ends.
func (c *clusterer) keep(ctx context.Context) {
	ticker := time.NewTicker(clusterEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		c.need()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// need asks for a run, and returns what is closed when the one ends that is under
// way or comes next.
func (c *clusterer) need() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return c.ended
}

func (c *clusterer) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.ended)
	c.ended = make(chan struct{})
}

func (c *clusterer) run(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	snap, err := c.data.store.Snapshot(ctx, nil)
	if err != nil {
		return err
	}
	return errors.Join(c.data.entities.Update(ctx, snap), snap.Close())
}

// known returns the index of clusters as of the view's snapshot, pinned at first
// use; nil where the server keeps none. Where they are far behind, it waits for a while.
func (v *view) known(ctx context.Context) (*entities.View, error) {
	v.pinning.Lock()
	defer v.pinning.Unlock()
	if v.pinned != nil || v.data.entities == nil {
		return v.pinned, nil
	}
	late := time.NewTimer(clusterWait)
	defer late.Stop()
	for {
		pinned, err := v.data.entities.View(ctx, v.Snapshot)
		var behind *entities.BehindError
		if !errors.As(err, &behind) {
			v.pinned = pinned
			return pinned, err
		}
		select {
		case <-v.data.clusters.need():
		case <-late.C:
			return nil, err
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		}
	}
}
