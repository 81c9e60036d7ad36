package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
)

// accessName is the folder of keys and of the audit log in a data directory.
const accessName = "access"

// auditFlags are those of spoor key audit.
type auditFlags struct {
	verify                 bool
	key, checkpoint, about string
	last                   int
}

func (a *app) keyAuditCommand() *cobra.Command {
	var flags auditFlags
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify the log of what was done with keys, and read its end",
		Long: `Verify the log of what was done with keys, from its first line, and print its end. It reads files and needs no server.

The log is a hash chain with a Merkle tree (RFC 6962) and a signed checkpoint: a line that was changed, moved, added or taken out is found. Who can
write to the data directory can sign another log, so keep a checkpoint elsewhere now and then (--output json prints it), and verify against it.
Exit status 1: it does not hold.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.audit(flags) },
	}
	f := cmd.Flags()
	f.BoolVar(&flags.verify, "verify", false, "print no events")
	f.IntVar(&flags.last, "last", 100, "`NUMBER` of events to print, from the end; 0: all")
	f.StringVar(&flags.about, "about", "", "only events about this `NAME`: a user, transfer, alert or whatever was asked for")
	f.StringVar(&flags.key, "key", "", "public `KEY` that has to have signed (default access/audit.pub)")
	f.StringVar(&flags.checkpoint, "checkpoint", "", "`FILE` with a checkpoint that was kept elsewhere: the log has to hold all that it held")
	return cmd
}

func (a *app) audit(flags auditFlags) error {
	if a.serverAddr != "" {
		return ledger.Invalid("--server", "no server: it reads the files of --data", a.serverAddr)
	}
	dir := filepath.Join(a.dataDir, accessName)
	if _, err := os.Stat(filepath.Join(dir, "audit.pub")); errors.Is(err, os.ErrNotExist) {
		return &hintedError{fmt.Errorf("%s has no audit log: %w", a.dataDir, ledger.ErrNotFound), "spoor serve begins one as soon as there is a key"}
	}
	check := access.AuditCheck{Key: flags.key}
	var err error
	if flags.checkpoint != "" {
		if check.Earlier, err = os.ReadFile(flags.checkpoint); err != nil {
			return &usageError{fmt.Errorf("--checkpoint: %w", err)}
		}
	}
	about := ""
	if flags.about != "" {
		if about, err = access.AuditSubject(dir, flags.about); err != nil {
			return err
		}
	}
	found := &render.Audit{Shown: []render.AuditEvent{}}
	report, err := access.VerifyAudit(dir, check, func(e access.Event) error {
		if !flags.verify && (about == "" || e.Subject == about) {
			found.Shown = append(found.Shown, auditEvent(e))
		}
		if over := len(found.Shown) - flags.last; flags.last > 0 && over >= flags.last {
			found.Shown = append([]render.AuditEvent{}, found.Shown[over:]...)
		}
		return nil
	})
	if errors.Is(err, ledger.ErrCorrupt) {
		return &hintedError{err, "the log was changed, or its disk is damaged: keep it as it is, and compare it with a copy"}
	}
	if err != nil {
		return err
	}
	if over := len(found.Shown) - flags.last; flags.last > 0 && over > 0 {
		found.Shown = found.Shown[over:]
	}
	found.Events, found.Root, found.Key, found.Checkpoint = report.Events, report.Root, report.Key, string(report.Checkpoint)
	return a.printAudit(found)
}

func (a *app) printAudit(found *render.Audit) error {
	switch a.output {
	case "json":
		return render.AuditJSON(a.out, found)
	case "csv":
		return render.AuditCSV(a.out, found)
	}
	return render.AuditTable(a.out, found, a.style)
}

func auditEvent(e access.Event) render.AuditEvent {
	return render.AuditEvent{
		Sequence: e.Sequence, Time: e.Time, Tenant: e.Tenant, Key: e.Key, Name: e.Name, Role: string(e.Role), Method: e.Method, Subject: e.Subject, Outcome: e.Outcome,
	}
}
