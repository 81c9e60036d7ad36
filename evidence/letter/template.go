package letter

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/spoortrace/spoor/ledger"
)

//go:embed templates
var builtIn embed.FS

// suffix ends the name of a template's file: KIND.txt.tmpl or KIND.LANG.txt.tmpl.
const suffix = ".txt.tmpl"

// budget is what is left for all letters of a case, which may have ten thousands
// of holders. What a letter of ours does is bounded by the dossier; one of the
// user's may loop as it likes.
type budget struct{ bytes, turns int }

const (
	mostBytes = 256 << 20
	mostTurns = 2 << 20 // of all loops of the user's templates
)

// ReadTemplates reads the user's own templates from a folder, by KIND or
// KIND.LANG. Other files there are left alone, but a template of a kind that
// there is not is refused: its letter would silently be ours.
func ReadTemplates(folder fs.FS) (map[string]string, error) {
	names, err := fs.Glob(folder, "*"+suffix)
	if err != nil {
		return nil, err
	}
	own := map[string]string{}
	for _, name := range names {
		f, err := fs.Stat(folder, name)
		if err != nil {
			return nil, fmt.Errorf("letter: template: %w", err)
		}
		if f.Size() > largest {
			return nil, ledger.Invalid(name, "at most 1 MiB", fmt.Sprintf("%d bytes", f.Size()))
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, fmt.Errorf("letter: template: %w", err)
		}
		own[strings.TrimSuffix(name, suffix)] = string(text)
	}
	if len(own) == 0 {
		return nil, ledger.Invalid("templates", "files such as "+IssuerFreeze+suffix, "none")
	}
	return own, checkTemplates(own)
}

// checkTemplates refuses what cannot become a letter before any is written.
func checkTemplates(own map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(own)) {
		text := own[name]
		kind, _, _ := strings.Cut(name, ".")
		if !slices.Contains(Kinds(), kind) {
			return ledger.Invalid("templates", "one of "+strings.Join(Kinds(), ", ")+", each with .LANGUAGE or without", name)
		}
		if len(text) > largest {
			return ledger.Invalid(name+suffix, "at most 1 MiB", fmt.Sprintf("%d bytes", len(text)))
		}
		if _, err := parseTemplate(name, text, nil); err != nil {
			return err
		}
	}
	return nil
}

// textOf chooses a template: the user's own in a language of the addressee, then
// in the agency's, then in none; else the built-in one.
func textOf(own map[string]string, kind string, languages []string) (name, text string, err error) {
	for _, language := range languages {
		if text, ok := own[kind+"."+language]; ok {
			return kind + "." + language, text, nil
		}
	}
	if text, ok := own[kind]; ok {
		return kind, text, nil
	}
	raw, err := builtIn.ReadFile(path.Join("templates", kind+suffix))
	return kind, string(raw), err
}

// compose fills a template.
func (b *budget) compose(m Data, own map[string]string, languages []string) (string, error) {
	name, text, err := textOf(own, m.Kind, languages)
	if err != nil {
		return "", err
	}
	turn := func() (string, error) { return "", nil }
	if _, ok := own[name]; ok {
		turn = b.turn
	}
	t, err := parseTemplate(name, text, turn)
	if err != nil {
		return "", err
	}
	w := &bounded{left: &b.bytes}
	if err := t.Execute(w, m); err != nil {
		if errors.Is(err, ledger.ErrExhausted) {
			return "", err
		}
		return "", ledger.Invalid(name+suffix, "the fields of docs/letters.md", err.Error())
	}
	return w.String(), nil
}

func (b *budget) turn() (string, error) {
	if b.turns--; b.turns < 0 {
		return "", fmt.Errorf("more than %d turns of loops: %w", mostTurns, ledger.ErrExhausted)
	}
	return "", nil
}

type bounded struct {
	bytes.Buffer
	left *int
}

func (b *bounded) Write(p []byte) (int, error) {
	if *b.left -= len(p); *b.left < 0 {
		return 0, fmt.Errorf("letters of more than %d MiB: %w", mostBytes>>20, ledger.ErrExhausted)
	}
	return b.Buffer.Write(p)
}

