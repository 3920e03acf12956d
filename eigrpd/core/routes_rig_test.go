package core

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// net is a network of routers, of each of which only the routes are at work: packets
// reach their receivers at once and in order, as reliable transport has it.
type routesNet struct {
	t       testing.TB
	now     clock.Instant
	routers []*routesRouter
	queue   []routesPacket // under way
	packets []string       // what was sent, if it is recorded
	record  bool
	seen    func(from *routesRouter, m *packet.Message)
}

type routesRouter struct {
	*instance
	net    *routesNet
	name   string
	fib    map[netip.Prefix]rib.Route
	logs   []string
	lans   map[*iface]string
	resets []string
}

type routesPacket struct {
	from, to *routesRouter
	id       dual.NeighborID // of the sender at the receiver
	net      string
	op       packet.Opcode
	flags    packet.Flags
	tlvs     []byte
}

func newRoutesNet(t testing.TB) *routesNet { return &routesNet{t: t} }

// router adds a router; cfg has what matters besides key and router ID.
func (w *routesNet) router(name, id string, cfg InstanceConfig) *routesRouter {
	r := &routesRouter{net: w, name: name, fib: map[netip.Prefix]rib.Route{}, lans: map[*iface]string{}}
	cfg.Key = Key{Family: rib.IPv4, AS: 100}
	if len(cfg.Networks) == 0 {
		cfg.Networks = []policy.Wildcard{{Bits: 0xffffffff}}
	}
	r.instance = &instance{
		core: &Core{}, key: cfg.Key, cfg: cfg, id: netip.MustParseAddr(id),
		ifaces: map[string]*iface{}, neighbors: map[dual.NeighborID]*neighbor{},
		hooks: hooks{send: r.send, reset: r.reset, trace: func(clock.Instant, Trace) {}},
	}
	r.routesBegin(w.now)
	w.routers = append(w.routers, r)
	return r
}

// iface adds an interface to a router, on a LAN if that has a name.
func (r *routesRouter) iface(lan, name, addr string, bandwidth uint64, delay uint32, cfg InterfaceConfig) *iface {
	i := &iface{id: dual.InterfaceID(len(r.order) + 1), name: name, up: true, addr: netip.MustParsePrefix(addr).Addr(), cfg: cfg}
	i.link = rib.Interface{Name: name, Bandwidth: bandwidth, Delay: delay, MTU: 1400, Up: true,
		Addresses: []rib.Address{{Prefix: netip.MustParsePrefix(addr)}}}
	r.core.links.Put(i.link)
	i.instance = r.instance
	r.ifaces[name], r.order = i, append(r.order, i)
	r.lans[i] = lan
	r.routesIfaceUp(r.net.now, i)
	r.flush()
	return i
}

// peer makes two routers neighbours on a LAN that both are on.
func (w *routesNet) peer(a, b *routesRouter, lan string) {
	a.adopt(b, lan)
	b.adopt(a, lan)
	a.flush()
	b.flush()
	w.run()
}

func (r *routesRouter) on(lan string) *iface {
	for _, i := range r.order {
		if r.lans[i] == lan {
			return i
		}
	}
	r.net.t.Fatalf("%s is not on %s", r.name, lan)
	return nil
}

func (r *routesRouter) adopt(o *routesRouter, lan string) {
	far := o.on(lan)
	id := dual.NeighborID(slices.Index(r.net.routers, o)*100 + int(far.id))
	n := &neighbor{id: id, addr: far.addr, iface: r.on(lan), wide: !strings.HasPrefix(o.name, "old"), stub: o.cfg.Stub != nil, up: true}
	r.neighbors[id] = n
	r.routesNeighborUp(r.net.now, n)
}

// part ends the adjacency of two routers on a LAN.
func (w *routesNet) part(a, b *routesRouter, lan string) {
	for _, x := range [...][2]*routesRouter{{a, b}, {b, a}} {
		if n := x[0].neighborAt(x[1].on(lan).addr); n != nil {
			x[0].routesNeighborDown(w.now, n)
			delete(x[0].neighbors, n.id)
			x[0].flush()
		}
	}
	w.queue = slices.DeleteFunc(w.queue, func(p routesPacket) bool { return p.to.neighbors[p.id] == nil })
	w.run()
}

func (r *routesRouter) neighborAt(a netip.Addr) *neighbor {
	for _, n := range r.neighbors {
		if n.addr == a {
			return n
		}
	}
	return nil
}

