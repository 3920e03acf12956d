package dataplane

import (
	"fmt"
	"net/netip"
	"slices"
)

// Kind tells the objects apart. The order of the constants is the order in
// which kinds are put; they are deleted in the reverse order.
type Kind uint8

// The kinds of objects.
const (
	KindSysctl        Kind = 1 + iota // a Sysctl
	KindPolicy                        // a Policy
	KindSA                            // an SA
	KindLink                          // a Link
	KindTunnel                        // a Tunnel
	KindMSSClamp                      // an MSSClamp
	KindMulticast                     // a Multicast
	KindHairpin                       // a Hairpin
	KindPeerUse                       // a PeerUse
	KindAddr                          // an Addr
	KindRoute                         // a Route
	KindNeighbor                      // a Neighbor
	KindMulticastPeer                 // a MulticastPeer
	KindShaper                        // a Shaper
	KindUnmatched                     // an Unmatched
	KindESPinUDP                      // an ESPinUDP
	numKinds
)

var kindNames = [numKinds]string{
	KindSysctl: "sysctl", KindPolicy: "policy", KindSA: "security association", KindLink: "link", KindTunnel: "tunnel",
	KindMSSClamp: "MSS clamp", KindAddr: "address", KindRoute: "route", KindNeighbor: "neighbor",
	KindHairpin: "hairpin detector", KindPeerUse: "watch of peer use", KindMulticast: "multicast replicator", KindMulticastPeer: "multicast peer",
	KindShaper: "shaper", KindUnmatched: "counter of unmatched GRE", KindESPinUDP: "ESP in UDP",
}

// String returns the name of the kind as operators read it.
func (k Kind) String() string {
	if k == 0 || k >= numKinds {
		return fmt.Sprintf("kind-%d", uint8(k))
	}
	return kindNames[k]
}

// Kinds returns all kinds in the order in which they are put.
func Kinds() []Kind {
	var ks []Kind
	for k := KindSysctl; k < numKinds; k++ {
		ks = append(ks, k)
	}
	return ks
}

// Key names an object in the data plane. Which fields are in use depends on the
// kind; the others are zero. Keys are comparable.
type Key struct {
	Kind   Kind
	Table  uint32       // route; SA: its SPI
	Metric uint32       // route
	Name   string       // kernel name of the device; sysctl: path; policy: local address; route, SA: ""
	Prefix netip.Prefix // route: destination; address: address and length; neighbour: address with full length; multicast peer, shaper: NBMA address with full length; policy: peers; SA: destination with full length; ESP in UDP: all addresses of the family
}

// Device returns the kernel name of the device without which the object cannot
// be, or "". For a route see Route.NextHops.
func (k Key) Device() string {
	switch k.Kind {
	case KindSysctl:
		return sysctlDevice(k.Name)
	case KindMSSClamp, KindMulticast, KindHairpin, KindPeerUse, KindAddr, KindNeighbor, KindMulticastPeer, KindShaper, KindUnmatched, KindESPinUDP:
		return k.Name
	}
	return ""
}

// String renders the key for logs.
func (k Key) String() string {
	switch k.Kind {
	case KindRoute:
		return fmt.Sprintf("route %v table %d metric %d", k.Prefix, k.Table, k.Metric)
	case KindMSSClamp:
		return "MSS clamp on " + k.Name
	case KindAddr:
		return fmt.Sprintf("address %v on %s", k.Prefix, k.Name)
	case KindMulticast, KindHairpin, KindPeerUse, KindUnmatched:
		return k.Kind.String() + " on " + k.Name
	case KindMulticastPeer, KindShaper:
		return fmt.Sprintf("%v %v on %s", k.Kind, k.Prefix.Addr(), k.Name)
	case KindPolicy:
		return fmt.Sprintf("policy of GRE between %s and %v", k.Name, k.Prefix)
	case KindSA:
		return fmt.Sprintf("SA of SPI %#x to %v", k.Table, k.Prefix.Addr())
	case KindESPinUDP:
		return fmt.Sprintf("ESP in UDP to %v port %d in %q", k.Prefix.Addr(), PortESPinUDP, k.Name)
	case KindNeighbor:
		return fmt.Sprintf("neighbor %v on %s", k.Prefix.Addr(), k.Name)
	}
	return k.Kind.String() + " " + k.Name
}

