package cases

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/scrypt"
	"golang.org/x/mod/sumdb/note"

	"github.com/spoortrace/spoor/internal/chainlog"
	"github.com/spoortrace/spoor/ledger"
)

// Handover is a case that goes to another agency: the export, the import there,
// or the receipt that came back.
type Handover struct {
	Direction Kind   `json:"direction"` // KindExported, KindImported or KindReceipt
	Agency    string `json:"agency"`    // the other side
	SHA256    string `json:"sha256"`    // of the file
	Size      uint64 `json:"size"`      // entries that the file has
	// Of an import: who signed what came, and the tenant that has it now.
	Key        string `json:"key,omitempty"`
	Checkpoint []byte `json:"checkpoint,omitempty"`
	Tenant     string `json:"tenant,omitempty"`
	// Of a receipt: as it came, signed.
	Receipt  []byte `json:"receipt,omitempty"`
	Sequence uint64 `json:"sequence"`
}

func (h *Handover) check(c *Case) error {
	if err := texts("agency", h.Agency); err != nil {
		return err
	}
	if h.Size == 0 || h.Size > c.Sequence {
		return ledger.Invalid("size", fmt.Sprintf("1 to %d", c.Sequence), fmt.Sprint(h.Size))
	}
	return digests("sha256", h.SHA256)
}

// apply: who imports a case is its one owner.
func (h *Handover) apply(c *Case, e Entry) {
	h.Sequence = e.Sequence
	c.Handovers = append(slices.Clone(c.Handovers), *h)
	if h.Direction == KindImported {
		c.Opening.Tenant, c.Members = h.Tenant, []Member{{e.By, Owner}}
	}
}

// What a file of a hand-over is.
const (
	handoverFormat = "spoor hand-over 1"
	receiptFormat  = "spoor hand-over receipt 1"
	manifestName   = "handover.json"
	logName        = "custody.log"
	exhibitFolder  = "exhibits/"
	maxHandover    = 8 << 30 // bytes
	maxManifest    = 1 << 20
	minPassphrase  = 12 // characters
)

// handoverFile is the manifest of a file of a hand-over.
type handoverFile struct {
	Format     string       `json:"format"`
	Case       ID           `json:"case"`
	From       string       `json:"from"` // authority that had the case
	To         string       `json:"to"`
	Size       uint64       `json:"size"`       // entries
	Checkpoint []byte       `json:"checkpoint"` // signed, at that size
	Key        string       `json:"key"`        // public, of that signature
	Log        string       `json:"log"`        // SHA-256 of custody.log
	Secret     *sealedKey   `json:"secret,omitempty"`
	Exhibits   []sealedFile `json:"exhibits,omitempty"`
}

// sealedKey is the key of the case under a passphrase (scrypt, RFC 7914; AES-256-GCM).
type sealedKey struct {
	N    int    `json:"n"`
	R    int    `json:"r"`
	P    int    `json:"p"`
	Salt []byte `json:"salt"`
	Box  []byte `json:"box"`
}

type sealedFile struct {
	Name   string `json:"name"`   // SHA-256 of the content
	SHA256 string `json:"sha256"` // of the file as it is sealed
}

// Export writes a case as one file for another agency, with its key sealed under a
// passphrase, and records that it was handed over. An erased case goes without.
func (s *Store) Export(a Actor, id ID, to, passphrase string, w io.Writer) (Case, error) {
	h, err := s.find(a.Tenant, id)
	if err != nil {
		return Case{}, err
	}
	c, err := s.Get(a, id)
	if err != nil {
		return Case{}, err
	}
	fact := &Handover{Direction: KindExported, Agency: to, SHA256: strings.Repeat("0", 64), Size: c.Sequence}
	if err := errors.Join(c.permit(Entry{By: a.Name, Kind: KindExported}, fact), fact.check(&c)); err != nil {
		return Case{}, fmt.Errorf("cases: case %s: %w", id, err)
	}
	out := &checksummed{to: w, sum: sha256.New()}
	if err := s.writeHandover(h, &c, to, passphrase, out); err != nil {
		return Case{}, fmt.Errorf("cases: case %s: hand-over: %w", id, err)
	}
	if fact.SHA256, err = out.end(); err != nil {
		return Case{}, err
	}
	return s.record(a, id, "", fact, func(*Case) (Fact, error) { return fact, nil })
}

