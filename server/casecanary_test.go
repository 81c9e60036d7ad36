package server_test

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// shows says whether a text has a word in it, in any case, or as base64.
func shows(text []byte, word string) bool {
	if bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(word))) {
		return true
	}
	for shift := range 3 { // the digits that do not depend on what stands beside the word
		code := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + word))
		if bytes.Contains(text, []byte(code[(shift*8+5)/6:len(code)-1])) {
			return true
		}
	}
	return false
}

// reportNumber is of the victim's report: no name, and none of others' business.
const reportNumber = "QQX-7781"

// personal are requests that have what is personal in them, each in a form that
// is granted and in others that are refused.
func personal(name string) []proto.Message {
	long := strings.Repeat(canary+" ", 2000)
	row := func(ref string, change func(r *spoorv1.PaymentRow)) proto.Message {
		r := &spoorv1.PaymentRow{Ref: ref, Victim: canary, BankLeg: canary, Note: canary, ReportRef: reportNumber}
		change(r)
		return &spoorv1.AddPaymentsRequest{Name: name, Rows: []*spoorv1.PaymentRow{r}}
	}
	same := func(*spoorv1.PaymentRow) {}
	sheet := func(text string) proto.Message {
		return &spoorv1.AddPaymentsRequest{Name: name, File: []byte("victim,status,network,tx,note,bank_leg\n" + text)}
	}
	line := func(victim, status, network, tx string) string {
		return strings.Join([]string{victim, status, network, txID(tx).String(), canary, canary}, ",") + "\n"
	}
	return []proto.Message{
		row(ref("tron", "p2", ""), same), row(ref("tron", "p2", ""), same), row(ref("tron", "nowhere", ""), same), row("what is this", same),
		row(ref("tron", "o2", ""), func(r *spoorv1.PaymentRow) { r.Victim = long }),
		row(ref("tron", "o2", ""), func(r *spoorv1.PaymentRow) { r.Note = long }),
		row(ref("tron", "o2", ""), func(r *spoorv1.PaymentRow) { r.Status = "no status" }),
		row(ref("tron", "o2", ""), func(r *spoorv1.PaymentRow) { r.Amount = "9" }),
		sheet(line(canary, "confirmed", "tron", "nowhere")), sheet(line(canary, "confirmed", "dogecoin", "v1")),
		sheet(line(canary, "confirmed", "tron", "o1") + line(canary+" junior", "confirmed", "tron", "o1")),
		sheet(line(canary, "confirmed", "tron", "o1") + line(canary, "confirmed", "tron", "o1")),
		sheet(line(canary, "confirmed", "tron", "o1")[:40]), sheet(line("="+canary, "confirmed", "tron", "o1")),
		sheet(strings.TrimSpace(line(canary, "confirmed", "tron", "o1")) + "," + canary + "\n"), sheet(line(long, "confirmed", "tron", "o1")),
		sheet(`"` + line(canary, "confirmed", "tron", "o1")),
		&spoorv1.AddNoteRequest{Name: name, Text: canary}, &spoorv1.AddNoteRequest{Name: name, Text: long},
		&spoorv1.AddExhibitRequest{Name: name, FileName: canary, Description: canary, Content: []byte(canary)},
		&spoorv1.AddExhibitRequest{Name: name, FileName: canary, Description: canary, Content: []byte(canary)},
		&spoorv1.AddExhibitRequest{Name: name, FileName: long, Description: long, Content: []byte(canary)},
		&spoorv1.AddNoteRequest{Name: "cases/none", Text: canary},
	}
}

