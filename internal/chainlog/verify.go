package chainlog

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/mod/sumdb/note"

	"github.com/spoortrace/spoor/ledger"
)

// Check says what Verify trusts besides the two files.
type Check struct {
	Earlier []byte // a checkpoint that was kept elsewhere; nil: none
	upTo    []byte // read so far, whatever the file of the checkpoint says
}

// Verify reads a log from its first line, gives each entry to each, and verifies
// chain, tree and signature. It needs no secret. What does not hold is
// ledger.ErrCorrupt, with the line; entries that each had by then hold up to
// there only.
func Verify(name, origin string, verifier note.Verifier, check Check, each func(Entry) error) (Checkpoint, error) {
	c, err := verify(name, origin, verifier, check, each)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("chainlog: %s: %w", name, err)
	}
	return c, nil
}

func verify(name, origin string, verifier note.Verifier, check Check, each func(Entry) error) (last Checkpoint, err error) {
	raw := check.upTo
	if raw == nil {
		if raw, err = os.ReadFile(name + ".checkpoint"); err != nil {
			return last, fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
		}
	}
	if last, err = OpenCheckpoint(raw, origin, verifier); err != nil {
		return last, err
	}
	earlier := last
	if check.Earlier != nil {
		if earlier, err = OpenCheckpoint(check.Earlier, origin, verifier); err != nil {
			return last, fmt.Errorf("the earlier one: %w", err)
		}
	}
	file, err := os.Open(name + ".log")
	if err != nil {
		return last, fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
	}
	defer file.Close()
	if check.upTo == nil {
		if info, err := file.Stat(); err != nil || info.Size() != last.bytes {
			return last, fmt.Errorf("%w: it does not end where its checkpoint says, after %d entries", ledger.ErrCorrupt, last.Size)
		}
	}
	return last, compare(io.LimitReader(file, last.bytes), last, earlier, each)
}

func compare(r io.Reader, last, earlier Checkpoint, each func(Entry) error) error {
	held := earlier.Size == 0 && earlier == checkpointOf(earlier.Origin, mark{})
	end, err := scan(r, func(body []byte, after mark) error {
		held = held || after.tree.size == earlier.Size && checkpointOf(earlier.Origin, after) == earlier
		return each(Entry{after.tree.size, body})
	})
	switch {
	case errors.Is(err, errTorn):
		return fmt.Errorf("%w: line %d: %w", ledger.ErrCorrupt, end.tree.size+1, err)
	case err != nil:
		return err
	case checkpointOf(last.Origin, end) != last:
		return fmt.Errorf("%w: its %d lines are not the %d entries that were signed", ledger.ErrCorrupt, end.tree.size, last.Size)
	case !held:
		return fmt.Errorf("%w: its first %d entries are not those of the earlier checkpoint", ledger.ErrCorrupt, earlier.Size)
	}
	return nil
}
