// Package vtysh is the Cisco-like command line of the suite. It knows no command:
// it asks zebra for the grammar (package client) and does the editing, help,
// completion and paging (package shell).
package vtysh

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/godmvpn/godmvpn/vtysh/client"
	"github.com/godmvpn/godmvpn/vtysh/shell"
)

// defaultRunDir is zebra's run directory if nothing is said.
const defaultRunDir = "/run/godmvpn"

// Main runs the shell and returns its exit status: 0, 1 if a command failed, 2
// for wrong usage.
func Main(args []string) int {
	var o shell.Options
	f := flag.NewFlagSet("vtysh", flag.ContinueOnError)
	rundir := f.String("rundir", defaultRunDir, "zebra's run directory `DIR`")
	f.Func("c", "run `COMMAND` and end (repeatable: they share the mode)", func(line string) error {
		o.Commands = append(o.Commands, line)
		return nil
	})
	f.StringVar(&o.File, "f", "", "run the lines of `FILE` (- is standard input) and end")
	f.BoolVar(&o.JSON, "json", false, "answer in JSON")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case f.NArg() > 0:
		fmt.Fprintf(os.Stderr, "vtysh: unexpected argument %q; commands are given by -c\n", f.Arg(0))
		return 2
	}
	if home, err := os.UserHomeDir(); err == nil {
		o.History = filepath.Join(home, ".godmvpn_history")
	}
	c, err := client.Dial(*rundir)
	if err != nil {
		fmt.Fprintf(os.Stderr, "vtysh: %v\n", err)
		return 1
	}
	defer c.Close()
	return shell.Run(context.Background(), c, o)
}
