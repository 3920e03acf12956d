// Package zebra_test proves zebra's own commands against the kernel's tables:
// interfaces, tunnels, VRFs and static routes, without any daemon.
package zebra_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// soon is how long the kernel may take to look as configured.
const soon = 30 * time.Second

// router is a node with two links, "wan" to the node "isp" and "lan" to a host.
func router(t *testing.T, config string) (n, isp, host *harness.Node) {
	tp := harness.New(t)
	n, isp, host = tp.Node("r"), tp.Router("isp"), tp.Node("host")
	tp.Link(n, "wan", "", isp, "eth0", "192.0.2.2/30")
	tp.Link(n, "lan", "", host, "eth0", "10.1.0.10/24")
	host.Route("default", "10.1.0.1")
	n.StartZebra("interface wan\n ip address 192.0.2.1 255.255.255.252\ninterface lan\n ip address 10.1.0.1/24\n" + config)
	return n, isp, host
}

// wantStatic waits until the kernel's static routes are these.
func wantStatic(t *testing.T, n *harness.Node, want ...string) {
	t.Helper()
	n.WaitRoutes(soon, harness.ProtocolNumber(rib.Static), want...)
}

// TestStaticRoutes has recursive, floating, discard and multipath routes.
func TestStaticRoutes(t *testing.T) {
	n, isp, _ := router(t, `ip route 10.8.0.0 255.255.0.0 192.0.2.2
ip route 10.9.0.0/16 10.8.0.1
ip route 10.10.0.0/16 192.0.2.2
ip route 10.10.0.0/16 lan 10.1.0.10 200
ip route 10.11.0.0/16 Null0
ip route 10.12.0.0/16 192.0.2.2
ip route 10.12.0.0/16 lan 10.1.0.10
ip route 10.13.0.0/16 10.99.0.1
`)
	const (
		recursive = "10.9.0.0/16 via 192.0.2.2 dev wan"
		parent    = "10.8.0.0/16 via 192.0.2.2 dev wan"
		discard   = "blackhole 10.11.0.0/16"
	)
	wantStatic(t, n, parent, recursive, discard, "10.10.0.0/16 via 192.0.2.2 dev wan",
		"10.12.0.0/16 via 10.1.0.10 dev lan via 192.0.2.2 dev wan")
	if err := n.ShowJSON("show ip route 10.13.0.0 255.255.0.0", `{"routes": [{"selected": false, "inactiveReason": "next hop 10.99.0.1 unreachable"}]}`); err != nil {
		t.Error(err)
	}
	// The way to the provider goes: what floats above takes over.
	isp.Down("eth0")
	wantStatic(t, n, discard, "10.10.0.0/16 via 10.1.0.10 dev lan", "10.12.0.0/16 via 10.1.0.10 dev lan")
	isp.Up("eth0")
	wantStatic(t, n, parent, recursive, discard, "10.10.0.0/16 via 192.0.2.2 dev wan",
		"10.12.0.0/16 via 10.1.0.10 dev lan via 192.0.2.2 dev wan")
	n.Configure("no ip route 10.8.0.0 255.255.0.0 192.0.2.2\nno ip route 10.12.0.0/16 lan 10.1.0.10")
	wantStatic(t, n, discard, "10.10.0.0/16 via 192.0.2.2 dev wan", "10.12.0.0/16 via 192.0.2.2 dev wan")
}

// TestRoutesArePutBack deletes a route behind zebra's back.
func TestRoutesArePutBack(t *testing.T) {
	n, _, _ := router(t, "ip route 10.8.0.0 255.255.0.0 192.0.2.2\n")
	const want = "10.8.0.0/16 via 192.0.2.2 dev wan"
	wantStatic(t, n, want)
	routes, err := n.Netlink().RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Protocol: netlink.RouteProtocol(rib.Static.KernelNumber())}, netlink.RT_FILTER_PROTOCOL)
	if err != nil || len(routes) != 1 {
		t.Fatalf("%v, %v", routes, err)
	}
	if err := n.Netlink().RouteDel(&routes[0]); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, soon, func() error { return n.ShowJSON("show zebra fib", `{"PutBack": 1}`) })
	wantStatic(t, n, want)
}

// device returns a device by name; ok is false if there is none.
func device(n *harness.Node, name string) (d harness.Device, ok bool) {
	for _, d := range n.Devices() {
		if d.Name == name {
			return d, true
		}
	}
	return d, false
}

