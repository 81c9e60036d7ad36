package report

import (
	"bytes"
	"html/template"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/export"
)

// page is the whole report. It has no script and loads nothing.
const page = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{plain .Title}}</title>
<style>
@page { size: A4; margin: 15mm 12mm }
body { font: 13px/1.45 system-ui, sans-serif; color: #111; max-width: 1100px; margin: 24px auto; padding: 0 16px }
h1 { font-size: 24px } h2 { font-size: 18px; margin-top: 28px; border-bottom: 2px solid #334; break-after: avoid } h3 { font-size: 14px; break-after: avoid }
table { border-collapse: collapse; width: 100%; table-layout: fixed; margin: 8px 0 } th, td { border: 1px solid #bbc; padding: 3px 5px; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { background: #eef1f6 } thead { display: table-header-group } tr { break-inside: avoid }
.demo { background: #b00; color: #fff; padding: 8px 12px; font-weight: bold } .note { color: #444 } nav a { margin-right: 12px }
</style></head><body>
{{with .Demo}}<p class="demo">DEMONSTRATION: {{plain .}}</p>{{end}}
<h1>{{plain .Title}}</h1>
<table><tbody>{{range .Cover}}<tr><th scope="row">{{plain (index . 0)}}</th><td><bdi>{{plain (index . 1)}}</bdi></td></tr>{{end}}</tbody></table>
<nav>{{range $i, $s := .Sections}}<a href="#s{{$i}}">{{plain $s.Title}}</a> {{end}}</nav>
{{range $i, $s := .Sections}}<h2 id="s{{$i}}">{{plain $s.Title}}</h2>
{{range .Text}}<p><bdi>{{plain .}}</bdi></p>
{{end}}{{range .Parts}}{{with .Title}}<h3><bdi>{{plain .}}</bdi></h3>{{end}}{{if .Rows}}
<table><colgroup>{{range .Wide}}<col style="width:{{.}}%">{{end}}</colgroup><thead><tr>{{range .Head}}<th scope="col">{{plain .}}</th>{{end}}</tr></thead><tbody>
{{range .Rows}}<tr>{{range .}}<td><bdi>{{plain .}}</bdi></td>{{end}}</tr>
{{end}}</tbody></table>{{end}}{{with .Note}}<p class="note">{{plain .}}</p>{{end}}
{{end}}{{end}}</body></html>
`

// HTML renders a dossier as one file that loads nothing and runs nothing.
func HTML(d *evidence.Dossier) ([]byte, error) {
	t, err := template.New("report").Funcs(template.FuncMap{"plain": export.Plain}).Parse(page)
	if err != nil {
		return nil, err
	}
	v := newView(d)
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"Title": "Case " + d.Cover.Number + ": where the money is", "Demo": d.Cover.Demonstration, "Cover": v.cover(), "Sections": v.sections(),
	})
	return b.Bytes(), err
}
