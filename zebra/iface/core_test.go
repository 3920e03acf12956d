package iface_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/iface"
)

// picture is what the effects of a core add up to.
type picture struct {
	t       *testing.T
	core    *iface.Core
	objects map[dataplane.Key]dataplane.Object
	ifaces  map[string]rib.Interface
	index   map[string]int
}

func newPicture(t *testing.T, cfg iface.Config) *picture {
	p := &picture{t: t, core: iface.New(), objects: map[dataplane.Key]dataplane.Object{},
		ifaces: map[string]rib.Interface{}, index: map[string]int{}}
	p.core.SetConfig(cfg)
	p.drain()
	return p
}

// drain applies the effects and returns how many there were.
func (p *picture) drain() int {
	effects := p.core.Drain(nil)
	for _, e := range effects {
		switch e := e.(type) {
		case iface.Desire:
			if e.Op.IsDelete() {
				delete(p.objects, e.Op.Key)
			} else {
				p.objects[e.Op.Key] = e.Op.Object
			}
		case iface.Changed:
			p.ifaces[e.Interface.Name] = e.Interface
		case iface.Gone:
			delete(p.ifaces, e.Name)
		}
	}
	return len(effects)
}

// link brings a device into the kernel, or changes it.
func (p *picture) link(name string, up bool, kind string) {
	if p.index[name] == 0 {
		p.index[name] = len(p.index) + 1
	}
	p.core.Event(dataplane.LinkChanged{Link: dataplane.LinkInfo{Name: name, Index: p.index[name], Kind: kind, Up: up, Running: up, MTU: 1500}})
	p.drain()
}

func (p *picture) addr(device, prefix string, gone bool) {
	p.core.Event(dataplane.AddrChanged{Addr: dataplane.Addr{Device: device, Prefix: netip.MustParsePrefix(prefix)},
		Index: p.index[device], Gone: gone})
	p.drain()
}

func (p *picture) tunnel(name string) (dataplane.Tunnel, bool) {
	o, ok := p.objects[dataplane.Key{Kind: dataplane.KindTunnel, Name: name}].(dataplane.Tunnel)
	return o, ok
}

func hub() iface.Config {
	return iface.Config{
		Aliases: map[string]string{"GigabitEthernet1": "eth0"},
		Interfaces: []iface.Interface{
			{Name: "GigabitEthernet1", Addresses: []rib.Address{{Prefix: netip.MustParsePrefix("192.0.2.1/30")}}},
			{Name: "Tunnel0", IPMTU: 1400, Addresses: []rib.Address{{Prefix: netip.MustParsePrefix("172.31.0.1/24")}},
				Tunnel: iface.Tunnel{SourceInterface: "GigabitEthernet1", Multipoint: true, HasKey: true, Key: 100}},
		},
	}
}

func TestTunnelFollowsItsSource(t *testing.T) {
	p := newPicture(t, hub())
	if _, ok := p.tunnel("Tunnel0"); ok {
		t.Fatal("tunnel is wanted before its source is known")
	}
	p.link("eth0", true, "veth")
	p.addr("eth0", "192.0.2.1/30", false)
	got, ok := p.tunnel("Tunnel0")
	want := dataplane.Tunnel{Name: "Tunnel0", Local: netip.MustParseAddr("192.0.2.1"), HasKey: true, GREKey: 100,
		TTL: 255, Resolve: true, Attrs: dataplane.Attrs{Admin: dataplane.AdminUp, MTU: 1400}}
	if !ok || got != want {
		t.Fatalf("tunnel = %+v, want %+v", got, want)
	}

	p.link("Tunnel0", true, "gre")
	p.addr("Tunnel0", "172.31.0.1/24", false)
	if i := p.ifaces["Tunnel0"]; !i.Up || i.Tunnel.Source != want.Local || i.Bandwidth != 100 || i.Delay != 5000 {
		t.Fatalf("Tunnel0 = %+v", i)
	}

	// Another address takes over, as after a new DHCP lease.
	p.addr("eth0", "192.0.2.1/30", true)
	if i := p.ifaces["Tunnel0"]; i.Up {
		t.Error("Tunnel0 is up without a source address")
	}
	if got, _ := p.tunnel("Tunnel0"); got.Local != want.Local {
		t.Errorf("without a source the tunnel became %+v; it should stay as it was", got)
	}
	p.addr("eth0", "198.51.100.7/24", false)
	if got, _ := p.tunnel("Tunnel0"); got.Local != netip.MustParseAddr("198.51.100.7") {
		t.Errorf("tunnel source is %v after the address changed", got.Local)
	}

	// The source device vanishes and comes back with a new index.
	p.core.Event(dataplane.LinkGone{Name: "eth0", Index: p.index["eth0"]})
	p.drain()
	if i := p.ifaces["Tunnel0"]; i.Up {
		t.Error("Tunnel0 is up without its source device")
	}
	p.index["eth0"] = 77
	p.link("eth0", true, "veth")
	p.addr("eth0", "198.51.100.8/24", false)
	if got, _ := p.tunnel("Tunnel0"); got.Local != netip.MustParseAddr("198.51.100.8") {
		t.Errorf("tunnel source is %v after the device came back", got.Local)
	}
}

