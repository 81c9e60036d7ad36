package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// upload is a file for ImportLabels, in pieces.
type upload struct{ name, text string }

func (c *client) imports(ctx context.Context, pieces ...upload) (*spoorv1.ImportLabelsResponse, error) {
	s, err := c.ImportLabels(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range pieces {
		if err := s.Send(&spoorv1.ImportLabelsRequest{File: p.name, Chunk: []byte(p.text)}); err != nil {
			break // CloseAndRecv says why
		}
	}
	return s.CloseAndRecv()
}

func exchange(name string) *spoorv1.Label {
	return &spoorv1.Label{Network: "tron", Address: named("tron", name).String(), Label: "Desk", Category: "exchange", Source: "order 12", Confidence: 70}
}

func (c *client) add(t *testing.T, l *spoorv1.Label) *spoorv1.Label {
	t.Helper()
	got, err := c.AddLabel(t.Context(), &spoorv1.AddLabelRequest{Label: l})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestLabelsChangeTraces: a label stops a trace, its retraction lets it go on,
// and the pins say which labels an answer saw.
func TestLabelsChangeTraces(t *testing.T) {
	c := local(t, newWorld(t))
	m := &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, MinValue: "0"}
	check := func(name string, sequence uint64, reason string, labelled int, sets string) {
		t.Helper()
		got := c.trace(t, m)
		term := got.GetTerminals()[0]
		var have []string
		for _, s := range got.GetCoverage()[0].GetTagSets() {
			have = append(have, fmt.Sprint(s.GetName(), " ", s.GetSequence()))
		}
		if got.GetPins().GetLabelSequence() != sequence || got.GetPins().GetRuleVersion() == "" || term.GetReason() != reason || len(term.GetLabels()) != labelled || strings.Join(have, ", ") != sets {
			t.Errorf("%s: sequence %d, %s with %d labels, sets %v; want %d, %s, %d, %s",
				name, got.GetPins().GetLabelSequence(), term.GetReason(), len(term.GetLabels()), have, sequence, reason, labelled, sets)
		}
	}
	check("before", 0, "UNSPENT", 0, "")
	imported, err := c.imports(t.Context(), upload{"list.csv", "network,address,label\n"}, upload{"list.csv", "tron," + named("tron", "b").String() + ",B\n"})
	if err != nil || imported.GetAccepted() != 1 || imported.GetSequence() != 1 {
		t.Fatalf("import: %v, %v", imported, err)
	}
	check("imported", 1, "UNSPENT", 0, "list.csv 1")
	added := c.add(t, exchange("a"))
	check("added", 2, "SERVICE", 1, "list.csv 1")
	hop := c.trace(t, m).GetHops()[1]
	if len(hop.GetToLabels()) != 1 || hop.GetToLabels()[0].GetLabel() != "Desk" || len(hop.GetFromLabels()) != 0 {
		t.Errorf("labels of the hop: %v", hop)
	}
	retracted, err := c.RetractLabel(t.Context(), &spoorv1.RetractLabelRequest{Id: added.GetId(), Reason: "mistaken"})
	if err != nil || retracted.GetLabel().GetRetractedSequence() != 3 || retracted.GetLabel().GetSequence() != 2 || retracted.GetLabel().GetLabel() != "Desk" {
		t.Errorf("retracted: %v, %v", retracted, err)
	}
	check("retracted", 3, "UNSPENT", 0, "list.csv 1")
	list, err := c.ListLabels(t.Context(), &spoorv1.ListLabelsRequest{Address: named("tron", "a").Qualified()})
	if err != nil || len(list.GetLabels()) != 1 || list.GetLabels()[0].GetRetractedSequence() != 3 || list.GetSequence() != 3 {
		t.Errorf("listed: %v, %v", list, err)
	}
	info := c.address(t, &spoorv1.LookupAddressRequest{Address: named("tron", "a").Qualified()})
	if len(info.GetLabels()) != 1 || info.GetLabels()[0].GetRetractedSequence() != 3 {
		t.Errorf("looked up: %v", info.GetLabels())
	}
	_, err = c.RetractLabel(t.Context(), &spoorv1.RetractLabelRequest{Id: added.GetId()})
	refusal{codes.FailedPrecondition, "FAILED_PRECONDITION", "", "was retracted at sequence 3"}.check(t, "twice", err)
	for _, id := range []string{"0", "999", "18446744073709551615"} {
		_, err = c.RetractLabel(t.Context(), &spoorv1.RetractLabelRequest{Id: id})
		refusal{codes.NotFound, "NOT_FOUND", "", "no such label"}.check(t, "unknown "+id, err)
	}
	_, err = c.RetractLabel(t.Context(), &spoorv1.RetractLabelRequest{Id: "x"})
	refusal{invalid, wrong, "id", "the number of a label"}.check(t, "no number", err)
}

// TestAddTwice: the same label added again, by many at once, is one label, of
// an address as of a transaction.
func TestAddTwice(t *testing.T) {
	c := local(t, newWorld(t))
	other := listen(t, c.server, server.LocalTrust())
	for name, label := range map[string]*spoorv1.Label{
		"address":     exchange("a"),
		"transaction": {Network: "tron", Tx: txID("v1").String(), Label: "the payment", Category: "scam", Source: "order 12", Confidence: 70},
	} {
		ids := sync.Map{}
		var wait sync.WaitGroup
		for i := range 20 {
			wait.Go(func() {
				asked := []*client{c, other}[i%2]
				got, err := asked.AddLabel(t.Context(), &spoorv1.AddLabelRequest{Label: label, RequestId: "r1"})
				if err != nil || got.GetSequence() == 0 {
					t.Errorf("%s: %v, %v", name, got, err)
				}
				ids.Store(got.GetId(), got.GetSequence())
			})
		}
		wait.Wait()
		n := 0
		ids.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("%s: %d labels", name, n)
		}
	}
	if got := c.transaction(t, ref("tron", "v1", "")).GetLabels(); len(got) != 1 || got[0].GetLabel() != "the payment" || got[0].GetTx() != txID("v1").String() {
		t.Errorf("labels of the transaction: %v", got)
	}
	sets, err := c.ListLabelSets(t.Context(), &spoorv1.ListLabelSetsRequest{})
	if err != nil || len(sets.GetSets()) != 2 || sets.GetSequence() != 2 {
		t.Errorf("sets %v, %v", sets, err)
	}
}

