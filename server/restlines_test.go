package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// answered is one line of an answer.
type answered struct {
	Result *struct {
		Index   string `json:"index"`
		Address string `json:"address"`
		Error   struct {
			Message string `json:"message"`
		} `json:"error"`
	} `json:"result"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func screened(t testing.TB, text string) (all []answered) {
	t.Helper()
	for line := range strings.Lines(text) {
		var a answered
		if err := json.Unmarshal([]byte(line), &a); err != nil || (a.Result == nil) == (a.Error == nil) {
			t.Fatalf("line %s: %v", line, err)
		}
		all = append(all, a)
	}
	return all
}

// TestScreenLines: answers are in order, one a question, and one that cannot be
// read ends the stream with its number after the answers to those before it.
func TestScreenLines(t *testing.T) {
	web := gatewayTo(t, &desk{})
	many := 20_000
	var b strings.Builder
	for i := range many {
		fmt.Fprintf(&b, "{\"address\":\"tron:%d\"}\n\n", i)
	}
	code, got := request(t, web, "POST", "/v1/screenings:stream", b.String())
	all := screened(t, got)
	if code != 200 || len(all) != many {
		t.Fatalf("%d: %d answers to %d questions", code, len(all), many)
	}
	for i, a := range all {
		if a.Result.Index != fmt.Sprint(i) || a.Result.Address != fmt.Sprintf("tron:%d", i) {
			t.Fatalf("answer %d is %+v", i, a.Result)
		}
	}
	for _, test := range []struct {
		name, body string
		code, n    int
		text       string
	}{
		{"nothing", "", 200, 0, ""},
		{"blank lines", "\n \r\n", 200, 0, ""},
		{"without an end of line", `{"address":"a"}`, 200, 1, ""},
		{"a bad line after a good one", "{\"address\":\"a\"}\n\n{\"where\":\"b\"}\n{\"address\":\"c\"}\n", 200, 1, "line 3"},
		{"a bad line at once", `["a"]`, 400, 0, "line 1"},
		{"two values in a line", `{"address":"a"} {"address":"b"}`, 400, 0, "line 1"},
		{"a line that is too long", `{"address":"` + strings.Repeat("a", maxQuestionLine) + `"}`, 400, 0, "line 1"},
		{"beyond a limit", "{\"address\":\"a\"}\n{\"address\":\"stop\"}\n{\"address\":\"c\"}\n", 200, 1, "enough"},
		{"beyond a limit at once", `{"address":"stop"}`, 429, 0, "enough"},
		{"a bad line before many", "{}\n[]\n" + strings.Repeat("{\"address\":\"a\"}\n", 5000), 200, 1, "line 2"},
	} {
		code, got := request(t, web, "POST", "/v1/screenings:stream", test.body)
		failed := ""
		var all []answered
		if code == 200 {
			all = screened(t, got)
			if n := len(all); n > 0 && all[n-1].Error != nil {
				failed, all = all[n-1].Error.Message, all[:n-1]
			}
		} else {
			var s struct{ Message string }
			if err := json.Unmarshal([]byte(got), &s); err != nil {
				t.Fatalf("%s: %s: %v", test.name, got, err)
			}
			failed = s.Message
		}
		if code != test.code || len(all) != test.n || !strings.Contains(failed, test.text) || (failed == "") != (test.text == "") {
			t.Errorf("%s: %d, %d answers, %q; want %d, %d, %q", test.name, code, len(all), failed, test.code, test.n, test.text)
		}
	}
}

// TestScreenLinesEach: a question is answered before the next is sent, over
// HTTP/1.1 and HTTP/2, and a client that leaves ends the stream.
func TestScreenLinesEach(t *testing.T) {
	plain := gatewayTo(t, &desk{})
	second := httptest.NewUnstartedServer(plain.Config.Handler)
	second.EnableHTTP2 = true
	second.StartTLS()
	defer second.Close()
	for _, web := range []*httptest.Server{plain, second} {
		body, questions := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web.URL+"/v1/screenings:stream", body)
		if err != nil {
			t.Fatal(err)
		}
		first := make(chan error, 1)
		go func() {
			_, err := fmt.Fprintln(questions, `{"address":"tron:0"}`)
			first <- err
		}()
		res, err := web.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		answers := bufio.NewScanner(res.Body)
		for i := range 3 {
			if !answers.Scan() {
				t.Fatalf("%s: no answer %d: %v", res.Proto, i, answers.Err())
			}
			if a := screened(t, answers.Text())[0]; a.Result.Address != fmt.Sprintf("tron:%d", i) {
				t.Fatalf("%s: answer %d: %+v", res.Proto, i, a.Result)
			}
			if _, err := fmt.Fprintf(questions, "{\"address\":\"tron:%d\"}\n", i+1); err != nil {
				t.Fatal(err)
			}
		}
		if err := questions.CloseWithError(io.ErrUnexpectedEOF); err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPlaces: one client cannot take all the places of the listener.
func TestPlaces(t *testing.T) {
	d := newGuard(Trust{})
	for range maxHTTPClient {
		if !d.enter("a") {
			t.Fatal("refused too early")
		}
	}
	if d.enter("a") || !d.enter("b") {
		t.Error("one client takes the places of another")
	}
	d.leave("a")
	if !d.enter("a") {
		t.Error("a place that was left is not free")
	}
	for i := range maxHTTP - maxHTTPClient - 1 {
		if !d.enter(fmt.Sprint(i)) {
			t.Fatalf("refused %d clients too early", maxHTTP-maxHTTPClient-1-i)
		}
	}
	if d.enter("c") {
		t.Error("more requests than there is room for")
	}
}

// FuzzScreenLines: whatever comes as a body, each line out is JSON of the
// stream's form, answers are in order and none is without its question.
func FuzzScreenLines(f *testing.F) {
	for _, seed := range []string{
		"", "\n", `{"address":"a"}`, "{\"address\":\"a\",\"as_of\":\"7\"}\n{\"address\":\"b\"}", `{"address":"stop"}`, "{}\n{}", "null", "{\"address\":\"a\"}{", "\xff", `{"maxLagSeconds":1}`,
		"{\"address\":\"a\"}\r\n\r\n{\"address\":\"b\"}\r\n", `{"address":"\ud800"}`, strings.Repeat(`{"address":`, 3000),
	} {
		f.Add([]byte(seed))
	}
	web := gatewayTo(f, &desk{})
	handler := web.Config.Handler
	f.Fuzz(func(t *testing.T, body []byte) {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/v1/screenings:stream", strings.NewReader(string(body)))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		if !utf8.Valid(w.Body.Bytes()) || w.Code >= 500 {
			t.Fatalf("%d %q", w.Code, w.Body)
		}
		if w.Code != 200 {
			return
		}
		all := screened(t, w.Body.String())
		lines := strings.Count(string(body), "\n") + 1
		if len(all) > lines+1 {
			t.Fatalf("%d answers to at most %d lines", len(all), lines)
		}
		for i, a := range all {
			if a.Error != nil && i != len(all)-1 || a.Error == nil && a.Result.Index != fmt.Sprint(i) {
				t.Fatalf("line %d of %s", i, w.Body)
			}
		}
	})
}

// FuzzKYTNumber: an amount that is let through has the value that came.
func FuzzKYTNumber(f *testing.F) {
	for _, seed := range []string{"1", "1e-7", `"25050.5"`, "0.30000000000000004", "null", "1e100", "-0", "1E+2", `""`, `"1e"`, "10", "0.10"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var n kytNumber
		if json.Unmarshal(b, &n) != nil || n.text == "" {
			return
		}
		got := n.decimal()
		came, ok := rational(n.text)
		if !ok || got == "" || got == n.text {
			return
		}
		if value, ok := rational(got); !ok || value.Cmp(came) != 0 || strings.ContainsAny(got, "eE") {
			t.Fatalf("%s became %s", n.text, got)
		}
	})
}

// rational reads a decimal; exponents that would take all memory are none.
func rational(text string) (*big.Rat, bool) {
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok && len(exponent) > 4 || strings.ContainsAny(text, "/_xXpPbBoO") {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}
