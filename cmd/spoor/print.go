package main

import (
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
)

// print writes an answer in the form that was asked for.
func print[M proto.Message](a *app, m M, table func(io.Writer, M, render.Style) error, csv func(io.Writer, M) error) error {
	switch a.output {
	case "json":
		return render.JSON(a.out, m)
	case "csv":
		return csv(a.out, m)
	}
	return table(a.out, m, a.style)
}
