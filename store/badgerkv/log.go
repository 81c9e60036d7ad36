package badgerkv

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// logger hands Badger's messages on, its reports of routine as debugging.
type logger struct{ to *slog.Logger }

func messages(to *slog.Logger) badger.Logger {
	if to == nil {
		to = slog.New(slog.DiscardHandler)
	}
	return logger{to.With("engine", "badger")}
}

func line(format string, args []any) string { return strings.TrimSpace(fmt.Sprintf(format, args...)) }

func (l logger) Errorf(format string, args ...any)   { l.to.Error(line(format, args)) }
func (l logger) Warningf(format string, args ...any) { l.to.Warn(line(format, args)) }
func (l logger) Infof(format string, args ...any)    { l.to.Debug(line(format, args)) }
func (l logger) Debugf(format string, args ...any)   { l.to.Debug(line(format, args)) }
