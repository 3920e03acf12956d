package vrf

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestRouting has RIP in one VRF and EIGRP in another, with the same networks in both:
// each announces what is in its VRF, over a device of it, and what is learned is in the
// VRF's table alone.
func TestRouting(t *testing.T) {
	tp := harness.New(t)
	a, b := tp.Router("a"), tp.Router("b")
	config := func(n int) string {
		s := "vrf definition BLUE\nvrf definition RED\n"
		for _, vrf := range []string{"BLUE", "RED"} {
			s += fmt.Sprintf("interface %[2]s-link\n vrf forwarding %[1]s\n ip address 10.9.0.%[3]d 255.255.255.0\n"+
				"interface %[2]s-lan\n vrf forwarding %[1]s\n ip address 10.%[3]d.0.1 255.255.255.0\n", vrf, map[string]string{"BLUE": "blue", "RED": "red"}[vrf], n)
		}
		return s + "router rip\n version 2\n timers basic 2 10 0 15\n address-family ipv4 vrf BLUE\n  version 2\n  timers basic 2 10 0 15\n  network 10.0.0.0\n" +
			"router eigrp TEST\n address-family ipv4 unicast vrf RED autonomous-system 200\n  network 10.0.0.0\n"
	}
	for _, vrf := range []string{"blue", "red"} {
		tp.Link(a, vrf+"-link", "", b, vrf+"-link", "")
		a.Stub(vrf + "-lan")
		b.Stub(vrf + "-lan")
	}
	harness.StartZebras(t, map[*harness.Node]string{a: config(1), b: config(2)})
	learned := func() error {
		var got []string
		for _, r := range b.Routes() {
			if r.Protocol == harness.ProtocolNumber(rib.RIP) || r.Protocol == harness.ProtocolNumber(rib.EIGRP) {
				where := "in a VRF"
				if r.Table == harness.MainTable {
					where = "in the global table"
				}
				r.Metric = 0
				got = append(got, r.String()+" "+where)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff([]string{"10.1.0.0/24 via 10.9.0.1 dev blue-link in a VRF", "10.1.0.0/24 via 10.9.0.1 dev red-link in a VRF"}, got); diff != "" {
			return fmt.Errorf("routes of b (-want +got):\n%s", diff)
		}
		return nil
	}
	harness.Await(t, time.Minute, learned,
		func() error {
			return b.ShowJSON("show ip rip vrf BLUE", `{"vrf": "BLUE", "routes": [
				{"prefix": "10.1.0.0/24", "metric": 2, "paths": [{"from": "10.9.0.1", "interface": "blue-link"}]}, {"prefix": "10.9.0.0/24", "source": "connected"}]}`)
		},
		func() error {
			return b.ShowJSON("show ip eigrp vrf RED neighbors", `{"instances": [{"as": 200, "vrf": "RED", "neighbors": [{"address": "10.9.0.1", "interface": "red-link", "state": "up"}]}]}`)
		},
		func() error {
			return b.ShowJSON("show ip route vrf RED", `{"routes": [{"prefix": "10.1.0.0/24", "routes": [{"protocol": "eigrp", "installed": true}]}]}`)
		})

	// A device that is shut down takes its routes along, of its VRF only.
	a.Configure("interface blue-lan\nshutdown")
	harness.Await(t, time.Minute, func() error {
		if learned() == nil {
			return fmt.Errorf("b still has all")
		}
		return b.ShowJSON("show ip route vrf RED", `{"routes": [{"prefix": "10.1.0.0/24", "routes": [{"protocol": "eigrp", "installed": true}]}]}`)
	})
}