func (s *Store) writeHandover(h *held, c *Case, to, passphrase string, w io.Writer) error {
	m := handoverFile{Format: handoverFormat, Case: c.ID, From: c.Opening.Authority, To: to, Size: c.Sequence, Key: s.key.Public}
	var log bytes.Buffer
	var err error
	m.Checkpoint, err = h.log.At(m.Size, func(e chainlog.Entry) error {
		log.Write(e.Body)
		return log.WriteByte('\n')
	})
	if err != nil {
		return err
	}
	m.Log = digestOf(log.Bytes())
	if !c.Erased {
		if m.Secret, err = s.sealKey(c, passphrase); err != nil {
			return err
		}
	}
	for _, x := range c.Exhibits {
		m.Exhibits = append(m.Exhibits, sealedFile{x.SHA256, x.SealedSHA256})
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	if err := errors.Join(store(z, manifestName, bytes.NewReader(text)), store(z, logName, &log)); err != nil {
		return err
	}
	for _, x := range c.Exhibits {
		f, err := os.Open(filepath.Join(s.dir, string(c.ID), "exhibits", x.SHA256))
		if err != nil {
			return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
		}
		if err := errors.Join(store(z, exhibitFolder+x.SHA256, f), f.Close()); err != nil {
			return err
		}
	}
	return errors.Join(z.SetComment(strings.Repeat("0", checksumSize)), z.Close())
}

// checksumSize is the length of the comment that a file ends with: the SHA-256 of
// everything before it, in hex.
const checksumSize = 2 * sha256.Size

// checksummed writes a file but for its last checksumSize bytes, and then their sum.
type checksummed struct {
	to   io.Writer
	sum  hash.Hash // of what was written
	tail []byte
}

func (c *checksummed) Write(p []byte) (int, error) {
	c.tail = append(c.tail, p...)
	if n := len(c.tail) - checksumSize; n > 0 {
		if err := c.flush(c.tail[:n]); err != nil {
			return 0, err
		}
		c.tail = append(c.tail[:0], c.tail[n:]...)
	}
	return len(p), nil
}

func (c *checksummed) flush(p []byte) error {
	c.sum.Write(p)
	_, err := c.to.Write(p)
	return err
}

// end writes the checksum and returns the SHA-256 of the whole file.
func (c *checksummed) end() (string, error) {
	err := c.flush([]byte(hex.EncodeToString(c.sum.Sum(nil))))
	return hex.EncodeToString(c.sum.Sum(nil)), err
}

// checkSum reads a file through and returns its SHA-256.
func checkSum(file io.ReaderAt, size int64) (string, error) {
	if size < checksumSize || size > maxHandover {
		return "", fmt.Errorf("%w: a file of %d bytes", ledger.ErrCorrupt, size)
	}
	sum, said := sha256.New(), make([]byte, checksumSize)
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, size-checksumSize)); err != nil {
		return "", err
	}
	if _, err := file.ReadAt(said, size-checksumSize); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if hex.EncodeToString(sum.Sum(nil)) != string(said) {
		return "", fmt.Errorf("%w: the file is not as it was written: its checksum is another", ledger.ErrCorrupt)
	}
	sum.Write(said)
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// store adds a file as it is.
func store(z *zip.Writer, name string, r io.Reader) error {
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err == nil {
		_, err = io.Copy(w, r)
	}
	return err
}

