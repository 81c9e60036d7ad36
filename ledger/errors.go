package ledger

import (
	"errors"
	"fmt"
)

// The sentinels say what the caller should do; wrap them with the call and its subject.
var (
	// ErrNotFound: the index does not hold it; say up to which height it looked.
	ErrNotFound = errors.New("not in the index")
	// ErrInvalid: the request or file is wrong; show the message to who wrote it. InvalidError matches it.
	ErrInvalid = errors.New("invalid")
	// ErrAmbiguous: several things match; list the candidates and let the caller choose.
	ErrAmbiguous = errors.New("ambiguous")
	// ErrPrecondition: the request is well formed and does not fit the state of the index.
	ErrPrecondition = errors.New("not possible in this state")
	// ErrCorrupt: stored data contradicts itself; stop, verify, restore. Never guess.
	ErrCorrupt = errors.New("corrupt")
	// ErrForeign: the store belongs to another chain or network; use another data directory.
	ErrForeign = errors.New("belongs to another network")
	// ErrNewer: the store was written by a newer version; upgrade the program.
	ErrNewer = errors.New("written by a newer version")
	// ErrBusy: another process owns the store; talk to it or stop it.
	ErrBusy = errors.New("in use")
	// ErrExhausted: a limit of size, rate or memory was reached; ask for less or later.
	ErrExhausted = errors.New("limit reached")
	// ErrUnsupportedAsset: the asset cannot be followed by its transfer events.
	ErrUnsupportedAsset = errors.New("unsupported asset")
	// ErrOverflow: a sum left 256 bits.
	ErrOverflow = errors.New("amount overflows 256 bits")
)

// InvalidError names what was wrong: the field, what was wanted and what came.
type InvalidError struct {
	Field string // the field, flag or "file:line:column"
	Want  string // what would have been accepted
	Got   string // what came, as it came
}

// Error prints field, want and got; got is quoted and cut at 120 bytes, since it may be hostile.
func (e *InvalidError) Error() string {
	got := e.Got
	if len(got) > 120 {
		got = got[:120] + "..."
	}
	return fmt.Sprintf("%s: want %s, got %q", e.Field, e.Want, got)
}

// Is makes errors.Is(err, ErrInvalid) true.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// Invalid returns an *InvalidError.
func Invalid(field, want, got string) error {
	return &InvalidError{Field: field, Want: want, Got: got}
}
