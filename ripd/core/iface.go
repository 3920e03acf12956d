package core

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// iface is an interface that RIP runs on, by configuration. It is active, which
// means that packets are sent and received, while it is up, has an IPv4 address,
// and is no loopback.
type iface struct {
	name     string
	instance *instance
	link     rib.Interface
	cfg      InterfaceConfig
	auth     *authenticator

	active    bool
	passive   bool
	addr      netip.Prefix // the primary IPv4 address with its length
	connected []key        // networks that are announced because of this interface
	summaries []*summary   // while active

	multicast lane          // what goes to the whole network
	unicast   lane          // what goes to single routers
	lastFull  clock.Instant // when the last regular update began; -1: none yet
	going     int           // jobs of regular updates that are under way
	full      bool          // by SendRoom: the lanes stand still

	badAuth, noKey quiet
	triggered      uint64
	counters       Counters
}

// has reports whether a version of a packet is in the set.
func (v Versions) has(version uint8) bool {
	return version == packet.Version1 && v&Version1 != 0 || version >= packet.Version2 && v&Version2 != 0
}

// sends and receives return the versions in use.
func (i *iface) sends() Versions {
	switch {
	case i.cfg.Send != 0:
		return i.cfg.Send
	case i.instance.cfg.Version == packet.Version2:
		return Version2
	}
	return Version1
}

func (i *iface) receives() Versions {
	switch {
	case i.cfg.Receive != 0:
		return i.cfg.Receive
	case i.instance.cfg.Version == packet.Version1:
		return Version1
	case i.instance.cfg.Version == packet.Version2:
		return Version2
	}
	return Version1 | Version2
}

// onSubnet reports whether an address is on a network of the interface.
func (i *iface) onSubnet(a netip.Addr) bool {
	for k := range i.link.Addresses {
		x := &i.link.Addresses[k]
		if x.Prefix.Contains(a) || x.Peer.Contains(a) {
			return true
		}
	}
	return false
}

// reaches reports whether an address can be that of a router on a network of the
// interface: neither the network's own nor its broadcast address.
func (i *iface) reaches(a netip.Addr) bool {
	for k := range i.link.Addresses {
		x := &i.link.Addresses[k]
		switch {
		case x.Peer.Contains(a):
			return true
		case x.Prefix.Contains(a):
			host := ^uint32(0) >> x.Prefix.Bits()
			return x.Prefix.Bits() >= 31 || addr4(a)&host != 0 && addr4(a)&host != host
		}
	}
	return false
}

func (i *iface) hasAddr(a netip.Addr) bool {
	return slices.ContainsFunc(i.link.Addresses, func(x rib.Address) bool { return x.Prefix.Addr() == a })
}

// network returns the network behind an address: that of the far side, on a
// point-to-point link.
func network(a rib.Address) netip.Prefix {
	if a.Peer.IsValid() {
		return a.Peer.Masked()
	}
	return a.Prefix.Masked()
}

// runsOn returns the networks of an interface that are announced, and whether
// RIP runs there at all.
func (in *instance) runsOn(link rib.Interface) (networks []key, runs bool) {
	if link.VRF != in.vrf {
		return nil, false
	}
	named := slices.Contains(in.cfg.NetworkInterfaces, link.Name)
	for _, a := range link.Addresses {
		addr := a.Prefix.Addr()
		if !addr.Is4() || !named && !slices.ContainsFunc(in.cfg.Networks, func(n netip.Prefix) bool { return n.Contains(addr) }) {
			continue
		}
		runs = true
		if announceable(network(a)) {
			networks = append(networks, keyOf(network(a)))
		}
	}
	slices.Sort(networks)
	return slices.Compact(networks), runs || named
}

// announceable reports whether RIP can carry a prefix (RFC 2453 section 3.9.2),
// and whether it has a meaning beyond one link.
func announceable(p netip.Prefix) bool {
	if !p.IsValid() || !p.Addr().Is4() || p.Addr().IsLinkLocalUnicast() {
		return false
	}
	e := packet.Route(p, 0, netip.Addr{}, 1)
	return e.Check() == 0
}

// primary returns the address by which an interface is known.
func primary(link rib.Interface) netip.Prefix {
	var first netip.Prefix
	for _, a := range link.Addresses {
		switch {
		case !a.Prefix.Addr().Is4():
		case !a.Secondary:
			return a.Prefix
		case !first.IsValid():
			first = a.Prefix
		}
	}
	return first
}

