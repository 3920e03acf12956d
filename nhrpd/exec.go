package nhrpd

import (
	"context"
	"fmt"
	"io"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// shows has what the show commands ask the core for, and how they print it.
var shows = map[string]struct {
	kind  core.ReportKind
	print func(core.Report, libcli.Args) libcli.Output
}{
	cli.ExecNHRP:     {core.ReportCache, showCache},
	cli.ExecNHRPAddr: {core.ReportCache, showCache},
	cli.ExecSummary:  {core.ReportCache, func(r core.Report, _ libcli.Args) libcli.Output { return cli.ShowSummary(r.(*core.CacheReport)) }},
	cli.ExecSelf:     {core.ReportPeers, func(r core.Report, _ libcli.Args) libcli.Output { return cli.ShowSelf(r.(*core.PeerReport)) }},
	cli.ExecNHS: {core.ReportNHS, func(r core.Report, a libcli.Args) libcli.Output {
		return cli.ShowNHS(r.(*core.NHSReport), a.Has("detail"))
	}},
	cli.ExecTraffic: {core.ReportTraffic, func(r core.Report, a libcli.Args) libcli.Output {
		return cli.ShowTraffic(r.(*core.TrafficReport), a.Has("detail"))
	}},
	cli.ExecMulticast: {core.ReportMulticast, func(r core.Report, _ libcli.Args) libcli.Output { return cli.ShowMulticast(r.(*core.MulticastReport)) }},
	cli.ExecDMVPN: {core.ReportPeers, func(r core.Report, a libcli.Args) libcli.Output {
		return cli.ShowDMVPN(r.(*core.PeerReport), cli.PeersOf(a))
	}},
}

func showCache(r core.Report, a libcli.Args) libcli.Output {
	return cli.ShowNHRP(r.(*core.CacheReport), cli.ViewOf(a))
}

// Exec implements plugin.Daemon.
func (d *Daemon) Exec(ctx context.Context, cmd plugin.Command, out io.Writer) error {
	if done, err := plugin.ExecDebug(d.edge.Debug(), cmd, out); done {
		return err
	}
	a := cmd.Args
	id, family := cli.Split(cmd.ID)
	if id == cli.ExecDMVPN {
		family = cli.FamilyNamed(a.String("family"))
	}
	if s, ok := shows[id]; ok {
		r, err := d.edge.Ask(ctx, core.Query{Kind: s.kind, Interface: a.String("ifname"), VRF: a.String("vrf"), Family: family})
		if err != nil {
			return err
		}
		return s.print(r, a).Write(out, cmd.JSON)
	}
	if c, ok := clearOf(id, family, a); ok {
		return d.edge.Clear(ctx, c)
	}
	return fmt.Errorf("nhrpd does not know the command %s", cmd.ID)
}

// clearOf reads a command that forgets; ok is false if it is none.
func clearOf(id string, family rib.Family, a libcli.Args) (c core.Clear, ok bool) {
	c = core.Clear{Interface: a.String("ifname"), VRF: a.String("vrf"), Family: family}
	switch id {
	case cli.ExecClear:
		c.Entries = true
		if p, ok := cli.Target(a); ok {
			c.Target = p.Masked()
		}
	case cli.ExecClearShortcut:
		c.Entries, c.Shortcuts = true, true
	case cli.ExecClearCounters:
		c.Counters = true
	case cli.ExecClearSession:
		c.Sessions, c.Static, c.Family = true, a.Has("static"), 0
		c.Tunnel, c.NBMA = a.Addr("tunnel"), a.Addr("nbma")
	case cli.ExecClearStatistics:
		c.Counters, c.Family = true, 0
	default:
		return c, false
	}
	return c, true
}
