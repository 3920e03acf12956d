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

// vrfs has the VRFs, each with one protocol, by the first part of the names of its devices.
var vrfs = map[string]string{"blue": "BLUE", "red": "RED", "green": "GREEN"}

// TestRouting has RIP in one VRF, EIGRP in another and OSPF in a third, with the same
// networks in all: each announces what is in its VRF, over a device of it, and what is
// learned is in the VRF's table alone.
func TestRouting(t *testing.T) {
	tp := harness.New(t)
	a, b := tp.Router("a"), tp.Router("b")
	config := func(n int) string {
		s := ""
		for device, vrf := range vrfs {
			s += fmt.Sprintf("vrf definition %[1]s\ninterface %[2]s-link\n vrf forwarding %[1]s\n ip address 10.9.0.%[3]d 255.255.255.0\n"+
				"interface %[2]s-lan\n vrf forwarding %[1]s\n ip address 10.%[3]d.0.1 255.255.255.0\n", vrf, device, n)
		}
		return s + "router rip\n version 2\n timers basic 2 10 0 15\n address-family ipv4 vrf BLUE\n  version 2\n  timers basic 2 10 0 15\n  network 10.0.0.0\n" +
			"router eigrp TEST\n address-family ipv4 unicast vrf RED autonomous-system 200\n  network 10.0.0.0\n" +
			"interface green-link\n ip ospf network point-to-point\n ip ospf hello-interval 1\nrouter ospf 1 vrf GREEN\n network 10.0.0.0 0.255.255.255 area 0\n"
	}
	for vrf := range vrfs {
		tp.Link(a, vrf+"-link", "", b, vrf+"-link", "")
		a.Stub(vrf + "-lan")
		b.Stub(vrf + "-lan")
	}
	harness.StartZebras(t, map[*harness.Node]string{a: config(1), b: config(2)})
	learned := func() error {
		var got []string
		for _, r := range b.Routes() {
			if slices.Contains([]int{harness.ProtocolNumber(rib.RIP), harness.ProtocolNumber(rib.EIGRP), harness.ProtocolNumber(rib.OSPF)}, r.Protocol) {
				where := "in a VRF"
				if r.Table == harness.MainTable {
					where = "in the global table"
				}
				r.Metric = 0
				got = append(got, r.String()+" "+where)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff([]string{"10.1.0.0/24 via 10.9.0.1 dev blue-link in a VRF",
			"10.1.0.0/24 via 10.9.0.1 dev green-link in a VRF", "10.1.0.0/24 via 10.9.0.1 dev red-link in a VRF"}, got); diff != "" {
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
			return b.ShowJSON("show ip route vrf GREEN", `{"routes": [{"prefix": "10.1.0.0/24", "routes": [{"protocol": "ospf", "installed": true}]}]}`)
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
