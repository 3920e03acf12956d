package bgpdmvpn

import (
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
)

// TestTwoHubs has two hubs that reflect for the same spokes and are the next hops of what
// they reflect; the spokes like what the first one says better. The first one loses
// its power: traffic goes by the other. It comes back, and tells only what its kernel has:
// traffic comes back without a loss.
func TestTwoHubs(t *testing.T) {
	t.Parallel()
	tr := newTrio(t)
	hub1, spoke1, spoke2 := tr.hub, tr.spoke1, tr.spoke2
	hub2 := tr.Add("hub2", "192.0.2.5", "172.31.0.2", 20)
	tr.Start(func(s *cloud.Site) string {
		if s == hub1 || s == hub2 {
			return s.Config(hubLines + hubBGP(s, 65000, " bgp update wait-install\n neighbor SPOKES remote-as 65000\n neighbor SPOKES route-reflector-client\n neighbor SPOKES next-hop-self all\n"))
		}
		return s.Config(spokeLines + cloud.NHS(hub1) + cloud.NHS(hub2) + spokeBGP(s, 65000, 65000, " neighbor 172.31.0.1 weight 200\n", hub1, hub2))
	})
	whole := []func() error{tr.atHub(), routes(hub2, via(spoke1, spoke1), via(spoke2, spoke2)),
		routes(spoke1, via(hub1, hub1), via(hub2, hub2), via(spoke2, hub1)), routes(spoke2, via(hub1, hub1), via(hub2, hub2), via(spoke1, hub1))}
	tr.Await(whole...)
	tr.Await(spoke1.Path(spoke2, hub1, spoke2))

	hub1.Uplink.Cut()
	tr.KillSite(hub1)
	tr.Await(routes(spoke1, via(hub2, hub2), via(spoke2, hub2)), routes(spoke2, via(hub2, hub2), via(spoke1, hub2)))
	tr.Await(spoke1.Path(spoke2, hub2, spoke2))
	flow := tr.flow()
	tr.More(flow, 20)
	hub1.Uplink.Mend()
	hub1.Restart()
	tr.Within(restarted, append(whole, fresh(hub1), fresh(spoke1))...)
	tr.Await(spoke1.Path(spoke2, hub1, spoke2))
	tr.More(flow, 20)
	tr.Lossless(flow, "the first hub comes back")
}
