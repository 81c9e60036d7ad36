package labels

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// eachMember calls see with every key of the one object that a file is; see
// decodes the value. Values are bounded by maxItem, the file by maxPack, nesting
// by encoding/json (10,000).
func eachMember(ctx context.Context, in *input, see func(key string, d *json.Decoder) error) error {
	d := json.NewDecoder(in.text)
	in.text.next()
	if err := want(d, json.Delim('{')); err != nil {
		return in.syntax(d, err)
	}
	seen := map[string]bool{}
	for n := 0; d.More(); n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return fmt.Errorf("%s: %w", in.name, ctx.Err())
		}
		in.text.next()
		token, err := d.Token()
		if err != nil {
			return in.syntax(d, err)
		}
		key, _ := token.(string)
		if seen[key] {
			return ledger.Invalid(fmt.Sprintf("%s: byte %d", in.name, d.InputOffset()), "each key once", clip(key))
		}
		seen[key] = true
		if err := see(key, d); err != nil {
			return in.syntax(d, err)
		}
	}
	return in.finish(d, json.Delim('}'))
}

// eachElement calls see for every element of the list that comes next; see decodes it.
func eachElement(ctx context.Context, in *input, d *json.Decoder, see func() error) error {
	if err := want(d, json.Delim('[')); err != nil {
		return err
	}
	for n := 0; d.More(); n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return fmt.Errorf("%s: %w", in.name, ctx.Err())
		}
		in.text.next()
		if err := see(); err != nil {
			return err
		}
	}
	return want(d, json.Delim(']'))
}

// finish reads the closing mark, after which nothing may follow.
func (in *input) finish(d *json.Decoder, mark json.Delim) error {
	in.text.next()
	if err := want(d, mark); err != nil {
		return in.syntax(d, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return ledger.Invalid(fmt.Sprintf("%s: byte %d", in.name, d.InputOffset()), "one JSON value", "more after it")
	}
	return nil
}

var (
	errMark  = errors.New("another mark")
	errTwice = errors.New("each key once")
)

// decodeValue decodes the next value, in which every object has each key once:
// of two, readers take either, so that a file could say one thing to us and
// another to whoever checked it.
func decodeValue(d *json.Decoder, to any) error {
	var text json.RawMessage
	if err := d.Decode(&text); err != nil {
		return err
	}
	if key, twice := keyTwice(text); twice {
		return fmt.Errorf("%w: %s", errTwice, clip(key))
	}
	return json.Unmarshal(text, to)
}

// keyTwice returns a key that some object of a text has twice. Keys that differ
// in case are the same, since encoding/json reads them into the same field. What
// is no JSON has none.
func keyTwice(text []byte) (key string, twice bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	var open []map[string]bool // keys of each open object; nil: a list
	isKey := false
	for {
		token, err := d.Token()
		if err != nil {
			return "", false
		}
		if name, ok := token.(string); ok && isKey {
			keys, folded := open[len(open)-1], strings.ToLower(name)
			if keys[folded] {
				return name, true
			}
			keys[folded], isKey = true, false
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, map[string]bool{})
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		isKey = len(open) > 0 && open[len(open)-1] != nil
	}
}

// want reads one mark.
func want(d *json.Decoder, mark json.Delim) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if token != mark {
		return fmt.Errorf("%w: want %v, got %v", errMark, mark, token)
	}
	return nil
}

// syntax words what is wrong with the JSON, unless it could not be read at all,
// or something else is wrong.
func (in *input) syntax(d *json.Decoder, err error) error {
	if failed := in.text.failed; failed != nil {
		return fmt.Errorf("%s: byte %d: %w", in.name, d.InputOffset(), failed)
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &kind) || errors.Is(err, errMark) || errors.Is(err, errTwice) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return ledger.Invalid(fmt.Sprintf("%s: byte %d", in.name, d.InputOffset()), "JSON of the file's format", clip(err.Error()))
	}
	return err
}
