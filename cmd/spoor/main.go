// Spoor follows stolen cryptocurrency from a reported payment to where it rests.
//
// One binary is daemon and client. Every command asks the services of package
// server: of a server that was named, of the process that owns the data
// directory, or in this process. Only this package knows concrete chains and
// storage engines.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is one call of the command; it returns the exit status.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{in: in, out: out, errOut: errOut}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return statusDone
	}
	if !a.started {
		err = &usageError{err}
	}
	return report(errOut, commandName(cmd), err)
}
