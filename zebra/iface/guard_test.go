package iface_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/iface"
)

// guarded checks for which addresses there is a guard.
func (p *picture) guarded(when string, want ...string) {
	p.t.Helper()
	var have []string
	for _, o := range p.objects {
		if g, ok := o.(dataplane.Policy); ok && g.IsGuard() {
			have = append(have, g.Local.String())
		}
	}
	slices.Sort(have)
	if !slices.Equal(have, want) {
		p.t.Errorf("%s: guards of %v, wanted %v", when, have, want)
	}
}

// gre tells of the tunnel's device, as the kernel has it.
func (p *picture) gre(name, local string) {
	if p.index[name] == 0 {
		p.index[name] = len(p.index) + 1
	}
	p.core.Event(dataplane.LinkChanged{Link: dataplane.LinkInfo{Name: name, Index: p.index[name], Kind: "gre", Own: true, Up: true, Running: true,
		MTU: 1400, GRE: &dataplane.GREInfo{Local: netip.MustParseAddr(local)}}})
	p.drain()
}

func protected() iface.Config {
	cfg := hub()
	cfg.Interfaces[1].Tunnel.Protection = "DMVPN"
	return cfg
}

func TestGuard(t *testing.T) {
	p := newPicture(t, protected())
	p.link("eth0", true, "veth")
	p.guarded("no source yet")
	p.addr("eth0", "192.0.2.1/30", false)
	p.guarded("before there is a device", "192.0.2.1")
	if tun, _ := p.tunnel("Tunnel0"); !tun.Guarded {
		t.Error("the tunnel may be without its guard")
	}
	p.gre("Tunnel0", "192.0.2.1")
	p.guarded("there", "192.0.2.1")
	if i := p.ifaces["Tunnel0"].Tunnel; i.Protection != "DMVPN" || i.Shared {
		t.Errorf("daemons are told %+v", i)
	}

	// Another source: both have a guard until the kernel says that the tunnel moved.
	p.addr("eth0", "192.0.2.1/30", true)
	p.guarded("without a source", "192.0.2.1")
	p.addr("eth0", "198.51.100.7/24", false)
	p.guarded("on its way", "192.0.2.1", "198.51.100.7")
	p.link("lo1", true, "dummy")
	p.guarded("something else happens", "192.0.2.1", "198.51.100.7")
	p.gre("Tunnel0", "198.51.100.7")
	p.guarded("moved", "198.51.100.7")

	p.core.SetConfig(hub())
	p.drain()
	p.guarded("without the line")
	if tun, _ := p.tunnel("Tunnel0"); tun.Guarded {
		t.Error("the tunnel needs a guard without the line")
	}
}

// TestESPinUDP wants one for each family and VRF in which tunnels are protected.
func TestESPinUDP(t *testing.T) {
	wanted := func(p *picture, when string, want ...dataplane.ESPinUDP) {
		t.Helper()
		var have []dataplane.ESPinUDP
		for _, o := range p.objects {
			if e, ok := o.(dataplane.ESPinUDP); ok {
				have = append(have, e)
			}
		}
		slices.SortFunc(have, func(a, b dataplane.ESPinUDP) int { return cmp.Compare(a.Key().String(), b.Key().String()) })
		if !slices.Equal(have, want) {
			t.Errorf("%s: %v, wanted %v", when, have, want)
		}
	}
	cfg := protected()
	cfg.VRFs = append(cfg.VRFs, iface.VRF{Name: "INET"})
	for _, change := range []func(*iface.Tunnel){
		func(t *iface.Tunnel) { t.Key = 7 }, // shares it
		func(t *iface.Tunnel) { t.VRF = "INET" },
		func(t *iface.Tunnel) { t.IPv6 = true },
		func(t *iface.Tunnel) { t.Protection, t.VRF, t.IPv6 = "", "INET", true },
	} {
		i := cfg.Interfaces[1]
		i.Name = fmt.Sprint("Tunnel", len(cfg.Interfaces))
		change(&i.Tunnel)
		cfg.Interfaces = append(cfg.Interfaces, i)
	}
	p := newPicture(t, cfg)
	wanted(p, "before there are sources", dataplane.ESPinUDP{}, dataplane.ESPinUDP{Device: "INET"}, dataplane.ESPinUDP{IPv6: true})
	p.core.SetConfig(hub())
	p.drain()
	wanted(p, "without protection")
}

