package ledger

import (
	"errors"
	"fmt"
)

// Head is the end of a source's chain.
type Head struct {
	Tip BlockRef
	// Final is the height up to which the chain itself says that no block will be
	// replaced (EVM: finalized, TRON: solidified); nil where it says nothing, and
	// the reorg bound counts from the tip. Never above Tip.
	Final *uint64
}

// The two ways in which a node or a service lets its reader down.
var (
	// ErrUnavailable: no answer, or one that says to come back; ask again later.
	ErrUnavailable = errors.New("source unavailable")
	// ErrUntrue: an answer that does not hold. Nothing of it may be stored; another
	// source, or a person, must decide.
	ErrUntrue = errors.New("source gave an answer that does not hold")
)

// Fault names what was wrong with an answer; users and tests rely on the names.
type Fault string

// The faults that pass: ErrUnavailable.
const (
	FaultUnreachable Fault = "unreachable"  // no connection, refused, reset, closed
	FaultTimeout     Fault = "timeout"      // no answer, or no progress, in time
	FaultBusy        Fault = "busy"         // it says so: HTTP 429 or 503, warming up, rate limit
	FaultServerError Fault = "server_error" // HTTP 5xx, an internal error
	FaultLagging     Fault = "lagging"      // it does not have what it had, or what it announced
	FaultTruncated   Fault = "truncated"    // the body ends early
)

// The faults that do not pass by waiting: ErrUntrue.
const (
	FaultUnauthorized Fault = "unauthorized" // HTTP 401 or 403, wrong key
	FaultUnsupported  Fault = "unsupported"  // the method or data is not served
	FaultTooLarge     Fault = "too_large"    // endless, or a compression bomb
	FaultMalformed    Fault = "malformed"    // not JSON, not protobuf, wrong types, trailing bytes
	FaultMismatched   Fault = "mismatched"   // the answer to another request: wrong id, missing or extra item of a batch
	FaultRedirected   Fault = "redirected"   // it sends its caller elsewhere
	FaultWrongChain   Fault = "wrong_chain"  // another chain id or genesis
	FaultWrongBlock   Fault = "wrong_block"  // not the block that was asked for: height or hash
	FaultWrongParent  Fault = "wrong_parent" // it does not follow the block before it
	FaultHeader       Fault = "header"       // work, bits, time or form of the header
	FaultRoot         Fault = "root"         // transactions, receipts or witnesses are not those of the header
	FaultBloom        Fault = "bloom"        // the logs are not those of the header
	FaultMissing      Fault = "missing"      // an empty or short list where the header proves more
	FaultContents     Fault = "contents"     // well formed, and impossible: amounts, spends, order, traces that contradict receipts
	FaultFinality     Fault = "finality"     // the final block moved back, is above the head, or was replaced
)

// Transient reports a fault that may pass by waiting.
func (f Fault) Transient() bool {
	switch f {
	case FaultUnreachable, FaultTimeout, FaultBusy, FaultServerError, FaultLagging, FaultTruncated:
		return true
	}
	return false
}

// SourceError is a fault of one answer. It matches ErrUnavailable or ErrUntrue.
type SourceError struct {
	Fault   Fault
	Subject string // what was asked: "eth_getBlockReceipts of block 17"
	Detail  string // what was wanted and what came; never a key or a password
	Err     error  // its cause; may be nil
}

// Error prints subject, fault and detail.
func (e *SourceError) Error() string {
	s := fmt.Sprintf("%s: %s", e.Subject, e.Fault)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrUnavailable) or errors.Is(err, ErrUntrue) true.
func (e *SourceError) Is(target error) bool {
	if e.Fault.Transient() {
		return target == ErrUnavailable
	}
	return target == ErrUntrue
}

// Untrue returns a *SourceError.
func Untrue(f Fault, subject, detail string) error {
	return &SourceError{Fault: f, Subject: subject, Detail: detail}
}

// FaultOf returns the fault of an error, and false when it names none.
func FaultOf(err error) (Fault, bool) {
	var e *SourceError
	if errors.As(err, &e) {
		return e.Fault, true
	}
	return "", false
}
