package edge

import (
	"net/netip"
	"testing"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

// TestAlias: what an alias needs is what zebra takes, and nhrpd is told where the peer is.
func TestAlias(t *testing.T) {
	a := core.Alias{VRF: "INET", Local: netip.MustParseAddr("192.0.2.1"), Addr: netip.MustParseAddr("250.1.1.1"), Outer: netip.MustParseAddr("203.0.113.9")}
	to := netip.MustParsePrefix("250.1.1.1/32")
	want := []rib.Object{
		rib.Policy{Local: a.Local, Peer: to, Outer: a.Outer},
		rib.Route{VRF: "INET", Prefix: to, Protocol: rib.NHRP, Distance: rib.NHRP.Distance(), NextHops: []rib.NextHop{{Addr: a.Outer}}},
	}
	for i, o := range aliasObjects(a) {
		if err := session.Check(o); err != nil || !o.Equal(want[i]) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	var told protection.State
	topics := newTopics(func(_, key string, payload []byte) (err error) {
		if key != "Tunnel0 250.1.1.1" {
			t.Error(key)
		}
		told, err = protection.ParseState(payload)
		return err
	})
	topics.tell(core.PeerState{Tunnel: "Tunnel0", Peer: a.Addr, State: core.SecurityIPsec, Identity: "b.example", Outer: a.Outer}, 0)
	if told.Outer != a.Outer || told.Identity != "b.example" {
		t.Errorf("%+v", told)
	}
}
