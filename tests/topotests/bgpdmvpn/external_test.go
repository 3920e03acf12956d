package bgpdmvpn

import (
	"fmt"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
)

// TestOneSystem has external spokes that share one autonomous system, and accept it in
// the paths of each other's routes; the hub leaves next hops as they are. Without the
// line a spoke has nothing of the other, unless the hub hides their system.
func TestOneSystem(t *testing.T) {
	t.Parallel()
	tr := newTrio(t)
	hub, spoke1, spoke2 := tr.hub, tr.spoke1, tr.spoke2
	tr.Start(func(s *cloud.Site) string {
		if s == hub {
			return s.Config(hubLines + hubBGP(s, 65000, " neighbor SPOKES remote-as 65001\n neighbor SPOKES next-hop-unchanged\n"))
		}
		return s.Config(spokeLines + cloud.NHS(hub) + spokeBGP(s, 65001, 65000, " neighbor 172.31.0.1 allowas-in\n", hub))
	})
	by := func(path string) func() error {
		return func() error {
			return spoke1.ShowJSON("show ip bgp", fmt.Sprintf(`{"routes": [{"prefix": "10.12.0.0/24", "paths": [{"nextHop": "172.31.0.12", "asPath": %q}]}]}`, path))
		}
	}
	whole := tr.direct()
	tr.Await(append(whole, by("65000 65001"))...)
	tr.Await(spoke1.Path(spoke2, spoke2))
	spoke1.Configure("router bgp 65001\nno neighbor 172.31.0.1 allowas-in")
	tr.Await(routes(spoke1, via(hub, hub)))
	hub.Configure("router bgp 65000\nneighbor SPOKES as-override")
	tr.Await(append(whole, by("65000 65000"))...)
	hub.Configure("router bgp 65000\nno neighbor SPOKES next-hop-unchanged")
	tr.Await(routes(spoke1, via(hub, hub), via(spoke2, hub)))
	tr.Await(spoke1.Path(spoke2, hub, spoke2))
}
