package iface

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// firstTable is the first routing table that a VRF of ours may get.
const firstTable = 1001

// assignTables gives each VRF a routing table: the one that it has in the
// kernel, or had here before, or the first that nobody uses.
func (c *Core) assignTables() {
	tables, used := map[string]uint32{}, map[uint32]bool{}
	for kernel, l := range c.links {
		if l.info.Kind == "vrf" {
			tables[c.Name(kernel)], used[l.info.Table] = l.info.Table, true
		}
	}
	assign := func(v VRF, table uint32) {
		if tables[v.Name] == 0 && table != 0 && !used[table] {
			tables[v.Name], used[table] = table, true
		}
	}
	for _, v := range c.cfg.VRFs {
		assign(v, c.tables[v.Name])
	}
	next := uint32(firstTable)
	for _, v := range c.cfg.VRFs {
		for ; tables[v.Name] == 0; next++ {
			assign(v, next)
		}
	}
	c.tables = tables
}

// describe joins configuration and kernel facts; either may be nil.
func (c *Core) describe(name string, cfg *Interface, l *link) rib.Interface {
	i := rib.Interface{Name: name, Type: c.typeOf(name, l)}
	i.Bandwidth, i.Delay = metrics(i.Type)
	if cfg != nil {
		i.Description, i.VRF = cfg.Description, cfg.VRF
		if cfg.Bandwidth != 0 {
			i.Bandwidth = cfg.Bandwidth
		}
		if cfg.Delay != 0 {
			i.Delay = cfg.Delay
		}
	}
	if l == nil {
		return i
	}
	i.KernelName, i.Index, i.MTU = l.info.Name, l.info.Index, l.info.MTU
	i.AdminUp, i.Multicast = l.info.Up, l.info.Multicast
	i.Up = l.info.Up && l.info.Running
	if i.Type == rib.TypeTunnel && l.info.Up && (l.info.Running || l.info.Dormant) {
		i.HeldDown = l.info.Dormant || c.heldDown(name, l) // the kernel may be late
		i.Up = !i.HeldDown
	}
	i.VRF = ""
	if m := c.links[l.info.Master]; m != nil && m.info.Kind == "vrf" {
		i.VRF = c.Name(l.info.Master)
	}
	for _, a := range l.addrs {
		if !a.tentative {
			i.Addresses = append(i.Addresses, rib.Address{Prefix: a.Prefix, Peer: a.Peer, Secondary: a.secondary})
		}
	}
	return i
}

func (c *Core) typeOf(name string, l *link) rib.InterfaceType {
	switch {
	case IsTunnel(name):
		return rib.TypeTunnel
	case IsLoopback(name), l != nil && l.info.Loopback:
		return rib.TypeLoopback
	case l != nil && l.info.Kind == "vrf":
		return rib.TypeVRF
	case l != nil && l.info.PointToPoint:
		return rib.TypePointToPoint
	}
	return rib.TypeEthernet
}

// resolveTunnels fills in the tunnel side, which depends on the source
// interfaces, and takes the line protocol down where the source is not usable.
// A source may be a tunnel itself: it is gone over until nothing goes down any
// more, so that the order does not matter.
func (c *Core) resolveTunnels(now map[string]rib.Interface) {
	for again := true; again; {
		again = false
		for name, cfg := range c.configs {
			i := now[name]
			if i.Type != rib.TypeTunnel {
				continue
			}
			t := cfg.Tunnel
			side := &rib.Tunnel{SourceInterface: t.SourceInterface, Destination: t.Destination, HasKey: t.HasKey, Key: t.Key, VRF: t.VRF,
				IPv6Transport: t.IPv6, Protection: t.Protection, Shared: t.Shared}
			if t.Multipoint {
				side.Mode = rib.TunnelGREMultipoint
			}
			side.Source = tunnelSource(t, now)
			i.Tunnel = side
			if !side.Source.IsValid() {
				again = again || i.Up
				i.Up, i.HeldDown = false, false
			}
			now[name] = i
		}
	}
}

// tunnelSource returns the address from which tunnel packets go, or the zero
// Addr while it is not usable.
func tunnelSource(t Tunnel, now map[string]rib.Interface) netip.Addr {
	if t.SourceInterface != "" {
		source := now[t.SourceInterface]
		if !source.Up {
			return netip.Addr{}
		}
		for _, a := range source.Addresses {
			if addr := a.Prefix.Addr(); addr.Is6() == t.IPv6 && !(t.IPv6 && addr.IsLinkLocalUnicast()) {
				return addr
			}
		}
		return netip.Addr{}
	}
	if !t.Source.IsValid() || t.Source.Is6() != t.IPv6 {
		return netip.Addr{}
	}
	for _, i := range now {
		for _, a := range i.Addresses {
			if a.Prefix.Addr() == t.Source && i.Up {
				return t.Source
			}
		}
	}
	return netip.Addr{}
}

// defaultTTL is the TTL of tunnel packets. It is not the inner packet's, since
// routing protocols send with a TTL of 1.
const defaultTTL = 255

