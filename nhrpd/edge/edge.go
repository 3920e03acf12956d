package edge

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/sm"
	"github.com/godmvpn/godmvpn/lib/telemetry"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// rxQueue is the number of received packets that may wait for the core.
const rxQueue = 4096

// Edge runs a core. Make it by New, then Run it.
type Edge struct {
	log      *slog.Logger
	client   *session.Client
	debug    *telemetry.Debug
	driver   *sm.Driver[core.Input, core.Effect]
	memory   memory
	events   events
	routes   routes
	sockets  sockets
	resolver Resolver
	life     context.Context // ends with Run
	end      context.CancelFunc
	lookups  sync.WaitGroup
	mute     map[string]bool // tunnels of which was said that multicast cannot be sent; of the session's goroutine

	unmatched atomic.Pointer[[]rib.UnmatchedRow] // as zebra told last

	inquiries  sm.Inquiries[core.Report]
	conditions conditions
}

// Resolver looks up the addresses of a name in the VRF of a tunnel's transport.
type Resolver interface {
	Lookup(ctx context.Context, name, vrf string, ipv6 bool) ([]netip.Addr, error)
}

// New returns an edge over a network and a resolver.
func New(log *slog.Logger, network rawsock.Network, resolver Resolver) *Edge {
	e := &Edge{log: log, resolver: resolver, mute: map[string]bool{}}
	e.life, e.end = context.WithCancel(context.Background())
	e.client = session.NewClient(e.event)
	e.debug = plugin.NewDebug(cli.Facilities, e.client, func() { e.driver.Post(e.tracing()) })
	e.memory = memory{publish: e.client.Publish, mine: map[string]bool{}}
	e.sockets = sockets{log: log, network: network, receive: e.receive, life: e.life, open: map[string]*socket{}}
	// How peers are secured is told before what rests on them.
	if err := e.client.Watch(rib.Watch{Kind: rib.WatchTopic, Topic: protection.TopicState}); err != nil {
		log.Error("no peer of a protected tunnel will be heard of", "error", err)
	}
	if err := e.client.Watch(rib.Watch{Kind: rib.WatchTopic, Topic: memoryTopic}); err != nil {
		log.Error("the cache will not outlive the daemon", "error", err)
	}
	if err := e.client.Watch(rib.Watch{Kind: rib.WatchUnmatched}); err != nil {
		log.Error("nothing will be known of packets for no tunnel", "error", err)
	}
	now := time.Now()
	e.events.since = now
	e.driver = sm.NewDriver(sm.Config[core.Input, core.Effect]{
		Machine: core.New(core.Options{Source: rand.NewPCG(secret(), secret()), RequestID: firstRequestID(now), Secret: secret()}),
		Tick:    core.Tick{}, Queue: rxQueue, Handle: e.handle})
	return e
}

// Unmatched returns the GRE packets that came for no tunnel, as zebra told last.
func (e *Edge) Unmatched() []rib.UnmatchedRow {
	if rows := e.unmatched.Load(); rows != nil {
		return *rows
	}
	return nil
}

