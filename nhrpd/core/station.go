package core

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
)

// lostFor is how long it is told that a station is lost: routing protocols hear of it by
// then, and who begins to watch later has no use for it.
const lostFor = time.Minute

// station is a client or server that routing protocols are told of.
type station struct {
	key   tunnelpeer.Peer
	state tunnelpeer.State // as stated
}

// touchStation has the present step decide what is told of a station.
func (c *Core) touchStation(i *iface, addr netip.Addr) {
	if addr.IsValid() {
		c.stationsTouched[tunnelpeer.Peer{Tunnel: i.key.name, Addr: addr}] = true
	}
}

// touchServers does so for the servers of an instance.
func (c *Core) touchServers(i *iface) {
	for _, s := range i.servers {
		c.touchStation(i, s.addr)
	}
}

// settleStations ends a step: it states what became of the stations that it touched.
func (c *Core) settleStations(now clock.Instant) {
	if len(c.stationsTouched) == 0 {
		return
	}
	all := make([]tunnelpeer.Peer, 0, len(c.stationsTouched))
	for k := range c.stationsTouched {
		all = append(all, k)
	}
	clear(c.stationsTouched)
	slices.SortFunc(all, func(a, b tunnelpeer.Peer) int { return cmp.Or(cmp.Compare(a.Tunnel, b.Tunnel), a.Addr.Compare(b.Addr)) })
	for _, k := range all {
		c.settleStation(now, k)
	}
}

func (c *Core) settleStation(now clock.Instant, k tunnelpeer.Peer) {
	s := c.stations[k]
	is, known := c.stationState(k)
	switch {
	case s == nil && !is.Up():
		return
	case s == nil:
		s = &station{key: k}
		c.stations[k] = s
	case !known:
		c.dropStation(s)
		return
	case !is.Up() && s.state == tunnelpeer.Lost:
		return
	case !is.Up():
		is = tunnelpeer.Lost
		c.timers.Set(timerKey{kind: timerLost, station: s}, now.Add(lostFor))
	}
	if is.Up() {
		c.timers.Clear(timerKey{kind: timerLost, station: s})
	}
	if is != s.state {
		s.state = is
		c.emit(PutTunnelPeer{Peer: k, State: is})
	}
}

// stationState returns what a station is, 0 if it is neither a server nor a client to
// which packets pass; known is false where there is no NHRP that could tell.
func (c *Core) stationState(k tunnelpeer.Peer) (is tunnelpeer.State, known bool) {
	i := c.ifaces[ifaceKey{k.Tunnel, rib.FamilyOf(k.Addr)}]
	if i == nil || !i.linked {
		return 0, false
	}
	for _, s := range i.servers {
		if s.addr == k.Addr && s.hears() && i.station(s.nbma) {
			return tunnelpeer.Server, true
		}
	}
	if e := i.cache.get(hostPrefix(k.Addr)); e != nil && e.flags&FlagRegistered != 0 && i.station(e.nbma) && i.passes(e.nbma) {
		return tunnelpeer.Client, true
	}
	return 0, true
}

// dropStation has no more told of a station.
func (c *Core) dropStation(s *station) {
	c.timers.Clear(timerKey{kind: timerLost, station: s})
	delete(c.stations, s.key)
	c.emit(DelTunnelPeer{Peer: s.key})
}
