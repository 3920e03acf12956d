package rib

import (
	"net/netip"
	"slices"
)

// Kind tells the objects apart that a daemon may ask zebra to hold.
type Kind uint8

// The kinds of objects.
const (
	KindRoute         Kind = 1 + iota // a Route
	KindNeighbor                      // a Neighbor
	KindOverride                      // an Override
	KindMulticastPeer                 // a MulticastPeer
	KindLineProtocol                  // a LineProtocol
	KindShaper                        // a Shaper
	KindSA                            // an SA
	KindPolicy                        // a Policy
)

// Key identifies an object within its owner. Which fields are in use depends
// on the kind; the others are zero.
type Key struct {
	Kind      Kind
	VRF       string       // route, override
	Prefix    netip.Prefix // route, override; masked. Policy: the peers
	Protocol  Protocol     // route
	Instance  uint32       // route: AS or process number, 0 where there is one only. SA: its SPI
	Interface string       // neighbour, multicast peer, line protocol, shaper
	Addr      netip.Addr   // neighbour; multicast peer, shaper: the NBMA address; SA: the destination; policy: the local address
}

// Object is something that a daemon asks zebra to hold in forwarding state.
// Objects are values: once handed over they are not changed.
type Object interface {
	Key() Key
	// Equal reports whether other asks for the same thing under the same key.
	Equal(other Object) bool
}

// NextHop is one way out.
type NextHop struct {
	Addr      netip.Addr // gateway; the zero Addr if directly connected
	Interface string     // "" if it follows from the gateway
	VRF       string     // VRF of gateway and interface, where it is not the route's own
	LeaveVRF  bool       // VRF is meaningful, even if it is the default one
	OnLink    bool       // the gateway is taken to be on the interface's link
	Discard   bool       // Null0: drop silently
	Weight    uint16     // share of the traffic in unequal-cost multipath; 0 counts as 1
}

// Route is a candidate for the forwarding table.
type Route struct {
	VRF      string
	Prefix   netip.Prefix
	Instance uint32
	Metric   uint32
	Tag      uint32
	Protocol Protocol
	Type     RouteType
	Distance uint8
	Name     string // for show only
	NextHops []NextHop
}

// Key implements Object.
func (r Route) Key() Key {
	return Key{Kind: KindRoute, VRF: r.VRF, Prefix: r.Prefix, Protocol: r.Protocol, Instance: r.Instance}
}

// Equal implements Object.
func (r Route) Equal(other Object) bool {
	o, ok := other.(Route)
	return ok && r.VRF == o.VRF && r.Prefix == o.Prefix && r.Protocol == o.Protocol &&
		r.Instance == o.Instance && r.Type == o.Type && r.Distance == o.Distance &&
		r.Metric == o.Metric && r.Tag == o.Tag && r.Name == o.Name && slices.Equal(r.NextHops, o.NextHops)
}

// Neighbor maps a protocol address on a multipoint interface to the link-layer
// (NBMA) address behind which it is reached.
type Neighbor struct {
	Interface string
	Addr      netip.Addr // protocol (tunnel) address
	NBMA      netip.Addr // link-layer address of a GRE tunnel
}

// Key implements Object.
func (n Neighbor) Key() Key {
	return Key{Kind: KindNeighbor, Interface: n.Interface, Addr: n.Addr}
}

// Equal implements Object.
func (n Neighbor) Equal(other Object) bool { o, ok := other.(Neighbor); return ok && n == o }

// MulticastPeer has what is sent to many on a multipoint interface go to an NBMA
// address as well: every packet for a multicast group, for 255.255.255.255 or for
// the broadcast address of the interface's subnet, whoever on the machine sends
// it, goes once to each peer.
type MulticastPeer struct {
	Interface string
	NBMA      netip.Addr // link-layer address of a GRE tunnel
}

// Key implements Object.
func (p MulticastPeer) Key() Key {
	return Key{Kind: KindMulticastPeer, Interface: p.Interface, Addr: p.NBMA}
}

// Equal implements Object.
func (p MulticastPeer) Equal(other Object) bool { o, ok := other.(MulticastPeer); return ok && p == o }

// LineProtocol says whether the line protocol of a tunnel may be up. Where it is
// Down, zebra treats the tunnel as it does one without a carrier (its connected
// routes and all that lead by it are withdrawn, Interface.Up is false for everyone)
// but lets the device send and receive: Interface.HeldDown. Without a LineProtocol
// the device alone decides.
type LineProtocol struct {
	Interface string
	Down      bool
}

// Key implements Object.
func (l LineProtocol) Key() Key { return Key{Kind: KindLineProtocol, Interface: l.Interface} }

// Equal implements Object.
func (l LineProtocol) Equal(other Object) bool { o, ok := other.(LineProtocol); return ok && l == o }

// Shaper holds what a multipoint interface sends to an NBMA address down to a rate:
// what is too much waits in a queue, and is dropped when that is full. What goes to
// addresses without a Shaper is not held down.
type Shaper struct {
	Interface string
	NBMA      netip.Addr // link-layer address of a GRE tunnel
	Rate      uint64     // bits in a second, of packets with their outer headers; not 0
	Burst     uint32     // bytes that may be sent at once after a pause; 0 leaves it to the data plane
	Policy    string     // name of the policy that asks for it, for show only
}

// Key implements Object.
func (s Shaper) Key() Key { return Key{Kind: KindShaper, Interface: s.Interface, Addr: s.NBMA} }

// Equal implements Object.
func (s Shaper) Equal(other Object) bool { o, ok := other.(Shaper); return ok && s == o }

// Override replaces the next hops with which the best route for exactly this
// prefix is forwarded, and leaves that route selected (next-hop override,
// marked % in `show ip route`). Where no route has exactly this prefix, it is
// itself a route of the owner's protocol with the distance given (H of NHRP).
type Override struct {
	VRF      string
	Prefix   netip.Prefix
	Protocol Protocol
	Distance uint8
	NextHop  NextHop
}

// Key implements Object.
func (o Override) Key() Key {
	return Key{Kind: KindOverride, VRF: o.VRF, Prefix: o.Prefix}
}

// Equal implements Object.
func (o Override) Equal(other Object) bool { p, ok := other.(Override); return ok && o == p }
