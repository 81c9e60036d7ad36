package letter_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/spoortrace/spoor/evidence/letter"
	"github.com/spoortrace/spoor/ledger"
)

const thai = `เรียน {{.To}}
ขอให้อายัดทรัพย์สินตามรายการต่อไปนี้
{{template "holdings" .}}{{template "addresses" .}}
{{.Officer}}
`

func TestOwnTemplates(t *testing.T) {
	folder := fstest.MapFS{
		"exchange_freeze.th.txt.tmpl": {Data: []byte(thai)},
		"exchange_freeze.txt.tmpl":    {Data: []byte("no language\n")},
		"issuer_freeze.en.txt.tmpl":   {Data: []byte("in the agency's language\n")},
		"notes.txt":                   {Data: []byte("{{")},
	}
	own, err := letter.ReadTemplates(folder)
	if err != nil {
		t.Fatal(err)
	}
	o := options(t)
	o.Templates = own
	all := write(t, sample(), o)
	golden(t, "exchange_freeze.th", all[0].Text)
	if all[1].Text != "in the agency's language\n" {
		t.Errorf("to the issuer: %q", all[1].Text)
	}
	o.Contacts.Contacts[0].Languages, o.Agency.Language = nil, "de"
	if all := write(t, sample(), o); all[0].Text != "no language\n" {
		t.Errorf("without languages: %q", all[0].Text)
	}
}

func TestTemplatesRefused(t *testing.T) {
	const functions = `one of and, or, not, eq, ne, lt, le, gt, ge, len, index`
	tests := []struct{ name, text, want string }{
		{"syntax", "a\n{{if}}", `issuer_freeze.txt.tmpl: want a text/template, got "template: issuer_freeze.txt.tmpl:2: missing value for if"`},
		{"field", "a\nb {{.Score}}", `want the fields of docs/letters.md, got "template: issuer_freeze.txt.tmpl:2:4: executing \"issuer_freeze.txt.tmpl\" at <.Score>: can't evaluate f...`},
		{"padding", `{{printf "%1000000d" 1}}`, `issuer_freeze.txt.tmpl:1:2: want ` + functions + `, got "printf"`},
		{"padding within", `{{if (len (print 1))}}{{end}}`, `issuer_freeze.txt.tmpl:1:11: want ` + functions + `, got "print"`},
		{"padding in another branch", `{{with .Case}}{{else}}{{. | html}}{{end}}`, `issuer_freeze.txt.tmpl:1:28: want ` + functions + `, got "html"`},
		{"our own counter", `{{turn}}`, `issuer_freeze.txt.tmpl:1:2: want ` + functions + `, got "turn"`},
		{"calls itself", `{{template "issuer_freeze.txt.tmpl" .}}`, `want one of the parts of docs/letters.md, got "issuer_freeze.txt.tmpl"`},
		{"no such part", `{{template "x" .}}`, `issuer_freeze.txt.tmpl:1:11: want one of the parts of docs/letters.md, got "x"`},
		{"defines", `{{define "x"}}{{template "x" .}}{{end}}{{template "x" .}}`, `issuer_freeze.txt.tmpl: want no define and no block, got "x"`},
		{"defines a part anew", `{{define "head"}}{{template "tail" .}}{{end}}`, `issuer_freeze.txt.tmpl: want no define and no block, got "head"`},
		{"block", `{{block "x" .}}{{end}}`, `issuer_freeze.txt.tmpl: want no define and no block, got "x"`},
		{"endless", `{{range 1000000000000}}{{end}}`, `more than 2097152 turns of loops: limit reached`},
		{"endless within", `{{range 1000000}}{{range 1000000}}{{end}}{{end}}`, `more than 2097152 turns of loops: limit reached`},
		{"endless and continued", `{{range 1000000000000}}{{continue}}{{end}}`, `more than 2097152 turns of loops: limit reached`},
		{"long", `{{range 2000000}}` + strings.Repeat("a", 200) + `{{end}}`, `letters of more than 256 MiB: limit reached`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := options(t)
			o.Templates = map[string]string{letter.IssuerFreeze: test.text}
			_, err := letter.Write(sample(), o)
			if err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(test.want, "...")) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if !errors.Is(err, ledger.ErrInvalid) && !errors.Is(err, ledger.ErrExhausted) {
				t.Errorf("%v is neither ErrInvalid nor ErrExhausted", err)
			}
		})
	}
}

func TestTemplateFolderRefused(t *testing.T) {
	tests := []struct {
		name   string
		folder fstest.MapFS
		want   string
	}{
		{"none", fstest.MapFS{"a.txt": {}}, `templates: want files such as issuer_freeze.txt.tmpl, got "none"`},
		{"a kind that there is not", fstest.MapFS{"issuer_freze.txt.tmpl": {}}, `templates: want one of issuer_freeze, exchange_freeze, mutual_assistance, warrant_schedule, each with .LANGUAGE or without, got "issuer_freze"`},
		{"too large", fstest.MapFS{"issuer_freeze.txt.tmpl": {Data: make([]byte, 1<<20+1)}}, `issuer_freeze.txt.tmpl: want at most 1 MiB, got "1048577 bytes"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := letter.ReadTemplates(test.folder); err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
	if _, err := letter.Write(sample(), letter.Options{Templates: map[string]string{"x": ""}}); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("a kind that there is not, past the folder: %v", err)
	}
}
