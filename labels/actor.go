package labels

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Actor is who a tag's Actor names: an organisation, a person, a group.
type Actor struct {
	ID            string // such as "binance"
	Label         string
	URI           string
	Categories    []string // concepts of GraphSense's taxonomy
	Jurisdictions []string // ISO 3166-1 codes of two letters
	Aliases       []string
	Context       string // text, or JSON
	Pack          string // title of the actor pack
	LastMod       int64  // Unix milliseconds; 0: not stated
}

// Category is our category of the actor's concepts; "" when they say nothing.
func (a Actor) Category() string { return categorise(a.Categories) }

// fillActors writes the actors of a source that the log does not hold as they are.
func (l *Log) fillActors(b *batch, src Source) error {
	if src.Actors == nil {
		return nil
	}
	for actor, err := range src.Actors {
		if err != nil {
			return err
		}
		if held, ok, err := l.index.actor(l.file, actor.ID, 1<<63); err != nil || (ok && sameActor(held, actor)) {
			if err != nil {
				return err
			}
			continue
		}
		if err := b.actor(actor); err != nil {
			return err
		}
		b.head.Actors++
	}
	return nil
}

// sameActor reports whether two records say the same.
func sameActor(a, b Actor) bool {
	return a.ID == b.ID && a.Label == b.Label && a.URI == b.URI && a.Context == b.Context && a.Pack == b.Pack && a.LastMod == b.LastMod &&
		slices.Equal(a.Categories, b.Categories) && slices.Equal(a.Jurisdictions, b.Jurisdictions) && slices.Equal(a.Aliases, b.Aliases)
}

// actor returns the last record of an actor up to a sequence.
func (x *index) actor(log io.ReaderAt, id string, sequence uint64) (Actor, bool, error) {
	for _, e := range slices.Backward(x.actors[id]) {
		if e.sequence > sequence {
			continue
		}
		body, err := readAt(log, e.offset)
		if err != nil {
			return Actor{}, false, err
		}
		a, ok := decodeActor(body)
		if !ok || a.ID != id {
			return Actor{}, false, fmt.Errorf("labels: actor %q at byte %d: %w", id, e.offset, ledger.ErrCorrupt)
		}
		return a, true, nil
	}
	return Actor{}, false, nil
}

// Actor returns who a tag's Actor names, as the last actor pack up to the
// view's sequence describes it; false where none does.
func (v *View) Actor(_ context.Context, id string) (Actor, bool, error) {
	v.log.mu.RLock()
	defer v.log.mu.RUnlock()
	return v.log.index.actor(v.log.file, id, v.sequence)
}
