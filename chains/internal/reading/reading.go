// Package reading has what adapters of public APIs share in reading answers.
package reading

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// JSON reads one value and nothing after it; api names who gave it. The error is
// a *ledger.SourceError: FaultTruncated or FaultMalformed.
func JSON(q ask.Question, api string, body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	err := d.Decode(into)
	if err == nil {
		_, err = d.Token()
	}
	switch {
	case errors.Is(err, io.EOF) && len(bytes.TrimSpace(body)) > 0:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &ledger.SourceError{Fault: ledger.FaultTruncated, Subject: q.String(), Detail: "the JSON ends early"}
	case err == nil:
		err = errors.New("something follows the answer")
	}
	return &ledger.SourceError{Fault: ledger.FaultMalformed, Subject: q.String(), Detail: "want JSON of " + api, Err: err}
}

// Malformed names what an answer should have had, and the beginning of what came.
func Malformed(q ask.Question, want, got string) error {
	return ledger.Untrue(ledger.FaultMalformed, q.String(), fmt.Sprintf("want %s, got %.80q", want, got))
}
