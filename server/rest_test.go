package server_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/access"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// restQuestions are requests that have an answer in newWorld, by method.
func restQuestions() map[string][]proto.Message {
	pay := ref("bitcoin", "pay", ":0")
	trace := &spoorv1.TraceRequest{Refs: []string{pay}}
	return map[string][]proto.Message{
		"LookupTransaction": {&spoorv1.LookupTransactionRequest{Ref: ref("bitcoin", "mix", "")}, &spoorv1.LookupTransactionRequest{Ref: "bitcoin:00"}},
		"LookupAddress": {
			&spoorv1.LookupAddressRequest{Address: named("tron", "m").String(), PageSize: 2},
			&spoorv1.LookupAddressRequest{Address: "tron:" + named("tron", "m").String(), PageSize: 2},
		},
		"GetCluster":         {&spoorv1.GetClusterRequest{Address: "bitcoin:" + named("bitcoin", "x").String()}},
		"ListClusterMembers": {&spoorv1.ListClusterMembersRequest{Address: "bitcoin:" + named("bitcoin", "x").String()}},
		"StreamTrace":        {&spoorv1.StreamTraceRequest{Request: trace}, &spoorv1.StreamTraceRequest{Request: &spoorv1.TraceRequest{Refs: []string{"tron:00"}}}},
		"GetTrace":           {&spoorv1.GetTraceRequest{Name: "traces/none"}},
		"IndexStatus":        {&spoorv1.IndexStatusRequest{}, &spoorv1.IndexStatusRequest{Network: "dogecoin"}},
		"VerifyIndex":        {&spoorv1.VerifyIndexRequest{Network: "bitcoin"}},
		"ExportIndex":        {&spoorv1.ExportIndexRequest{Network: "tron"}},
		"ListLabels":         {&spoorv1.ListLabelsRequest{Address: "bitcoin:" + named("bitcoin", "a").String(), PageSize: 3}},
		"ScreenAddress":      {&spoorv1.ScreenAddressRequest{Address: "bitcoin:" + named("bitcoin", "a").String(), MaxLagSeconds: 7}},
		"RegisterTransfer": {&spoorv1.RegisterTransferRequest{
			UserId: "a/b %?#", Network: "bitcoin", TransferReference: "x:0", Direction: "RECEIVED",
		}},
		"ListAlerts":   {&spoorv1.ListAlertsRequest{Statuses: []string{"FLAGGED", "CLOSED"}, PageSize: 5}},
		"RetractLabel": {&spoorv1.RetractLabelRequest{Id: "none"}},
	}
}

// TestRESTEqualsGRPC sends every method its questions, and an empty one, over
// both, and wants the same messages and the same errors.
func TestRESTEqualsGRPC(t *testing.T) {
	c := local(t, newWorld(t))
	base := web(t, c.server, server.LocalTrust())
	asked := restQuestions()
	for _, m := range methods(t) {
		requests := append([]proto.Message{fresh(t, m.desc.Input())}, asked[string(m.desc.Name())]...)
		for i, req := range requests {
			how, target, _ := transcode(t, m.desc, req)
			if strings.Contains(target, "//") || strings.HasSuffix(target, "/") || strings.Contains(target, "/:") {
				continue // a path without its id is another path
			}
			if m.name == spoorv1.ScreeningService_WatchAlerts_FullMethodName {
				continue // it does not end
			}
			name := fmt.Sprintf("%s %d (%s %s)", m.name, i, how, target)
			want := overGRPC(t, c, m, req)
			got, r := overREST(t, base, m, req)
			if m.desc.IsStreamingClient() && i == 0 {
				continue // no line is not an empty message
			}
			want.same(t, name, got)
			if want.err == nil && m.desc.IsStreamingServer() && r.header.Get("Content-Type") != "application/x-ndjson" {
				t.Errorf("%s: content type %s", name, r.header.Get("Content-Type"))
			}
		}
	}
}

// TestRESTTrace starts a trace over REST and reads it over both.
func TestRESTTrace(t *testing.T) {
	c := local(t, newWorld(t))
	base := web(t, c.server, server.LocalTrust())
	r := called(t, "POST", base+"/v1/traces?request_id=one", `{"refs":["`+ref("bitcoin", "pay", ":0")+`"],"policy":"fifo","min_value":"0u"}`)
	begun := &spoorv1.Trace{}
	if err := protojson.Unmarshal(r.body, begun); r.code != 200 || err != nil {
		t.Fatalf("%d %s: %v", r.code, r.body, err)
	}
	want := c.finished(t, begun.GetName())
	r = called(t, "GET", base+"/v1/"+begun.GetName(), "")
	got := &spoorv1.Trace{}
	if err := protojson.Unmarshal(r.body, got); r.code != 200 || err != nil {
		t.Fatalf("%d %s: %v", r.code, r.body, err)
	}
	ageless(want.ProtoReflect())
	ageless(got.ProtoReflect())
	if !proto.Equal(want, got) || len(got.GetHops()) == 0 {
		t.Errorf("REST %v\ngRPC %v", got, want)
	}
	if again := called(t, "GET", base+"/v1/"+begun.GetName(), ""); !bytes.Equal(again.body, r.body) && !strings.Contains(string(r.body), `"lag"`) {
		t.Errorf("the same question has other bytes:\n%s\n%s", r.body, again.body)
	}
	if !bytes.Contains(r.body, []byte(`"accounts_with_assumed_opening"`)) {
		t.Errorf("field names are not those of the proto files: %s", r.body)
	}
}

