package labels

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
)

// TestPrivate: a private label is seen by its tenant and by nobody else, in
// every way that there is to ask, before and after the log was opened again.
func TestPrivate(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	tags := numbered(t, 0, 3)
	tags[1].Tenant, tags[2].Tenant, tags[2].Type = "a", "b", "event"
	for _, tag := range tags {
		if _, err := l.Add(tag, 1); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		for tenant, want := range map[string]string{"": "label 0", "a": "label 0,label 1", "b": "label 0,label 2", "c": "label 0"} {
			v, err := l.ViewOf(0, tenant)
			if err != nil {
				t.Fatal(err)
			}
			found, err := v.Tags(t.Context(), parse(t, "tron", trx))
			history, err2 := l.History(t.Context(), parse(t, "tron", trx), tenant)
			var all, past []string
			for _, tag := range found {
				all = append(all, tag.Label)
			}
			for _, e := range history {
				past = append(past, e.Label)
			}
			var definers []string
			for tag, err := range v.Definers(t.Context(), "tron") {
				if err != nil {
					t.Fatal(err)
				}
				definers = append(definers, tag.Label)
			}
			for name, got := range map[string][]string{"tags": all, "history": past, "definers": definers} {
				if strings.Join(got, ",") != want || err != nil || err2 != nil {
					t.Errorf("tenant %q: %s are %v, %v, %v, want %s", tenant, name, got, err, err2, want)
				}
			}
		}
		if v, _ := l.ViewOf(0, "b"); len(must(v.Tags(t.Context(), parse(t, "tron", trx)))) == 2 && must(v.Tags(t.Context(), parse(t, "tron", trx)))[1].Type != "event" {
			t.Error("the type of a tag was lost")
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, dir)
	}
}

func must(tags []ledger.Tag, err error) []ledger.Tag {
	if err != nil {
		panic(err)
	}
	return tags
}

// TestDefiners: definers of one network, as of a sequence, retracted ones gone.
func TestDefiners(t *testing.T) {
	l := open(t, t.TempDir())
	tags := numbered(t, 0, 6)
	tags[1].Definer, tags[3].Definer = false, false
	tags[4].Chain, tags[4].Address = "bitcoin", parse(t, "bitcoin", locky)
	if _, err := l.Import(t.Context(), source("a", tags), 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Retract(1, "wrong", 2000); err != nil {
		t.Fatal(err)
	}
	check := func(sequence uint64, c ledger.Chain, definers, all []uint64) {
		t.Helper()
		v, err := l.View(sequence)
		if err != nil {
			t.Fatal(err)
		}
		var got, every []uint64
		for tag, err := range v.Definers(t.Context(), c) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, tag.ID)
		}
		for tag, err := range v.All(t.Context(), c) {
			if err != nil {
				t.Fatal(err)
			}
			every = append(every, tag.ID)
		}
		if !slices.Equal(got, definers) || !slices.Equal(every, all) {
			t.Errorf("%s at %d: got definers %v of %v, want %v of %v", c, sequence, got, every, definers, all)
		}
	}
	check(1, "tron", []uint64{1, 3, 6}, []uint64{1, 2, 3, 4, 6})
	check(2, "tron", []uint64{3, 6}, []uint64{2, 3, 4, 6})
	check(0, "bitcoin", []uint64{5}, []uint64{5})
	check(0, "ethereum", nil, nil)
	if at := [3]uint64{l.SequenceAt(999), l.SequenceAt(1000), l.SequenceAt(5000)}; at != [3]uint64{0, 1, 2} {
		t.Errorf("sequences at 999, 1000 and 5000: got %v, want 0, 1, 2", at)
	}
}

