package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/protection"
)

// aliased reports whether an NBMA address is an alias of a protected tunnel: packets come
// from it and go to it in this router, and nobody else can do anything with it.
func (i *iface) aliased(nbma netip.Addr) bool { return i.protected() && protection.IsAlias(nbma) }

// seenAt returns the address by which others see a station: of an alias what ipsecd says,
// the zero Addr if it does not.
func (i *iface) seenAt(nbma netip.Addr) netip.Addr {
	if !i.aliased(nbma) {
		return nbma
	}
	if p := i.peers[nbma]; p != nil {
		return p.said.Outer
	}
	return netip.Addr{}
}

// hasAliases reports whether something rests on a station with an alias.
func (i *iface) hasAliases() bool {
	// unordered: any will do
	for nbma, p := range i.peers {
		if i.aliased(nbma) && len(p.entries) > 0 {
			return true
		}
	}
	return false
}

// behindAlias reports whether a route leads to a station with an alias.
func (c *Core) behindAlias(r *route, like *iface) bool {
	out, hop, ok := c.overTunnel(r, like)
	return ok && out.aliased(out.stationNBMA(hop))
}