func (s *Store) sealKey(c *Case, passphrase string) (*sealedKey, error) {
	if len([]rune(passphrase)) < minPassphrase {
		return nil, ledger.Invalid("passphrase", fmt.Sprintf("at least %d characters", minPassphrase), fmt.Sprintf("%d", len([]rune(passphrase))))
	}
	k, err := s.keyOf(c)
	if err != nil {
		return nil, err
	}
	sealed := &sealedKey{N: 1 << 15, R: 8, P: 1, Salt: make([]byte, 32)}
	if _, err := rand.Read(sealed.Salt); err != nil {
		return nil, err
	}
	under, err := sealed.derive(passphrase)
	if err == nil {
		sealed.Box, err = under.seal(k[:], about(c.ID, "hand-over"))
	}
	return sealed, err
}

func (k *sealedKey) derive(passphrase string) (under caseKey, err error) {
	if k.N != 1<<15 || k.R != 8 || k.P != 1 || len(k.Salt) != 32 {
		return under, fmt.Errorf("%w: the key is sealed in a way that is not known", ledger.ErrNewer)
	}
	raw, err := scrypt.Key([]byte(passphrase), k.Salt, k.N, k.R, k.P, len(under))
	return caseKey(raw), err
}

// Import takes a case in that another agency exported: whole or not at all. The
// log goes on under this store's key, its next entry says from whom it came and
// what they signed. The receipt is for them. A file that does not verify is
// ledger.ErrCorrupt, a wrong passphrase ledger.ErrInvalid, a case that is here
// already ledger.ErrPrecondition.
func (s *Store) Import(a Actor, file io.ReaderAt, size int64, agency, passphrase string) (c Case, receipt []byte, err error) {
	sum, err := checkSum(file, size)
	if err != nil {
		return c, nil, fmt.Errorf("cases: hand-over: %w", err)
	}
	in, err := readHandover(file, size, passphrase)
	if err != nil {
		return c, nil, fmt.Errorf("cases: hand-over: %w", err)
	}
	fact := &Handover{Direction: KindImported, Agency: in.manifest.From, SHA256: sum, Size: in.manifest.Size, Key: in.manifest.Key, Checkpoint: in.manifest.Checkpoint, Tenant: a.Tenant}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := in.manifest.Case
	if s.cases[id] != nil {
		return c, nil, fmt.Errorf("cases: %w: there is a case %s", ledger.ErrPrecondition, id)
	}
	if err := errors.Join(texts("name", a.Name, "agency", agency), s.openKey(len(s.cases) == 0)); err != nil {
		return c, nil, fmt.Errorf("cases: %w", err)
	}
	h, err := s.takeIn(in, Entry{Time: stamp(s.now()), By: a.Name, Kind: KindImported}, fact)
	if err != nil {
		return c, nil, fmt.Errorf("cases: case %s: hand-over: %w", id, err)
	}
	s.cases[id] = h
	receipt, err = s.receipt(id, fact, agency)
	return h.state.clone(), receipt, err
}

// incoming is a file of a hand-over that was verified.
type incoming struct {
	manifest handoverFile
	bodies   [][]byte
	was      chainlog.Checkpoint
	key      *caseKey // nil: erased
	exhibits map[string]*zip.File
}

func readHandover(file io.ReaderAt, size int64, passphrase string) (*incoming, error) {
	z, err := zip.NewReader(file, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
	}
	in := &incoming{exhibits: map[string]*zip.File{}}
	if err := in.open(z); err != nil {
		return nil, err
	}
	if in.was, err = in.verify(); err != nil {
		return nil, err
	}
	return in, in.unlock(passphrase)
}

