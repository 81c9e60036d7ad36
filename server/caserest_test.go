package server_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// TestCaseREST asks every method of the service once over REST, about a case by
// its id and about one by its number, whose slash is escaped in the path.
func TestCaseREST(t *testing.T) {
	o := newOffice(t)
	base := web(t, o.server, server.Trust{Keys: o.keep})
	for i, m := range caseMethods(t) {
		if m.desc.IsStreamingClient() || m.desc.Name() == "RecordReceipt" { // TestCaseHandover
			continue
		}
		for _, byNumber := range []bool{false, true} {
			number := fmt.Sprintf("%d/%v", i, byNumber)
			name := o.filled(t, number)
			if byNumber {
				name = "cases/" + strings.ReplaceAll(number, "/", "%2F")
			}
			req := requestOf(t, m, name)
			how, target, _ := transcode(t, m.desc, req)
			got, r := overREST(t, base, m, req, "x-api-key", o.token["ann"])
			if got.err.Err() != nil || len(got.messages) == 0 || r.code != 200 || proto.Size(got.messages[0]) == 0 {
				t.Errorf("%s %s: %d %v %.300s", how, target, r.code, got.err, r.body)
			}
			if m.name == spoorv1.CaseService_BuildPackage_FullMethodName {
				o.streamed(t, got.messages)
			}
		}
	}
}

// streamed wants pieces of a package, and its sum after them.
func (o *casesOffice) streamed(t *testing.T, messages []proto.Message) {
	t.Helper()
	hash, size := sha256.New(), int64(0)
	for i, m := range messages {
		one := m.(*spoorv1.BuildPackageResponse)
		n, _ := hash.Write(one.GetChunk())
		size += int64(n)
		if last := i == len(messages)-1; (one.GetSum() != nil) != last {
			t.Errorf("message %d of %d has the sum %v", i, len(messages), one.GetSum())
		}
	}
	sum := messages[len(messages)-1].(*spoorv1.BuildPackageResponse).GetSum()
	if sum.GetSha256() != hex.EncodeToString(hash.Sum(nil)) || sum.GetSize() != size || size == 0 {
		t.Errorf("%d bytes of %x, the sum says %v", size, hash.Sum(nil), sum)
	}
}

// TestCaseRESTSheet sends a spreadsheet as base64, written out as a client does,
// and reads what became of it.
func TestCaseRESTSheet(t *testing.T) {
	o := newOffice(t)
	base, key := web(t, o.server, server.Trust{Keys: o.keep}), o.token["ann"]
	id := strings.TrimPrefix(o.begun(t, "12/2026"), "cases/")
	file := sheetHeader + sheetRow("A", "tron", txID("v1").String(), "") + sheetRow("B", "tron", txID("nowhere").String(), "")
	post := func(path, body string) string {
		r := called(t, "POST", base+path, body, "x-api-key", key, "Content-Type", "application/json")
		if r.code != 200 {
			t.Fatalf("%s: %d %s", path, r.code, r.body)
		}
		return string(r.body)
	}
	body := `{"file":"` + base64.StdEncoding.EncodeToString([]byte(file)) + `","skip_refused":`
	if got := post("/v1/cases/"+id+":addPayments", body+`false}`); !strings.Contains(got, `"line":3`) || strings.Contains(got, "P-1") {
		t.Errorf("with a row that is refused: %s", got)
	}
	if got := post("/v1/cases/12%2F2026:addPayments", body+`true}`); !strings.Contains(got, `"added":1`) || !strings.Contains(got, `"P-1"`) {
		t.Errorf("without it: %s", got)
	}
	for path, want := range map[string]string{
		"": `"victims":["V-1"]`, "/victims": `"full_name":"A"`, "/holdings": `"traced":"60"`, "/custody?from=3": `"kind":"payment_added"`, "/notes": `{"notes":[]}`,
	} {
		r := called(t, "GET", base+"/v1/cases/"+id+path, "", "x-api-key", key)
		if r.code != 200 || !strings.Contains(string(r.body), want) {
			t.Errorf("%s: %d %s, want %s", path, r.code, r.body, want)
		}
	}
	r := called(t, "GET", base+"/v1/cases/12/2026", "", "x-api-key", key)
	if r.code != 404 || !strings.Contains(r.status(t).Message(), "%2F, or use its id") {
		t.Errorf("a slash in the path: %d %s", r.code, r.body)
	}
}
