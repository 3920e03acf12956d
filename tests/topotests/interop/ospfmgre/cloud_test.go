package ospfmgre

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/interop/ospfpeers"
)

// TestMain lets the clouds run side by side, also where there is one CPU: they wait for
// timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "5"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.MainConfig(m, harness.Config{Memory: "2G"})
}

// cloud is an underlay with sites.
type cloud struct {
	t     *testing.T
	tp    *harness.Topology
	inet  *harness.Node
	sites []*site
	wire  *harness.Capture // of the first one's uplink: the hub
}

// site is a router with a tunnel and a LAN.
type site struct {
	*ospfpeers.Router
	t      *testing.T
	uplink *harness.Link
	n      int    // its number
	nbma   string // address of the uplink
	tunnel string // address of the tunnel
	lan    string // prefix
	dev    string // of the tunnel
}

func build(t *testing.T) *cloud {
	tp := harness.New(t)
	return &cloud{t: t, tp: tp, inet: tp.Internet("inet")}
}

// add adds a site; the first one is number 1, others have 10 and more.
func (c *cloud) add(suite ospfpeers.Suite, name string) *site {
	n := 1
	if len(c.sites) > 0 {
		n = 10 + len(c.sites)
	}
	s := &site{t: c.t, n: n, nbma: fmt.Sprintf("198.18.%d.1", n), tunnel: fmt.Sprintf("172.31.0.%d", n), lan: fmt.Sprintf("10.%d.0.0/24", n), dev: "gre1"}
	if suite == ospfpeers.Ours {
		s.dev = "Tunnel0"
	}
	s.Router = &ospfpeers.Router{Node: c.tp.Router(name), Suite: suite, ID: s.tunnel}
	s.uplink = c.tp.Uplink(c.inet, s.Node, s.nbma+"/30")
	s.Dummy("lan", s.router()+"/24")
	if len(c.sites) == 0 {
		c.wire = s.Capture("wan")
	}
	c.sites = append(c.sites, s)
	return s
}

// router is a site's address in its LAN.
func (s *site) router() string { return fmt.Sprintf("10.%d.0.1", s.n) }

// via is the route to a site's LAN by way of one, on this site's tunnel; host that to its address
// on the tunnel.
func (s *site) via(to, by *site) string {
	return fmt.Sprintf("%s via %s dev %s", to.lan, by.tunnel, s.dev)
}
func (s *site) host(to, by *site) string {
	return fmt.Sprintf("%s/32 via %s dev %s", to.tunnel, by.tunnel, s.dev)
}

// ours is the configuration of a router of this suite, with these lines of the tunnel.
func (s *site) ours(lines string) string {
	return ospfpeers.HMACChain + "interface Tunnel0\n ip address " + s.tunnel + "/24\n ip mtu 1400\n ip nhrp network-id 1\n tunnel source wan\n tunnel key 100\n" +
		lines + timers + ospfpeers.RouterOurs(s.ID) + " passive-interface lan\n network 172.31.0.0 0.0.255.255 area 0\n network 10.0.0.0 0.255.255.255 area 0\n"
}

// frr is that of FRR's ospfd, with these lines of the tunnel, and further ones of the process.
func (s *site) frr(lines, process string) string {
	return "interface gre1\n" + lines + timers + ospfpeers.RouterFRR(s.ID) + " passive-interface lan\n network 172.31.0.0/24 area 0\n network 10.0.0.0/8 area 0\n" + process
}

// bird is that of BIRD, with this type of network.
func (s *site) bird(kind string) string {
	return ospfpeers.BIRDConfig(s.ID, " area 0 {\n  interface \"gre1\" { hello 1; dead 12; "+kind+" };\n  interface \"lan\" { stub; };\n };\n")
}

// timers leave a User-Mode Linux the seconds that it takes to start a daemon.
const timers = ospfpeers.Slow

// gre makes the tunnel of FRR or BIRD: to one station, or, where that is "", to all that the
// neighbour table knows. Its address has a subnet, or that as its peer, as FRR's nhrpd wants it.
func (s *site) gre(remote string, peer bool, neighbors ...*site) {
	s.t.Helper()
	batch := "link add gre1 type gre key 100 ttl 64 local " + s.nbma
	if remote != "" {
		batch += " remote " + remote
	}
	batch += "\n"
	if peer {
		batch += "addr add " + s.tunnel + " peer 172.31.0.0/24 dev gre1\n"
	} else {
		batch += "addr add " + s.tunnel + "/24 dev gre1\n"
	}
	batch += "link set gre1 mtu 1400 multicast on up\n"
	for _, n := range neighbors {
		batch += fmt.Sprintf("neigh add %s lladdr %s dev gre1 nud permanent\n", n.tunnel, n.nbma)
	}
	file := filepath.Join(s.Rundir(), "ip.batch")
	if err := os.WriteFile(file, []byte(batch), 0o640); err != nil {
		s.t.Fatal(err)
	}
	if out, err := s.Run("ip", "-batch", file); err != nil {
		s.t.Fatal(out, err)
	}
}