// Object is something that can be in force in the data plane. The set is
// closed: Sysctl, Policy, SA, Link, Tunnel, MSSClamp, Multicast, Hairpin, PeerUse, Addr, Route,
// Neighbor, MulticastPeer, Shaper, Unmatched, ESPinUDP. Objects are values; once handed over
// they are not changed.
type Object interface {
	Key() Key
	// Equal reports whether other asks for the same under the same key.
	Equal(other Object) bool
	object()
}

// Admin is the administrative state that is wanted of a device.
type Admin uint8

// The administrative states.
const (
	AdminKeep Admin = iota // as it is; a device that we create starts down
	AdminUp
	AdminDown
)

// Attrs are the attributes that any device has.
type Attrs struct {
	Admin Admin
	// MTU in bytes of IP packet; 0 leaves the kernel's choice (and for
	// LinkExisting brings back the value from before).
	MTU int
	// Master is the kernel name of the VRF device to which the device belongs;
	// "" takes it out of a VRF, but not out of a master of another kind.
	Master string
}

// LinkType tells which kind of device a Link is.
type LinkType uint8

// The types of links.
const (
	LinkExisting LinkType = iota // somebody else's device: it is neither created nor removed
	LinkDummy                    // a loopback of the configuration
	LinkVRF                      // a VRF, with its Table
)

// Link is a device that is not a tunnel.
type Link struct {
	Name  string // kernel name, at most 15 bytes
	Type  LinkType
	Table uint32 // of a VRF
	Attrs
}

// Key implements Object.
func (l Link) Key() Key { return Key{Kind: KindLink, Name: l.Name} }

// Equal implements Object.
func (l Link) Equal(other Object) bool { o, ok := other.(Link); return ok && l == o }

// Tunnel is a GRE tunnel (RFC 2784, RFC 2890), over IPv4 or, if its addresses are of
// IPv6, over IPv6 (RFC 7676): point-to-point, or multipoint if it has no Remote.
//
// A change keeps the device, its index, its state and its addresses, but for
// what the kernel cannot change: between point-to-point and multipoint the
// device is made anew, and its addresses are put back; so between IPv4 and IPv6.
type Tunnel struct {
	Name   string     // kernel name, at most 15 bytes
	Local  netip.Addr // outer source; the zero Addr lets the kernel choose (point-to-point only)
	Remote netip.Addr // outer destination; the zero Addr for multipoint
	HasKey bool
	GREKey uint32 // RFC 2890 key in both directions, if HasKey
	TTL    uint8  // of the outer packet; 0 copies the inner one
	TOS    uint8  // of the outer packet; 1 copies the inner one
	// PathMTUDiscovery sets don't-fragment on the outer packet. Over IPv6 it means
	// nothing: no router fragments.
	PathMTUDiscovery bool
	// Underlay is the kernel name of the VRF device or interface to which the
	// outer packets are bound; "" for the table in which the device is.
	Underlay string
	// Resolve has the kernel ask us, by NeighborMiss, for neighbours that it
	// does not know (multipoint only). Without it unknown neighbours fail.
	Resolve bool
	// Outdated is set by Dump where a multipoint tunnel over IPv6 does not send as Put
	// would have it: by the work of another version, or not at all.
	Outdated bool
	// Dormant has the device say that it waits for something (RFC 2863 section
	// 3.1.14): it sends and receives, but is not Running, and has no routes that
	// follow from its addresses: of addresses that come later, after another Put.
	Dormant bool
	// Guarded has Put fail with ErrNoGuard, and the device down, where the Guard of
	// Local is not in force. Dump says whether it is; a tunnel that need not be may be.
	Guarded bool
	Attrs
}

// IPv6 reports whether the tunnel's transport is IPv6.
func (t Tunnel) IPv6() bool { return t.Local.Is6() || t.Remote.Is6() }

