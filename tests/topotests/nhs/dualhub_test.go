package nhs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// converge is how long a cloud may take until all know all.
const converge = 60 * time.Second

// Traffic runs all the time.
const flowEvery = 100 * time.Millisecond

// The loss budget of a hub that dies: its spoke registers every 5 s and takes the hub
// for dead 5.0 to 6.7 s after the first request that was not answered; the other hub
// is asked at once and sends an update within 2 s, as does the core, which hears of
// the spoke by it. RIP's own timeout of 6 s runs meanwhile. A second is for a machine
// that does other things as well.
const failoverBudget = 5*time.Second + 6700*time.Millisecond + 2*time.Second + 2*time.Second + time.Second

// returnLimit is how long it may take until a hub that is back is connected: a probe
// is sent at least every 64 s.
const returnLimit = 90 * time.Second

const ripLines = `router rip
 version 2
 timers basic 2 6 0 12
 network 10.0.0.0
 network 172.31.0.0
 no auto-summary
`

func underlay(gateway string) string {
	return "ip route 192.0.2.0 255.255.255.0 " + gateway + "\nip route 198.51.100.0 255.255.255.0 " + gateway + "\nip route 203.0.113.0 255.255.255.0 " + gateway + "\n"
}

// hub is the configuration of a hub.
func hub(name, nbma, gateway, tunnel, lan, rip string) string {
	return "hostname " + name + "\ninterface wan\n ip address " + nbma + " 255.255.255.252\ninterface lan\n ip address " + lan + " 255.255.255.252\n" +
		underlay(gateway) + "interface Tunnel0\n ip address " + tunnel + ` 255.255.255.0
 ip nhrp network-id 1
 ip nhrp holdtime 20
 tunnel source wan
 tunnel mode gre multipoint
` + ripLines + rip
}

// spoke is the configuration of the spoke but for its servers.
func spoke(nhrp, routing string) string {
	return "hostname SPOKE\ninterface wan\n ip address 203.0.113.1 255.255.255.252\ninterface lan\n ip address 10.11.0.1 255.255.255.0\n" +
		underlay("203.0.113.2") + `interface Tunnel0
 ip address 172.31.0.11 255.255.255.0
 ip nhrp network-id 1
 ip nhrp registration timeout 5
` + nhrp + ` tunnel source wan
 tunnel mode gre multipoint
` + routing
}

const servers = ` ip nhrp nhs 172.31.0.1 nbma 192.0.2.1 multicast priority 1 cluster 1
 ip nhrp nhs 172.31.0.2 nbma 198.51.100.1 multicast priority 2 cluster 1
 ip nhrp nhs cluster 1 max-connections 1
 ip nhrp nhs fallback 10
`

// connected tells whether the spoke is connected to one hub and not to the other, by
// its own word and by those of the hubs; and whether its route follows.
func connected(spoke *harness.Node, states [2]string, hubs [2]*harness.Node) error {
	if err := spoke.ShowJSON("show ip nhrp nhs", fmt.Sprintf(`{"servers": [{"address": "172.31.0.1", "recovery": %q, "maxConnections": 1},
		{"address": "172.31.0.2", "recovery": %q}]}`, states[0], states[1])); err != nil {
		return err
	}
	for k, h := range hubs {
		if h == nil {
			continue // dead: what it believes does not matter
		}
		registered := false
		for _, n := range h.Neighbors("Tunnel0") {
			registered = registered || n.Address.String() == "172.31.0.11"
		}
		if registered != (states[k] == "UP") {
			return fmt.Errorf("hub%d has the spoke as a neighbour: %v; it is %s", k+1, registered, states[k])
		}
	}
	return nil
}

func by(gateway string) []string {
	via := " via " + gateway + " dev Tunnel0"
	return []string{"10.1.1.0/30" + via, "10.1.2.0/30" + via, "10.10.0.0/24" + via}
}

// onlyLAN0 tells whether the route to the LAN behind the hubs leads to one of them.
func onlyLAN0(n *harness.Node, gateway string) error {
	for _, r := range n.RoutesOf(harness.ProtocolNumber(rib.RIP)) {
		if r.Prefix.String() == "10.10.0.0/24" && strings.Contains(r.String(), " via "+gateway+" dev Tunnel0") {
			return nil
		}
	}
	return fmt.Errorf("no route to 10.10.0.0/24 by %s: %v", gateway, n.RoutesOf(harness.ProtocolNumber(rib.RIP)))
}