// TestRESTBadInput: what is wrong with a request is said, in one form.
func TestRESTBadInput(t *testing.T) {
	c := local(t, newWorld(t))
	base := web(t, c.server, server.LocalTrust())
	large := `{"refs":["` + strings.Repeat("x", 5<<20) + `"]}`
	tests := []struct {
		name, method, path, body string
		code                     int
		grpc                     codes.Code
		text                     string
		headers                  []string
	}{
		{"no path", "GET", "/v1/nothing", "", 404, codes.NotFound, "/openapi.json", nil},
		{"another method", "DELETE", "/v1/index", "", 405, codes.Unimplemented, "DELETE", nil},
		{"another method of a verb", "GET", "/v1/keys/00/x:revoke", "", 404, codes.NotFound, "", nil},
		{"an unknown parameter", "GET", "/v1/index?net_work=bitcoin", "", 400, codes.InvalidArgument, "net_work", nil},
		{"a parameter twice", "GET", "/v1/index?network=a&network=b", "", 400, codes.InvalidArgument, "", nil},
		{"a parameter of the body", "POST", "/v1/traces?request.refs=x", `{"refs":["a"]}`, 400, codes.InvalidArgument, "request.refs", nil},
		{"no JSON", "POST", "/v1/traces", `refs=a`, 400, codes.InvalidArgument, "", nil},
		{"half of it", "POST", "/v1/traces", `{"refs":["a"`, 400, codes.InvalidArgument, "", nil},
		{"more after it", "POST", "/v1/traces", `{"refs":["a"]} {}`, 400, codes.InvalidArgument, "", nil},
		{"a key twice", "POST", "/v1/traces", `{"refs":["a"],"refs":["b"]}`, 400, codes.InvalidArgument, "refs", nil},
		{"an unknown key", "POST", "/v1/traces", `{"reffs":["a"]}`, 400, codes.InvalidArgument, "reffs", nil},
		{"no body", "POST", "/v1/traces", ``, 400, codes.InvalidArgument, "request", nil},
		{"null", "POST", "/v1/traces", `null`, 400, codes.InvalidArgument, "null", nil},
		{"too large", "POST", "/v1/traces", large, 413, codes.InvalidArgument, "4194304", nil},
		{"too large in pieces", "POST", "/v1/labels:import", `{"file":"` + large + `"}`, 400, codes.InvalidArgument, "line 1", nil},
		{"a stream's error before its first line", "POST", "/v1/traces:stream", `{"refs":["tron:00"]}`, 400, codes.InvalidArgument, "", nil},
		{"a page of another site", "POST", "/v1/traces", `{}`, 403, codes.PermissionDenied, "cross-origin", []string{"Origin", "https://evil.example"}},
		{"a name that points here", "GET", "/v1/index", "", 403, codes.PermissionDenied, "evil.example", []string{"Host", "evil.example"}},
		{"a form that would be a GET", "POST", "/v1/index", "network=bitcoin", 405, codes.Unimplemented, "", []string{"Content-Type", "application/x-www-form-urlencoded", "X-HTTP-Method-Override", "GET"}},
	}
	for _, test := range tests {
		r := called(t, test.method, base+test.path, test.body, test.headers...)
		if r.code == 200 {
			t.Errorf("%s: %s", test.name, r.body)
			continue
		}
		s := r.status(t)
		if r.code != test.code || s.Code() != test.grpc || !strings.Contains(s.Message(), test.text) || r.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %d %s %s (%s), want %d %s %q", test.name, r.code, s.Code(), s.Message(), r.header.Get("Content-Type"), test.code, test.grpc, test.text)
		}
		if r.code == 405 && r.header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", test.name)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Access-Control-Allow-Origin": ""} {
			if r.header.Get(name) != want {
				t.Errorf("%s: %s is %q", test.name, name, r.header.Get(name))
			}
		}
	}
}

// TestOpenAPI: the file that is served names the path of every method.
func TestOpenAPI(t *testing.T) {
	c := local(t, newWorld(t))
	r := called(t, "GET", web(t, c.server, server.LocalTrust())+"/openapi.json", "")
	var file struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		}
	}
	if err := json.Unmarshal(r.body, &file); err != nil || r.code != 200 {
		t.Fatalf("%d: %v", r.code, err)
	}
	known := map[string]bool{}
	for _, methods := range file.Paths {
		for _, m := range methods {
			known[m.OperationID] = true
		}
	}
	for _, m := range methods(t) {
		service, name, _ := strings.Cut(strings.TrimPrefix(m.name, "/spoor.v1."), "/")
		if !known[service+"_"+name] {
			t.Errorf("%s is not in the file: make generate", m.name)
		}
	}
}

