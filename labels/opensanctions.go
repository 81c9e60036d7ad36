package labels

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// OpenSanctions publishes FollowTheMoney entities, one JSON value a line
// (entities.ftm.json, targets.nested.json). Read are the entities of schema
// CryptoWallet: publicKey, currency, topics and holder, which is an id of an
// entity anywhere in the file or, in the nested form, the entity itself.
//
// A tag says: the holder's caption (else the wallet's, else its data set), the
// category of the topics of wallet and holder, the entity's page as its source.
// Of entities that are no wallet the caption and the topics are kept, so that
// memory is a part of the file's size, which is bounded. A property that is one
// text and no list, as enriched files have them, is a list of one.
type ftmEntity struct {
	ID         string              `json:"id"`
	Caption    string              `json:"caption"`
	Schema     string              `json:"schema"`
	Properties map[string]ftmValue `json:"properties"`
	Datasets   []string            `json:"datasets"`
	FirstSeen  string              `json:"first_seen"`
}

// ftmValue are the values of a property.
type ftmValue []json.RawMessage

// UnmarshalJSON reads a list, or anything else as a list of it alone.
func (v *ftmValue) UnmarshalJSON(text []byte) error {
	if text[0] == '[' {
		return json.Unmarshal(text, (*[]json.RawMessage)(v))
	}
	*v = ftmValue{bytes.Clone(text)}
	return nil
}

// ftmTopics maps topics that say something of risk onto GraphSense's concepts or
// our categories. A topic that is not listed (a politician, a debarment) says nothing here.
var ftmTopics = map[string]string{
	"sanction": "sanctioned_entity", "asset.frozen": "sanctioned_entity", "crime": "illicit_actor_org", "crime.cyber": "illicit_actor_org",
	"crime.fin": "laundering_service", "crime.fraud": "scam", "crime.theft": "stolen_funds", "crime.terror": "terrorist_financing",
	"crime.traffick": "human_trafficking", "crime.traffick.drug": "illicit_actor_org", "crime.traffick.human": "human_trafficking",
	"crime.war": "illicit_actor_org", "crime.boss": "illicit_actor_org", "wanted": "illicit_actor_org",
}

type ftmHolder struct {
	caption string
	topics  []string
}

type ftmWallet struct {
	entity ftmEntity
	holder string
	inside *ftmHolder // nested
	place  string
}

// walkFTM is the walk of OpenSanctions' JSON lines.
func walkFTM(ctx context.Context, in *input, take func(ledger.Tag) error) error {
	holders := map[string]ftmHolder{}
	var wallets []ftmWallet
	lines := bufio.NewReaderSize(in.text, 64<<10)
	for n := 1; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return fmt.Errorf("%s: %w", in.name, ctx.Err())
		}
		in.text.next()
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(bytes.TrimSpace(line)) > 0 {
			place := fmt.Sprintf("%s:%d", in.name, n)
			var e ftmEntity
			if key, twice := keyTwice(line); twice {
				return ledger.Invalid(place, "each key once", clip(key))
			}
			if wrong := json.Unmarshal(line, &e); wrong != nil || e.Schema == "" || e.ID == "" {
				return ledger.Invalid(place, "a FollowTheMoney entity: id, schema, properties", describe(wrong))
			}
			if e.Schema == "CryptoWallet" {
				w := ftmWallet{entity: e, place: place}
				w.holder, w.inside = holderOf(e)
				wallets = append(wallets, w)
			} else {
				holders[e.ID] = ftmHolder{clip(e.Caption), texts(e.Properties["topics"])}
			}
		}
		if err != nil {
			break
		}
	}
	return giveWallets(in, wallets, holders, take)
}

func describe(err error) string {
	if err == nil {
		return "one without"
	}
	return err.Error()
}

// texts returns the values of a property that are texts.
func texts(values []json.RawMessage) []string {
	var all []string
	for _, v := range values {
		var s string
		if json.Unmarshal(v, &s) == nil && s != "" {
			all = append(all, clip(s))
		}
	}
	return all
}

// holderOf returns the first holder: an id, or the entity itself.
func holderOf(e ftmEntity) (string, *ftmHolder) {
	for _, v := range e.Properties["holder"] {
		var inside ftmEntity
		if json.Unmarshal(v, &inside) == nil && inside.Caption != "" {
			return "", &ftmHolder{clip(inside.Caption), texts(inside.Properties["topics"])}
		}
		if ids := texts([]json.RawMessage{v}); len(ids) > 0 {
			return ids[0], nil
		}
	}
	return "", nil
}

func giveWallets(in *input, wallets []ftmWallet, holders map[string]ftmHolder, take func(ledger.Tag) error) error {
	for _, w := range wallets {
		holder := holders[w.holder]
		if w.inside != nil {
			holder = *w.inside
		}
		currency := ""
		if all := texts(w.entity.Properties["currency"]); len(all) > 0 {
			currency = all[0]
		}
		t := w.entity.tag(holder)
		for _, key := range texts(w.entity.Properties["publicKey"]) {
			if err := in.give(claim{place: w.place, network: currency, address: strings.TrimSpace(key), tag: t}, take); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e ftmEntity) tag(holder ftmHolder) ledger.Tag {
	name := orElse(holder.caption, clip(e.Caption))
	if keys := texts(e.Properties["publicKey"]); holder.caption == "" && (name == "" || (len(keys) > 0 && name == keys[0])) {
		name = "wallet of " + orElse(strings.Join(e.Datasets, ", "), "OpenSanctions")
	}
	t := ledger.Tag{
		Label: clip(name), Source: clip("https://www.opensanctions.org/entities/" + e.ID), Creator: clip(orElse(strings.Join(e.Datasets, ", "), "OpenSanctions")),
		Confidence: confidences["trusted_provider"], Category: strongest(append(texts(e.Properties["topics"]), holder.topics...), ftmTopics),
	}
	if t.Category == "sanctioned_entity" {
		t.Confidence = confidences["authority_data"]
	}
	if ms, want := readDate(e.FirstSeen); want == "" {
		t.LastMod = ms
	}
	return t
}

// strongest returns the category of the highest level that a table has for words, the first of equals.
func strongest(words []string, table map[string]string) string {
	var best Category
	for _, word := range words {
		if c, ok := CategoryOf(table[word]); ok && (best.ID == "" || c.Level > best.Level) {
			best = c
		}
	}
	return best.ID
}
