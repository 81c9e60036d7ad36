package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// maxGiven is what a server takes, less what else is in the request.
const maxGiven = 4<<20 - 1<<10

// givenTrace reads an argument that is a trace: the name of one at a server, or
// a file of JSON. Neither of them: it is something else.
func givenTrace(arg string) (name string, t *spoorv1.Trace, err error) {
	if strings.HasPrefix(arg, "traces/") {
		return arg, nil, nil
	}
	raw, err := os.ReadFile(arg)
	if err != nil {
		return "", nil, &usageError{err}
	}
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return "", nil, nil
	}
	t = &spoorv1.Trace{}
	if err := protojson.Unmarshal(raw, t); err != nil {
		return "", nil, fmt.Errorf("%s: %w", arg, ledger.Invalid("trace", "what spoor trace -o json wrote", err.Error()))
	}
	if size := proto.Size(t); size > maxGiven {
		return "", nil, fmt.Errorf("%s: %w", arg, ledger.Invalid("trace", "at most 4 MiB as a message; without --all-policies it is smaller", strconv.Itoa(size)+" bytes"))
	}
	return "", t, nil
}

func (a *app) verifyTrace(cmd *cobra.Command, name string, t *spoorv1.Trace) error {
	for _, flag := range []string{"public-key", "signature", "authority", "token", "full", "previous"} {
		if cmd.Flags().Changed(flag) {
			return &usageError{fmt.Errorf("--%s: is about packages; a trace has none", flag)}
		}
	}
	l, err := a.connect(cmd.Context(), false)
	if err != nil {
		return err
	}
	v, err := l.traces.VerifyTrace(cmd.Context(), &spoorv1.VerifyTraceRequest{Name: name, Trace: t})
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	if err := print(a, v, render.VerifiedTrace, render.VerifiedTraceCSV); err != nil {
		return err
	}
	switch v.GetVerdict() {
	case "NOT_COMPARABLE":
		return fmt.Errorf("the trace cannot be compared: %s", v.GetReason())
	case "DIFFERENT":
		return fmt.Errorf("%d of %d fields come out otherwise: %w", v.GetFound(), v.GetCompared(), ledger.ErrCorrupt)
	}
	return nil
}