// TestRESTKeys: the gate behind REST knows keys, rates and clients.
func TestRESTKeys(t *testing.T) {
	store := keys(t, new(time.Duration))
	_, token := newKey(t, store, "reader", time.Time{})
	cfg := quiet(t, newWorld(t))
	cfg.Rate = 1000
	c := serve(t, cfg, server.LocalTrust())
	base := web(t, c.server, server.Trust{Keys: store})
	tests := []struct {
		name, path string
		code       int
		headers    []string
	}{
		{"no key", "/v1/index", 401, nil},
		{"a bearer", "/v1/index", 200, []string{"Authorization", "Bearer " + token}},
		{"a header", "/v1/index", 200, []string{"X-Api-Key", token}},
		{"as KYT does", "/v1/index", 200, []string{"Token", token}},
		{"two", "/v1/index", 401, []string{"X-Api-Key", token, "Token", token}},
		{"another", "/v1/index", 401, []string{"X-Api-Key", token + "0"}},
		{"one that cannot be a key beside a good one", "/v1/index", 401, []string{"X-Api-Key", token, "Authorization", "Bearer \u00e9"}},
		{"an empty one beside a good one", "/v1/index", 401, []string{"X-Api-Key", token, "Authorization", ""}},
		{"as KYT does, on its paths", "/api/kyt/v2/transfers/00000000", 401, []string{"Token", "\u00e9"}},
		{"its role", "/v1/keys", 403, []string{"X-Api-Key", token}},
		{"a forged certificate", "/v1/index", 401, []string{"Grpc-Metadata-X-Spoor-Certificate", strings.Repeat("0", 64)}},
		{"a forged certificate by its own name", "/v1/index", 401, []string{"X-Spoor-Certificate", strings.Repeat("0", 64)}},
	}
	for _, test := range tests {
		r := called(t, "GET", base+test.path, "", test.headers...)
		if r.code != test.code {
			t.Errorf("%s: got %d %s, want %d", test.name, r.code, r.body, test.code)
		}
		if r.code == 401 && r.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", test.name)
		}
		if r.code == 200 && (r.header.Get("X-Ratelimit-Limit") == "" || r.header.Get("X-Ratelimit-Remaining") == "") {
			t.Errorf("%s: no rate in %v", test.name, r.header)
		}
	}
}

// TestRESTRate: above the rate there are the code, the header and the detail.
func TestRESTRate(t *testing.T) {
	cfg := quiet(t, newWorld(t))
	cfg.Rate = 0.001
	c := serve(t, cfg, server.LocalTrust())
	base := web(t, c.server, server.Trust{Role: spoorv1.Role_ROLE_INVESTIGATOR, Limited: true})
	for i, path := range []string{"/v1/index", "/v1/index"} {
		r := called(t, "GET", base+path, "")
		if want := []int{200, 429}[i]; r.code != want {
			t.Fatalf("request %d: %d %s", i, r.code, r.body)
		}
		if i == 1 && (r.header.Get("Retry-After") == "" || r.header.Get("X-Ratelimit-Remaining") != "0" || len(r.status(t).Details()) < 2) {
			t.Errorf("refused with %v %s", r.header, r.body)
		}
	}
	r := called(t, "POST", base+"/v1/traces:stream", `{"refs":["`+ref("bitcoin", "pay", ":0")+`"]}`)
	if r.code != 429 || r.header.Get("Retry-After") == "" || r.status(t).Code() != codes.ResourceExhausted {
		t.Errorf("a stream: %d %v %s", r.code, r.header, r.body)
	}
}

// TestRESTCertificate: over TLS the certificate that was entered is a key, and
// no header is.
func TestRESTCertificate(t *testing.T) {
	store := keys(t, new(time.Duration))
	here, known, stranger := certificate(t), certificate(t), certificate(t)
	if _, err := store.NewCertificate(access.Key{Tenant: "acme", Name: "desk", Role: access.Reader}, sha256.Sum256(known.Certificate[0]), "test"); err != nil {
		t.Fatal(err)
	}
	c := serve(t, quiet(t, newWorld(t)), server.LocalTrust())
	base := web(t, c.server, server.Trust{
		Keys: store, TLS: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{here}, ClientAuth: tls.RequestClientCert},
	})
	roots := x509.NewCertPool()
	roots.AddCert(here.Leaf)
	for _, test := range []struct {
		name  string
		shown []tls.Certificate
		code  int
	}{{"the certificate", []tls.Certificate{known}, 200}, {"another", []tls.Certificate{stranger}, 401}, {"none", nil, 401}} {
		transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: "here", Certificates: test.shown}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v1/index", nil)
		if err != nil {
			t.Fatal(err)
		}
		fingerprint := sha256.Sum256(known.Certificate[0])
		req.Header.Set(server.ForwardedCertificate, hex.EncodeToString(fingerprint[:]))
		res, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
		if res.StatusCode != test.code || res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: %s %s, want %d", test.name, res.Proto, res.Status, test.code)
		}
	}
}
