package server

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// writeError is the answer to every request that failed: the google.rpc.Status
// as JSON, with the HTTP code that stands for its code.
func (g *gateway) writeError(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	if md, ok := runtime.ServerMetadataFromContext(ctx); ok {
		for name, values := range md.HeaderMD {
			if name, ok := headerOut(name); ok && len(values) > 0 {
				w.Header().Set(name, values[0])
			}
		}
	}
	var malformed *runtime.HTTPStatusError
	if errors.As(err, &malformed) {
		g.fail(w, malformed.HTTPStatus, statusOf(codes.InvalidArgument, "INVALID_ARGUMENT", malformed.Err.Error()))
		return
	}
	s := status.Convert(err)
	g.fail(w, runtime.HTTPStatusFromCode(s.Code()), s)
}

// fail writes a status under an HTTP code.
func (g *gateway) fail(w http.ResponseWriter, code int, s *status.Status) {
	text, err := messageJSON(s.Proto())
	if err != nil { // a detail of a type that is not known here
		text, _ = messageJSON(status.New(s.Code(), s.Message()).Proto())
	}
	setFailHeaders(w.Header(), code, s)
	w.WriteHeader(code)
	_, _ = w.Write(text) //nolint:gosec // JSON, and declared as such with nosniff
}

func setFailHeaders(h http.Header, code int, s *status.Status) {
	h.Set("Content-Type", typeJSON)
	h.Del("Trailer")
	h.Del("Transfer-Encoding")
	if code == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="spoor"`)
	}
	for _, d := range s.Details() {
		if retry, ok := d.(*errdetails.RetryInfo); ok && h.Get("Retry-After") == "" {
			h.Set("Retry-After", strconv.Itoa(int(math.Ceil(retry.GetRetryDelay().AsDuration().Seconds()))))
		}
	}
}

// noRoute answers for paths and methods that do not exist.
func (g *gateway) noRoute(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	switch code {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", strings.Join(g.routes.allowed(r.URL.EscapedPath()), ", "))
		g.fail(w, code, statusOf(codes.Unimplemented, "METHOD_NOT_ALLOWED", r.Method+" is not among the methods of this path"))
		return
	case http.StatusBadRequest:
		g.fail(w, code, statusOf(codes.InvalidArgument, "INVALID_ARGUMENT", "a path that is not percent-encoded as it should be"))
		return
	}
	text := "no such path; /openapi.json lists them"
	if strings.HasPrefix(r.URL.Path, "/v1/cases/") {
		text += "; the slash of a case's number is written %2F, or use its id"
	}
	g.fail(w, http.StatusNotFound, statusOf(codes.NotFound, "NO_SUCH_PATH", text))
}

func statusOf(code codes.Code, reason, text string) *status.Status {
	s, err := status.New(code, text).WithDetails(info(reason))
	if err != nil {
		return status.New(code, text)
	}
	return s
}
