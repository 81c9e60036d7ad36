package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// longest lines of a body, in bytes: one address with its question, and one
// piece of a file (1 MiB in base64).
const (
	maxQuestionLine = 64 << 10
	maxPieceLine    = 2 << 20
)

// lineReader reads JSON lines into messages, one at a time.
type lineReader struct {
	lines *bufio.Scanner
	line  int // number of the last line, from 1
}

func newLineReader(r io.Reader, longest int) *lineReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longest)
	return &lineReader{lines: lines}
}

// next reads the next line that is not blank into m; io.EOF after the last. A
// line that is no such message is an InvalidError with its number.
func (l *lineReader) next(m proto.Message) error {
	for l.lines.Scan() {
		l.line++
		text := bytes.TrimSpace(l.lines.Bytes())
		if len(text) == 0 {
			continue
		}
		if err := protojson.Unmarshal(text, m); err != nil {
			return ledger.Invalid(fmt.Sprintf("line %d", l.line), "a JSON object "+string(m.ProtoReflect().Descriptor().Name()), err.Error())
		}
		return nil
	}
	err := l.lines.Err()
	switch {
	case err == nil:
		return io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		return ledger.Invalid(fmt.Sprintf("line %d", l.line+1), "a shorter line", "one that is too long")
	}
	return ledger.Invalid(fmt.Sprintf("line %d", l.line+1), "the rest of the body", "an end before its time")
}

// screenLines answers ScreenAddresses: a ScreenAddressRequest a line in, one
// {"result": ScreenAddressesResponse} a line out, each as soon as it is known. A
// client that stops reading stops being read. The stream ends with a line
// {"error": google.rpc.Status} where it could not go on.
func (g *gateway) screenLines(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // HTTP/2 and a test's recorder are so already
	ctx, cancel := context.WithCancel(g.outgoing(r))
	defer cancel()
	stream, err := g.screening.ScreenAddresses(ctx)
	if err != nil {
		g.writeError(ctx, g.mux, g.codec, w, r, err)
		return
	}
	var all errgroup.Group
	all.Go(func() error {
		defer func() { _ = stream.CloseSend() }()
		return sendQuestions(newLineReader(r.Body, maxQuestionLine), stream)
	})
	out := &lineWriter{gateway: g, w: w, control: control}
	if err = out.copy(stream); err == nil {
		err = toStatus(g.log, all.Wait()) // the lines before a bad one are answered first
	}
	cancel()
	switch {
	case err != nil:
		out.end(err, r)
	case !out.began:
		w.Header().Set("Content-Type", typeLines) // of no lines
	}
	_ = control.Flush()
	timed, ok := r.Body.(*timedBody)
	if ok {
		timed.limit(time.Now().Add(restTime)) // or a sender that waits for its client's next line would stay
	}
	_ = all.Wait()
	if ok {
		timed.idle()
	}
	endBody(control, r)
}

// What is left of a body may be read for so long, and up to so many bytes, when
// its stream has ended.
const (
	restTime  = time.Second
	restBytes = 256 << 10
)

// endBody reads what a client still sends over HTTP/1.1, or cuts it off: in full
// duplex net/http does neither before it takes the next request from the
// connection, and panics on what it finds there.
func endBody(control *http.ResponseController, r *http.Request) {
	if r.ProtoMajor != 1 {
		return
	}
	_, err := io.CopyN(io.Discard, r.Body, restBytes)
	if !errors.Is(err, io.EOF) || r.Context().Err() != nil {
		_ = control.Flush() // the answer is whole by now
		panic(http.ErrAbortHandler)
	}
}

// sendQuestions sends every line. The stream itself knows why it cannot be sent to.
func sendQuestions(in *lineReader, stream spoorv1.ScreeningService_ScreenAddressesClient) error {
	for {
		m := &spoorv1.ScreenAddressRequest{}
		err := in.next(m)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&spoorv1.ScreenAddressesRequest{Request: m}); err != nil {
			return nil //nolint:nilerr // Recv returns the reason
		}
	}
}

// lineWriter writes the messages of a stream, one a line.
type lineWriter struct {
	gateway *gateway
	w       http.ResponseWriter
	control *http.ResponseController
	began   bool
}

// copy writes until the stream ends; nil: as it should.
func (o *lineWriter) copy(stream spoorv1.ScreeningService_ScreenAddressesClient) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !o.began {
			o.headers(stream)
		}
		text, err := lineJSON("result", m)
		if err != nil {
			return err
		}
		if _, err := o.w.Write(append(text, '\n')); err != nil {
			return err
		}
		if err := o.control.Flush(); err != nil {
			return err
		}
	}
}

func (o *lineWriter) headers(stream spoorv1.ScreeningService_ScreenAddressesClient) {
	o.began = true
	o.w.Header().Set("Content-Type", typeLines)
	md, _ := stream.Header()
	for name, values := range md {
		if name, ok := headerOut(name); ok && len(values) > 0 {
			o.w.Header().Set(name, values[0])
		}
	}
}

// end says why there is no more: as an answer of its own before the first line,
// as the last line after it.
func (o *lineWriter) end(err error, r *http.Request) {
	if !o.began {
		o.gateway.writeError(r.Context(), o.gateway.mux, o.gateway.codec, o.w, r, err)
		return
	}
	text, failed := lineJSON("error", status.Convert(err).Proto())
	if failed == nil {
		_, _ = o.w.Write(append(text, '\n'))
	}
}

// importLines answers ImportLabels: an ImportLabelsRequest a line in, one answer.
func (g *gateway) importLines(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(g.outgoing(r))
	defer cancel()
	answer, err := g.importLabels(ctx, newLineReader(r.Body, maxPieceLine))
	if err != nil {
		g.writeError(ctx, g.mux, g.codec, w, r, err)
		return
	}
	runtime.ForwardResponseMessage(ctx, g.mux, g.codec, w, r, answer)
}

func (g *gateway) importLabels(ctx context.Context, in *lineReader) (*spoorv1.ImportLabelsResponse, error) {
	stream, err := g.labels.ImportLabels(ctx)
	if err != nil {
		return nil, err
	}
	for {
		m := &spoorv1.ImportLabelsRequest{}
		err := in.next(m)
		if errors.Is(err, io.EOF) {
			return stream.CloseAndRecv()
		}
		if err != nil {
			return nil, toStatus(g.log, err)
		}
		if err := stream.Send(m); err != nil {
			return stream.CloseAndRecv() // which returns why
		}
	}
}
