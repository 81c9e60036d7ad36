package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// desk is a ScreeningService with one transfer, one attempt and one address.
type desk struct {
	spoorv1.UnimplementedScreeningServiceServer

	mu    sync.Mutex
	asked []proto.Message // in order
	token []string        // header of the last call
}

func (d *desk) note(ctx context.Context, m proto.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, m)
	d.token = metadata.ValueFromIncomingContext(ctx, "token")
}

func (d *desk) last() proto.Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[len(d.asked)-1]
}

const (
	transferID = "0b9c1c1e-0000-4000-8000-000000000001"
	attemptID  = "0b9c1c1e-0000-4000-8000-000000000002"
	bad        = "TAzsQ9Gx8eqFNFSKbeXrbi45CuVPHzA8wr"
)

var (
	tether = &spoorv1.Asset{Network: "tron", Contract: "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", Symbol: "USDT", Decimals: 6}
	seen   = timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC))
)

func sanctioned(usd string) *spoorv1.Exposure {
	return &spoorv1.Exposure{
		Category: "sanctioned_entity", CategoryId: 3, Direction: "RECEIVED", RiskType: "COUNTERPARTY", ExposureType: "DIRECT", Amount: "25050500000", Asset: tether,
		Usd: usd, Paths: []*spoorv1.ExposurePath{{Address: bad, Label: &spoorv1.Label{Label: "Huione Group"}}},
	}
}

func (d *desk) RegisterTransfer(ctx context.Context, m *spoorv1.RegisterTransferRequest) (*spoorv1.RegisteredTransfer, error) {
	d.note(ctx, m)
	if m.GetTransferReference() == "" {
		return nil, toStatus(slog.Default(), ledger.Invalid("transfer_reference", "TX:INDEX", ""))
	}
	return &spoorv1.RegisteredTransfer{
		ExternalId: transferID, Kind: kindTransfer, UserId: m.GetUserId(), Network: m.GetNetwork(), Asset: tether, TransferReference: m.GetTransferReference(),
		Direction: m.GetDirection(), AssetAmount: "1", OutputAddress: bad, State: "PENDING",
	}, nil
}

func (d *desk) RegisterWithdrawalAttempt(ctx context.Context, m *spoorv1.RegisterWithdrawalAttemptRequest) (*spoorv1.RegisteredTransfer, error) {
	d.note(ctx, m)
	return d.attempt(), nil
}

func (d *desk) attempt() *spoorv1.RegisteredTransfer {
	return &spoorv1.RegisteredTransfer{
		ExternalId: attemptID, Kind: kindAttempt, Network: "tron", Asset: tether, TransferReference: "attempt 1", Direction: "SENT", AssetAmount: "1500000",
		OutputAddress: bad, State: "SCORED", Updated: seen,
	}
}

func (d *desk) GetTransfer(ctx context.Context, m *spoorv1.GetTransferRequest) (*spoorv1.RegisteredTransfer, error) {
	d.note(ctx, m)
	switch m.GetExternalId() {
	case attemptID:
		return d.attempt(), nil
	case transferID:
		return &spoorv1.RegisteredTransfer{
			ExternalId: transferID, Kind: kindTransfer, Network: "tron", Asset: tether, TransferReference: "ab:1", Tx: "ab", Direction: "RECEIVED",
			AssetAmount: "25050500000", OutputAddress: bad, State: "SCORED", Updated: seen, TransferTimestamp: seen,
			Screening: &spoorv1.Screening{Exposures: []*spoorv1.Exposure{sanctioned("25050.50")}},
			Alerts: []*spoorv1.Alert{{
				Id: "a1", Level: "SEVERE", Exposure: sanctioned("25050.50"), Trigger: &spoorv1.Trigger{Category: "sanctioned_entity", ExposureType: "DIRECT"},
			}},
		}, nil
	}
	return nil, absent("transfer", m.GetExternalId(), "no such transfer")
}

