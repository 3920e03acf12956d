package ospfdmvpn

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain lets the clouds run side by side, also where there is one CPU: they wait
// for timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.MainConfig(m, harness.Config{Memory: "3G"})
}

// trio is a hub with two spokes.
type trio struct {
	*cloud.Cloud
	hub, spoke1, spoke2 *cloud.Site
}

// build starts the three, with these lines of their tunnels.
func build(t *testing.T, hub, spoke string) *trio {
	c := cloud.New(t)
	d := &trio{Cloud: c, hub: c.Add("hub", "192.0.2.1", "172.31.0.1", 10),
		spoke1: c.Add("spoke1", "198.51.100.1", "172.31.0.11", 11), spoke2: c.Add("spoke2", "203.0.113.1", "172.31.0.12", 12)}
	c.Start(func(s *cloud.Site) string {
		if s == d.hub {
			return s.Config(cloud.NHRP+cloud.Key+cloud.Multipoint+hub+timers) + process
		}
		return s.Config(cloud.NHRP+cloud.Key+cloud.Quick+spoke+timers) + process
	})
	return d
}

// Lines of all tunnels, and of all processes. A neighbour that crashed has to be back
// within the dead interval: a User-Mode Linux takes seconds to start a daemon.
const (
	timers  = " ip ospf hello-interval 1\n ip ospf dead-interval 15\n"
	process = "router ospf 1\n nsf ietf restart-interval 60\n timers throttle spf 10 100 1000\n timers throttle lsa 0 500 1000\n passive-interface lan\n" +
		" network 172.31.0.0 0.0.255.255 area 0\n network 10.0.0.0 0.255.255.255 area 0\n"
)

// routes tells whether a kernel has exactly these routes of OSPF.
func routes(s *cloud.Site, want ...string) func() error {
	return func() error { return s.HasRoutes(harness.ProtocolNumber(rib.OSPF), want...) }
}

// lan is the route to the LAN of a site by way of one.
func lan(to, by *cloud.Site) string { return fmt.Sprintf("%s via %s dev Tunnel0", to.LAN, by.Tunnel) }

// host is the route to the tunnel's address of a site.
func host(to, by *cloud.Site) string {
	return fmt.Sprintf("%s/32 via %s dev Tunnel0", to.Tunnel, by.Tunnel)
}

// multipoint is what is so where the tunnel is point-to-multipoint: everything by way of
// the hub.
func (d *trio) multipoint() []func() error {
	return []func() error{
		routes(d.hub, lan(d.spoke1, d.spoke1), lan(d.spoke2, d.spoke2), host(d.spoke1, d.spoke1), host(d.spoke2, d.spoke2)),
		routes(d.spoke1, lan(d.hub, d.hub), lan(d.spoke2, d.hub), host(d.hub, d.hub), host(d.spoke2, d.hub)),
		routes(d.spoke2, lan(d.hub, d.hub), lan(d.spoke1, d.hub), host(d.hub, d.hub), host(d.spoke1, d.hub)),
	}
}

// survives kills daemons, one after the other, while packets go from spoke to spoke. None
// is lost, and no router withdraws a route. The next one is killed when the restart of the
// one before is over for all: who helps a neighbour may not restart itself.
func (d *trio) survives(whole []func() error, victims ...victim) {
	d.T.Helper()
	for _, v := range victims {
		flow := d.spoke1.Host.Flow(d.spoke2.HostIP, 20*time.Millisecond)
		var watches []*harness.RouteWatch
		for _, s := range d.Sites {
			watches = append(watches, s.WatchRoutes(harness.ProtocolNumber(rib.OSPF)))
		}
		d.More(flow, 10)
		d.KillDaemon(v.site, v.daemon)
		d.Await(whole...)
		d.More(flow, 100)
		d.Await(append(whole, d.over(v.site))...)
		for i, w := range watches {
			if err := w.Withdrawn(); err != nil {
				d.T.Errorf("%s of %s: %s: %v", v.daemon, v.site.Name(), d.Sites[i].Name(), err)
			}
			w.Stop()
		}
		d.Lossless(flow, v.daemon+" of "+v.site.Name())
	}
}

