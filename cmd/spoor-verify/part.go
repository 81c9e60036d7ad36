package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// readPart reads one JSON value, and nothing behind it, of a file of the package. It takes what it is asked for and passes over the rest.
func readPart(p *pack, path string, into any) error {
	text, ok := p.files[path]
	if !ok {
		return fmt.Errorf("%s is not in the package", path)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: something stands behind its value", path)
	}
	return nil
}
