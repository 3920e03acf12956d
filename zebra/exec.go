package zebra

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/telemetry"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

// Exec implements ctl.Zebra.
func (r *router) Exec(ctx context.Context, of *cli.Command, cmd plugin.Command, out io.Writer) error {
	if of.Shared {
		return r.execShared(ctx, of.Owners, cmd, out)
	}
	return r.execOn(ctx, of.Owner, cmd, out)
}

// execOn runs a command of one owner.
func (r *router) execOn(ctx context.Context, owner string, cmd plugin.Command, out io.Writer) error {
	if owner != zcli.Owner {
		return r.daemons.exec(ctx, owner, cmd, out)
	}
	switch cmd.ID {
	case zcli.ExecWrite:
		return r.write(out)
	case zcli.ExecRestart:
		return r.daemons.super.Restart(cmd.Args.String("name"))
	case zcli.ExecPing, zcli.ExecTraceroute:
		return r.probe(ctx, cmd, out)
	}
	o, err := r.show(ctx, cmd)
	if err != nil {
		return err
	}
	return o.Write(out, cmd.JSON)
}

func (r *router) write(out io.Writer) error {
	if err := r.store.Save(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "[OK]")
	return err
}

// show makes the output of a show command of zebra's.
func (r *router) show(ctx context.Context, cmd plugin.Command) (cli.Output, error) {
	switch cmd.ID {
	case zcli.ExecRunning:
		return textOutput(r.store.Section(cmd.Args.String("section")).Text()), nil
	case zcli.ExecStartup:
		text, err := r.store.Startup()
		return textOutput(text), err
	case zcli.ExecVersion:
		return zcli.ShowVersion(r.build, r.Hostname(), time.Since(r.started)), nil
	case zcli.ExecDaemons:
		return zcli.ShowDaemons(r.daemons.super.Status(), time.Now()), nil
	case zcli.ExecFIB:
		return zcli.ShowFIB(r.fib.Totals()), nil
	case zcli.ExecLogging:
		return showLogging(r.recent.Recent()), nil
	case cli.UndebugAll:
		return textOutput("All possible debugging has been turned off\n"), nil
	case cli.ShowDebugging: // zebra has nothing to debug
		return cli.Output{}, nil
	}
	r.mu.Lock()
	set := r.policy
	r.mu.Unlock()
	if o, ok := policy.Exec(set, cmd.ID, cmd.Args, time.Now()); ok {
		return o, nil
	}
	return r.showState(ctx, cmd)
}

// showState makes the output of a show command that looks into the engine.
func (r *router) showState(ctx context.Context, cmd plugin.Command) (o cli.Output, err error) {
	e, a := r.engine, cmd.Args
	look := func(do func()) {
		if done := e.Do(ctx, do); done != nil {
			err = done
		}
	}
	switch cmd.ID {
	case zcli.ExecInit:
		look(func() { o = zcli.ShowInit(e.Signals()) })
	case zcli.ExecInterfaces, zcli.ExecIfBrief:
		var all []librib.Interface
		look(func() { all = e.Interfaces().Interfaces() })
		if cmd.ID == zcli.ExecIfBrief || err != nil {
			return zcli.ShowIfBrief(all), err
		}
		return zcli.ShowInterfaces(all, a.String("name"))
	case zcli.ExecVRF:
		look(func() { o = r.vrfs() })
	case zcli.ExecNHT:
		look(func() { o = zcli.ShowNHT(a.String("vrf"), e.RIB().NextHopWatches()) })
	case zcli.ExecUnmatched:
		look(func() { o = zcli.ShowUnmatched(e.Unmatched(), e.Now()) })
	case zcli.ExecShapers:
		return r.shapers(ctx, zcli.ShaperFilter{Interface: a.String("ifname"), NBMA: a.Addr("nbma")})
	case zcli.ExecRouteSum:
		look(func() { o = zcli.ShowRouteSummary(a.String("vrf"), e.RIB().Summary(a.String("vrf"), family(a))) })
	case zcli.ExecRoute, zcli.ExecRouteLookup, zcli.ExecCEF:
		return r.routes(ctx, cmd)
	default:
		return o, fmt.Errorf("zebra does not know the command %s", cmd.ID)
	}
	return o, err
}

func family(a cli.Args) librib.Family {
	if a.String("family") == "ipv6" {
		return librib.IPv6
	}
	return librib.IPv4
}

// page is how many prefixes are read from the RIB at once, so that a large table
// does not keep zebra from its work.
const page = 4096

