package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/ripd/packet"
)

// version1Prefix returns what a version 1 message says of p on an interface with
// that address: p itself, the network of its class, or nothing. Version 1 has no
// masks: a receiver takes a destination in the network of the interface to have
// the interface's mask, or to be a host if it has bits beyond it, and any other
// destination to have the mask of its class (RFC 1058 section 3.2, RFC 2453
// section 3.7). So RFC 2453 section 4.3 forbids to say in it
//
//  1. what is internal to a network in another network: its class is said there,
//  2. a subnet with a longer mask, which would be taken for a host, and
//  3. a supernet.
//
// Nor is a subnet with a shorter mask than the interface said, which would be
// taken for a smaller one. The default route is always understood.
func version1Prefix(iface netip.Prefix, p netip.Prefix) (netip.Prefix, bool) {
	p = p.Masked()
	if p.Addr() == netip.IPv4Unspecified() {
		return p, p.Bits() == 0
	}
	natural := packet.NaturalBits(p.Addr())
	if p.Bits() < natural {
		return netip.Prefix{}, false
	}
	class := netip.PrefixFrom(p.Addr(), natural).Masked()
	if !class.Contains(iface.Addr()) {
		return class, true
	}
	bits := max(iface.Bits(), natural)
	switch {
	case p.Bits() == bits:
		return p, true
	case p.IsSingleIP() && netip.PrefixFrom(p.Addr(), bits).Masked().Addr() != p.Addr():
		return p, true // bits beyond the mask: a host
	}
	return netip.Prefix{}, false
}
