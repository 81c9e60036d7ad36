package server_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// FuzzTraceRequest sends whatever parses as a TraceRequest: the answer is a
// trace whose sheets the server has checked, or a refusal that is the sender's
// to mend; never a panic, never INTERNAL or DATA_LOSS.
func FuzzTraceRequest(f *testing.F) {
	for _, m := range questions() {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, m := range []*spoorv1.TraceRequest{
		{Refs: []string{"https://tronscan.org/#/transaction/" + txID("v1").String()}, Amounts: []string{"10u"}, Network: "tron", Asset: "native"},
		{Refs: []string{txID("pay").String()}, AsOf: at(coins0 + 30*minute), Through: []string{named("bitcoin", "a").Qualified()}, FeesToCoinbase: true},
		{Refs: []string{"bitcoin:" + txID("fund").String() + ":i1"}, Direction: spoorv1.Direction_DIRECTION_UPSTREAM},
		{Refs: []string{txID("nowhere").String() + ":n"}, Asset: "USDT"},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	cfg := quiet(f, newWorld(f))
	cfg.MaxEvents = 1000
	c := serve(f, cfg, server.LocalTrust())
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &spoorv1.TraceRequest{}
		if proto.Unmarshal(b, m) != nil {
			return
		}
		if _, err := proto.Marshal(m); err != nil {
			return // a text that is not UTF-8
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got, err := c.stream(ctx, m)
		allowed := []codes.Code{codes.OK, codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.Unimplemented}
		if code := status.Code(err); !slices.Contains(allowed, code) {
			t.Fatalf("%v\n%v", m, err)
		}
		if err == nil && (got.result.GetState() != "DONE" || len(got.result.GetSeeds()) == 0 || len(got.result.GetConservation()) == 0 || len(got.result.GetCoverage()) == 0) {
			t.Fatalf("%v\nanswer without a basis: %v", m, got.result)
		}
	})
}

// FuzzPageToken sends any text as a page token of each query that has pages.
func FuzzPageToken(f *testing.F) {
	c := local(f, newWorld(f))
	victim := named("tron", "victim").Qualified()
	page, err := c.LookupAddress(f.Context(), &spoorv1.LookupAddressRequest{Address: victim, PageSize: 1})
	if err != nil {
		f.Fatal(err)
	}
	real := page.GetNextPageToken()
	f.Add(real)
	f.Add(real + "A")
	f.Add("")
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, token string) {
		_, err := c.LookupAddress(t.Context(), &spoorv1.LookupAddressRequest{Address: victim, PageToken: token})
		if _, bad := proto.Marshal(&spoorv1.ListLabelSetsRequest{PageToken: token}); bad != nil {
			return
		}
		if ok := token == "" || token == real; (err == nil) != ok || err != nil && status.Code(err) != codes.InvalidArgument {
			t.Fatalf("events, %q: %v", token, err)
		}
		_, err = c.ListLabels(t.Context(), &spoorv1.ListLabelsRequest{Address: victim, PageToken: token})
		if (err == nil) != (token == "") || err != nil && status.Code(err) != codes.InvalidArgument {
			t.Fatalf("labels, %q: %v", token, err)
		}
		_, err = c.ListLabelSets(t.Context(), &spoorv1.ListLabelSetsRequest{PageToken: token})
		if (err == nil) != (token == "") || err != nil && status.Code(err) != codes.InvalidArgument {
			t.Fatalf("sets, %q: %v", token, err)
		}
	})
}
