package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// custodyLog is custody.json: a log's entries up to a size, with the log's own signed statement of what it held at that size.
type custodyLog struct {
	Origin     string         `json:"origin"`
	Key        string         `json:"key"`
	Checkpoint string         `json:"checkpoint"`
	Size       uint64         `json:"size"`
	Entries    []custodyEntry `json:"entries"`
}

type custodyEntry struct {
	Number uint64          `json:"number"`
	Body   json.RawMessage `json:"body"`
}

// checkpoint is what is signed: five lines, of origin, size, root, length of the log's file, and the last link of its chain of hashes.
type checkpoint struct {
	origin string
	size   uint64
	root   [32]byte
	bytes  uint64
	chain  [32]byte
}

const checkNameCustody = "custody"

// checkCustody checks the checkpoint's signature, that the entries are those that it was signed over, and, where a checkpoint was kept
// elsewhere, that the log still begins with what it held then.
func checkCustody(p *pack, kept []byte) []finding {
	fail := func(subject, want string, got error) []finding {
		return []finding{{checkNameCustody, subject, want, got.Error()}}
	}
	var log custodyLog
	if err := readPart(p, "custody.json", &log); err != nil {
		return fail("custody.json", "a custody log", err)
	}
	var cover struct{ Case, Redaction string }
	if err := readPart(p, "case.json", &cover); err != nil {
		return fail("case.json", "a case", err)
	}
	if log.Size == 0 && log.Checkpoint == "" && len(log.Entries) == 0 && kept == nil {
		return nil // a package without a case behind it
	}
	signed, err := openCheckpoint(log.Checkpoint, log.Key)
	if err != nil {
		return fail("checkpoint", "one that the key signed", err)
	}
	if want := fmt.Sprintf("%s at %d entries", log.Origin, log.Size); want != fmt.Sprintf("%s at %d entries", signed.origin, signed.size) {
		return fail("checkpoint", want, fmt.Errorf("%s at %d entries", signed.origin, signed.size))
	}
	if !strings.HasSuffix(log.Origin, " "+cover.Case) {
		return fail("checkpoint", "a log of the case "+cover.Case, errors.New(log.Origin))
	}
	withheld := len(log.Entries) == 0 && slices.Contains([]string{"exchange", "victim", "public"}, cover.Redaction)
	var found []finding
	if !withheld {
		found = append(log.check(signed), log.checkHandovers(signed.origin)...)
	}
	if kept != nil {
		found = append(found, log.checkKept(signed, kept, withheld)...)
	}
	return found
}

// check holds the entries against the checkpoint: their tree, and the chain and length of the file in which they stand.
func (log custodyLog) check(signed checkpoint) []finding {
	var found []finding
	say := func(subject, want, got string) { found = append(found, finding{checkNameCustody, subject, want, got}) }
	if uint64(len(log.Entries)) != log.Size {
		say("entries", fmt.Sprint(log.Size), fmt.Sprint(len(log.Entries)))
	}
	var leaves [][]byte
	var chain [32]byte
	length := uint64(0)
	for i, e := range log.Entries {
		if e.Number != uint64(i)+1 {
			say(fmt.Sprintf("entry %d", e.Number), fmt.Sprintf("entry %d at its place", i+1), "another")
		}
		if len(e.Body) == 0 || bytes.IndexByte(e.Body, '\n') >= 0 {
			say(fmt.Sprintf("entry %d", e.Number), "one line", fmt.Sprintf("%.60q", e.Body))
		}
		leaves = append(leaves, e.Body)
		chain = sha256.Sum256(append(chain[:], e.Body...))
		length += 64 + 1 + 8 + 1 + uint64(len(e.Body)) + 1 // CHAIN, CRC and BODY with spaces and a line break
	}
	if root := merkleRoot(leaves); root != signed.root {
		say("entries", fmt.Sprintf("those of root %x, which was signed", signed.root), fmt.Sprintf("root %x", root))
	}
	if chain != signed.chain || length != signed.bytes {
		say("entries", fmt.Sprintf("%d bytes that end with the link %x, which was signed", signed.bytes, signed.chain), fmt.Sprintf("%d bytes, %x", length, chain))
	}
	return found
}

// checkHandovers holds the entries before a hand-over against what the agency that had the case signed of them.
func (log custodyLog) checkHandovers(origin string) []finding {
	var found []finding
	for i, e := range log.Entries {
		var body struct {
			Kind string
			Data struct {
				Key        string
				Checkpoint []byte
			}
		}
		if err := json.Unmarshal(e.Body, &body); err != nil || body.Kind != "imported" {
			continue
		}
		subject := fmt.Sprintf("hand-over in entry %d", i+1)
		earlier, err := openCheckpoint(string(body.Data.Checkpoint), body.Data.Key)
		if err != nil {
			found = append(found, finding{checkNameCustody, subject, "a checkpoint that the sender signed", err.Error()})
			continue
		}
		if earlier.origin != origin || earlier.size != uint64(i) {
			found = append(found, finding{checkNameCustody, subject, fmt.Sprintf("%s at %d entries", origin, i), fmt.Sprintf("%s at %d", earlier.origin, earlier.size)})
			continue
		}
		for _, f := range (custodyLog{Size: uint64(i), Entries: log.Entries[:i]}).check(earlier) {
			f.Subject = subject + ", " + f.Subject
			found = append(found, f)
		}
	}
	return found
}

