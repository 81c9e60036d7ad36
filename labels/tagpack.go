package labels

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/spoortrace/spoor/ledger"
)

const (
	// maxPack is GraphSense's limit of a tag pack, of text after gunzip.
	maxPack = 200 << 20
	// maxHeader bounds the part that is parsed as one piece.
	maxHeader = 1 << 20
	maxLine   = 1 << 20
	// chunkTags is how many tags are parsed at once: the YAML tree of a whole
	// pack takes some thirty times its text.
	chunkTags = 256
)

// ReadTagPack yields the tags of a GraphSense TagPack (YAML, plain or gzipped)
// and counts in the report what it leaves out: tags of networks that are not
// indexed, repeated tags (same identifier, network, label and source), and tags
// whose address does not parse, which GraphSense only warns of.
//
// Anything else that breaks the schema ends in ledger.ErrInvalid with the place,
// and then nothing of the pack may be used: a field that is unknown, twice,
// null, of the wrong type or with a NUL; a concept or confidence outside the
// taxonomy; a mandatory field missing; a YAML alias or anchor; over 200 MiB.
// As in GraphSense's own reader a missing network is the currency, and a
// missing confidence is unknown (5). One restriction is ours, since packs are
// read as a stream: `tags` stands last and is a block list.
func ReadTagPack(ctx context.Context, name string, r io.Reader, report *Report) iter.Seq2[ledger.Tag, error] {
	return readBy(ctx, name, r, report, walkTagPack)
}

// readBy reads a file by one format, without options.
func readBy(ctx context.Context, name string, r io.Reader, report *Report, w walk) iter.Seq2[ledger.Tag, error] {
	in, err := newInput(name, r, Options{}, report)
	if err != nil {
		return func(yield func(ledger.Tag, error) bool) { yield(ledger.Tag{}, err) }
	}
	return tags(ctx, in, w)
}

// walkTagPack is the walk of a TagPack.
func walkTagPack(ctx context.Context, in *input, take func(ledger.Tag) error) error {
	p := newPackReader(in, "tags", tagFields)
	return p.read(ctx, func(own fieldSet, line int) error {
		tag, ok, err := p.tag(own, line)
		if err != nil || !ok {
			return err
		}
		return take(tag)
	})
}

func newPackReader(in *input, list string, items map[string]kind) *packReader {
	return &packReader{name: in.name, report: in.report, seen: in.seen, lines: bufio.NewReaderSize(in.text.in, 64<<10), list: list, items: items}
}

// errStopped ends a reader whose consumer wants no more.
var errStopped = errors.New("stopped")

// packReader cuts the text into the header and chunks of tags.
type packReader struct {
	name   string
	report *Report
	seen   map[[16]byte]bool
	lines  *bufio.Reader
	size   int
	line   int // number of the last line read
	header fieldSet
	list   string          // tags or actors
	items  map[string]kind // fields of one of the list, which the header may have for all
}

// next returns a line with its end; io.EOF after the last.
func (p *packReader) next() ([]byte, error) {
	var line []byte
	for {
		part, err := p.lines.ReadSlice('\n')
		line = append(line, part...)
		p.size += len(part)
		switch {
		case p.size > maxPack:
			return nil, ledger.Invalid(p.name, "at most 200 MiB", "more")
		case len(line) > maxLine:
			return nil, ledger.Invalid(p.at(p.line+1), "a line of at most 1 MiB", "more")
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)):
			return nil, err
		}
		p.line++
		return line, nil
	}
}

// kind names the file, for messages.
func (p *packReader) kind() string {
	if p.list == "actors" {
		return "an ActorPack"
	}
	return "a TagPack"
}

func (p *packReader) at(line int) string { return fmt.Sprintf("%s:%d", p.name, line) }

