package core_test

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/simnet"
	"github.com/godmvpn/godmvpn/lib/sm"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// simRouter is a hub or a spoke of a simWAN: a core, what it stated to zebra, and what
// a routing protocol would have told it.
type simRouter struct {
	wan     *simWAN
	node    *coreNode
	hub     bool
	index   int        // among the hubs, or among the spokes
	overlay netip.Addr // protocol address
	nbma    netip.Addr // where others reach it

	neighbors map[netip.Addr]netip.Addr // protocol address → NBMA address
	shortcuts map[netip.Prefix]rib.NextHop
	watched   map[netip.Addr]bool // by WatchNextHop
	memory    map[string]savedAt
	hairpins  bool                // watched
	use       bool                // watched
	used      map[netip.Addr]bool // NBMA addresses that data went to lately

	// Of a spoke: the state of its adjacency to each hub, and the hub whose routes it
	// has, -1 for none.
	adjacent [2]adjacency
	best     int
	// Of a protected tunnel: which life this is, whom it wants to be secured, and what it
	// was told.
	life  int
	wants map[netip.Addr]bool
	told  map[netip.Addr]protection.Security
	// lostAt is when it was told last that a session was lost.
	lostAt clock.Instant

	// Of a hub: the spoke that each LAN is behind, as the hub believes.
	owners []int
}

// adjacency is what a routing protocol makes of two routers that reach each other: it
// takes some time to notice that they do, and that they do not any more.
type adjacency struct {
	up      bool
	changes clock.Instant // when it will, 0 for never
}

// simWay is how a router forwards to an address.
type simWay struct {
	prefix netip.Prefix // of the route; invalid: there is none
	out    simOut
	hop    netip.Addr // on the tunnel
}

// simOut is by which interface.
type simOut uint8

const (
	outNone simOut = iota
	outLAN
	outTunnel
	outCore // a link between the hubs
)

var (
	simTunnelNet = hubAddr.Masked()
	simSummary   = netip.MustParsePrefix("20.0.0.0/8")
)

// simLAN returns the prefix of a LAN, simHost a host in it, lanOf the LAN of a host.
func simLAN(l int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(l >> 8), byte(l), 0}), 24)
}

func simHost(l int) netip.Addr { return netip.AddrFrom4([4]byte{20, byte(l >> 8), byte(l), 10}) }

func lanOf(a netip.Addr) int { b := a.As4(); return int(b[1])<<8 | int(b[2]) }

// routed is how routing alone reaches an address.
func (r *simRouter) routed(a netip.Addr) simWay {
	switch {
	case simTunnelNet.Contains(a):
		return simWay{simTunnelNet, outTunnel, a}
	case !simSummary.Contains(a):
		return simWay{}
	}
	l := lanOf(a)
	if r.hub {
		return r.hubRoute(l)
	}
	if r.wan.owner[l] == r.index {
		return simWay{prefix: simLAN(l), out: outLAN}
	}
	if r.best < 0 {
		return simWay{}
	}
	h := r.wan.hubs[r.best]
	switch {
	case r.wan.summary:
		return simWay{simSummary, outTunnel, h.overlay}
	case h.owners[l] != r.index: // a router is not told its own routes
		return simWay{simLAN(l), outTunnel, h.overlay}
	}
	return simWay{}
}

// hubRoute is how a hub reaches a LAN: by the spoke that told it, or by the other hub,
// which that spoke told.
func (r *simRouter) hubRoute(l int) simWay {
	s := r.wan.spokes[r.owners[l]]
	if s.adjacent[r.index].up {
		return simWay{simLAN(l), outTunnel, s.overlay}
	}
	other := r.wan.hubs[1-r.index]
	if other.node.Alive() && r.wan.spokes[other.owners[l]].adjacent[other.index].up {
		return simWay{prefix: simLAN(l), out: outCore}
	}
	return simWay{}
}

// forwarded is how packets are forwarded: by routing and by what NHRP put over it.
func (r *simRouter) forwarded(a netip.Addr) simWay {
	w := r.routed(a)
	for _, bits := range []int{32, 24, 8} {
		if bits < w.prefix.Bits() || w.out == outLAN && bits == w.prefix.Bits() {
			break
		}
		p, err := a.Prefix(bits)
		if err != nil {
			break
		}
		if hop, ok := r.shortcuts[p]; ok {
			if !hop.Addr.IsValid() {
				hop.Addr = a
			}
			return simWay{p, outTunnel, hop.Addr}
		}
	}
	return w
}

