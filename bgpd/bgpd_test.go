package bgpd_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/bgpd"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

const (
	hubConfig = `router bgp 65000
 neighbor 127.0.0.3 remote-as 65001
 network 10.2.0.0 mask 255.255.255.0
`
	spokeConfig = `router bgp 65001
 bgp log-neighbor-changes
 neighbor 127.0.0.2 remote-as 65000
 address-family ipv4
  neighbor 127.0.0.2 activate
  redistribute connected metric 5
`
	atHub   = "10.3.0.0/24 via 127.0.0.3 [20/5]"
	atSpoke = "10.2.0.0/24 via 127.0.0.2 [20/0]"
)

// pair is a hub and a spoke that have exchanged their routes.
func pair(t *testing.T) (hub, spoke *router) {
	hub, spoke = newRouter(t, 2), newRouter(t, 3)
	know(hub, spoke)
	hub.start(hubConfig)
	spoke.start(spokeConfig)
	hub.has(atHub)
	spoke.has(atSpoke)
	return hub, spoke
}

// TestExchange: two daemons become neighbours through TCP, learn each other's networks,
// and tell zebra.
func TestExchange(t *testing.T) {
	hub, spoke := pair(t)
	hub.eventually(func() string {
		if got := hub.logged(); !strings.Contains(got, "%BGP-5-ADJCHANGE: neighbor 127.0.0.3 Up") {
			return "logs: " + got
		}
		return ""
	})
	// Own routes follow the routing table.
	lan := connected("10.2.0.0/24", "GigabitEthernet2")
	hub.zebra.change(lan, true)
	spoke.has("")
	hub.zebra.change(lan, false)
	spoke.has(atSpoke)
	// And the configuration.
	hub.configure(strings.Replace(hubConfig, " network 10.2.0.0 mask 255.255.255.0\n", "", 1))
	spoke.has("")
	spoke.configure(strings.Replace(spokeConfig, "metric 5", "metric 7", 1))
	hub.has("10.3.0.0/24 via 127.0.0.3 [20/7]")
	// A farewell takes the routes along.
	if err := spoke.daemon.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	hub.has("")
}

// TestConditionalDefault: a hub that has lost its uplink takes its default route back.
func TestConditionalDefault(t *testing.T) {
	hub, spoke := newRouter(t, 2), newRouter(t, 3)
	know(hub, spoke)
	hub.start(hubConfig + ` neighbor 127.0.0.3 default-originate route-map UPLINK
 neighbor 127.0.0.3 prefix-list NOTHING out
ip prefix-list UPLINK seq 5 permit 10.2.0.0/24
ip prefix-list NOTHING seq 5 deny 0.0.0.0/0 le 32
route-map UPLINK permit 10
 match ip address prefix-list UPLINK
 set metric 9
`)
	spoke.start(spokeConfig)
	const byDefault = "0.0.0.0/0 via 127.0.0.2 [20/9]"
	spoke.has(byDefault)
	uplink := connected("10.2.0.0/24", "GigabitEthernet2")
	hub.zebra.change(uplink, true)
	spoke.has("")
	hub.zebra.change(uplink, false)
	spoke.has(byDefault)
}

