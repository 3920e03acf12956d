package core

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

const (
	// indicationHops is ar$hopcnt of a Traffic Indication.
	indicationHops = 255
	// indicationPayload bounds how much of a packet a Traffic Indication encloses: its
	// header and what of TCP or UDP says which flow it is.
	indicationPayload = 68
	// maxPairs bounds the sources and destinations of which is remembered when they
	// were told of.
	maxPairs = 8192
)

// pair is the source and destination of an IP packet.
type pair struct{ src, dst netip.Addr }

// pairOf reads source and destination from the start of an IP packet; ok is false if
// it is none, or not between two stations.
func pairOf(b []byte) (p pair, ok bool) {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		p.src, p.dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	case len(b) >= 40 && b[0]>>4 == 6:
		p.src, p.dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	default:
		return p, false
	}
	return p, routable(p.src) && routable(p.dst) && rib.FamilyOf(p.src) == rib.FamilyOf(p.dst)
}

// routable reports whether an address can be that of a station behind a router.
func routable(a netip.Addr) bool {
	return a.IsValid() && !a.Is4In6() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && !a.IsLinkLocalUnicast() &&
		a != broadcast(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
}

// watchHairpins has zebra tell of packets that go back into the network that they
// came from, if any tunnel of the network redirects.
func (c *Core) watchHairpins() {
	groups := map[uint32]bool{}
	for _, i := range c.order {
		groups[i.cfg.NetworkID] = groups[i.cfg.NetworkID] || i.cfg.Redirect
	}
	for _, i := range c.order {
		want := uint32(0)
		if i.linked && groups[i.cfg.NetworkID] {
			want = i.cfg.NetworkID
		}
		if i.hairpins == want {
			continue
		}
		c.countHairpins(hairpinKey{i.key.name, i.hairpins}, -1)
		c.countHairpins(hairpinKey{i.key.name, want}, 1)
		i.hairpins = want
	}
}

// hairpinKey is a watch for hairpins, which the instances of both families share.
type hairpinKey struct {
	name  string
	group uint32 // 0: none
}

func (c *Core) countHairpins(k hairpinKey, n int) {
	if k.group == 0 {
		return
	}
	was := c.hairpins[k]
	c.hairpins[k] = was + n
	switch {
	case was == 0:
		c.emit(WatchHairpins{k.name, k.group})
	case was+n == 0:
		delete(c.hairpins, k)
		c.emit(UnwatchHairpins{k.name, k.group})
	}
}

// hairpin finds out who sent a packet that leaves by the network it came from: the
// station by which its source is reached.
func (c *Core) hairpin(now clock.Instant, in Hairpin) {
	p, ok := pairOf(in.Packet)
	if !ok {
		return
	}
	family := rib.FamilyOf(p.src)
	i, out := c.ifaces[ifaceKey{in.In, family}], c.ifaces[ifaceKey{in.Out, family}]
	if i == nil || out == nil || !i.ready || !i.cfg.Redirect || i.cfg.NetworkID != out.cfg.NetworkID || i.own(p.src) {
		return
	}
	r := c.routeTo(now, i, p.src)
	if r == nil {
		return
	}
	enclosed := append([]byte(nil), in.Packet[:min(len(in.Packet), indicationPayload)]...)
	c.whenKnown(now, r, func(now clock.Instant) {
		if c.ifaces[i.key] == i && i.ready && i.cfg.Redirect {
			c.redirect(now, i, out, r, p, enclosed)
		}
	})
}

// redirect tells the previous hop of a packet, by a Traffic Indication, that there is
// a shorter way: once in a while for each source and destination. There is none from nor
// to a station with an alias.
func (c *Core) redirect(now clock.Instant, i, out *iface, source *route, p pair, enclosed []byte) {
	in, hop, ok := c.overTunnel(source, i)
	if !ok || in != i {
		return // its source is reached by another way than it came
	}
	nbma := i.stationNBMA(hop)
	if !nbma.IsValid() || i.aliased(nbma) || !c.redirectDue(now, i, p, nbma) {
		return
	}
	if !out.hasAliases() {
		c.indicate(now, i, hop, nbma, enclosed)
		return
	}
	d := c.routeTo(now, out, p.dst)
	if d == nil {
		return
	}
	c.whenKnown(now, d, func(now clock.Instant) {
		if c.ifaces[i.key] == i && i.ready && !c.behindAlias(d, i) {
			c.indicate(now, i, hop, nbma, enclosed)
		}
	})
}

// indicate sends a Traffic Indication to a station.
func (c *Core) indicate(now clock.Instant, i *iface, hop, nbma netip.Addr, enclosed []byte) {
	m := packet.Message{
		Type: packet.TrafficIndication, HopCount: indicationHops, SrcProtocol: i.addr.Addr(), DstProtocol: hop, Payload: enclosed,
	}
	m.Extensions = i.authenticate(nil)
	c.send(now, i, nbma, &m, sendOwn)
}

// redirected is a Traffic Indication that was sent.
type redirected struct {
	at         clock.Instant
	iface      ifaceKey
	nbma       netip.Addr // to whom
	suppressed uint64     // packets since, about which none was sent
}

// redirectDue reports whether it is time to tell of a pair, and remembers that it was.
func (c *Core) redirectDue(now clock.Instant, i *iface, p pair, nbma netip.Addr) bool {
	if r, ok := c.redirected[p]; ok && now.Sub(r.at) < i.cfg.RedirectTimeout {
		i.counters.Suppressed++
		r.suppressed++
		c.redirected[p] = r
		return false
	}
	if len(c.redirected) >= maxPairs {
		// unordered: each is judged by itself
		for o, r := range c.redirected {
			if now.Sub(r.at) >= i.cfg.RedirectTimeout {
				delete(c.redirected, o)
			}
		}
		if len(c.redirected) >= maxPairs {
			i.counters.Suppressed++
			return false
		}
	}
	c.redirected[p] = redirected{at: now, iface: i.key, nbma: nbma}
	return true
}

// redirectTable lists the Traffic Indications of an instance that hold back others.
func (c *Core) redirectTable(now clock.Instant, i *iface) []Redirect {
	var all []Redirect
	// unordered: sorted below
	for p, r := range c.redirected {
		if left := i.cfg.RedirectTimeout - now.Sub(r.at); r.iface == i.key && left > 0 {
			all = append(all, Redirect{Interface: i.key.name, Family: i.key.family, VRF: i.link.VRF, NBMA: r.nbma,
				Source: p.src, Destination: p.dst, Expires: left, Suppressed: r.suppressed})
		}
	}
	slices.SortFunc(all, func(a, b Redirect) int {
		return cmp.Or(a.Source.Compare(b.Source), a.Destination.Compare(b.Destination))
	})
	return all
}

// stationNBMA returns where a station of the tunnel is; the zero Addr if that is not
// known. A point-to-point tunnel has one far end.
func (i *iface) stationNBMA(a netip.Addr) netip.Addr {
	if !i.multipoint {
		return i.dest
	}
	if e := i.cache.get(hostPrefix(a)); e != nil && e.host().IsValid() {
		return e.nbma
	}
	if n, ok := i.neighbors[a]; ok {
		return n.nbma // the station of a map with a mask
	}
	return netip.Addr{}
}

// trafficIndication takes a hint that packets have a shorter way: the destination of
// the enclosed packet is resolved (Cisco; RFC 2332 has only the type's number). It is
// believed from stations that are known, and changes nothing by itself.
func (c *Core) trafficIndication(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	p, ok := pairOf(m.Payload)
	switch {
	case !ok || rib.FamilyOf(p.dst) != i.key.family:
		c.drop(i, in, DropMalformed)
	case !i.resolves() || !i.cfg.Shortcut:
		c.drop(i, in, DropNoShortcut)
	case !i.knows(in.NBMA):
		c.drop(i, in, DropNotAllowed)
	case i.own(p.dst):
		c.drop(i, in, DropUnsupported)
	default:
		r := c.routeTo(now, i, p.dst)
		if r == nil {
			return
		}
		c.whenKnown(now, r, func(now clock.Instant) {
			if c.ifaces[i.key] == i && i.ready {
				c.seekShortcut(now, i, r)
			}
		})
	}
}

// knows reports whether a station is known to be at an NBMA address.
func (i *iface) knows(nbma netip.Addr) bool {
	// unordered: any will do
	for _, e := range i.cache.entries {
		if e.nbma == nbma && e.kind != EntryLocal {
			return true
		}
	}
	return false
}
