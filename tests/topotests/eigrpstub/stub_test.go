// Package eigrpstub runs an EIGRP hub with fifty stub routers, each in a network
// namespace of its own. It needs Ethernet only, on which the hub is seen by all stubs and
// they do not see each other, as in a cloud of DMVPN.
package eigrpstub

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.MainConfig(m, harness.Config{Ethernet: true, Memory: "2G"}) }

// stubs is how many there are.
const stubs = 50

// limit is how long all of them may take for something.
const limit = 200 * time.Second

// site is a router with a port of the hub's network, and a network of its own.
type site struct {
	*harness.Node
	network string
}

// build makes a router whose device wan is a port of the switch, and whose device lan
// leads to another node.
func build(tp *harness.Topology, lan *harness.Node, name string, n int) *site {
	s := &site{Node: tp.Router(name), network: fmt.Sprintf("10.%d.0.0/24", n)}
	port := fmt.Sprintf("port%d", n)
	tp.Link(lan, port, "", s.Node, "wan", "")
	lan.Enslave(port, "switch")
	tp.Link(lan, fmt.Sprintf("end%d", n), "", s.Node, "lan", "")
	return s
}

// start starts a router with EIGRP.
func (s *site) start(n int, more string) *harness.Zebra {
	return s.StartZebra(fmt.Sprintf(`hostname %s
interface wan
 ip address 172.31.0.%d/24
interface lan
 ip address 10.%d.0.1/24
router eigrp 100
 network 172.31.0.0
 network 10.0.0.0
 passive-interface lan
%s`, s.Name(), n, n, more))
}

// TestStubs: the hub has the networks of all stubs, and they its. Then it loses its
// network: all stubs lose it within the time, and none of them is sent a QUERY, as the
// wire shows; an UPDATE is what they hear (RFC 7868 section 5.4.2.3 has routers asked that
// might know another way, and stubs do not). A stub that loses its own network asks
// nobody in vain either: the hub has no other way, and tells it by what it answers.
func TestStubs(t *testing.T) {
	tp := harness.New(t)
	lan := tp.Router("lan")
	lan.Bridge("switch", "192.0.2.1/24")
	hub := build(tp, lan, "hub", 1)
	hub.start(1, "")
	var all []*site
	var networks []string
	for n := range stubs {
		s := build(tp, lan, fmt.Sprintf("stub%d", n+1), n+11)
		if out, err := lan.Run("bridge", "link", "set", "dev", fmt.Sprintf("port%d", n+11), "isolated", "on"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		s.start(n+11, " eigrp stub connected\n")
		all, networks = append(all, s), append(networks, s.network)
	}
	protocol := harness.ProtocolNumber(rib.EIGRP)
	harness.Eventually(t, limit, func() error { return hub.HasRoutes(protocol, networks...) })
	for _, s := range all {
		harness.Eventually(t, limit, func() error { return s.HasRoutes(protocol, hub.network) })
	}

	wire := hub.Capture("wan")
	lan.Down("end1")
	for _, s := range all {
		harness.Eventually(t, limit, func() error { return s.HasRoutes(protocol) })
	}
	if n := wire.Count(sent(packet.Query)); n > 0 {
		t.Errorf("%d queries were sent", n)
	}
	if wire.Count(sent(packet.Update)) == 0 {
		t.Error("the capture has no update that took the network back")
	}

	// The control: what the capture has to show where somebody is asked.
	wire.Clear()
	lan.Down("end11")
	rest := slices.Delete(slices.Clone(networks), 0, 1)
	harness.Eventually(t, limit, func() error { return hub.HasRoutes(protocol, rest...) })
	if wire.Count(sent(packet.Query)) == 0 {
		t.Error("a stub that lost its network did not ask the hub, or the capture does not see queries")
	}
}

// sent matches EIGRP packets of a type.
func sent(o packet.Opcode) harness.Match {
	return harness.All(harness.IsProtocol(packet.Protocol), func(f harness.Frame) bool {
		m, err := packet.Parse(f.Inner().Payload)
		return err == nil && m.Opcode == o
	})
}
