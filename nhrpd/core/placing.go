package core

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// syncServers brings the servers of an instance in line with configuration and
// tunnel. again makes all of them register at once.
func (c *Core) syncServers(now clock.Instant, i *iface, again bool) {
	want := make(map[nhsKey]NHSConfig, len(i.cfg.NHSs))
	for _, n := range i.cfg.NHSs {
		if _, twice := want[n.key()]; !twice && n.fits(i.key.family) {
			want[n.key()] = n
		}
	}
	for _, s := range slices.Clone(i.servers) {
		if _, ok := want[s.cfg.key()]; !ok {
			c.removeServer(now, s)
		}
	}
	for _, n := range i.cfg.NHSs {
		if want[n.key()] == n {
			c.setServer(now, i, n)
		}
	}
	fresh := make([]bool, len(i.servers))
	for k, s := range i.servers {
		fresh[k] = c.placeServer(now, s)
	}
	c.syncStatic(now, i)
	for k, s := range i.servers {
		switch {
		case !i.ready:
			c.stopServer(now, s, "Interface Down")
		case !s.nbma.IsValid():
			c.stopServer(now, s, "NBMA Address Unknown")
		case i.own(s.addr):
			c.stopServer(now, s, "Own Address") // a hub may share the lines of its spokes
		case s.state == NHSWaiting:
			c.setServerState(now, s, NHSStandby, "") // for elect
		case s.state == NHSStandby:
		case fresh[k] && s.state == NHSResponding:
			c.setServerState(now, s, NHSExpecting, "NBMA Address Changed")
			c.register(now, s)
		case again || fresh[k]:
			c.register(now, s)
		}
	}
	c.serversChanged(now, i)
}

// nhsKey tells the servers of an instance apart: by protocol address, or by what is
// known instead where that is to be learnt.
type nhsKey struct {
	addr, nbma netip.Addr
	name       string
}

func (n NHSConfig) key() nhsKey {
	if n.Dynamic {
		return nhsKey{nbma: n.NBMA, name: n.Name}
	}
	return nhsKey{addr: n.Addr}
}

func (k nhsKey) compare(o nhsKey) int {
	return cmp.Or(k.addr.Compare(o.addr), k.nbma.Compare(o.nbma), cmp.Compare(k.name, o.name))
}

// fits reports whether a server can be one for a family of protocol addresses.
func (n NHSConfig) fits(family rib.Family) bool {
	if n.Dynamic {
		return n.NBMA.IsValid() || n.Name != ""
	}
	return n.Addr.IsValid() && rib.FamilyOf(n.Addr) == family
}

// setServer adds a server, or changes how it is configured.
func (c *Core) setServer(now clock.Instant, i *iface, n NHSConfig) {
	at, ok := slices.BinarySearchFunc(i.servers, n.key(), func(s *server, k nhsKey) int { return s.cfg.key().compare(k) })
	if !ok {
		s := &server{iface: i, cfg: n, addr: n.Addr, state: NHSWaiting, since: now}
		i.servers = slices.Insert(i.servers, at, s)
		return
	}
	s := i.servers[at]
	if s.cfg.Name != n.Name {
		s.resolved, s.resolveWait = nil, 0
		c.timers.Clear(timerKey{kind: timerResolve, server: s})
	}
	s.cfg = n
}

// placeServer finds out the NBMA address of a server, and reports whether it
// changed: the one that the tunnel leads to, the configured one, the one that
// its name stands for, or that of the map that covers its address.
func (c *Core) placeServer(now clock.Instant, s *server) (changed bool) {
	i := s.iface
	was := s.nbma
	switch {
	case i.linked && !i.multipoint && i.dest.IsValid():
		s.nbma = i.dest
	case s.cfg.NBMA.IsValid():
		s.nbma = s.cfg.NBMA
	case s.cfg.Name != "":
		s.pickResolved()
		if i.ready && !s.nbma.IsValid() && s.resolveWait == 0 {
			c.resolve(now, s)
		}
	default:
		s.nbma = mapped(i.cfg.Maps, s.addr)
	}
	if !i.carries(s.nbma) {
		s.nbma = netip.Addr{}
	}
	s.served = s.served && s.nbma == was
	if s.nbma != was && s.cfg.Dynamic {
		c.touchStation(i, s.addr)
		s.addr = netip.Addr{} // who is there may be somebody else
	}
	return s.nbma != was
}

// mapped returns the NBMA address of the longest map that covers a.
func mapped(maps []StaticMap, a netip.Addr) (nbma netip.Addr) {
	best := -1
	for _, m := range maps {
		if m.Prefix.Bits() > best && m.Prefix.Contains(a) {
			best, nbma = m.Prefix.Bits(), m.NBMA
		}
	}
	return nbma
}

// removeServer takes the registration back and forgets the server.
func (c *Core) removeServer(now clock.Instant, s *server) {
	c.deregister(now, s)
	c.usePeer(s.iface, &s.rests, netip.Addr{})
	c.touchStation(s.iface, s.addr)
	c.timers.Clear(timerKey{kind: timerSend, server: s})
	c.timers.Clear(timerKey{kind: timerResolve, server: s})
	c.timers.Clear(timerKey{kind: timerFallback, server: s})
	s.state = NHSWaiting // for those who still refer to it
	s.iface.servers = slices.DeleteFunc(s.iface.servers, func(o *server) bool { return o == s })
}
