package eigrp

import (
	"testing"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestRemote has neighbours that are two hops apart, from LAN to LAN, one of
// which names the other; what lies between knows of no EIGRP. Packets have the TTL that
// the line asks for.
func TestRemote(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	a, between, b := tp.Router("a"), tp.Router("between"), tp.Router("b")
	tp.Link(a, "eth0", "192.0.2.1/30", between, "a", "192.0.2.2/30")
	tp.Link(b, "eth0", "198.51.100.1/30", between, "b", "198.51.100.2/30")
	between.Route("10.255.0.1/32", "192.0.2.1")
	between.Route("10.255.0.2/32", "198.51.100.1")
	a.Stub("lan", "10.1.0.1/24")
	b.Stub("lan", "10.2.0.1/24")
	a.Stub("id", "10.255.0.1/32")
	b.Stub("id", "10.255.0.2/32")
	wire := a.Capture("eth0")
	family := func(lan, lines string) string {
		return "router eigrp TEST\n address-family ipv4 unicast autonomous-system 100\n  network " + lan + " 0.0.0.255\n  network 10.255.0.0 0.0.0.255\n" + lines
	}
	start(t, map[*harness.Node]string{
		a: "ip route 10.255.0.2 255.255.255.255 192.0.2.2\n" +
			family("10.1.0.0", "  neighbor 10.255.0.2 id remote 7\n"),
		b: "ip route 10.255.0.1 255.255.255.255 198.51.100.2\n" +
			family("10.2.0.0", "  remote-neighbors source id unicast-listen\n"),
	})
	await(t, shows(a, "show ip eigrp neighbors", `{"instances": [{"neighbors": [{"address": "10.255.0.2", "interface": "id", "state": "up", "remote": true}]}]}`),
		shows(b, "show ip eigrp neighbors", `{"instances": [{"neighbors": [{"address": "10.255.0.1", "state": "up", "remote": true}]}]}`),
		routes(a, "10.2.0.0/24 via 192.0.2.2 dev eth0"),
		routes(b, "10.1.0.0/24 via 198.51.100.2 dev eth0"))
	const ttlAt = 14 + 8 // in the IP header, behind that of Ethernet
	for _, f := range wire.Frames(harness.All(harness.IsProtocol(packet.Protocol), harness.Between("10.255.0.1", ""))) {
		if f.Dst.String() != "10.255.0.2" || f.Data[ttlAt] != 7 {
			t.Errorf("sent to %v with a TTL of %d", f.Dst, f.Data[ttlAt])
		}
	}
	if err := harness.CheckDissected("eigrp", 5, wire); err != nil {
		t.Error(err)
	}
}
