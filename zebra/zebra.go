// Package zebra is the RIB manager: the parent of all daemons and the only
// writer of forwarding state.
//
// Its parts are packages of their own. Pure cores decide: rib (routes), iface
// (interfaces), fib's Core (what to write). engine drives them in one goroutine.
// hub and supervisor hold the daemons, confstore the configuration, ctl serves
// vtysh, dataplane writes to the kernel. Here they are wired.
//
// The start is a chain of named signals, shown by "show zebra init":
//
//	LINKS_KNOWN → CONFIG_LOADED → DAEMONS_ATTACHED → REPLAYED → FIB_SYNCED
package zebra

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// DefaultConfig and DefaultRunDir are where things are if nothing is said.
const (
	DefaultConfig = "/etc/godmvpn/godmvpn.conf"
	DefaultRunDir = "/run/godmvpn"
)

// ReadyName is the file in the run directory that exists while zebra is ready:
// the configuration is in force and was tried on the kernel.
const ReadyName = "ready"

// Builtin are the daemons that are in the same program file, with their grammars.
type Builtin struct {
	Build   string // version of the program
	Daemons []cli.Owned
}

// options are the command line.
type options struct {
	config, rundir, logFile, logLevel string
	retain                            bool
	enable                            []string
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("zebra", flag.ContinueOnError)
	f.StringVar(&o.config, "config", DefaultConfig, "startup configuration `FILE`")
	f.StringVar(&o.rundir, "rundir", DefaultRunDir, "`DIR` of sockets and state")
	f.StringVar(&o.logFile, "log-file", "", "log to `FILE` instead of standard error")
	f.StringVar(&o.logLevel, "log-level", "", "least `LEVEL` to log: debugging … errors, whatever the configuration says")
	f.BoolVar(&o.retain, "retain", false, "leave routes, tunnels and addresses in the kernel at the end")
	f.Func("enable", "run the daemon `NAME` whatever the configuration says (repeatable)", func(name string) error {
		o.enable = append(o.enable, name)
		return nil
	})
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return o, nil
}

// Main runs zebra in the foreground until SIGTERM or SIGINT and returns the exit
// status. It does not touch the process's standard input.
func Main(args []string, b Builtin) int {
	signal.Ignore(syscall.SIGPIPE)
	syscall.Umask(umask)
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(os.Stderr, "zebra: %v\n", err)
		return 2
	}
	log, err := openLog(o)
	if err != nil {
		fmt.Fprintf(os.Stderr, "zebra: %v\n", err)
		return 1
	}
	defer log.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, o, b, log); err != nil {
		for _, line := range strings.Split(strings.TrimRight(err.Error(), "\n"), "\n") {
			fmt.Fprintf(os.Stderr, "zebra: %s\n", line)
		}
		log.Logger().Error("zebra ends", "error", err)
		return 1
	}
	return 0
}

func openLog(o options) (*telemetry.Log, error) {
	level := slog.LevelInfo
	if o.logLevel != "" {
		var err error
		if level, err = telemetry.ParseLevel(o.logLevel); err != nil {
			return nil, err
		}
	}
	return telemetry.NewLog(telemetry.LogConfig{File: o.logFile, Output: os.Stderr, Level: level})
}

// run starts everything, waits for the end of ctx, and ends everything.
func run(ctx context.Context, o options, b Builtin, log *telemetry.Log) error {
	if err := os.MkdirAll(o.rundir, 0o750); err != nil {
		return err
	}
	r, err := newRouter(o, b, log)
	if err != nil {
		return err
	}
	limit(log.Logger())
	ready := r.ready()
	if err := r.start(ctx); err != nil {
		return errors.Join(err, r.end(true))
	}
	if err := renameio.WriteFile(ready, []byte(time.Now().UTC().Format(time.RFC3339)+"\n"), 0o640); err != nil {
		return errors.Join(err, r.end(true))
	}
	log.Logger().Info("ready", "rundir", o.rundir, "build", b.Build)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			log.Logger().Info("ending", "retain", o.retain)
			if err := os.Remove(ready); err != nil {
				log.Logger().Warn("the file that says ready is left behind", "error", err)
			}
			return r.end(o.retain)
		case err := <-r.failed:
			return errors.Join(err, os.Remove(ready), r.end(true))
		case <-hup:
			if err := log.Reopen(); err != nil {
				log.Logger().Error("the log file was not opened again", "error", err)
			}
		}
	}
}
