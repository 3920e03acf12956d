package eigrpdmvpn

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// flowEvery is the time between two packets of the traffic under which things happen.
const flowEvery = 20 * time.Millisecond

// TestLab1 is Phase 1: spokes with point-to-point tunnels, a summary in the place of
// their LANs, all packets by way of the hub. A LAN goes, which costs the hub a route
// and the other spoke nothing; a spoke dies, which the hub notices by its hold time.
func TestLab1(t *testing.T) {
	t.Parallel()
	d := build(t, 1)
	learnt := []string{via(d.spoke1.LAN, d.spoke1), via(d.spoke2.LAN, d.spoke2)}
	whole := eigrp(d.hub, append(learnt, discard)...)
	d.Await(adjacent(d.hub, d.spoke1, d.spoke2), whole, eigrp(d.spoke1, via(summary, d.hub)), eigrp(d.spoke2, via(summary, d.hub)),
		adjacent(d.spoke1, d.hub), adjacent(d.spoke2, d.hub),
		says(d.hub, "show ip route", "D 10.0.0.0/8 is a summary, 00:00:00, Null0", "D 10.11.0.0/24 [90/26880256] via 172.31.0.11, 00:00:00, Tunnel0"),
		says(d.spoke1, "show ip route", "D 10.0.0.0/8 [90/26880256] via 172.31.0.1, 00:00:00, Tunnel0"),
		says(d.spoke2, "show ip route", "D 10.0.0.0/8 [90/26880256] via 172.31.0.1, 00:00:00, Tunnel0"))
	if path, err := d.spoke1.Traceroute("10.12.0.1"); err != nil || cmp.Diff([]string{"172.31.0.1", "10.12.0.1"}, path) != "" {
		t.Errorf("the path from spoke to spoke is %v, %v", path, err)
	}
	d.Await(d.spoke1.Path(d.spoke2, d.hub, d.spoke2))
	if n := d.spoke1.WAN.Count(harness.All(harness.IsGRE, harness.Between(d.spoke1.NBMA, d.spoke2.NBMA))); n != 0 {
		t.Errorf("%d packets went from spoke to spoke", n)
	}

	d.withdrawn(d.hub, d.spoke2.LAN, func() { d.spoke2.LANLink.DownAt(d.spoke2.Host) })
	d.Await(eigrp(d.hub, learnt[0], discard), eigrp(d.spoke1, via(summary, d.hub)))
	d.spoke2.LANLink.UpAt(d.spoke2.Host)
	d.spoke2.Host.Route("default", d.spoke2.Router)
	d.Await(whole)

	d.spoke2.Uplink.Cut()
	d.Await(adjacent(d.hub, d.spoke1), eigrp(d.hub, learnt[0], discard), eigrp(d.spoke2))
	if out := d.hub.MustVtysh("show logging"); !strings.Contains(out, "%DUAL-5-NBRCHANGE: EIGRP-IPv4 100: Neighbor 172.31.0.12 (Tunnel0) is down: holding time expired") {
		t.Errorf("the log does not tell of the end of the neighbour:\n%s", out)
	}
	d.spoke2.Uplink.Mend()
	d.Await(whole, eigrp(d.spoke2, via(summary, d.hub)))
	d.wire()
}

// TestLab2 is Phase 2: the hub keeps the next hops, so that packets go from spoke to
// spoke. The spokes are stubs: when one loses its LAN the other is not asked for it.
func TestLab2(t *testing.T) {
	t.Parallel()
	d := build(t, 2)
	atSpoke1 := eigrp(d.spoke1, via(d.hub.LAN, d.hub), via(d.spoke2.LAN, d.spoke2))
	converged := []func() error{atSpoke1, eigrp(d.spoke2, via(d.hub.LAN, d.hub), via(d.spoke1.LAN, d.spoke1)),
		eigrp(d.hub, via(d.spoke1.LAN, d.spoke1), via(d.spoke2.LAN, d.spoke2)), adjacent(d.hub, d.spoke1, d.spoke2),
		says(d.spoke1, "show ip route", "D 10.10.0.0/24 [90/26880256] via 172.31.0.1, 00:00:00, Tunnel0",
			"D 10.12.0.0/24 [90/28160256] via 172.31.0.12, 00:00:00, Tunnel0"),
		says(d.spoke1, "show ip eigrp topology", "P 10.12.0.0/24, 1 successors, FD is 28160256")}
	d.Await(converged...)
	d.Await(d.spoke1.Path(d.spoke2, d.spoke2), d.spoke1.Knows(d.hub, d.spoke2))

	d.hub.WAN.Clear()
	d.withdrawn(d.spoke1, d.spoke2.LAN, func() { d.spoke2.LANLink.DownAt(d.spoke2.Host) })
	d.Await(eigrp(d.hub, via(d.spoke1.LAN, d.spoke1)))
	if n := d.hub.WAN.Count(harness.All(opcode(packet.Query), harness.Between(d.hub.NBMA, ""))); n != 0 {
		t.Errorf("the hub sent %d queries to stubs", n)
	}
	d.spoke2.LANLink.UpAt(d.spoke2.Host)
	d.spoke2.Host.Route("default", d.spoke2.Router)
	d.Await(converged...)
	d.survives(converged, victim{d.hub, "eigrpd"}, victim{d.spoke1, "eigrpd"})
	d.wire()
}

