package core

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// backbone is the area that all others are attached to.
const backbone packet.ID = 0

// virtualLink returns the interface of a virtual link, nil if there is none.
func (in *instance) virtualLink(transit, router packet.ID) *iface {
	for _, i := range in.ifaces {
		if v := i.virtual; v != nil && v.transit == transit && v.router == router {
			return i
		}
	}
	return nil
}

// reconcileVirtuals brings the virtual links in line with the configuration. They are down
// until the routes say that the other end is reached (RFC 2328 section 15).
func (in *instance) reconcileVirtuals(now clock.Instant) {
	if !in.on {
		return
	}
	wanted := map[*iface]bool{}
	for _, ac := range in.cfg.Areas {
		for _, v := range ac.VirtualLinks {
			if ac.ID == backbone || ac.Kind != AreaNormal || v.Router == in.id { // section 15: no stub area
				continue
			}
			i := in.virtualLink(ac.ID, v.Router)
			if i == nil {
				i = in.addVirtual(ac.ID, v.Router)
			}
			wanted[i] = true
			ic := v.Interface
			ic.Name, ic.Type = i.name, fsm.VirtualLink
			i.adopt(now, ic.normal(in, in.areaConfig(backbone)))
		}
	}
	for _, i := range slices.Clone(in.ifaces) {
		if i.virtual != nil && !wanted[i] {
			in.removeIface(now, i)
		}
	}
	in.core.listenAll()
}

func (in *instance) addVirtual(transit, router packet.ID) *iface {
	v := &virtual{transit: transit, router: router, number: in.virtuals}
	in.virtuals++
	i := newIface(in, in.areaFor(backbone), fmt.Sprintf("OSPF_VL%d", v.number))
	i.virtual, i.typ = v, fsm.VirtualLink
	in.enter(i)
	return i
}

// virtualUp says that the other end of a virtual link is reached: from an address of this
// router to one of the other, at a cost within the transit area.
func (in *instance) virtualUp(now clock.Instant, transit, router packet.ID, local, remote netip.Addr, cost uint16) {
	i := in.virtualLink(transit, router)
	if i == nil {
		return
	}
	addr := netip.PrefixFrom(local, local.BitLen())
	changed := i.cost != cost || i.addr != addr
	i.addr, i.cost, i.virtual.remote = addr, cmp.Or(cost, 1), remote
	if i.state == fsm.InterfaceIsDown {
		i.event(now, fsm.InterfaceUp)
	} else if changed {
		in.routesInterface(now, i)
	}
}

// virtualDown says that the other end of a virtual link is not reached any more.
func (in *instance) virtualDown(now clock.Instant, transit, router packet.ID) {
	if i := in.virtualLink(transit, router); i != nil {
		i.event(now, fsm.InterfaceDown)
	}
}

// virtualFor returns the virtual link that a packet of the backbone is of: one through the
// area of the interface that it came by (section 8.2).
func (in *instance) virtualFor(m *packet.Message, by *iface) *iface {
	if m.AreaID != backbone || by == nil {
		return nil
	}
	return in.virtualLink(by.area.id, m.RouterID)
}