// over tells whether a site's ospfd does not restart any more, and none helps it.
func (d *trio) over(restarted *cloud.Site) func() error {
	return func() error {
		if err := restarted.ShowJSON("show ip ospf", `{"instances": [{"restarting": false}]}`); err != nil {
			return err
		}
		for _, s := range d.Sites {
			v, err := s.JSON("show ip ospf neighbor")
			if text := fmt.Sprint(v); err == nil && (strings.Contains(text, "gracefulRestartHelper:true") || !strings.Contains(text, "state:FULL")) {
				err = fmt.Errorf("%s helps a neighbour, or has none: %s", s.Name(), text)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

type victim struct {
	site   *cloud.Site
	daemon string
}

// TestPhase1 has spokes with point-to-point tunnels, and no multicast at all: nhrpd says
// who the neighbours are. A spoke dies, and comes back.
func TestPhase1(t *testing.T) {
	t.Parallel()
	const network = " ip ospf network point-to-multipoint non-broadcast\n"
	d := build(t, network, network+" tunnel destination 192.0.2.1\n ip nhrp map 172.31.0.1 192.0.2.1\n ip nhrp nhs 172.31.0.1\n")
	whole := d.multipoint()
	d.Await(whole...)
	d.Await(d.spoke1.Path(d.spoke2, d.hub, d.spoke2))
	d.spoke2.Uplink.Cut()
	d.Await(routes(d.hub, lan(d.spoke1, d.spoke1), host(d.spoke1, d.spoke1)), routes(d.spoke1, lan(d.hub, d.hub), host(d.hub, d.hub)))
	d.spoke2.Uplink.Mend()
	d.Await(whole...)
	d.survives(whole, victim{d.hub, "ospfd"})
}

// TestPhase2 has a network with a designated router, which only the hub can be. The
// spokes are the next hops of each other's LANs.
func TestPhase2(t *testing.T) {
	t.Parallel()
	const network = " ip ospf network broadcast\n"
	d := build(t, network+" ip ospf priority 255\n ip nhrp map multicast dynamic\n",
		cloud.Multipoint+network+" ip ospf priority 0\n ip nhrp map 172.31.0.1 192.0.2.1\n ip nhrp map multicast 192.0.2.1\n ip nhrp nhs 172.31.0.1\n")
	whole := []func() error{routes(d.hub, lan(d.spoke1, d.spoke1), lan(d.spoke2, d.spoke2)),
		routes(d.spoke1, lan(d.hub, d.hub), lan(d.spoke2, d.spoke2)), routes(d.spoke2, lan(d.hub, d.hub), lan(d.spoke1, d.spoke1))}
	d.Await(whole...)
	d.Await(d.spoke1.Path(d.spoke2, d.spoke2), d.spoke1.Knows(d.hub, d.spoke2))
	d.survives(whole, victim{d.hub, "ospfd"}, victim{d.spoke1, "ospfd"})
	for s, other := range map[*cloud.Site]*cloud.Site{d.spoke1: d.spoke2, d.spoke2: d.spoke1} {
		d.Await(func() error { // who restarted exchanges databases anew
			out, err := s.Vtysh("show ip ospf neighbor")
			if err == nil && (!strings.Contains(out, "FULL/DR") || strings.Contains(out, other.NBMA)) {
				err = fmt.Errorf("%s has other neighbours than the hub:\n%s", s.Name(), out)
			}
			return err
		})
	}
}

// TestPhase3 has all routes by way of the hub, which redirects: packets take shortcuts all
// the same, through the crash of any daemon.
func TestPhase3(t *testing.T) {
	t.Parallel()
	const network = " ip ospf network point-to-multipoint\n"
	d := build(t, network+" ip nhrp map multicast dynamic\n ip nhrp redirect\n", cloud.Multipoint+network+" ip nhrp shortcut\n"+nhs)
	d.Await(d.multipoint()...)
	d.spoke1.Host.MustPing(d.spoke2.HostIP, 3)
	short := []func() error{d.multipoint()[0], d.spoke1.Path(d.spoke2, d.spoke2), // the spokes' routes have the next hops of NHRP
		routes(d.spoke1, lan(d.hub, d.hub), lan(d.spoke2, d.spoke2), host(d.hub, d.hub), d.spoke2.Tunnel+"/32 dev Tunnel0"),
		routes(d.spoke2, lan(d.hub, d.hub), lan(d.spoke1, d.spoke1), host(d.hub, d.hub), d.spoke1.Tunnel+"/32 dev Tunnel0")}
	d.Await(append(short, func() error {
		out, err := d.spoke1.Vtysh("show ip route")
		if err == nil && !overridden(out, "10.12.0.0/24") {
			err = fmt.Errorf("the route is not overridden:\n%s", out)
		}
		return err
	})...)
	d.survives(short, victim{d.hub, "ospfd"}, victim{d.spoke1, "zebra"})
	d.spoke2.LANLink.DownAt(d.spoke2.Host)
	d.Await(func() error {
		for _, r := range append(d.spoke1.RoutesOf(harness.ProtocolNumber(rib.NHRP)), d.spoke1.RoutesOf(harness.ProtocolNumber(rib.OSPF))...) {
			if r.Prefix.String() == d.spoke2.LAN {
				return fmt.Errorf("spoke1 still has %v", r)
			}
		}
		return nil
	})
}

// nhs are the lines of a spoke that make the hub its server.
const nhs = " ip nhrp map 172.31.0.1 192.0.2.1\n ip nhrp map multicast 192.0.2.1\n ip nhrp nhs 172.31.0.1\n"

// overridden tells whether a routing table has a route of OSPF whose next hop NHRP
// overrides.
func overridden(out, prefix string) bool {
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) > 3 && f[0] == "O" && f[1] == "%" && f[2] == prefix {
			return true
		}
	}
	return false
}

// TestThirtySpokes has a hub with many neighbours, which is killed with all that it has:
// it learns from each of them what it told before.
func TestThirtySpokes(t *testing.T) {
	t.Parallel()
	const spokes = 30
	c := cloud.New(t)
	hub := c.AddRouter("hub", "192.0.2.1", "172.31.0.1")
	var hosts []string
	for n := range spokes {
		s := c.AddRouter(fmt.Sprintf("spoke%d", n+1), fmt.Sprintf("198.18.%d.1", n+1), fmt.Sprintf("172.31.0.%d", n+11))
		hosts = append(hosts, host(s, s))
	}
	const slow = " ip ospf network point-to-multipoint\n ip ospf hello-interval 3\n ip ospf dead-interval 30\n"
	const process = "router ospf 1\n network 172.31.0.0 0.0.255.255 area 0\n"
	began := time.Now()
	c.Start(func(s *cloud.Site) string {
		lines := cloud.NHRP + cloud.Key + cloud.Multipoint + slow
		if s == hub {
			return s.Config(lines+" ip nhrp map multicast dynamic\n") + process
		}
		return s.Config(lines+nhs) + process
	})
	t.Logf("started in %v", time.Since(began))
	all := []func() error{routes(hub, hosts...)}
	for _, s := range []*cloud.Site{c.Sites[1], c.Sites[spokes]} {
		want := []string{host(hub, hub)}
		for _, other := range c.Sites[1:] {
			if other != s {
				want = append(want, host(other, hub))
			}
		}
		all = append(all, routes(s, want...))
	}
	c.Within(2*cloud.Converge, all...)
	t.Logf("all know all after %v", time.Since(began))
	if r, err := c.Sites[1].Ping(c.Sites[spokes].Tunnel, "", 3); err != nil || r.Received != 3 {
		t.Errorf("from the first to the last: %+v, %v", r, err)
	}
	c.KillDaemon(hub, "ospfd")
	c.Within(2*cloud.Converge, all...)
	if diff := cmp.Diff(spokes, len(hub.Peers("Tunnel0"))); diff != "" {
		t.Error(diff)
	}
}