func (d *desk) ScreenAddress(ctx context.Context, m *spoorv1.ScreenAddressRequest) (*spoorv1.Screening, error) {
	d.note(ctx, m)
	if m.GetAddress() != "tron:"+bad {
		return &spoorv1.Screening{State: "NOT_COVERED", RiskReason: "the index does not hold it", Coverage: &spoorv1.Coverage{State: "PARTIAL"}}, nil
	}
	score := uint32(95)
	unpriced := sanctioned("")
	unpriced.Category, unpriced.Direction = "scam.romance", "SENT"
	return &spoorv1.Screening{
		Risk: "SEVERE", RiskScore: &score, RiskReason: "it is sanctioned", Coverage: &spoorv1.Coverage{State: "COMPLETE"},
		AddressIdentifications: []*spoorv1.Label{{Label: "Huione Group", Category: "sanctioned_entity", Source: "https://example.org/list"}},
		Exposures:              []*spoorv1.Exposure{sanctioned("25050.50"), sanctioned("0.25"), unpriced, {Category: "exchange", CategoryId: 21, RiskType: "OWNERSHIP"}},
		Triggers:               []*spoorv1.Trigger{{RuleId: "r1", Category: "sanctioned_entity", Risk: "SEVERE", Message: "it is labelled so"}},
	}, nil
}

// ScreenAddresses answers each address with itself; "stop" is beyond a limit.
func (d *desk) ScreenAddresses(stream spoorv1.ScreeningService_ScreenAddressesServer) error {
	for i := uint64(0); ; i++ {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if m.GetRequest().GetAddress() == "stop" {
			return toStatus(slog.Default(), fmt.Errorf("enough: %w", ledger.ErrExhausted))
		}
		answer := &spoorv1.ScreeningError{Code: "NOT_FOUND", Message: m.GetRequest().GetAsOf()}
		if err := stream.Send(&spoorv1.ScreenAddressesResponse{
			Index: i, Address: m.GetRequest().GetAddress(), Outcome: &spoorv1.ScreenAddressesResponse_Error{Error: answer},
		}); err != nil {
			return err
		}
	}
}

