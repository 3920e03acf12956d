// Package ipsecd is the IKEv2 daemon: it negotiates the security associations by which
// protected tunnels pass, as Cisco's routers do (RFC 7296).
//
// The daemon is a plugin of zebra, which alone has the kernel's policies and security
// associations. Its parts are packages of their own: packet (octets and values), suite
// (cryptography), core (what to do; core/proposal is the negotiation of algorithms),
// edge (sockets, clock, files, session) and cli (grammar and outputs). Here they are
// wired.
package ipsecd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/edge"
	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/privilege"
)

// Name is the daemon's name.
const Name = cli.Owner

// holdLimit is how long zebra may keep this daemon's security associations without it:
// they end by themselves, with their lifetimes.
const holdLimit = 2 * time.Hour

// Grammar returns what the daemon adds to the command line.
func Grammar() libcli.Tree { return cli.Grammar() }

// Main runs the daemon until zebra or a signal ends it. It keeps the right to ports below
// 1024, and no other: being bound to the device of a VRF needs none since Linux 5.7. Its
// memory, with the keys in it, is kept from others.
func Main(build string) int {
	log := plugin.Init(Name)
	if err := privilege.Conceal(); err != nil {
		log.Warn("the daemon's memory can be read", "error", err)
	}
	if err := privilege.Limit(privilege.NetBindService); err != nil {
		log.Warn("the daemon has more privileges than it needs", "error", err)
	}
	return daemon.Serve(New(log, build, edge.Machine()))
}

// Daemon implements plugin.Daemon.
type Daemon struct {
	daemon.Plugin
	edge *edge.Edge
}

// New returns the daemon in a world; its edge has to be run.
func New(log *slog.Logger, build string, world edge.World) *Daemon {
	e := edge.New(log, world)
	return &Daemon{daemon.Plugin{Name: Name, Build: build, HoldLimit: holdLimit, Commands: Grammar, Edge: e}, e}
}

// Exec implements plugin.Daemon.
func (d *Daemon) Exec(ctx context.Context, cmd plugin.Command, out io.Writer) error {
	if done, err := plugin.ExecDebug(d.edge.Debug(), cmd, out); done {
		return err
	}
	if c, ok := cli.Clearing(cmd.ID, cmd.Args); ok {
		return d.edge.Clear(ctx, c)
	}
	kinds := cli.Kinds(cmd.ID)
	if len(kinds) == 0 {
		return fmt.Errorf("%s does not know the command %s", Name, cmd.ID)
	}
	var reports []core.Report
	for _, kind := range kinds {
		if kind == core.ReportSAs {
			d.edge.Count(ctx)
		}
		r, err := d.edge.Ask(ctx, core.Query{Kind: kind})
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	o, err := cli.Show(cmd.ID, cmd.Args, reports...)
	if err != nil {
		return err
	}
	return o.Write(out, cmd.JSON)
}
