package labels

import (
	"context"
	"errors"
	"iter"

	"github.com/spoortrace/spoor/ledger"
)

// actorFields are the schema of GraphSense's ActorPack. As in a
// TagPack, a field of an actor may stand in the header for all.
var actorFields = map[string]kind{
	"id": kindText, "uri": kindText, "label": kindText, "lastmod": kindDate, "categories": kindList, "jurisdictions": kindTexts,
	"context": kindContext, "aliases": kindTexts,
}

// actors yields the actors of an ActorPack (YAML). The schema holds as for a
// TagPack: id, label, uri and categories are mandatory, an id is in the pack
// once, and anything else ends in ledger.ErrInvalid with the place. GraphSense
// fills in a missing lastmod with the day of the import; here it stays not stated.
func actors(ctx context.Context, in *input) iter.Seq2[Actor, error] {
	return func(yield func(Actor, error) bool) {
		p := newPackReader(in, "actors", actorFields)
		ids := map[string]bool{}
		err := p.read(ctx, func(own fieldSet, line int) error {
			a, err := p.actor(own, line)
			switch {
			case err != nil:
				return err
			case ids[a.ID]:
				return ledger.Invalid(p.at(line), "each actor once", a.ID)
			}
			ids[a.ID] = true
			if !yield(a, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(Actor{}, err)
		}
	}
}

// actor makes an actor of its own and inherited fields.
func (p *packReader) actor(own fieldSet, line int) (Actor, error) {
	for _, name := range []string{"id", "label", "uri"} {
		if p.text(own, name) == "" {
			return Actor{}, ledger.Invalid(p.at(line), "the mandatory field "+name, "an actor without it")
		}
	}
	categories, ok := p.field(own, "categories")
	if !ok {
		return Actor{}, ledger.Invalid(p.at(line), "the mandatory field categories", "an actor without it")
	}
	jurisdictions, _ := p.field(own, "jurisdictions")
	aliases, _ := p.field(own, "aliases")
	lastmod, _ := p.field(own, "lastmod")
	return Actor{
		ID: p.text(own, "id"), Label: p.text(own, "label"), URI: p.text(own, "uri"), Categories: categories.list, Jurisdictions: jurisdictions.list,
		Aliases: aliases.list, Context: p.text(own, "context"), Pack: p.header["title"].text, LastMod: lastmod.ms,
	}, nil
}
