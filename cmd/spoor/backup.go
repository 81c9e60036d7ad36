package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/backup"
)

func (a *app) indexBackupCommand() *cobra.Command {
	only := false
	cmd := &cobra.Command{
		Use:   "backup DIR|FILE",
		Short: "Write the data directory into one file, also while it is served",
		Long: `Write the data directory into one file: every network as of one tip, labels, cases with their custody logs and exhibits, what exchanges
registered, keys and the audit log, and what services answered to trace --fetch. The index of clusters is not in it; it is built again. In a folder the
file is named by the time.

The file has every secret of the data directory in the clear: the keys of the cases, which open the victims' names, the keys that sign custody and
audit logs, tenants' secrets. It is readable by you alone; keep it as you keep the directory. A backup that is kept keeps what spoor case erase erases later.

With --index-only the file has networks, labels and the services' answers alone, and no secret but private labels: what a colleague, or the other side's
expert, needs to run the same traces offline, to the byte (spoor index restore).

A server is asked through the socket file of its data directory, never through --server: it writes the file itself, and goes on meanwhile.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.backup(cmd.Context(), args[0], only) },
	}
	cmd.Flags().BoolVar(&only, "index-only", false, "networks, labels and answers alone: for somebody who is to repeat a trace")
	return cmd
}

func (a *app) backup(ctx context.Context, to string, only bool) error {
	if a.serverAddr != "" {
		return &usageError{errors.New("backup: want --data on the server's machine: a backup holds secrets and leaves it through no listener")}
	}
	path, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "spoor-"+time.Now().UTC().Format("20060102T150405Z")+".backup")
	}
	l, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	r, err := a.backupBy(ctx, l, &spoorv1.BackupIndexRequest{Path: path, IndexOnly: only})
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	return print(a, r, render.Backup, render.BackupCSV)
}

func (a *app) backupBy(ctx context.Context, l *link, req *spoorv1.BackupIndexRequest) (*spoorv1.BackupIndexResult, error) {
	m := a.meter()
	defer m.close()
	stream, err := l.admin.BackupIndex(ctx, req)
	for err == nil {
		var event *spoorv1.BackupIndexEvent
		if event, err = stream.Recv(); err != nil {
			break
		}
		if r := event.GetResult(); r != nil {
			return r, nil
		}
		m.show(event.GetProgress())
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the server ended without a result")
	}
	return nil, err
}

// backup writes the file beside its place and moves it there once it is durable.
func (o *owner) backup(ctx context.Context, m *spoorv1.BackupIndexRequest, report func(*spoorv1.Progress)) (*spoorv1.BackupIndexResult, error) {
	path := m.GetPath()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(ledger.Invalid("path", "no file there yet", path), err)
	}
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, &hintedError{fmt.Errorf("backup: %w", err), "a file .new is what a backup leaves that was killed, or one that is being written: remove it, or name another"}
	}
	r, err := o.writeBackup(ctx, f, m.GetIndexOnly(), report)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("backup: %w", err), os.Remove(temp))
	}
	r.Path, r.IndexOnly = path, m.GetIndexOnly()
	return r, nil
}

// writeBackup copies what refers to something else before that: what was screened,
// then labels and cases, then the networks. So nothing in a backup has seen a
// block or a label that is not in it.
func (o *owner) writeBackup(ctx context.Context, to io.Writer, only bool, report func(*spoorv1.Progress)) (*spoorv1.BackupIndexResult, error) {
	w, err := backup.NewWriter(to)
	if err != nil {
		return nil, err
	}
	folders := []string{"labels", fetch.Folder}
	if !only {
		report(&spoorv1.Progress{Phase: "backup of keys, cases, labels and screening"})
		rows, done, err := o.screening.Dump(ctx)
		if err != nil {
			return nil, err
		}
		err = w.Rows("screening", rows)
		done()
		if err != nil {
			return nil, err
		}
		folders = []string{accessName, "cases", "labels", fetch.Folder}
	}
	for _, folder := range folders {
		if err == nil {
			err = copyLogs(ctx, w, o.dir, folder)
		}
	}
	if err != nil {
		return nil, err
	}
	r := &spoorv1.BackupIndexResult{}
	chains, err := o.store.Chains()
	for _, c := range chains {
		if err != nil {
			break
		}
		report(&spoorv1.Progress{Phase: "backup", Network: string(c)})
		err = o.copyNetwork(ctx, w, c, r)
	}
	if err != nil {
		return nil, err
	}
	size, sum, err := w.End()
	r.SizeBytes, r.Sha256 = size, sum.String()
	return r, err
}

func (o *owner) copyNetwork(ctx context.Context, w *backup.Writer, c ledger.Chain, r *spoorv1.BackupIndexResult) error {
	n, err := o.store.Network(ctx, c)
	if err != nil {
		return err
	}
	tip, digest, err := n.Backup(ctx, w.Under("networks/"+string(c)))
	r.Networks = append(r.Networks, &spoorv1.NetworkBackup{Network: string(c), Height: int64(tip.Height), Block: tip.Hash.String(), Digest: digest.String()})
	return err
}

// copyLogs copies a folder of append-only logs while they are written to. What
// says how far a log was acknowledged is copied before the log, and what a log
// names (exhibits) after it: the copy is what a crash could have left, and opens as such.
// A case that is made meanwhile is not in it.
func copyLogs(ctx context.Context, w *backup.Writer, data, folder string) error {
	dirs := map[string]bool{}
	for pass := range 3 {
		names, err := logFiles(filepath.Join(data, folder), pass)
		if err != nil {
			return err
		}
		for _, name := range names {
			if dir := filepath.Dir(name); pass == 0 {
				dirs[dir] = true
			} else if !dirs[dir] && !dirs[filepath.Dir(dir)] {
				continue // a case made since
			}
			if err := errors.Join(ctx.Err(), copyFile(w, data, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// logFiles lists what is copied in a pass: heads and keys, logs, exhibits. Left out
// are locks and what is still being written (.new).
func logFiles(dir string, pass int) (names []string, err error) {
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case strings.HasSuffix(name, ".new") && d.IsDir():
			return fs.SkipDir
		case d.IsDir(), strings.HasSuffix(name, ".new"), d.Name() == "lock":
			return nil
		}
		of := 0
		if strings.HasSuffix(name, ".log") {
			of = 1
		} else if filepath.Base(filepath.Dir(name)) == "exhibits" {
			of = 2
		}
		if of == pass {
			names = append(names, name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// copyFile copies as much as a file holds now; one that is gone was erased meanwhile.
func copyFile(w *backup.Writer, data, name string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	below, relErr := filepath.Rel(data, name)
	if err = errors.Join(err, relErr); err == nil {
		err = w.File(filepath.ToSlash(below), io.LimitReader(f, info.Size()))
	}
	return errors.Join(err, f.Close())
}

func (a *app) indexRestoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a data directory of a backup",
		Long: `Make the data directory (--data) of a backup. There must be none, or an empty folder. The whole file is checked before anything is written; the
directory is built beside its place (DIR.restoring) and moved there at the end, so that there is all of it or nothing. What a killed restore leaves, the
next one takes over. Each network is opened, and its digest compared with the stored one; spoor index verify then recomputes it from every record.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.restore(cmd.Context(), args[0]) },
	}
}

