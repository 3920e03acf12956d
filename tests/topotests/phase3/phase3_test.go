package phase3

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain lets the clouds run side by side, also where there is one CPU: they wait
// for timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.Main(m)
}

// flowEvery is the time between two packets of the traffic under which things happen.
const flowEvery = 20 * time.Millisecond

// Lines of Tunnel0.
const (
	hubLines   = cloud.NHRP + cloud.Multipoint + cloud.Key + " ip nhrp redirect\n"
	spokeLines = cloud.NHRP + cloud.Multipoint + cloud.Key + " ip nhrp registration timeout 5\n"
	summary    = " ip summary-address rip 10.0.0.0 255.0.0.0\n"
	exact      = " no ip split-horizon\n ip rip next-hop-self\n"
)

// trio is a hub with two spokes.
type trio struct {
	*cloud.Cloud
	hub, spoke1, spoke2 *cloud.Site
}

// build makes a cloud; lines are further ones of the hub's tunnel and of the spokes'.
func build(t *testing.T, hub, spoke string) *trio {
	c := cloud.New(t)
	d := &trio{Cloud: c, hub: c.Add("hub", "192.0.2.1", "172.31.0.1", 10),
		spoke1: c.Add("spoke1", "198.51.100.1", "172.31.0.11", 11), spoke2: c.Add("spoke2", "203.0.113.1", "172.31.0.12", 12)}
	c.Start(func(s *cloud.Site) string {
		if s == d.hub {
			return s.Config(hubLines + hub)
		}
		return s.Config(spokeLines + cloud.NHS(d.hub) + spoke)
	})
	return d
}

// routes tells whether a kernel has exactly these routes of a protocol.
func routes(s *cloud.Site, p rib.Protocol, want ...string) func() error {
	return func() error { return s.HasRoutes(harness.ProtocolNumber(p), want...) }
}

// via is a route to a site's LAN by way of a site.
func via(lan string, hop *cloud.Site) string {
	return fmt.Sprintf("%s via %s dev Tunnel0", lan, hop.Tunnel)
}

// station is the route to a station of the tunnel itself.
func station(s *cloud.Site) string { return s.Tunnel + "/32 dev Tunnel0" }

// tally counts the NHRP packets on a site's uplink by type and direction, but for those of
// registrations. all counts what is repeated, as a question is that waits for its answer, and
// once does not.
func (d *trio) tally(s *cloud.Site) (all, once map[string]int) {
	names := map[string]string{d.hub.NBMA: "hub", d.spoke1.NBMA: "spoke1", d.spoke2.NBMA: "spoke2"}
	all, once = map[string]int{}, map[string]int{}
	seen := map[string]bool{}
	for _, f := range s.WAN.Frames(harness.IsNHRP) {
		m, err := packet.Parse(f.Payload)
		if err != nil || m.Type == packet.RegistrationRequest || m.Type == packet.RegistrationReply {
			continue
		}
		what := fmt.Sprintf("%v, %s to %s", m.Type, names[f.Src.String()], names[f.Dst.String()])
		all[what]++
		id := fmt.Sprint(what, m.SrcProtocol, m.RequestID)
		if m.Type == packet.TrafficIndication || !seen[id] {
			once[what]++
		}
		seen[id] = true
	}
	return all, once
}

