// Package ospfd is the OSPF daemon: it learns and announces routes by Open Shortest Path
// First, version 2 (RFC 2328), as Cisco's routers do.
//
// The daemon is a plugin of zebra. Its parts are packages of their own: packet (octets
// and values), core (what to do; beneath it core/fsm, core/lsdb, core/flood, core/spf and
// core/route), edge (sockets, clock, session) and cli (grammar and outputs). Here they
// are wired.
package ospfd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/privilege"
	"github.com/godmvpn/godmvpn/ospfd/cli"
	"github.com/godmvpn/godmvpn/ospfd/edge"
)

// Name is the daemon's name.
const Name = cli.Owner

// holdLimit is how long zebra may keep this daemon's routes without it: more than the
// neighbours of a router that restarts gracefully wait for it, by the default timers.
const holdLimit = 5 * time.Minute

// Grammar returns what the daemon adds to the command line.
func Grammar() libcli.Tree { return cli.Grammar() }

// Main runs the daemon until zebra or a signal ends it. It keeps the right to open raw
// sockets. Being bound to the device of a VRF needs none since Linux 5.7, nor does
// joining a group.
func Main(build string) int {
	log := plugin.Init(Name)
	if err := privilege.Limit(privilege.NetRaw); err != nil {
		log.Warn("the daemon has more privileges than it needs", "error", err)
	}
	return daemon.Serve(New(log, build, daemon.Machine()))
}

// Daemon implements plugin.Daemon and plugin.Restarter.
type Daemon struct {
	daemon.Plugin
	edge *edge.Edge
}

// New returns the daemon in a world; its edge has to be run.
func New(log *slog.Logger, build string, world daemon.World) *Daemon {
	e := edge.New(log, world)
	return &Daemon{daemon.Plugin{Name: Name, Build: build, HoldLimit: holdLimit, Commands: Grammar, Edge: e}, e}
}

// Restart implements plugin.Restarter.
func (d *Daemon) Restart(ctx context.Context) error { return d.edge.Restart(ctx) }

// Exec implements plugin.Daemon.
func (d *Daemon) Exec(ctx context.Context, cmd plugin.Command, out io.Writer) error {
	if done, err := plugin.ExecDebug(d.edge.Debug(), cmd, out); done {
		return err
	}
	if c, ok := cli.Clearing(cmd.ID, cmd.Args); ok {
		return d.edge.Clear(ctx, c)
	}
	q, ok := cli.About(cmd.ID, cmd.Args)
	if !ok {
		return fmt.Errorf("%s does not know the command %s", Name, cmd.ID)
	}
	r, err := d.edge.Ask(ctx, q)
	if err != nil {
		return err
	}
	return cli.Show(cmd.ID, r, cmd.Args).Write(out, cmd.JSON)
}
