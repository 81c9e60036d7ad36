package kvtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/store"
)

func testGet(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	wantAbsent(t, kv, "a", "x")
	write(t, kv, put("a", "x", "1"), put("a", "", "empty sort"), put("", "x", "empty partition"), put("", "", "both"), put("a", "y", ""))
	wantRow(t, kv, "a", "x", "1")
	wantRow(t, kv, "a", "", "empty sort")
	wantRow(t, kv, "", "x", "empty partition")
	wantRow(t, kv, "", "", "both")
	wantRow(t, kv, "a", "y", "")
	wantAbsent(t, kv, "a", "z")
	wantAbsent(t, kv, "ax", "")
	wantAbsent(t, kv, "", "ax")
}

// testOwnership changes what went in and what came out: neither may show.
func testOwnership(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	op := put("a", "x", "1")
	write(t, kv, op)
	op.Partition[0], op.Sort[0], op.Value[0] = 'b', 'z', '2'
	wantRow(t, kv, "a", "x", "1")
	value, err := view(t, kv).Get([]byte("a"), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	value[0] = '3'
	wantRow(t, kv, "a", "x", "1")
}

func testOrder(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	// Byte order, not length order, whatever the order of writing.
	sorted := []string{"", "\x00", "\x00\x00", "\x00\xff", "\x01", "a", "a\x00", "aa", "b", "\x7f", "\x80", "\xff", "\xff\x00", "\xff\xff", "\xff\xff\xff"}
	var want []string
	for i := range sorted {
		s := sorted[(i*7)%len(sorted)]
		write(t, kv, put("p", s, s))
	}
	slices.Sort(sorted)
	for _, s := range sorted {
		want = append(want, s+"="+s)
	}
	r := view(t, kv)
	wantScan(t, r, "p", "-", "-", false, want)
	slices.Reverse(want)
	wantScan(t, r, "p", "-", "-", true, want)
}

func testBounds(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	write(t, kv, put("p", "b", "1"), put("p", "d", "2"), put("p", "f", "3"), put("p", "\xff\xff", "4"), put("o", "d", "other"), put("q", "d", "other"))
	r := view(t, kv)
	for _, c := range []struct{ from, to, want string }{
		{"-", "-", "b=1 d=2 f=3 \xff\xff=4"},
		{"", "-", "b=1 d=2 f=3 \xff\xff=4"},
		{"b", "f", "b=1 d=2"}, // from inclusive, to exclusive
		{"c", "e", "d=2"},
		{"d", "d", ""},
		{"e", "d", ""},
		{"-", "b", ""},
		{"-", "b\x00", "b=1"},
		{"-", "", ""},
		{"a", "-", "b=1 d=2 f=3 \xff\xff=4"},
		{"g", "-", "\xff\xff=4"},
		{"\xff\xff", "-", "\xff\xff=4"},
		{"\xff\xff\x00", "-", ""},
		{"-", "\xff\xff", "b=1 d=2 f=3"},
		{"-", "\xff\xff\xff\xff\xff", "b=1 d=2 f=3 \xff\xff=4"},
	} {
		want := strings.Fields(c.want)
		if len(want) == 0 {
			want = nil
		}
		wantScan(t, r, "p", c.from, c.to, false, want)
		back := slices.Clone(want)
		slices.Reverse(back)
		wantScan(t, r, "p", c.from, c.to, true, back)
	}
	wantScan(t, r, "absent", "-", "-", false, nil)
	wantScan(t, r, "absent", "-", "-", true, nil)
}

// testPartitions has partitions that are prefixes of each other, and pairs that
// concatenate to the same bytes.
func testPartitions(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	partitions := []string{"", "\x00", "\x01", "\x02", "a", "ab", "abc", "b", "\xff", "\xff\xff", "\xff\xff\xff", strings.Repeat("\xff", 126), strings.Repeat("\xff", 127), strings.Repeat("\xff", 128), strings.Repeat("x", 300)}
	sorts := []string{"", "\x00", "\x01", "b", "bc", "c", "\xff", "\xff\xff"}
	var ops []store.Op
	for _, p := range partitions {
		for _, s := range sorts {
			ops = append(ops, put(p, s, p))
		}
	}
	write(t, kv, ops...)
	r := view(t, kv)
	for _, p := range partitions {
		var want []string
		for _, s := range sorts {
			want = append(want, s+"="+p)
		}
		wantScan(t, r, p, "-", "-", false, want)
		slices.Reverse(want)
		wantScan(t, r, p, "-", "-", true, want)
	}
	write(t, kv, del("ab", "c"))
	wantAbsent(t, kv, "ab", "c")
	wantRow(t, kv, "a", "bc", "a")
	wantRow(t, kv, "abc", "", "abc")
}

func testStopEarly(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	for i := range 100 {
		write(t, kv, put("p", string([]byte{byte(i)}), "v"))
	}
	r := view(t, kv)
	for _, reverse := range []bool{false, true} {
		for range 50 { // an iteration that leaks what it holds would show
			seen := 0
			for _, err := range r.Scan([]byte("p"), nil, nil, reverse) {
				if err != nil {
					t.Fatal(err)
				}
				if seen++; seen == 3 {
					break
				}
			}
			if seen != 3 {
				t.Fatalf("reverse %v: saw %d rows, want 3", reverse, seen)
			}
		}
	}
	// A scan inside a scan, and reads beside it, in one view.
	rows := 0
	for row, err := range r.Scan([]byte("p"), nil, []byte{10}, false) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Get([]byte("p"), row.Sort); err != nil {
			t.Fatalf("get beside a scan: %v", err)
		}
		inner, err := scan(r, "p", row.Sort, nil, true)
		if err != nil || len(inner) != 100-int(row.Sort[0]) {
			t.Fatalf("scan inside a scan: %d rows from %d, %v", len(inner), row.Sort[0], err)
		}
		rows++
	}
	if rows != 10 {
		t.Errorf("outer scan saw %d rows, want 10", rows)
	}
}
