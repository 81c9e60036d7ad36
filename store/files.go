package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spoortrace/spoor/ledger"
)

// KeepFile copies an imported file into the network's folder under its SHA-256
// and makes it durable. The same content is kept once. It belongs to the set
// only when a Rebuild names it.
func (n *Network) KeepFile(name string, r io.Reader) (File, error) {
	dir := filepath.Join(n.dir, "files")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return File{}, fmt.Errorf("store: keep %s: %w", name, err)
	}
	temp, err := os.CreateTemp(dir, "incoming-*")
	if err != nil {
		return File{}, fmt.Errorf("store: keep %s: %w", name, err)
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(temp, sum), r)
	err = errors.Join(err, temp.Sync(), temp.Close())
	f := File{Name: name, SHA256: ledger.Hash(sum.Sum(nil)), Size: uint64(size)}
	if err == nil {
		err = errors.Join(os.Rename(temp.Name(), n.fileName(f)), syncDir(dir), syncDir(n.dir))
	}
	if err != nil {
		return File{}, errors.Join(fmt.Errorf("store: keep %s: %w", name, err), remove(temp.Name()))
	}
	return f, nil
}

func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (n *Network) fileName(f File) string {
	return filepath.Join(n.dir, "files", f.SHA256.String())
}

// Contents returns what the current generation was built from besides blocks:
// claims, files and the claimed names of assets.
func (n *Network) Contents() Contents {
	x := n.pin()
	defer x.done()
	return *x.current().meta
}

// OpenFile opens a kept file. Reading it to its end reports ledger.ErrCorrupt
// in place of io.EOF when its content is not what it was.
func (n *Network) OpenFile(f File) (io.ReadCloser, error) {
	file, err := os.Open(n.fileName(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, corrupt("kept file %s (%s) is missing", f.Name, f.SHA256)
	}
	if err != nil {
		return nil, fmt.Errorf("store: kept file: %w", err)
	}
	return &checkedFile{file: file, want: f, sum: sha256.New()}, nil
}

// checkedFile does not embed the file: io.Copy would go past Read.
type checkedFile struct {
	file *os.File
	want File
	sum  interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func (c *checkedFile) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	_, _ = c.sum.Write(p[:n]) // a hash never fails
	if errors.Is(err, io.EOF) && ledger.Hash(c.sum.Sum(nil)) != c.want.SHA256 {
		return n, corrupt("kept file %s (%s) has changed", c.want.Name, c.want.SHA256)
	}
	return n, err
}

func (c *checkedFile) Close() error { return c.file.Close() }

// checkFile reads a kept file whole.
func (n *Network) checkFile(f File) error {
	r, err := n.OpenFile(f)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}