// secret returns 64 bits that nobody can guess.
func secret() uint64 {
	var b [8]byte
	_, _ = cryptorand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

// firstRequestID lies above the Request IDs of earlier lives of the daemon, as
// long as it sends fewer than 256 requests a second on the average (RFC 2332
// section 5.2.3 has them unique over reboots).
func firstRequestID(now time.Time) uint32 { return uint32(now.Unix()) << 8 }

// Run drives the core until ctx ends.
func (e *Edge) Run(ctx context.Context) {
	defer e.lookups.Wait()
	defer e.sockets.close()
	defer e.end()
	e.driver.Run(ctx)
}

// Attach serves one attachment of zebra.
func (e *Edge) Attach(ctx context.Context, s session.Stream) error {
	return e.client.Run(ctx, s)
}

// event takes in what zebra tells.
func (e *Edge) event(ev rib.Event) {
	switch ev := ev.(type) {
	case rib.Attached:
		e.driver.Post(core.Attached{Stale: ev.Stale})
	case rib.InterfaceChanged:
		e.sockets.interfaceChanged(ev.Interface)
		e.conditions.learn(ev.Interface.Name, ev.Interface.VRF)
		e.driver.Post(core.InterfaceChanged{Interface: ev.Interface})
	case rib.InterfaceGone:
		e.sockets.interfaceGone(ev.Name)
		e.conditions.learn(ev.Name, "")
		e.driver.Post(core.InterfaceGone{Name: ev.Name})
	case rib.InterfacesKnown:
		e.driver.Post(core.InterfacesKnown{})
	case rib.NeighborMiss:
		e.driver.Offer(core.NeighborMiss{Interface: ev.Interface, Addr: ev.Addr})
	case rib.NextHopChanged:
		e.routes.answered(ev)
		e.nextHop(ev)
	case rib.Hairpin:
		e.driver.Offer(core.Hairpin{In: ev.In, Out: ev.Out, Packet: ev.Packet})
	case rib.UnmatchedGRE:
		e.unmatched.Store(&ev.Rows)
	case rib.PeersUsed:
		e.driver.Post(core.PeersUsed{Interface: ev.Interface, NBMA: ev.NBMA})
	case rib.TopicMessage:
		if in, ok := e.secured(ev); ok {
			e.driver.Post(in)
		} else if in, ok := e.memory.recall(ev, time.Now()); ok {
			e.driver.Post(in)
		}
	case rib.Ack:
		for _, f := range ev.Failures {
			e.failed(f)
		}
	}
}

// nextHop tells the core how an address is reached.
func (e *Edge) nextHop(ev rib.NextHopChanged) {
	e.driver.Post(core.NextHopChanged{
		VRF: ev.Watch.VRF, Addr: ev.Watch.Addr, Prefix: ev.Prefix, Protocol: ev.Protocol, Metric: ev.Metric, NextHops: ev.NextHops,
	})
}

// failed logs what zebra could not install. A tunnel that can send multicast to
// nobody, or hold nobody down to a rate, is said once, not for each peer.
func (e *Edge) failed(f rib.Failure) {
	what := map[rib.Kind]string{rib.KindMulticastPeer: "multicast to", rib.KindShaper: "shaper for"}[f.Key.Kind]
	if what == "" {
		what = "neighbor"
	} else {
		key := what + " " + f.Key.Interface
		was := e.mute[key]
		if e.mute[key] = f.Error != ""; was {
			return
		}
	}
	if f.Error != "" {
		if f.Key.Kind == rib.KindOverride {
			e.log.Warn("zebra could not install", "vrf", f.Key.VRF, "shortcut", f.Key.Prefix, "error", f.Error)
			return
		}
		e.log.Warn("zebra could not install", "interface", f.Key.Interface, what, f.Key.Addr, "error", f.Error)
	}
}

// receive takes in a packet of a tunnel.
func (e *Edge) receive(ifname string, nbma netip.Addr, b []byte) {
	e.dump("Receive", ifname, nbma, b)
	e.driver.Offer(core.RxPacket{Interface: ifname, NBMA: nbma, Packet: b})
}

// handle carries out effects. It runs on the core's goroutine.
func (e *Edge) handle(effects []core.Effect) {
	for _, eff := range effects {
		switch eff := eff.(type) {
		case core.TxPacket:
			e.dump("Send", eff.Interface, eff.NBMA, eff.Packet)
			e.sockets.send(eff.Interface, eff.NBMA, eff.Packet)
		case core.PutNeighbor:
			if _, err := e.client.Put(eff.Neighbor); err != nil {
				e.log.Error("neighbor refused", "error", err)
			}
		case core.DelNeighbor:
			e.client.Delete(eff.Key)
		case core.PutMulticastPeer:
			if _, err := e.client.Put(eff.Peer); err != nil {
				e.log.Error("multicast peer refused", "error", err)
			}
		case core.DelMulticastPeer:
			e.client.Delete(eff.Key)
		case core.PutShaper:
			if _, err := e.client.Put(eff.Shaper); err != nil {
				e.log.Error("shaper refused", "error", err)
			}
		case core.DelShaper:
			e.client.Delete(eff.Key)
		case core.PutLineProtocol:
			if _, err := e.client.Put(eff.Line); err != nil {
				e.log.Error("line protocol refused", "error", err)
			}
		case core.DelLineProtocol:
			e.client.Delete(eff.Key)
		case core.PutShortcut:
			if _, err := e.client.Put(eff.Override); err != nil {
				e.log.Error("shortcut refused", "error", err)
			}
		case core.DelShortcut:
			e.client.Delete(eff.Key)
		case core.WatchMisses, core.WatchNextHop, core.WatchHairpins, core.WatchUse:
			if err := e.watch(watchOf(eff)); err != nil {
				e.log.Error("watch refused", "error", err)
			}
		case core.UnwatchMisses, core.UnwatchNextHop, core.UnwatchHairpins, core.UnwatchUse:
			e.unwatch(watchOf(eff))
		case core.WantPeer:
			e.want(protection.Peer{Tunnel: eff.Interface, NBMA: eff.NBMA}, []byte{wantedVersion})
		case core.UnwantPeer:
			e.want(protection.Peer{Tunnel: eff.Interface, NBMA: eff.NBMA}, nil)
		case core.PutTunnelPeer:
			e.tell(eff.Peer, eff.State.Append(nil))
		case core.DelTunnelPeer:
			e.tell(eff.Peer, nil)
		case core.SaveEntry:
			if err := e.memory.save(eff, time.Now()); err != nil {
				e.log.Warn("entry will not outlive the daemon", "entry", eff.Key, "error", err)
			}
		case core.ForgetEntry:
			e.memory.forget(eff.Key)
		case core.EndOfReplay:
			e.memory.whole()
			e.client.EndOfReplay()
		case core.ResolveName:
			e.lookups.Go(func() { e.resolve(eff) })
		case core.Log:
			e.logMessage(eff)
		case core.Trace:
			e.trace(eff)
		case core.Answer:
			e.inquiries.Answer(eff.ID, eff.Report)
		}
	}
}

// watchOf returns the watch that an effect asks for or takes back.
func watchOf(eff core.Effect) rib.Watch {
	switch eff := eff.(type) {
	case core.WatchMisses:
		return rib.Watch{Kind: rib.WatchNeighborMiss, Interface: eff.Interface}
	case core.UnwatchMisses:
		return watchOf(core.WatchMisses(eff))
	case core.WatchNextHop:
		return rib.Watch{Kind: rib.WatchNextHop, VRF: eff.VRF, Addr: eff.Addr}
	case core.UnwatchNextHop:
		return watchOf(core.WatchNextHop(eff))
	case core.WatchHairpins:
		return rib.Watch{Kind: rib.WatchHairpin, Interface: eff.Interface, Instance: eff.Group}
	case core.UnwatchHairpins:
		return watchOf(core.WatchHairpins(eff))
	case core.WatchUse:
		return rib.Watch{Kind: rib.WatchPeerUse, Interface: eff.Interface}
	case core.UnwatchUse:
		return watchOf(core.WatchUse(eff))
	}
	return rib.Watch{}
}

// lookupWithin bounds one look-up of a name.
const lookupWithin = 10 * time.Second

func (e *Edge) resolve(q core.ResolveName) {
	ctx, cancel := context.WithTimeout(e.life, lookupWithin)
	defer cancel()
	in := core.NameResolved{Name: q.Name}
	addrs, err := e.resolver.Lookup(ctx, q.Name, q.VRF, q.IPv6)
	if in.Addrs = addrs; err != nil {
		in.Error = err.Error()
	}
	e.driver.Post(in)
}

// Configure checks the configuration or brings it into force.
func (e *Edge) Configure(tree *conf.Tree, phase plugin.Phase) []plugin.LineError {
	cfg, errs := cli.Read(tree)
	if len(errs) > 0 || phase != plugin.Commit {
		return errs
	}
	e.driver.Post(e.tracing())
	e.sockets.configure(cfg)
	e.driver.Post(core.ConfigSet{Config: cfg})
	return nil
}

// Ask has the core make a report.
func (e *Edge) Ask(ctx context.Context, q core.Query) (core.Report, error) {
	return e.inquiries.Ask(ctx, func(id uint64) {
		q.ID = id
		e.driver.Post(q)
	})
}

// Clear removes entries or counters and returns once that is done.
func (e *Edge) Clear(ctx context.Context, c core.Clear) error {
	e.driver.Post(c)
	return e.Alive(ctx)
}

// Alive returns once the core has taken an input that was posted now.
func (e *Edge) Alive(ctx context.Context) error {
	_, err := e.Ask(ctx, core.Query{Kind: core.ReportNHS, Interface: "none"})
	return err
}

// Goodbye takes this node's registrations back from its servers.
func (e *Edge) Goodbye(ctx context.Context) error {
	e.driver.Post(core.Shutdown{})
	return e.Alive(ctx)
}