// TestTunnelOverIPv6: the source is the first address of that family that is not
// link-local, and the outer header is longer.
func TestTunnelOverIPv6(t *testing.T) {
	cfg := hub()
	cfg.Interfaces[1].Tunnel.IPv6, cfg.Interfaces[1].IPMTU = true, 0
	p := newPicture(t, cfg)
	p.link("eth0", true, "veth")
	p.addr("eth0", "192.0.2.1/30", false)
	p.addr("eth0", "fe80::1/64", false)
	if got, ok := p.tunnel("Tunnel0"); ok {
		t.Fatalf("%+v is wanted without a source", got)
	}
	p.addr("eth0", "2001:db8::1/64", false)
	want := dataplane.Tunnel{Name: "Tunnel0", Local: netip.MustParseAddr("2001:db8::1"), HasKey: true, GREKey: 100,
		TTL: 255, Resolve: true, Attrs: dataplane.Attrs{Admin: dataplane.AdminUp, MTU: 1500 - 48}}
	if got, _ := p.tunnel("Tunnel0"); got != want {
		t.Fatalf("tunnel = %+v, want %+v", got, want)
	}
	p.link("Tunnel0", true, "ip6gre")
	if i := p.ifaces["Tunnel0"]; !i.Tunnel.IPv6Transport || i.Tunnel.Source != want.Local || !i.Up {
		t.Errorf("Tunnel0 = %+v %+v", i, i.Tunnel)
	}
	p.addr("eth0", "2001:db8::1/64", true)
	if got, _ := p.tunnel("Tunnel0"); got != want || p.ifaces["Tunnel0"].Up {
		t.Errorf("without a source the tunnel became %+v", got)
	}

	// Another transport, and no source for it.
	p.addr("eth0", "192.0.2.1/30", true)
	p.core.SetConfig(hub())
	p.drain()
	if got, ok := p.tunnel("Tunnel0"); ok {
		t.Errorf("%+v is wanted over IPv4 without a source", got)
	}

	// Addresses of the other family wait for the mode.
	cfg.Interfaces[1].Tunnel = iface.Tunnel{Source: netip.MustParseAddr("2001:db8::1"), Destination: netip.MustParseAddr("2001:db8::9")}
	p.addr("eth0", "2001:db8::1/64", false)
	p.core.SetConfig(cfg)
	p.drain()
	if got, ok := p.tunnel("Tunnel0"); ok {
		t.Errorf("%+v is wanted over IPv4 between addresses of IPv6", got)
	}
	cfg.Interfaces[1].Tunnel.IPv6 = true
	p.core.SetConfig(cfg)
	p.drain()
	if got, _ := p.tunnel("Tunnel0"); got.Remote != netip.MustParseAddr("2001:db8::9") || got.Local != want.Local || got.MTU != 1500-44 {
		t.Errorf("tunnel = %+v", got)
	}
	p.link("godmvpn-gre6", true, "ip6gre")
	if _, ok := p.ifaces["godmvpn-gre6"]; ok {
		t.Error("the device by which the data plane sends is told")
	}
}

