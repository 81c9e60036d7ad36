package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// pursue prints a trace as it grows: lines for people, or one JSON object a line.
func (a *app) pursue(ctx context.Context, l *link, req *spoorv1.TraceRequest) error {
	stream, err := l.traces.StreamTrace(ctx, &spoorv1.StreamTraceRequest{Request: req, Follow: true})
	if err != nil {
		return err
	}
	show := a.pursueLine
	if a.output == "json" {
		show = func(e *spoorv1.TraceEvent) error { return render.JSONLine(a.out, e) }
	}
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errors.New("the server ended the trace")
		}
		if err == nil {
			err = show(event)
		}
		if err != nil {
			return err
		}
	}
}

func (a *app) pursueLine(event *spoorv1.TraceEvent) (err error) {
	switch e := event.GetEvent().(type) {
	case *spoorv1.TraceEvent_Progress:
		_, err = fmt.Fprintln(a.out, e.Progress.GetPhase())
	case *spoorv1.TraceEvent_Hop:
		err = render.HopLine(a.out, e.Hop, a.style)
	case *spoorv1.TraceEvent_Settlement:
		_, err = fmt.Fprintf(a.out, "%s  %s\n", e.Settlement.GetFinality(), strings.Join(e.Settlement.GetKeys(), " "))
	case *spoorv1.TraceEvent_Result:
		err = render.Places(a.out, e.Result, a.style)
	}
	return err
}
