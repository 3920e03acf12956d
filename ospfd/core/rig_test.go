package core

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// town is some routers on networks, of which all of the core is at work. Packets take
// a millisecond.
type town struct {
	t       testing.TB
	now     clock.Instant
	routers []*router
	queue   []flight // under way, in the order of their arrival
	sent    int      // packets
	// pass decides whether a packet arrives; nil: all do.
	pass func(from, to *router, m *packet.Message) bool
}

// router is a core with everything that it stated.
type router struct {
	t    testing.TB
	town *town
	name string
	core *Core
	cfg  Config
	lans map[string]string // by interface
	link map[string]rib.Interface
	fib  map[rib.Key]rib.Route

	heard      map[string]Listen // by interface
	watch      map[rib.Watch]bool
	remembered map[Key]Memory
	ended      int      // EndOfReplay that came
	out        []Effect // since the last take
	logs       []string
	dead       bool
}

type flight struct {
	at clock.Instant
	to *router
	rx RxPacket
}

var rigWall = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newTown(t testing.TB) *town { return &town{t: t} }

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func id(s string) packet.ID { return packet.IDOf(netip.MustParseAddr(s)) }

// everywhere is `network 0.0.0.0 255.255.255.255 area 0`.
var everywhere = []Network{{Addresses: policy.Wildcard{Bits: 0xffffffff}}}

// router adds a router with process 1 on all its interfaces, in the backbone. Its router ID
// is 0.0.0.N.
func (l *town) router(name string, edit ...func(*InstanceConfig)) *router {
	n := packet.ID(len(l.routers) + 1)
	ic := InstanceConfig{Key: Key{Process: 1}, RouterID: n.Addr(), Networks: everywhere, LogAdjacency: true, RFC1583: true}
	for _, e := range edit {
		e(&ic)
	}
	r := &router{
		t: l.t, town: l, name: name, cfg: Config{Instances: []InstanceConfig{ic}}, lans: map[string]string{}, link: map[string]rib.Interface{},
		watch: map[rib.Watch]bool{}, fib: map[rib.Key]rib.Route{}, remembered: map[Key]Memory{},
	}
	r.birth()
	l.routers = append(l.routers, r)
	return r
}

// birth makes the core of a life of the daemon.
func (r *router) birth() {
	r.core = New(Options{Wall: rigWall.Add(time.Duration(r.town.now))})
	r.core.wallAt = r.town.now
	r.heard = map[string]Listen{}
}

// on puts the router on a network; "" is none.
func (r *router) on(lan, ifname string, addresses ...string) *router {
	x := rib.Interface{Name: ifname, KernelName: ifname, Index: len(r.link) + 2, AdminUp: true, Up: true, Multicast: true, MTU: 1500, Bandwidth: 100_000, Delay: 10}
	switch {
	case strings.HasPrefix(ifname, "Tunnel"):
		x.Type, x.Tunnel = rib.TypeTunnel, &rib.Tunnel{Mode: rib.TunnelGREMultipoint}
	case strings.HasPrefix(ifname, "Serial"):
		x.Type = rib.TypePointToPoint
	case strings.HasPrefix(ifname, "Lo"):
		x.Type = rib.TypeLoopback
	}
	for k, a := range addresses {
		x.Addresses = append(x.Addresses, rib.Address{Prefix: prefix(a), Secondary: k > 0})
	}
	r.lans[ifname], r.link[ifname] = lan, x
	return r
}

// edit changes an interface before or after the start.
func (r *router) edit(ifname string, change func(*rib.Interface)) {
	x := r.link[ifname]
	x.Addresses = slices.Clone(x.Addresses)
	change(&x)
	r.link[ifname] = x
	if r.core.replay.atWork {
		r.step(InterfaceChanged{x})
	}
}

// instance returns the configuration of the first instance, to be changed.
func (r *router) instance() *InstanceConfig { return &r.cfg.Instances[0] }

// in returns the first instance at work.
func (r *router) in() *instance { return r.core.order[0] }

// iface returns the configuration of an interface.
func (r *router) iface(name string) *InterfaceConfig {
	for k := range r.cfg.Interfaces {
		if r.cfg.Interfaces[k].Name == name {
			return &r.cfg.Interfaces[k]
		}
	}
	r.cfg.Interfaces = append(r.cfg.Interfaces, InterfaceConfig{Name: name})
	return &r.cfg.Interfaces[len(r.cfg.Interfaces)-1]
}

