package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const checkNameBlocks = "blocks"

// checkBlocks holds every block that the package names against a list that somebody trusts: CSV lines of network, height and hash, with or
// without a head line. A block that the list does not have is a finding, too: it was not compared. Exports have no blocks.
func checkBlocks(p *pack, trusted io.Reader) []finding {
	list, err := readBlocks(trusted)
	if err != nil {
		return []finding{{checkNameBlocks, "the list of blocks", "lines of network, height and hash", err.Error()}}
	}
	var cover struct {
		AsOf     []recordedBlock `json:"as_of"`
		Networks []struct {
			Network string
			Export  bool
		}
	}
	var record struct{ Blocks []recordedBlock }
	for path, into := range map[string]any{"case.json": &cover, "record.json": &record} {
		if err := readPart(p, path, into); err != nil {
			return []finding{{checkNameBlocks, path, "blocks", err.Error()}}
		}
	}
	exports := map[string]bool{}
	for _, n := range cover.Networks {
		exports[n.Network] = n.Export
	}
	var found []finding
	seen := map[string]bool{}
	for _, b := range append(cover.AsOf, record.Blocks...) {
		name := fmt.Sprintf("%s block %d", b.Network, b.Height)
		if exports[b.Network] || seen[name+b.Hash] {
			continue
		}
		seen[name+b.Hash] = true
		want, ok := list[name]
		if !ok {
			found = append(found, finding{checkNameBlocks, name, "a line in the list of blocks", "none: " + b.Hash + " was not compared"})
		} else if want != bareHash(b.Hash) {
			found = append(found, finding{checkNameBlocks, name, want, b.Hash})
		}
	}
	return found
}

// readBlocks reads hashes by "NETWORK block HEIGHT".
func readBlocks(r io.Reader) (map[string]string, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord, in.TrimLeadingSpace = 3, true
	list := map[string]string{}
	for line := 1; ; line++ {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		height, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil && line == 1 {
			continue // the names of the columns
		}
		hash := bareHash(fields[2])
		if _, bad := hexHash(hash); err != nil || bad != nil {
			return nil, fmt.Errorf("line %d: %.60q, %.80q", line, fields[1], fields[2])
		}
		name := fmt.Sprintf("%s block %d", fields[0], height)
		if other, ok := list[name]; ok && other != hash {
			return nil, fmt.Errorf("line %d: a second hash of %s", line, name)
		}
		list[name] = hash
	}
}

// bareHash writes a hash as all networks would.
func bareHash(text string) string { return strings.TrimPrefix(strings.ToLower(text), "0x") }