// routes makes the output of show ip route.
func (r *router) routes(ctx context.Context, cmd plugin.Command) (cli.Output, error) {
	e, a := r.engine, cmd.Args
	vrf := a.String("vrf")
	filter := zcli.RouteFilter{Overrides: a.Has("next-hop-override")}
	filter.Protocol, _ = librib.ParseProtocol(a.String("protocol"))
	if cmd.ID != zcli.ExecRoute {
		target := a.Prefix("prefix").Masked()
		if p, ok := a.MaskedPrefix("addr", "mask"); ok {
			target = p.Masked()
		}
		if target.IsValid() && librib.FamilyOf(target.Addr()) != family(a) {
			return cli.Output{}, fmt.Errorf("%v is of the other address family", target)
		}
		if !a.Has("longer-prefixes") {
			v, found, err := r.lookup(ctx, vrf, target, a.Has("addr") && !a.Has("mask"))
			if cmd.ID == zcli.ExecCEF {
				return zcli.ShowCEF(v, found, target.String()), err
			}
			return zcli.ShowPrefix(v, found, target.String(), e.Now()), err
		}
		filter.Within = target
	}
	var views []rib.PrefixView
	for after, more := (netip.Prefix{}), true; more; {
		var part []rib.PrefixView
		if err := e.Do(ctx, func() { part, more = e.RIB().Page(vrf, family(a), after, page) }); err != nil {
			return cli.Output{}, err
		}
		if views = append(views, part...); len(part) > 0 {
			after = part[len(part)-1].Prefix
		}
	}
	return zcli.ShowRoutes(vrf, views, filter, e.Now()), nil
}

// lookup returns what the RIB knows of the route to an address, or of one prefix.
func (r *router) lookup(ctx context.Context, vrf string, target netip.Prefix, address bool) (v rib.PrefixView, found bool, err error) {
	err = r.engine.Do(ctx, func() {
		if address {
			v, found = r.engine.RIB().Lookup(vrf, target.Addr())
		} else {
			v, found = r.engine.RIB().Prefix(vrf, target)
		}
	})
	return v, found, err
}

// shapers makes the output of show policy-map multipoint: what is wanted, from the RIB,
// and what it did, from the kernel.
func (r *router) shapers(ctx context.Context, filter zcli.ShaperFilter) (cli.Output, error) {
	var list []zcli.Shaper
	at := map[dataplane.Key]int{}
	err := r.engine.Do(ctx, func() {
		for _, v := range r.engine.RIB().Shapers() {
			if filter.Shows(v) {
				at[dataplane.Shaper{Device: r.engine.Interfaces().Kernel(v.Shaper.Interface), NBMA: v.Shaper.NBMA}.Key()] = len(list)
				list = append(list, zcli.Shaper{ShaperView: v})
			}
		}
	})
	if err != nil || len(list) == 0 {
		return zcli.ShowShapers(list), err
	}
	for o, err := range r.provider.Dump(ctx, dataplane.KindShaper) {
		if err != nil {
			return cli.Output{}, err
		}
		if i, ok := at[o.Key()]; ok {
			list[i].InForce, list[i].Count = true, o.(dataplane.Shaper).Count
		}
	}
	return zcli.ShowShapers(list), nil
}

// vrfs lists the VRFs. It runs on the engine's goroutine.
func (r *router) vrfs() cli.Output {
	list := []zcli.VRF{}
	for _, v := range r.engine.Interfaces().VRFs() {
		row := zcli.VRF{Name: v.Name, Description: v.Description, Interfaces: []string{}}
		row.Table, _ = r.engine.Interfaces().Table(v.Name)
		for _, i := range r.engine.Interfaces().Interfaces() {
			if i.VRF == v.Name {
				row.Interfaces = append(row.Interfaces, i.Name)
			}
		}
		list = append(list, row)
	}
	return zcli.ShowVRFs(list)
}

func textOutput(text string) cli.Output {
	return cli.Output{JSON: map[string]any{"text": text}, Text: func(w io.Writer) { io.WriteString(w, text) }}
}

func showLogging(records []telemetry.Record) cli.Output {
	type row struct {
		Time  time.Time `json:"time"`
		Level string    `json:"level"`
		Text  string    `json:"text"`
	}
	list := []row{}
	for _, rec := range records {
		list = append(list, row{rec.Time, telemetry.SeverityOf(rec.Level).String(), rec.Text})
	}
	return cli.Output{JSON: map[string]any{"records": list}, Text: func(w io.Writer) {
		for _, rec := range records {
			fmt.Fprintln(w, rec.String())
		}
	}}
}

// logQueue is how many records may wait for a terminal; a slow one misses some.
const logQueue = 256

// Logs implements ctl.Zebra.
func (r *router) Logs(ctx context.Context, level slog.Level, last int, follow bool, each func(session.Log) error) error {
	ch := make(chan telemetry.Record, logQueue)
	var missed atomic.Uint64
	if follow {
		cancel := r.recent.Subscribe(func(rec telemetry.Record) {
			select {
			case ch <- rec:
			default:
				missed.Add(1)
			}
		})
		defer cancel()
	}
	recent := r.recent.Recent()
	if last < len(recent) {
		recent = recent[len(recent)-max(last, 0):]
	}
	send := func(rec telemetry.Record) error {
		if rec.Level < level {
			return nil
		}
		return each(session.Log{Time: rec.Time, Level: rec.Level, Message: rec.Text})
	}
	for _, rec := range recent {
		if err := send(rec); err != nil {
			return err
		}
	}
	for follow {
		select {
		case rec := <-ch:
			if err := send(rec); err != nil {
				return err
			}
			if n := missed.Swap(0); n > 0 {
				if err := send(telemetry.Record{Time: time.Now(), Level: slog.LevelWarn, Text: fmt.Sprintf("%d log messages were not shown here", n)}); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
