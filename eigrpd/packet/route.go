package packet

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
)

// AddressFamily is the AFI of a multiprotocol route (RFC 7868 section 6.3). The
// service families are refused.
type AddressFamily uint16

// Address families.
const (
	AFIPv4 AddressFamily = 1
	AFIPv6 AddressFamily = 2
)

// addrLen returns the length of an address in octets, 0 for an unknown family.
func (f AddressFamily) addrLen() int {
	switch f {
	case AFIPv4:
		return 4
	case AFIPv6:
		return 16
	}
	return 0
}

// holds reports whether a is an address of the family.
func (f AddressFamily) holds(a netip.Addr) bool {
	return a.BitLen() == 8*f.addrLen() && a.Zone() == ""
}

// RouteFlags are the flags of a route: those of RFC 7868 section 6.8.1, 8 bits, in
// classic TLVs, the Opaque Flags of section 6.9.2, 16 bits, in wide ones. The bits
// are the same; others survive.
type RouteFlags uint16

// Route flags.
const (
	RouteSourceWithdraw   RouteFlags = 0x01 // the source of the destination withdraws it
	RouteCandidateDefault RouteFlags = 0x02 // candidate for the default route
	RouteActive           RouteFlags = 0x04 // the route is active in the sender
	RouteReplicated       RouteFlags = 0x08 // replicated from another VRF; wide only
)

// Route is one route TLV: destinations that share a metric. Which fields are on the
// wire depends on Type; the others have to be zero. The classic ones of IPv4 (RFC
// 7868 sections 6.8.5.1 and 6.8.5.2; those of IPv6 have a next hop of 16 octets):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      0x01     |   0x02, 0x03  |            Length             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                   Next-Hop Forwarding Address                 |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~             Exterior Section (20), only of 0x03               ~
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          Scaled Delay                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          Scaled Bandwidth                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                   MTU                         | Hop Count     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Reliability   |       Load    | Internal Tag  | Flags Field   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                Destination Section (variable)                 ~
//	+---------------------------------------------------------------+
//
// The multiprotocol ones (sections 6.9.1 and 6.9.2), in the order in which routers
// send and Wireshark reads them; see the comment of the package:
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      0x06     |   0x02, 0x03  |            Length             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|               TID             |             AFI               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Router Identifier (RID)                    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Offset     |   Priority    | Reliability   |        Load   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|               MTU                             |   Hop Count   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                               Delay                           |
//	|                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                               |                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               |
//	|                             Bandwidth                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|               Reserved        |         Opaque Flags          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~               Extended Attributes (variable)                  ~
//	+---------------------------------------------------------------+
//	~            Next-Hop Forwarding Address (4 or 16)              ~
//	+---------------------------------------------------------------+
//	~             Exterior Section (20), only of 0x03               ~
//	+---------------------------------------------------------------+
//	~                Destination Section (variable)                 ~
//	+---------------------------------------------------------------+
type Route struct {
	Type TLVType
	// NextHop is where to forward to. The zero Addr, on the wire an address of
	// zeros, is the sender of the packet.
	NextHop netip.Addr
	Flags   RouteFlags
	// External is the Exterior Section, only of external routes.
	External External

	Classic     metric.Classic // classic TLVs only
	InternalTag uint8          // classic TLVs only (section 6.8.2)

	// What follows is of wide TLVs only.
	Wide     metric.Wide
	Priority uint8         // 0 is none (section 6.9.2)
	AFI      AddressFamily // family of next hop and destinations
	TID      uint16        // topology; 0 is the base topology
	RouterID RouterID      // of the router that is the source of the route
	Tag      uint32        // administrator's tag, an attribute (section 6.9.3.3); 0 is none
	// Communities is the Community List attribute (section 6.9.3.4), Paths are the
	// AddPath attributes (section 6.9.3.8).
	Communities []Community
	Paths       []Path
	// Attributes are the other extended attributes, byte by byte and in order.
	// Those that are not understood are to be passed along with the route.
	Attributes []Attribute

	// Destinations are the prefixes. Bits beyond the length are zero.
	Destinations []netip.Prefix
}

// family returns the address family of the route's addresses.
func (r *Route) family() AddressFamily {
	switch r.Type {
	case TypeIPv4Internal, TypeIPv4External:
		return AFIPv4
	case TypeIPv6Internal, TypeIPv6External:
		return AFIPv6
	}
	return r.AFI
}

// Unreachable reports whether the route's metric says that its destinations cannot
// be reached.
func (r *Route) Unreachable() bool {
	if r.Type.Wide() {
		return r.Wide.Unreachable()
	}
	return r.Classic.Unreachable()
}

// AdminTag returns the administrator's tag of the route: that of the Exterior
// Section, else that of the attribute.
func (r *Route) AdminTag() uint32 {
	if r.External.Tag != 0 {
		return r.External.Tag
	}
	return r.Tag
}

// ExternalProtocol is where an external route comes from (RFC 7868 section 6.2).
type ExternalProtocol uint8

// External protocols.
const (
	ProtocolIGRP      ExternalProtocol = 1
	ProtocolEIGRP     ExternalProtocol = 2
	ProtocolStatic    ExternalProtocol = 3
	ProtocolRIP       ExternalProtocol = 4
	ProtocolHELLO     ExternalProtocol = 5
	ProtocolOSPF      ExternalProtocol = 6
	ProtocolISIS      ExternalProtocol = 7
	ProtocolEGP       ExternalProtocol = 8
	ProtocolBGP       ExternalProtocol = 9
	ProtocolIDRP      ExternalProtocol = 10
	ProtocolConnected ExternalProtocol = 11
)

// External is the Exterior Section (RFC 7868 sections 6.8.3 and 6.9.4):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Router Identifier (RID)                  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|               External Autonomous System (AS) Number          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Administrative Tag                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    External Protocol Metric                   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Reserved            |Extern Protocol|  Flags Field  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type External struct {
	RouterID RouterID // of the router that redistributed the route
	AS       uint32   // AS or process of the external protocol; of EIGRP VRID and AS
	Tag      uint32   // administrator's tag
	Metric   uint32   // of the external protocol
	Protocol ExternalProtocol
	Flags    uint8 // ExternalRoute, ExternalCandidateDefault; others survive
}

// Flags of the Exterior Section. The RFC refers to those of routes; these are the
// ones that routers send and Wireshark knows.
const (
	ExternalRoute            uint8 = 0x01
	ExternalCandidateDefault uint8 = 0x02
)

// DestinationLen returns how many octets a prefix takes in the Destination Section
// (RFC 7868 section 6.8.4), to fill a TLV up to a size.
func DestinationLen(p netip.Prefix) int { return 1 + prefixOctets(p.Bits(), p.Addr().Is4()) }

// prefixOctets returns the octets of address for a bit count: ((n-1)/8)+1 of IPv4,
// and n/8+1 of IPv6, but 16 for 128. A bit count of 0 has one too; see the comment
// of the package.
func prefixOctets(n int, v4 bool) int {
	switch {
	case v4:
		return max((n+7)/8, 1)
	case n == 128:
		return 16
	}
	return n/8 + 1
}
