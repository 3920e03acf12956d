package core

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// pickResolved chooses among the addresses of the name: a server that answers
// keeps its address as long as that is among them, one that does not gets the
// next.
func (s *server) pickResolved() {
	at := slices.Index(s.resolved, s.nbma)
	switch {
	case len(s.resolved) == 0:
		s.nbma = netip.Addr{}
	case at < 0:
		s.nbma = s.resolved[0]
	case s.rotate:
		s.nbma = s.resolved[(at+1)%len(s.resolved)]
	}
	s.rotate = false
}

// resolve asks for the address of a server's name, and again after a while if
// the answer does not come or does not help.
func (c *Core) resolve(now clock.Instant, s *server) {
	i := s.iface
	s.resolveWait = min(max(2*s.resolveWait, firstResolve), lastResolve)
	c.timers.Set(timerKey{kind: timerResolve, server: s}, now.Add(s.resolveWait))
	c.emit(ResolveName{Name: s.cfg.Name, VRF: i.link.Tunnel.VRF, IPv6: i.link.Tunnel.IPv6Transport})
}

// resolveDue serves timerResolve: no useful answer came so far.
func (c *Core) resolveDue(now clock.Instant, s *server) {
	if s.state == NHSResponding {
		s.resolveWait = 0
		return
	}
	c.resolve(now, s)
}

// nameResolved takes the addresses of a name.
func (c *Core) nameResolved(now clock.Instant, in NameResolved) {
	for _, i := range c.order {
		touched := false
		for _, s := range i.servers {
			if s.cfg.Name == "" || s.cfg.Name != in.Name {
				continue
			}
			addrs := usable(in.Addrs, i.linked && i.link.Tunnel.IPv6Transport)
			if len(addrs) == 0 {
				text := "Cannot resolve " + in.Name
				if in.Error != "" {
					text += ": " + in.Error
				}
				s.trouble.note(now, text)
				continue // asked again when timerResolve comes
			}
			c.timers.Clear(timerKey{kind: timerResolve, server: s})
			s.resolved, s.resolveWait = addrs, 0
			s.rotate = s.state == NHSDown
			touched = true
		}
		if touched {
			c.syncServers(now, i, false)
		}
	}
}

// usable returns the addresses of the transport's family.
func usable(addrs []netip.Addr, v6 bool) []netip.Addr {
	var out []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); a.IsValid() && a.Is6() == v6 {
			out = append(out, a)
		}
	}
	return out
}