// tell has the core know how an address is reached, if it watches that.
func (r *simRouter) tell(a netip.Addr) {
	if !r.watched[a] || !r.node.Alive() {
		return
	}
	w := r.routed(a)
	in := core.NextHopChanged{Addr: a, Prefix: w.prefix}
	switch w.out {
	case outLAN:
		in.Protocol, in.NextHops = rib.Connected, []rib.NextHop{{Interface: "GigabitEthernet2"}}
	case outCore:
		in.Protocol, in.NextHops = rib.RIP, []rib.NextHop{{Addr: netip.MustParseAddr("192.168.0.1"), Interface: "GigabitEthernet3"}}
	case outTunnel:
		in.Protocol, in.NextHops = rib.RIP, []rib.NextHop{{Addr: w.hop, Interface: "Tunnel0"}}
		if w.prefix == simTunnelNet {
			in.Protocol, in.NextHops = rib.Connected, []rib.NextHop{{Interface: "Tunnel0"}}
		}
	}
	r.node.Post(in)
}

// tellAll is tell for all that is watched.
func (r *simRouter) tellAll() {
	for _, a := range slices.SortedFunc(maps.Keys(r.watched), netip.Addr.Compare) {
		r.tell(a)
	}
}

// reset forgets what a core stated: it is gone, and its kernel with it.
func (r *simRouter) reset() {
	r.neighbors, r.shortcuts = map[netip.Addr]netip.Addr{}, map[netip.Prefix]rib.NextHop{}
	r.watched, r.used = map[netip.Addr]bool{}, map[netip.Addr]bool{}
	r.hairpins, r.use = false, false
	r.life++
	r.wants, r.told = map[netip.Addr]bool{}, map[netip.Addr]protection.Security{}
}

func (r *simRouter) behavior() simnet.Behavior[core.Input, core.Effect] {
	lives := uint32(0)
	return simnet.Behavior[core.Input, core.Effect]{
		New: func(seed uint64) sm.Machine[core.Input, core.Effect] {
			lives++
			return core.New(core.Options{Source: rand.NewPCG(seed, 3), RequestID: lives << 24})
		},
		Tick: coreInput(core.Tick{}), Receive: receiveNHRP, Effect: r.effect,
	}
}

// effect plays zebra for a core.
func (r *simRouter) effect(e *coreEnv, out core.Effect) {
	switch out := out.(type) {
	case core.TxPacket:
		r.wan.count()
		if r.wan.ipsec != nil && !r.wan.ipsec.sent(r, out.NBMA) {
			return
		}
		e.Send(0, simnet.Packet{Dst: simnet.Addr(out.NBMA), Protocol: packet.GREProtocol, Payload: out.Packet})
	case core.PutNeighbor:
		r.neighbors[out.Neighbor.Addr] = out.Neighbor.NBMA
		if r.wan.ipsec != nil {
			r.wan.ipsec.leads(r, out.Neighbor.NBMA)
		}
	case core.DelNeighbor:
		delete(r.neighbors, out.Key.Addr)
	case core.PutShortcut:
		r.shortcuts[out.Override.Prefix] = out.Override.NextHop
	case core.DelShortcut:
		delete(r.shortcuts, out.Key.Prefix)
	case core.WatchNextHop:
		r.watched[out.Addr] = true
		r.tell(out.Addr)
	case core.UnwatchNextHop:
		delete(r.watched, out.Addr)
	case core.WatchHairpins:
		r.hairpins = true
	case core.UnwatchHairpins:
		r.hairpins = false
	case core.WatchUse:
		r.use = true
	case core.UnwatchUse:
		r.use = false
	case core.WantPeer:
		r.wan.ipsec.want(r, out.NBMA)
	case core.UnwantPeer:
		delete(r.wants, out.NBMA)
	case core.SaveEntry:
		r.memory[out.Key] = savedAt{out.Data, e.Now()}
	case core.ForgetEntry:
		delete(r.memory, out.Key)
	}
}

// start hands a new-born core what zebra tells it.
func (r *simRouter) start(cfg func(*core.InterfaceConfig)) {
	for _, key := range slices.Sorted(maps.Keys(r.memory)) {
		m := r.memory[key]
		r.node.Post(core.RestoreEntry{Key: key, Data: m.data, Elapsed: r.wan.Now().Sub(m.at)})
	}
	source := r.nbma
	if !r.hub {
		source = simPrivate(r.index)
	}
	for _, in := range append(tunnel(netip.PrefixFrom(r.overlay, simTunnelNet.Bits()), source, cfg), core.Attached{}, core.InterfacesKnown{}) {
		if r.wan.ipsec != nil {
			in = protect(in)
		}
		r.node.Post(in)
	}
}

// reportUse tells a core of the use of its peers, as zebra does now and then.
func (r *simRouter) reportUse() {
	if r.use && len(r.used) > 0 && r.node.Alive() {
		r.node.Post(core.PeersUsed{Interface: "Tunnel0", NBMA: slices.SortedFunc(maps.Keys(r.used), netip.Addr.Compare)})
	}
	clear(r.used)
}

// simInner is the header of an IPv4 packet from one host to another.
func simInner(src, dst netip.Addr) []byte {
	b := make([]byte, 28)
	const udp = 17
	b[0], b[8], b[9] = 0x45, 62, udp
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	return b
}

// simSeconds is a number of seconds of simulated time.
func simSeconds(n int) time.Duration { return time.Duration(n) * time.Second }
