package eigrpdmvpn

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/labs"
)

// TestLab1 is Phase 1: spokes with point-to-point tunnels, a summary in the place of
// their LANs, all packets by way of the hub. A LAN goes, which costs the hub a route
// and the other spoke nothing; a spoke dies, which the hub notices by its hold time.
func TestLab1(t *testing.T) {
	t.Parallel()
	d := build(t, 1)
	learnt := []string{labs.Via(d.Spoke1.LAN, d.Spoke1), labs.Via(d.Spoke2.LAN, d.Spoke2)}
	whole := labs.EIGRP(d.Hub, append(learnt, labs.Discard)...)
	d.Await(d.Converged()...)
	d.Await(labs.Says(d.Hub, "show ip route", "D 10.11.0.0/24 [90/26880256] via 172.31.0.11, 00:00:00, Tunnel0"))
	if path, err := d.Spoke1.Traceroute("10.12.0.1"); err != nil || cmp.Diff([]string{"172.31.0.1", "10.12.0.1"}, path) != "" {
		t.Errorf("the path from spoke to spoke is %v, %v", path, err)
	}
	d.Await(d.Spoke1.Path(d.Spoke2, d.Hub, d.Spoke2))
	if n := d.Spoke1.WAN.Count(harness.All(harness.IsGRE, harness.Between(d.Spoke1.NBMA, d.Spoke2.NBMA))); n != 0 {
		t.Errorf("%d packets went from spoke to spoke", n)
	}

	d.withdrawn(d.Hub, d.Spoke2.LAN, func() { d.Spoke2.LANLink.DownAt(d.Spoke2.Host) })
	d.Await(labs.EIGRP(d.Hub, learnt[0], labs.Discard), labs.EIGRP(d.Spoke1, labs.Via(labs.Summary, d.Hub)))
	d.Spoke2.LANLink.UpAt(d.Spoke2.Host)
	d.Spoke2.Host.Route("default", d.Spoke2.Router)
	d.Await(whole)

	d.Spoke2.Uplink.Cut()
	d.Await(labs.Adjacent(d.Hub, d.Spoke1), labs.EIGRP(d.Hub, learnt[0], labs.Discard), labs.EIGRP(d.Spoke2))
	d.Await(d.Hub.Logged("%DUAL-5-NBRCHANGE: EIGRP-IPv4 100: Neighbor 172.31.0.12 (Tunnel0) is down: holding time expired"))
	d.Spoke2.Uplink.Mend()
	d.Await(whole, labs.EIGRP(d.Spoke2, labs.Via(labs.Summary, d.Hub)))
	d.wire()
}

// TestLab2 is Phase 2: the hub keeps the next hops, so that packets go from spoke to
// spoke. The spokes are stubs: when one loses its LAN the other is not asked for it.
func TestLab2(t *testing.T) {
	t.Parallel()
	d := build(t, 2)
	converged := append(d.Converged(), labs.Says(d.Spoke1, "show ip eigrp topology", "P 10.12.0.0/24, 1 successors, FD is 28160256"))
	d.Await(converged...)
	d.Await(d.Spoke1.Path(d.Spoke2, d.Spoke2), d.Spoke1.Knows(d.Hub, d.Spoke2))

	d.Hub.WAN.Clear()
	d.withdrawn(d.Spoke1, d.Spoke2.LAN, func() { d.Spoke2.LANLink.DownAt(d.Spoke2.Host) })
	d.Await(labs.EIGRP(d.Hub, labs.Via(d.Spoke1.LAN, d.Spoke1)))
	if n := d.Hub.WAN.Count(harness.All(opcode(packet.Query), harness.Between(d.Hub.NBMA, ""))); n != 0 {
		t.Errorf("the hub sent %d queries to stubs", n)
	}
	d.Spoke2.LANLink.UpAt(d.Spoke2.Host)
	d.Spoke2.Host.Route("default", d.Spoke2.Router)
	d.Await(converged...)
	d.Survives(converged, labs.Victim{Site: d.Hub, Daemon: "eigrpd"}, labs.Victim{Site: d.Spoke1, Daemon: "eigrpd"})
	d.wire()
}

// TestLab3 is Phase 3 in named mode, whose metrics are wide: a summary, and shortcuts
// for what is behind it; and then, in place of the summary, all routes, whose next
// hops are overridden. A LAN that goes takes the shortcut with it.
func TestLab3(t *testing.T) {
	t.Parallel()
	d := build(t, 3)
	converged := d.Converged()
	d.Await(converged...)
	d.Spoke1.Host.MustPing("10.12.0.1", 3)
	d.Await(labs.Says(d.Spoke1, "show ip route", "H 172.31.0.12/32 is directly connected, 00:00:00, Tunnel0",
		"H 10.12.0.0/24 [250/255] via 172.31.0.12, 00:00:00, Tunnel0"), d.Spoke1.Path(d.Spoke2, d.Spoke2))
	d.Survives(converged, labs.Victim{Site: d.Spoke1, Daemon: "zebra"}, labs.Victim{Site: d.Hub, Daemon: "eigrpd"})

	d.Hub.Configure("router eigrp DMVPN\naddress-family ipv4 unicast autonomous-system 100\naf-interface Tunnel0\n" +
		"no summary-address 10.0.0.0 255.0.0.0\nno split-horizon")
	overridden := labs.Says(d.Spoke1, "show ip route", "D % 10.12.0.0/24 [90/102405120] via 172.31.0.1, 00:00:00, Tunnel0")
	d.Await(labs.EIGRP(d.Hub, labs.Via(d.Spoke1.LAN, d.Spoke1), labs.Via(d.Spoke2.LAN, d.Spoke2)), func() error {
		if _, err := d.Spoke1.Host.Ping(d.Spoke2.HostIP, "", 1); err != nil {
			return err
		}
		return overridden()
	}, d.Spoke1.Path(d.Spoke2, d.Spoke2))
	d.Spoke2.LANLink.DownAt(d.Spoke2.Host)
	d.Await(labs.EIGRP(d.Spoke1, labs.Via(d.Hub.LAN, d.Hub)), func() error {
		for _, r := range d.Spoke1.RoutesOf(harness.ProtocolNumber(rib.NHRP)) {
			if r.Prefix.String() == d.Spoke2.LAN {
				return fmt.Errorf("the shortcut is still there: %v", r)
			}
		}
		return nil
	})
	d.wire()
}
