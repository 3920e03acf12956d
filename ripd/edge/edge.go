package edge

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/telemetry"
	"github.com/godmvpn/godmvpn/lib/vrfsock"
	"github.com/godmvpn/godmvpn/ripd/cli"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

const (
	// rxQueue is the number of received packets that may wait for the core: the
	// tables of 20 neighbours with 10,000 routes each.
	rxQueue = 8192
	// receiveBuffer has room for more than 400 packets, the table of a neighbour
	// with 10,000 routes; see rawsock.IPConfig for what the kernel grants.
	receiveBuffer = 1 << 20
	// maxWaiting is how many packets may wait for room on an interface: more than the
	// core sends before it learns that there is no room.
	maxWaiting = 256
)

// Edge runs a core. Make it by New, then Run it.
type Edge struct {
	*daemon.Edge[core.Input, core.Effect, core.Report]
	sockets *vrfsock.Sockets
	patient atomic.Pointer[time.Time] // until then packets are paced, and wait for room

	// Of the core's goroutine:
	source   netip.Addr        // of the packet sent last, which a trace may be about
	vrfs     map[string]string // of the interfaces on which the core listens
	farewell int               // packets of the farewell that were sent
}

// New returns an edge in a world.
func New(log *slog.Logger, w daemon.World) *Edge {
	e := &Edge{vrfs: map[string]string{}}
	e.Edge = daemon.New[core.Input, core.Effect, core.Report](daemon.Config[core.Input, core.Effect]{
		Log: log, Facility: "RIP",
		Machine: core.New(core.Options{Source: w.Random, Wall: w.Wall()}),
		Tick:    core.Tick{}, Queue: rxQueue, Ping: ping, Handle: e.handle, Event: e.event,
		Facilities: cli.Facilities, Tracing: e.tracing,
		Wall: w.Wall, WallClock: func(now time.Time) core.Input { return core.WallClock{Now: now} },
		Look: func() { e.sockets.Retry() }, Unread: func() uint64 { return e.sockets.Unread() },
	})
	e.sockets = vrfsock.New(e.Life(), vrfsock.Config{
		Network: w.Network, MaxPacket: packet.MaxDatagram, MaxWaiting: maxWaiting,
		IPv4:     rawsock.IPConfig{Port: packet.Port, TTL: 1, TOS: vrfsock.Precedence, ReceiveBuffer: receiveBuffer},
		Protocol: "RIP", Service: "UDP port 520", Receive: e.receive, Complain: e.Complain,
		Room: func(ifname string, full bool) { e.Driver.Post(core.SendRoom{Interface: ifname, Full: full}) },
	})
	return e
}

// noVRF is no name that a VRF can have.
const noVRF = " "

func ping(id uint64) core.Input {
	return core.Query{ID: id, Kind: core.ReportStatus, VRF: noVRF}
}

// Run drives the core until ctx ends.
func (e *Edge) Run(ctx context.Context) {
	defer e.sockets.Close()
	e.Edge.Run(ctx)
}

// event takes in what zebra tells.
func (e *Edge) event(ev rib.Event) {
	switch ev := ev.(type) {
	case rib.Attached:
		e.Driver.Post(core.Attached{Stale: ev.Stale})
	case rib.InterfaceChanged:
		e.sockets.InterfaceChanged(ev.Interface)
		e.Driver.Post(core.InterfaceChanged{Interface: ev.Interface})
	case rib.InterfaceGone:
		e.sockets.InterfaceGone(ev.Name)
		e.Driver.Post(core.InterfaceGone{Name: ev.Name})
	case rib.InterfacesKnown:
		e.Driver.Post(core.InterfacesKnown{})
	case rib.RouteChanged:
		e.Driver.Post(core.RouteChanged{Watch: ev.Watch, Route: ev.Route, Withdrawn: ev.Withdrawn})
	case rib.RoutesKnown:
		e.Driver.Post(core.RoutesKnown{Watch: ev.Watch})
	case rib.Ack:
		e.Acknowledged(ev)
	}
}

// receive takes in a packet; it becomes the core's.
func (e *Edge) receive(ifname string, m rawsock.Meta, b []byte) {
	e.Driver.Offer(core.RxPacket{Interface: ifname, Source: m.Src, Dest: m.Dst.Addr(), Packet: b})
}

// handle carries out effects. It runs on the core's goroutine.
func (e *Edge) handle(effects []core.Effect) {
	for _, eff := range effects {
		switch eff := eff.(type) {
		case core.TxPacket:
			e.send(eff)
		case core.Listen:
			e.vrfs[eff.Interface] = eff.VRF
			l := vrfsock.Listen{Interface: eff.Interface, VRF: eff.VRF, Family: rib.IPv4}
			if eff.Group {
				l.Groups = groups
			}
			e.sockets.Listen(l)
		case core.Unlisten:
			delete(e.vrfs, eff.Interface)
			e.sockets.Unlisten(vrfsock.Listen{Interface: eff.Interface, Family: rib.IPv4})
		case core.PutRoute:
			e.Put(eff.Route)
		case core.DelRoute:
			e.Client.Delete(eff.Key)
		case core.WatchRoutes:
			e.Watch(eff.Watch)
		case core.UnwatchRoutes:
			e.Client.Unwatch(eff.Watch)
		case core.EndOfReplay:
			e.Client.EndOfReplay()
		case core.Log:
			e.Message("", telemetry.Severity(eff.Severity), eff.Mnemonic, eff.Text)
		case core.Trace:
			e.trace(eff)
		case core.Answer:
			e.Answer(eff.ID, eff.Report)
		}
	}
}

// groups are those of RIP (RFC 2453 section 4.5).
var groups = []netip.Addr{packet.Group}

// Configure checks the configuration or brings it into force.
func (e *Edge) Configure(tree *conf.Tree, phase plugin.Phase) []plugin.LineError {
	cfg, errs := cli.Read(tree)
	if len(errs) == 0 && phase == plugin.Commit {
		e.Driver.Post(core.ConfigSet{Config: cfg})
	}
	return errs
}

// Ask has the core make a report.
func (e *Edge) Ask(ctx context.Context, q core.Query) (core.Report, error) {
	return e.Question(ctx, func(id uint64) core.Input {
		q.ID = id
		return q
	})
}

// Clear removes routes or counters and returns once that is done.
func (e *Edge) Clear(ctx context.Context, c core.Clear) error { return e.Do(ctx, c) }