// TestCommands runs every exec command of the grammar, for people and for programs.
func TestCommands(t *testing.T) {
	hub, spoke := pair(t)
	lines := map[string]string{ // what they must say
		"show ip bgp":                                       " *>  10.3.0.0/24      127.0.0.3                5             0 65001 ?",
		"show ip bgp 10.3.0.0/24":                           "127.0.0.3 from 127.0.0.3 (10.3.0.1)",
		"show ip bgp 10.3.0.7":                              "10.3.0.0/24",
		"show ip bgp 10.0.0.0 255.0.0.0 longer-prefixes":    "10.2.0.0/24",
		"show bgp ipv4 unicast 10.4.0.0/24":                 "% Network not in table",
		"show ip bgp summary":                               "127.0.0.3       4        65001",
		"show ip bgp vrf RED summary":                       "% BGP is not active in VRF RED",
		"show bgp ipv6 unicast summary":                     "BGP router identifier",
		"show ip bgp neighbors":                             "BGP neighbor is 127.0.0.3,  remote AS 65001, external link",
		"show ip bgp neighbors 127.0.0.3":                   "BGP state = Established, up for",
		"show ip bgp neighbors 127.0.0.9":                   "% No such neighbor",
		"show ip bgp neighbors 127.0.0.3 advertised-routes": "10.2.0.0/24",
		"show ip bgp neighbors 127.0.0.3 routes":            "10.3.0.0/24",
		"show ip bgp neighbors 127.0.0.3 received-routes":   "10.3.0.0/24",
		"show ip bgp peer-group":                            "",
		"show ip bgp nexthops":                              "127.0.0.3       by 127.0.0.0/24, metric 0",
		"show ip protocols":                                 `Routing Protocol is "bgp 65000"`,
		"clear ip bgp * soft":                               "",
		"clear ip bgp 127.0.0.3 soft in":                    "",
		"clear ip bgp 65001 out":                            "",
		"clear ip bgp peer-group SPOKES":                    "",
		"debug ip bgp updates":                              "BGP updates debugging is on",
		"show debugging":                                    "BGP updates debugging is on",
		"undebug ip bgp updates":                            "BGP updates debugging is off",
		"undebug all":                                       "",
		"no debug all":                                      "",
	}
	seen := map[string]bool{}
	for line, want := range lines {
		if line == "show debugging" {
			hub.exec("debug ip bgp updates", false)
		}
		if out := hub.exec(line, false); !strings.Contains(out, want) {
			t.Errorf("%s: %q, want %q", line, out, want)
		}
		if out := hub.exec(line, true); out != "" && !json.Valid([]byte(out)) {
			t.Errorf("%s: no JSON: %s", line, out)
		}
		m, _ := grammar.Parse([]string{cli.ModeEnable}, line)
		seen[m.Command.ID] = true
	}
	for _, c := range bgpd.Grammar().Commands {
		if (c.Mode == cli.ModeExec || c.Mode == cli.ModeEnable) && !seen[c.ID] && !strings.Contains(c.ID, "debug") {
			t.Errorf("command %s (%s) was not tried", c.ID, c.Pattern)
		}
	}
	hub.exec("clear ip bgp 127.0.0.3", false)
	hub.eventually(func() string {
		if !strings.Contains(hub.logged(), "127.0.0.3 Down") {
			return "no session was reset: " + hub.logged()
		}
		return ""
	})
	spoke.has(atSpoke)
}

// TestListenRange: spokes that the hub has no line for come by a listen range, and the
// hub reflects the routes of one to the other.
func TestListenRange(t *testing.T) {
	hub, a, b := newRouter(t, 2), newRouter(t, 3), newRouter(t, 4)
	know(hub, a, b)
	hub.start(`router bgp 65000
 bgp listen range 127.0.0.0/24 peer-group SPOKES
 neighbor SPOKES peer-group
 neighbor SPOKES remote-as 65000
 neighbor SPOKES route-reflector-client
 neighbor SPOKES default-originate
`)
	const spoke = "router bgp 65000\n neighbor 127.0.0.2 remote-as 65000\n redistribute connected\n"
	a.start(spoke)
	b.start(spoke)
	hub.has("10.3.0.0/24 via 127.0.0.3 [200/0]; 10.4.0.0/24 via 127.0.0.4 [200/0]")
	const viaHub = "0.0.0.0/0 via 127.0.0.2 [200/0]; "
	a.has(viaHub + "10.4.0.0/24 via 127.0.0.4 [200/0]") // phase 2: the next hop is as it was
	hub.says("show ip bgp summary", "*127.0.0.3")
	hub.says("show ip bgp summary", "Dynamically created neighbors: 2, Subnet ranges: 1")
	hub.says("show ip bgp peer-group", "Listen ranges: 127.0.0.0/24\n  Members: 127.0.0.3, 127.0.0.4")
	hub.eventually(func() string {
		if got := hub.logged(); !strings.Contains(got, "%BGP-5-ADJCHANGE: neighbor *127.0.0.3 Up") {
			return got
		}
		return ""
	})
	hub.configure(`router bgp 65000
 bgp listen range 127.0.0.0/24 peer-group SPOKES
 neighbor SPOKES peer-group
 neighbor SPOKES remote-as 65000
 neighbor SPOKES route-reflector-client
 neighbor SPOKES next-hop-self all
 neighbor SPOKES prefix-list P out
ip prefix-list P seq 5 permit 10.0.0.0/8 le 32
`)
	a.has("10.4.0.0/24 via 127.0.0.2 [200/0]") // phase 3
}