// TestCanary: what is personal comes back to who may read it, over gRPC and
// REST, and is nowhere else: in no error or problem, log, metric, audit entry or
// file.
func TestCanary(t *testing.T) {
	o := newOffice(t)
	name := o.filled(t, "12/2026")
	base := web(t, o.server, server.Trust{Keys: o.keep})
	for _, who := range []string{"ann", "bob", "eve"} {
		for i, req := range personal(name) {
			got := o.ask(t, who, req)
			m := o.methodOf(t, req)
			rest, _ := overREST(t, base, m, req, "x-api-key", o.token[who])
			for over, one := range map[string]outcomes{"gRPC": got, "REST": rest} {
				text := fmt.Sprint(one.err, one.err.Details(), one.messages)
				if shows([]byte(text), canary) || shows([]byte(text), reportNumber) {
					t.Errorf("request %d of %s over %s is answered with %.400s", i, who, over, text)
				}
			}
		}
	}
	for _, req := range []proto.Message{&spoorv1.ListVictimsRequest{Name: name}, &spoorv1.ListNotesRequest{Name: name}} {
		if got := o.ask(t, "bob", req); !shows([]byte(fmt.Sprint(got.messages)), canary) {
			t.Errorf("%T of a viewer: %v", req, got)
		}
	}
	for _, req := range caseRequests(name) { // the canary is in none of them: what of the case do they show?
		if _, reads := map[string]bool{"ListVictims": true, "ListNotes": true, "GetExhibit": true, "BuildPackage": true, "EraseCase": true}[string(o.methodOf(t, req).desc.Name())]; reads {
			continue
		}
		if got := o.ask(t, "ann", req); shows([]byte(fmt.Sprint(got.err, got.messages)), canary) {
			t.Errorf("%T shows it: %v", req, got)
		}
	}
	page := httptest.NewRecorder()
	o.server.Metrics().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	key := filepath.Join(o.dir, "cases", "keys", strings.TrimPrefix(name, "cases/"))
	if err := os.WriteFile(key, []byte("no key\n"), 0o600); err != nil { // what is logged are faults of the server
		t.Fatal(err)
	}
	for _, req := range personal(name) {
		o.ask(t, "ann", req)
	}
	for where, text := range map[string]string{"the log": o.log.String(), "the metrics": page.Body.String()} {
		if text == "" || shows([]byte(text), canary) || shows([]byte(text), reportNumber) {
			t.Errorf("%s is empty or shows it:\n%.2000s", where, text)
		}
	}
	o.searchFiles(t)
}

// methodOf is the method that takes a request.
func (o *casesOffice) methodOf(t *testing.T, req proto.Message) method {
	t.Helper()
	for _, m := range caseMethods(t) {
		if m.desc.Input().FullName() == req.ProtoReflect().Descriptor().FullName() {
			return m
		}
	}
	t.Fatalf("no method takes %T", req)
	return method{}
}

// searchFiles looks for the canary in every file that the server keeps.
func (o *casesOffice) searchFiles(t *testing.T) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(o.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if files++; shows(raw, canary) || shows([]byte(path), canary) {
			t.Errorf("%s shows it", path)
		}
		return err
	})
	if err != nil || files < 10 {
		t.Errorf("%d files: %v", files, err)
	}
}

// TestCanaryInPackages: the package for the court has the names; one for others
// has not, in none of its files, and of a victim only the own.
func TestCanaryInPackages(t *testing.T) {
	o := newOffice(t)
	name := o.filled(t, "12/2026")
	if got := o.ask(t, "ann", &spoorv1.AddPaymentsRequest{Name: name, Rows: []*spoorv1.PaymentRow{{Ref: ref("tron", "p2", ""), Victim: canary, ReportRef: reportNumber}}}); got.err.Err() != nil {
		t.Fatal(got.err)
	}
	for _, test := range []struct {
		level, subject  string
		named, numbered bool
	}{
		{"court", "", true, true},
		{"agency", "", true, true},
		{"exchange", "An exchange", false, true},
		{"defence", "", false, true},
		{"public", "", false, false},
		{"victim", "V-1", true, true},
		{"victim", "V-2", false, false},
	} {
		files := o.packageOf(t, &spoorv1.BuildPackageRequest{Name: name, Redaction: test.level, Subject: test.subject})
		var in []string
		for file, text := range files {
			if shows(text, canary) || shows(text, "Zzyzx") {
				in = append(in, file)
			}
			if !test.numbered && shows(text, reportNumber) {
				t.Errorf("%s %s: the number of the report is in %s", test.level, test.subject, file)
			}
		}
		if (len(in) > 0) != test.named || len(files) < 5 {
			t.Errorf("%s %s: the canary is in %v of %d files, want it there: %v", test.level, test.subject, in, len(files), test.named)
		}
	}
}

// packageOf builds a package and unpacks it, with the streams of its PDF.
func (o *casesOffice) packageOf(t *testing.T, req *spoorv1.BuildPackageRequest) map[string][]byte {
	t.Helper()
	got := o.ask(t, "ann", req)
	if got.err.Err() != nil {
		t.Fatalf("%v: %v", req, got.err)
	}
	var whole []byte
	for _, m := range got.messages {
		whole = append(whole, m.(*spoorv1.BuildPackageResponse).GetChunk()...)
	}
	in, err := zip.NewReader(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range in.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = raw
		for i, part := range bytes.Split(raw, []byte("stream\n")) {
			if z, err := zlib.NewReader(bytes.NewReader(part)); err == nil {
				files[fmt.Sprint(f.Name, " stream ", i)], _ = io.ReadAll(z)
			}
		}
	}
	return files
}