// gatewayTo serves a desk over HTTP without a gate, until the test ends.
func gatewayTo(t testing.TB, d *desk) *httptest.Server {
	t.Helper()
	pipe, service := bufconn.Listen(1<<16), grpc.NewServer()
	spoorv1.RegisterScreeningServiceServer(service, d)
	ended := make(chan error, 1)
	go func() { ended <- service.Serve(pipe) }()
	conn, err := grpc.NewClient("passthrough:///desk", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	h, err := newGateway(t.Context(), conn, Trust{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(h)
	t.Cleanup(func() {
		web.Close()
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		service.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return web
}

func request(t testing.TB, web *httptest.Server, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, web.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Token", "secret")
	res, err := web.Client().Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	got, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return res.StatusCode, string(got)
}

// TestKYT: every path in KYT's form.
func TestKYT(t *testing.T) {
	d := &desk{}
	web := gatewayTo(t, d)
	pending := `{"updatedAt":null,"asset":"USDT","assetId":"TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t","network":"TRON","transferReference":"ab:1","tx":null,"idx":null,` +
		`"usdAmount":null,"assetAmount":null,"timestamp":null,"outputAddress":null,"externalId":"` + transferID + `"}`
	done := strings.NewReplacer(`"updatedAt":null`, `"updatedAt":"2026-01-02T03:04:05.000006"`, `"tx":null`, `"tx":"ab"`, `"idx":null`, `"idx":1`,
		`"assetAmount":null`, `"assetAmount":25050.5`, `"timestamp":null`, `"timestamp":"2026-01-02T03:04:05.000+00:00"`, `"outputAddress":null`, `"outputAddress":"`+bad+`"`).Replace(pending)
	attempt := `{"asset":"USDT","assetId":"TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t","network":"TRON","address":"` + bad + `","attemptIdentifier":"attempt 1",` +
		`"assetAmount":1.5,"usdAmount":null,"updatedAt":"2026-01-02T03:04:05.000+00:00","externalId":"` + attemptID + `"}`
	entity := `{"address":"` + bad + `","risk":"Severe","riskReason":"it is sanctioned","addressType":"PRIVATE_WALLET",` +
		`"cluster":{"name":"Huione Group","category":"sanctioned entity"},` +
		`"addressIdentifications":[{"name":"Huione Group","address":"` + bad + `","category":"sanctioned entity","description":"https://example.org/list","url":"https://example.org/list"}],` +
		`"exposures":[{"category":"sanctioned entity","categoryId":3,"value":25050.75,"exposureType":"direct","direction":"received"},` +
		`{"category":"scam","categoryId":3,"value":null,"exposureType":"direct","direction":"sent"}],` +
		`"triggers":[{"category":"sanctioned entity","percentage":null,"message":"it is labelled so","ruleTriggered":{"risk":"Severe","minThreshold":null,"maxThreshold":null,"direction":null,"exposureType":null}}],` +
		`"status":"COMPLETE"}`
	unknown := `{"address":"0x00000000000000000000000000000000000000aa","risk":null,"riskReason":"the index does not hold it","addressType":"PRIVATE_WALLET","cluster":null,` +
		`"addressIdentifications":[],"exposures":[],"triggers":[],"status":"PARTIAL"}`
	tests := []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"POST", "/api/kyt/v2/users/u/transfers", `{"network":"Tron","asset":"USDT","transferReference":"ab:1","direction":"received"}`, 202, pending},
		{"GET", "/api/kyt/v2/transfers/" + transferID, "", 200, done},
		{"GET", "/api/kyt/v2/transfers/" + transferID + "/alerts", "", 200, `{"alerts":[{"alertLevel":"SEVERE","category":"sanctioned entity","categoryId":3,"service":"Huione Group","externalId":"a1","alertAmount":25050.50,"exposureType":"DIRECT"}]}`},
		{"GET", "/api/kyt/v2/transfers/" + transferID + "/exposures", "", 200, `{"direct":{"name":"Huione Group","category":"sanctioned entity","categoryId":3}}`},
		{"POST", "/api/kyt/v2/users/u/withdrawal-attempts", `{"network":"Tron","asset":"USDT","address":"` + bad + `","attemptIdentifier":"attempt 1","assetAmount":1.5,"attemptTimestamp":"2026-01-02T03:04:05.000006"}`, 202, attempt},
		{"GET", "/api/kyt/v2/withdrawal-attempts/" + attemptID, "", 200, attempt},
		{"GET", "/api/kyt/v2/withdrawal-attempts/" + attemptID + "/alerts", "", 200, `{"alerts":[]}`},
		{"GET", "/api/kyt/v2/withdrawal-attempts/" + attemptID + "/exposures", "", 200, `{"direct":{"name":null,"category":null,"categoryId":null}}`},
		{"POST", "/api/risk/v2/entities", `{"address":"` + bad + `"}`, 201, `{"address":"` + bad + `"}`},
		{"GET", "/api/risk/v2/entities/" + bad, "", 200, entity},
		{"GET", "/api/risk/v2/entities/0x00000000000000000000000000000000000000aa", "", 200, unknown},
		{"GET", "/api/kyt/v2/transfers/" + attemptID, "", 404, `{"status":404,"error":"Not Found","message":"no such transfer","reason":"NOT_FOUND"}`},
		{"GET", "/api/kyt/v2/withdrawal-attempts/" + transferID + "/alerts", "", 404, `{"status":404,"error":"Not Found","message":"no such withdrawal attempt","reason":"NOT_FOUND"}`},
		{"GET", "/api/kyt/v2/users/u/transfers", "", 405, `{"status":405,"error":"Method Not Allowed","message":"GET is not among the methods of this path"}`},
		{"GET", "/api/kyt/v1/users", "", 404, `{"status":404,"error":"Not Found","message":"no such path"}`},
	}
	for _, test := range tests {
		code, got := request(t, web, test.method, test.path, test.body)
		if code != test.code || got != test.want {
			t.Errorf("%s %s: %d\ngot  %s\nwant %d\n     %s", test.method, test.path, code, got, test.code, test.want)
		}
	}
	code, got := request(t, web, "GET", "/api/kyt/v2/categories", "")
	if code != 200 || !strings.HasPrefix(got, `{"categories":[{"categoryId":3,"categoryName":"sanctioned entity"},`) || strings.Contains(got, "romance") {
		t.Errorf("categories: %d %s", code, got)
	}
	if len(d.token) != 1 || d.token[0] != "secret" {
		t.Errorf("the header Token came as %q", d.token)
	}
}

// TestKYTRequests: what the service is asked is what the client said.
func TestKYTRequests(t *testing.T) {
	d := &desk{}
	web := gatewayTo(t, d)
	for _, test := range []struct{ amount, want string }{
		{`25050.5`, "25050.5"},
		{`"25050.5"`, "25050.5"},
		{`1e-7`, "0.0000001"},
		{`1.5E3`, "1500"},
		{`null`, ""},
		{`0`, "0"},
		{`0.30000000000000004`, ""},
		{`"0.300000000000000004"`, "0.300000000000000004"},
		{`1e21`, "1000000000000000000000"},
		{`-1`, "-1"},
		{`1e999999999`, "1e999999999"},
	} {
		body := `{"network":"Ethereum","asset":"USDT-ERC20","transferReference":"0xab:7","direction":"sent","assetAmount":` + test.amount +
			`,"transferTimestamp":"2026-01-02T03:04:05.000006","outputAddress":"0x1","assetPrice":1,"assetDenomination":"USD"}`
		code, got := request(t, web, "POST", "/api/kyt/v2/users/a%2Fb%20c/transfers", body)
		want := &spoorv1.RegisterTransferRequest{
			UserId: "a/b c", Network: "ethereum", Asset: "USDT", TransferReference: "0xab:7", Direction: "SENT", TransferTimestamp: seen, AssetAmount: test.want, OutputAddress: "0x1",
		}
		if code != 202 || !proto.Equal(d.last(), want) {
			t.Errorf("%s: %d %s\nasked %v\nwant  %v", test.amount, code, got, d.last(), want)
		}
	}
}

// TestKYTErrors: bad requests are errors in KYT's form.
func TestKYTErrors(t *testing.T) {
	web := gatewayTo(t, &desk{})
	for _, test := range []struct{ method, path, body, text, reason string }{
		{"POST", "/api/kyt/v2/users/u/transfers", ``, "body", "INVALID_ARGUMENT"},
		{"POST", "/api/kyt/v2/users/u/transfers", `[]`, "body", "INVALID_ARGUMENT"},
		{"POST", "/api/kyt/v2/users/u/transfers", `{} {}`, "body", "INVALID_ARGUMENT"},
		{"POST", "/api/kyt/v2/users/u/transfers", `{"network":"Tron"}`, "transfer_reference", "INVALID_ARGUMENT"},
		{"POST", "/api/kyt/v2/users/u/transfers", `{"transferReference":"a:1","transferTimestamp":"yesterday"}`, "transferTimestamp", "INVALID_ARGUMENT"},
		{"POST", "/api/kyt/v2/users/u/transfers", `{"assetAmount":true}`, "body", "INVALID_ARGUMENT"},
		{"POST", "/api/risk/v2/entities", `{"address":"nonsense"}`, "nonsense", "INVALID_ADDRESS"},
		{"GET", "/api/risk/v2/entities/nonsense", "", "nonsense", "INVALID_ADDRESS"},
	} {
		code, got := request(t, web, test.method, test.path, test.body)
		var e kytError
		if err := json.Unmarshal([]byte(got), &e); err != nil || code != 400 || e.Status != 400 || e.Error != "Bad Request" || !strings.Contains(e.Message, test.text) || e.Reason != test.reason {
			t.Errorf("%s %s %s: %d %s, want 400 with %q and %s", test.method, test.path, test.body, code, got, test.text, test.reason)
		}
	}
}