// TestGuardOutlivesTheInterface takes the interface out of the configuration: its guard
// stays until its device is gone.
func TestGuardOutlivesTheInterface(t *testing.T) {
	p := newPicture(t, protected())
	p.link("eth0", true, "veth")
	p.addr("eth0", "192.0.2.1/30", false)
	p.gre("Tunnel0", "192.0.2.1")
	p.core.SetConfig(iface.Config{})
	p.drain()
	p.guarded("the device is there", "192.0.2.1")
	p.link("eth0", true, "veth")
	p.guarded("something else happens", "192.0.2.1")
	p.core.Event(dataplane.LinkGone{Name: "Tunnel0", Index: p.index["Tunnel0"]})
	p.drain()
	p.guarded("the device is gone")
}

// TestGuardAfterRestart has the tunnel of an earlier zebra be there before its source
// is known.
func TestGuardAfterRestart(t *testing.T) {
	p := newPicture(t, protected())
	p.gre("Tunnel0", "192.0.2.99")
	p.guarded("of the device", "192.0.2.99")
	p.link("eth0", true, "veth")
	p.addr("eth0", "192.0.2.1/30", false)
	p.guarded("and of the source", "192.0.2.1", "192.0.2.99")
}

// TestGuardOfADeviceNotSeen changes the source while the device is being made.
func TestGuardOfADeviceNotSeen(t *testing.T) {
	p := newPicture(t, protected())
	p.link("eth0", true, "veth")
	p.addr("eth0", "192.0.2.1/30", false)
	p.addr("eth0", "192.0.2.1/30", true)
	p.addr("eth0", "198.51.100.7/24", false)
	p.link("lo1", true, "dummy")
	p.link("lo1", false, "dummy")
	p.guarded("asked for, not seen", "192.0.2.1", "198.51.100.7")
	p.gre("Tunnel0", "192.0.2.1")
	p.guarded("the first one seen", "192.0.2.1", "198.51.100.7")
	p.gre("Tunnel0", "198.51.100.7")
	p.guarded("the last one seen", "198.51.100.7")
}

// TestGuardComesFirst has the policy be asked for before the tunnel, and tunnels of one
// source share it.
func TestGuardComesFirst(t *testing.T) {
	cfg := protected()
	second := cfg.Interfaces[1]
	second.Name, second.Tunnel.Key = "Tunnel1", 7
	second.Addresses = []rib.Address{{Prefix: netip.MustParsePrefix("172.31.1.1/24")}}
	cfg.Interfaces = append(cfg.Interfaces, second)
	core := iface.New()
	core.SetConfig(cfg)
	core.Event(dataplane.LinkChanged{Link: dataplane.LinkInfo{Name: "eth0", Index: 1, Up: true, Running: true, MTU: 1500}})
	core.Event(dataplane.AddrChanged{Addr: dataplane.Addr{Device: "eth0", Prefix: netip.MustParsePrefix("192.0.2.1/30")}, Index: 1})
	var kinds []dataplane.Kind
	for _, e := range core.Drain(nil) {
		if d, ok := e.(iface.Desire); ok && (d.Op.Key.Kind == dataplane.KindPolicy || d.Op.Key.Kind == dataplane.KindTunnel) {
			kinds = append(kinds, d.Op.Key.Kind)
		}
	}
	if want := []dataplane.Kind{dataplane.KindPolicy, dataplane.KindTunnel, dataplane.KindTunnel}; !slices.Equal(kinds, want) {
		t.Errorf("asked for %v", kinds)
	}
}