// TestSummary: the hub announces nothing but a summary. One flow brings about one
// Traffic Indication, one Resolution Request and one Resolution Reply for each spoke,
// and a route of NHRP's in both; no packet is lost. A LAN that goes is taken back at
// once; one that is back is found again.
func TestSummary(t *testing.T) {
	t.Parallel()
	d := build(t, summary+" ip nhrp redirect timeout 30\n"+cloud.RIP(""), cloud.RIP(""))
	summarized := "10.0.0.0/8 via 172.31.0.1 dev Tunnel0"
	d.Await(routes(d.spoke1, rib.RIP, summarized), routes(d.spoke2, rib.RIP, summarized),
		routes(d.hub, rib.RIP, "blackhole 10.0.0.0/8", via(d.spoke1.LAN, d.spoke1), via(d.spoke2.LAN, d.spoke2)))

	flow := d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	short1 := routes(d.spoke1, rib.NHRP, via(d.spoke2.LAN, d.spoke2), station(d.spoke2))
	short2 := routes(d.spoke2, rib.NHRP, via(d.spoke1.LAN, d.spoke1), station(d.spoke1))
	d.Await(short1, short2)
	d.More(flow, 20)
	d.Lossless(flow, "redirect")
	want := map[string]int{
		"Traffic Indication, hub to spoke1": 1, "Resolution Request, spoke1 to hub": 1, "Resolution Request, hub to spoke1": 1,
		"Resolution Reply, spoke2 to spoke1": 1, "Resolution Reply, spoke1 to spoke2": 1}
	if _, once := d.tally(d.spoke1); !cmp.Equal(want, once) {
		t.Errorf("NHRP on the uplink of spoke1 (-want +got):\n%s", cmp.Diff(want, once))
	}
	want = map[string]int{
		"Traffic Indication, hub to spoke1": 1, "Resolution Request, spoke1 to hub": 1, "Resolution Request, hub to spoke1": 1,
		"Traffic Indication, hub to spoke2": 1, "Resolution Request, spoke2 to hub": 1, "Resolution Request, hub to spoke2": 1}
	if _, once := d.tally(d.hub); !cmp.Equal(want, once) {
		t.Errorf("NHRP on the uplink of the hub (-want +got):\n%s", cmp.Diff(want, once))
	}
	d.Await(func() error {
		n, _ := d.tally(d.hub)
		return d.hub.ShowJSON("show ip nhrp traffic", fmt.Sprintf(`{"interfaces": [{"sent": {"Traffic Indication": 2, "Resolution Reply": 0, "Resolution Request": 0},
			"forwarded": {"Resolution Request": %d}, "received": {"Resolution Request": %d}}]}`,
			n["Resolution Request, hub to spoke1"]+n["Resolution Request, hub to spoke2"], n["Resolution Request, spoke1 to hub"]+n["Resolution Request, spoke2 to hub"]))
	}, func() error {
		return d.spoke1.ShowJSON("show ip nhrp shortcut", `{"entries": [{"target": "10.12.0.0/24", "nextHop": "172.31.0.12", "nbma": "203.0.113.1", "flags": ["rib"]}]}`)
	}, func() error {
		return d.spoke1.ShowJSON("show ip route nhrp", `{"routes": [{"prefix": "10.12.0.0/24", "routes": [{"protocol": "nhrp", "distance": 250, "selected": true,
			"nextHops": [{"address": "172.31.0.12", "interface": "Tunnel0", "active": true}]}]}]}`)
	})
	if err := d.spoke1.Path(d.spoke2, d.spoke2)(); err != nil {
		t.Error(err)
	}

	// Without the shortcuts it is two hops. The hub does not tell again of these two so
	// soon, until it is told to.
	d.spoke1.MustVtysh("clear ip nhrp shortcut")
	d.spoke2.MustVtysh("clear ip nhrp shortcut")
	if err := d.spoke1.Path(d.spoke2, d.hub, d.spoke2)(); err != nil {
		t.Error(err)
	}

	d.hub.Configure("interface Tunnel0\nip nhrp redirect timeout 2")
	flow = d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	d.Await(short1, short2)
	flow.Stop()
	d.withdrawn(short1)
	if err := harness.CheckDissected("nhrp", 10, d.hub.WAN); err != nil {
		t.Error(err)
	}
}

// atOnce is how long a thing may take that happens at once: there is one CPU, and a
// question to vtysh takes a while.
const atOnce = 3 * time.Second

// removed returns when a route went.
func removed(w *harness.RouteWatch, prefix string) (time.Time, error) {
	changes, err := w.Changes()
	for _, c := range changes {
		if c.Removed && c.Route.Prefix.String() == prefix {
			return c.At, err
		}
	}
	return time.Time{}, fmt.Errorf("the route to %s is still there", prefix)
}

