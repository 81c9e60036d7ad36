package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// Error is what a node says instead of a result. It stands inside a
// *ledger.SourceError.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string {
	m := e.Message
	if len(m) > 200 {
		m = m[:200] + "..."
	}
	return fmt.Sprintf("%s (%d)", m, e.Code)
}

// Codes of JSON-RPC 2.0, of EIP-1474 and of Bitcoin Core.
const (
	codeInvalidRequest = -32600
	codeNoMethod       = -32601
	codeLimit          = -32005
	codeWarmingUp      = -28
)

// fault says what kind of refusal a node's error is.
func (e *Error) fault() ledger.Fault {
	m := strings.ToLower(e.Message)
	switch {
	case e.Code == codeWarmingUp, e.Code == codeLimit, strings.Contains(m, "rate limit"), strings.Contains(m, "too many requests"):
		return ledger.FaultBusy
	case e.Code == codeNoMethod, strings.Contains(m, "method"), strings.Contains(m, "does not exist"), strings.Contains(m, "not available"), strings.Contains(m, "not supported"):
		return ledger.FaultUnsupported
	case strings.Contains(m, "not found"), strings.Contains(m, "unknown block"), strings.Contains(m, "out of range"):
		return ledger.FaultLagging
	}
	return ledger.FaultServerError
}

// answer is one JSON-RPC response.
type answer struct {
	id     string // as it came
	result json.RawMessage
	err    *Error
}

// parseAnswer reads one response and nothing after it.
func parseAnswer(body []byte) (*answer, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	a, err := readAnswer(d)
	if err == nil {
		err = atEnd(d)
	}
	return a, err
}

// maxKeys is how many keys an answer may have: JSON-RPC knows four.
const maxKeys = 16

// parseAnswers reads the responses of a batch of n. A node that takes no batch
// answers with one object, which is returned alone. It stops at one too many.
func parseAnswers(body []byte, n int) (all []*answer, alone bool, err error) {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		a, err := parseAnswer(body)
		return []*answer{a}, true, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := delim(d, '['); err != nil {
		return nil, false, err
	}
	for d.More() {
		if len(all) > n {
			return all, false, nil // more than were asked for: the caller refuses them
		}
		a, err := readAnswer(d)
		if err != nil {
			return nil, false, err
		}
		all = append(all, a)
	}
	if err := delim(d, ']'); err != nil {
		return nil, false, err
	}
	return all, false, atEnd(d)
}

func readAnswer(d *json.Decoder) (*answer, error) {
	if err := delim(d, '{'); err != nil {
		return nil, err
	}
	a, seen := &answer{}, map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string)
		if seen[name] {
			return nil, fmt.Errorf("%q stands twice", name)
		}
		if seen[name] = true; len(seen) > maxKeys {
			return nil, fmt.Errorf("more than %d keys", maxKeys)
		}
		if err := a.field(d, name); err != nil {
			return nil, err
		}
	}
	if err := delim(d, '}'); err != nil {
		return nil, err
	}
	if a.err == nil && !seen["result"] {
		return nil, errors.New("neither a result nor an error")
	}
	return a, nil
}

func (a *answer) field(d *json.Decoder, name string) error {
	switch name {
	case "result":
		return d.Decode(&a.result)
	case "error":
		return d.Decode(&a.err)
	}
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return err
	}
	if name == "id" {
		a.id = string(raw)
	}
	return nil
}

func delim(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("want %v, got %.40q", want, fmt.Sprint(t))
	}
	return nil
}

func atEnd(d *json.Decoder) error {
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the answer")
	}
	return nil
}

// malformed names a body that is no JSON-RPC answer. One that ends early is cut off.
func malformed(subject string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &ledger.SourceError{Fault: ledger.FaultTruncated, Subject: subject, Detail: "the JSON ends early"}
	}
	return &ledger.SourceError{Fault: ledger.FaultMalformed, Subject: subject, Detail: "want a JSON-RPC answer", Err: err}
}

// into checks the id and fills the caller's result.
func (a *answer) into(subject string, id uint64, result any) error {
	if a.id != strconv.FormatUint(id, 10) && (a.err == nil || a.id != "null" && a.id != "") {
		return ledger.Untrue(ledger.FaultMismatched, subject, fmt.Sprintf("want the answer to request %d, got %.40q", id, a.id))
	}
	if a.err != nil {
		return &ledger.SourceError{Fault: a.err.fault(), Subject: subject, Err: a.err}
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(a.result, result); err != nil {
		return &ledger.SourceError{Fault: ledger.FaultMalformed, Subject: subject, Err: err}
	}
	return nil
}
