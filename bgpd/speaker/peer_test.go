package speaker

import (
	"net/netip"
	"testing"

	"github.com/osrg/gobgp/v4/api"
)

// TestSocketsOfAVRF: all connections of a VRF's speaker are bound to it, those that go out
// and those of listen ranges too. That a kernel then has them there is seen in a topology.
func TestSocketsOfAVRF(t *testing.T) {
	c := &Config{Process: Process{AS: 65000, RouterID: netip.MustParseAddr("10.0.0.1"), Device: "RED"}}
	n := &Neighbor{netip.MustParseAddr("10.0.0.2"), settings(65000)}
	g := &Group{Name: "SPOKES", Ranges: []netip.Prefix{pfx("10.0.0.0/24")}, Settings: settings(65000)}
	for what, transport := range map[string]*api.Transport{
		"neighbor": n.api(c, true).Transport, "group": g.api(c).Transport, "one that returns": g.member(n.Address, c).Transport,
	} {
		if transport.BindInterface != "RED" {
			t.Errorf("%s: %v", what, transport)
		}
	}
}