// greOverhead is what the outer headers take from the path's MTU: IPv4 (20) or IPv6
// (40), GRE (4), and the key (4); RFC 2784 section 2.1, RFC 2890 section 2.
func greOverhead(t Tunnel) int {
	n := 24
	if t.IPv6 {
		n += 20
	}
	if t.HasKey {
		n += 4
	}
	return n
}

// maxMemberships is on how many interfaces one socket may join a group. Linux has
// 20, and a routing protocol needs one membership for each of its interfaces.
const maxMemberships = "16384"

// wanted returns all that the data plane should have, by the configuration and
// by what is known of the kernel.
func (c *Core) wanted() []dataplane.Object {
	objects := []dataplane.Object{
		dataplane.Sysctl{Path: "ipv4/ip_forward", Value: "1"},
		dataplane.Sysctl{Path: "ipv4/conf/all/send_redirects", Value: "0"},
		dataplane.Sysctl{Path: "ipv4/conf/default/send_redirects", Value: "0"},
		dataplane.Sysctl{Path: "ipv4/igmp_max_memberships", Value: maxMemberships},
	}
	if c.cfg.IPv6 {
		objects = append(objects, dataplane.Sysctl{Path: "ipv6/conf/all/forwarding", Value: "1"})
	}
	for _, v := range c.cfg.VRFs {
		objects = append(objects, dataplane.Link{Name: v.Name, Type: dataplane.LinkVRF, Table: c.tables[v.Name],
			Attrs: dataplane.Attrs{Admin: dataplane.AdminUp}})
	}
	for i := range c.cfg.Interfaces {
		objects = append(objects, c.wantedOf(&c.cfg.Interfaces[i])...)
	}
	return append(append(objects, c.guards()...), c.espInUDP()...)
}

func (c *Core) wantedOf(cfg *Interface) []dataplane.Object {
	kernel := c.Kernel(cfg.Name)
	attrs := dataplane.Attrs{Admin: dataplane.AdminUp, MTU: smaller(cfg.MTU, cfg.IPMTU), Master: c.Kernel(cfg.VRF)}
	if cfg.Shutdown {
		attrs.Admin = dataplane.AdminDown
	}
	var objects []dataplane.Object
	switch {
	case IsTunnel(cfg.Name):
		tunnel, ok := c.wantedTunnel(cfg, kernel, attrs)
		if !ok {
			return nil
		}
		objects = append(objects, tunnel,
			dataplane.Sysctl{Path: "ipv4/conf/" + kernel + "/rp_filter", Value: "2"})
	case IsLoopback(cfg.Name):
		objects = append(objects, dataplane.Link{Name: kernel, Type: dataplane.LinkDummy, Attrs: attrs})
	default:
		if !KernelNameOK(kernel) {
			return nil
		}
		objects = append(objects, dataplane.Link{Name: kernel, Type: dataplane.LinkExisting, Attrs: attrs})
	}
	objects = append(objects, dataplane.Sysctl{Path: "ipv4/conf/" + kernel + "/send_redirects", Value: "0"})
	if IsTunnel(cfg.Name) && cfg.Tunnel.Multipoint {
		objects = append(objects, dataplane.Multicast{Device: kernel})
	}
	if cfg.AdjustMSS != 0 {
		objects = append(objects, dataplane.MSSClamp{Device: kernel, MSS: uint16(cfg.AdjustMSS)})
	}
	for _, a := range cfg.Addresses {
		objects = append(objects, dataplane.Addr{Device: kernel, Prefix: a.Prefix, Peer: a.Peer})
	}
	return objects
}

// wantedTunnel returns the tunnel; ok is false while its source is not known
// and was not known before.
func (c *Core) wantedTunnel(cfg *Interface, kernel string, attrs dataplane.Attrs) (o dataplane.Tunnel, ok bool) {
	t := cfg.Tunnel
	o = dataplane.Tunnel{Name: kernel, HasKey: t.HasKey, GREKey: t.Key, TTL: t.TTL, TOS: t.TOS,
		PathMTUDiscovery: t.PathMTU, Underlay: c.Kernel(t.VRF), Resolve: t.Multipoint,
		Guarded: t.Protection != "", Attrs: attrs}
	if o.TTL == 0 {
		o.TTL = defaultTTL
	}
	if !t.Multipoint {
		if !t.Destination.IsValid() || t.Destination.Is6() != t.IPv6 {
			return o, false
		}
		o.Remote = t.Destination
	}
	o.Dormant = c.heldDown(cfg.Name, c.links[kernel])
	if o.Local = c.told[cfg.Name].Tunnel.Source; !o.Local.IsValid() {
		last, known := c.desired[o.Key()].(dataplane.Tunnel)
		if !known || last.IPv6() != t.IPv6 {
			return o, false
		}
		o.Local = last.Local
	}
	if o.MTU == 0 {
		o.MTU = 1500 - greOverhead(t)
		if source, ok := c.told[t.SourceInterface]; ok && source.MTU > 0 {
			o.MTU = source.MTU - greOverhead(t)
		}
	}
	return o, true
}

// smaller returns the smaller of two numbers that are set, 0 if neither is.
func smaller(a, b int) int {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
