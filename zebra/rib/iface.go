package rib

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// iface is an interface that exists, or that next hops name.
type iface struct {
	source
	info    rib.Interface // only Name is set while the interface is not known
	known   bool
	derived []*candidate // its connected and local routes
}

func (c *Core) iface(name string) *iface {
	i := c.interfaces[name]
	if i == nil {
		i = &iface{info: rib.Interface{Name: name}}
		i.source.ifc = i
		c.interfaces[name] = i
	}
	return i
}

func (c *Core) dropIface(i *iface) {
	if !i.known && len(i.users) == 0 && len(i.derived) == 0 {
		delete(c.interfaces, i.info.Name)
	}
}

// owns reports whether a is an address of the interface.
func (i *iface) owns(a netip.Addr) bool {
	for _, ad := range i.info.Addresses {
		if ad.Prefix.Addr() == a {
			return true
		}
	}
	return false
}

// onLink reports whether a lies in a subnet of the interface.
func (i *iface) onLink(a netip.Addr) bool {
	if a.IsLinkLocalUnicast() && a.Is6() {
		return true
	}
	for _, ad := range i.info.Addresses {
		if subnet(ad).Contains(a) {
			return true
		}
	}
	return false
}

// subnet returns what an address makes directly connected.
func subnet(ad rib.Address) netip.Prefix {
	if ad.Peer.IsValid() {
		return ad.Peer.Masked()
	}
	return ad.Prefix.Masked()
}

// derivation is a route that follows from an interface.
type derivation struct {
	vrf      string
	prefix   netip.Prefix
	protocol rib.Protocol
}

// derive returns the connected and local routes of an interface, as IOS has
// them: a host address without a peer is connected and not local as well.
// Link-local and loopback addresses are not routed.
func derive(info rib.Interface) []derivation {
	if !info.Up {
		return nil
	}
	var out []derivation
	add := func(p netip.Prefix, proto rib.Protocol) {
		if d := (derivation{info.VRF, p, proto}); !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	for _, ad := range info.Addresses {
		a := ad.Prefix.Addr()
		if !ad.Prefix.IsValid() || a.Is4In6() || a.IsLoopback() || a.IsUnspecified() || a.Is6() && a.IsLinkLocalUnicast() {
			continue
		}
		add(subnet(ad), rib.Connected)
		if host := hostPrefix(a); host != subnet(ad) {
			add(host, rib.Local)
		}
	}
	return out
}

func (c *Core) interfaceChanged(now clock.Instant, info rib.Interface) {
	i := c.iface(info.Name)
	i.known = true
	c.setInterface(now, i, info)
}

func (c *Core) interfaceGone(now clock.Instant, name string) {
	i := c.interfaces[name]
	if i == nil || !i.known {
		return
	}
	i.known = false
	c.setInterface(now, i, rib.Interface{Name: name})
	c.dropIface(i)
}

// setInterface brings derived routes and users in line with a new description.
func (c *Core) setInterface(now clock.Instant, i *iface, info rib.Interface) {
	old := i.info
	info.Addresses = slices.Clone(info.Addresses)
	i.info = info
	if old.Up == info.Up && old.VRF == info.VRF && slices.Equal(old.Addresses, info.Addresses) {
		return
	}
	want := derive(info)
	o := c.owner(OwnerConnected)
	var kept []*candidate
	for _, cand := range i.derived {
		d := derivation{cand.route.VRF, cand.route.Prefix, cand.route.Protocol}
		if at := slices.Index(want, d); at >= 0 {
			want = slices.Delete(want, at, at+1)
			kept = append(kept, cand)
			continue
		}
		o.disown(cand)
		cand.remove(c, now)
	}
	for _, d := range want {
		cand := &candidate{origin: info.Name, route: rib.Route{
			VRF: d.vrf, Prefix: d.prefix, Protocol: d.protocol,
			Distance: d.protocol.Distance(), NextHops: []rib.NextHop{{Interface: info.Name}},
		}}
		c.enter(now, c.table(d.vrf).node(d.prefix), o, cand, nil)
		kept = append(kept, cand)
	}
	i.derived = kept
	c.enqueueUsers(&i.source, true)
	c.settle(now)
	c.dropOwner(o)
}
