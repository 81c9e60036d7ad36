package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// TestStatuses: what a caller should do with an error is what its code says,
// however deep the sentinel lies; an error without one tells nothing of the inside.
func TestStatuses(t *testing.T) {
	var log strings.Builder
	for _, test := range []struct {
		err    error
		code   codes.Code
		reason string
	}{
		{ledger.ErrNotFound, codes.NotFound, "NOT_IN_BLOCKCHAIN"},
		{ledger.ErrInvalid, codes.InvalidArgument, "INVALID_ARGUMENT"},
		{ledger.Invalid("address", "x", "y"), codes.InvalidArgument, "INVALID_ADDRESS"},
		{ledger.Invalid("asset", "x", "y"), codes.InvalidArgument, "UNSUPPORTED_ASSET"},
		{ledger.ErrAmbiguous, codes.InvalidArgument, "AMBIGUOUS"},
		{&tracer.AmbiguousError{Ref: "x"}, codes.InvalidArgument, "AMBIGUOUS"},
		{ledger.ErrUnsupportedAsset, codes.InvalidArgument, "UNSUPPORTED_ASSET"},
		{ledger.ErrPrecondition, codes.FailedPrecondition, "FAILED_PRECONDITION"},
		{ledger.ErrForeign, codes.FailedPrecondition, "WRONG_NETWORK"},
		{ledger.ErrNewer, codes.FailedPrecondition, "NEWER_FORMAT"},
		{ledger.ErrBusy, codes.Unavailable, "IN_USE"},
		{ledger.ErrExhausted, codes.ResourceExhausted, "EXCEEDED_RATE_LIMIT"},
		{ledger.ErrCorrupt, codes.DataLoss, "CORRUPT"},
		{ledger.ErrOverflow, codes.DataLoss, "CORRUPT"},
		{context.Canceled, codes.Canceled, ""},
		{context.DeadlineExceeded, codes.DeadlineExceeded, ""},
		{errors.New("open /home/x/secret"), codes.Internal, ""},
	} {
		got := toStatus(slog.New(slog.NewTextHandler(&log, nil)), fmt.Errorf("server: %w", errors.Join(fmt.Errorf("call: %w", test.err))))
		reason := ""
		for _, d := range status.Convert(got).Details() {
			if i, ok := d.(*errdetails.ErrorInfo); ok {
				reason = i.GetReason()
			}
		}
		if status.Code(got) != test.code || reason != test.reason {
			t.Errorf("%v: got %s, %q, want %s, %q", test.err, status.Code(got), reason, test.code, test.reason)
		}
		if strings.Contains(got.Error(), "secret") {
			t.Errorf("%v: the client hears %v", test.err, got)
		}
	}
	if !strings.Contains(log.String(), "secret") {
		t.Errorf("the log has not what the client was not told: %s", log.String())
	}
	if err := toStatus(slog.Default(), nil); err != nil {
		t.Errorf("no error is %v", err)
	}
}

// TestUploadSize: a label file ends at 200 MiB, counted over its pieces.
func TestUploadSize(t *testing.T) {
	u := &upload{name: "a.csv", size: maxLabelFile - 2, out: bufio.NewWriter(io.Discard)}
	if err := u.write([]byte("xy")); err != nil {
		t.Errorf("the last bytes of 200 MiB: %v", err)
	}
	if err := u.write([]byte("z")); !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), "at most 200 MiB") {
		t.Errorf("one byte more: %v", err)
	}
}

// TestCursor: a token gives back the numbers that it was made of, of its own query only.
func TestCursor(t *testing.T) {
	p := pager{key: []byte("key")}
	for _, want := range [][]uint64{{}, {0}, {1, 1 << 63, ^uint64(0)}, {5, 4, 3, 2, 1}} {
		token := p.token("query", want...)
		got, err := p.cursor("query", token, len(want))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) && len(want) > 0 {
			t.Errorf("%v: got %v, %v", want, got, err)
		}
		for name, read := range map[string]func() ([]uint64, error){
			"another query": func() ([]uint64, error) { return p.cursor("query ", token, len(want)) },
			"another key":   func() ([]uint64, error) { return pager{[]byte("kez")}.cursor("query", token, len(want)) },
			"one too many":  func() ([]uint64, error) { return p.cursor("query", token, len(want)+1) },
		} {
			if got, err := read(); !errors.Is(err, ledger.ErrInvalid) {
				t.Errorf("%v, %s: got %v, %v", want, name, got, err)
			}
		}
	}
}
