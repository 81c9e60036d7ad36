package access

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// FuzzToken: what parses is what would be printed for it, so that a key has one token.
func FuzzToken(f *testing.F) {
	f.Add(formatToken("0123456789abcdef", [32]byte{1, 2, 3}))
	f.Add("spoor_0123456789abcdef_")
	f.Fuzz(func(t *testing.T, token string) {
		id, secret, ok := parseToken(token)
		if ok && formatToken(id, secret) != token {
			t.Errorf("%q is read as that of %s", token, id)
		}
	})
}

// FuzzJournal: a scan gives back a prefix of its input, which joins up to the
// same bytes, whatever follows.
func FuzzJournal(f *testing.F) {
	one, after := mark{}.add([]byte(`{"a":1}`))
	two, _ := after.add([]byte(`{}`))
	f.Add(append(one, two...))
	f.Add(append(one, two[:20]...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var again []byte
		at := mark{}
		end, err := scan(bytes.NewReader(raw), mark{}, func(body []byte, next mark) error {
			line, follows := at.add(body)
			if follows != next {
				t.Fatalf("after %q: %v, want %v", body, next, follows)
			}
			again, at = append(again, line...), next
			return nil
		})
		if err != nil && !errors.Is(err, errTorn) {
			t.Fatal(err)
		}
		if end != at || !bytes.HasPrefix(raw, again) || err == nil && len(again) != len(raw) || end.Bytes != int64(len(again)) {
			t.Errorf("%q: read %q, %v", raw, again, err)
		}
	})
}

// FuzzEntry: a line of the key log is refused, or changes the store as one that
// it wrote itself would.
func FuzzEntry(f *testing.F) {
	f.Add([]byte(`{"time":"2026-01-02T03:04:05Z","by":"x","tenant":{"name":"acme","rate":5,"webhook_hosts":["a.example"]}}`))
	f.Add([]byte(`{"time":"2026-01-02T03:04:05Z","by":"x","key":{"id":"0123456789abcdef","tenant":"acme","name":"n","role":"reader","sha256":"` +
		"0000000000000000000000000000000000000000000000000000000000000000" + `"}}`))
	f.Add([]byte(`{"time":"2026-01-02T03:04:05Z","by":"x","revoke":"0123456789abcdef"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &Store{now: time.Now, keys: map[string]*Key{}, certificates: map[[32]byte]string{}, tenants: map[string]Tenant{}}
		if s.apply(body) != nil {
			return
		}
		for _, k := range s.Keys() {
			if again, err := keyOf(entryOfKey(k), k.Created); err != nil || again != k {
				t.Errorf("%v is written as %v: %v", k, again, err)
			}
		}
		for _, tenant := range s.Tenants() {
			if err := tenant.valid(); err != nil {
				t.Error(err)
			}
		}
	})
}

// FuzzHead: a head has one form.
func FuzzHead(f *testing.F) {
	f.Add(formatHead(mark{Bytes: 7, Lines: 1}))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseHead(text)
		if err == nil && !bytes.Equal(formatHead(m), text) {
			t.Errorf("%q is read as %v", text, m)
		}
	})
}

// FuzzCheckpoint: a checkpoint's text has one form.
func FuzzCheckpoint(f *testing.F) {
	c := checkpoint{tree: tree{}.with([]byte("a")).with([]byte("b")).with([]byte("c"))}
	f.Add(c.text())
	f.Fuzz(func(t *testing.T, text string) {
		if c, ok := parseCheckpoint(text); ok && (c.text() != text || c.root().String() == "") {
			t.Errorf("%q is read as %v", text, c)
		}
	})
}