// reconcile brings an instance in line with an interface as it is and as it is
// configured.
func (c *Core) reconcile(now clock.Instant, in *instance, name string) {
	link, known := c.links.Get(name)
	var networks []key
	runs := false
	if known {
		networks, runs = in.runsOn(link)
	}
	i := in.ifaces[name]
	switch {
	case !runs && i == nil:
		return
	case !runs:
		c.removeIface(now, i)
		return
	case i == nil:
		i = in.addIface(name)
		c.configureIface(i)
	}
	addr := primary(link)
	active := link.Up && addr.IsValid() && link.Type != rib.TypeLoopback
	if i.active && (!active || addr != i.addr) {
		c.stop(now, i, "interface down")
	}
	i.link, i.addr = link, addr
	i.setPace()
	if !link.Up {
		networks = nil
	}
	c.connect(now, i, networks)
	if active && !i.active {
		c.start(now, i)
	}
	if i.active {
		c.setSummaries(now, i, i.cfg.Summaries)
		c.armRegular(now, i)
	}
}

func (in *instance) addIface(name string) *iface {
	i := &iface{name: name, instance: in, lastFull: -1}
	i.multicast, i.unicast = lane{iface: i}, lane{iface: i}
	in.ifaces[name] = i
	at, _ := slices.BinarySearchFunc(in.order, name, func(i *iface, name string) int { return cmp.Compare(i.name, name) })
	in.order = slices.Insert(in.order, at, i)
	return i
}

// configureIface takes the present configuration over.
func (c *Core) configureIface(i *iface) {
	rc := &i.instance.cfg
	i.cfg = c.config[i.name]
	i.passive = rc.PassiveDefault != slices.Contains(rc.Passive, i.name)
	auth := newAuthenticator(i.cfg, c.policy)
	auth.takeOver(i.auth)
	i.auth = auth
}

// start begins RIP on an interface: it asks for the neighbours' tables, and
// tells its own soon.
func (c *Core) start(now clock.Instant, i *iface) {
	i.active, i.lastFull = true, -1
	c.emit(Listen{Interface: i.name, VRF: i.instance.vrf, Group: true})
	c.event(Trace{Event: TraceInterfaceUp, VRF: i.instance.vrf, Interface: i.name})
	c.sendRequests(now, i)
}

// stop ends RIP on an interface.
func (c *Core) stop(now clock.Instant, i *iface, why string) {
	in := i.instance
	i.active, i.full = false, false
	c.setSummaries(now, i, nil)
	for p := in.heard.oldest; p != nil; {
		next := p.newer
		if p.neighbor.iface == i {
			c.losePath(now, in, p)
		}
		p = next
	}
	for _, n := range in.sortedNeighbors() {
		if n.iface == i {
			c.forget(n, why)
		}
	}
	c.timers.Clear(timerKey{kind: timerRegular, iface: i})
	c.stopLane(&i.multicast)
	c.stopLane(&i.unicast)
	c.emit(Unlisten{i.name})
	c.event(Trace{Event: TraceInterfaceDown, VRF: in.vrf, Interface: i.name})
}

// removeIface ends RIP on an interface for good.
func (c *Core) removeIface(now clock.Instant, i *iface) {
	if i.active {
		c.stop(now, i, "interface removed")
	}
	c.connect(now, i, nil)
	delete(i.instance.ifaces, i.name)
	i.instance.order = slices.DeleteFunc(i.instance.order, func(o *iface) bool { return o == i })
}

// silent reports whether nothing is sent to anybody unasked.
func (i *iface) silent() bool { return i.passive && len(i.configured()) == 0 }

// armRegular arms the timer of regular updates where none is armed. The first
// one is due soon, but not at once: routers that come up together should not
// speak together.
func (c *Core) armRegular(now clock.Instant, i *iface) {
	k := timerKey{kind: timerRegular, iface: i}
	if i.silent() {
		c.timers.Clear(k)
		return
	}
	if _, armed := c.timers.Deadline(k); !armed {
		c.timers.Set(k, now.Add(c.between(minHold, max(minHold, min(maxHold, i.instance.cfg.Timers.Update)))))
	}
}

// jitter returns the time to the next regular update (RFC 2453 section 3.8).
func (c *Core) jitter(update time.Duration) time.Duration {
	return c.between(update-update/6, update+update/6)
}
