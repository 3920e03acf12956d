package ospf

import (
	"fmt"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/interop/ospfpeers"
)

// TestRestart has packets go along a line of routers while one after the other restarts
// gracefully (RFC 3623): ours with FRR and BIRD as helpers, planned and by a crash, soon after
// each other, then FRR with ours as helpers. No packet is lost, no router withdraws a route.
//
//	h1 ── one (ours) ── frr ── two (ours) ── bird ── three (ours) ── h3
func TestRestart(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	one, two, three := &router{Node: tp.Router("one")}, &router{Node: tp.Router("two")}, &router{Node: tp.Router("three")}
	f, b := &router{Node: tp.Router("frr"), Suite: frr}, &router{Node: tp.Router("bird"), Suite: bird}
	tp.Link(one.Node, "eth0", "10.8.1.1/24", f.Node, "eth0", "10.8.1.2/24")
	tp.Link(f.Node, "eth1", "10.8.2.1/24", two.Node, "eth0", "10.8.2.2/24")
	tp.Link(two.Node, "eth1", "10.8.3.1/24", b.Node, "eth0", "10.8.3.2/24")
	tp.Link(b.Node, "eth1", "10.8.4.1/24", three.Node, "eth0", "10.8.4.2/24")
	h1 := tp.Host("h1", one.Node, "10.1.0.10/24", "10.1.0.1")
	tp.Host("h3", three.Node, "10.3.0.10/24", "10.3.0.1")
	wire, beyond := two.Capture("eth0"), two.Capture("eth1")

	device := func(name string, kind string) string {
		return "interface " + name + "\n" + ospfpeers.Slow + ospfpeers.Network(kind)
	}
	process := func(id string) string {
		return ospfpeers.RouterOurs(id) + " nsf ietf restart-interval 60\n network 10.0.0.0 0.255.255.255 area 0\n"
	}
	one.Zebra = one.LaunchWith(device("eth0", "broadcast") + process("1.1.1.1") + " passive-interface lan-h1\n")
	two.Zebra = two.LaunchWith(device("eth0", "point-to-point") + device("eth1", "point-to-point") + process("1.1.1.2"))
	three.Zebra = three.LaunchWith(device("eth0", "point-to-point") + process("1.1.1.3") + " passive-interface lan-h3\n")
	f.Boot(device("eth0", "broadcast") + device("eth1", "point-to-point") + ospfpeers.RouterFRR("2.2.2.2") +
		" network 10.8.0.0/16 area 0\n capability opaque\n graceful-restart grace-period 60\n graceful-restart helper enable\n")
	birdDevice := func(name, kind string) string {
		return fmt.Sprintf("  interface %q { hello 1; dead 12; type %s; };\n", name, kind)
	}
	b.Boot(ospfpeers.BIRDConfig("3.3.3.3", " area 0 {\n"+birdDevice("eth0", "ptp")+birdDevice("eth1", "ptp")+" };\n"))
	for _, r := range []*router{one, two, three} {
		r.Zebra.WaitReady()
	}

	whole := []func() error{
		one.Knows("10.8.2.0/24 via 10.8.1.2 dev eth0", "10.8.3.0/24 via 10.8.1.2 dev eth0", "10.8.4.0/24 via 10.8.1.2 dev eth0", "10.3.0.0/24 via 10.8.1.2 dev eth0"),
		f.Knows("10.8.3.0/24 via 10.8.2.2 dev eth1", "10.8.4.0/24 via 10.8.2.2 dev eth1", "10.1.0.0/24 via 10.8.1.1 dev eth0", "10.3.0.0/24 via 10.8.2.2 dev eth1"),
		two.Knows("10.8.1.0/24 via 10.8.2.1 dev eth0", "10.8.4.0/24 via 10.8.3.2 dev eth1", "10.1.0.0/24 via 10.8.2.1 dev eth0", "10.3.0.0/24 via 10.8.3.2 dev eth1"),
		b.Knows("10.8.1.0/24 via 10.8.3.1 dev eth0", "10.8.2.0/24 via 10.8.3.1 dev eth0", "10.1.0.0/24 via 10.8.3.1 dev eth0", "10.3.0.0/24 via 10.8.4.2 dev eth1"),
		three.Knows("10.8.1.0/24 via 10.8.4.1 dev eth0", "10.8.2.0/24 via 10.8.4.1 dev eth0", "10.8.3.0/24 via 10.8.4.1 dev eth0", "10.1.0.0/24 via 10.8.4.1 dev eth0"),
		ospfpeers.SameDatabases(one, f, two, b, three),
	}
	await(t, whole...)
	flow := h1.Flow("10.3.0.10", 20*time.Millisecond)
	var watches []*harness.RouteWatch
	for _, r := range []*router{one, f, two, three} {
		w := r.WatchRoutes(harness.ProtocolNumber(rib.OSPF))
		defer w.Stop()
		watches = append(watches, w)
	}
	bw := b.WatchRoutes(harness.ProtocolBIRD)
	defer bw.Stop()
	watches = append(watches, bw)

	for _, c := range []struct {
		name    string
		from    string // whose Grace-LSAs there have to be
		restart func(announced func() error)
	}{
		{"ours, planned", "10.8.2.2", func(func() error) { two.MustVtysh("restart daemon ospfd") }},
		{"ours, crash", "10.8.2.2", func(func() error) { two.KillPid(two.Pids("ospfd")[0]) }},
		{"FRR", "10.8.2.1", func(announced func() error) { f.RestartFRR(t, announced) }},
	} {
		await(t, quiet(wire), quiet(beyond))
		began := wire.Count(graceFrom(c.from))
		announced := func() error {
			if wire.Count(graceFrom(c.from)) == began {
				return fmt.Errorf("%s: no Grace-LSA from %s", c.name, c.from)
			}
			return nil
		}
		c.restart(announced)
		await(t, announced)
		await(t, append(whole, graceOver(wire, c.from))...)
		for _, w := range watches {
			if err := w.Withdrawn(); err != nil {
				t.Errorf("%s restarted: %v", c.name, err)
			}
		}
	}
	if got := flow.Stop(); got.Received < got.Sent || got.Sent < 100 {
		t.Errorf("%d of %d packets arrived, lost %v", got.Received, got.Sent, got.Lost)
	}
	if err := harness.CheckDissected("ospf && !icmp", 20, wire, beyond); err != nil {
		t.Error(err)
	}
}