func (r *routesRouter) send(now clock.Instant, i *iface, to, except []dual.NeighborID, op packet.Opcode, flags packet.Flags, tlvs []byte) {
	if room := i.link.MTU - 20 - packet.HeaderLen; len(tlvs) > room {
		r.net.t.Errorf("%s sends %d octets of TLVs where %d fit", r.name, len(tlvs), room)
	}
	if len(to) == 0 {
		for _, id := range slices.Sorted(maps.Keys(r.neighbors)) {
			if r.neighbors[id].iface == i && !slices.Contains(except, id) {
				to = append(to, id)
			}
		}
	}
	for _, id := range to {
		n := r.neighbors[id]
		if n == nil {
			continue
		}
		for _, o := range r.net.routers {
			for _, far := range o.order {
				if far.addr == n.addr && o.lans[far] == r.lans[i] {
					if back := o.neighborAt(i.addr); back != nil {
						r.net.queue = append(r.net.queue, routesPacket{r, o, back.id, r.lans[i], op, flags, tlvs})
					}
				}
			}
		}
	}
}

func (r *routesRouter) reset(now clock.Instant, n *neighbor, why string) {
	r.resets = append(r.resets, fmt.Sprintf("%v: %s", n.addr, why))
	r.routesNeighborDown(now, n)
	delete(r.neighbors, n.id)
}

// flush ends a step of the router and takes its effects.
func (r *routesRouter) flush() {
	r.routesFlush(r.net.now)
	for _, e := range r.core.Drain(nil) {
		switch e := e.(type) {
		case PutRoute:
			r.fib[e.Route.Prefix] = e.Route
		case DelRoute:
			if _, ok := r.fib[e.Key.Prefix]; !ok {
				r.net.t.Errorf("%s withdraws %v, which is not there", r.name, e.Key.Prefix)
			}
			delete(r.fib, e.Key.Prefix)
		case Log:
			r.logs = append(r.logs, fmt.Sprintf("%%%s-%d-%s: %s", e.Facility, e.Severity, e.Mnemonic, e.Text))
		}
	}
}

// run delivers until nothing is under way.
func (w *routesNet) run() {
	for n := 0; len(w.queue) > 0; n++ {
		if n > 100_000 {
			w.t.Fatal("no end of messages")
		}
		p := w.queue[0]
		w.queue = w.queue[1:]
		w.deliver(p)
	}
}

func (w *routesNet) deliver(p routesPacket) {
	m := packet.Message{Opcode: p.op, Flags: p.flags, Sequence: 1, AS: 100}
	b, err := m.AppendAround(nil, p.tlvs, nil, netip.Addr{})
	if err != nil {
		w.t.Fatalf("%s: %v", p.from.name, err)
	}
	got, err := packet.Parse(b)
	if err != nil {
		w.t.Fatalf("%s: %v", p.from.name, err)
	}
	if w.record {
		w.packets = append(w.packets, printRoutes(p.from.name+" → "+p.to.name, got))
		if w.seen != nil {
			w.seen(p.from, got)
		}
	}
	n := p.to.neighbors[p.id]
	if n == nil {
		return
	}
	p.to.routesReceived(w.now, n, got)
	p.to.flush()
}

// printRoutes is a packet in a line.
func printRoutes(who string, m *packet.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v", who, m.Opcode)
	if m.Flags&packet.FlagEndOfTable != 0 {
		b.WriteString(" EOT")
	}
	for _, r := range m.Routes {
		for _, p := range r.Destinations {
			fmt.Fprintf(&b, " %v", p)
			if r.Unreachable() {
				b.WriteString("=∞")
			}
			if r.NextHop.IsValid() {
				fmt.Fprintf(&b, "@%v", r.NextHop)
			}
		}
	}
	return b.String()
}

// routes prints what a router gave to zebra, in the form of `show ip route`.
func (r *routesRouter) show() string {
	var b strings.Builder
	for _, p := range slices.SortedFunc(maps.Keys(r.fib), comparePrefixes) {
		x := r.fib[p]
		code := map[rib.RouteType]string{rib.TypeInternal: "D", rib.TypeExternal: "D EX", rib.TypeSummary: "D S"}[x.Type]
		fmt.Fprintf(&b, "%s %v [%d/%d]", code, p, x.Distance, x.Metric)
		if x.Tag != 0 {
			fmt.Fprintf(&b, " tag %d", x.Tag)
		}
		for _, h := range x.NextHops {
			switch {
			case h.Discard:
				b.WriteString(" Null0")
			default:
				fmt.Fprintf(&b, " via %v %s", h.Addr, h.Interface)
			}
			if h.Weight != 0 {
				fmt.Fprintf(&b, "*%d", h.Weight)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// want compares what a router gave to zebra.
func (r *routesRouter) want(lines ...string) {
	r.net.t.Helper()
	slices.Sort(lines)
	got := strings.Split(strings.TrimSpace(r.show()), "\n")
	if r.show() == "" {
		got = nil
	}
	slices.Sort(got)
	if !slices.Equal(got, lines) {
		r.net.t.Errorf("%s has\n%s\nwant\n%s", r.name, strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}
