package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// The exit statuses.
const (
	statusDone    = 0
	statusFailed  = 1
	statusUsage   = 2
	statusForeign = 3
	statusPartial = 4
)

// usageError is a call that cannot be meant as it was written.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// partialError says that the work is done and its result printed, but that
// something is missing from it.
type partialError struct{ why string }

func (e *partialError) Error() string { return e.why }

// hintedError adds what to do next.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }

// report prints an error as "spoor: what: why" and a hint, and returns the exit status.
func report(w io.Writer, what string, err error) int {
	text := err.Error()
	if s := statusOf(err); s != nil {
		text = s.Message()
	}
	if what != "" {
		text = what + ": " + text
	}
	fmt.Fprintf(w, "spoor: %s\n", render.Clean(strings.Join(strings.Fields(text), " ")))
	for _, c := range candidates(err) {
		fmt.Fprintf(w, "  %s\n", c)
	}
	if hint := hintOf(err, what); hint != "" {
		fmt.Fprintf(w, "hint: %s\n", hint)
	}
	return exitStatus(err)
}

func exitStatus(err error) int {
	var usage *usageError
	var partial *partialError
	switch reason := reasonOf(err); {
	case errors.As(err, &partial):
		return statusPartial
	case errors.Is(err, ledger.ErrForeign), errors.Is(err, ledger.ErrNewer), reason == "WRONG_NETWORK", reason == "NEWER_FORMAT",
		reason == "SOURCE_UNTRUE", reason == "DEEP_REORG":
		return statusForeign
	case errors.As(err, &usage), errors.Is(err, ledger.ErrInvalid), reason == "AMBIGUOUS", codeOf(err) == codes.InvalidArgument:
		return statusUsage
	}
	return statusFailed
}

// reasonOf returns the reason in the details of a service's error.
func reasonOf(err error) string {
	for _, d := range details(err) {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// statusOf returns what a service answered, however it is wrapped here; nil
// when the error is of this process.
func statusOf(err error) *status.Status {
	var answer interface{ GRPCStatus() *status.Status }
	if errors.As(err, &answer) {
		return answer.GRPCStatus()
	}
	return nil
}

// codeOf is the code of a service's error; OK when it is of this process.
func codeOf(err error) codes.Code { return statusOf(err).Code() }

func details(err error) []any { return statusOf(err).Details() }

// candidates lists the payments that an ambiguous REF may mean.
func candidates(err error) []string {
	var lines []string
	for _, d := range details(err) {
		if a, ok := d.(*spoorv1.AmbiguousRef); ok {
			for _, c := range a.GetCandidates() {
				lines = append(lines, render.Candidate(c))
			}
		}
	}
	return lines
}

func hintOf(err error, what string) string {
	var hinted *hintedError
	var usage *usageError
	switch {
	case errors.As(err, &hinted):
		return hinted.hint
	case errors.As(err, &usage):
		return strings.TrimSpace("spoor "+what) + " --help"
	case errors.Is(err, context.Canceled), codeOf(err) == codes.Canceled:
		return "interrupted; what was in force before still is, and the command may be repeated"
	case errors.Is(err, ledger.ErrBusy):
		return "wait until that process ends, or stop it"
	case errors.Is(err, ledger.ErrForeign), reasonOf(err) == "WRONG_NETWORK":
		return "name another directory with --data, or the right --network"
	case errors.Is(err, ledger.ErrNewer), reasonOf(err) == "NEWER_FORMAT":
		return "use the version of spoor that wrote it, or a later one"
	case errors.Is(err, ledger.ErrCorrupt), reasonOf(err) == "CORRUPT":
		return "spoor index verify says what is damaged; ingest into a fresh --data directory, or restore a copy"
	}
	switch reasonOf(err) {
	case "AMBIGUOUS":
		return "name one of them, or the payee: NETWORK:TX:ADDRESS"
	case "NOT_IN_BLOCKCHAIN":
		if strings.HasPrefix(what, "labels") {
			return "spoor labels show NETWORK:ADDRESS prints the ids of its labels"
		}
		return "spoor index status says what is held"
	case "SOURCE_UNTRUE":
		return "nothing of that answer was stored; check --network and the node, or name another with a second --node"
	case "SOURCE_UNAVAILABLE":
		return "check the node's address and that it runs; several --node stand in for each other"
	case "DEEP_REORG":
		return "ALARM: the node's chain is not the one that was indexed, below the reorg bound; find out which of the two is wrong before anything else"
	case "EXCEEDED_RATE_LIMIT":
		return "ask for less, or again in a few seconds"
	}
	switch codeOf(err) {
	case codes.Unauthenticated:
		return "name the file of your key with --key-file, or put the key into SPOOR_KEY; spoor key new makes one on the server's machine"
	case codes.PermissionDenied:
		return "work on the data directory itself, or ask for a key or a listener that grants more (spoor key new, spoor serve --role)"
	case codes.Unavailable:
		return "nobody answers: check --server, or repeat the command if it was on a data directory"
	default:
		return ""
	}
}

// commandName is the command as it was called, without the program.
func commandName(cmd *cobra.Command) string {
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	return name
}
