package linuxkernel

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// connectedMetric6 is the metric of the routes that the kernel makes of IPv6
// addresses (IP6_RT_PRIO_ADDRCONF).
const connectedMetric6 = 256

// putDormant makes a device dormant, or wakes it. The kernel remembers it: another
// zebra finds the device as this one left it. A dormant device has no routes that
// follow from its addresses; the kernel, to which dormancy means nothing in this
// respect, is told so by hand: again when an address has come, or the device has been
// down and the kernel has made them anew.
func (p *Provider) putDormant(d device, t dataplane.Tunnel) error {
	if !t.Dormant && !d.Dormant {
		return nil
	}
	if t.Dormant != d.Dormant {
		state, mode := uint8(operUp), uint8(modeDefault)
		if t.Dormant {
			state, mode = operDormant, modeDormant
		}
		err := p.w.do(unix.RTM_SETLINK, 0, func(e *encoder) {
			linkHeader(e, d.Index, 0, 0)
			e.u8(unix.IFLA_OPERSTATE, state)
			e.u8(unix.IFLA_LINKMODE, mode)
		})
		if err != nil {
			return fmt.Errorf("dormancy of %s: %w", t.Name, err)
		}
	}
	addrs, err := p.addrsOf(d.Index)
	if err != nil {
		return err
	}
	table := uint32(dataplane.TableMain)
	if i, ok := p.names.index(t.Master); ok && t.Master != "" {
		l, _ := p.names.link(i)
		table = l.Table
	}
	have := map[netip.Prefix]bool{}
	if t.Dormant { // a device that was found so has mostly none, and nothing is to be written
		if have, err = p.connectedRoutes(d.Index); err != nil {
			return err
		}
	}
	for _, a := range addrs {
		if t.Dormant && !have[a.connected()] {
			continue
		}
		if err := p.putConnected(a, table, !t.Dormant); err != nil {
			return fmt.Errorf("connected route of %v on %s: %w", a.Prefix, t.Name, err)
		}
	}
	return nil
}

// putConnected puts the route that follows from an address in place, as the kernel
// makes it, or takes it away.
func (p *Provider) putConnected(a address, table uint32, want bool) error {
	prefix := a.connected()
	if prefix == netip.PrefixFrom(a.Prefix.Addr(), a.Prefix.Addr().BitLen()) || a.linkLocal() {
		return nil // the kernel makes none, or it is needed to talk on the link at all
	}
	var err error
	if want {
		err = p.w.do(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, func(e *encoder) {
			scope := uint8(unix.RT_SCOPE_UNIVERSE)
			if prefix.Addr().Is4() {
				scope = unix.RT_SCOPE_LINK
			}
			routeHeader(e, prefix, table, unix.RTPROT_KERNEL, scope, unix.RTN_UNICAST, 0)
			connected(e, prefix, table, a.index)
			if prefix.Addr().Is4() {
				e.addr(unix.RTA_PREFSRC, a.Prefix.Addr())
			} else {
				e.u32(unix.RTA_PRIORITY, connectedMetric6)
			}
		})
	} else {
		err = p.w.do(unix.RTM_DELROUTE, 0, func(e *encoder) {
			routeHeader(e, prefix, table, unix.RTPROT_KERNEL, unix.RT_SCOPE_NOWHERE, unix.RTN_UNSPEC, 0)
			connected(e, prefix, table, a.index)
		})
	}
	if is(err, unix.EEXIST) || is(err, unix.ESRCH) || is(err, unix.ENETDOWN) {
		return nil // as wanted; or the kernel makes it when the device comes up
	}
	return err
}

// connected returns the prefix of the route that follows from an address.
func (a address) connected() netip.Prefix {
	if a.Peer.IsValid() {
		return a.Peer.Masked()
	}
	return a.Prefix.Masked()
}

// connectedRoutes returns the prefixes of the routes that the kernel made for a
// device.
func (p *Provider) connectedRoutes(index int) (map[netip.Prefix]bool, error) {
	have := map[netip.Prefix]bool{}
	for _, fam := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if fam == unix.AF_INET6 && !p.caps.IPv6 {
			break
		}
		err := p.dump(unix.RTM_GETROUTE, func(e *encoder) {
			e.raw(fam)
			e.raw(make([]byte, unix.SizeofRtMsg-1)...)
		}, func(m message) {
			if r, ok := p.parseRoute(m); ok && r.Protocol == unix.RTPROT_KERNEL && r.Uses(p.names.name(index)) {
				have[r.Prefix] = true
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return have, nil
}

func connected(e *encoder, prefix netip.Prefix, table uint32, index int) {
	e.addr(unix.RTA_DST, prefix.Addr())
	e.u32(unix.RTA_TABLE, table)
	e.u32(unix.RTA_OIF, uint32(index))
}