// TestNextHops: a path whose next hop is not reachable is not used.
func TestNextHops(t *testing.T) {
	hub, spoke := pair(t)
	_ = spoke
	hub.zebra.link("Tunnel0", false)
	hub.has("")
	hub.says("show ip bgp nexthops", "127.0.0.3       inaccessible")
	hub.zebra.link("Tunnel0", true)
	hub.has(atHub)
}

// TestRestart: routes outlive the daemon, at home and with a neighbour that has graceful
// restart, and what its next life does not hear again goes once the neighbour has told its
// table.
func TestRestart(t *testing.T) {
	hub, spoke := newRouter(t, 2), newRouter(t, 3)
	know(hub, spoke)
	hub.start(hubConfig + " bgp graceful-restart\n")
	spoke.start("router bgp 65001\n bgp graceful-restart\n neighbor 127.0.0.2 remote-as 65000\n redistribute connected metric 5\n")
	hub.has(atHub)
	spoke.has(atSpoke)
	hub.kill()
	gone := rib.Route{Prefix: netip.MustParsePrefix("10.99.0.0/24"), Protocol: rib.BGP, Instance: 65000, Distance: 20, NextHops: []rib.NextHop{{Addr: netip.MustParseAddr("127.0.0.99")}}}
	hub.zebra.mu.Lock()
	hub.zebra.objects[gone.Key()] = gone // of a neighbour that ended meanwhile
	hub.zebra.withdrawn = nil
	ended := hub.zebra.ended
	hub.zebra.mu.Unlock()
	spoke.zebra.mu.Lock()
	spoke.zebra.withdrawn = nil
	spoke.zebra.mu.Unlock()
	hub.start(hubConfig + " bgp graceful-restart\n")
	hub.has(atHub) // after the end of replay
	hub.zebra.mu.Lock()
	defer hub.zebra.mu.Unlock()
	if want := (map[rib.Key]bool{gone.Key(): true}); !maps.Equal(hub.zebra.swept, want) {
		t.Errorf("at the end of replay there went %v", hub.zebra.swept)
	}
	if hub.zebra.ended != ended+1 || len(hub.zebra.withdrawn) > 0 {
		t.Errorf("%d ends of replay, withdrawn: %v", hub.zebra.ended-ended, hub.zebra.withdrawn)
	}
	spoke.zebra.mu.Lock()
	defer spoke.zebra.mu.Unlock()
	if len(spoke.zebra.withdrawn) > 0 {
		t.Errorf("the neighbour withdrew %v", spoke.zebra.withdrawn)
	}
}

