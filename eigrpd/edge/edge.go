package edge

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/sm"
	"github.com/godmvpn/godmvpn/lib/telemetry"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
)

// rxQueue is the number of received packets that may wait for the core: one of
// each of as many neighbours as there may be.
const rxQueue = 16384

// World is what an edge stands in.
type World struct {
	Network rawsock.Network
	Wall    func() time.Time // the time of day, without a monotonic reading
	Random  rand.Source
}

// Machine is the world of a daemon on a machine.
func Machine() World {
	return World{
		Network: rawsock.Kernel{},
		Wall:    func() time.Time { return time.Now().Round(0) },
		Random:  rand.NewPCG(rand.Uint64(), rand.Uint64()),
	}
}

// Edge runs a core. Make it by New, then Run it.
type Edge struct {
	log     *slog.Logger
	wall    func() time.Time
	client  *session.Client
	driver  *sm.Driver[core.Input, core.Effect]
	debug   *telemetry.Debug
	sockets *sockets
	life    context.Context // ends with Run
	end     context.CancelFunc

	inquiries sm.Inquiries[core.Report]
	tree      atomic.Pointer[conf.Tree] // that is in force
}

// New returns an edge in a world.
func New(log *slog.Logger, w World) *Edge {
	e := &Edge{log: log, wall: w.Wall}
	e.life, e.end = context.WithCancel(context.Background())
	e.client = session.NewClient(e.event)
	e.debug = plugin.NewDebug(cli.Facilities, e.client, func() { e.driver.Post(e.tracing()) })
	e.sockets = newSockets(e.life, w.Network, e.receive, e.logMessage)
	e.driver = sm.NewDriver(sm.Config[core.Input, core.Effect]{
		Machine: core.New(core.Options{Source: w.Random, Wall: w.Wall()}),
		Tick:    core.Tick{}, Queue: rxQueue, Handle: e.handle})
	if err := e.client.Watch(rib.Watch{Kind: rib.WatchTopic, Topic: tunnelpeer.Topic}); err != nil {
		log.Error("neighbours on tunnels are lost with their Hold Time only", "error", err)
	}
	return e
}

// Run drives the core until ctx ends.
func (e *Edge) Run(ctx context.Context) {
	defer e.sockets.close()
	var watch sync.WaitGroup
	defer watch.Wait()
	defer e.end()
	watch.Go(e.watch)
	e.driver.Run(ctx)
}

// Attach serves one attachment of zebra.
func (e *Edge) Attach(ctx context.Context, s session.Stream) error {
	return e.client.Run(ctx, s)
}

// Debug returns what is being debugged.
func (e *Edge) Debug() *telemetry.Debug { return e.debug }

// event takes in what zebra tells.
func (e *Edge) event(ev rib.Event) {
	switch ev := ev.(type) {
	case rib.Attached:
		e.driver.Post(core.Attached{Stale: ev.Stale})
	case rib.InterfaceChanged:
		e.sockets.interfaceChanged(ev.Interface)
		e.driver.Post(core.InterfaceChanged{Interface: ev.Interface})
	case rib.InterfaceGone:
		e.sockets.interfaceGone(ev.Name)
		e.driver.Post(core.InterfaceGone{Name: ev.Name})
	case rib.InterfacesKnown:
		e.driver.Post(core.InterfacesKnown{})
	case rib.RouteChanged:
		e.driver.Post(core.RouteChanged{Watch: ev.Watch, Route: ev.Route, Withdrawn: ev.Withdrawn})
	case rib.RoutesKnown:
		e.driver.Post(core.RoutesKnown{Watch: ev.Watch})
	case rib.TopicMessage:
		e.tunnelPeer(ev)
	case rib.Ack:
		for _, f := range ev.Failures {
			if f.Error != "" {
				e.log.Warn("zebra could not install", "route", f.Key.Prefix, "vrf", f.Key.VRF, "error", f.Error)
			}
		}
	}
}

// tunnelPeer takes in what nhrpd says of a station at another end of a tunnel.
func (e *Edge) tunnelPeer(m rib.TopicMessage) {
	if m.Topic != tunnelpeer.Topic {
		return
	}
	p, err := tunnelpeer.ParseKey(m.Key)
	var s tunnelpeer.State
	if err == nil {
		s, err = tunnelpeer.ParseState(m.Payload)
	}
	if err != nil {
		e.log.Warn("what is said of a tunnel's peer cannot be read", "key", m.Key, "error", err)
		return
	}
	e.driver.Post(core.TunnelPeer{Peer: p, State: s})
}

// receive takes in a packet; it becomes the core's.
func (e *Edge) receive(ifname string, m rawsock.Meta, b []byte) {
	e.driver.Offer(core.RxPacket{Interface: ifname, Source: m.Src.Addr(), Dest: m.Dst.Addr(), Packet: b})
}

// handle carries out effects. It runs on the core's goroutine.
func (e *Edge) handle(effects []core.Effect) {
	for _, eff := range effects {
		switch eff := eff.(type) {
		case core.TxPacket:
			e.sockets.send(eff)
		case core.Listen:
			e.sockets.listen(eff)
		case core.Unlisten:
			e.sockets.unlisten(eff)
		case core.PutRoute:
			if _, err := e.client.Put(eff.Route); err != nil {
				e.log.Error("route refused", "error", err)
			}
		case core.DelRoute:
			e.client.Delete(eff.Key)
		case core.WatchRoutes:
			if err := e.client.Watch(eff.Watch); err != nil {
				e.log.Error("watch refused", "error", err)
			}
		case core.UnwatchRoutes:
			e.client.Unwatch(eff.Watch)
		case core.EndOfReplay:
			e.client.EndOfReplay()
		case core.Log:
			e.logMessage(eff)
		case core.Trace:
			e.trace(eff)
		case core.Answer:
			e.inquiries.Answer(eff.ID, eff.Report)
		}
	}
}

// Configure checks the configuration or brings it into force.
func (e *Edge) Configure(tree *conf.Tree, phase plugin.Phase) []plugin.LineError {
	cfg, errs := cli.Read(tree)
	if len(errs) == 0 && phase == plugin.Commit {
		e.tree.Store(tree)
		e.driver.Post(core.ConfigSet{Config: cfg})
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
	return e.inquiries.Ask(ctx, func(id uint64) {
		q.ID = id
		e.driver.Post(q)
	})
}

// Clear resets neighbours or counters and returns once that is done.
func (e *Edge) Clear(ctx context.Context, c core.Clear) error {
	e.driver.Post(c)
	return e.Alive(ctx)
}

// noVRF is no name that a VRF can have.
const noVRF = " "

// Alive returns once the core has taken an input that was posted now.
func (e *Edge) Alive(ctx context.Context) error {
	_, err := e.Ask(ctx, core.Query{Kind: core.ReportStatus, VRF: noVRF})
	return err
}

// patience is how long the farewell may wait for room in the sockets.
const patience = 3 * time.Second

// Goodbye takes leave of the neighbours, and returns once that is sent.
func (e *Edge) Goodbye(ctx context.Context) error {
	e.driver.Post(core.Shutdown{})
	err := e.Alive(ctx)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	e.sockets.settle(ctx)
	return err
}