// open reads the manifest, and finds the files that it names and no others.
func (in *incoming) open(z *zip.Reader) error {
	if len(z.File) < 2 || z.File[0].Name != manifestName || z.File[1].Name != logName {
		return fmt.Errorf("%w: it does not begin with %s and %s", ledger.ErrCorrupt, manifestName, logName)
	}
	text, err := content(z.File[0], maxManifest)
	if err != nil {
		return err
	}
	if err := decode(text, &in.manifest); err != nil {
		return fmt.Errorf("%w: %s: %w", ledger.ErrCorrupt, manifestName, err)
	}
	m := &in.manifest
	if m.Format != handoverFormat {
		return fmt.Errorf("%w: the format %q", ledger.ErrNewer, m.Format)
	}
	if _, err := ParseID(string(m.Case)); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
	}
	log, err := content(z.File[1], maxHandover)
	if err != nil {
		return err
	}
	if digestOf(log) != m.Log || len(z.File) != len(m.Exhibits)+2 {
		return fmt.Errorf("%w: not the files that %s names", ledger.ErrCorrupt, manifestName)
	}
	lines := bufio.NewReader(bytes.NewReader(log))
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %s ends within a line", ledger.ErrCorrupt, logName)
		}
		in.bodies = append(in.bodies, bytes.TrimSuffix(line, []byte("\n")))
	}
	for i, x := range m.Exhibits {
		f := z.File[i+2]
		if f.Name != exhibitFolder+x.Name || digests("exhibit", x.Name) != nil {
			return fmt.Errorf("%w: %q where the exhibit %q should be", ledger.ErrCorrupt, f.Name, x.Name)
		}
		in.exhibits[x.Name] = f
	}
	return nil
}

func content(f *zip.File, most uint64) ([]byte, error) {
	if f.Method != zip.Store || f.UncompressedSize64 > most || f.UncompressedSize64 != f.CompressedSize64 {
		return nil, fmt.Errorf("%w: %s is packed, or too large", ledger.ErrCorrupt, f.Name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ledger.ErrCorrupt, f.Name, err)
	}
	text, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ledger.ErrCorrupt, f.Name, err)
	}
	return text, nil
}

// verify holds the entries to each other and reads what the sender signed of them;
// that it is of these entries is seen when they are a log again.
func (in *incoming) verify() (was chainlog.Checkpoint, err error) {
	m := &in.manifest
	c := Case{ID: m.Case}
	for i, body := range in.bodies {
		var e Entry
		err := decode(body, &e)
		if err == nil {
			e.Sequence = uint64(i + 1)
			err = c.fold(e)
		}
		if err != nil {
			return was, fmt.Errorf("%w: entry %d: %w", ledger.ErrCorrupt, i+1, err)
		}
	}
	if c.Erased != (m.Secret == nil) || len(c.Exhibits) != len(m.Exhibits) || c.Opening.Authority != m.From {
		return was, fmt.Errorf("%w: %s is not of this log", ledger.ErrCorrupt, manifestName)
	}
	for i, x := range c.Exhibits {
		if m.Exhibits[i] != (sealedFile{x.SHA256, x.SealedSHA256}) {
			return was, fmt.Errorf("%w: exhibit %s is not the one of the log", ledger.ErrCorrupt, x.SHA256)
		}
	}
	verifier, err := note.NewVerifier(m.Key)
	if err != nil {
		return was, fmt.Errorf("%w: the sender's key: %w", ledger.ErrCorrupt, err)
	}
	was, err = chainlog.OpenCheckpoint(m.Checkpoint, originOf(m.Case), verifier)
	if err == nil && was.Size != m.Size {
		err = fmt.Errorf("%w: %d entries were signed, %s says %d", ledger.ErrCorrupt, was.Size, manifestName, m.Size)
	}
	return was, err
}

func (in *incoming) unlock(passphrase string) error {
	sealed := in.manifest.Secret
	if sealed == nil {
		return nil
	}
	under, err := sealed.derive(passphrase)
	if err != nil {
		return err
	}
	raw, err := under.open(sealed.Box, about(in.manifest.Case, "hand-over"))
	if err != nil || len(raw) != len(caseKey{}) {
		return ledger.Invalid("passphrase", "the one that the case was exported with", "another")
	}
	k := caseKey(raw)
	in.key = &k
	return nil
}

