package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// content types of answers.
const (
	typeJSON  = "application/json"
	typeLines = "application/x-ndjson"
)

// restCodec is JSON as the command line writes it: the protobuf mapping with
// proto field names and without the blanks that protojson varies, so that the
// same answer has the same bytes. What it reads is strict: an unknown or
// repeated key and anything after the value is an error.
type restCodec struct{ runtime.JSONPb }

func newRestCodec() *restCodec { return &restCodec{} }

// ContentType is that of a single answer.
func (c *restCodec) ContentType(any) string { return typeJSON }

// StreamContentType is that of a stream: a message a line.
func (c *restCodec) StreamContentType(any) string { return typeLines }

// Marshal takes a message, or what the gateway makes of one message of a stream:
// a map with the key "result" or "error".
func (c *restCodec) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case proto.Message:
		return messageJSON(v)
	case map[string]any:
		if m, ok := v["result"].(proto.Message); ok {
			return lineJSON("result", m)
		}
	case map[string]proto.Message:
		return lineJSON("error", v["error"])
	}
	return nil, fmt.Errorf("rest: no JSON form of a %T", v)
}

// NewDecoder reads all of a body, which the guard has bounded.
func (c *restCodec) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		body, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(body)) == 0 {
			return io.EOF
		}
		var whole json.RawMessage // or what comes after the value would be left out in silence
		if err := json.Unmarshal(body, &whole); err != nil {
			return err
		}
		return c.Unmarshal(whole, v)
	})
}

// NewEncoder is Marshal onto a writer.
func (c *restCodec) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		text, err := c.Marshal(v)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
}

func messageJSON(m proto.Message) ([]byte, error) {
	raw, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(len(raw))
	err = json.Compact(&b, raw)
	return b.Bytes(), err
}

// lineJSON is one line of a stream, without its end.
func lineJSON(key string, m proto.Message) ([]byte, error) {
	text, err := messageJSON(m)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `{%q:%s}`, key, text), nil
}
