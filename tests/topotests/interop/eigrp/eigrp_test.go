package eigrp

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain lets the tests run side by side, also where there is one CPU: they wait for
// timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.Main(m)
}

// converge is how long anything may take.
const converge = 60 * time.Second

// protocol is the number of EIGRP's routes in the kernel, ours and FRR's.
var protocol = harness.ProtocolNumber(rib.EIGRP)

// config is `router eigrp 100` in the words of both, with these networks.
func config(networks ...string) string {
	return "router eigrp 100\n network " + strings.Join(networks, "\n network ") + "\n"
}

// routes tells whether a kernel has these routes of EIGRP, and perhaps others.
func routes(n *harness.Node, want ...string) func() error {
	return func() error {
		have := map[string]bool{}
		all := n.RoutesOf(protocol)
		for _, r := range all {
			r.Metric = 0
			have[r.String()] = true
		}
		for _, line := range want {
			if !have[line] {
				return fmt.Errorf("%s has no %s among %v", n.Name(), line, all)
			}
		}
		return nil
	}
}

// hop tells whether a kernel has routes of EIGRP to these networks by way of a next hop, and
// perhaps of others too: where a neighbour goes and comes back FRR may keep a next hop from
// the memory of the one that it has freed.
func hop(n *harness.Node, by string, networks ...string) func() error {
	return func() error {
		all := n.RoutesOf(protocol)
		for _, network := range networks {
			if !slices.ContainsFunc(all, func(r harness.Route) bool {
				return r.Prefix.String() == network && strings.Contains(r.String(), " "+by)
			}) {
				return fmt.Errorf("%s has no %s %s among %v", n.Name(), network, by, all)
			}
		}
		return nil
	}
}

// neighbor tells whether a router of ours has a neighbour in a state.
func neighbor(n *harness.Node, addr, state string) func() error {
	return func() error {
		return n.ShowJSON("show ip eigrp neighbors", fmt.Sprintf(`{"instances": [{"neighbors": [{"address": %q, "state": %q}]}]}`, addr, state))
	}
}

// frrNeighbor tells whether FRR has a neighbour.
func frrNeighbor(f *harness.FRR, addr string) func() error {
	return func() error {
		out, err := f.Vtysh("show ip eigrp neighbor detail")
		if err == nil && !strings.Contains(out, addr) {
			err = fmt.Errorf("FRR does not have the neighbour %s:\n%s", addr, out)
		}
		return err
	}
}

// isUpdate matches Updates.
func isUpdate(f harness.Frame) bool {
	m, err := packet.Parse(f.Payload)
	return err == nil && m.Opcode == packet.Update
}

