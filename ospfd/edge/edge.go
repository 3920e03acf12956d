package edge

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/telemetry"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
	"github.com/godmvpn/godmvpn/lib/vrfsock"
	"github.com/godmvpn/godmvpn/ospfd/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

const (
	// rxQueue is the number of received packets that may wait for the core: several of
	// each of the neighbours of a hub.
	rxQueue = 16384
	// receiveBuffer has room for the Hellos and acknowledgments of thousands of spokes;
	// see rawsock.IPConfig for what the kernel grants.
	receiveBuffer = 4 << 20
	// maxWaiting is how many packets may wait for room on an interface: those of a hub to
	// each of its neighbours.
	maxWaiting = 4096
	// routedTTL is the TTL of packets that routers pass on: those of virtual links.
	routedTTL = 64
	// patience is how long the farewell may wait for room in the sockets.
	patience = 3 * time.Second
)

// Edge runs a core. Make it by New, then Run it.
type Edge struct {
	*daemon.Edge[core.Input, core.Effect, core.Report]
	log     *slog.Logger
	sockets *vrfsock.Sockets
	memory  memory
}

// New returns an edge in a world.
func New(log *slog.Logger, w daemon.World) *Edge {
	e := &Edge{log: log}
	e.Edge = daemon.New[core.Input, core.Effect, core.Report](daemon.Config[core.Input, core.Effect]{
		Log: log, Facility: "OSPF",
		Machine: core.New(core.Options{Wall: w.Wall()}),
		Tick:    core.Tick{}, Queue: rxQueue, Ping: ping, Handle: e.handle, Event: e.event,
		Facilities: cli.Facilities, Tracing: e.tracing,
		Wall: w.Wall, WallClock: func(now time.Time) core.Input { return core.WallClock{Now: now} },
		Look: func() { e.sockets.Retry() }, Unread: func() uint64 { return e.sockets.Unread() },
	})
	e.sockets = vrfsock.New(e.Life(), vrfsock.Config{
		Network: w.Network, MaxPacket: packet.MaxPacketSize, MaxWaiting: maxWaiting,
		// RFC 2328 section 4.3: packets that are too long are fragmented by IP.
		IPv4:     rawsock.IPConfig{Protocol: packet.Protocol, TTL: 1, TOS: vrfsock.Precedence, ReceiveBuffer: receiveBuffer, Fragment: true},
		Protocol: "OSPF", Service: "IP protocol 89", AnyInterface: true, Receive: e.receive, Complain: e.Complain,
	})
	e.memory = memory{log: log, publish: e.Client.Publish}
	e.Watch(rib.Watch{Kind: rib.WatchTopic, Topic: tunnelpeer.Topic})
	e.Watch(rib.Watch{Kind: rib.WatchTopic, Topic: memoryTopic})
	e.Watch(endOfMemory)
	return e
}

// noProcess is a number that hardly any process has.
const noProcess = 65535

// ping asks for a report of no process.
func ping(id uint64) core.Input {
	return core.Query{ID: id, Kind: core.ReportStatus, Process: noProcess}
}

// Run drives the core until ctx ends.
func (e *Edge) Run(ctx context.Context) {
	defer e.sockets.Close()
	e.Edge.Run(ctx)
}

// event takes in what zebra tells.
func (e *Edge) event(ev rib.Event) {
	switch ev := ev.(type) {
	case rib.TopicMessage:
		e.topic(ev)
		return
	case rib.NextHopChanged:
		e.Client.Unwatch(endOfMemory)
		for _, in := range e.memory.release() {
			e.Driver.Post(in)
		}
		return
	case rib.InterfaceChanged:
		e.sockets.InterfaceChanged(ev.Interface)
	case rib.InterfaceGone:
		e.sockets.InterfaceGone(ev.Name)
	case rib.Ack:
		e.Acknowledged(ev)
	}
	if in := inputOf(ev); in != nil && !e.memory.hold(in) {
		e.Driver.Post(in)
	}
}

