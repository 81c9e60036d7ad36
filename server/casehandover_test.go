package server_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// exported is a case as a file for another agency.
func (o *casesOffice) exported(t *testing.T, who, name string) []byte {
	t.Helper()
	stream, err := o.ExportCase(o.as(t, who), &spoorv1.ExportCaseRequest{Name: name, To: "Prosecutor, South", Passphrase: "correct horse battery"})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return file.Bytes()
		}
		if err != nil {
			t.Fatal(err)
		}
		file.Write(part.GetChunk())
	}
}

func (o *casesOffice) imported(t *testing.T, who string, file []byte, word string) (*spoorv1.ImportCaseResponse, error) {
	t.Helper()
	stream, err := o.ImportCase(o.as(t, who))
	if err != nil {
		t.Fatal(err)
	}
	m := &spoorv1.ImportCaseRequest{Passphrase: word, Agency: "Prosecutor, South"}
	for len(file) > 0 {
		n := min(len(file), 1000)
		m.Chunk, file = file[:n], file[n:]
		if err := stream.Send(m); err != nil {
			break // the answer says why
		}
		m = &spoorv1.ImportCaseRequest{}
	}
	return stream.CloseAndRecv()
}

// TestCaseHandover: a case goes from one agency's server to another's, where it is
// somebody else's; the receipt comes back. Who is there already is told no more
// than that there is a case.
func TestCaseHandover(t *testing.T) {
	north, south := newOffice(t), newOffice(t)
	name := north.filled(t, "12/2026")
	file := north.exported(t, "ann", name)
	if bytes.Contains(file, []byte(canary)) {
		t.Error("the file shows a name")
	}
	refusal{codes.InvalidArgument, "INVALID_ARGUMENT", "passphrase", "the one that the case was exported with"}.check(t, "another word", why(south.imported(t, "eve", file, "another word")))
	refusal{codes.DataLoss, "CORRUPT", "", "its checksum is another"}.check(t, "a cut file", why(south.imported(t, "eve", file[:len(file)-9], "correct horse battery")))
	refusal{codes.FailedPrecondition, "FAILED_PRECONDITION", "", "there is a case"}.check(t, "at home", why(north.imported(t, "eve", file, "correct horse battery")))
	got, err := south.imported(t, "eve", file, "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if c := got.GetCase(); c.GetName() != name || len(c.GetPayments()) != 2 || len(c.GetMembers()) != 1 || c.GetMembers()[0].GetMember() != "eve" || c.GetHandovers()[0].GetDirection() != "exported" && c.GetHandovers()[0].GetDirection() != "imported" {
		t.Errorf("imported %+v", c)
	}
	victims, err := south.ListVictims(south.as(t, "eve"), &spoorv1.ListVictimsRequest{Name: name})
	if err != nil || !strings.Contains(victims.String(), canary) {
		t.Errorf("victims %v, %v", victims, err)
	}
	if _, err := south.GetCase(south.as(t, "ann"), &spoorv1.GetCaseRequest{Name: name}); err == nil {
		t.Error("another tenant sees it")
	}
	receipt := &spoorv1.RecordReceiptRequest{Name: name, Receipt: got.GetReceipt()}
	refusal{codes.NotFound, "NOT_FOUND", "", "there is none"}.check(t, "eve's receipt", north.ask(t, "eve", receipt).err.Err())
	refusal{codes.PermissionDenied, "CASE_ROLE", "", "needs the role"}.check(t, "bob's receipt", north.ask(t, "bob", receipt).err.Err())
	refusal{codes.InvalidArgument, "INVALID_ARGUMENT", "receipt", "a receipt of a hand-over"}.check(t, "no receipt", north.ask(t, "ann", &spoorv1.RecordReceiptRequest{Name: name, Receipt: "thanks"}).err.Err())
	c, err := north.RecordReceipt(north.as(t, "ann"), receipt)
	if err != nil || len(c.GetHandovers()) != 2 || c.GetHandovers()[1].GetDirection() != "receipt" {
		t.Errorf("%v, %v", c.GetHandovers(), err)
	}
}

func why(_ *spoorv1.ImportCaseResponse, err error) error { return err }
