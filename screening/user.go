package screening

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/spoortrace/spoor/store"
)

const keySize = 32

// secret is the tenant's own, by which users are looked up and ids are made.
func (b *batch) secret(tenant string) ([]byte, error) {
	key, err := b.get(string(partition(tenant)), "K")
	if !errors.Is(err, store.ErrAbsent) {
		return key, err
	}
	key = make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	b.put(string(partition(tenant)), "K", key)
	b.put(string(meta()), "tenant"+tenant, nil)
	return key, nil
}

// named is a keyed name: without the secret nobody can tell what it is of.
func named(secret []byte, parts ...string) string {
	mac := hmac.New(sha256.New, secret)
	for _, p := range parts {
		fmt.Fprintf(mac, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// externalID is the same for the same registration, in the form of a UUID.
func externalID(secret []byte, user string, r Registration) string {
	n := named(secret, "registration", r.Kind, user, r.Reference, r.Direction)
	return n[:8] + "-" + n[8:12] + "-" + n[12:16] + "-" + n[16:20] + "-" + n[20:]
}

// sealUser encrypts a user's id under the user's key, which it makes when there is none.
func (b *batch) sealUser(tenant, hash, user string) ([]byte, error) {
	p := string(partition(tenant))
	key, err := b.get(p, "U"+hash)
	if errors.Is(err, store.ErrAbsent) {
		key = make([]byte, keySize)
		if _, err = rand.Read(key); err == nil {
			b.put(p, "U"+hash, key)
		}
	}
	if err != nil {
		return nil, err
	}
	box, err := boxOf(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, box.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return box.Seal(nonce, nonce, []byte(user), nil), nil
}

// openUser decrypts a user's id; empty once the key is destroyed, or is another
// one that was made after the user had been erased.
func openUser(get func(partition, sort string) ([]byte, error), tenant string, t *Transfer) error {
	key, err := get(string(partition(tenant)), "U"+t.UserKey)
	if errors.Is(err, store.ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	box, err := boxOf(key)
	if err != nil || len(t.Sealed) < box.NonceSize() {
		return err
	}
	if user, err := box.Open(nil, t.Sealed[:box.NonceSize()], t.Sealed[box.NonceSize():], nil); err == nil {
		t.User = string(user)
	}
	return nil
}

func boxOf(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
