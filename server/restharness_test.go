package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// web serves a server over HTTP until the test ends, and returns where.
func web(t testing.TB, s *server.Server, trust server.Trust) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.ServeREST(ctx, l, trust) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve REST: %v", err)
		}
	})
	scheme := "http://"
	if trust.TLS != nil {
		scheme = "https://"
	}
	return scheme + l.Addr().String()
}

// reply is what came back over HTTP.
type reply struct {
	code   int
	header http.Header
	body   []byte
}

func (r reply) status(t testing.TB) *status.Status {
	t.Helper()
	m := &statuspb.Status{}
	if err := protojson.Unmarshal(r.body, m); err != nil {
		t.Fatalf("%d %s is no status: %v", r.code, r.body, err)
	}
	return status.FromProto(m)
}

func called(t testing.TB, method, url, body string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	got, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return reply{res.StatusCode, res.Header, got}
}

// hole is a variable of a path.
var hole = regexp.MustCompile(`\{([a-z0-9_.]+)(=[^}]*)?\}`)

// transcode writes a request as google.api.http says: method, path with query, body.
func transcode(t testing.TB, d protoreflect.MethodDescriptor, m proto.Message) (method, target, body string) {
	t.Helper()
	rule, ok := proto.GetExtension(d.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule.GetPattern() == nil {
		t.Fatalf("%s has no path", d.FullName())
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	fields := map[string]any{}
	if err = errors.Join(err, json.Unmarshal(raw, &fields)); err != nil {
		t.Fatal(err)
	}
	flat := url.Values{}
	flatten("", fields, flat)
	method, path := pattern(rule)
	target = hole.ReplaceAllStringFunc(path, func(text string) string {
		name := hole.FindStringSubmatch(text)
		value := flat.Get(name[1])
		flat.Del(name[1])
		delete(fields, name[1])
		if name[2] != "" {
			return value
		}
		return url.PathEscape(value)
	})
	switch {
	case rule.GetBody() == "*":
		text, _ := json.Marshal(fields)
		return method, target, string(text)
	case rule.GetBody() != "":
		text, _ := json.Marshal(fields[rule.GetBody()])
		if fields[rule.GetBody()] == nil {
			text = nil
		}
		for name := range flat {
			if strings.HasPrefix(name, rule.GetBody()+".") {
				flat.Del(name)
			}
		}
		body = string(text)
	}
	if len(flat) > 0 {
		target += "?" + flat.Encode()
	}
	return method, target, body
}

func pattern(rule *annotations.HttpRule) (method, path string) {
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return http.MethodGet, p.Get
	case *annotations.HttpRule_Post:
		return http.MethodPost, p.Post
	case *annotations.HttpRule_Put:
		return http.MethodPut, p.Put
	case *annotations.HttpRule_Patch:
		return http.MethodPatch, p.Patch
	case *annotations.HttpRule_Delete:
		return http.MethodDelete, p.Delete
	}
	return "", ""
}

func flatten(prefix string, fields map[string]any, into url.Values) {
	for name, value := range fields {
		switch value := value.(type) {
		case map[string]any:
			flatten(prefix+name+".", value, into)
		case []any:
			for _, v := range value {
				into.Add(prefix+name, fmt.Sprint(v))
			}
		default:
			into.Set(prefix+name, fmt.Sprint(value))
		}
	}
}

// outcome is what a method answered: its messages, then its error if any.
type outcomes struct {
	messages []proto.Message
	err      *status.Status
}

// overGRPC calls a method with one message, and shows headers.
func overGRPC(t testing.TB, c *client, m method, req proto.Message, headers ...string) (o outcomes) {
	t.Helper()
	s, err := c.conn.NewStream(with(t.Context(), headers...), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, m.name)
	if err == nil {
		err = s.SendMsg(req)
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = s.CloseSend()
	}
	for err == nil {
		answer := fresh(t, m.desc.Output())
		if err = s.RecvMsg(answer); err == nil {
			o.messages = append(o.messages, answer)
		}
	}
	if !errors.Is(err, io.EOF) {
		o.err = status.Convert(err)
	}
	return o
}

// overREST sends the same as HTTP.
func overREST(t testing.TB, base string, m method, req proto.Message, headers ...string) (o outcomes, r reply) {
	t.Helper()
	how, target, body := transcode(t, m.desc, req)
	r = called(t, how, base+target, body, headers...)
	switch {
	case r.code >= 400:
		o.err = r.status(t)
	case m.desc.IsStreamingServer():
		o.messages, o.err = lines(t, r.body, m.desc.Output())
	default:
		answer := fresh(t, m.desc.Output())
		if err := protojson.Unmarshal(r.body, answer); err != nil {
			t.Fatalf("%s: %s: %v", m.name, r.body, err)
		}
		o.messages = []proto.Message{answer}
	}
	return o, r
}

// lines reads a stream of JSON lines.
func lines(t testing.TB, body []byte, of protoreflect.MessageDescriptor) (all []proto.Message, failed *status.Status) {
	t.Helper()
	in := bufio.NewScanner(bytes.NewReader(body))
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var line struct{ Result, Error json.RawMessage }
		if err := json.Unmarshal(in.Bytes(), &line); err != nil || failed != nil {
			t.Fatalf("line %s after %v: %v", in.Bytes(), failed, err)
		}
		if line.Error != nil {
			m := &statuspb.Status{}
			if err := protojson.Unmarshal(line.Error, m); err != nil {
				t.Fatal(err)
			}
			failed = status.FromProto(m)
			continue
		}
		m := fresh(t, of)
		if err := protojson.Unmarshal(line.Result, m); err != nil {
			t.Fatalf("line %s: %v", in.Bytes(), err)
		}
		all = append(all, m)
	}
	return all, failed
}

func fresh(t testing.TB, d protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return kind.New().Interface()
}

// ageless clears what the clock changes between two answers.
func ageless(m protoreflect.Message) {
	if a, ok := m.Interface().(*spoorv1.AsOf); ok {
		a.Lag = nil
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			for i := range v.List().Len() {
				ageless(v.List().Get(i).Message())
			}
		default:
			ageless(v.Message())
		}
		return true
	})
}

func (o outcomes) same(t *testing.T, name string, rest outcomes) {
	t.Helper()
	if o.err.Code() != rest.err.Code() || o.err.Message() != rest.err.Message() || len(o.err.Details()) != len(rest.err.Details()) {
		t.Errorf("%s: REST ends with %v, gRPC with %v", name, rest.err, o.err)
	}
	if len(o.messages) != len(rest.messages) {
		t.Errorf("%s: %d messages over REST, %d over gRPC", name, len(rest.messages), len(o.messages))
		return
	}
	for i := range o.messages {
		ageless(o.messages[i].ProtoReflect())
		ageless(rest.messages[i].ProtoReflect())
		if !proto.Equal(o.messages[i], rest.messages[i]) {
			t.Errorf("%s: message %d\nREST %v\ngRPC %v", name, i, rest.messages[i], o.messages[i])
		}
	}
}
