package core

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/core/rtp"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// instance is EIGRP of one address family and autonomous system in a VRF.
type instance struct {
	core *Core
	key  Key
	cfg  InstanceConfig // normal
	id   netip.Addr     // router ID, zero while there is none
	on   bool           // it runs: it is not shut down, and has a router ID

	ifaces  map[string]*iface // those that EIGRP runs on, whether they are up or not
	order   []*iface          // the values of ifaces, by name
	byID    map[dual.InterfaceID]*iface
	ifaceID dual.InterfaceID // the last

	neighbors  map[dual.NeighborID]*neighbor
	byAddr     map[neighborKey]*neighbor
	neighborID dual.NeighborID // the last
	handles    handles
	listening  int // neighbours that are so by `remote-neighbors`
	converge   converge

	transport *rtp.Transport
	sent      []rtp.Effect // used again and again
	counters  Counters
	events    events
	pending   quiet // of log messages of neighbours that never came up

	table  *dual.Table[attribute]
	routes routes
	hooks  hooks
}

// iface is an interface that an instance runs on.
type iface struct {
	id       dual.InterfaceID // also of reliable transport
	name     string
	instance *instance
	link     rib.Interface
	cfg      InterfaceConfig // normal
	up       bool            // packets can be sent; of a passive one: its networks are told
	addr     netip.Addr      // the source of packets: the primary address, or the link-local one
	auth     *authenticator

	static     []netip.Addr // neighbours that are named: then there are no others
	remote     []StaticNeighbor
	peers      int           // neighbours
	helloAt    clock.Instant // when the last Hello went out
	terminated []*neighbor   // that are to be told that they are no neighbours any more

	helloSent, helloReceived uint64
	badAuth, noKey, badK     quiet

	routes ifaceRoutes
}

// neighbor is a router that Hellos come from (RFC 7868 section 5.3).
type neighbor struct {
	id    dual.NeighborID // also of reliable transport
	addr  netip.Addr
	iface *iface // of a remote neighbour: the source interface
	wide  bool   // reads wide TLVs
	stub  bool
	up    bool // no longer pending: DUAL knows it

	handle   int
	static   bool
	remote   bool
	listened bool // it is one by `remote-neighbors`
	ttl      uint8

	since     clock.Instant // when its first Hello came
	heard     clock.Instant // when it was heard last
	told      clock.Instant // when it told of a route last
	hold      time.Duration // Hold Time that it announced
	badAuth   bool          // packets of it were refused since then
	software  packet.Software
	flags     packet.StubFlags
	base      bool // its list of topologies has the base topology
	met       bool // its INIT has come
	initAcked bool // it has ours
	asksRS    bool // its Hellos have the RS flag
	restart   *restart

	routes neighborRoutes
}

func newInstance(c *Core, k Key) *instance {
	in := &instance{
		core: c, key: k, ifaces: make(map[string]*iface), byID: make(map[dual.InterfaceID]*iface),
		neighbors: make(map[dual.NeighborID]*neighbor), byAddr: make(map[neighborKey]*neighbor),
	}
	in.hooks = hooks{
		send: in.transmit,
		backlog: func(i *iface, to []dual.NeighborID) int {
			return in.transport.Backlog(rtp.InterfaceID(i.id), peerIDs(to))
		},
		reset: func(now clock.Instant, n *neighbor, why string) { in.down(now, n, why, aloud) },
		trace: in.trace,
	}
	return in
}

// title names the instance in messages of the log, as IOS does.
func (in *instance) title() string {
	family := "IPv4"
	if in.key.Family == rib.IPv6 {
		family = "IPv6"
	}
	if in.key.VRF != "" {
		return fmt.Sprintf("EIGRP-%s(%s) %d", family, in.key.VRF, in.key.AS)
	}
	return fmt.Sprintf("EIGRP-%s %d", family, in.key.AS)
}

// begin starts the instance if it can run and does not yet.
func (in *instance) begin(now clock.Instant) {
	if in.on || in.cfg.Shutdown {
		return
	}
	if in.cfg.RouterID.IsValid() {
		in.id = in.cfg.RouterID
	} else if !in.id.IsValid() {
		in.id = in.core.chooseID(in.key.VRF)
	}
	if !in.id.IsValid() {
		return
	}
	in.on = true
	in.transport = rtp.New(in.transportOptions())
	in.beginConverge(now)
	in.routesBegin(now)
	for _, name := range in.core.links.Names() {
		in.reconcile(now, name)
	}
}

// end stops the instance: neighbours are told, and all that it stated is taken back.
func (in *instance) end(now clock.Instant, why string) {
	if !in.on {
		return
	}
	for _, i := range slices.Clone(in.order) {
		i.goodbye(now)
		in.removeIface(now, i, why)
	}
	in.routesEnd(now)
	in.on, in.id = false, netip.Addr{}
	for _, k := range [...]timerKind{timerTransport, timerRoutes, timerConverge} {
		in.core.timers.Clear(timerKey{kind: k, instance: in})
	}
}

// settle lets the parts of the instance work until nothing is left to do.
func (in *instance) settle(now clock.Instant) {
	if !in.on {
		return
	}
	for {
		in.routesFlush(now)
		in.tellTerminated(now)
		in.transport.Flush(now)
		if !in.carry(now) {
			break
		}
	}
	c := in.core
	at, ok := in.transport.Wake()
	c.arm(timerTransport, in, max(at, now+1), ok)
	at, ok = in.routesWake()
	c.arm(timerRoutes, in, max(at, now+1), ok)
}

// chooseID chooses a router ID among the addresses of a VRF as IOS does: the highest
// of its loopbacks, or else the highest of all interfaces. RFC 7868 leaves it open.
// Zero: there is none.
func (c *Core) chooseID(vrf string) netip.Addr {
	var best netip.Addr
	var loopback bool
	for _, name := range c.links.Names() {
		link, _ := c.links.Get(name)
		if link.VRF != vrf || !link.Up && !link.HeldDown {
			continue
		}
		for _, a := range link.Addresses {
			addr, lo := a.Prefix.Addr(), link.Type == rib.TypeLoopback
			if !addr.Is4() || addr.IsLoopback() || loopback && !lo {
				continue
			}
			if !best.IsValid() || lo && !loopback || best.Less(addr) {
				best, loopback = addr, lo
			}
		}
	}
	return best
}

// sorted returns the neighbours in the order in which they came.
func (in *instance) sorted() []*neighbor {
	all := make([]*neighbor, 0, len(in.neighbors))
	for _, n := range in.neighbors {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b *neighbor) int { return cmp.Compare(a.id, b.id) })
	return all
}

// handles are the small numbers by which neighbours are shown.
type handles struct {
	used []bool
	low  int // all below are in use
}

// take returns the smallest number that is free.
func (h *handles) take() int {
	for ; h.low < len(h.used); h.low++ {
		if !h.used[h.low] {
			h.used[h.low] = true
			return h.low
		}
	}
	h.used = append(h.used, true)
	return h.low
}

func (h *handles) give(n int) {
	h.used[n] = false
	h.low = min(h.low, n)
}
