package iface

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// guards returns what holds back the GRE of protected tunnels that is not ESP. Each
// address from which a tunnel may send has one: all that were asked for or seen, until
// the kernel says that the tunnel's device sends from the one that was asked for last.
// So a guard is there before the tunnel sends from an address, and stays until it does
// so no more, also where the interface was taken out of the configuration and its
// device is yet to go. Only when the line goes, and the interface stays, the guard goes
// at once.
func (c *Core) guards() []dataplane.Object {
	tunnels, lifted := map[string]map[netip.Addr]bool{}, map[string]bool{}
	for i := range c.cfg.Interfaces {
		cfg := &c.cfg.Interfaces[i]
		switch kernel := c.Kernel(cfg.Name); {
		case !IsTunnel(cfg.Name):
		case cfg.Tunnel.Protection == "":
			lifted[kernel] = true
		default:
			tunnels[kernel] = c.exits(kernel, c.told[cfg.Name].Tunnel.Source)
		}
	}
	for _, kernel := range slices.Sorted(maps.Keys(c.guarded)) {
		if tunnels[kernel] == nil && c.links[kernel] != nil && !lifted[kernel] {
			tunnels[kernel] = c.exits(kernel, netip.Addr{})
		}
	}
	c.guarded = tunnels
	all := map[netip.Addr]bool{}
	for _, addresses := range tunnels {
		maps.Copy(all, addresses)
	}
	var objects []dataplane.Object
	for _, a := range slices.SortedFunc(maps.Keys(all), netip.Addr.Compare) {
		objects = append(objects, dataplane.Guard(a))
	}
	return objects
}

// espInUDP returns what lets ESP of protected tunnels come in UDP, by family and VRF.
func (c *Core) espInUDP() []dataplane.Object {
	var objects []dataplane.Object
	seen := map[dataplane.ESPinUDP]bool{}
	for i := range c.cfg.Interfaces {
		t := c.cfg.Interfaces[i].Tunnel
		o := dataplane.ESPinUDP{IPv6: t.IPv6, Device: c.Kernel(t.VRF)}
		if IsTunnel(c.cfg.Interfaces[i].Name) && t.Protection != "" && !seen[o] {
			seen[o] = true
			objects = append(objects, o)
		}
	}
	return objects
}

// exits returns the addresses from which a tunnel may send that is to have a source,
// zero if that is not known.
func (c *Core) exits(kernel string, source netip.Addr) map[netip.Addr]bool {
	exits := map[netip.Addr]bool{}
	add := func(a netip.Addr) {
		if a.IsValid() && !a.IsUnspecified() {
			exits[a] = true
		}
	}
	last, _ := c.desired[dataplane.Key{Kind: dataplane.KindTunnel, Name: kernel}].(dataplane.Tunnel)
	var now netip.Addr
	if l := c.links[kernel]; l != nil && l.info.GRE != nil {
		now = l.info.GRE.Local
	}
	if !now.IsValid() || now != last.Local {
		maps.Copy(exits, c.guarded[kernel])
	}
	add(source)
	add(last.Local)
	add(now)
	return exits
}
