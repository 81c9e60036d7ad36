package tron

import (
	"net"
	"testing"

	"google.golang.org/grpc"

	"github.com/spoortrace/spoor/ledger"
)

// verbatim sends bytes as they are.
type verbatim struct{}

func (verbatim) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (verbatim) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = b
	return nil
}
func (verbatim) Name() string { return "proto" }

// An answer that is no protobuf, or ends early, is malformed.
func TestGarbage(t *testing.T) {
	for name, body := range map[string][]byte{"cut short": {0x0a, 0x7f, 0x01}, "no tag": {0xff, 0xff, 0xff}, "text": []byte("<html>")} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			g := grpc.NewServer(grpc.ForceServerCodec(verbatim{}), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
				var asked []byte
				if err := s.RecvMsg(&asked); err != nil {
					return err
				}
				return s.SendMsg(&body)
			}))
			ended := make(chan struct{})
			go func() { defer close(ended); _ = g.Serve(l) }()
			t.Cleanup(func() { g.Stop(); <-ended })
			_, err = Dial(t.Context(), NodeOptions{Chain: "tron", Target: l.Addr().String()})
			if fault(err) != ledger.FaultMalformed {
				t.Errorf("got %v, want %s", err, ledger.FaultMalformed)
			}
		})
	}
}
