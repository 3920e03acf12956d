package nhrpd

import (
	"context"
	"fmt"
	"io"
	"strings"

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
	cli.ExecRedirect:  {core.ReportRedirects, func(r core.Report, _ libcli.Args) libcli.Output { return cli.ShowRedirects(r.(*core.RedirectReport)) }},
	cli.ExecMulticast: {core.ReportMulticast, func(r core.Report, _ libcli.Args) libcli.Output { return cli.ShowMulticast(r.(*core.MulticastReport)) }},
	cli.ExecGroups: {core.ReportGroups, func(r core.Report, a libcli.Args) libcli.Output {
		return cli.ShowGroups(r.(*core.GroupReport), a.String("group"))
	}},
	cli.ExecPolicy: {core.ReportPolicies, func(r core.Report, a libcli.Args) libcli.Output {
		return cli.ShowPolicies(r.(*core.PolicyReport), a.String("name"))
	}},
	cli.ExecInterfaces: {core.ReportPeers, func(r core.Report, _ libcli.Args) libcli.Output { return cli.ShowInterfaces(r.(*core.PeerReport)) }},
	cli.ExecDMVPN:      {core.ReportPeers, nil}, // with what the edge knows of packets for no tunnel
}

func showCache(r core.Report, a libcli.Args) libcli.Output {
	return cli.ShowNHRP(r.(*core.CacheReport), cli.ViewOf(a))
}

// Exec implements plugin.Daemon.
func (d *Daemon) Exec(ctx context.Context, cmd plugin.Command, out io.Writer) error {
	if cmd.ID == libcli.UndebugAll {
		d.edge.ClearConditions()
	}
	if done, err := plugin.ExecDebug(d.edge.Debug(), cmd, out); done {
		return err
	}
	a := cmd.Args
	id, family := cli.Split(cmd.ID)
	if id == cli.ExecDMVPN || id == cli.ExecInterfaces {
		family = cli.FamilyNamed(a.String("family"))
	}
	if s, ok := shows[id]; ok {
		r, err := d.edge.Ask(ctx, core.Query{Kind: s.kind, Interface: a.String("ifname"), VRF: a.String("vrf"), Family: family})
		if err != nil {
			return err
		}
		if id == cli.ExecDMVPN {
			v := cli.PeersOf(a)
			v.Unmatched = d.edge.Unmatched()
			return cli.ShowDMVPN(r.(*core.PeerReport), v).Write(out, cmd.JSON)
		}
		return s.print(r, a).Write(out, cmd.JSON)
	}
	if id == cli.ExecDiagnose {
		return d.diagnose(ctx, cmd, out)
	}
	if o, ok, err := d.execEdge(id, cmd); ok || err != nil {
		if err != nil {
			return err
		}
		return o.Write(out, cmd.JSON)
	}
	if c, ok := clearOf(id, family, a); ok {
		if id == cli.ExecClearStatistics {
			d.edge.ClearStats("")
		}
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

// execEdge runs what the core has no part in: events and debugging. ok is false if
// the command is about neither.
func (d *Daemon) execEdge(id string, cmd plugin.Command) (o libcli.Output, ok bool, err error) {
	a := cmd.Args
	switch id {
	case cli.ExecEvents:
		o = cli.ShowEvents(d.edge.Events())
	case cli.ExecStats, cli.ExecAllStats:
		o = cli.ShowStats(d.edge.Stats(), a.String("ifname"), a.Has("detail"))
	case cli.ExecClearStats:
		d.edge.ClearStats(a.String("ifname"))
	case cli.ExecShowCondition:
		o = cli.ShowConditions(d.edge.Conditions())
	case cli.ExecCondition:
		err = d.edge.SetCondition(cli.ConditionOf(a), !cmd.No)
	case cli.ExecNoCondition:
		if len(a) == 0 {
			d.edge.ClearConditions()
		} else {
			err = d.edge.SetCondition(cli.ConditionOf(a), false)
		}
	case cli.ExecDebugDMVPN, cli.ExecUndebugDMVPN:
		return d.debugDMVPN(a, id == cli.ExecDebugDMVPN && !cmd.No)
	default:
		return o, false, nil
	}
	return o, true, err
}

// debugDMVPN turns the facilities on or off that "debug dmvpn" stands for.
func (d *Daemon) debugDMVPN(a libcli.Args, on bool) (o libcli.Output, ok bool, err error) {
	words, err := cli.DMVPNFacilities(a.String("level"), a.String("part"))
	if err != nil {
		return o, true, err
	}
	var said []string
	for _, w := range words {
		text, _ := d.edge.Debug().Set(w, on)
		said = append(said, text+" is "+map[bool]string{true: "on", false: "off"}[on])
	}
	return libcli.Output{JSON: map[string]any{"text": strings.Join(said, "\n")}, Text: func(w io.Writer) {
		fmt.Fprintln(w, strings.Join(said, "\n"))
	}}, true, nil
}

// diagnose finds the layer that fails between this router and its peers.
func (d *Daemon) diagnose(ctx context.Context, cmd plugin.Command, out io.Writer) error {
	var reports []core.Report
	for _, kind := range []core.ReportKind{core.ReportPeers, core.ReportCache, core.ReportTraffic} {
		r, err := d.edge.Ask(ctx, core.Query{Kind: kind})
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	f := cli.Facts{Peers: reports[0].(*core.PeerReport), Cache: reports[1].(*core.CacheReport), Traffic: reports[2].(*core.TrafficReport)}
	peer := cmd.Args.Addr("addr")
	f.Unmatched = d.edge.Unmatched()
	f.Routes = d.edge.Routes(ctx, cli.Questions(f, peer))
	return cli.ShowDiagnosis(cli.Diagnose(f, peer)).Write(out, cmd.JSON)
}