func TestBadLabels(t *testing.T) {
	c := local(t, newWorld(t))
	day := func(n int64) *timestamppb.Timestamp { return timestamppb.New(time.Unix(86400*n, 0)) }
	for name, test := range map[string]struct {
		change func(*spoorv1.Label)
		want   refusal
	}{
		"no network":        {func(l *spoorv1.Label) { l.Network = "" }, refusal{invalid, wrong, "network", "network"}},
		"no label":          {func(l *spoorv1.Label) { l.Label = " " }, refusal{invalid, wrong, "label", "a name"}},
		"unknown category":  {func(l *spoorv1.Label) { l.Category = "x" }, refusal{invalid, wrong, "category", `got "x"`}},
		"no source":         {func(l *spoorv1.Label) { l.Source = "" }, refusal{invalid, wrong, "source", "where the claim comes from"}},
		"no confidence":     {func(l *spoorv1.Label) { l.Confidence = 0 }, refusal{invalid, wrong, "confidence", "1 to 100"}},
		"too sure":          {func(l *spoorv1.Label) { l.Confidence = 101 }, refusal{invalid, wrong, "confidence", `got "101"`}},
		"ends before":       {func(l *spoorv1.Label) { l.ValidFrom, l.ValidTo = day(2), day(1) }, refusal{invalid, wrong, "valid_to", "after valid_from"}},
		"no time":           {func(l *spoorv1.Label) { l.ValidFrom = &timestamppb.Timestamp{Seconds: 1 << 62} }, refusal{invalid, wrong, "valid_from", "years 1 to 9999"}},
		"no time, end":      {func(l *spoorv1.Label) { l.ValidTo = &timestamppb.Timestamp{Nanos: -5} }, refusal{invalid, wrong, "valid_to", "years 1 to 9999"}},
		"bad address":       {func(l *spoorv1.Label) { l.Address = "T" }, refusal{invalid, "INVALID_ADDRESS", "address", "a tron address"}},
		"nothing labelled":  {func(l *spoorv1.Label) { l.Address = "" }, refusal{invalid, "INVALID_ADDRESS", "address", "a tron address"}},
		"bad transaction":   {func(l *spoorv1.Label) { l.Address, l.Tx = "", "12" }, refusal{invalid, wrong, "tx", "64 hex digits"}},
		"both":              {func(l *spoorv1.Label) { l.Tx = txID("v1").String() }, refusal{invalid, wrong, "tx", "an address or a transaction, not both"}},
		"endless":           {func(l *spoorv1.Label) { l.Label = strings.Repeat("x", 2000) }, refusal{invalid, wrong, "label", "at most 1024 bytes"}},
		"NUL":               {func(l *spoorv1.Label) { l.Source = "a\x00b" }, refusal{invalid, wrong, "source", "NUL"}},
		"too many concepts": {func(l *spoorv1.Label) { l.Concepts = make([]string, 101) }, refusal{invalid, wrong, "concepts", "at most 100"}},
	} {
		l := exchange("a")
		test.change(l)
		_, err := c.AddLabel(t.Context(), &spoorv1.AddLabelRequest{Label: l})
		test.want.check(t, name, err)
	}
	_, err := c.AddLabel(t.Context(), &spoorv1.AddLabelRequest{})
	refusal{invalid, wrong, "label", "label: "}.check(t, "nothing", err)
	if sets, err := c.ListLabelSets(t.Context(), &spoorv1.ListLabelSetsRequest{}); err != nil || sets.GetSequence() != 0 {
		t.Errorf("a refused label is in the log: %v, %v", sets, err)
	}
}

