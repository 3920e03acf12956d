// Package ripd is the RIP daemon: it learns and announces routes by the Routing
// Information Protocol, version 2 (RFC 2453) and version 1 (RFC 1058).
//
// The daemon is a plugin of zebra. Its parts are packages of their own: packet
// (octets and values), core (what to do), edge (sockets, clock, session) and cli
// (grammar and outputs). Here they are wired.
package ripd

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/privilege"
	"github.com/godmvpn/godmvpn/ripd/cli"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/edge"
)

// Name is the daemon's name.
const Name = cli.Owner

// holdLimit is how long zebra may keep this daemon's routes without it: as long
// as a RIP router knows a route of which it hears nothing, by the default timers.
// A new life of the daemon needs an update interval and a half, 45 s by default,
// until it has heard of all of them.
const holdLimit = core.DefaultFlush

// Grammar returns what the daemon adds to the command line.
func Grammar() libcli.Tree { return cli.Grammar() }

// Main runs the daemon until zebra or a signal ends it. It keeps the right to use
// port 520. Being bound to the device of a VRF needs none since Linux 5.7.
func Main(build string) int {
	log := plugin.Init(Name)
	if err := privilege.Limit(privilege.NetBindService); err != nil {
		log.Warn("the daemon has more privileges than it needs", "error", err)
	}
	return daemon.Serve(New(log, build, daemon.Machine()))
}

// Daemon implements plugin.Daemon.
type Daemon struct {
	daemon.Plugin
	edge *edge.Edge
}

// New returns the daemon in a world; its edge has to be run.
func New(log *slog.Logger, build string, world daemon.World) *Daemon {
	e := edge.New(log, world)
	return &Daemon{daemon.Plugin{Name: Name, Build: build, HoldLimit: holdLimit, Commands: Grammar, Edge: e}, e}
}

// Exec implements plugin.Daemon.
func (d *Daemon) Exec(ctx context.Context, cmd plugin.Command, out io.Writer) error {
	if done, err := plugin.ExecDebug(d.edge.Debug(), cmd, out); done {
		return err
	}
	if c, ok := cli.Clear(cmd.ID, cmd.Args); ok {
		return d.edge.Clear(ctx, c)
	}
	var kind core.ReportKind
	switch cmd.ID {
	case cli.ExecRIP, cli.ExecDatabase:
		kind = core.ReportRoutes
	case cli.ExecStatus, libcli.ShowProtocols:
		kind = core.ReportStatus
	default:
		return fmt.Errorf("ripd does not know the command %s", cmd.ID)
	}
	r, err := d.edge.Ask(ctx, core.Query{Kind: kind, VRF: cmd.Args.String("vrf")})
	if err != nil {
		return err
	}
	return show(cmd, r).Write(out, cmd.JSON)
}

// show makes the output of a show command.
func show(cmd plugin.Command, r core.Report) libcli.Output {
	switch cmd.ID {
	case cli.ExecRIP:
		return cli.ShowRIP(r.(*core.RouteReport), cmd.Args)
	case cli.ExecDatabase:
		return cli.ShowDatabase(r.(*core.RouteReport), cmd.Args)
	case cli.ExecStatus:
		return cli.ShowStatus(r.(*core.StatusReport))
	}
	return cli.ShowProtocols(r.(*core.StatusReport))
}