// TestInterfaces sets what an interface block can.
func TestInterfaces(t *testing.T) {
	n, _, host := router(t, `interface Loopback7
 description test of loopbacks
 ip address 10.255.0.7 255.255.255.255
 ipv6 address 2001:db8::7/128
interface lan
 ip address 10.2.0.1 255.255.255.0 secondary
 mtu 1300
`)
	harness.Eventually(t, soon, func() error {
		return n.ShowJSON("show interfaces Loopback7", `{"interfaces": [{"name": "Loopback7", "up": true, "description": "test of loopbacks",
			"addresses": ["10.255.0.7/32", "2001:db8::7/128"]}]}`)
	})
	host.MustPing("10.255.0.7", 1)
	harness.Eventually(t, soon, func() error {
		if d, ok := device(n, "lan"); !ok || d.MTU != 1300 {
			return fmt.Errorf("lan is %+v", d)
		}
		return n.ShowJSON("show ip route 10.2.0.0 255.255.255.0", `{"routes": [{"protocol": "connected", "selected": true}]}`)
	})
	n.Configure("interface lan\nshutdown")
	harness.Eventually(t, soon, func() error {
		if err := host.Reaches("10.1.0.1"); err == nil {
			return fmt.Errorf("an interface that was shut down answers")
		}
		return n.ShowJSON("show interfaces lan", `{"interfaces": [{"adminUp": false, "up": false}]}`)
	})
	n.Configure("interface lan\nno shutdown\nno ip address 10.2.0.1 255.255.255.0 secondary\nno mtu\nno interface Loopback7")
	harness.Eventually(t, soon, func() error {
		if d, ok := device(n, "lan"); !ok || d.MTU != 1500 {
			return fmt.Errorf("lan is %+v", d)
		}
		if _, ok := device(n, "Loopback7"); ok {
			return fmt.Errorf("Loopback7 is still there")
		}
		return host.Reaches("10.1.0.1")
	})
}

// gre returns the kernel's attributes of a tunnel.
func gre(n *harness.Node, name string) (*netlink.Gretun, error) {
	l, err := n.Netlink().LinkByName(name)
	if err != nil {
		return nil, err
	}
	g, ok := l.(*netlink.Gretun)
	if !ok {
		return nil, fmt.Errorf("%s is of type %s", name, l.Type())
	}
	return g, nil
}

// TestTunnelAttributes changes every attribute of a tunnel in place: the device
// keeps its index and its addresses.
func TestTunnelAttributes(t *testing.T) {
	n, _, _ := router(t, `interface Tunnel3
 ip address 172.31.3.1 255.255.255.0
 tunnel source wan
 tunnel mode gre multipoint
 tunnel key 7
`)
	var before *netlink.Gretun
	harness.Eventually(t, soon, func() (err error) {
		before, err = gre(n, "Tunnel3")
		if err == nil && (before.IKey != 7 || before.OKey != 7 || before.Local.String() != "192.0.2.1" || before.Ttl != 255) {
			err = fmt.Errorf("tunnel %+v", before)
		}
		return err
	})
	for _, step := range []struct {
		lines string
		ok    func(g *netlink.Gretun) bool
	}{
		{"tunnel key 4294967295", func(g *netlink.Gretun) bool { return g.IKey == 4294967295 && g.OKey == 4294967295 }},
		{"no tunnel key", func(g *netlink.Gretun) bool { return g.IKey == 0 && g.IFlags == 0 }},
		{"tunnel ttl 9", func(g *netlink.Gretun) bool { return g.Ttl == 9 }},
		{"tunnel tos 16", func(g *netlink.Gretun) bool { return g.Tos == 16 }},
		{"tunnel path-mtu-discovery", func(g *netlink.Gretun) bool { return g.PMtuDisc == 1 }},
		{"no tunnel path-mtu-discovery", func(g *netlink.Gretun) bool { return g.PMtuDisc == 0 }},
		{"ip mtu 1400", func(g *netlink.Gretun) bool { return g.MTU == 1400 }},
		{"tunnel source 10.1.0.1", func(g *netlink.Gretun) bool { return g.Local.String() == "10.1.0.1" }},
		{"no tunnel ttl\nno tunnel tos", func(g *netlink.Gretun) bool { return g.Ttl == 255 && g.Tos == 0 }},
	} {
		n.Configure("interface Tunnel3\n" + step.lines)
		harness.Eventually(t, soon, func() error {
			g, err := gre(n, "Tunnel3")
			switch {
			case err != nil:
				return err
			case g.Index != before.Index:
				return fmt.Errorf("%s: the device was made anew", step.lines)
			case !step.ok(g):
				return fmt.Errorf("%s: %+v", step.lines, g)
			}
			return n.ShowJSON("show interfaces Tunnel3", `{"interfaces": [{"up": true, "addresses": ["172.31.3.1/24"]}]}`)
		})
	}
	// To point-to-point and back: the kernel needs another device for that; the
	// address comes along.
	n.Configure("interface Tunnel3\nno tunnel mode\ntunnel destination 192.0.2.2")
	harness.Eventually(t, soon, func() error {
		g, err := gre(n, "Tunnel3")
		if err == nil && g.Remote.String() != "192.0.2.2" {
			err = fmt.Errorf("remote %v", g.Remote)
		}
		if err != nil {
			return err
		}
		return n.ShowJSON("show interfaces Tunnel3", `{"interfaces": [{"up": true, "addresses": ["172.31.3.1/24"]}]}`)
	})
	n.Configure("no interface Tunnel3")
	harness.Eventually(t, soon, func() error {
		if _, ok := device(n, "Tunnel3"); ok {
			return fmt.Errorf("Tunnel3 is still there")
		}
		return nil
	})
}