// TestLab3 is Phase 3 in named mode, whose metrics are wide: a summary, and shortcuts
// for what is behind it; and then, in place of the summary, all routes, whose next
// hops are overridden. A LAN that goes takes the shortcut with it.
func TestLab3(t *testing.T) {
	t.Parallel()
	d := build(t, 3)
	converged := []func() error{eigrp(d.hub, via(d.spoke1.LAN, d.spoke1), via(d.spoke2.LAN, d.spoke2), discard),
		eigrp(d.spoke1, via(summary, d.hub)), eigrp(d.spoke2, via(summary, d.hub)), adjacent(d.hub, d.spoke1, d.spoke2),
		says(d.spoke1, "show ip route", "D 10.0.0.0/8 [90/76805120] via 172.31.0.1, 00:00:00, Tunnel0"),
		says(d.hub, "show ip route", "D 10.0.0.0/8 is a summary, 00:00:00, Null0")}
	d.Await(converged...)
	d.spoke1.Host.MustPing("10.12.0.1", 3)
	d.Await(says(d.spoke1, "show ip route", "H 172.31.0.12/32 is directly connected, 00:00:00, Tunnel0",
		"H 10.12.0.0/24 [250/255] via 172.31.0.12, 00:00:00, Tunnel0"), d.spoke1.Path(d.spoke2, d.spoke2))
	d.survives(converged, victim{d.spoke1, "zebra"}, victim{d.hub, "eigrpd"})

	d.hub.Configure("router eigrp DMVPN\naddress-family ipv4 unicast autonomous-system 100\naf-interface Tunnel0\n" +
		"no summary-address 10.0.0.0 255.0.0.0\nno split-horizon")
	overridden := says(d.spoke1, "show ip route", "D % 10.12.0.0/24 [90/102405120] via 172.31.0.1, 00:00:00, Tunnel0")
	d.Await(eigrp(d.hub, via(d.spoke1.LAN, d.spoke1), via(d.spoke2.LAN, d.spoke2)), func() error {
		if _, err := d.spoke1.Host.Ping(d.spoke2.HostIP, "", 1); err != nil {
			return err
		}
		return overridden()
	}, d.spoke1.Path(d.spoke2, d.spoke2))
	d.spoke2.LANLink.DownAt(d.spoke2.Host)
	d.Await(eigrp(d.spoke1, via(d.hub.LAN, d.hub)), func() error {
		for _, r := range d.spoke1.RoutesOf(harness.ProtocolNumber(rib.NHRP)) {
			if r.Prefix.String() == d.spoke2.LAN {
				return fmt.Errorf("the shortcut is still there: %v", r)
			}
		}
		return nil
	})
	d.wire()
}

// victim is a daemon that is killed.
type victim struct {
	site   *cloud.Site
	daemon string
}

// survives kills one daemon after the other under traffic from LAN to LAN: no packet is
// lost, no route leaves a kernel, and then all is as before.
func (d *trio) survives(converged []func() error, victims ...victim) {
	d.t.Helper()
	var watches []*harness.RouteWatch
	for _, s := range d.Sites {
		watches = append(watches, s.WatchRoutes(harness.ProtocolNumber(rib.EIGRP)))
	}
	flow := d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	for _, v := range victims {
		d.KillDaemon(v.site, v.daemon)
		d.More(flow, 20)
		d.Await(append(converged, fresh(v.site))...)
	}
	d.Lossless(flow, "daemons killed")
	for i, w := range watches {
		if err := w.Withdrawn(); err != nil {
			d.t.Errorf("%s: %v", d.Sites[i].Name(), err)
		}
		w.Stop()
	}
}

// fresh tells whether nothing of a site's routes is left from a life before.
func fresh(s *cloud.Site) func() error {
	return func() error {
		v, err := s.JSON("show ip route 10.0.0.0/8 longer-prefixes")
		if err == nil && strings.Contains(fmt.Sprint(v), "stale:true") {
			err = fmt.Errorf("%s has stale routes: %v", s.Name(), v)
		}
		return err
	}
}
