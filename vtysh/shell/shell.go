package shell

import (
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Options say how to run the shell.
type Options struct {
	Commands []string // -c: run in order, sharing the mode
	File     string   // -f: run the lines of the file; "-" is In
	JSON     bool     // every command answers in JSON
	// History is the file in which lines are kept across runs (mode 0600);
	// "" for none. It is used on a terminal only.
	History  string
	In       io.Reader // nil: os.Stdin
	Out, Err io.Writer // nil: os.Stdout, os.Stderr
}

// Run runs the shell and returns its exit status: 0, or 1 if a line failed in one
// of the batch forms or the router cannot be reached. Without commands and file
// it is interactive if standard input and output are a terminal, and reads lines
// from standard input otherwise.
//
// Batch forms begin in privileged mode and end at the first line that fails.
func Run(ctx context.Context, b Backend, o Options) int {
	terminal := o.In == nil && o.Out == nil && isTerminal(os.Stdin) && isTerminal(os.Stdout)
	if o.In == nil {
		o.In = os.Stdin
	}
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Err == nil {
		o.Err = os.Stderr
	}
	s := &session{backend: b, mode: cli.ModeExec, json: o.JSON}
	err := s.refresh(ctx)
	if err == nil && s.state.Grammar == nil {
		err = fmt.Errorf("the router has sent no grammar")
	}
	if err != nil {
		fmt.Fprintf(o.Err, "%% %v\n", err)
		return 1
	}
	if terminal && len(o.Commands) == 0 && o.File == "" {
		return interactive(ctx, s, openHistory(o.History))
	}
	return runBatch(ctx, s, o)
}

// isTerminal tells whether a file is a terminal.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
