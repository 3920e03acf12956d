package core

import (
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
)

// tunnelPeer takes what is said of a station at another end of a tunnel. It makes no
// neighbours: those say themselves that they are there. One that is lost is reset at once,
// and is told so, in case that it is the way to it only that did not last.
func (c *Core) tunnelPeer(now clock.Instant, in TunnelPeer) {
	was := c.ends[in.Peer]
	if in.State.Up() {
		c.ends[in.Peer] = true
		return
	}
	delete(c.ends, in.Peer)
	if in.State != tunnelpeer.Lost || !was {
		return
	}
	for _, x := range c.order {
		for _, n := range x.sorted() {
			if n.iface.name == in.Peer.Tunnel && n.addr == in.Peer.Addr && !n.remote {
				x.down(now, n, "tunnel peer lost", aloud)
			}
		}
	}
}
