package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/spoortrace/spoor/ledger"
)

// requestKey is where the context of a call keeps the HTTP request that it is of.
type requestKey struct{}

func checkUnaryQuery(ctx context.Context, method string, req, res any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if err := checkQuery(ctx, method); err != nil {
		return err
	}
	return invoke(ctx, method, req, res, conn, opts...)
}

func checkStreamQuery(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if err := checkQuery(ctx, method); err != nil {
		return nil, err
	}
	return open(ctx, desc, conn, method, opts...)
}

// checkQuery refuses query parameters that the method does not have. The gateway
// leaves them out in silence, and a misspelt as_of would answer another question.
func checkQuery(ctx context.Context, method string) error {
	r, ok := ctx.Value(requestKey{}).(*http.Request)
	if !ok || r.URL.RawQuery == "" || strings.HasPrefix(r.URL.Path, "/api/") {
		return nil
	}
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")))
	if err != nil {
		return err
	}
	of, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		return nil
	}
	rule, _ := proto.GetExtension(of.Options(), annotations.E_Http).(*annotations.HttpRule)
	for key := range r.URL.Query() {
		if rule.GetBody() == "*" || key == rule.GetBody() || strings.HasPrefix(key, rule.GetBody()+".") && rule.GetBody() != "" || !names(of.Input(), key) {
			return toStatus(nil, ledger.Invalid("query", "parameters of "+string(of.Name()), fmt.Sprintf("%.100q", key)))
		}
	}
	return nil
}

// names says whether a dotted path names a field of a message.
func names(m protoreflect.MessageDescriptor, path string) bool {
	parts := strings.Split(path, ".")
	for i, part := range parts {
		field := m.Fields().ByTextName(part)
		if field == nil {
			field = m.Fields().ByJSONName(part)
		}
		if field == nil || i < len(parts)-1 && field.Message() == nil {
			return false
		}
		m = field.Message()
	}
	return true
}

// routes are the paths of the OpenAPI file with their methods.
type routes []route

type route struct {
	path    string // with {NAME} for any text without a slash
	methods []string
}

func readRoutes(openapi []byte) (routes, error) {
	var file struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(openapi, &file); err != nil {
		return nil, fmt.Errorf("rest: openapi file: %w", err)
	}
	var known routes
	for path, methods := range file.Paths {
		r := route{path: path}
		for method := range methods {
			r.methods = append(r.methods, strings.ToUpper(method))
		}
		slices.Sort(r.methods)
		known = append(known, r)
	}
	return known, nil
}

// allowed are the methods of a path, for the header Allow.
func (rs routes) allowed(path string) []string {
	var all []string
	for _, r := range rs {
		if matches(r.path, path) {
			all = append(all, r.methods...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// matches compares path segments; a template such as {id}:retract has one hole a segment.
func matches(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		head, rest, hole := strings.Cut(want[i], "{")
		_, tail, _ := strings.Cut(rest, "}")
		if !hole && want[i] != have[i] || hole && (len(have[i]) <= len(head)+len(tail) || !strings.HasPrefix(have[i], head) || !strings.HasSuffix(have[i], tail)) {
			return false
		}
	}
	return true
}
