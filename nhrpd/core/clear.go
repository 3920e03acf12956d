package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// clear implements `clear ip nhrp` and `clear dmvpn`.
func (c *Core) clear(now clock.Instant, in Clear) {
	for _, i := range c.order {
		if !i.key.matches(in.Interface, in.Family) || in.VRF != "" && in.VRF != i.link.VRF {
			continue
		}
		if in.Counters {
			i.counters = Counters{}
			for _, s := range i.servers {
				s.sent, s.failed, s.received = 0, 0, 0
			}
		}
		if in.Entries || in.Sessions {
			for _, e := range i.cache.sorted() {
				if in.picks(e) && i.cache.get(e.target) == e {
					c.removeEntry(now, e, TraceEntryDeleted, "Cleared")
				}
			}
		}
		if in.Sessions {
			c.clearServers(now, i, in)
		}
	}
	if in.Counters && in.Interface == "" && in.VRF == "" {
		c.other = Counters{}
	}
}

// picks reports whether a Clear of entries or sessions is about an entry. Static
// ones stay.
func (in Clear) picks(e *entry) bool {
	switch {
	case e.kind == EntryStatic,
		in.Target.IsValid() && e.target != in.Target.Masked(),
		in.Shortcuts && e.flags&(FlagRIB|FlagNHO) == 0,
		in.Sessions && e.kind == EntryLocal:
		return false
	}
	return in.peer(e.nextHop, e.nbma) || in.Tunnel.IsValid() && e.target == hostPrefix(in.Tunnel)
}

// peer reports whether a Clear is about a station, given by its protocol and NBMA
// address.
func (in Clear) peer(tunnel, nbma netip.Addr) bool {
	return (!in.Tunnel.IsValid() || in.Tunnel == tunnel) && (!in.NBMA.IsValid() || in.NBMA == nbma)
}

// clearServers registers anew with the servers that a Clear of sessions is about:
// with all if static sessions are, otherwise with the peer that it names.
func (c *Core) clearServers(now clock.Instant, i *iface, in Clear) {
	if !in.Static && !in.Tunnel.IsValid() && !in.NBMA.IsValid() {
		return
	}
	asked := false
	for _, s := range i.servers {
		if s.state == NHSWaiting || s.state == NHSStandby || !in.peer(s.addr, s.nbma) {
			continue
		}
		c.setServerState(now, s, NHSExpecting, "Cleared")
		c.register(now, s)
		asked = true
	}
	if asked {
		c.serversChanged(now, i)
	}
}