// withdrawn takes the LAN of spoke2 away: spoke1 is told by spoke2 itself, at once.
// Then it comes back, and the shortcut with it.
func (d *trio) withdrawn(short func() error) {
	d.T.Helper()
	d.spoke1.WAN.Clear()
	watch := d.spoke1.WatchRoutes(harness.ProtocolNumber(rib.NHRP))
	began := time.Now()
	d.spoke2.LANLink.DownAt(d.spoke2.Host)
	var gone time.Time
	d.Await(func() (err error) { gone, err = removed(watch, d.spoke2.LAN); return err })
	watch.Stop()
	d.T.Logf("shortcut to a LAN that went: gone after %v", gone.Sub(began))
	if took := gone.Sub(began); took > atOnce {
		d.T.Errorf("that took %v", took)
	}
	d.Await(func() error { // the capture may be behind what netlink tells
		if n := d.spoke1.WAN.Count(harness.All(cloud.Message(packet.PurgeRequest), harness.Between(d.spoke2.NBMA, d.spoke1.NBMA))); n == 0 {
			all, _ := d.tally(d.spoke1)
			return fmt.Errorf("spoke2 sent no Purge Request to spoke1: %v", all)
		}
		return nil
	})
	d.spoke2.LANLink.UpAt(d.spoke2.Host)
	d.spoke2.Host.Route("default", d.spoke2.Router)
	flow := d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	d.Await(short)
	d.More(flow, 20)
	flow.Stop()
}

// TestExact: the hub announces each LAN with itself as next hop. The shortcut overrides
// the next hop of RIP's route, which stays. Daemons are killed under traffic. A LAN
// moves to another spoke; a spoke dies.
func TestExact(t *testing.T) {
	t.Parallel()
	d := build(t, exact+cloud.RIP(""), cloud.RIP(""))
	d.Await(routes(d.spoke1, rib.RIP, via(d.hub.LAN, d.hub), via(d.spoke2.LAN, d.hub)),
		routes(d.spoke2, rib.RIP, via(d.hub.LAN, d.hub), via(d.spoke1.LAN, d.hub)),
		routes(d.hub, rib.RIP, via(d.spoke1.LAN, d.spoke1), via(d.spoke2.LAN, d.spoke2)))
	short1 := routes(d.spoke1, rib.RIP, via(d.hub.LAN, d.hub), via(d.spoke2.LAN, d.spoke2))
	short2 := routes(d.spoke2, rib.RIP, via(d.hub.LAN, d.hub), via(d.spoke1.LAN, d.spoke1))
	flow := d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	d.Await(short1, short2, func() error { // what the kernel has zebra hears of a little later
		return d.spoke1.ShowJSON("show ip route next-hop-override", fmt.Sprintf(`{"routes": [{"prefix": %q, "routes": [{"protocol": "rip", "distance": 120,
			"selected": true, "installed": true, "nextHops": [{"address": "172.31.0.1"}]}]}]}`, d.spoke2.LAN))
	}, func() error {
		return d.spoke1.ShowJSON("show ip nhrp shortcut", `{"entries": [{"target": "10.12.0.0/24", "flags": ["rib", "nho"]}]}`)
	})
	d.More(flow, 20)
	d.hub.WAN.Clear()
	for _, victim := range []struct {
		site   *cloud.Site
		daemon string
	}{{d.spoke1, "nhrpd"}, {d.spoke2, "nhrpd"}, {d.hub, "nhrpd"}, {d.hub, "zebra"}, {d.spoke2, "ripd"}} {
		d.KillDaemon(victim.site, victim.daemon)
		d.More(flow, 20)
		d.Await(short1, short2)
	}
	if n := d.hub.WAN.Count(cloud.Data(d.spoke1, d.spoke2)); n != 0 {
		t.Errorf("%d packets passed the hub while daemons were killed", n)
	}
	// A new zebra may hear of RIP's route before it hears of the shortcut: then packets
	// go by way of the hub for a moment.
	d.KillDaemon(d.spoke1, "zebra")
	d.Await(short1, short2)
	d.More(flow, 20)
	d.Lossless(flow, "redirect, daemons killed")
	if err := d.spoke1.Path(d.spoke2, d.spoke2)(); err != nil {
		t.Error(err)
	}

	// A spoke dies without a word, with a holding time of ten minutes. Its shortcut goes
	// with the route that it shortens.
	lost := d.hub.WatchRoutes(harness.ProtocolNumber(rib.RIP))
	d.spoke2.Uplink.Cut()
	var hubAt, spokeAt time.Time
	d.Await(func() (err error) { hubAt, err = removed(lost, d.spoke2.LAN); return err }, func() error {
		for _, r := range d.spoke1.Routes() {
			if r.Prefix.String() == d.spoke2.LAN {
				return fmt.Errorf("spoke1 has %v", r)
			}
		}
		spokeAt = time.Now()
		return nil
	})
	late := spokeAt.Sub(hubAt)
	t.Logf("shortcut to a spoke that died: gone %v after the hub's route", late)
	if late > atOnce {
		t.Errorf("the shortcut outlived the hub's route by %v", late)
	}
	lost.Stop()
	d.Await(func() error { // nhrpd hears of it from zebra, as the kernel does
		out, err := d.spoke1.Vtysh("show ip nhrp")
		if err == nil && strings.Contains(out, d.spoke2.LAN) {
			err = fmt.Errorf("a shortcut to a dead spoke:\n%s", out)
		}
		return err
	})
	d.spoke2.Uplink.Mend()
	flow = d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	d.Await(short1, short2)
	d.More(flow, 20)
	flow.Stop()

	d.moved()
}

