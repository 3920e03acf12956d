// Package nhrpd is the NHRP daemon: it keeps the mapping of tunnel to NBMA
// addresses of a DMVPN cloud by the Next Hop Resolution Protocol (RFC 2332).
//
// The daemon is a plugin of zebra. Its parts are packages of their own: packet
// (octets and values), core (what to do), edge (sockets, clock, session) and cli
// (grammar and outputs). Here they are wired.
package nhrpd

import (
	"context"
	"log/slog"
	"time"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/privilege"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/edge"
)

// Name is the daemon's name.
const Name = cli.Owner

// holdLimit is how long zebra may keep this daemon's neighbours without it: the
// largest holding time that engineers use.
const holdLimit = 2 * time.Hour

// Grammar returns what the daemon adds to the command line.
func Grammar() libcli.Tree { return cli.Grammar() }

// Main runs the daemon until zebra or a signal ends it.
func Main(build string) int {
	log := plugin.Init(Name)
	if err := privilege.Limit(privilege.NetRaw); err != nil {
		log.Warn("the daemon has more privileges than it needs", "error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := New(log, build, rawsock.Kernel{}, edge.DNS{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Run(ctx)
	}()
	status := plugin.Serve(d)
	cancel()
	<-done
	return status
}

// Daemon implements plugin.Daemon.
type Daemon struct {
	build string
	edge  *edge.Edge
}

// New returns the daemon over a network and a resolver; its edge has to be run.
func New(log *slog.Logger, build string, network rawsock.Network, resolver edge.Resolver) *Daemon {
	return &Daemon{build: build, edge: edge.New(log, network, resolver)}
}

// Run drives the daemon until ctx ends.
func (d *Daemon) Run(ctx context.Context) { d.edge.Run(ctx) }

// Hello implements plugin.Daemon.
func (d *Daemon) Hello(context.Context, plugin.Host) (plugin.Identity, error) {
	return plugin.Identity{Name: Name, Build: d.build, SessionVersion: session.Version, HoldLimit: holdLimit}, nil
}

// Grammar implements plugin.Daemon.
func (d *Daemon) Grammar(context.Context) (libcli.Tree, error) { return cli.Grammar(), nil }

// Configure implements plugin.Daemon.
func (d *Daemon) Configure(_ context.Context, c plugin.Configuration) ([]plugin.LineError, error) {
	return d.edge.Configure(c.Tree, c.Phase), nil
}

// Session implements plugin.Daemon.
func (d *Daemon) Session(ctx context.Context, s session.Stream) error { return d.edge.Attach(ctx, s) }

// Alive implements plugin.Daemon.
func (d *Daemon) Alive(ctx context.Context) error { return d.edge.Alive(ctx) }

// Shutdown implements plugin.Daemon.
func (d *Daemon) Shutdown(ctx context.Context) error { return d.edge.Goodbye(ctx) }
