// Umlrun runs a command as root in a User-Mode Linux of its own, and commands
// in one that is up.
//
//	umlrun [-mem 768M] [-limit 20m] [-out DIR]… [-socket PATH] [-ipsec] COMMAND [ARG]…
//	umlrun attach -socket PATH COMMAND [ARG]…
//	umlrun stop -socket PATH
//
// The first form boots a machine, runs the command with this process's
// standard files, and ends with its exit status; the machine ends with it. The
// guest sees the host's files; what it writes is kept only below the
// directories given with -out. With -socket the machine can be reached by the
// other forms while it is up: attach runs a command in it, on this terminal if
// there is one, and stop ends it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/uml"
)

// statusOwn is the exit status of umlrun's own failures, as with env and nice.
const statusOwn = 125

func main() {
	uml.InitIfRequested()
	args := os.Args[1:]
	run := runCommand
	if len(args) > 0 {
		switch args[0] {
		case "attach":
			run, args = attach, args[1:]
		case "stop":
			run, args = stop, args[1:]
		}
	}
	status, err := run(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "umlrun:", err)
		if status <= 0 {
			status = statusOwn
		}
	}
	os.Exit(status)
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// runCommand is the form that boots a machine.
func runCommand(args []string) (int, error) {
	var cfg uml.Config
	fs := flag.NewFlagSet("umlrun", flag.ExitOnError)
	fs.StringVar(&cfg.Memory, "mem", uml.DefaultMemory, "memory of the machine")
	fs.DurationVar(&cfg.Limit, "limit", uml.DefaultLimit, "end everything after this time; below 0: never")
	fs.StringVar(&cfg.Socket, "socket", "", "control socket for attach and stop")
	fs.StringVar(&cfg.Hostname, "hostname", "uml", "host name inside")
	fs.Var((*list)(&cfg.Writable), "out", "directory whose files the guest may change; repeatable")
	ipsec := fs.Bool("ipsec", false, "load ESP and its algorithms as well")
	_ = fs.Parse(args)
	if fs.NArg() == 0 {
		return statusOwn, fmt.Errorf("no command given")
	}
	cfg.Modules = uml.NetworkModules
	if *ipsec {
		cfg.Modules = append(cfg.Modules, uml.IPsecModules...)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer cancel()
	m, err := uml.Boot(ctx, cfg)
	if err != nil {
		return statusOwn, err
	}
	defer m.Close()
	c := uml.Command{Args: fs.Args(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if uml.IsTerminal(os.Stdin) {
		c.Stdin = nil // the terminal stays this process's; attach is for interactive work
	}
	return m.Run(ctx, c)
}

// attach is the form that runs a command in a machine that is up.
func attach(args []string) (int, error) {
	fs := flag.NewFlagSet("umlrun attach", flag.ExitOnError)
	socket := fs.String("socket", "", "control socket of the machine")
	_ = fs.Parse(args)
	if *socket == "" || fs.NArg() == 0 {
		return statusOwn, fmt.Errorf("attach needs -socket and a command")
	}
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGHUP)
	defer cancel()
	return uml.Attach(ctx, *socket, fs.Args())
}

// stop is the form that ends a machine.
func stop(args []string) (int, error) {
	fs := flag.NewFlagSet("umlrun stop", flag.ExitOnError)
	socket := fs.String("socket", "", "control socket of the machine")
	_ = fs.Parse(args)
	if *socket == "" {
		return statusOwn, fmt.Errorf("stop needs -socket")
	}
	return 0, uml.Stop(*socket)
}
