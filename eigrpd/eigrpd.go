// Package eigrpd is the EIGRP daemon: it learns and announces routes by the Enhanced
// Interior Gateway Routing Protocol (RFC 7868), as Cisco's routers do.
//
// The daemon is a plugin of zebra. Its parts are packages of their own: packet and
// metric (octets and values), core (what to do; core/dual is the algorithm, core/rtp
// reliable transport), edge (sockets, clock, session) and cli (grammar and outputs).
// Here they are wired.
package eigrpd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/edge"
	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/privilege"
)

// Name is the daemon's name.
const Name = cli.Owner

// holdLimit is how long zebra may keep this daemon's routes without it: as long as a
// neighbour keeps those of a router that restarts gracefully, by the default timers,
// and the hold time that it takes to notice.
const holdLimit = core.DefaultStubPurge + time.Minute

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
	if cmd.ID == cli.ExecClearNeighbors || cmd.ID == cli.ExecClearCounters {
		return d.edge.Clear(ctx, cli.Clearing(cmd.ID, cmd.Args))
	}
	o, err := d.show(ctx, cmd)
	if err != nil {
		return err
	}
	return o.Write(out, cmd.JSON)
}

// show makes the output of a show command.
func (d *Daemon) show(ctx context.Context, cmd plugin.Command) (libcli.Output, error) {
	v := cli.ViewOf(cmd.Args)
	status := func(show func(*core.StatusReport) libcli.Output) (libcli.Output, error) {
		return report(ctx, d, v.Query(core.ReportStatus), show)
	}
	switch cmd.ID {
	case cli.ExecNeighbors:
		return report(ctx, d, v.Query(core.ReportNeighbors), func(r *core.NeighborReport) libcli.Output { return cli.ShowNeighbors(r, v) })
	case cli.ExecTopology:
		return report(ctx, d, v.Query(core.ReportTopology), func(r *core.TopologyReport) libcli.Output { return cli.ShowTopology(r, v) })
	case cli.ExecInterfaces:
		return report(ctx, d, v.Query(core.ReportInterfaces), func(r *core.InterfaceReport) libcli.Output { return cli.ShowInterfaces(r, v) })
	case cli.ExecEvents:
		return report(ctx, d, v.Query(core.ReportEvents), func(r *core.EventReport) libcli.Output { return cli.ShowEvents(r, v) })
	case cli.ExecTraffic:
		return status(func(r *core.StatusReport) libcli.Output { return cli.ShowTraffic(r, d.edge.Process(), v) })
	case cli.ExecAccounting:
		return status(func(r *core.StatusReport) libcli.Output { return cli.ShowAccounting(r, v) })
	case cli.ExecProtocols:
		return status(func(r *core.StatusReport) libcli.Output { return cli.ShowEIGRPProtocols(r, v) })
	case libcli.ShowProtocols:
		return status(cli.ShowProtocols)
	case cli.ExecTimers:
		return d.showTimers(ctx, v)
	case cli.ExecUpgrade:
		return lines(cli.Upgrade(d.edge.Tree(), uint16(cmd.Args.Uint("as")), cmd.Args.String("name")))
	case cli.ExecDowngrade:
		return lines(cli.Downgrade(d.edge.Tree(), cmd.Args.String("name")))
	}
	return libcli.Output{}, fmt.Errorf("eigrpd does not know the command %s", cmd.ID)
}

// report has the core make a report, and shows it.
func report[R core.Report](ctx context.Context, d *Daemon, q core.Query, show func(R) libcli.Output) (libcli.Output, error) {
	r, err := d.edge.Ask(ctx, q)
	if err != nil {
		return libcli.Output{}, err
	}
	return show(r.(R)), nil
}

// showTimers shows two reports in one.
func (d *Daemon) showTimers(ctx context.Context, v cli.View) (libcli.Output, error) {
	r, err := d.edge.Ask(ctx, v.Query(core.ReportStatus))
	if err != nil {
		return libcli.Output{}, err
	}
	return report(ctx, d, v.Query(core.ReportInterfaces), func(i *core.InterfaceReport) libcli.Output {
		return cli.ShowTimers(r.(*core.StatusReport), i, v)
	})
}

// lines shows a configuration, or why there is none.
func lines(all []string, err error) (libcli.Output, error) {
	if err != nil {
		return libcli.Output{}, err
	}
	return libcli.Output{JSON: map[string]any{"lines": all}, Text: func(w io.Writer) {
		for _, line := range all {
			fmt.Fprintln(w, line)
		}
	}}, nil
}
