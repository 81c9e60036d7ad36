package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// scorer registers transfers: the index of a reference chooses the answer. Each
// tenth call is refused once, as a server at its limit does.
type scorer struct {
	spoorv1.ScreeningServiceClient
	calls atomic.Int64
	busy  atomic.Int64
}

func (s *scorer) RegisterTransfer(_ context.Context, m *spoorv1.RegisterTransferRequest, _ ...grpc.CallOption) (*spoorv1.RegisteredTransfer, error) {
	if s.calls.Add(1)%10 == 0 {
		s.busy.Add(1)
		refused, err := status.New(codes.ResourceExhausted, "enough").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Millisecond)})
		if err != nil {
			return nil, err
		}
		return nil, refused.Err()
	}
	_, index, _ := strings.Cut(m.GetTransferReference(), ":")
	scored := func(level string, score uint32, triggers ...*spoorv1.Trigger) *spoorv1.RegisteredTransfer {
		return &spoorv1.RegisteredTransfer{
			ExternalId: "id " + index, State: "SCORED",
			Screening: &spoorv1.Screening{State: "SCORED", Risk: level, RiskScore: &score, Triggers: triggers, RiskReason: "nothing of note"},
		}
	}
	switch index {
	case "severe":
		return scored("SEVERE", 95, &spoorv1.Trigger{RuleId: "sanctions", Category: "sanctioned_entity", Message: "12.5000 % of it"}), nil
	case "low":
		return scored("LOW", 3), nil
	case "pending":
		return &spoorv1.RegisteredTransfer{State: "PENDING"}, nil
	case "dark":
		return &spoorv1.RegisteredTransfer{State: "SCORED", Screening: &spoorv1.Screening{State: "TOO_LITTLE_LABELLED", RiskReason: "3 % is labelled"}}, nil
	case "bad":
		return nil, status.Error(codes.InvalidArgument, "transfer_reference: want TX:INDEX")
	}
	return nil, status.Error(codes.Internal, "broken")
}

const export = `Network,User ID,Transfer-Reference,alertLevel,amount,timestamp,direction
Tron,u1,a:severe,SEVERE,1,2026-01-02T03:04:05Z,received
Tron,u1,b:severe,Low,1,,sent
Tron,u1,b:severe,High,1,,sent
Tron,u1,b:severe,,1,,sent
Tron,u2,b:severe,,1,,sent
Bitcoin,u2,c:low,,,2026-01-02 03:04:05,
Bitcoin,u2,d:pending,MEDIUM,,,
Bitcoin,u2,e:dark,,,,
Bitcoin,u2,f:bad,,,,
Bitcoin,u2,g:low,enormous,,,
Bitcoin,u2,h:low,HIGH,,yesterday,
Bitcoin,u2,i:low,HIGH,,,
`

func compared(t *testing.T, text string, show int, differences io.Writer) (*render.Comparison, error) {
	t.Helper()
	rows, err := newExportReader(strings.NewReader(text), "level")
	if err != nil {
		return nil, err
	}
	tally := newLevelTally(show)
	if differences != nil {
		tally.csv = render.NewDifferences(differences)
	}
	if err := tally.all(t.Context(), &scorer{}, rows); err != nil {
		return nil, err
	}
	if differences != nil {
		if err := tally.csv.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return tally.result(), nil
}

func TestCompare(t *testing.T) {
	c, err := compared(t, export, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := render.Compare(&b, c); err != nil {
		t.Fatal(err)
	}
	want := `7 transfers, 2 of the same level (28.6 %), 2 without a score (28.6 %)
3 rows could not be asked for

Theirs in rows, ours in columns:
          SEVERE  LOW  PENDING  TOO_LITTLE_LABELLED
  SEVERE       1    0        0                    0
  HIGH         1    1        0                    0
  MEDIUM       0    0        1                    0
  LOW          0    0        0                    0
  NONE         1    1        0                    1

Why ours differs:
  2  sanctions (sanctioned_entity)
  1  PENDING
  1  TOO_LITTLE_LABELLED
  1  no rule triggered

The first of them:
  row  theirs  ours    transfer       why
    3  HIGH    SEVERE  tron:b:severe  sanctions: 12.5000 % of it
    6  NONE    SEVERE  tron:b:severe  sanctions: 12.5000 % of it
row 10: transfer_reference: want TX:INDEX
row 11: level: want SEVERE, HIGH, MEDIUM, LOW or none, got "enormous"
row 12: timestamp: want a time such as 2026-01-02T15:04:05Z, got "yesterday"
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	if err := render.CompareJSON(&b, c); err != nil || !json.Valid(b.Bytes()) || strings.Contains(b.String(), "null") {
		t.Errorf("%v %s", err, b.String())
	}
	b.Reset()
	if _, err := compared(t, export, 0, &b); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(b.String()), "\n"); len(lines) != 6 || lines[1] != "3,tron,b:severe,HIGH,SEVERE,sanctions: 12.5000 % of it,id severe" {
		t.Errorf("CSV\n%s", b.String())
	}
}

// TestCompareLong: each transfer of many batches is counted once, in the file's
// order, although the server is busy now and then.
func TestCompareLong(t *testing.T) {
	var b strings.Builder
	b.WriteString("network,user_id,tx,index,level\n")
	n := 3*compareBatch + 7
	for i := range n {
		fmt.Fprintf(&b, "tron,u%d,x%d,severe,HIGH\n", i, i)
	}
	c, err := compared(t, b.String(), n, nil)
	if err != nil || c.Transfers != int64(n) || len(c.Differences) != n {
		t.Fatalf("%v: %d transfers, %d differences; want %d", err, c.Transfers, len(c.Differences), n)
	}
	for i, d := range c.Differences {
		if d.Row != int64(i+2) {
			t.Fatalf("difference %d is of row %d", i, d.Row)
		}
	}
}

func TestCompareRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "a CSV file with a header",
		"network,user_id,transfer_reference\n":   "level",
		"network,level,transfer_reference\n":     "user",
		"network,user_id,level,tx\n":             "transfer_reference",
		"network,user_id,level,reference\na,b\n": "row 2",
		"network,user_id,level,reference\na,b,LOW,c:internal\n":                          "broken",
		"network,user_id,level,reference\na,b,LOW,\"c:low\nd\n":                          "row 2",
		"network,user_id,level,reference\ntron,b,LOW,c:low\ntron,b,LOW,\"d\"low\n":       "row 3",
		"network,user_id,level,reference\ntron,b,LOW,c:low\ntron,b,LOW,d:low,too many\n": "row 3",
	} {
		if _, err := compared(t, text, 1, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzExport: whatever the file, reading it ends, and every transfer has a row and a level or a reason.
func FuzzExport(f *testing.F) {
	f.Add(export)
	f.Add("network,user_id,level,reference\n\"a\n")
	f.Add("\ufeffNETWORK,User,Risk,tx,idx\ntron,u,low,a,1\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := newExportReader(strings.NewReader(text), "level")
		if err != nil {
			return
		}
		for row := int64(1); ; {
			j, err := rows.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				return
			}
			if j.row <= row || j.refused == "" && !strings.Contains(strings.Join(render.Levels(), " "), j.theirs) {
				t.Fatalf("%+v after row %d", j, row)
			}
			row = j.row
		}
	})
}
