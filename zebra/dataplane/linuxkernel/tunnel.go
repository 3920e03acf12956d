package linuxkernel

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// putTunnel creates or changes a GRE device. A change is one message with all
// GRE attributes of ours, since the kernel takes a missing one of these for zero
// (others, such as fwmark and ignore-df, it leaves alone); the device's flags
// are not touched by it.
func (p *Provider) putTunnel(t dataplane.Tunnel) error {
	if err := t.Check(); err != nil {
		return err
	}
	if t.Guarded {
		if err := p.needGuard(t); err != nil {
			return err
		}
	}
	if t.IPv6() && t.Multipoint() && p.landlocked() != nil {
		return fmt.Errorf("tunnel %s over IPv6: %w: %w", t.Name, p.landlocked(), dataplane.ErrUnsupported)
	}
	under := 0
	if t.Underlay != "" {
		i, err := p.indexNow(t.Underlay)
		if err != nil {
			return err
		}
		under = i
	}
	d, ok, err := p.device(t.Name)
	if err != nil {
		return err
	}
	switch {
	case !ok:
		d, err = p.createTunnel(t, under)
	case d.GRE == nil, d.Kind != greKind(t) && !d.Own:
		return fmt.Errorf("%s exists and is not a GRE tunnel of ours: %w", t.Name, unix.EEXIST)
	case d.Kind != greKind(t), d.GRE.Remote.IsValid() == t.Multipoint():
		if d, err = p.recreateTunnel(d, t, under); err == nil {
			err = p.dropCarrier() // the old one may have been the last over IPv6
		}
	case !sameGRE(d.GRE, t, under):
		d, err = p.changeTunnel(d, t, under)
	}
	if err != nil {
		return err
	}
	if t.Multipoint() && d.NoARP {
		if err := p.setFlags(d.Index, 0, unix.IFF_NOARP); err != nil {
			return err
		}
	}
	if t.Multipoint() {
		if err := p.putBroadcast(d); err != nil {
			return err
		}
	}
	if t.Multipoint() && t.IPv6() {
		if err := p.putEncap(d, t); err != nil {
			return err
		}
	}
	if err := p.putProbes(d.Index, t.Multipoint(), t.Resolve); err != nil {
		return err
	}
	if err := p.putAttrs(d, t.Attrs, true); err != nil {
		return err
	}
	return p.putDormant(d, t)
}

// The kinds of GRE devices: over IPv4, over IPv6.
const (
	kindGRE  = "gre"
	kindGRE6 = "ip6gre"
)

func greKind(t dataplane.Tunnel) string {
	if t.IPv6() {
		return kindGRE6
	}
	return kindGRE
}

func sameGRE(g *dataplane.GREInfo, t dataplane.Tunnel, under int) bool {
	return zeroIfNone(g.Local) == zeroIfNone(t.Local) && zeroIfNone(g.Remote) == zeroIfNone(t.Remote) &&
		g.HasKey == t.HasKey && (!t.HasKey || g.Key == t.GREKey) && g.TTL == t.TTL && g.TOS == t.TOS &&
		(t.IPv6() || g.PathMTUDiscovery == t.PathMTUDiscovery) && g.UnderlayIndex == under
}

// greData appends the attributes of ours.
func greData(e *encoder, t dataplane.Tunnel, under int) {
	var flags uint16
	key := uint32(0)
	if t.HasKey {
		flags, key = greKeyBit, t.GREKey
	}
	e.u32(greLink, uint32(under))
	e.be16(greIflags, flags)
	e.be16(greOflags, flags)
	e.be32(greIkey, key)
	e.be32(greOkey, key)
	e.u8(greTTL, t.TTL)
	if t.IPv6() {
		greData6(e, t)
		return
	}
	e.addr(greLocal, zeroIfNone(t.Local))
	e.addr(greRemote, zeroIfNone(t.Remote))
	e.u8(greTOS, t.TOS)
	pmtu := uint8(0)
	if t.PathMTUDiscovery {
		pmtu = 1
	}
	e.u8(grePmtudisc, pmtu)
}

// greData6 is greData for what is special over IPv6.
func greData6(e *encoder, t dataplane.Tunnel) {
	none := func(a netip.Addr) netip.Addr {
		if !a.IsValid() {
			return netip.IPv6Unspecified()
		}
		return a
	}
	e.addr(greLocal, none(t.Local))
	e.addr(greRemote, none(t.Remote))
	e.u8(gre6Limit, 0)
	flags, class := uint32(gre6NoLimit), t.TOS
	if t.TOS == 1 {
		flags, class = flags|gre6CopyTOS, 0
	}
	e.u32(gre6Flags, flags)
	e.be32(gre6Flow, uint32(class)<<20)
}

func (p *Provider) createTunnel(t dataplane.Tunnel, under int) (device, error) {
	return p.createDevice(t.Name, greKind(t), t.MTU, func(e *encoder) { greData(e, t, under) })
}