// copies has FRR's nhrpd send what goes to a group to each station: it gets it by a rule that is
// the user's to make, as is the one that drops the original, for which the kernel knows no
// station.
func (s *site) copies() {
	s.t.Helper()
	for _, rule := range []string{"NFLOG --nflog-group 224", "DROP"} {
		if out, err := s.Run("iptables-legacy", strings.Fields("-A OUTPUT -o gre1 -d 224.0.0.0/24 -j "+rule)...); err != nil {
			s.t.Fatal(out, err)
		}
	}
}

// unasked has the kernel of FRR not ask its nhrpd for stations, once that has said that it
// should: nhrpd tells it of those that register or answer, and that is not doubted for long.
// Of its hub a client tells at once, now and then with the NBMA address 0.0.0.0, and never
// again: that is put right.
func (s *site) unasked(hub *site) {
	s.t.Helper()
	const asks = "net.ipv4.neigh.gre1.app_solicit"
	harness.Eventually(s.t, ospfpeers.Converge, func() error {
		return s.Do(func() error {
			b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(asks, ".", "/"))
			if err == nil && strings.TrimSpace(string(b)) == "0" {
				err = fmt.Errorf("nhrpd of %s has not set %s", s.Name(), asks)
			}
			return err
		})
	})
	s.Sysctl(asks, "0")
	s.Sysctl("net.ipv4.neigh.gre1.base_reachable_time_ms", "600000")
	if hub == nil {
		return
	}
	harness.Eventually(s.t, ospfpeers.Converge, func() error {
		for _, n := range s.Neighbors("gre1") {
			if n.Address.String() == hub.tunnel && n.NBMA.IsUnspecified() {
				s.GREPeer("gre1", hub.tunnel, hub.nbma)
			} else if n.Address.String() == hub.tunnel && n.NBMA.String() == hub.nbma {
				return nil
			}
		}
		return fmt.Errorf("nhrpd of %s does not say where %s is", s.Name(), hub.tunnel)
	})
}

// nhrp are FRR's lines of the tunnel and of the router for NHRP, as a client of a hub, or, where
// that is nil, as one.
func nhrp(hub *site) (tunnel, router string) {
	tunnel = " no link-detect\n ip nhrp network-id 1\n ip nhrp holdtime 30\n"
	if hub == nil {
		return tunnel + " ip nhrp map multicast dynamic\n", "nhrp multicast-nflog-group 224\n"
	}
	return tunnel + fmt.Sprintf(" ip nhrp nhs %s nbma %s\n ip nhrp map multicast %[2]s\n", hub.tunnel, hub.nbma), "nhrp multicast-nflog-group 224\n"
}

// backOff is how long FRR's nhrpd waits at most before it asks again a server that does not
// answer, such as one that starts behind it.
const backOff = 64 * time.Second

// await waits until all is so, and all sites have the same database.
func (c *cloud) await(all ...func() error) {
	c.t.Helper()
	var routers []*ospfpeers.Router
	for _, s := range c.sites {
		routers = append(routers, s.Router)
	}
	harness.Await(c.t, ospfpeers.Converge+backOff, append(all, ospfpeers.SameDatabases(routers...))...)
}

// launch starts a router of this suite, without waiting for it: it has its time until all is so.
func (s *site) launch(config string) { s.Zebra = s.LaunchWith(config) }

// without are all sites but those that are gone.
func (c *cloud) without(gone []*site) (all []*site) {
	for _, s := range c.sites {
		if !slices.Contains(gone, s) {
			all = append(all, s)
		}
	}
	return all
}

// gone waits until no other site has a route to the LAN of one.
func (c *cloud) gone(lost *site) {
	c.t.Helper()
	harness.Eventually(c.t, ospfpeers.Converge, func() error {
		for _, s := range c.without([]*site{lost}) {
			for _, r := range s.RoutesOf(s.Protocol()) {
				if r.Prefix.String() == lost.lan {
					return fmt.Errorf("%s still has %v", s.Name(), r)
				}
			}
		}
		return nil
	})
}

// reach pings from LAN to LAN, of all sites.
func (c *cloud) reach() {
	c.t.Helper()
	for _, from := range c.sites {
		for _, to := range c.sites {
			if from == to {
				continue
			}
			if r, err := from.Ping(to.router(), from.router(), 2); err != nil || r.Received != 2 {
				c.t.Errorf("from %s to %s: %+v, %v", from.Name(), to.Name(), r, err)
			}
		}
	}
}

// decode has tshark look at all packets of OSPF that passed the hub.
func (c *cloud) decode() {
	c.t.Helper()
	c.wire.Stop()
	if err := harness.CheckDissected("ospf && !icmp", 20, c.wire); err != nil {
		c.t.Error(err)
	}
}
