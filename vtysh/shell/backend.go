package shell

import (
	"context"
	"io"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Backend is the router behind the shell. Its methods are called by one goroutine
// at a time, but for Monitor, which runs beside them.
type Backend interface {
	// Refresh returns the present state of the router. It is called before each
	// prompt and should be cheap: Grammar may be the same pointer as before
	// if it did not change.
	Refresh(ctx context.Context) (State, error)
	// Exec runs an exec command and streams its output. line is canonical, in
	// the words of the grammar. It returns when the command has ended or ctx
	// has.
	Exec(ctx context.Context, line string, asJSON bool, out io.Writer) error
	// Apply applies a configuration line: path has the lines that open the
	// blocks around it, outermost first. A *cli.Error or conf.LineError among
	// the errors is shown with its caret.
	Apply(ctx context.Context, path []string, line string) error
	// Monitor copies log messages, a line each, until ctx ends.
	Monitor(ctx context.Context, out io.Writer) error
}

// State is what the shell shows and understands.
type State struct {
	Hostname string
	Grammar  *cli.Grammar
}