// TestHubRestart: the neighbours of a listen range keep the routes of a hub that restarts,
// and the hub waits for them, and no longer.
func TestHubRestart(t *testing.T) {
	hub, a, b := newRouter(t, 2), newRouter(t, 3), newRouter(t, 4)
	know(hub, a, b)
	const config = `router bgp 65000
 bgp graceful-restart
 bgp listen range 127.0.0.0/24 peer-group SPOKES
 neighbor SPOKES peer-group
 neighbor SPOKES remote-as 65000
 neighbor SPOKES route-reflector-client
`
	hub.start(config)
	for _, spoke := range []*router{a, b} {
		spoke.start("router bgp 65000\n bgp graceful-restart\n neighbor 127.0.0.2 remote-as 65000\n redistribute connected\n")
	}
	const atHub = "10.3.0.0/24 via 127.0.0.3 [200/0]; 10.4.0.0/24 via 127.0.0.4 [200/0]"
	hub.has(atHub)
	a.has("10.4.0.0/24 via 127.0.0.4 [200/0]")
	hub.kill()
	forget := func(r *router) {
		r.zebra.mu.Lock()
		defer r.zebra.mu.Unlock()
		r.zebra.withdrawn = nil
	}
	forget(a)
	hub.zebra.mu.Lock()
	ended := hub.zebra.ended
	hub.zebra.withdrawn = nil
	hub.zebra.mu.Unlock()
	hub.start(config)
	hub.eventually(func() string {
		hub.zebra.mu.Lock()
		defer hub.zebra.mu.Unlock()
		if hub.zebra.ended == ended {
			return "no end of replay"
		}
		return ""
	})
	hub.has(atHub)
	a.has("10.4.0.0/24 via 127.0.0.4 [200/0]")
	for _, r := range []*router{hub, a} {
		r.zebra.mu.Lock()
		if len(r.zebra.withdrawn) > 0 {
			t.Errorf("%v withdrew %v", r.addr, r.zebra.withdrawn)
		}
		r.zebra.mu.Unlock()
	}
	// Who leaves is not remembered.
	if err := a.daemon.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	hub.eventually(func() string {
		hub.zebra.mu.Lock()
		defer hub.zebra.mu.Unlock()
		if got := hub.zebra.topics["bgpd.dynamic"]; len(got) != 1 || got["127.0.0.4"] == nil {
			return fmt.Sprint("remembered: ", got)
		}
		return ""
	})
}

// TestWaitInstall: what the kernel has not taken is not told to others.
func TestWaitInstall(t *testing.T) {
	hub, a, b := newRouter(t, 2), newRouter(t, 3), newRouter(t, 4)
	know(hub, a, b)
	hub.zebra.busy = true
	hub.start("router bgp 65000\n bgp update wait-install\n neighbor 127.0.0.3 remote-as 65001\n neighbor 127.0.0.4 remote-as 65002\n network 10.2.0.0 mask 255.255.255.0\n")
	a.start(spokeConfig)
	b.start(strings.Replace(spokeConfig, "router bgp 65001", "router bgp 65002", 1))
	hub.has("10.3.0.0/24 via 127.0.0.3 [20/5]; 10.4.0.0/24 via 127.0.0.4 [20/5]")
	b.has(atSpoke) // the hub's own
	hub.says("show ip bgp 10.3.0.0/24", "waits for installation")
	b.has(atSpoke)
	failed := rib.Key{Kind: rib.KindRoute, Prefix: netip.MustParsePrefix("10.3.0.0/24"), Protocol: rib.BGP, Instance: 65000}
	ack := func(f ...rib.Failure) {
		hub.zebra.mu.Lock()
		defer hub.zebra.mu.Unlock()
		if err := hub.zebra.stream.Send([]session.Down{session.Event{Event: rib.Ack{Seq: hub.zebra.seq, Failures: f}}}); err != nil {
			t.Error(err)
		}
	}
	ack(rib.Failure{Key: failed, Error: "no such device"})
	a.has(atSpoke + "; 10.4.0.0/24 via 127.0.0.2 [20/0]")
	b.has(atSpoke)
	ack(rib.Failure{Key: failed}) // that ended
	b.has(atSpoke + "; 10.3.0.0/24 via 127.0.0.2 [20/0]")
}
