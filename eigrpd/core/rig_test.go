package core

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
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

	heard map[string]Listen // by interface and family
	watch map[rib.Watch]bool
	out   []Effect // since the last take
	logs  []string
	seed  uint64
	dead  bool
}

type flight struct {
	at     clock.Instant
	from   *router
	to     *router
	ifname string
	rx     RxPacket
}

var rigWall = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newTown(t testing.TB) *town { return &town{t: t} }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// everywhere is `network 0.0.0.0`.
var everywhere = []policy.Wildcard{{Bits: 0xffffffff}}

// router adds a router with EIGRP of IPv4 in AS 100 on all its interfaces.
func (l *town) router(name string, edit ...func(*InstanceConfig)) *router {
	ic := InstanceConfig{Key: Key{Family: rib.IPv4, AS: 100}, Networks: everywhere}
	for _, e := range edit {
		e(&ic)
	}
	r := &router{
		t: l.t, town: l, name: name, cfg: Config{Instances: []InstanceConfig{ic}}, lans: map[string]string{}, link: map[string]rib.Interface{},
		heard: map[string]Listen{}, watch: map[rib.Watch]bool{}, fib: map[rib.Key]rib.Route{}, seed: uint64(len(l.routers) + 1),
	}
	r.birth()
	l.routers = append(l.routers, r)
	return r
}

// birth makes the core of a life of the daemon; each has another random source.
func (r *router) birth() {
	r.seed += 100
	r.core = New(Options{Source: rand.NewPCG(r.seed, 2), Wall: rigWall})
	r.heard = map[string]Listen{}
}

// on puts the router on a network; "" is none.
func (r *router) on(lan, ifname string, addresses ...string) *router {
	x := rib.Interface{Name: ifname, KernelName: ifname, Index: len(r.link) + 2, AdminUp: true, Up: true, Multicast: true, MTU: 1500, Bandwidth: 100_000, Delay: 10}
	for k, a := range addresses {
		x.Addresses = append(x.Addresses, rib.Address{Prefix: prefix(a), Secondary: k > 0 && prefix(a).Addr().Is4()})
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

// iface returns the configuration of an interface in it.
func (r *router) iface(name string) *InterfaceConfig {
	ic := r.instance()
	for k := range ic.Interfaces {
		if ic.Interfaces[k].Name == name {
			return &ic.Interfaces[k]
		}
	}
	ic.Interfaces = append(ic.Interfaces, InterfaceConfig{Name: name})
	return &ic.Interfaces[len(ic.Interfaces)-1]
}

func (r *router) configure() {
	cfg := r.cfg
	cfg.Instances = slices.Clone(cfg.Instances)
	for k := range cfg.Instances {
		cfg.Instances[k].Interfaces = slices.Clone(cfg.Instances[k].Interfaces)
	}
	r.step(ConfigSet{cfg})
}

// start begins the life of a router's daemon.
func (r *router) start() *router {
	r.dead = false
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

func listenName(name, vrf string, f rib.Family) string { return fmt.Sprintf("%s/%s/%v", name, vrf, f) }

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
		k := listenName(e.Interface, "", e.Family)
		if e.Interface == "" {
			k = listenName("", e.VRF, e.Family)
		}
		r.heard[k] = e
	case Unlisten:
		k := listenName(e.Interface, e.VRF, e.Family)
		if _, ok := r.heard[k]; !ok {
			r.t.Errorf("%s does not listen on %s", r.name, k)
		}
		delete(r.heard, k)
	case WatchRoutes:
		r.watch[e.Watch] = true
	case UnwatchRoutes:
		delete(r.watch, e.Watch)
	case Log:
		r.logs = append(r.logs, fmt.Sprintf("%%%s-%d-%s: %s", e.Facility, e.Severity, e.Mnemonic, e.Text))
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
		r.town.queue = append(r.town.queue, flight{r.town.now.Add(time.Millisecond), r, o, ifname,
			RxPacket{Interface: ifname, Source: tx.Source, Dest: tx.Dest, Packet: slices.Clone(tx.Packet)}})
	}
}

// takes reports whether a packet comes to a router, and by which interface. One that
// goes by the routing table comes by any interface.
func (r *router) takes(from *router, tx TxPacket) (ifname string, ok bool) {
	family := rib.FamilyOf(tx.Dest)
	for _, name := range r.names() {
		x := r.link[name]
		same := tx.Interface != "" && r.lans[name] != "" && r.lans[name] == from.lans[tx.Interface]
		here := slices.ContainsFunc(x.Addresses, func(a rib.Address) bool { return a.Prefix.Addr() == tx.Dest })
		own, listens := r.heard[listenName(name, "", family)]
		_, any := r.heard[listenName("", x.VRF, family)]
		switch {
		case !x.Up:
		case tx.Dest.IsMulticast():
			if same && listens && own.Group {
				return name, true
			}
		case same && here && (listens || any):
			return name, true
		case tx.Interface == "" && here && any:
			for _, by := range r.names() {
				if r.lans[by] != "" {
					return by, true
				}
			}
		}
	}
	return "", false
}

// advance lets time pass.
func (l *town) advance(d time.Duration) {
	end := l.now.Add(d)
	for n := 0; ; n++ {
		if n > 1_000_000 {
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

// neighbors prints the neighbours of the first instance: "address interface [pending]".
func (r *router) neighbors() []string {
	r.t.Helper()
	all := []string{}
	rep := r.query(Query{Kind: ReportNeighbors, AllVRFs: true}).(*NeighborReport)
	for _, in := range rep.Instances {
		for _, n := range in.Neighbors {
			s := fmt.Sprintf("%v %s", n.Addr, n.Interface)
			for _, x := range [...]struct {
				on   bool
				word string
			}{{n.Pending, "pending"}, {n.Static, "static"}, {n.Remote, "remote"}, {n.IsStub, "stub"}, {n.Restarting, "restarting"}} {
				if x.on {
					s += " " + x.word
				}
			}
			all = append(all, s)
		}
	}
	return all
}

// routes returns what zebra holds, "prefix [distance/metric] next hops".
func (r *router) routes() []string {
	all := []string{}
	for _, x := range r.fib {
		s := fmt.Sprintf("%v [%d/%d]", x.Prefix, x.Distance, x.Metric)
		for _, h := range x.NextHops {
			if h.Discard {
				s += " Null0"
			} else {
				s += fmt.Sprintf(" %v,%s", h.Addr, h.Interface)
			}
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// drops returns how many packets were dropped for a reason.
func (r *router) drops(reason DropReason) uint64 {
	r.t.Helper()
	return r.query(Query{Kind: ReportStatus, AllVRFs: true}).(*StatusReport).Instances[0].Counters.Dropped[reason]
}

// same fails where two lists differ.
func same(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// pair is two routers on one network, each with a network of its own behind it.
func pair(t testing.TB, edit ...func(*InstanceConfig)) (l *town, a, b *router) {
	l = newTown(t)
	a = l.router("a", edit...).on("lan", "Eth0", "10.0.0.1/24").on("", "Eth1", "10.1.0.1/24")
	b = l.router("b", edit...).on("lan", "Eth0", "10.0.0.2/24").on("", "Eth1", "10.2.0.1/24")
	return l, a, b
}

func setDown(x *rib.Interface) { x.Up = false }
func setUp(x *rib.Interface)   { x.Up = true }