func (r *router) configure() {
	cfg := r.cfg
	cfg.Instances = slices.Clone(cfg.Instances)
	cfg.Interfaces = slices.Clone(cfg.Interfaces)
	r.step(ConfigSet{cfg})
}

// start begins the life of a router's daemon.
func (r *router) start() *router {
	r.dead = false
	for k, m := range r.remembered { // unordered: there is one
		r.step(Remembered{k, m})
	}
	r.step(Attached{Stale: len(r.fib)})
	for _, name := range r.names() {
		r.step(InterfaceChanged{r.link[name]})
	}
	r.step(InterfacesKnown{})
	r.configure()
	return r
}

func (r *router) names() []string {
	all := make([]string, 0, len(r.link))
	for name := range r.link {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// crash ends the daemon without a word.
func (r *router) crash() { r.dead = true; r.birth() }

func (l *town) start() *town {
	for _, r := range l.routers {
		r.start()
	}
	return l
}

// step hands an input in and follows the effects.
func (r *router) step(in Input) {
	if r.dead {
		return
	}
	r.core.Step(r.town.now, in)
	for _, e := range r.core.Drain(nil) {
		r.out = append(r.out, e)
		r.follow(e)
	}
	if at, ok := r.core.Wake(); ok && at <= r.town.now {
		r.t.Fatalf("%s wants to be woken at %v, that is at once", r.name, at)
	}
}

func (r *router) follow(e Effect) {
	switch e := e.(type) {
	case TxPacket:
		r.send(e)
	case PutRoute:
		r.fib[e.Route.Key()] = e.Route
	case DelRoute:
		if _, ok := r.fib[e.Key]; !ok {
			r.t.Errorf("%v: %s withdraws %v, which it did not state", r.town.now, r.name, e.Key.Prefix)
		}
		delete(r.fib, e.Key)
	case Listen:
		r.heard[e.Interface] = e
	case Unlisten:
		if _, ok := r.heard[e.Interface]; !ok {
			r.t.Errorf("%s does not listen on %q", r.name, e.Interface)
		}
		delete(r.heard, e.Interface)
	case WatchRoutes:
		r.watch[e.Watch] = true
	case UnwatchRoutes:
		delete(r.watch, e.Watch)
	case Remember:
		r.remembered[e.Key] = e.Value
	case Forget:
		delete(r.remembered, e.Key)
	case EndOfReplay:
		r.ended++
	case Log:
		r.logs = append(r.logs, fmt.Sprintf("%%OSPF-%d-%s: %s", e.Severity, e.Mnemonic, e.Text))
	}
}

// send lets a packet go to all that listen for it.
func (r *router) send(tx TxPacket) {
	m, err := packet.Parse(tx.Packet)
	if err != nil {
		r.t.Errorf("%s sends %x: %v", r.name, tx.Packet, err)
		return
	}
	r.town.sent++
	for _, o := range r.town.routers {
		if o == r {
			continue
		}
		ifname, ok := o.takes(r, tx)
		if !ok || r.town.pass != nil && !r.town.pass(r, o, m) {
			continue
		}
		r.town.queue = append(r.town.queue, flight{r.town.now.Add(time.Millisecond), o,
			RxPacket{Interface: ifname, Source: tx.Source, Dest: tx.Dest, Packet: slices.Clone(tx.Packet)}})
	}
}

// takes reports whether a packet comes to a router, and by which interface. One that goes
// by the routing table comes by the first that is up.
func (r *router) takes(from *router, tx TxPacket) (ifname string, ok bool) {
	for _, name := range r.names() {
		x := r.link[name]
		same := tx.Interface != "" && r.lans[name] != "" && r.lans[name] == from.lans[tx.Interface]
		here := slices.ContainsFunc(x.Addresses, func(a rib.Address) bool { return a.Prefix.Addr() == tx.Dest })
		own, listens := r.heard[name]
		_, any := r.heard[""]
		switch {
		case !x.Up:
		case tx.Dest == packet.AllSPFRouters, tx.Dest == packet.AllDRouters:
			if same && listens && (tx.Dest == packet.AllSPFRouters && own.Group || tx.Dest == packet.AllDRouters && own.Designated) {
				return name, true
			}
		case same && here && (listens || any), tx.Interface == "" && here && any:
			return name, true
		}
	}
	return "", false
}

// advance lets time pass.
func (l *town) advance(d time.Duration) {
	end := l.now.Add(d)
	for n := 0; ; n++ {
		if n > 3_000_000 {
			l.t.Fatal("no end")
		}
		next, who := clock.Never, (*router)(nil)
		for _, r := range l.routers {
			if at, ok := r.core.Wake(); ok && !r.dead && at < next {
				next, who = at, r
			}
		}
		if len(l.queue) > 0 && l.queue[0].at <= next {
			next, who = l.queue[0].at, nil
		}
		if next > end {
			break
		}
		l.now = max(l.now, next)
		if who != nil {
			who.step(Tick{})
			continue
		}
		f := l.queue[0]
		l.queue = l.queue[1:]
		f.to.step(f.rx)
	}
	l.now = end
}

// until lets time pass until something holds.
func (l *town) until(limit time.Duration, what string, holds func() bool) {
	l.t.Helper()
	for end := l.now.Add(limit); !holds(); l.advance(100 * time.Millisecond) {
		if l.now >= end {
			l.t.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// take returns the effects since the last call.
func (r *router) take() []Effect {
	out := r.out
	r.out = nil
	return out
}

// said returns the messages of the log since the last call.
func (r *router) said() []string {
	logs := r.logs
	r.logs = nil
	return logs
}

// query asks for a report.
func (r *router) query(q Query) Report {
	r.t.Helper()
	q.ID = 1
	r.step(q)
	for k, e := range r.out {
		if a, ok := e.(Answer); ok {
			r.out = slices.Delete(r.out, k, k+1)
			return a.Report
		}
	}
	r.t.Fatal("no answer")
	return nil
}

// neighbors prints the neighbours of the first instance: "router-id address interface state".
func (r *router) neighbors() []string {
	r.t.Helper()
	all := []string{}
	for _, n := range r.query(Query{Kind: ReportNeighbors}).(*NeighborReport).Instances[0].Neighbors {
		s := fmt.Sprintf("%v %v %s %v", n.RouterID, n.Addr, n.Interface, n.State)
		if n.Helping {
			s += " helping"
		}
		all = append(all, s)
	}
	return all
}

// full counts the neighbours that are fully adjacent.
func (r *router) full() (n int) {
	for _, x := range r.query(Query{Kind: ReportNeighbors}).(*NeighborReport).Instances[0].Neighbors {
		if x.State == fsm.NeighborFull {
			n++
		}
	}
	return n
}

// status returns an interface.
func (r *router) status(name string) InterfaceStatus {
	r.t.Helper()
	for _, i := range r.query(Query{Kind: ReportInterfaces}).(*InterfaceReport).Instances[0].Interfaces {
		if i.Name == name {
			return i
		}
	}
	r.t.Fatalf("%s has no %s", r.name, name)
	return InterfaceStatus{}
}

// database prints the LSAs of the first instance, but for those of links: type, ID, router,
// sequence and checksum.
func (r *router) database() (all []string) {
	d := r.query(Query{Kind: ReportDatabase}).(*DatabaseReport).Instances[0]
	add := func(where string, lsas []packet.LSA) {
		for _, l := range lsas {
			if !l.IsMaxAge() {
				all = append(all, fmt.Sprintf("%s: %v 0x%08x 0x%04x", where, l.LSAKey, uint32(l.Sequence), l.Checksum))
			}
		}
	}
	for _, a := range d.Areas {
		add(a.Area.String(), a.LSAs)
	}
	add("AS", d.AS)
	return all
}

// drops returns how many packets were dropped for a reason.
func (r *router) drops(reason DropReason) uint64 {
	r.t.Helper()
	return r.query(Query{Kind: ReportStatus}).(*StatusReport).Instances[0].Counters.Dropped[reason]
}

// same fails where two lists differ.
func same(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// pair is two routers on one network.
func pair(t testing.TB, edit ...func(*InstanceConfig)) (l *town, a, b *router) {
	l = newTown(t)
	a = l.router("a", edit...).on("lan", "Eth0", "10.0.0.1/24")
	b = l.router("b", edit...).on("lan", "Eth0", "10.0.0.2/24")
	return l, a, b
}

func setDown(x *rib.Interface) { x.Up = false }
func setUp(x *rib.Interface)   { x.Up = true }