// TestVRF puts the uplink into a VRF with a default route of its own, and binds a
// tunnel to it (front-door VRF).
func TestVRF(t *testing.T) {
	tp := harness.New(t)
	inet := tp.Internet("inet")
	var ends []*harness.Node
	for i, addr := range []string{"192.0.2.", "198.51.100."} {
		n := tp.Node(fmt.Sprintf("r%d", i+1))
		tp.Link(inet, fmt.Sprintf("to-r%d", i+1), addr+"2/30", n, "wan", "")
		far := map[int]string{0: "198.51.100.1", 1: "192.0.2.1"}[i]
		n.StartZebra(fmt.Sprintf(`vrf definition INET
 address-family ipv4
 exit-address-family
interface wan
 vrf forwarding INET
 ip address %s1 255.255.255.252
interface Tunnel0
 ip address 172.31.0.%d 255.255.255.0
 tunnel source wan
 tunnel destination %s
 tunnel key 5
 tunnel vrf INET
ip route vrf INET 0.0.0.0 0.0.0.0 %s2
`, addr, i+1, far, addr))
		ends = append(ends, n)
	}
	harness.Eventually(t, soon, func() error { return ends[0].Reaches("172.31.0.2") })
	harness.Eventually(t, soon, func() error { // the kernel has it before zebra knows
		return ends[0].ShowJSON("show ip route vrf INET", `{"vrf": "INET", "routes": [{"prefix": "0.0.0.0/0", "routes": [{"protocol": "static", "installed": true}]}]}`)
	})
	if err := ends[0].ShowJSON("show vrf", `{"vrfs": [{"name": "INET", "interfaces": ["wan"]}]}`); err != nil {
		t.Error(err)
	}
	for _, r := range ends[0].Routes() {
		if r.Table == 254 && r.Prefix.Bits() == 0 {
			t.Errorf("the VRF's default route is in the main table: %+v", r)
		}
	}
	if err := ends[0].Reaches("198.51.100.1"); err == nil {
		t.Error("the underlay is reached from outside of its VRF")
	}
}

// TestKernelRoutesAreSeen imports a route that somebody else installs, and loses
// it again.
func TestKernelRoutesAreSeen(t *testing.T) {
	n, _, _ := router(t, "ip route 10.9.0.0/16 10.8.0.1\n")
	n.Route("10.8.0.0/16", "192.0.2.2")
	harness.Eventually(t, soon, func() error {
		return n.ShowJSON("show ip route 10.8.0.0 255.255.0.0", `{"routes": [{"protocol": "kernel", "selected": true}]}`)
	})
	wantStatic(t, n, "10.9.0.0/16 via 192.0.2.2 dev wan")
}

// TestSwitchesAreRestored sees that the kernel's switches are set while zebra
// runs, and are as before after it.
func TestSwitchesAreRestored(t *testing.T) {
	tp := harness.New(t)
	n := tp.Node("r")
	tp.Link(n, "wan", "", tp.Node("isp"), "eth0", "192.0.2.2/30")
	n.Sysctl("net.ipv4.ip_forward", "0")
	n.Sysctl("net.ipv4.conf.all.send_redirects", "1")
	z := n.StartZebra("interface wan\n ip address 192.0.2.1/30\ninterface Tunnel0\n tunnel source wan\n tunnel mode gre multipoint\n")
	read := func(path string) string {
		var b []byte
		if err := n.Do(func() (err error) {
			b, err = os.ReadFile(filepath.Join("/proc/sys/net", path))
			return err
		}); err != nil {
			return err.Error()
		}
		return strings.TrimSpace(string(b))
	}
	harness.Eventually(t, soon, func() error {
		for path, want := range map[string]string{"ipv4/ip_forward": "1", "ipv4/conf/all/send_redirects": "0",
			"ipv4/igmp_max_memberships": "16384", "ipv4/conf/Tunnel0/rp_filter": "2", "ipv4/conf/Tunnel0/send_redirects": "0"} {
			if got := read(path); got != want {
				return fmt.Errorf("%s is %s, want %s", path, got, want)
			}
		}
		return nil
	})
	if err := z.Terminate(soon); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"ipv4/ip_forward": "0", "ipv4/conf/all/send_redirects": "1", "ipv4/igmp_max_memberships": "20"} {
		if got := read(path); got != want {
			t.Errorf("after zebra %s is %s, was %s", path, got, want)
		}
	}
}