// TestStale: a list of sanctions is stale after seven days, unless it was looked
// at again; others never are, unless their import says so.
func TestStale(t *testing.T) {
	dir, day := t.TempDir(), int64(24*time.Hour/time.Millisecond)
	l := open(t, dir)
	listed := numbered(t, 0, 3)
	listed[0].Category, listed[1].Category = "sanctioned_entity", "sanctioned_entity"
	sdn, other, asked := source("sdn.xml", listed), source("other", numbered(t, 3, 5)), source("asked", numbered(t, 5, 6))
	sdn.SHA256, sdn.Format, asked.MaxAge = [32]byte{1}, "ofac", 24*time.Hour
	for _, s := range []Source{sdn, other, asked} {
		if _, err := l.Import(t.Context(), s, 0); err != nil {
			t.Fatal(err)
		}
	}
	check := func(now int64, want string) {
		t.Helper()
		var stale []string
		for _, s := range l.Sources(now) {
			if s.Stale {
				stale = append(stale, s.Name)
			}
		}
		if got := strings.Join(stale, " "); got != want {
			t.Errorf("stale after %d days: got %q, want %q", now/day, got, want)
		}
	}
	check(day, "")
	check(2*day, "asked")
	check(7*day, "asked")
	check(7*day+1, "asked sdn.xml")
	again, err := l.Import(t.Context(), sdn, 7*day)
	if err != nil || !again.Known || again.Sequence != 1 {
		t.Errorf("imported again: got %+v, %v, want Known and sequence 1", again, err)
	}
	check(9*day, "asked")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir)
	check(9*day, "asked")
	check(15*day, "asked sdn.xml")
	if s := l.Sources(8 * day)[2]; s.Format != "ofac" || s.MaxAge != SanctionsMaxAge || s.Age != 24*time.Hour || s.Last != 7*day {
		t.Errorf("got %+v", s)
	}
}

// TestActors: the last record up to a sequence counts, and what is known is not written twice.
func TestActors(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	first := Actor{ID: "binance", Label: "Binance", URI: "https://binance.com", Categories: []string{"exchange"}, Jurisdictions: []string{"KY"}, Aliases: []string{"bnc"}, Context: "{}", Pack: "p", LastMod: 5}
	second := first
	second.Label = "Binance Holdings"
	for i, a := range []Actor{first, first, second} {
		done, err := l.Import(t.Context(), Source{Name: "actors", Tags: source("", nil).Tags, Actors: func(yield func(Actor, error) bool) { yield(a, nil) }}, int64(i))
		if err != nil || done.Actors != []int{1, 0, 1}[i] {
			t.Errorf("import %d: got %+v, %v", i, done, err)
		}
	}
	for range 2 {
		for sequence, want := range map[uint64]Actor{1: first, 2: first, 3: second} {
			v, err := l.View(sequence)
			if err != nil {
				t.Fatal(err)
			}
			got, ok, err := v.Actor(t.Context(), "binance")
			if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil {
				t.Errorf("at %d: %v, %v\n%s", sequence, ok, err, diff)
			}
			if _, ok, err := v.Actor(t.Context(), "nobody"); ok || err != nil {
				t.Errorf("nobody: got %v, %v, want none", ok, err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, dir)
	}
	failing := Source{Name: "bad", Tags: source("", nil).Tags, Actors: func(yield func(Actor, error) bool) { yield(Actor{}, ledger.ErrInvalid) }}
	if _, err := l.Import(t.Context(), failing, 9); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
}

// FuzzFrames: no body makes a decoder panic, and what decodes encodes to itself.
func FuzzFrames(f *testing.F) {
	f.Add(encodeTag(ledger.Tag{Chain: "tron", Label: "x", Tenant: "t", Concepts: []string{"scam"}}))
	f.Add(encodeTag(ledger.Tag{Chain: "tron", Label: "x", Tx: &ledger.TxID{}}))
	f.Add(encodeActor(Actor{ID: "a", Categories: []string{"b"}}))
	f.Add(encodeCommit(Import{Name: "n", Format: "csv", Report: Report{Skipped: map[string]int{"XRP": 1}}}, [32]byte{}))
	f.Add([]byte("\x020000000000000000000000000000000000\x01000000000000000000000000000000000000000\x00\x00\x00\x0000\x0000")) // an edition of no list
	f.Fuzz(func(t *testing.T, body []byte) {
		if tag, _, ok := decodeTag(body); ok {
			if again, _, ok := decodeTag(encodeTag(tag)); !ok || !cmp.Equal(tag, again) {
				t.Errorf("tag %x: %+v became %+v", body, tag, again)
			}
		}
		if a, ok := decodeActor(body); ok {
			if again, ok := decodeActor(encodeActor(a)); !ok || !cmp.Equal(a, again) {
				t.Errorf("actor %x: %+v became %+v", body, a, again)
			}
		}
		if i, previous, ok := decodeCommit(body); ok {
			if again, p, ok := decodeCommit(encodeCommit(i, previous)); !ok || p != previous || !cmp.Equal(i, again) {
				t.Errorf("commit %x: %+v became %+v", body, i, again)
			}
		}
	})
}