// await waits until all that is said is so.
func await(t *testing.T, all ...func() error) {
	t.Helper()
	harness.Eventually(t, converge, func() error {
		for _, f := range all {
			if err := f(); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestEthernet has FRR as a neighbour, to which routes are added at both ends.
func TestEthernet(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	ours, frr := tp.Router("ours"), tp.Router("frr")
	tp.Link(ours, "eth0", "10.9.1.1/24", frr, "eth0", "10.9.1.2/24")
	ours.Dummy("lan", "10.1.0.1/24")
	frr.Dummy("lan", "10.2.0.1/24")
	frr.Dummy("lan2", "10.12.0.1/24") // which is no network of EIGRP yet
	wire := ours.Capture("eth0")
	f := frr.StartFRR(config("10.9.1.0/24", "10.2.0.0/24"), "eigrpd")
	ours.StartZebra("router eigrp 100\n network 10.0.0.0\n")
	await(t, neighbor(ours, "10.9.1.2", "up"), frrNeighbor(f, "10.9.1.1"),
		routes(ours, "10.2.0.0/24 via 10.9.1.2 dev eth0"), routes(frr, "10.1.0.0/24 via 10.9.1.1 dev eth0"))
	ours.Dummy("lan2", "10.11.0.1/24")
	f.Configure("router eigrp 100\nnetwork 10.12.0.0/24")
	await(t, func() error { // which FRR sends with the number of what it sent before
		if n := wire.Count(harness.All(harness.Between("10.9.1.2", "224.0.0.10"), isUpdate)); n == 0 {
			return errors.New("FRR has sent no Update")
		}
		return nil
	})
	ours.MustVtysh("clear ip eigrp neighbors")
	await(t, routes(ours, "10.2.0.0/24 via 10.9.1.2 dev eth0", "10.12.0.0/24 via 10.9.1.2 dev eth0"),
		hop(frr, "via 10.9.1.1 dev eth0", "10.1.0.0/24", "10.11.0.0/24"))
	if r, err := ours.Ping("10.2.0.1", "10.1.0.1", 3); err != nil || r.Received != 3 {
		t.Errorf("from LAN to LAN: %+v, %v", r, err)
	}

	// FRR dies: we know by the hold time. It comes back with what its file has.
	f.Kill("eigrpd")
	await(t, func() error { return ours.HasRoutes(protocol) })
	f.Start("eigrpd")
	await(t, routes(ours, "10.2.0.0/24 via 10.9.1.2 dev eth0"), routes(frr, "10.1.0.0/24 via 10.9.1.1 dev eth0"))
	if err := harness.CheckDissected("eigrp", 10, wire); err != nil {
		t.Error(err)
	}
}

// TestMD5 has FRR authenticate its Hellos: we take them, and it takes ours. What else it
// sends carries no authentication and is refused, so that there is no adjacency.
func TestMD5(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	ours, frr := tp.Router("ours"), tp.Router("frr")
	tp.Link(ours, "eth0", "10.9.1.1/24", frr, "eth0", "10.9.1.2/24")
	frr.Dummy("lan", "10.2.0.1/24")
	const chain = "key chain K\n key 5\n  key-string eigrpsecret\n"
	const auth = "interface eth0\n ip authentication mode eigrp 100 md5\n ip authentication key-chain eigrp 100 K\n"
	wire := ours.Capture("eth0")
	f := frr.StartFRR(chain+config("10.9.1.0/24", "10.2.0.0/24"), "eigrpd")
	f.Configure(auth) // which it does not take from its file
	ours.StartZebra(chain + auth + "router eigrp 100\n network 10.0.0.0\n")
	await(t, frrNeighbor(f, "10.9.1.1"), neighbor(ours, "10.9.1.2", "pending"))
	hellos := func(from string) int {
		return wire.Count(harness.All(harness.Between(from, ""), func(fr harness.Frame) bool {
			m, err := packet.Parse(fr.Payload)
			return err == nil && m.Opcode == packet.Hello && m.Auth.KeyID == 5
		}))
	}
	await(t, func() error {
		if hellos("10.9.1.1") == 0 || hellos("10.9.1.2") == 0 {
			return errors.New("not both have sent authenticated Hellos")
		}
		return nil
	})
	if err := ours.HasRoutes(protocol); err != nil {
		t.Errorf("what is not authenticated was taken: %v", err)
	}
	if err := harness.CheckDissected("eigrp", 5, wire); err != nil {
		t.Error(err)
	}
}

// TestTunnel has FRR with a point-to-point tunnel as a spoke of our multipoint hub.
func TestTunnel(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	inet := tp.Internet("inet")
	hub, frr := tp.Router("hub"), tp.Router("frr")
	tp.Uplink(inet, hub, "192.0.2.1/30")
	tp.Uplink(inet, frr, "198.51.100.1/30")
	hub.Dummy("lan", "10.10.0.1/24")
	frr.Dummy("lan", "10.11.0.1/24")
	file := filepath.Join(frr.Rundir(), "ip.batch")
	err := os.WriteFile(file, []byte("link add gre1 type gre key 100 ttl 64 local 198.51.100.1 remote 192.0.2.1\n"+
		"addr add 172.31.0.11/24 dev gre1\nlink set gre1 mtu 1400 multicast on up\n"), 0o640)
	if err == nil {
		_, err = frr.Run("ip", "-batch", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	wan := hub.Capture("wan")
	hub.StartZebra("interface Tunnel0\n ip address 172.31.0.1 255.255.255.0\n ip mtu 1400\n ip nhrp network-id 1\n" +
		" ip nhrp map 172.31.0.11 198.51.100.1\n ip nhrp map multicast 198.51.100.1\n tunnel source wan\n tunnel key 100\n" +
		" tunnel mode gre multipoint\nrouter eigrp 100\n network 10.0.0.0\n network 172.31.0.0\n passive-interface lan\n")
	f := frr.StartFRR(config("172.31.0.0/24", "10.11.0.0/24"), "eigrpd")
	await(t, neighbor(hub, "172.31.0.11", "up"), frrNeighbor(f, "172.31.0.1"),
		routes(hub, "10.11.0.0/24 via 172.31.0.11 dev Tunnel0"), routes(frr, "10.10.0.0/24 via 172.31.0.1 dev gre1"))
	if r, err := hub.Ping("10.11.0.1", "10.10.0.1", 3); err != nil || r.Received != 3 {
		t.Errorf("from LAN to LAN: %+v, %v", r, err)
	}
	if err := harness.CheckDissected("eigrp", 10, wan); err != nil {
		t.Error(err)
	}
}