func (a *app) restore(ctx context.Context, from string) error {
	if a.serverAddr != "" {
		return &usageError{errors.New("restore: want --data: a directory is made on this machine")}
	}
	f, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	r := &spoorv1.BackupIndexResult{Path: a.dataDir}
	if info, err := f.Stat(); err == nil {
		r.SizeBytes = info.Size()
	}
	err = backup.Restore(ctx, f, a.dataDir, engine, func(dir string) error { return lookInto(ctx, dir, r) })
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("restore of %s: %w", from, err)
	}
	return print(a, r, render.Backup, render.BackupCSV)
}

// lookInto opens what was restored, before it is moved to its place.
func lookInto(ctx context.Context, dir string, r *spoorv1.BackupIndexResult) error {
	st, err := store.Open(dir, engine, store.Options{})
	if err != nil {
		return err
	}
	chains, err := st.Chains()
	for _, c := range chains {
		var n *store.Network
		var of store.Status
		if err == nil {
			n, err = st.Network(ctx, c)
		}
		if err == nil {
			of, err = n.Status()
		}
		r.Networks = append(r.Networks, &spoorv1.NetworkBackup{Network: string(c), Height: int64(of.Tip.Height), Block: of.Tip.Hash.String(), Digest: of.Digest.String()})
	}
	return errors.Join(err, st.Close())
}
