package edge

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/telemetry"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
	"github.com/godmvpn/godmvpn/lib/vrfsock"
)

const (
	// rxQueue is the number of received packets that may wait for the core: one of
	// each of as many neighbours as there may be.
	rxQueue = 16384
	// The TTL, and the hop limit, of packets: what Cisco's routers send.
	ttl, hopLimit = 2, 255
	// receiveBuffer has room for the acknowledgments of more than 3,000 spokes; see
	// rawsock.IPConfig for what the kernel grants.
	receiveBuffer = 4 << 20
	// maxWaiting is how many packets may wait for room: as many as there may be
	// neighbours on a hub, since their acknowledgments go out at once.
	maxWaiting = 4096
	// patience is how long the farewell may wait for room in the sockets.
	patience = 3 * time.Second
)

// Edge runs a core. Make it by New, then Run it.
type Edge struct {
	log *slog.Logger
	*daemon.Edge[core.Input, core.Effect, core.Report]
	sockets *vrfsock.Sockets
	tree    atomic.Pointer[conf.Tree] // that is in force
}

// New returns an edge in a world.
func New(log *slog.Logger, w daemon.World) *Edge {
	e := &Edge{log: log}
	e.Edge = daemon.New[core.Input, core.Effect, core.Report](daemon.Config[core.Input, core.Effect]{
		Log: log, Facility: "EIGRP",
		Machine: core.New(core.Options{Source: w.Random, Wall: w.Wall()}),
		Tick:    core.Tick{}, Queue: rxQueue, Ping: ping, Handle: e.handle, Event: e.event,
		Facilities: cli.Facilities, Tracing: e.tracing,
		Wall: w.Wall, WallClock: func(now time.Time) core.Input { return core.WallClock{Now: now} },
		Look: func() { e.sockets.Retry() }, Unread: func() uint64 { return e.sockets.Unread() },
	})
	e.sockets = vrfsock.New(e.Life(), vrfsock.Config{
		Network: w.Network, MaxPacket: packet.MaxPacketSize, MaxWaiting: maxWaiting,
		IPv4:     rawsock.IPConfig{Protocol: packet.Protocol, TTL: ttl, TOS: vrfsock.Precedence, ReceiveBuffer: receiveBuffer},
		IPv6:     rawsock.IPConfig{Protocol: packet.Protocol, TTL: hopLimit, TOS: vrfsock.Precedence, ReceiveBuffer: receiveBuffer},
		Protocol: "EIGRP", Service: "IP protocol 88", AnyInterface: true, Receive: e.receive, Complain: e.Complain,
	})
	e.Watch(rib.Watch{Kind: rib.WatchTopic, Topic: tunnelpeer.Topic})
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
	case rib.TopicMessage:
		e.tunnelPeer(ev)
	case rib.Ack:
		e.Acknowledged(ev)
	}
}

// tunnelPeer takes in what nhrpd says of a station at another end of a tunnel.
func (e *Edge) tunnelPeer(m rib.TopicMessage) {
	if m.Topic != tunnelpeer.Topic {
		return
	}
	p, s, err := tunnelpeer.Parse(m.Key, m.Payload)
	if err != nil {
		e.log.Warn("what is said of a tunnel's peer cannot be read", "key", m.Key, "error", err)
		return
	}
	e.Driver.Post(core.TunnelPeer{Peer: p, State: s})
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
			e.sockets.Send(vrfsock.Packet{Interface: eff.Interface, VRF: eff.VRF, Source: eff.Source,
				Dest: netip.AddrPortFrom(eff.Dest, 0), TTL: int(eff.TTL), Payload: eff.Packet})
		case core.Listen:
			l := vrfsock.Listen{Interface: eff.Interface, VRF: eff.VRF, Family: eff.Family}
			if eff.Group {
				l.Groups = groups[eff.Family]
			}
			e.sockets.Listen(l)
		case core.Unlisten:
			e.sockets.Unlisten(vrfsock.Listen{Interface: eff.Interface, VRF: eff.VRF, Family: eff.Family})
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
			e.Message(eff.Facility, telemetry.Severity(eff.Severity), eff.Mnemonic, eff.Text)
		case core.Trace:
			e.trace(eff)
		case core.Answer:
			e.Answer(eff.ID, eff.Report)
		}
	}
}

// groups are those of EIGRP (RFC 7868 section 6.1).
var groups = map[rib.Family][]netip.Addr{rib.IPv4: {packet.GroupIPv4}, rib.IPv6: {packet.GroupIPv6}}

// tracing says which traces are wanted.
func (e *Edge) tracing() core.Input {
	on := e.Debug().On
	return core.Tracing{Packets: on(cli.DebugPackets), FSM: on(cli.DebugFSM),
		Neighbors: on(cli.DebugNeighbors), Transmit: on(cli.DebugTransmit), Timers: on(cli.DebugTimers)}
}

// trace writes the lines of a debug event.
func (e *Edge) trace(t core.Trace) {
	facility := cli.FacilityOf(t.Event)
	if e.Debug().On(facility) {
		e.Debug().Printf(facility, "%s", cli.TraceText(t))
	}
}

// Configure checks the configuration or brings it into force.
func (e *Edge) Configure(tree *conf.Tree, phase plugin.Phase) []plugin.LineError {
	cfg, errs := cli.Read(tree)
	if len(errs) == 0 && phase == plugin.Commit {
		e.tree.Store(tree)
		e.Driver.Post(core.ConfigSet{Config: cfg})
	}
	return errs
}

// Tree returns the configuration that is in force, an empty one before the first.
func (e *Edge) Tree() *conf.Tree {
	if t := e.tree.Load(); t != nil {
		return t
	}
	return &conf.Tree{}
}

// Ask has the core make a report.
func (e *Edge) Ask(ctx context.Context, q core.Query) (core.Report, error) {
	return e.Question(ctx, func(id uint64) core.Input {
		q.ID = id
		return q
	})
}

// Clear resets neighbours or counters and returns once that is done.
func (e *Edge) Clear(ctx context.Context, c core.Clear) error { return e.Do(ctx, c) }

// Process returns what is counted for the daemon as a whole. What waits when this is
// asked was looked at before the question.
func (e *Edge) Process() cli.Process {
	stats := e.Driver.Stats()
	return cli.Process{ID: os.Getpid(), QueueLimit: rxQueue, QueueHighest: stats.MaxQueue, QueueDrops: stats.Dropped, SocketDrops: e.sockets.Unread()}
}

// Goodbye takes leave of the neighbours, and returns once that is sent.
func (e *Edge) Goodbye(ctx context.Context) error {
	err := e.Do(ctx, core.Shutdown{})
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	e.sockets.Settle(ctx)
	return err
}
