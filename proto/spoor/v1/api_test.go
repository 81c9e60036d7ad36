package spoorv1_test

import (
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func files() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{
		spoorv1.File_spoor_v1_common_proto,
		spoorv1.File_spoor_v1_trace_proto,
		spoorv1.File_spoor_v1_trace_service_proto,
		spoorv1.File_spoor_v1_label_service_proto,
		spoorv1.File_spoor_v1_admin_service_proto,
	}
}

// TestEveryMethodHasARole: the interceptor that reads required_role denies by default, so a method without one could never be called.
func TestEveryMethodHasARole(t *testing.T) {
	var methods int
	for _, file := range files() {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				methods++
				role, ok := proto.GetExtension(method.Options(), spoorv1.E_RequiredRole).(spoorv1.Role)
				if !ok || role == spoorv1.Role_ROLE_UNSPECIFIED {
					t.Errorf("%s: required_role is %v, want one of the named roles", method.FullName(), role)
				}
			}
		}
	}
	if methods == 0 {
		t.Fatal("no method was looked at")
	}
}

// TestAmountsAreNeverFloats looks at every field of every message.
func TestAmountsAreNeverFloats(t *testing.T) {
	for _, file := range files() {
		for i := range file.Messages().Len() {
			fields := file.Messages().Get(i).Fields()
			for j := range fields.Len() {
				if kind := fields.Get(j).Kind(); kind == protoreflect.FloatKind || kind == protoreflect.DoubleKind {
					t.Errorf("%s is a %s, want a decimal string", fields.Get(j).FullName(), kind)
				}
			}
		}
	}
}

// TestLimitsCompile makes the validator read the annotations of every message; it panics or errs on one that does not fit its field.
func TestLimitsCompile(t *testing.T) {
	validator, err := protovalidate.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files() {
		for i := range file.Messages().Len() {
			message := file.Messages().Get(i)
			err := validator.Validate(dynamicpb.NewMessage(message))
			if err != nil && !strings.HasPrefix(err.Error(), "validation error") {
				t.Errorf("%s: %v", message.FullName(), err)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	hops := func(n int32) *int32 { return &n }
	payees := func(n int64) *int64 { return &n }
	tests := []struct {
		name    string
		request proto.Message
		want    string // part of the refusal; empty: accepted
	}{
		{"plain", &spoorv1.TraceRequest{Refs: []string{"bitcoin:00:0"}}, ""},
		{"no ref", &spoorv1.TraceRequest{}, "refs"},
		{"empty ref", &spoorv1.TraceRequest{Refs: []string{""}}, "refs[0]"},
		{"ten thousand refs", &spoorv1.TraceRequest{Refs: strings.Split(strings.Repeat("r,", 9999)+"r", ",")}, ""},
		{"more refs", &spoorv1.TraceRequest{Refs: strings.Split(strings.Repeat("r,", 10000)+"r", ",")}, "refs"},
		{"no hops", &spoorv1.TraceRequest{Refs: []string{"r"}, MaxHops: hops(0)}, "max_hops"},
		{"fewer hops", &spoorv1.TraceRequest{Refs: []string{"r"}, MaxHops: hops(-1)}, "max_hops"},
		{"a thousand million hops", &spoorv1.TraceRequest{Refs: []string{"r"}, MaxHops: hops(1e9)}, "max_hops"},
		{"services off", &spoorv1.TraceRequest{Refs: []string{"r"}, ServicePayees: payees(0)}, ""},
		{"more payees than are kept", &spoorv1.TraceRequest{Refs: []string{"r"}, ServicePayees: payees(1001)}, "service_payees"},
		{"a direction that is none", &spoorv1.TraceRequest{Refs: []string{"r"}, Direction: 7}, "direction"},
		{"no question", &spoorv1.StartTraceRequest{}, "request"},
		{"a question within", &spoorv1.StartTraceRequest{Request: &spoorv1.TraceRequest{}}, "request.refs"},
		{"a name with a path", &spoorv1.GetTraceRequest{Name: "traces/../x"}, "name"},
		{"page size", &spoorv1.LookupAddressRequest{Address: "tron:T", PageSize: 1001}, "page_size"},
		{"no source", &spoorv1.IngestRequest{}, "source"},
		{"no blocks", &spoorv1.IngestRequest{Source: &spoorv1.IngestRequest_Bitcoin{Bitcoin: &spoorv1.BitcoinBlocks{}}}, "bitcoin.block_paths"},
		{"a big chunk", &spoorv1.ImportLabelsRequest{File: "a", Chunk: make([]byte, 1<<20+1)}, "chunk"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := protovalidate.Validate(test.request)
			if test.want == "" && err != nil {
				t.Errorf("got %v, want no refusal", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want a refusal that names %s", err, test.want)
			}
		})
	}
}