// inputOf returns what an event is to the core, nil for nothing.
func inputOf(ev rib.Event) core.Input {
	switch ev := ev.(type) {
	case rib.Attached:
		return core.Attached{Stale: ev.Stale}
	case rib.InterfaceChanged:
		return core.InterfaceChanged{Interface: ev.Interface}
	case rib.InterfaceGone:
		return core.InterfaceGone{Name: ev.Name}
	case rib.InterfacesKnown:
		return core.InterfacesKnown{}
	case rib.RouteChanged:
		return core.RouteChanged{Watch: ev.Watch, Route: ev.Route, Withdrawn: ev.Withdrawn}
	case rib.RoutesKnown:
		return core.RoutesKnown{Watch: ev.Watch}
	}
	return nil
}

// topic takes in a value of an earlier life's, or of nhrpd's.
func (e *Edge) topic(m rib.TopicMessage) {
	if m.Topic == memoryTopic {
		e.memory.recall(m)
		return
	}
	p, s, err := tunnelpeer.Parse(m.Key, m.Payload)
	if err != nil {
		e.log.Warn("what is said of a tunnel's peer cannot be read", "key", m.Key, "error", err)
		return
	}
	if s == 0 || !p.Addr.Is4() {
		return // withdrawn: nothing is said of it any more
	}
	if in := (core.TunnelPeer{Interface: p.Tunnel, Addr: p.Addr, Up: s.Up()}); !e.memory.hold(in) {
		e.Driver.Post(in)
	}
}

// receive takes in a packet; it becomes the core's.
func (e *Edge) receive(ifname string, m rawsock.Meta, b []byte) {
	e.Driver.Offer(core.RxPacket{Interface: ifname, Source: m.Src.Addr(), Dest: m.Dst.Addr(), Packet: b})
}

// handle carries out effects. It runs on the core's goroutine.
func (e *Edge) handle(effects []core.Effect) {
	for _, eff := range effects {
		switch eff := eff.(type) {
		case core.TxPacket:
			e.sockets.Send(packetOf(eff))
		case core.Listen:
			e.sockets.Listen(listenOf(eff))
		case core.Unlisten:
			e.sockets.Unlisten(vrfsock.Listen{Interface: eff.Interface, VRF: eff.VRF, Family: rib.IPv4})
		case core.PutRoute:
			e.Put(eff.Route)
		case core.DelRoute:
			e.Client.Delete(eff.Key)
		case core.WatchRoutes:
			e.Watch(eff.Watch)
		case core.UnwatchRoutes:
			e.Client.Unwatch(eff.Watch)
		case core.Remember:
			e.memory.save(eff)
		case core.Forget:
			e.memory.forget(eff.Key)
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

func packetOf(p core.TxPacket) vrfsock.Packet {
	out := vrfsock.Packet{Interface: p.Interface, VRF: p.VRF, Source: p.Source, Dest: netip.AddrPortFrom(p.Dest, 0), TTL: int(p.TTL), Payload: p.Packet}
	if out.TTL == 0 {
		out.TTL = routedTTL
	}
	return out
}

// listenOf returns the groups of RFC 2328 section A.1 that are to be joined.
func listenOf(l core.Listen) vrfsock.Listen {
	out := vrfsock.Listen{Interface: l.Interface, VRF: l.VRF, Family: rib.IPv4}
	if l.Group {
		out.Groups = append(out.Groups, packet.AllSPFRouters)
	}
	if l.Designated {
		out.Groups = append(out.Groups, packet.AllDRouters)
	}
	return out
}

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

// Clear resets what `clear ip ospf` names and returns once that is done.
func (e *Edge) Clear(ctx context.Context, c core.Clear) error { return e.Do(ctx, c) }

// Goodbye takes leave of the neighbours, and returns once that is sent.
func (e *Edge) Goodbye(ctx context.Context) error { return e.leave(ctx, core.Shutdown{}) }

// Restart asks the neighbours to wait for the next life of the daemon, where the
// configuration says so; elsewhere it takes leave.
func (e *Edge) Restart(ctx context.Context) error { return e.leave(ctx, core.Shutdown{Restart: true}) }

func (e *Edge) leave(ctx context.Context, how core.Shutdown) error {
	err := e.Do(ctx, how)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	e.sockets.Settle(ctx)
	_ = e.Client.Settle(ctx) // zebra may be gone: the next life then follows a crash
	return err
}