// quiet tells whether for some time nothing but Hellos has passed: a neighbour that has LSAs of
// its own on its way does not help (section 3.1 (2)).
func quiet(wire *harness.Capture) func() error {
	const calm = 2 * time.Second
	return func() error {
		frames := wire.Frames(harness.All(harness.IsProtocol(packet.Protocol), func(f harness.Frame) bool { return !isType(packet.Hello)(f) }))
		if n := len(frames); n == 0 || time.Since(frames[n-1].At) < calm {
			return fmt.Errorf("%d packets of OSPF, the last one less than %v ago", n, calm)
		}
		return nil
	}
}

// graceLSA is the Link State ID of Grace-LSAs, without the last octet: opaque type 3 (RFC
// 3623 appendix A).
const graceLSA = 3

// grace returns the Grace-LSAs of a packet.
func grace(f harness.Frame) (all []packet.LSA) {
	m, err := packet.Parse(f.Payload)
	if err != nil || m.Type != packet.LinkStateUpdate {
		return nil
	}
	for _, lsa := range m.Updates {
		if id := lsa.ID; lsa.Type == packet.OpaqueLinkLSA && id>>24 == graceLSA {
			all = append(all, lsa)
		}
	}
	return all
}

// graceFrom matches Updates with Grace-LSAs that come from an address.
func graceFrom(addr string) harness.Match {
	return harness.All(harness.IsProtocol(packet.Protocol), harness.Between(addr, ""), func(f harness.Frame) bool { return len(grace(f)) > 0 })
}

// graceOver tells whether the last Grace-LSA from an address is flushed (RFC 3623 section
// 2.3).
func graceOver(wire *harness.Capture, addr string) func() error {
	return func() error {
		frames := wire.Frames(graceFrom(addr))
		last := grace(frames[len(frames)-1])
		if age := last[len(last)-1].Age; age < packet.MaxAge {
			return fmt.Errorf("the Grace-LSA of %s is not flushed: its age is %d", addr, age)
		}
		return nil
	}
}
