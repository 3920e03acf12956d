package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
	"github.com/godmvpn/godmvpn/zebra/engine"
	"github.com/godmvpn/godmvpn/zebra/fib"
	"github.com/godmvpn/godmvpn/zebra/hub"
	"github.com/godmvpn/godmvpn/zebra/supervisor"
)

// daemonName is the name under which this program is a daemon of itself.
const daemonName = "benchd"

// feeder is a daemon that puts or takes back as many routes as it is told, and
// answers when zebra has acknowledged the last one.
type feeder struct {
	client *session.Client
	acks   chan rib.Ack
}

func serveFeeder() int {
	plugin.Init(daemonName)
	f := &feeder{acks: make(chan rib.Ack, 1024)}
	f.client = session.NewClient(func(ev rib.Event) {
		if ack, ok := ev.(rib.Ack); ok {
			f.acks <- ack
		}
	})
	f.client.EndOfReplay()
	return plugin.Serve(f)
}

// Hello implements plugin.Daemon.
func (f *feeder) Hello(context.Context, plugin.Host) (plugin.Identity, error) {
	return plugin.Identity{Name: daemonName, SessionVersion: session.Version}, nil
}

// Grammar implements plugin.Daemon.
func (f *feeder) Grammar(context.Context) (cli.Tree, error) { return cli.Tree{}, nil }

// Configure implements plugin.Daemon.
func (f *feeder) Configure(context.Context, plugin.Configuration) ([]plugin.LineError, error) {
	return nil, nil
}

// Session implements plugin.Daemon.
func (f *feeder) Session(ctx context.Context, s session.Stream) error { return f.client.Run(ctx, s) }

// Alive implements plugin.Daemon.
func (f *feeder) Alive(context.Context) error { return nil }

// Shutdown implements plugin.Daemon.
func (f *feeder) Shutdown(context.Context) error { return nil }

// Exec implements plugin.Daemon: "put" and "delete", with the number of routes.
func (f *feeder) Exec(ctx context.Context, cmd plugin.Command, _ io.Writer) error {
	n := int(cmd.Args.Uint("n"))
	var last uint64
	for _, o := range makeRoutes(n) {
		r := o.(dataplane.Route)
		route := rib.Route{Prefix: r.Prefix, Protocol: rib.RIP, Distance: rib.RIP.Distance(), Metric: 1,
			NextHops: []rib.NextHop{{Addr: netip.MustParseAddr("192.0.2.2"), Interface: "under0"}}}
		if cmd.ID == "delete" {
			last = f.client.Delete(route.Key())
			continue
		}
		seq, err := f.client.Put(route)
		if err != nil {
			return err
		}
		last = seq
	}
	for {
		select {
		case ack := <-f.acks:
			if len(ack.Failures) > 0 {
				return errors.New(ack.Failures[0].Error)
			}
			if ack.Seq >= last {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// byDaemon sends the routes from another process over its session, through hub,
// engine, RIB and reconciler.
func byDaemon(ns *os.File, routes []dataplane.Object) (f figure, err error) {
	dir, err := os.MkdirTemp("", "fibbench")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	p, err := linuxkernel.New(linuxkernel.Options{Namespace: ns})
	if err != nil {
		return f, err
	}
	defer p.Close()
	quiet := slog.New(slog.DiscardHandler)
	eng := engine.New(quiet, func(string, session.Log) {})
	h := hub.New(eng.Message, 1)
	table := fib.New(fib.Options{Provider: p, AuditEvery: -1, Report: eng.Outcomes, Event: eng.Event})
	eng.Connect(table, h)
	eng.Enabled([]string{daemonName})
	eng.Configured()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go eng.Run(ctx)
	go func() { ended <- table.Run(ctx) }()
	defer func() { stop(); <-ended }()
	attached := make(chan plugin.Daemon, 1)
	super, err := supervisor.New(supervisor.Config{RunDir: dir, Log: quiet, Stderr: os.Stderr,
		Program: func(name string) (string, []string, error) {
			exe, err := os.Executable()
			return exe, []string{name}, err
		},
		Serve: func(ctx context.Context, a supervisor.Attachment) error {
			attached <- a.Daemon
			return h.Serve(ctx, a.Name, a.Stream)
		}})
	if err != nil {
		return f, err
	}
	defer super.Stop()
	if err := super.Enable(daemonName); err != nil {
		return f, err
	}
	var d plugin.Daemon
	select {
	case d = <-attached:
	case <-time.After(30 * time.Second):
		return f, errors.New("the daemon did not start")
	}
	exec := func(id string) func() error {
		args := cli.Args{"n": {Kind: cli.KindNumber, Text: strconv.Itoa(len(routes))}}
		return func() error { return d.Exec(ctx, plugin.Command{ID: id, Args: args}, io.Discard) }
	}
	if f.add, f.cpu, err = timed(syscall.RUSAGE_SELF, exec("put")); err != nil {
		return f, fmt.Errorf("put: %w", err)
	}
	f.del, _, err = timed(syscall.RUSAGE_SELF, exec("delete"))
	return f, err
}
