package server_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/access"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// audited is a server with keys and an audit log.
func audited(t *testing.T) (c *client, keep *access.Store, log *access.Audit, dir string) {
	t.Helper()
	keep, dir = keys(t, new(time.Duration)), t.TempDir()
	log, err := access.OpenAudit(dir, time.Now, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg := quiet(t, newWorld(t))
	cfg.Keys, cfg.Audit = keep, log
	if err := keep.SetTenant(access.Tenant{Name: "acme", Rate: 1_000_000}, "test"); err != nil {
		t.Fatal(err)
	}
	return serve(t, cfg, server.Trust{Keys: keep}), keep, log, dir
}

// events reads what was recorded, which has to hold.
func events(t *testing.T, dir string) (all []access.Event) {
	t.Helper()
	if _, err := access.VerifyAudit(dir, access.AuditCheck{}, func(e access.Event) error {
		all = append(all, e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAudit: what changes something is recorded with who, what and how it ended,
// before its answer goes out; look-ups are not, and no request can be read from it.
func TestAudit(t *testing.T) {
	c, keep, log, dir := audited(t)
	k, token := newKey(t, keep, access.Investigator, time.Time{})
	gone, revoked := newKey(t, keep, access.Investigator, time.Time{})
	if _, err := keep.Revoke(gone.ID, "test"); err != nil {
		t.Fatal(err)
	}
	ctx := with(t.Context(), "x-api-key", token)
	if _, err := c.IndexStatus(ctx, &spoorv1.IndexStatusRequest{}); err != nil {
		t.Fatal(err)
	}
	if got := events(t, dir); len(got) != 0 {
		t.Errorf("a look-up is recorded: %v", got)
	}
	const secret = "the label nobody may read"
	added, err := c.AddLabel(ctx, &spoorv1.AddLabelRequest{Label: &spoorv1.Label{Network: "tron", Address: "TVXy9j3MHePgN3ydyr3D8NojB5RLD3AcRs", Label: secret, Category: "scam", Source: "desk", Confidence: 50}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.RetractLabel(ctx, &spoorv1.RetractLabelRequest{Id: "nothing", Reason: secret})
	failed := status.Code(err)
	if _, err := c.RetractLabel(ctx, &spoorv1.RetractLabelRequest{Id: added.GetId(), Reason: secret}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.stream(ctx, &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ListKeys(ctx, &spoorv1.ListKeysRequest{}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("keys for an investigator: %v", err)
	}
	if _, err := c.ListKeys(with(t.Context(), "x-api-key", revoked), &spoorv1.ListKeysRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("keys for nobody: %v", err)
	}
	var got []string
	for _, e := range events(t, dir) {
		got = append(got, e.Method[strings.LastIndexByte(e.Method, '/')+1:]+" "+e.Outcome)
		if who := []string{k.ID, gone.ID}[map[bool]int{true: 1}[e.Outcome == "UNAUTHENTICATED"]]; e.Key != who || e.Tenant != "acme" || e.Role != access.Investigator {
			t.Errorf("%v, want the key %s", e, who)
		}
	}
	want := []string{
		"AddLabel OK", "RetractLabel " + outcome(failed), "RetractLabel OK", "StreamTrace BEGUN", "StreamTrace OK", "ListKeys PERMISSION_DENIED", "ListKeys UNAUTHENTICATED",
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
	if subject := events(t, dir)[2].Subject; subject != log.Subject([]byte(added.GetId())) {
		t.Errorf("the label that was retracted is %q", subject)
	}
	raw, err := os.ReadFile(dir + "/audit.log")
	if err != nil || strings.Contains(string(raw), secret) || strings.Contains(string(raw), token[len(token)-64:]) || strings.Contains(string(raw), "TVXy") {
		t.Errorf("the log says too much, %v:\n%s", err, raw)
	}
}

func outcome(c codes.Code) string {
	return map[codes.Code]string{codes.InvalidArgument: "INVALID_ARGUMENT", codes.NotFound: "NOT_FOUND"}[c]
}

// TestNoAudit: nothing that should be recorded is done, or answered, where it
// cannot be; look-ups go on, and everything does when it can again.
func TestNoAudit(t *testing.T) {
	c, keep, log, dir := audited(t)
	_, token := newKey(t, keep, access.Admin, time.Time{})
	ctx := with(t.Context(), "x-api-key", token)
	// Its checkpoint cannot be replaced while there is a folder of that name.
	if err := os.Mkdir(dir+"/audit.checkpoint.new", 0o700); err != nil {
		t.Fatal(err)
	}
	revoke := func() (access.Key, error) {
		k, _ := newKey(t, keep, access.Reader, time.Time{})
		_, err := c.RevokeKey(ctx, &spoorv1.RevokeKeyRequest{Id: k.ID})
		k, _ = keep.Key(k.ID)
		return k, err
	}
	for i := range 3 {
		k, err := revoke()
		refusal{codes.Unavailable, "AUDIT_UNAVAILABLE", "", "audit log cannot be written"}.check(t, "a change", err)
		if strings.Contains(err.Error(), dir) {
			t.Errorf("it names the folder: %v", err)
		}
		if i > 0 && !k.Revoked.IsZero() { // the first finds out
			t.Errorf("call %d changed something and is not recorded", i)
		}
	}
	if _, err := c.IndexStatus(ctx, &spoorv1.IndexStatusRequest{}); err != nil {
		t.Errorf("a look-up: %v", err)
	}
	if err := errors.Join(os.Remove(dir+"/audit.checkpoint.new"), log.Ready()); err != nil {
		t.Fatal(err)
	}
	if k, err := revoke(); err != nil || k.Revoked.IsZero() {
		t.Errorf("once it can be written again: %v", err)
	}
	if all := events(t, dir); len(all) != 2 || all[0].Method != "audit.resume" || !strings.HasSuffix(all[1].Method, "RevokeKey") {
		t.Errorf("%v", all)
	}
}