func TestNamesAreTranslated(t *testing.T) {
	p := newPicture(t, hub())
	p.link("eth0", true, "veth")
	if i, ok := p.ifaces["GigabitEthernet1"]; !ok || i.KernelName != "eth0" {
		t.Errorf("GigabitEthernet1 = %+v", i)
	}
	if _, ok := p.ifaces["eth0"]; ok {
		t.Error("eth0 is told beside its alias")
	}
	if _, ok := p.objects[dataplane.Key{Kind: dataplane.KindAddr, Name: "eth0", Prefix: netip.MustParsePrefix("192.0.2.1/30")}]; !ok {
		t.Errorf("address of the alias is not wanted on eth0: %v", p.objects)
	}
	p.link("gre0", false, "gre")
	if _, ok := p.ifaces["gre0"]; ok {
		t.Error("the kernel's fallback device is told")
	}
}

func TestDrainIsQuietWithoutChange(t *testing.T) {
	p := newPicture(t, hub())
	p.link("eth0", true, "veth")
	p.addr("eth0", "192.0.2.1/30", false)
	p.core.SetConfig(hub())
	p.core.Event(dataplane.LinkChanged{Link: dataplane.LinkInfo{Name: "eth0", Index: p.index["eth0"], Kind: "veth", Up: true, Running: true, MTU: 1500}})
	if n := p.drain(); n != 0 {
		t.Errorf("%d effects without a change", n)
	}
}