const pack = "title: A pack\ncreator: Me\nsource: https://example.org\ncurrency: BTC\nlabel: L\nconfidence: forensic\ntags:\n"

// TestImportRefused: a bad file is refused whole, by its own name and nothing of this machine's folders.
func TestImportRefused(t *testing.T) {
	c := local(t, newWorld(t))
	a, b := named("bitcoin", "a").String(), named("bitcoin", "b").String()
	var half bytes.Buffer
	zip := gzip.NewWriter(&half)
	if _, err := zip.Write([]byte("network,address,label\ntron," + named("tron", "a").String() + ",A\n")); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		files []upload
		want  refusal
	}{
		"nothing":         {nil, refusal{invalid, wrong, "file", "at least one label file"}},
		"no name":         {[]upload{{"", "x"}}, refusal{invalid, wrong, "file", "file: "}},
		"folder":          {[]upload{{"../x.csv", "x"}}, refusal{invalid, wrong, "file", "without folders"}},
		"hidden":          {[]upload{{"..", "x"}}, refusal{invalid, wrong, "file", "without folders"}},
		"NUL":             {[]upload{{"a\x00.csv", "x"}}, refusal{invalid, wrong, "file", "a file name"}},
		"too long a name": {[]upload{{strings.Repeat("é", 200) + ".csv", "x"}}, refusal{invalid, wrong, "file", "a file name"}},
		"unknown format":  {[]upload{{"a.txt", "x"}}, refusal{invalid, wrong, "a.txt", "a TagPack"}},
		"no columns":      {[]upload{{"a.csv", "x,y\n"}}, refusal{invalid, wrong, "a.csv:1:1", "the columns"}},
		"bad row":         {[]upload{{"a.csv", "network,address,label\ntron,T,x\n"}}, refusal{invalid, wrong, "a.csv:2:6", "tron address"}},
		"no gzip":         {[]upload{{"a.csv.gz", "\x1f\x8bgarbage that is no gzip"}}, refusal{invalid, wrong, "a.csv.gz", "a whole gzip file"}},
		"half a gzip":     {[]upload{{"a.csv.gz", half.String()[:half.Len()-9]}}, refusal{invalid, wrong, "a.csv.gz", "a whole gzip file"}},
		"alias":           {[]upload{{"a.yaml", pack + "- address: &x " + a + "\n- address: *x\n"}}, refusal{invalid, wrong, "a.yaml:8", "aliases"}},
		"key twice":       {[]upload{{"a.yaml", pack + "- address: " + a + "\n  address: " + b + "\n"}}, refusal{invalid, wrong, "a.yaml:9", "each field once"}},
	} {
		_, err := c.imports(t.Context(), test.files...)
		test.want.check(t, name, err)
		if err != nil && strings.Contains(err.Error(), "spoor-labels-") {
			t.Errorf("%s: the answer names a folder of the server: %v", name, err)
		}
	}
	if sets, err := c.ListLabelSets(t.Context(), &spoorv1.ListLabelSetsRequest{}); err != nil || sets.GetSequence() != 0 {
		t.Errorf("a refused file is in the log: %v, %v", sets, err)
	}
}

// TestImport: several files of one call, each a set of its own; a file that is there already adds nothing.
func TestImport(t *testing.T) {
	c := local(t, newWorld(t))
	one := upload{"one.yaml", pack + "- address: " + named("bitcoin", "a").String() + "\n- address: nonsense\n"}
	two := upload{"two.csv", "network,address,label,category\ntron," + named("tron", "a").String() + ",A,exchange\n"}
	got, err := c.imports(t.Context(), one, two)
	if err != nil {
		t.Fatal(err)
	}
	if got.GetAccepted() != 2 || got.GetRefused() != 1 || got.GetSequence() != 2 || len(got.GetRefusals()) != 1 || got.GetRefusals()[0].GetFile() != "one.yaml" {
		t.Errorf("imported %v", got)
	}
	again, err := c.imports(t.Context(), two)
	if err != nil || again.GetAccepted() != 0 || again.GetSequence() != 2 {
		t.Errorf("again: %v, %v", again, err)
	}
	c.add(t, exchange("b"))
	var sets []string
	token := ""
	for {
		page, err := c.ListLabelSets(t.Context(), &spoorv1.ListLabelSetsRequest{PageSize: 1, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page.GetSets() {
			sets = append(sets, fmt.Sprint(s.GetName(), " ", s.GetFormat(), " ", s.GetSequence(), " ", s.GetCount(), " ", len(s.GetSha256())))
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if text := strings.Join(sets, ", "); text != "one.yaml tagpack 1 1 64, two.csv csv 2 1 64, Desk manual 3 1 0" {
		t.Errorf("sets %s", text)
	}
	status, err := c.IndexStatus(t.Context(), &spoorv1.IndexStatusRequest{})
	if err != nil || status.GetLabels() != 3 || status.GetLabelSequence() != 3 {
		t.Errorf("status: %d labels at %d, %v", status.GetLabels(), status.GetLabelSequence(), err)
	}
}