// checkKept holds the entries against an earlier checkpoint of the same log.
func (log custodyLog) checkKept(signed checkpoint, kept []byte, withheld bool) []finding {
	const subject = "checkpoint kept elsewhere"
	earlier, err := openCheckpoint(string(kept), log.Key)
	if err != nil {
		return []finding{{checkNameCustody, subject, "one that the log's key signed", err.Error()}}
	}
	want := fmt.Sprintf("a checkpoint of %s at no more than %d entries", signed.origin, signed.size)
	if earlier.origin != signed.origin || earlier.size > signed.size {
		return []finding{{checkNameCustody, subject, want, fmt.Sprintf("of %s at %d", earlier.origin, earlier.size)}}
	}
	if earlier.size == signed.size {
		if earlier != signed {
			return []finding{{checkNameCustody, subject, fmt.Sprintf("root %x", earlier.root), fmt.Sprintf("root %x", signed.root)}}
		}
		return nil
	}
	if withheld || uint64(len(log.Entries)) < earlier.size {
		return []finding{{checkNameCustody, subject, "the entries up to it", "they are withheld: it cannot be compared"}}
	}
	beginning := custodyLog{Origin: log.Origin, Size: earlier.size, Entries: log.Entries[:earlier.size]}
	found := beginning.check(earlier)
	for i := range found {
		found[i].Subject = subject + ", " + found[i].Subject
	}
	return found
}

// openCheckpoint checks the signature of a note (golang.org/x/mod/sumdb/note) in the one form in which it is written, and reads its text. The
// key is NAME+HASH+BASE64, of a byte for Ed25519 and the public key; HASH is the beginning of SHA-256 over name, line break and these bytes.
func openCheckpoint(text, key string) (c checkpoint, err error) {
	name, id, public, err := readNoteKey(key)
	if err != nil {
		return c, err
	}
	at := strings.LastIndex(text, "\n\n")
	if at < 0 {
		return c, errors.New("it is no signed note")
	}
	body, signature := text[:at+1], text[at+2:]
	signature, ok := strings.CutPrefix(signature, "— "+name+" ")
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(signature, "\n"))
	if !ok || err != nil || len(raw) != 4+ed25519.SignatureSize || signature != base64.StdEncoding.EncodeToString(raw)+"\n" || !bytes.Equal(raw[:4], id) {
		return c, fmt.Errorf("it is not signed by %s alone, or not in the form of a note", name)
	}
	if !ed25519.Verify(public, []byte(body), raw[4:]) {
		return c, fmt.Errorf("the signature is not that of %s over this text", name)
	}
	return readCheckpoint(body)
}

func readNoteKey(key string) (name string, id []byte, public ed25519.PublicKey, err error) {
	name, rest, _ := strings.Cut(key, "+")
	digits, text, _ := strings.Cut(rest, "+")
	id, err1 := hex.DecodeString(digits)
	raw, err2 := base64.StdEncoding.Strict().DecodeString(text)
	if err1 != nil || err2 != nil || name == "" || strings.ContainsAny(name, " \n") || len(raw) != 1+ed25519.PublicKeySize || raw[0] != 1 {
		return "", nil, nil, fmt.Errorf("%.80q is no key of a log", key)
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	if !bytes.Equal(sum[:4], id) || hex.EncodeToString(id) != digits {
		return "", nil, nil, fmt.Errorf("%.80q has not the hash %x", key, sum[:4])
	}
	return name, id, raw[1:], nil
}

// readCheckpoint reads the five lines, in the one form that they have.
func readCheckpoint(body string) (c checkpoint, err error) {
	lines := strings.Split(body, "\n")
	if len(lines) != 6 {
		return c, fmt.Errorf("a text of %d lines is no checkpoint", len(lines)-1)
	}
	size, err1 := strconv.ParseUint(lines[1], 10, 63)
	root, err2 := base64.StdEncoding.DecodeString(lines[2])
	length, err3 := strconv.ParseUint(strings.TrimPrefix(lines[3], "bytes "), 10, 63)
	chain, err4 := hex.DecodeString(strings.TrimPrefix(lines[4], "chain "))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return c, fmt.Errorf("its lines are not those of a checkpoint: %w", err)
	}
	if len(root) != 32 || len(chain) != 32 {
		return c, fmt.Errorf("hashes of %d and %d bytes are not those of a checkpoint", len(root), len(chain))
	}
	c = checkpoint{lines[0], size, [32]byte(root), length, [32]byte(chain)}
	again := fmt.Sprintf("%s\n%d\n%s\nbytes %d\nchain %x\n", c.origin, c.size, base64.StdEncoding.EncodeToString(root), c.bytes, c.chain)
	if again != body {
		return c, errors.New("its lines are not in the form of a checkpoint")
	}
	return c, nil
}