func TestResyncSweepsWhatIsGone(t *testing.T) {
	p := newPicture(t, iface.Config{})
	p.link("eth0", true, "veth")
	p.addr("eth0", "192.0.2.1/30", false)
	p.addr("eth0", "192.0.2.9/30", false)
	p.link("eth1", true, "veth")
	p.core.Event(dataplane.Resync{})
	p.link("eth0", true, "veth")
	if _, ok := p.ifaces["eth1"]; !ok {
		t.Error("eth1 was withdrawn in the middle of a resync")
	}
	p.addr("eth0", "192.0.2.9/30", false)
	p.core.Event(dataplane.Known{})
	p.drain()
	if _, ok := p.ifaces["eth1"]; ok {
		t.Error("eth1 outlived the resync")
	}
	want := []rib.Address{{Prefix: netip.MustParsePrefix("192.0.2.9/30")}}
	if diff := cmp.Diff(want, p.ifaces["eth0"].Addresses, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

func TestVRFTables(t *testing.T) {
	cfg := iface.Config{VRFs: []iface.VRF{{Name: "RED"}, {Name: "BLUE"}},
		Interfaces: []iface.Interface{{Name: "eth0", VRF: "BLUE"}}}
	p := newPicture(t, cfg)
	table := func(vrf string) uint32 {
		o, _ := p.objects[dataplane.Key{Kind: dataplane.KindLink, Name: vrf}].(dataplane.Link)
		return o.Table
	}
	red, blue := table("RED"), table("BLUE")
	if red == blue || red < 1001 || blue < 1001 {
		t.Fatalf("tables %d and %d", red, blue)
	}
	if o := p.objects[dataplane.Key{Kind: dataplane.KindLink, Name: "eth0"}].(dataplane.Link); o.Master != "BLUE" {
		t.Errorf("eth0 = %+v", o)
	}
	// A device that was there before keeps its table.
	p.core.Event(dataplane.LinkChanged{Link: dataplane.LinkInfo{Name: "RED", Index: 40, Kind: "vrf", Table: blue, Up: true}})
	p.drain()
	if table("RED") != blue || table("BLUE") == blue {
		t.Errorf("RED has table %d of the kernel's %d, BLUE %d", table("RED"), blue, table("BLUE"))
	}
	p.core.SetConfig(iface.Config{})
	p.drain()
	if len(p.objects) != 4 { // the global switches stay
		t.Errorf("left over: %v", p.objects)
	}
}

func TestPointToPointTunnelNeedsDestination(t *testing.T) {
	cfg := hub()
	cfg.Interfaces[1].Tunnel.Multipoint = false
	p := newPicture(t, cfg)
	p.link("eth0", true, "veth")
	p.addr("eth0", "192.0.2.1/30", false)
	if _, ok := p.tunnel("Tunnel0"); ok {
		t.Fatal("a point-to-point tunnel without destination is wanted")
	}
	cfg = hub()
	cfg.Interfaces[1].Tunnel.Multipoint = false
	cfg.Interfaces[1].Tunnel.Destination = netip.MustParseAddr("203.0.113.9")
	cfg.Interfaces[1].IPMTU = 0
	p.core.SetConfig(cfg)
	p.drain()
	got, ok := p.tunnel("Tunnel0")
	if !ok || got.Remote != cfg.Interfaces[1].Tunnel.Destination || got.MTU != 1472 || got.Resolve {
		t.Fatalf("tunnel = %+v", got)
	}
}

func TestAdjustMSS(t *testing.T) {
	cfg := hub()
	cfg.Interfaces[0].AdjustMSS, cfg.Interfaces[1].AdjustMSS = 1400, 1360
	p := newPicture(t, cfg)
	clamp := func(device string) (mss uint16) {
		c, _ := p.objects[dataplane.MSSClamp{Device: device}.Key()].(dataplane.MSSClamp)
		return c.MSS
	}
	if clamp("eth0") != 1400 || clamp("Tunnel0") != 0 { // there is no tunnel without a source
		t.Errorf("before the tunnel can be: %v", p.objects)
	}
	p.link("eth0", true, "veth")
	p.addr("eth0", "192.0.2.1/30", false)
	if clamp("Tunnel0") != 1360 {
		t.Errorf("with the tunnel: %v", p.objects)
	}
	cfg = hub()
	cfg.Interfaces[1].AdjustMSS = 1300
	p.core.SetConfig(cfg)
	p.drain()
	if clamp("eth0") != 0 || clamp("Tunnel0") != 1300 {
		t.Errorf("after a change: %v", p.objects)
	}
}

// TestMulticast: a multipoint tunnel copies its multicast, and nothing else does.
func TestMulticast(t *testing.T) {
	cfg := hub()
	p := newPicture(t, cfg)
	replicated := func() (devices []string) {
		for k := range p.objects {
			if k.Kind == dataplane.KindMulticast {
				devices = append(devices, k.Name)
			}
		}
		return devices
	}
	if have := replicated(); have != nil { // there is no tunnel without a source
		t.Errorf("before the tunnel can be: %v", have)
	}
	p.link("eth0", true, "veth")
	p.addr("eth0", "192.0.2.1/30", false)
	if have := replicated(); len(have) != 1 || have[0] != "Tunnel0" {
		t.Errorf("with the tunnel: %v", have)
	}
	cfg = hub()
	cfg.Interfaces[1].Tunnel.Multipoint, cfg.Interfaces[1].Tunnel.Destination = false, netip.MustParseAddr("198.51.100.1")
	p.core.SetConfig(cfg)
	p.drain()
	if have := replicated(); have != nil {
		t.Errorf("point to point: %v", have)
	}
}

// TestTunnelOverTunnel: a tunnel whose source is a tunnel goes down with it,
// whatever the order of their names.
func TestTunnelOverTunnel(t *testing.T) {
	chain := func(names ...string) iface.Config { // each has the one before as its source
		cfg := iface.Config{}
		for i, name := range names {
			if i > 0 {
				cfg.Interfaces = append(cfg.Interfaces, iface.Interface{Name: name,
					Tunnel: iface.Tunnel{SourceInterface: names[i-1], Destination: netip.MustParseAddr("203.0.113.9")}})
			}
		}
		return cfg
	}
	for _, names := range [][]string{{"eth0", "Tunnel1", "Tunnel2", "Tunnel3"}, {"eth0", "Tunnel3", "Tunnel2", "Tunnel1"}, {"eth0", "Tunnel2", "Tunnel1", "Tunnel3"}} {
		p := newPicture(t, chain(names...))
		for i, name := range names {
			p.link(name, true, "gre")
			p.addr(name, fmt.Sprintf("10.0.%d.1/24", i), false)
		}
		for range 20 {
			p.link("eth0", true, "veth")
			for i, name := range names[1:] {
				if got := p.ifaces[name]; !got.Up || got.Tunnel.Source != netip.AddrFrom4([4]byte{10, 0, byte(i), 1}) {
					t.Fatalf("%v: %s up %v, source %v", names, name, got.Up, got.Tunnel.Source)
				}
			}
			p.link("eth0", false, "veth")
			for _, name := range names[1:] {
				if got := p.ifaces[name]; got.Up || got.Tunnel.Source.IsValid() {
					t.Fatalf("%v without eth0: %s up %v, source %v", names, name, got.Up, got.Tunnel.Source)
				}
			}
		}
	}
}