// Check returns an error that wraps ErrInvalid or ErrUnsupported if there can be no
// such tunnel.
func (t Tunnel) Check() error {
	switch {
	case t.Outdated, t.Local.IsValid() && t.Remote.IsValid() && t.Local.BitLen() != t.Remote.BitLen():
		return fmt.Errorf("tunnel %s: %w", t.Name, ErrInvalid)
	case t.Guarded && !t.Local.IsValid():
		return fmt.Errorf("tunnel %s: a guard needs a source: %w", t.Name, ErrInvalid)
	case t.Multipoint() && (!t.Local.IsValid() || t.Local.IsUnspecified()):
		return fmt.Errorf("tunnel %s: a multipoint tunnel needs a source: %w", t.Name, ErrInvalid)
	case t.Multipoint() && t.IPv6() && t.Underlay != "":
		return fmt.Errorf("tunnel %s: a multipoint tunnel over IPv6 cannot be bound to %s: %w", t.Name, t.Underlay, ErrUnsupported)
	case t.Multipoint() && t.IPv6() && t.TOS == 1:
		return fmt.Errorf("tunnel %s: a multipoint tunnel over IPv6 cannot copy the type of service: %w", t.Name, ErrUnsupported)
	}
	return nil
}

// Multipoint reports whether the tunnel is an mGRE one.
func (t Tunnel) Multipoint() bool { return !t.Remote.IsValid() || t.Remote.IsUnspecified() }

// Key implements Object.
func (t Tunnel) Key() Key { return Key{Kind: KindTunnel, Name: t.Name} }

// Equal implements Object.
func (t Tunnel) Equal(other Object) bool { o, ok := other.(Tunnel); return ok && t == o }

// MSSClamp lowers the maximum segment size that TCP peers announce over IPv4
// (RFC 9293 section 3.2) in what passes a device, in both directions.
type MSSClamp struct {
	Device string
	// MSS is the most that is let through, in bytes of TCP payload; what
	// announces less stays. Dump gives 0 where the clamp is incomplete.
	MSS uint16
}

// Key implements Object.
func (c MSSClamp) Key() Key { return Key{Kind: KindMSSClamp, Name: c.Device} }

// Equal implements Object.
func (c MSSClamp) Equal(other Object) bool { o, ok := other.(MSSClamp); return ok && c == o }

// Multicast replaces every packet that a multipoint tunnel sends to many (to a
// multicast group, to 255.255.255.255, to the broadcast address of its subnet; of
// IPv6 to a group) by one copy for each MulticastPeer of the tunnel, with the
// peer as its outer destination. Without peers such packets are dropped.
type Multicast struct {
	Device string
	// Outdated is set by Dump where what is in force is not what Put would make:
	// the work of another version, or half of it.
	Outdated bool
}

// Key implements Object.
func (m Multicast) Key() Key { return Key{Kind: KindMulticast, Name: m.Device} }

// Equal implements Object.
func (m Multicast) Equal(other Object) bool { o, ok := other.(Multicast); return ok && m == o }

// MulticastPeer is an NBMA address that gets a copy of what a multipoint tunnel
// with Multicast sends to many. It is refused where there is no Multicast, and
// goes with it.
type MulticastPeer struct {
	Device string
	NBMA   netip.Addr
}

// Key implements Object.
func (p MulticastPeer) Key() Key {
	return Key{Kind: KindMulticastPeer, Name: p.Device, Prefix: netip.PrefixFrom(p.NBMA, p.NBMA.BitLen())}
}

// Equal implements Object.
func (p MulticastPeer) Equal(other Object) bool { o, ok := other.(MulticastPeer); return ok && p == o }

// Check returns an error that wraps ErrInvalid if no packet could be sent to the
// peer.
func (p MulticastPeer) Check() error {
	switch a := p.NBMA; {
	case !station(a):
		return fmt.Errorf("multicast peer %v on %s: %w", a, p.Device, ErrInvalid)
	}
	return nil
}

