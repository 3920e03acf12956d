// Package bgpd is the BGP daemon: it learns and announces routes by the Border Gateway
// Protocol (RFC 4271).
//
// The daemon is a plugin of zebra. Its parts are packages of their own: speaker
// (sessions, by GoBGP) and core/locrib (paths and the choice among them), core (what lies
// between BGP and the routing table), edge (speakers, session) and cli (grammar and
// outputs). Here they are wired.
package bgpd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/bgpd/cli"
	"github.com/godmvpn/godmvpn/bgpd/edge"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/privilege"
)

// Name is the daemon's name.
const Name = cli.Owner

// holdLimit is how long zebra may keep this daemon's routes without it: longer than a
// restarted daemon may wait for its neighbours (update-delay).
const holdLimit = 10 * time.Minute

// Grammar returns what the daemon adds to the command line.
func Grammar() libcli.Tree { return cli.Grammar() }

// Main runs the daemon until zebra or a signal ends it. It keeps the right to listen on
// port 179, and to bind sockets to the devices of VRFs.
func Main(build string) int {
	log := plugin.Init(Name)
	if err := privilege.Limit(privilege.NetBindService, privilege.NetRaw); err != nil {
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

// Restart implements plugin.Restarter: neighbors with graceful restart keep the routes
// (RFC 4724 section 4).
func (d *Daemon) Restart(ctx context.Context) error { return d.edge.Restart(ctx) }

// Exec implements plugin.Daemon.
func (d *Daemon) Exec(ctx context.Context, cmd plugin.Command, out io.Writer) error {
	if done, err := plugin.ExecDebug(d.edge.Debug(), cmd, out); done {
		return err
	}
	v := cli.ViewOf(cmd.Args)
	if cmd.ID == cli.ExecClear {
		return d.edge.Clear(ctx, v)
	}
	o, err := d.show(ctx, cmd, v)
	if err != nil {
		return err
	}
	return o.Write(out, cmd.JSON)
}

// show makes the output of a show command.
func (d *Daemon) show(ctx context.Context, cmd plugin.Command, v cli.View) (libcli.Output, error) {
	if cmd.ID == libcli.ShowProtocols {
		return d.protocols(v)
	}
	in, s, err := d.edge.Instance(v.VRF, cmd.ID == cli.ExecNeighbors && v.What == "")
	if err != nil {
		return libcli.Output{}, err
	}
	if in == nil {
		return cli.NotRunning(v), nil
	}
	switch cmd.ID {
	case cli.ExecTable:
		return d.table(in, s, v)
	case cli.ExecSummary:
		entries, err := s.List(speaker.Table{Family: v.Family})
		size := cli.TableSize{Prefixes: len(entries)}
		for _, e := range entries {
			size.Paths += len(e.Paths)
		}
		return cli.ShowSummary(in, size, v), err
	case cli.ExecNeighbors:
		if v.What != "" {
			return d.neighborTable(in, s, v)
		}
		return cli.ShowNeighbors(in, v), nil
	case cli.ExecGroups:
		return cli.ShowGroups(in, v), nil
	case cli.ExecNextHops:
		r, err := d.edge.Ask(ctx, v.VRF)
		return cli.ShowNextHops(r, v), err
	}
	return libcli.Output{}, fmt.Errorf("bgpd does not know the command %s", cmd.ID)
}

// protocols shows BGP's section of `show ip protocols`.
func (d *Daemon) protocols(v cli.View) (libcli.Output, error) {
	var all []*cli.Instance
	for _, in := range d.edge.Instances() {
		if v.VRF != "*" && in.Router.VRF != v.VRF {
			continue
		}
		if in.Running {
			with, _, err := d.edge.Instance(in.Router.VRF, false)
			if err != nil {
				return libcli.Output{}, err
			}
			if with != nil {
				in = with
			}
		}
		all = append(all, in)
	}
	return cli.ShowProtocols(all), nil
}

// table shows all paths, or those of one prefix.
func (d *Daemon) table(in *cli.Instance, s *speaker.Speaker, v cli.View) (libcli.Output, error) {
	if !v.Addr.IsValid() && !v.Prefix.IsValid() {
		entries, err := s.List(speaker.Table{Family: v.Family})
		return cli.ShowTable(in, entries, v), err
	}
	if v.Prefix.IsValid() && !v.Longer {
		entries, err := s.List(speaker.Table{Family: v.Family, Prefix: v.Prefix})
		if err != nil || len(entries) == 0 {
			return cli.ShowEntry(in, nil, v), err
		}
		return cli.ShowEntry(in, &entries[0], v), nil
	}
	entries, err := s.List(speaker.Table{Family: v.Family})
	if err != nil {
		return libcli.Output{}, err
	}
	if v.Longer {
		return cli.ShowTable(in, within(entries, v.Prefix), v), nil
	}
	return cli.ShowEntry(in, longest(entries, v.Addr), v), nil
}

// within returns the entries inside of a prefix.
func within(entries []speaker.Entry, p netip.Prefix) (out []speaker.Entry) {
	for _, e := range entries {
		if e.Prefix.Bits() >= p.Bits() && p.Contains(e.Prefix.Addr()) {
			out = append(out, e)
		}
	}
	return out
}

// longest returns the entry with the longest prefix that an address is in.
func longest(entries []speaker.Entry, a netip.Addr) (best *speaker.Entry) {
	for i := range entries {
		if e := &entries[i]; e.Prefix.Contains(a) && (best == nil || e.Prefix.Bits() > best.Prefix.Bits()) {
			best = e
		}
	}
	return best
}

// neighborTable shows what a neighbour sent or is sent.
func (d *Daemon) neighborTable(in *cli.Instance, s *speaker.Speaker, v cli.View) (libcli.Output, error) {
	t := speaker.Table{Family: v.Family, Neighbor: v.Addr}
	switch v.What {
	case "received-routes":
		t.View = speaker.Received
	case "advertised-routes":
		t.View = speaker.Sent
	}
	entries, err := s.List(t)
	return cli.ShowTable(in, entries, v), err
}
