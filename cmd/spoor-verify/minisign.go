package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The lengths of minisign's two lines of base64: algorithm, key id and key, or algorithm, key id and signature.
const (
	minisignKey       = 2 + 8 + ed25519.PublicKeySize
	minisignSignature = 2 + 8 + ed25519.SignatureSize
)

// minisigned is the text of a signature file.
type minisigned struct {
	algorithm, keyID, signature []byte
	comment                     string // covered by whole
	whole                       []byte // over signature and comment
}

// checkSignature checks what minisign made of the zip against a public key: its file, or the one line of it that matters.
func checkSignature(zip io.ReaderAt, size int64, sig, pub string) error {
	key, err := readMinisignKey(pub)
	if err != nil {
		return err
	}
	s, err := readMinisigned(sig)
	if err != nil {
		return err
	}
	if !bytes.Equal(key[2:10], s.keyID) {
		return fmt.Errorf("the signature is by the key %s, not by %s", minisignID(s.keyID), minisignID(key[2:10]))
	}
	message, sum, err := signedMessage(io.NewSectionReader(zip, 0, size), size, string(s.algorithm))
	if err != nil {
		return err
	}
	public := ed25519.PublicKey(key[10:])
	if !ed25519.Verify(public, message, s.signature) {
		return errors.New("the signature is not of this package")
	}
	if !ed25519.Verify(public, append(bytes.Clone(s.signature), s.comment...), s.whole) {
		return errors.New("the signature's comment was changed")
	}
	word := strings.Fields(s.comment)
	if len(word) == 6 && word[0] == "package" && word[2] == "sha256" && word[3] != sum {
		return fmt.Errorf("the signature's comment names the sha256 %s, the package has %s", word[3], sum)
	}
	return nil
}

// signedMessage is what was signed: the zip's BLAKE2b, or, by old minisign, the zip itself. Its SHA-256 comes along.
func signedMessage(zip io.Reader, size int64, algorithm string) (message []byte, sum string, err error) {
	sha, blake := sha256.New(), newBlake2b512()
	switch algorithm {
	case "ED":
		if _, err := io.Copy(io.MultiWriter(sha, blake), zip); err != nil {
			return nil, "", err
		}
		return blake.Sum(nil), hex.EncodeToString(sha.Sum(nil)), nil
	case "Ed":
		if size > 1<<30 {
			return nil, "", fmt.Errorf("a signature over %d bytes that were not hashed first", size)
		}
		message, err := io.ReadAll(zip)
		sha.Write(message)
		return message, hex.EncodeToString(sha.Sum(nil)), err
	}
	return nil, "", fmt.Errorf("a signature of the algorithm %q", algorithm)
}

// minisignID prints a key's id as minisign does: the bytes are those of a number, the least first.
func minisignID(id []byte) string {
	return fmt.Sprintf("%02X%02X%02X%02X%02X%02X%02X%02X", id[7], id[6], id[5], id[4], id[3], id[2], id[1], id[0])
}

func readMinisignKey(text string) ([]byte, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	if comment, line, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(comment, "untrusted comment: ") {
		text = line
	}
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(key) != minisignKey || string(key[:2]) != "Ed" {
		return nil, errors.New("the public key is none of minisign's")
	}
	return key, nil
}

// readMinisigned reads the four lines of a signature file.
func readMinisigned(text string) (s minisigned, err error) {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if len(lines) != 5 || lines[4] != "" || !strings.HasPrefix(lines[0], "untrusted comment: ") {
		return s, errors.New("the signature has not minisign's four lines")
	}
	comment, ok := strings.CutPrefix(lines[2], "trusted comment: ")
	first, err1 := base64.StdEncoding.Strict().DecodeString(lines[1])
	whole, err2 := base64.StdEncoding.Strict().DecodeString(lines[3])
	if !ok || err1 != nil || err2 != nil || len(first) != minisignSignature || len(whole) != ed25519.SignatureSize {
		return s, errors.New("the signature is not in minisign's form")
	}
	return minisigned{first[:2], first[2:10], first[10:], comment, whole}, nil
}