// read gives see the fields of each item with its line.
func (p *packReader) read(ctx context.Context, see func(own fieldSet, line int) error) error {
	if err := p.readHeader(); err != nil {
		return err
	}
	var chunk bytes.Buffer
	items, first, indent := 0, p.line+1, -1
	for {
		line, err := p.next()
		if errors.Is(err, io.EOF) {
			return p.flush(&chunk, first, see)
		}
		if err != nil {
			return err
		}
		if at := itemIndent(line); at >= 0 && (indent < 0 || at == indent) {
			if indent = at; items == chunkTags {
				if ctx.Err() != nil {
					return fmt.Errorf("%s: %w", p.name, ctx.Err())
				}
				if err := p.flush(&chunk, first, see); err != nil {
					return err
				}
				items, first = 0, p.line
			}
			items++
		} else if line[0] != ' ' && line[0] != '#' && len(bytes.TrimSpace(line)) > 0 {
			return ledger.Invalid(p.at(p.line), "nothing after the list of "+p.list, strings.TrimSpace(string(line)))
		}
		chunk.Write(line)
	}
}

// readHeader reads up to the line `tags:` or `actors:`.
func (p *packReader) readHeader() error {
	var text bytes.Buffer
	for {
		line, err := p.next()
		if errors.Is(err, io.EOF) {
			return ledger.Invalid(p.name, "a pack: a list under "+p.list, "none")
		}
		if err != nil {
			return err
		}
		if key, rest, ok := bytes.Cut(line, []byte(":")); ok && string(key) == p.list {
			if rest = bytes.TrimSpace(rest); len(rest) > 0 && rest[0] != '#' {
				return ledger.Invalid(p.at(p.line), p.list+" as a block list, one `- ` each", string(rest))
			}
			break
		}
		if text.Write(line); text.Len() > maxHeader {
			return ledger.Invalid(p.at(p.line), "a header of at most 1 MiB", "more")
		}
	}
	node, err := p.parse(text.Bytes(), 1)
	if err != nil {
		return err
	}
	if node == nil || node.Kind != yaml.MappingNode {
		return ledger.Invalid(p.name, "a header of fields, title and creator first", "none")
	}
	if p.header, err = p.fields(node, 1, true); err != nil {
		return err
	}
	for _, name := range []string{"title", "creator"} {
		if p.header[name].text == "" {
			return ledger.Invalid(p.name, "the mandatory header field "+name, "none")
		}
	}
	return nil
}

// flush parses the items of one chunk, which begins at a line of the file.
func (p *packReader) flush(chunk *bytes.Buffer, first int, see func(own fieldSet, line int) error) error {
	node, err := p.parse(chunk.Bytes(), first)
	chunk.Reset()
	if err != nil || node == nil {
		return err
	}
	if node.Kind != yaml.SequenceNode {
		return ledger.Invalid(p.at(first), "a list of "+p.list, node.Value)
	}
	for _, item := range node.Content {
		line := first + item.Line - 1
		if item.Kind != yaml.MappingNode {
			return ledger.Invalid(p.at(line), "a "+strings.TrimSuffix(p.list, "s")+": fields and values", item.Value)
		}
		own, err := p.fields(item, first, false)
		if err != nil {
			return err
		}
		if err := see(own, line); err != nil {
			return err
		}
	}
	return nil
}

// parse returns the root of a YAML text, nil when it is empty. Aliases and
// anchors are refused: they are how a small file becomes a large one.
func (p *packReader) parse(text []byte, first int) (*yaml.Node, error) {
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil //nolint:nilnil // nothing is no error: a header or a chunk of comments
		}
		return nil, ledger.Invalid(p.at(first), "YAML (lines are counted from here)", err.Error())
	}
	var more yaml.Node
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, ledger.Invalid(p.at(first), "one YAML document", "a second one")
	}
	if len(doc.Content) == 0 {
		return nil, nil //nolint:nilnil // as above
	}
	return doc.Content[0], p.refuseAliases(doc.Content[0], first)
}

func (p *packReader) refuseAliases(n *yaml.Node, first int) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return ledger.Invalid(p.at(first+n.Line-1), "no YAML aliases or anchors", n.Value+n.Anchor)
	}
	for _, child := range n.Content {
		if err := p.refuseAliases(child, first); err != nil {
			return err
		}
	}
	return nil
}

// itemIndent returns the indentation of a line that begins a list item, else -1.
func itemIndent(line []byte) int {
	rest := bytes.TrimLeft(line, " ")
	if len(rest) < 2 || rest[0] != '-' || (rest[1] != ' ' && rest[1] != '\n' && rest[1] != '\r') {
		return -1
	}
	return len(line) - len(rest)
}