// takeIn builds the folder beside its place and moves it there, as make does.
func (s *Store) takeIn(in *incoming, e Entry, fact *Handover) (h *held, err error) {
	id := in.manifest.Case
	next, dir := filepath.Join(s.dir, string(id)+".new"), filepath.Join(s.dir, string(id))
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(next), s.dropKey(id))
		}
	}()
	if err := errors.Join(os.RemoveAll(next), os.MkdirAll(filepath.Join(next, "exhibits"), 0o700)); err != nil {
		return nil, err
	}
	if in.key != nil {
		if err := s.keepKey(id, *in.key); err != nil {
			return nil, err
		}
	}
	for _, x := range in.manifest.Exhibits {
		box, err := content(in.exhibits[x.Name], maxExhibit+1<<10)
		if err != nil {
			return nil, err
		}
		if digestOf(box) != x.SHA256 {
			return nil, fmt.Errorf("%w: exhibit %s has another hash", ledger.ErrCorrupt, x.Name)
		}
		if err := chainlog.Replace(filepath.Join(next, "exhibits", x.Name), box, 0o600); err != nil {
			return nil, err
		}
	}
	log, err := chainlog.Open(filepath.Join(next, "custody"), originOf(id), s.key, func(chainlog.Entry) error { return nil })
	if err == nil {
		err = log.Append(in.bodies...)
	}
	if err != nil {
		return nil, err
	}
	now, err := chainlog.OpenCheckpoint(log.Checkpoint(), originOf(id), s.key.Verifier)
	if err == nil && now != in.was {
		err = fmt.Errorf("%w: the sender signed other entries", ledger.ErrCorrupt)
	}
	if err == nil {
		h, err = s.open(id, next)
	}
	if err == nil {
		err = h.add(e, fact)
	}
	if err == nil {
		err = errors.Join(chainlog.SyncDir(next), os.Rename(next, dir), chainlog.SyncDir(s.dir))
	}
	if err != nil {
		return nil, err
	}
	return s.open(id, dir)
}

// receipt says, signed, that a case arrived.
func (s *Store) receipt(id ID, h *Handover, agency string) ([]byte, error) {
	text := fmt.Sprintf("%s\n%s\n%s\n%d\n%s\n%s\n%s\n", receiptFormat, id, h.SHA256, h.Size, stamp(s.now()).Format(time.RFC3339), s.key.Public, strings.Join(strings.Fields(agency), " "))
	return note.Sign(&note.Note{Text: text}, s.key.Signer)
}

// AddReceipt records that another agency confirmed a case that was exported. A
// receipt of another file, or one that its key did not sign, is ledger.ErrInvalid.
func (s *Store) AddReceipt(a Actor, id ID, request string, receipt []byte) (Case, error) {
	return s.record(a, id, request, receipt, func(c *Case) (Fact, error) {
		lines := strings.Split(string(receipt), "\n")
		if len(lines) < 8 || lines[0] != receiptFormat {
			return nil, ledger.Invalid("receipt", "a receipt of a hand-over", fmt.Sprintf("%.40q", receipt))
		}
		verifier, err := note.NewVerifier(lines[5])
		if err != nil {
			return nil, ledger.Invalid("receipt", "a public key in line 6", lines[5])
		}
		signed, err := note.Open(receipt, note.VerifierList(verifier))
		if err != nil || len(strings.Split(signed.Text, "\n")) != 8 {
			return nil, ledger.Invalid("receipt", "seven lines, signed by the key in the sixth", "another signature")
		}
		at := slices.IndexFunc(c.Handovers, func(h Handover) bool {
			return h.Direction == KindExported && h.SHA256 == lines[2] && fmt.Sprint(h.Size) == lines[3]
		})
		if lines[1] != string(id) || at < 0 {
			return nil, ledger.Invalid("receipt", "one of a file that this case was exported as", lines[1]+" "+lines[2])
		}
		sent := c.Handovers[at]
		return &Handover{Direction: KindReceipt, Agency: lines[6], SHA256: sent.SHA256, Size: sent.Size, Key: lines[5], Receipt: receipt}, nil
	})
}
