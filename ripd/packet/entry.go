package packet

import (
	"math/bits"
	"net/netip"
)

// Entry is a route entry (RTE) as it is on the wire (RFC 2453 section 4):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Address Family Identifier (2) |        Route Tag (2)          |
//	+-------------------------------+-------------------------------+
//	|                         IP Address (4)                        |
//	+---------------------------------------------------------------+
//	|                         Subnet Mask (4)                       |
//	+---------------------------------------------------------------+
//	|                         Next Hop (4)                          |
//	+---------------------------------------------------------------+
//	|                         Metric (4)                            |
//	+---------------------------------------------------------------+
//
// In version 1 tag, mask and next hop must be zero. Of an entry of an unknown
// family nothing but Family has a meaning.
type Entry struct {
	Family uint16
	// Tag is to be kept and passed on with the route (RFC 2453 section 4.2).
	Tag uint16
	// Addr is the destination, 0.0.0.0 for the default route. Append takes the
	// zero Addr for 0.0.0.0.
	Addr netip.Addr
	// Mask is the subnet mask, 0 if none is included; see Prefix.
	Mask uint32
	// NextHop is where to forward to; 0.0.0.0 is the sender of the message.
	// It is advice: one that is not directly reachable counts as 0.0.0.0 (RFC
	// 2453 section 4.4). Append takes the zero Addr for 0.0.0.0.
	NextHop netip.Addr
	// Metric is 1 to Infinity in an entry that passes Check.
	Metric uint32
}

// Route returns an entry of version 2 for a route to p, an IPv4 prefix. The zero
// Addr as next hop stands for the sender.
func Route(p netip.Prefix, tag uint16, nextHop netip.Addr, metric uint32) Entry {
	e := RouteV1(p, metric)
	e.Tag, e.Mask = tag, mask(p.Bits())
	if nextHop.IsValid() {
		e.NextHop = nextHop
	}
	return e
}

// RouteV1 returns an entry of version 1 for a route to p, whose length the
// receiver has to infer as Prefix does.
func RouteV1(p netip.Prefix, metric uint32) Entry {
	return Entry{
		Family: FamilyIP, Addr: p.Masked().Addr(),
		NextHop: netip.IPv4Unspecified(), Metric: metric,
	}
}

// mask returns the subnet mask with n ones.
func mask(n int) uint32 { return ^uint32(0) << (32 - n) }

// maskBits returns the number of ones of a mask. It reports false if they are
// not all at the front.
func maskBits(m uint32) (int, bool) {
	n := bits.LeadingZeros32(^m)
	return n, m == mask(n)
}

// Check applies the tests that an entry of a Response has to pass (RFC 2453
// section 3.9.2): it returns 0, or why this entry is to be ignored. The others
// of the message remain good.
func (e *Entry) Check() Reason {
	n, contiguous := maskBits(e.Mask)
	switch {
	case e.Family != FamilyIP:
		return ReasonFamily
	case e.Metric < 1 || e.Metric > Infinity:
		return ReasonMetric
	case !contiguous:
		return ReasonMask
	case !validDestination(e.Addr, n):
		return ReasonAddress
	}
	return 0
}

// validDestination reports whether a may be the destination of a route: unicast,
// not on net 0 or 127. Prefixes shorter than /8 at 0.0.0.0 are not net 0; the
// default route is one of them.
func validDestination(a netip.Addr, n int) bool {
	if !a.Is4() {
		return false
	}
	first := a.As4()[0]
	if first == 0 {
		return n < 8 && a == netip.IPv4Unspecified()
	}
	return first != 127 && first < 224
}

// Prefix returns the destination of e, heard on an interface with address and
// length iface; the zero Prefix is an interface without an address. Host bits
// beyond the mask are cleared. It reports false if the mask has gaps or the
// address is not IPv4.
//
// Where no mask is included, as always in version 1, RFC 2453 section 3.7
// leaves to find it: 0.0.0.0 is the default route. In the network of the
// interface its mask applies, elsewhere that of the address class; an address
// with a node part under this mask is a host.
func (e *Entry) Prefix(iface netip.Prefix) (netip.Prefix, bool) {
	n, contiguous := maskBits(e.Mask)
	if !contiguous || !e.Addr.Is4() {
		return netip.Prefix{}, false
	}
	if e.Mask == 0 && e.Addr != netip.IPv4Unspecified() {
		n = inferBits(e.Addr, iface)
	}
	return netip.PrefixFrom(e.Addr, n).Masked(), true
}

// inferBits returns the prefix length of an address that came without a mask.
func inferBits(a netip.Addr, iface netip.Prefix) int {
	n := NaturalBits(a)
	if iface.Addr().Is4() && iface.Bits() >= n && netip.PrefixFrom(a, n).Contains(iface.Addr()) {
		n = iface.Bits()
	}
	p := netip.PrefixFrom(a, n)
	if p.Masked() != p {
		return a.BitLen()
	}
	return n
}

// NaturalBits returns the prefix length of the class of an IPv4 address: 8, 16
// or 24 for A, B and C, 32 for all others. 0.0.0.0, the default route, has 0.
func NaturalBits(a netip.Addr) int {
	first := a.As4()[0]
	switch {
	case a == netip.IPv4Unspecified():
		return 0
	case first < 128:
		return 8
	case first < 192:
		return 16
	case first < 224:
		return 24
	}
	return 32
}
