package core

import "github.com/godmvpn/godmvpn/lib/rib"

// placeLine brings what is stated of the line protocol of a tunnel in line with its
// servers: under `if-state nhrp` it is down as long as none responds, of either
// family. It does not go down while another server is asked in the place of one that
// failed. A daemon that was restarted over what its former life left says nothing
// until a server has answered or all have failed: what the former life said stands.
func (c *Core) placeLine(name string) {
	control, up, asked, failed := false, false, false, false
	for _, family := range [...]rib.Family{rib.IPv4, rib.IPv6} {
		i := c.ifaces[ifaceKey{name, family}]
		if i == nil {
			continue
		}
		control = control || i.cfg.IfState
		for _, s := range i.servers {
			up = up || s.state == NHSResponding
			asked = asked || s.state == NHSExpecting
			failed = failed || s.state == NHSDown
		}
	}
	was, stated := c.lines[name]
	switch {
	case !control:
		if stated {
			delete(c.lines, name)
			c.emit(DelLineProtocol{rib.LineProtocol{Interface: name}.Key()})
		}
	case !stated && !up && !c.replay.ended && (asked || !failed): // not decided yet
	case stated && was && !up && asked:
	case !stated || was != up:
		c.lines[name] = up
		c.emit(PutLineProtocol{rib.LineProtocol{Interface: name, Down: !up}})
	}
}

// placeLines does so for all tunnels.
func (c *Core) placeLines() {
	for _, i := range c.order {
		c.placeLine(i.key.name)
	}
}
