package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/spoortrace/spoor/cases"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// rolesOfCase say from which role in the case on a method is granted; the others
// are of no case.
func rolesOfCase() map[string]spoorv1.CaseRole {
	all := map[string]spoorv1.CaseRole{}
	for role, names := range map[spoorv1.CaseRole]string{
		spoorv1.CaseRole_CASE_ROLE_VIEWER:       "GetCase ListNotes GetExhibit ListVictims ListCustody GetHoldings FollowHoldings WriteLetters ListRequests",
		spoorv1.CaseRole_CASE_ROLE_INVESTIGATOR: "AddPayments WithdrawPayment AddNote AddExhibit AddCaseLabel RecordSeizure RecordRequest RecordAnswer ImportReturn SetVictim BuildPackage",
		spoorv1.CaseRole_CASE_ROLE_OWNER:        "SetMember SetPolicy SetAllocation ExportCase EraseCase",
	} {
		for _, name := range strings.Fields(names) {
			all[name] = role
		}
	}
	return all
}

// entries reads the custody log of a case beside the server.
func (o *casesOffice) entries(t *testing.T, name string) (all []cases.Entry) {
	t.Helper()
	ann, id := cases.Actor{Tenant: "north", Name: "ann"}, cases.ID(strings.TrimPrefix(name, "cases/"))
	size, err := o.store.Size(ann, id)
	if err == nil {
		err = o.store.Log(ann, id, func(e cases.Entry) error {
			if e.Sequence <= size {
				all = append(all, e)
			}
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestCaseRoles asks every method of the service about a case, as a member of
// every role, as a colleague who is none, and as another tenant. To the last two
// there is no case, and they leave nothing in it; a member gets what the role
// holds, and every answer is an entry under the name of who asked.
func TestCaseRoles(t *testing.T) {
	o := newOffice(t)
	needs, n := rolesOfCase(), 0
	for _, m := range caseMethods(t) {
		if m.desc.Name() == "RecordReceipt" { // there is no receipt before a hand-over: TestCaseHandover
			continue
		}
		need, about := needs[string(m.desc.Name())]
		if named := m.desc.Input().Fields().ByName("name") != nil; named != about {
			t.Errorf("%s: rolesOfCase knows it: %v, it names a case: %v", m.name, about, named)
		}
		if !about {
			continue
		}
		for _, who := range []string{"eve", "col", "bob", "bobby", "ann"} {
			n++
			name := o.filled(t, fmt.Sprint(n))
			role := map[string]spoorv1.CaseRole{"bob": spoorv1.CaseRole_CASE_ROLE_VIEWER, "bobby": spoorv1.CaseRole_CASE_ROLE_INVESTIGATOR, "ann": spoorv1.CaseRole_CASE_ROLE_OWNER}[who]
			if who == "bobby" {
				who = "bob"
				if got := o.ask(t, "ann", &spoorv1.SetMemberRequest{Name: name, Member: who, Role: role}); got.err.Err() != nil {
					t.Fatal(got.err)
				}
			}
			before := len(o.entries(t, name)) + 1 // entries leaves one itself
			o.asks(t, m, who, name, role, need, before)
		}
	}
}

func (o *casesOffice) asks(t *testing.T, m method, who, name string, role, need spoorv1.CaseRole, before int) {
	t.Helper()
	got := o.ask(t, who, requestOf(t, m, name))
	what := fmt.Sprintf("%s asked by %s, %s", m.desc.Name(), who, role)
	fresh := o.entries(t, name)[before:]
	switch {
	case role == 0:
		refusal{codes.NotFound, "NOT_FOUND", "", name + ": there is none"}.check(t, what, got.err.Err())
		if len(fresh) > 0 {
			t.Errorf("%s: left %v", what, fresh)
		}
	case role < need:
		refusal{codes.PermissionDenied, "CASE_ROLE", "", "needs the role"}.check(t, what, got.err.Err())
		for _, e := range fresh {
			if e.Kind != cases.KindRead || e.By != who {
				t.Errorf("%s: refused, and left %s by %s", what, e.Kind, e.By)
			}
		}
	default:
		if got.err.Err() != nil {
			t.Errorf("%s: %v", what, got.err)
		}
		by := 0
		for _, e := range fresh {
			if e.By == who && (e.Kind != cases.KindRead) == (need != spoorv1.CaseRole_CASE_ROLE_VIEWER) {
				by++
			}
		}
		if by == 0 {
			t.Errorf("%s: no entry says so: %v", what, fresh)
		}
	}
}

// TestCaseIsNotThere: what is said of a case of others is what is said of none.
func TestCaseIsNotThere(t *testing.T) {
	o := newOffice(t)
	name := o.filled(t, "12/2026")
	for _, m := range caseMethods(t) {
		field := m.desc.Input().Fields().ByName("name")
		if field == nil || m.desc.Name() == "RecordReceipt" {
			continue
		}
		refused := func(name string) string {
			req := requestOf(t, m, name)
			req.ProtoReflect().Set(field, protoreflect.ValueOfString(name))
			got := o.ask(t, "eve", req)
			return strings.ReplaceAll(fmt.Sprint(got.err.Code(), got.err.Message(), got.err.Details()), strings.TrimPrefix(name, "cases/"), "CASE")
		}
		if others, none := refused(name), refused("cases/none-00000000"); others != none {
			t.Errorf("%s: of a case of others %s\nof none %s", m.name, others, none)
		}
		if byNumber := refused("cases/12/2026"); !strings.HasPrefix(byNumber, "NotFound") {
			t.Errorf("%s by the number: %s", m.name, byNumber)
		}
	}
	for _, who := range []string{"eve", "col"} {
		got, err := o.ListCases(o.as(t, who), &spoorv1.ListCasesRequest{})
		if err != nil || len(got.GetCases()) > 0 {
			t.Errorf("%s sees %v, %v", who, got.GetCases(), err)
		}
	}
}

// TestLastOwner: a case keeps an owner, who is free to leave once there is another.
func TestLastOwner(t *testing.T) {
	o := newOffice(t)
	name := o.filled(t, "1")
	set := func(who, member string, role spoorv1.CaseRole) outcomes {
		return o.ask(t, who, &spoorv1.SetMemberRequest{Name: name, Member: member, Role: role})
	}
	for _, role := range []spoorv1.CaseRole{spoorv1.CaseRole_CASE_ROLE_UNSPECIFIED, spoorv1.CaseRole_CASE_ROLE_VIEWER, spoorv1.CaseRole_CASE_ROLE_INVESTIGATOR} {
		refusal{codes.FailedPrecondition, "FAILED_PRECONDITION", "", `"ann" is the only owner`}.check(t, role.String(), set("ann", "ann", role).err.Err())
	}
	if got := set("ann", "bob", spoorv1.CaseRole_CASE_ROLE_OWNER); got.err.Err() != nil {
		t.Fatal(got.err)
	}
	if got := set("ann", "ann", spoorv1.CaseRole_CASE_ROLE_UNSPECIFIED); got.err.Err() != nil {
		t.Fatal(got.err)
	}
	refusal{codes.NotFound, "NOT_FOUND", "", "case"}.check(t, "who left", o.ask(t, "ann", &spoorv1.GetCaseRequest{Name: name}).err.Err())
	if got := o.ask(t, "bob", &spoorv1.GetCaseRequest{Name: "cases/1"}); got.err.Err() != nil || len(got.messages) != 1 {
		t.Errorf("the new owner, by the number: %v", got.err)
	}
}

// TestCaseNames: what names no case is refused, or is not there, whatever it is.
func TestCaseNames(t *testing.T) {
	o := newOffice(t)
	o.filled(t, "12/2026")
	for name, code := range map[string]codes.Code{
		"": codes.InvalidArgument, "12/2026": codes.InvalidArgument, "cases": codes.InvalidArgument, "cases/": codes.InvalidArgument,
		"cases/..": codes.InvalidArgument, "cases/../keys": codes.InvalidArgument, "cases/%2e%2e": codes.NotFound, "cases/%": codes.NotFound,
		"cases/%00": codes.NotFound, "cases/12": codes.NotFound, "cases/12/2026/": codes.NotFound,
		"cases/lock": codes.NotFound, "cases/12/2026": codes.OK, "cases/12%2F2026": codes.OK,
	} {
		if got := o.ask(t, "ann", &spoorv1.GetCaseRequest{Name: name}); got.err.Code() != code {
			t.Errorf("%q: %v, want %s", name, got.err, code)
		}
	}
	// A colleague's case that is numbered like the id of ours is not taken for it.
	ours := o.begun(t, strings.Repeat("long ", 12))
	if _, err := o.CreateCase(o.as(t, "bob"), newCase(strings.TrimPrefix(ours, "cases/"))); err != nil {
		t.Fatal(err)
	}
	theirs, err := o.GetCase(o.as(t, "bob"), &spoorv1.GetCaseRequest{Name: ours})
	if err != nil || theirs.GetName() == ours {
		t.Fatalf("%v, %v", theirs, err)
	}
	if _, err := o.SetMember(o.as(t, "bob"), &spoorv1.SetMemberRequest{Name: theirs.GetName(), Member: "ann", Role: spoorv1.CaseRole_CASE_ROLE_OWNER}); err != nil {
		t.Fatal(err)
	}
	if got, err := o.GetCase(o.as(t, "ann"), &spoorv1.GetCaseRequest{Name: ours}); err != nil || got.GetName() != ours {
		t.Errorf("%s is taken for %s, %v", got.GetName(), ours, err)
	}
}

// TestErasedCase: what is sealed is gone for everybody, which is said, and is no
// damage; what is not sealed is there, and nothing can be sealed any more.
func TestErasedCase(t *testing.T) {
	o := newOffice(t)
	name := o.filled(t, "12/2026")
	if got := o.ask(t, "ann", &spoorv1.EraseCaseRequest{Name: name, Reason: "closed"}); got.err.Err() != nil {
		t.Fatal(got.err)
	}
	sealed := strings.Fields("AddPayments AddNote ListNotes AddExhibit GetExhibit ListVictims SetVictim ImportReturn EraseCase GetHoldings FollowHoldings WriteLetters BuildPackage")
	for range 2 {
		for _, m := range caseMethods(t) {
			gone := slices.Contains(sealed, string(m.desc.Name()))
			if _, about := rolesOfCase()[string(m.desc.Name())]; !about || m.desc.Name() == "WithdrawPayment" {
				continue
			}
			got := o.ask(t, "ann", requestOf(t, m, name))
			if gone {
				refusal{codes.FailedPrecondition, "FAILED_PRECONDITION", "", "the personal data of the case was erased"}.check(t, m.name, got.err.Err())
			} else if got.err.Err() != nil {
				t.Errorf("%s: %v", m.name, got.err)
			}
		}
		o.end(t)
		o.begin(t)
	}
	if _, err := cases.Verify(o.dir, cases.Check{}); err != nil {
		t.Error(err)
	}
}

// TestCasePages: the pages of a list are of who asked, and of nobody else.
func TestCasePages(t *testing.T) {
	o := newOffice(t)
	for i := range 5 {
		o.begun(t, fmt.Sprint(i))
	}
	seen, token := map[string]bool{}, ""
	for pages := 1; ; pages++ {
		got, err := o.ListCases(o.as(t, "ann"), &spoorv1.ListCasesRequest{PageSize: 2, PageToken: token})
		if err != nil || len(got.GetCases()) == 0 || pages > 3 {
			t.Fatalf("page %d: %v, %v", pages, got, err)
		}
		for _, c := range got.GetCases() {
			seen[c.GetName()] = true
		}
		if token = got.GetNextPageToken(); token == "" {
			break
		}
		if others, err := o.ListCases(o.as(t, "eve"), &spoorv1.ListCasesRequest{PageSize: 2, PageToken: token}); err == nil || len(others.GetCases()) > 0 {
			t.Errorf("the token of another tenant: %v, %v", others, err)
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d cases on the pages", len(seen))
	}
}
