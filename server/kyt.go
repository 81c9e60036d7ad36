package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/ledger"
)

// The KYT facade answers the paths of Chainalysis KYT v2 and address screening
// that exchanges' code calls, in their form: camelCase, amounts and dollars as
// JSON numbers, null for what is not known. It asks ScreeningService and adds
// no judgement; what that form cannot say is said by the services' own.

// kytCall is one request to the facade.
type kytCall struct {
	*gateway
	ctx    context.Context //nolint:containedctx // of one request
	holes  []string        // what stands in the path's variables
	body   []byte
	header metadata.MD // of the answer
}

// kytRoute is one path of the facade; "*" is a variable.
type kytRoute struct {
	method string
	path   string
	code   int // of success
	answer func(*kytCall) (any, error)
}

func kytRoutes() []kytRoute {
	return []kytRoute{
		{http.MethodPost, "/api/kyt/v2/users/*/transfers", http.StatusAccepted, (*kytCall).registerTransfer},
		{http.MethodPost, "/api/kyt/v2/users/*/withdrawal-attempts", http.StatusAccepted, (*kytCall).registerAttempt},
		{http.MethodGet, "/api/kyt/v2/transfers/*", http.StatusOK, (*kytCall).transfer},
		{http.MethodGet, "/api/kyt/v2/transfers/*/alerts", http.StatusOK, (*kytCall).transferAlerts},
		{http.MethodGet, "/api/kyt/v2/transfers/*/exposures", http.StatusOK, (*kytCall).transferExposures},
		{http.MethodGet, "/api/kyt/v2/withdrawal-attempts/*", http.StatusOK, (*kytCall).attempt},
		{http.MethodGet, "/api/kyt/v2/withdrawal-attempts/*/alerts", http.StatusOK, (*kytCall).attemptAlerts},
		{http.MethodGet, "/api/kyt/v2/withdrawal-attempts/*/exposures", http.StatusOK, (*kytCall).attemptExposures},
		{http.MethodGet, "/api/kyt/v2/categories", http.StatusOK, (*kytCall).categories},
		{http.MethodPost, "/api/risk/v2/entities", http.StatusCreated, (*kytCall).registerEntity},
		{http.MethodGet, "/api/risk/v2/entities/*", http.StatusOK, (*kytCall).entity},
	}
}

func (g *gateway) serveKYT(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, route := range kytRoutes() {
		holes, ok := fill(route.path, r.URL.EscapedPath())
		if !ok {
			continue
		}
		if route.method == r.Method {
			g.answerKYT(w, r, route, holes)
			return
		}
		allowed = append(allowed, route.method)
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(slices.Compact(allowed), ", "))
		writeKYTError(w, http.StatusMethodNotAllowed, r.Method+" is not among the methods of this path", nil)
		return
	}
	writeKYTError(w, http.StatusNotFound, "no such path", nil)
}

// fill compares a path with a template and returns what stands in its variables.
func fill(template, path string) (holes []string, ok bool) {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	for i := range want {
		if want[i] != "*" {
			if want[i] != have[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(have[i])
		if err != nil || value == "" {
			return nil, false
		}
		holes = append(holes, value)
	}
	return holes, true
}

func (g *gateway) answerKYT(w http.ResponseWriter, r *http.Request, route kytRoute, holes []string) {
	if !g.takeBody(w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	c := &kytCall{gateway: g, ctx: g.outgoing(r), holes: holes, body: body}
	var answer any
	if err == nil {
		answer, err = route.answer(c)
	}
	for name, values := range c.header {
		if name, ok := headerOut(name); ok && len(values) > 0 {
			w.Header().Set(name, values[0])
		}
	}
	if err != nil {
		s := status.Convert(toStatus(g.log, err))
		code := runtime.HTTPStatusFromCode(s.Code())
		setFailHeaders(w.Header(), code, s)
		writeKYTError(w, code, s.Message(), s)
		return
	}
	writeKYT(w, route.code, answer)
}

// kytError is an error as KYT writes it, with our reason beside it.
type kytError struct {
	Status  int    `json:"status"`
	Error   string `json:"error"`
	Message string `json:"message"`
	Reason  string `json:"reason,omitempty"`
}

func writeKYTError(w http.ResponseWriter, code int, text string, s *status.Status) {
	e := kytError{Status: code, Error: http.StatusText(code), Message: text}
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			e.Reason = info.GetReason()
		}
	}
	writeKYT(w, code, e)
}

func writeKYT(w http.ResponseWriter, code int, answer any) {
	text, err := json.Marshal(answer)
	if err != nil {
		code, text = http.StatusInternalServerError, []byte(`{"status":500,"error":"Internal Server Error","message":"`+internalText+`"}`)
	}
	w.Header().Set("Content-Type", typeJSON)
	w.WriteHeader(code)
	_, _ = w.Write(text)
}

// read takes the body into a request. Keys that the facade has no use for, such
// as assetPrice, are let through: the code that calls it sends them.
func (c *kytCall) read(into any) error {
	if err := json.Unmarshal(c.body, into); err != nil {
		return ledger.Invalid("body", "a JSON object of this path", err.Error())
	}
	return nil
}

// headers keeps what the answer says of rates.
func (c *kytCall) headers() grpc.CallOption { return grpc.Header(&c.header) }

// notFound is the answer to an id of the other kind.
func notFound(kind, id string) error {
	s, err := status.New(codes.NotFound, "no such "+kind).WithDetails(info("NOT_FOUND"), &errdetails.ResourceInfo{ResourceType: kind, ResourceName: id})
	if err != nil {
		return status.Error(codes.NotFound, "no such "+kind)
	}
	return s.Err()
}
