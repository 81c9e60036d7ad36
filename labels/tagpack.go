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
	return func(yield func(ledger.Tag, error) bool) {
		text, err := gunzip(name, r)
		if err != nil {
			yield(ledger.Tag{}, err)
			return
		}
		p := &packReader{name: name, report: report, seen: map[[16]byte]bool{}, lines: bufio.NewReaderSize(text, 64<<10)}
		if err := p.read(ctx, yield); err != nil && !errors.Is(err, errStopped) {
			yield(ledger.Tag{}, err)
		}
	}
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

func (p *packReader) at(line int) string { return fmt.Sprintf("%s:%d", p.name, line) }

func (p *packReader) read(ctx context.Context, yield func(ledger.Tag, error) bool) error {
	if err := p.readHeader(); err != nil {
		return err
	}
	var chunk bytes.Buffer
	items, first, indent := 0, p.line+1, -1
	for {
		line, err := p.next()
		if errors.Is(err, io.EOF) {
			return p.flush(&chunk, first, yield)
		}
		if err != nil {
			return err
		}
		if at := itemIndent(line); at >= 0 && (indent < 0 || at == indent) {
			if indent = at; items == chunkTags {
				if ctx.Err() != nil {
					return fmt.Errorf("%s: %w", p.name, ctx.Err())
				}
				if err := p.flush(&chunk, first, yield); err != nil {
					return err
				}
				items, first = 0, p.line
			}
			items++
		} else if line[0] != ' ' && line[0] != '#' && len(bytes.TrimSpace(line)) > 0 {
			return ledger.Invalid(p.at(p.line), "nothing after the list of tags", strings.TrimSpace(string(line)))
		}
		chunk.Write(line)
	}
}

// readHeader reads up to the line `tags:`.
func (p *packReader) readHeader() error {
	var text bytes.Buffer
	for {
		line, err := p.next()
		if errors.Is(err, io.EOF) {
			return ledger.Invalid(p.name, "a TagPack: a list under tags", "none")
		}
		if err != nil {
			return err
		}
		if key, rest, ok := bytes.Cut(line, []byte(":")); ok && string(key) == "tags" {
			if rest = bytes.TrimSpace(rest); len(rest) > 0 && rest[0] != '#' {
				return ledger.Invalid(p.at(p.line), "tags as a block list, one `- ` a tag", string(rest))
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

// flush parses the tags of one chunk, which begins at a line of the file.
func (p *packReader) flush(chunk *bytes.Buffer, first int, yield func(ledger.Tag, error) bool) error {
	node, err := p.parse(chunk.Bytes(), first)
	chunk.Reset()
	if err != nil || node == nil {
		return err
	}
	if node.Kind != yaml.SequenceNode {
		return ledger.Invalid(p.at(first), "a list of tags", node.Value)
	}
	for _, item := range node.Content {
		line := first + item.Line - 1
		if item.Kind != yaml.MappingNode {
			return ledger.Invalid(p.at(line), "a tag: fields and values", item.Value)
		}
		own, err := p.fields(item, first, false)
		if err != nil {
			return err
		}
		tag, ok, err := p.tag(own, line)
		if err != nil {
			return err
		}
		if ok && !yield(tag, nil) {
			return errStopped
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