// station reports whether an NBMA address can be that of one station.
func station(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// Shaper holds what a multipoint tunnel sends to an NBMA address down to a rate, be it
// sent to it alone or a copy of what is for many. What is too much waits, and is
// dropped when too much waits. What the tunnel sends to others is not held down.
type Shaper struct {
	Device string
	NBMA   netip.Addr
	Rate   uint64 // bits in a second, of packets with their outer headers
	Burst  uint32 // bytes that may be sent at once after a pause; 0 is DefaultBurst(Rate)
	// Count is set by Dump. Equal ignores it.
	Count ShaperCount
}

// ShaperCount is what a shaper did since it is in force.
type ShaperCount struct {
	Packets, Bytes uint64 // sent
	Drops          uint64 // packets that found the queue full
	Queued         uint64 // packets that wait now
	Overlimits     uint64 // times that a packet had to wait
}

// FallbackGRE is the kernel name of the device that gets the GRE packets that are for
// no tunnel, if it is up.
const FallbackGRE = "gre0"

// Unmatched has it told, by UnmatchedFound, which GRE packets over IPv4 come for no
// tunnel. They go no further. It is refused where somebody else uses the device.
type Unmatched struct {
	Device string // FallbackGRE
	// Outdated is set by Dump where what is in force is not what Put would make: of
	// another life, whose counters nobody reads, or half of it.
	Outdated bool
}

// Key implements Object.
func (u Unmatched) Key() Key { return Key{Kind: KindUnmatched, Name: u.Device} }

// Equal implements Object.
func (u Unmatched) Equal(other Object) bool { o, ok := other.(Unmatched); return ok && u == o }

// burstFloor is the least DefaultBurst, in bytes: two packets of full size.
const burstFloor = 3000

// DefaultBurst is what is sent at the rate within 10 ms, in bytes: enough for kernels
// whose clocks tick that slowly.
func DefaultBurst(rate uint64) uint32 {
	return uint32(min(max(rate/8/100, burstFloor), 1<<31))
}

// Key implements Object.
func (s Shaper) Key() Key {
	k := Key{Kind: KindShaper, Name: s.Device}
	if s.NBMA.IsValid() {
		k.Prefix = netip.PrefixFrom(s.NBMA, s.NBMA.BitLen())
	}
	return k
}

// Equal implements Object.
func (s Shaper) Equal(other Object) bool {
	o, ok := other.(Shaper)
	return ok && s.Device == o.Device && s.NBMA == o.NBMA && s.Rate/8 == o.Rate/8 && sameBurst(s.burst(), o.burst(), s.Rate)
}

// sameBurst allows for bursts being kept as the time that they take, in units of 64 ns.
func sameBurst(a, b uint32, rate uint64) bool {
	return uint64(max(a, b)-min(a, b)) <= rate/8/(1e9/64)
}

func (s Shaper) burst() uint32 {
	if s.Burst == 0 {
		return DefaultBurst(s.Rate)
	}
	return s.Burst
}

// Normal returns the shaper with the burst that it has.
func (s Shaper) Normal() Shaper { s.Burst = s.burst(); return s }

// Check returns an error that wraps ErrInvalid or ErrUnsupported if no such shaper can
// be.
func (s Shaper) Check() error {
	switch {
	case !station(s.NBMA), s.Rate < 8:
		return fmt.Errorf("shaper of %d bit/s for %v on %s: %w", s.Rate, s.NBMA, s.Device, ErrInvalid)
	case !s.NBMA.Is4():
		return fmt.Errorf("shaper for %v on %s: IPv6 transport: %w", s.NBMA, s.Device, ErrUnsupported)
	}
	return nil
}

// Hairpin has packets told of, by HairpinFound, that leave by a device and came in
// by it or by another with a Hairpin of the same group: of IPv4 and IPv6, between
// stations, and few of each pair of source and destination. The packets go their
// way.
type Hairpin struct {
	Device string
	// Group is the same for devices that lead into one network; 0 is a network of
	// the device's own.
	Group uint32
	// Outdated is set by Dump where what is in force is not what Put would make:
	// of another life, whose samples nobody reads, or half of it.
	Outdated bool
}

// Key implements Object.
func (h Hairpin) Key() Key { return Key{Kind: KindHairpin, Name: h.Device} }

// Equal implements Object.
func (h Hairpin) Equal(other Object) bool { o, ok := other.(Hairpin); return ok && h == o }

// PeerUse has it told, by PeersUsed, to which NBMA addresses data packets leave by a
// multipoint tunnel: all but those of NHRP and those for many. The packets go their
// way.
type PeerUse struct {
	Device string
	// Outdated is set by Dump where what is in force is of another life, whose
	// notes nobody reads.
	Outdated bool
}

// Key implements Object.
func (u PeerUse) Key() Key { return Key{Kind: KindPeerUse, Name: u.Device} }

// Equal implements Object.
func (u PeerUse) Equal(other Object) bool { o, ok := other.(PeerUse); return ok && u == o }

// Addr is an address of a device.
type Addr struct {
	Device string
	Prefix netip.Prefix // address and length, not masked
	// Peer is the far side of a point-to-point address, with the length of the
	// subnet; Prefix is then a single address. Zero otherwise.
	Peer netip.Prefix
	// Foreign is set by Dump for an address that is not ours. Equal ignores it.
	Foreign bool
}

// Key implements Object.
func (a Addr) Key() Key { return Key{Kind: KindAddr, Name: a.Device, Prefix: a.Prefix} }

// Equal implements Object.
func (a Addr) Equal(other Object) bool {
	o, ok := other.(Addr)
	return ok && a.Device == o.Device && a.Prefix == o.Prefix && a.Peer == o.Peer
}

// MetricDefault is the metric (kernel priority) with which zebra installs
// routes, so that they neither clash with nor hide the kernel's own.
const MetricDefault = 20

// TableMain is the routing table of the default VRF.
const TableMain = 254

// Route is a route as the kernel forwards by it.
type Route struct {
	Table     uint32
	Prefix    netip.Prefix // masked
	Metric    uint32       // kernel priority; not 0 for IPv6
	Protocol  uint8        // owner: rib.Protocol.KernelNumber
	Blackhole bool         // drop silently; excludes NextHops
	Source    netip.Addr   // preferred source of own packets; the zero Addr if none
	NextHops  []NextHop    // at least one unless Blackhole; order as in the kernel
}

// NextHop is one way out of a Route.
type NextHop struct {
	Device  string
	Gateway netip.Addr // the zero Addr if directly connected; IPv6 is allowed for IPv4 routes
	OnLink  bool       // Gateway is on the device's link, whatever its addresses say
	Weight  uint16     // share, 1 … 256; 0 is 1
}

// Key implements Object.
func (r Route) Key() Key {
	return Key{Kind: KindRoute, Table: r.Table, Prefix: r.Prefix, Metric: r.Metric}
}

// Equal implements Object.
func (r Route) Equal(other Object) bool {
	o, ok := other.(Route)
	return ok && r.Table == o.Table && r.Prefix == o.Prefix && r.Metric == o.Metric &&
		r.Protocol == o.Protocol && r.Blackhole == o.Blackhole && r.Source == o.Source &&
		slices.EqualFunc(r.NextHops, o.NextHops, sameNextHop)
}

func sameNextHop(a, b NextHop) bool {
	a.Weight, b.Weight = max(a.Weight, 1), max(b.Weight, 1)
	return a == b
}

// Uses reports whether the route needs the device.
func (r Route) Uses(device string) bool {
	return slices.ContainsFunc(r.NextHops, func(n NextHop) bool { return n.Device == device })
}

// Neighbor is a permanent neighbour entry of a multipoint tunnel.
type Neighbor struct {
	Device string
	Addr   netip.Addr // protocol address
	NBMA   netip.Addr // link-layer address: where the outer packets go
}

// Key implements Object.
func (n Neighbor) Key() Key {
	return Key{Kind: KindNeighbor, Name: n.Device, Prefix: netip.PrefixFrom(n.Addr, n.Addr.BitLen())}
}

// Equal implements Object.
func (n Neighbor) Equal(other Object) bool { o, ok := other.(Neighbor); return ok && n == o }

// Sysctl is a switch of the network stack. The value that was there before is
// put back when the object is deleted.
type Sysctl struct {
	Path  string // below /proc/sys/net, with slashes: "ipv4/conf/Tunnel0/rp_filter"
	Value string
}

// Key implements Object.
func (s Sysctl) Key() Key { return Key{Kind: KindSysctl, Name: s.Path} }

// Equal implements Object.
func (s Sysctl) Equal(other Object) bool { o, ok := other.(Sysctl); return ok && s == o }

func (Link) object()          {}
func (Tunnel) object()        {}
func (MSSClamp) object()      {}
func (Multicast) object()     {}
func (Hairpin) object()       {}
func (PeerUse) object()       {}
func (MulticastPeer) object() {}
func (Shaper) object()        {}
func (Unmatched) object()     {}
func (Addr) object()          {}
func (Route) object()         {}
func (Neighbor) object()      {}
func (Sysctl) object()        {}