// parseTemplate reads a template that sees its data and the parts of
// templates/common.txt.tmpl and nothing else. It has no templates of its own and
// so cannot recurse; turn is called at each turn of a loop. What remains is
// bounded by its own length.
func parseTemplate(name, text string, turn func() (string, error)) (*template.Template, error) {
	common, err := builtIn.ReadFile("templates/common.txt.tmpl")
	if err != nil {
		return nil, err
	}
	t, err := template.New("common").Option("missingkey=error").Funcs(template.FuncMap{"turn": turn}).Parse(string(common))
	if err != nil {
		return nil, err
	}
	parts := map[string]*parse.Tree{}
	for _, part := range t.Templates() {
		parts[part.Name()] = part.Tree
	}
	one, err := t.New(name + suffix).Parse(text)
	if err != nil {
		return nil, ledger.Invalid(name+suffix, "a text/template", err.Error())
	}
	all := slices.SortedFunc(slices.Values(one.Templates()), func(a, b *template.Template) int { return strings.Compare(a.Name(), b.Name()) })
	for _, part := range all {
		if part != one && parts[part.Name()] != part.Tree {
			return nil, ledger.Invalid(name+suffix, "no define and no block", part.Name())
		}
	}
	for _, part := range all {
		s := sandbox{tree: part.Tree, own: part == one, parts: parts}
		if err := s.list(part.Root); err != nil {
			return nil, err
		}
	}
	return one, nil
}

// sandbox walks a template, refuses what it may not call, and lets its loops
// count their turns.
type sandbox struct {
	tree  *parse.Tree
	own   bool // the user's: the parts are ours
	parts map[string]*parse.Tree
}

// functions are those that a template may call: none formats, so none makes long
// texts of short ones.
func functions() []string {
	return []string{"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index"}
}

func (s sandbox) list(l *parse.ListNode) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		if err := s.node(n); err != nil {
			return err
		}
	}
	return nil
}

func (s sandbox) node(n parse.Node) error {
	switch n := n.(type) {
	case *parse.ActionNode:
		return s.pipe(n.Pipe)
	case *parse.IfNode:
		return s.branch(n.BranchNode)
	case *parse.WithNode:
		return s.branch(n.BranchNode)
	case *parse.RangeNode:
		if err := s.branch(n.BranchNode); err != nil {
			return err
		}
		n.List.Nodes = append([]parse.Node{s.count(n.Pos)}, n.List.Nodes...)
	case *parse.TemplateNode:
		if s.own && s.parts[n.Name] == nil {
			return s.refuse(n, "one of the parts of docs/letters.md", n.Name)
		}
		return s.pipe(n.Pipe)
	}
	return nil
}

func (s sandbox) branch(b parse.BranchNode) error {
	return errors.Join(s.pipe(b.Pipe), s.list(b.List), s.list(b.ElseList))
}

// count is {{turn}}.
func (s sandbox) count(at parse.Pos) parse.Node {
	call := &parse.CommandNode{NodeType: parse.NodeCommand, Pos: at, Args: []parse.Node{parse.NewIdentifier("turn").SetPos(at).SetTree(s.tree)}}
	return &parse.ActionNode{NodeType: parse.NodeAction, Pos: at, Pipe: &parse.PipeNode{NodeType: parse.NodePipe, Pos: at, Cmds: []*parse.CommandNode{call}}}
}

func (s sandbox) pipe(p *parse.PipeNode) error {
	if p == nil {
		return nil
	}
	for _, c := range p.Cmds {
		for _, arg := range c.Args {
			if err := s.arg(arg); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s sandbox) arg(n parse.Node) error {
	switch n := n.(type) {
	case *parse.PipeNode:
		return s.pipe(n)
	case *parse.ChainNode:
		return s.arg(n.Node)
	case *parse.IdentifierNode:
		if !slices.Contains(functions(), n.Ident) {
			return s.refuse(n, "one of "+strings.Join(functions(), ", "), n.Ident)
		}
	}
	return nil
}

func (s sandbox) refuse(n parse.Node, want, got string) error {
	where, _ := s.tree.ErrorContext(n)
	return ledger.Invalid(where, want, got)
}