// moved brings the LAN of spoke2 to a third spoke, host and all: packets go there, and
// the shortcut to where it was is no more.
func (d *trio) moved() {
	d.T.Helper()
	third := d.Add("spoke3", "203.0.113.5", "172.31.0.13", 12)
	flow := d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	d.spoke2.Configure("interface lan\nshutdown")
	d.Start(func(s *cloud.Site) string { return s.Config(spokeLines + cloud.NHS(d.hub) + cloud.RIP("")) }, third)
	d.Await(routes(d.spoke1, rib.RIP, via(d.hub.LAN, d.hub), via(third.LAN, third)))
	d.More(flow, 20)
	flow.Stop()
	d.Await(d.spoke1.Path(third, third))
}

// TestLife: a shortcut that is used is resolved anew before it ends, and no packet
// notices; one that is not used ends with its holding time.
func TestLife(t *testing.T) {
	t.Parallel()
	const hold = 12 * time.Second
	static := "ip route 10.0.0.0/8 172.31.0.1\n"
	d := build(t, "ip route 10.11.0.0/24 172.31.0.11\nip route 10.12.0.0/24 172.31.0.12\n", " ip nhrp holdtime 12\n"+static)
	d.Await(d.hub.Knows(d.spoke1, d.spoke2))
	flow := d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	short1 := routes(d.spoke1, rib.NHRP, via(d.spoke2.LAN, d.spoke2), station(d.spoke2))
	short2 := routes(d.spoke2, rib.NHRP, via(d.spoke1.LAN, d.spoke1), station(d.spoke1))
	d.Await(short1, short2)
	d.More(flow, 5)
	d.hub.WAN.Clear()
	watch := d.spoke1.WatchRoutes(harness.ProtocolNumber(rib.NHRP))
	began := time.Now()
	d.Await(func() error {
		if lived := time.Since(began); lived < 5*hold/2 {
			return fmt.Errorf("the flow has lasted for %v", lived)
		}
		return nil
	})
	if err := watch.Withdrawn(); err != nil {
		t.Errorf("a shortcut in use: %v", err)
	}
	watch.Stop()
	if n := d.hub.WAN.Count(cloud.Data(d.spoke1, d.spoke2)); n != 0 {
		t.Errorf("%d packets passed the hub while the shortcut was in use", n)
	}
	d.Lossless(flow, "shortcut in use")
	began = time.Now()
	d.Await(routes(d.spoke1, rib.NHRP), routes(d.spoke2, rib.NHRP))
	if took := time.Since(began); took > 2*hold+atOnce {
		t.Errorf("unused shortcuts were gone after %v only", took)
	}

	// A station that is asked whether it is there, and is not.
	d.spoke1.Configure("interface Tunnel0\nip nhrp shortcut keepalive 1")
	d.spoke2.Configure("interface Tunnel0\nip nhrp holdtime 600")
	flow = d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	d.Await(short1)
	d.spoke2.Uplink.Cut()
	began = time.Now()
	d.Await(routes(d.spoke1, rib.NHRP))
	if took := time.Since(began); took > 4*time.Second+atOnce {
		t.Errorf("the shortcut to a station that does not answer was gone after %v only", took)
	}
	flow.Stop()
}
