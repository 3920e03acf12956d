package core

import (
	"cmp"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"github.com/godmvpn/godmvpn/eigrpd/core/rtp"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// group is the multicast address of all EIGRP routers.
func (in *instance) group() netip.Addr {
	if in.key.Family == rib.IPv6 {
		return packet.GroupIPv6
	}
	return packet.GroupIPv4
}

// talks reports whether there may be neighbours on the interface, but for remote
// ones.
func (i *iface) talks() bool { return i.up && !i.cfg.Passive && i.link.Type != rib.TypeLoopback }

// multicasts reports whether packets go to the group and are taken from it. On IOS
// an interface with static neighbours does neither.
func (i *iface) multicasts() bool { return i.talks() && len(i.static) == 0 }

// source returns the address that packets of an interface come from: the primary
// one, or of IPv6 the link-local one (RFC 7868 section 6.8.6).
func (in *instance) source(link rib.Interface) netip.Addr {
	var first netip.Addr
	for _, x := range link.Addresses {
		a := x.Prefix.Addr()
		switch {
		case rib.FamilyOf(a) != in.key.Family:
		case in.key.Family == rib.IPv6:
			if a.IsLinkLocalUnicast() {
				return a
			}
		case !x.Secondary:
			return a
		case !first.IsValid():
			first = a
		}
	}
	return first
}

// anySource reports whether any sender that comes by the interface is on it: it is a
// tunnel or a point-to-point link that has no subnet, but unnumbered or host addresses.
func (i *iface) anySource() bool {
	if i.link.Type != rib.TypeTunnel && i.link.Type != rib.TypePointToPoint {
		return false
	}
	for _, x := range i.link.Addresses {
		if x.Prefix.Addr().Is4() && (!x.Prefix.IsSingleIP() || x.Peer.IsValid()) {
			return false
		}
	}
	return true
}

// reaches reports whether an address can be that of a router on the interface.
func (i *iface) reaches(a netip.Addr) bool {
	if i.instance.key.Family == rib.IPv6 {
		return a.IsLinkLocalUnicast()
	}
	if !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return false
	}
	for k := range i.link.Addresses {
		x := &i.link.Addresses[k]
		switch {
		case x.Peer.Contains(a):
			return true
		case x.Prefix.Contains(a) && !x.Prefix.IsSingleIP():
			return x.Prefix.Bits() >= 31 || a != x.Prefix.Masked().Addr() && a != broadcast(x.Prefix)
		}
	}
	return i.anySource()
}

// broadcast returns the last address of an IPv4 prefix.
func broadcast(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for k := p.Bits(); k < 32; k++ {
		b[k/8] |= 0x80 >> (k % 8)
	}
	return netip.AddrFrom4(b)
}

// runsOn reports whether EIGRP runs on an interface, by configuration.
func (in *instance) runsOn(link rib.Interface) bool {
	if !in.on || link.VRF != in.key.VRF || link.Type == rib.TypeVRF || in.config(link.Name).Shutdown {
		return false
	}
	if in.key.Family == rib.IPv6 {
		return in.cfg.AllInterfaces || slices.Contains(in.cfg.Enabled, link.Name)
	}
	for _, a := range link.Addresses {
		for _, w := range in.cfg.Networks {
			if w.Match(a.Prefix.Addr()) {
				return true
			}
		}
	}
	return false
}

// config returns the configuration of an interface, with defaults.
func (in *instance) config(name string) InterfaceConfig {
	ic := in.cfg.Default
	if k, ok := slices.BinarySearchFunc(in.cfg.Interfaces, name, func(x InterfaceConfig, name string) int { return cmp.Compare(x.Name, name) }); ok {
		ic = in.cfg.Interfaces[k]
	}
	ic.Name = name
	return ic.normal()
}

// reconcile brings the instance in line with an interface as it is and as it is
// configured.
func (in *instance) reconcile(now clock.Instant, name string) {
	link, known := in.core.links.Get(name)
	i := in.ifaces[name]
	switch runs := known && in.runsOn(link); {
	case !runs && i == nil:
		return
	case !runs:
		in.removeIface(now, i, "interface down")
		return
	case i == nil:
		i = in.addIface(name)
	}
	old := *i
	i.configureNeighbors()
	cfg, addr := in.config(name), in.source(link)
	up := link.Up && addr.IsValid()
	if i.up && (!up || addr != i.addr || cfg.Passive != i.cfg.Passive) {
		in.stop(now, i, "interface down")
	}
	i.link, i.addr = link, addr
	i.configure(now, cfg)
	switch {
	case up && !i.up:
		in.start(now, i)
	case i.up && (!old.link.Equal(link) || !reflect.DeepEqual(old.cfg, cfg)):
		in.transport.SetLink(now, i.transportLink())
		in.routesIfaceChanged(now, i)
	}
	if old.up && i.up {
		i.reconcileNeighbors(now, old.static, old.remote)
	}
}