// TestDualHub kills the first of two hubs under traffic, has it come back, and counts
// what is lost: not more than failoverBudget when it dies, nothing when it is back.
func TestDualHub(t *testing.T) {
	tp := harness.New(t)
	inet := tp.Internet("inet")
	hub1, hub2, core, site := tp.Node("hub1"), tp.Node("hub2"), tp.Node("core"), tp.Node("spoke")
	lan0, lan1 := tp.Node("lan0"), tp.Node("lan1")
	uplink := tp.Link(inet, "to-hub1", "192.0.2.2/30", hub1, "wan", "")
	tp.Link(inet, "to-hub2", "198.51.100.2/30", hub2, "wan", "")
	tp.Link(inet, "to-spoke", "203.0.113.2/30", site, "wan", "")
	tp.Link(core, "to-hub1", "", hub1, "lan", "")
	tp.Link(core, "to-hub2", "", hub2, "lan", "")
	tp.Link(lan0, "eth0", "10.10.0.10/24", core, "lan", "")
	tp.Link(lan1, "eth0", "10.11.0.10/24", site, "lan", "")
	lan0.Route("default", "10.10.0.1")
	lan1.Route("default", "10.11.0.1")
	hub1.StartZebra(hub("HUB1", "192.0.2.1", "192.0.2.2", "172.31.0.1", "10.1.1.2", ""))
	hub2.StartZebra(hub("HUB2", "198.51.100.1", "198.51.100.2", "172.31.0.2", "10.1.2.2", " offset-list 0 out 2\n"))
	core.StartZebra("hostname CORE\ninterface to-hub1\n ip address 10.1.1.1 255.255.255.252\ninterface to-hub2\n ip address 10.1.2.1 255.255.255.252\n" +
		"interface lan\n ip address 10.10.0.1 255.255.255.0\n" + ripLines)
	site.StartZebra(spoke(servers, ripLines))
	hubs := [2]*harness.Node{hub1, hub2}
	harness.Eventually(t, converge, func() error { return connected(site, [2]string{"UP", "DOWN"}, hubs) })
	site.WaitRoutes(converge, harness.ProtocolNumber(rib.RIP), by("172.31.0.1")...)
	if err := site.ShowJSON("show ip nhrp multicast", `{"entries": [{"nbma": "192.0.2.1"}]}`); err != nil {
		t.Error(err)
	}
	harness.Eventually(t, converge, func() error { return lan1.Reaches("10.10.0.10") })

	flow := lan1.Flow("10.10.0.10", flowEvery)
	uplink.Cut()
	harness.Eventually(t, converge, func() error { return connected(site, [2]string{"PROBE", "UP"}, [2]*harness.Node{nil, hub2}) })
	harness.Eventually(t, converge, func() error { return onlyLAN0(site, "172.31.0.2") })
	harness.Eventually(t, converge, func() error { return lan1.Reaches("10.10.0.10") })
	failover := flow.Stop()
	if most := int(failoverBudget / flowEvery); len(failover.Lost) > most {
		t.Errorf("hub1 died: %d packets of %d were lost, more than %d", len(failover.Lost), failover.Sent, most)
	}
	t.Logf("hub1 died: %d packets were lost, %v", len(failover.Lost), time.Duration(len(failover.Lost))*flowEvery)

	flow = lan1.Flow("10.10.0.10", flowEvery)
	uplink.Mend()
	harness.Eventually(t, returnLimit, func() error { return connected(site, [2]string{"UP", "UP"}, hubs) })
	harness.Eventually(t, converge, func() error { return connected(site, [2]string{"UP", "DOWN"}, hubs) })
	site.WaitRoutes(converge, harness.ProtocolNumber(rib.RIP), by("172.31.0.1")...)
	harness.Eventually(t, converge, func() error { return lan1.Reaches("10.10.0.10") })
	if back := flow.Stop(); len(back.Lost) > 0 {
		t.Errorf("hub1 came back: %d packets of %d were lost: %v", len(back.Lost), back.Sent, back.Lost)
	}
	harness.Eventually(t, converge, site.Logged("(Tunnel: 172.31.0.1 NBMA: 192.0.2.1)", "is DOWN, Reason: Registration Failure", "is DOWN, Reason: Fallback to Better Servers"))
}