// changeTunnel changes the attributes of ours. The kernel takes the broadcast
// address away with them, and with its return the neighbours.
func (p *Provider) changeTunnel(d device, t dataplane.Tunnel, under int) (n device, err error) {
	change := func() error { return p.sendTunnel(d, t, under) }
	if t.Multipoint() {
		err = p.keepNeighbors(d.Index, change)
	} else {
		err = change()
	}
	if err != nil {
		return d, fmt.Errorf("change tunnel %s: %w", t.Name, err)
	}
	n, ok, err := p.device(t.Name)
	if err == nil && !ok {
		err = fmt.Errorf("%s: %w", t.Name, dataplane.ErrNoDevice)
	}
	return n, err
}

func (p *Provider) sendTunnel(d device, t dataplane.Tunnel, under int) error {
	return p.w.do(unix.RTM_NEWLINK, 0, func(e *encoder) {
		linkHeader(e, d.Index, 0, 0)
		if t.Multipoint() {
			e.addr(unix.IFLA_BROADCAST, broadcastOf(t.IPv6()))
		}
		if t.MTU != 0 {
			e.u32(unix.IFLA_MTU, uint32(t.MTU))
		}
		info := e.open(unix.IFLA_LINKINFO | nested)
		e.text(unix.IFLA_INFO_KIND, greKind(t))
		data := e.open(unix.IFLA_INFO_DATA | nested)
		greData(e, t, under)
		e.shut(data)
		e.shut(info)
	})
}

// recreateTunnel makes a device anew where the kernel cannot change it, and
// puts its state and addresses back.
func (p *Provider) recreateTunnel(d device, t dataplane.Tunnel, under int) (device, error) {
	addrs, err := p.addrsOf(d.Index)
	if err != nil {
		return d, err
	}
	if err := p.removeDevice(d.Index); err != nil {
		return d, err
	}
	n, err := p.createTunnel(t, under)
	if err != nil {
		return n, err
	}
	if d.Up && t.Admin == dataplane.AdminKeep {
		if err := p.setFlags(n.Index, unix.IFF_UP, unix.IFF_UP); err != nil {
			return n, err
		}
		n.Up = true
	}
	for _, a := range addrs {
		if a.linkLocal() {
			continue // the kernel makes its own
		}
		if err := p.w.do(unix.RTM_NEWADDR, unix.NLM_F_CREATE, func(e *encoder) { encodeAddr(e, a.Addr, n.Index, a.proto) }); err != nil {
			return n, fmt.Errorf("put %v back on %s: %w", a.Prefix, t.Name, err)
		}
	}
	return n, nil
}

// The families whose neighbour tables a multipoint tunnel uses.
var neighTables = []struct {
	family uint8
	name   string
}{{unix.AF_INET, "arp_cache"}, {unix.AF_INET6, "ndisc_cache"}}

// probes are how often the kernel asks for a neighbour: our process, by
// unicast, by multicast.
type probes struct{ app, ucast, mcast uint32 }

// The kernel's defaults, and asking us alone. It asks once a second, and drops the packets
// that wait for a neighbour a second after it asked for the last time. Five seconds is what
// nhrpd gives its own packets: on a busy router the answer may take longer than one.
var (
	probesDefault = probes{0, 3, 3}
	probesResolve = probes{5, 0, 0}
)

// putProbes has the kernel ask us for neighbours, or ask as it always does.
// Point-to-point tunnels have no neighbours.
func (p *Provider) putProbes(index int, multipoint, resolve bool) error {
	want := probesDefault
	if multipoint && resolve {
		want = probesResolve
	}
	have, err := p.probes(index)
	if err != nil {
		return err
	}
	for _, t := range neighTables {
		old, ok := have[t.family]
		if !ok || old == want || (want == probesDefault && old != probesResolve) {
			continue
		}
		err := p.w.do(unix.RTM_SETNEIGHTBL, 0, func(e *encoder) {
			e.raw(t.family, 0, 0, 0)
			e.text(ndtaName, t.name)
			parms := e.open(ndtaParms | nested)
			e.u32(ndtpaIfindex, uint32(index))
			e.u32(ndtpaAppProbes, want.app)
			e.u32(ndtpaUcast, want.ucast)
			e.u32(ndtpaMcast, want.mcast)
			e.shut(parms)
		})
		if err != nil {
			return fmt.Errorf("neighbour resolution by us: %w", err)
		}
	}
	return nil
}

// probes reads the settings of a device, by family.
func (p *Provider) probes(index int) (map[uint8]probes, error) {
	have := map[uint8]probes{}
	err := p.dump(unix.RTM_GETNEIGHTBL, func(e *encoder) { e.raw(unix.AF_UNSPEC, 0, 0, 0) }, func(m message) {
		for typ, v := range attrs(m.body(4)) {
			if typ != ndtaParms || len(m.data) == 0 {
				continue
			}
			var pr probes
			found := false
			for t, v := range attrs(v) {
				switch t {
				case ndtpaIfindex:
					found = int(getU32(v)) == index
				case ndtpaAppProbes:
					pr.app = getU32(v)
				case ndtpaUcast:
					pr.ucast = getU32(v)
				case ndtpaMcast:
					pr.mcast = getU32(v)
				}
			}
			if found {
				have[m.data[0]] = pr
			}
		}
	})
	return have, err
}
