package core

import (
	"cmp"
	"maps"
	"slices"

	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
)

// listenKey names what the edge listens to.
type listenKey struct{ name, vrf string }

// listen keeps what the edge listens to on an interface in line with what its instance
// wants (RFC 2328 section 8.1). All hear AllSPFRouters (appendix A.1), also where nothing is
// sent to it: another router of the network may know nothing else.
func (c *Core) listen(name string) {
	want, wanted := Listen{Interface: name, VRF: c.links.VRF(name), Group: true}, false
	for _, in := range c.order {
		i := in.byName[name]
		if i == nil || i.virtual != nil || !i.listens() {
			continue
		}
		wanted = true
		want.Designated = want.Designated || i.typ == fsm.Broadcast && (i.state == fsm.InterfaceDR || i.state == fsm.InterfaceBackup)
	}
	c.setListen(listenKey{name: name}, want, wanted)
}

// listens reports whether packets are expected on the interface, or will be at once.
func (i *iface) listens() bool {
	return !i.passive && i.state != fsm.InterfaceLoopback && i.link.Up && i.addr.IsValid() && !i.cfg.Shutdown
}

// listenAll does so for all interfaces, and for virtual links.
func (c *Core) listenAll() {
	for _, name := range c.links.Names() {
		c.listen(name)
	}
	want := map[string]bool{}  // by VRF
	for k := range c.listens { // unordered: a set
		if k.name == "" {
			want[k.vrf] = false
		}
	}
	for _, in := range c.order {
		for _, i := range in.ifaces {
			if i.virtual != nil {
				want[in.key.VRF] = true
			}
		}
	}
	for _, vrf := range slices.SortedFunc(maps.Keys(want), cmp.Compare[string]) {
		c.setListen(listenKey{vrf: vrf}, Listen{VRF: vrf}, want[vrf])
	}
}

func (c *Core) setListen(k listenKey, want Listen, wanted bool) {
	switch have, ok := c.listens[k]; {
	case wanted && (!ok || have != want):
		c.listens[k] = want
		c.emit(want)
	case !wanted && ok:
		delete(c.listens, k)
		gone := Unlisten{Interface: k.name}
		if k.name == "" {
			gone.VRF = have.VRF
		}
		c.emit(gone)
	}
}
