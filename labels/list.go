package labels

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// A plain list has one address a line, or is a JSON list of texts. What it is
// about stands in the options: the label must be given; without a network each
// address is read by its form. Empty lines and lines that begin with # are
// skipped.

// walkList is the walk of one address a line.
func walkList(_ context.Context, in *input, take func(ledger.Tag) error) error {
	lines := bufio.NewReader(in.text)
	for n := 1; ; n++ {
		in.text.next()
		line, err := lines.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		place := fmt.Sprintf("%s:%d", in.name, n)
		address := strings.TrimSpace(line)
		if address != "" && address[0] != '#' {
			if wrong := in.listed(place, address, take); wrong != nil {
				return wrong
			}
		}
		if err != nil {
			return nil //nolint:nilerr // it is io.EOF
		}
	}
}

// walkJSONList is the walk of a JSON list of addresses.
func walkJSONList(ctx context.Context, in *input, take func(ledger.Tag) error) error {
	d := json.NewDecoder(in.text)
	n := 0
	err := eachElement(ctx, in, d, func() error {
		var address string
		if err := d.Decode(&address); err != nil {
			return err
		}
		n++
		return in.listed(fmt.Sprintf("%s: element %d", in.name, n), strings.TrimSpace(address), take)
	})
	if err != nil {
		return in.syntax(d, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return ledger.Invalid(in.name, "one JSON value", "more after it")
	}
	return nil
}

func (in *input) listed(place, address string, take func(ledger.Tag) error) error {
	if in.opt.Label == "" {
		return ledger.Invalid(in.name, "--label: a plain list says nothing but addresses", "none")
	}
	if len(address) > 256 || strings.ContainsAny(address, " \t\"',;{}<>") {
		return ledger.Invalid(place, "one address a line", clip(address))
	}
	return in.give(claim{place: place, address: address}, take)
}
