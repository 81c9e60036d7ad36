package labels

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/spoortrace/spoor/ledger"
)

// kind is the type of a field.
type kind uint8

const (
	kindText kind = iota
	kindBool
	kindDate
	kindContext // text, or a mapping that becomes JSON
	kindList    // of concepts
	kindTexts   // list of texts
)

// headerFields may stand in the header only; tagFields in a tag, or in the
// header for all tags. Source: GraphSense's tagpack_schema.yaml.
var headerFields = map[string]kind{
	"title": kindText, "creator": kindText, "description": kindText, "owner": kindText, "is_public": kindBool,
}

var tagFields = map[string]kind{
	"label": kindText, "source": kindText, "currency": kindText, "network": kindText, "context": kindContext, "confidence": kindText,
	"is_cluster_definer": kindBool, "lastmod": kindDate, "category": kindText, "abuse": kindText, "address": kindText, "tx_hash": kindText,
	"actor": kindText, "concepts": kindList, "tag_type": kindText,
}

// value is one field: text as written, or a list.
type value struct {
	text string
	list []string
	flag bool
	ms   int64
}

type fieldSet map[string]value

// fields reads a mapping against the schema.
func (p *packReader) fields(n *yaml.Node, first int, header bool) (fieldSet, error) {
	set := fieldSet{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, node := n.Content[i], n.Content[i+1]
		at := p.at(first + key.Line - 1)
		if header && key.Value == "header" && node.Kind == yaml.MappingNode {
			inner, err := p.fields(node, first, true)
			if err != nil {
				return nil, err
			}
			for name, v := range inner {
				set[name] = v
			}
			continue
		}
		k, ok := p.items[key.Value]
		if !ok && header {
			k, ok = headerFields[key.Value]
		}
		if !ok {
			return nil, ledger.Invalid(at, "a field of "+p.kind(), key.Value)
		}
		if _, twice := set[key.Value]; twice {
			return nil, ledger.Invalid(at, "each field once", key.Value)
		}
		v, want := readValue(k, key.Value, node)
		if want != "" {
			return nil, ledger.Invalid(at, key.Value+": "+want, node.Value)
		}
		set[key.Value] = v
	}
	return set, nil
}

// readValue returns the value, or what was wanted.
func readValue(k kind, name string, n *yaml.Node) (v value, want string) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return v, "a value, not null"
	}
	if strings.ContainsRune(n.Value, 0) {
		return v, "text without NUL"
	}
	v.text = n.Value
	switch k {
	case kindBool:
		if n.Tag != "!!bool" || n.Decode(&v.flag) != nil {
			return v, "true or false"
		}
	case kindDate:
		v.ms, want = readDate(n.Value)
		return v, want
	case kindList:
		return readList(n)
	case kindTexts:
		return readTexts(name, n)
	case kindContext:
		if n.Kind != yaml.ScalarNode {
			return readContext(n)
		}
	case kindText:
		if n.Kind != yaml.ScalarNode || n.Tag == "!!bool" {
			return v, "text"
		}
		return v, checkTaxonomy(name, n.Value)
	}
	if n.Kind != yaml.ScalarNode {
		return v, "a single value"
	}
	return v, ""
}

// checkTaxonomy returns what was wanted of a field that draws on a vocabulary.
func checkTaxonomy(name, text string) (want string) {
	switch name {
	case "category", "abuse":
		if _, ok := concepts[text]; !ok {
			return "a concept of GraphSense's taxonomy"
		}
	case "confidence":
		if _, ok := ParseConfidence(text); !ok {
			return "an id of GraphSense's confidence scale, or 0 to 100"
		}
	case "tag_type":
		if text != "actor" && text != "event" && text != "attribute" && text != "mention" {
			return "actor, event, attribute or mention"
		}
	}
	return ""
}

// ParseConfidence reads an id of GraphSense's scale ("forensic") or a number from 0 to 100.
func ParseConfidence(s string) (int, bool) {
	if n, ok := confidences[s]; ok {
		return n, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && n <= 100
}

func readList(n *yaml.Node) (v value, want string) {
	if n.Kind != yaml.SequenceNode {
		return v, "a list of concepts"
	}
	for _, item := range n.Content {
		if _, ok := concepts[item.Value]; !ok || item.Kind != yaml.ScalarNode {
			return v, "concepts of GraphSense's taxonomy"
		}
		v.list = append(v.list, item.Value)
	}
	return v, ""
}

// readTexts reads a list of texts; jurisdictions are ISO codes.
func readTexts(name string, n *yaml.Node) (v value, want string) {
	if n.Kind != yaml.SequenceNode {
		return v, "a list of texts"
	}
	for _, item := range n.Content {
		switch {
		case item.Kind != yaml.ScalarNode || item.Value == "" || strings.ContainsRune(item.Value, 0):
			return v, "a list of texts without NUL"
		case name == "jurisdictions" && !countryCode(item.Value):
			return v, "country codes of two letters, as in ISO 3166-1"
		}
		v.list = append(v.list, item.Value)
	}
	return v, ""
}

func countryCode(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

// readContext turns a mapping into JSON, keys in order of the alphabet.
func readContext(n *yaml.Node) (v value, want string) {
	var tree map[string]any
	if n.Kind != yaml.MappingNode || n.Decode(&tree) != nil {
		return v, "text, or a mapping with text keys"
	}
	text, err := json.Marshal(tree)
	if err != nil || strings.Contains(string(text), `\u0000`) {
		return v, "a mapping that can be written as JSON, without NUL"
	}
	return value{text: string(text)}, ""
}

// readDate reads a day or a time; without a zone it is UTC.
func readDate(s string) (ms int64, want string) {
	for _, form := range []string{"2006-1-2", time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(form, s); err == nil {
			return t.UnixMilli(), ""
		}
	}
	return 0, "a date such as 2022-01-05"
}