func (in *instance) addIface(name string) *iface {
	in.ifaceID++
	i := &iface{id: in.ifaceID, name: name, instance: in}
	in.ifaces[name], in.byID[i.id] = i, i
	at, _ := slices.BinarySearchFunc(in.order, name, func(i *iface, name string) int { return cmp.Compare(i.name, name) })
	in.order = slices.Insert(in.order, at, i)
	return i
}

// removeIface ends EIGRP on an interface for good.
func (in *instance) removeIface(now clock.Instant, i *iface, why string) {
	if i.up {
		in.stop(now, i, why)
	}
	delete(in.ifaces, i.name)
	delete(in.byID, i.id)
	in.order = slices.DeleteFunc(in.order, func(o *iface) bool { return o == i })
}

// configure takes a configuration over.
func (i *iface) configure(now clock.Instant, cfg InterfaceConfig) {
	if i.auth == nil || !i.auth.same(cfg, i.instance.core.policy) {
		i.auth = newAuthenticator(cfg, i.instance.core.policy)
	}
	sooner := cfg.Hello < i.cfg.Hello
	i.cfg = cfg
	if i.up && sooner {
		i.armHello(now)
	}
}

// transportLink is what reliable transport has to know of the interface.
func (i *iface) transportLink() rtp.Link {
	return rtp.Link{
		ID: rtp.InterfaceID(i.id), Bandwidth: i.link.Bandwidth, Percent: i.cfg.BandwidthPercent,
		MTU: i.link.MTU, Multicast: i.multicasts(),
	}
}

// start begins EIGRP on an interface that came up.
func (in *instance) start(now clock.Instant, i *iface) {
	i.up = true
	in.transport.SetLink(now, i.transportLink())
	in.routesIfaceUp(now, i)
	in.core.listen(i.name) // before the first Hello, which would have no socket
	i.armHello(now)
}

// stop ends EIGRP on an interface that cannot send any more.
func (in *instance) stop(now clock.Instant, i *iface, why string) {
	for _, n := range in.sorted() {
		if n.iface == i {
			in.down(now, n, why, quietly)
		}
	}
	in.core.timers.Clear(timerKey{kind: timerHello, iface: i})
	i.up, i.terminated = false, nil
	in.routesIfaceDown(now, i)
	in.transport.RemoveLink(now, rtp.InterfaceID(i.id))
}

// listenKey names what the edge listens to.
type listenKey struct {
	name, vrf string
	family    rib.Family
}

// listen keeps what the edge listens to on an interface in line with what the
// instances want.
func (c *Core) listen(name string) {
	for _, f := range [...]rib.Family{rib.IPv4, rib.IPv6} {
		want, wanted := Listen{Interface: name, VRF: c.links.VRF(name), Family: f}, false
		for _, in := range c.order {
			i := in.ifaces[name]
			if in.key.Family != f || i == nil || !i.talks() {
				continue
			}
			wanted = true
			want.Group = want.Group || i.multicasts()
		}
		c.setListen(listenKey{name: name, family: f}, want, wanted)
	}
}

// listenRemote listens to what comes by whichever interface, where there are remote
// neighbours.
func (c *Core) listenRemote() {
	want := map[listenKey]bool{}
	for k := range c.listens { // unordered: sorted below
		if k.name == "" {
			want[k] = false
		}
	}
	for _, in := range c.order {
		if in.hasRemote() {
			want[listenKey{vrf: in.key.VRF, family: in.key.Family}] = true
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(want), func(a, b listenKey) int {
		return cmp.Or(cmp.Compare(a.vrf, b.vrf), cmp.Compare(a.family, b.family))
	}) {
		c.setListen(k, Listen{VRF: k.vrf, Family: k.family}, want[k])
	}
}

func (c *Core) setListen(k listenKey, want Listen, wanted bool) {
	switch have, ok := c.listens[k]; {
	case wanted && (!ok || have != want):
		c.listens[k] = want
		c.emit(want)
	case !wanted && ok:
		delete(c.listens, k)
		gone := Unlisten{Interface: k.name, Family: k.family}
		if k.name == "" {
			gone.VRF = have.VRF
		}
		c.emit(gone)
	}
}
