package eigrpd_test

import (
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/eigrpd"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/plugin/plugintest"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
)

// TestExchange: two daemons become neighbours over sockets, learn each other's
// networks, and tell zebra.
func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		hub.Start(config)
		spoke.Start(config)
		time.Sleep(6 * time.Second)
		same(t, "hub", hub.Zebra.Routes(), atHub)
		same(t, "spoke", spoke.Zebra.Routes(), atSpoke)
		if got := hub.Zebra.TakeLogs(); !strings.Contains(got, "%DUAL-5-NBRCHANGE: EIGRP-IPv4 100: Neighbor 172.31.0.11 (Tunnel0) is up: new adjacency") {
			t.Errorf("logs: %s", got)
		}
	})
}

// TestTunnelPeer: a neighbour goes at once when nhrpd says that it is lost.
func TestTunnelPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := exchanged(t)
		p := tunnelpeer.Peer{Tunnel: "Tunnel0", Addr: netip.MustParseAddr("172.31.0.11")}
		say := func(key string, payload []byte) {
			hub.Tell(rib.TopicMessage{Topic: tunnelpeer.Topic, Key: key, Payload: payload})
			synctest.Wait()
		}
		say(p.Key(), tunnelpeer.Client.Append(nil))
		say("nonsense", tunnelpeer.Lost.Append(nil))
		say(p.Key(), []byte{77})
		same(t, "hub", hub.Zebra.Routes(), atHub)
		if got := hub.Log.String(); strings.Count(got, "cannot be read") != 2 {
			t.Errorf("log: %s", got)
		}
		spoke.Kill()
		hub.Zebra.TakeLogs()
		say(p.Key(), tunnelpeer.Lost.Append(nil))
		same(t, "hub without the spoke", hub.Zebra.Routes(), "")
		if got := hub.Zebra.TakeLogs(); !strings.Contains(got, "Neighbor 172.31.0.11 (Tunnel0) is down: tunnel peer lost") {
			t.Errorf("logs: %s", got)
		}
	})
}

// TestCommands runs every exec command of the grammar, for people and for programs.
func TestCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _ := exchanged(t)
		hub.Configure(config + "router eigrp SPARE\n shutdown\n")
		lines := map[string]string{ // what they must say
			"show ip eigrp neighbors":                        "172.31.0.11",
			"show ip eigrp neighbors detail":                 "172.31.0.11",
			"show ip eigrp neighbors Tunnel0":                "Tu0",
			"show eigrp address-family ipv4 100 neighbors":   "172.31.0.11",
			"show ip eigrp vrf RED neighbors":                "EIGRP is not configured",
			"show ip eigrp topology":                         "P 10.11.0.0/24, 1 successors, FD is 26880256",
			"show ip eigrp topology all-links":               "via 172.31.0.11 (26880256/2816), Tunnel0",
			"show ip eigrp topology 10.11.0.0/24":            "172.31.0.11",
			"show ip eigrp topology 10.11.0.77":              "10.11.0.0/24",
			"show eigrp address-family ipv4 topology active": "AS(100)",
			"show ip eigrp interfaces":                       "Tu0",
			"show ip eigrp interfaces detail":                "Hello-interval",
			"show ip eigrp traffic":                          "Hellos",
			"show ip eigrp timers":                           "Hello",
			"show ip eigrp accounting":                       "172.31.0.11",
			"show ip eigrp events":                           "172.31.0.11",
			"show ipv6 eigrp neighbors":                      "EIGRP is not configured",
			"show eigrp protocols":                           "100",
			"show ip protocols":                              `Routing Protocol is "eigrp 100"`,
			"show eigrp upgrade-cli 100 DMVPN":               "address-family ipv4 unicast autonomous-system 100",
			"show eigrp downgrade-cli SPARE":                 "no router eigrp SPARE",
			"clear ip eigrp counters":                        "",
			"clear ip eigrp neighbors soft":                  "",
			"clear ip eigrp neighbors 172.31.0.99":           "",
			"clear eigrp address-family ipv4 100 neighbors":  "",
			"clear eigrp address-family ipv4 counters":       "",
			"debug eigrp packets":                            "EIGRP Packets debugging is on",
			"debug eigrp fsm":                                "EIGRP Finite State Machine debugging is on",
			"show debugging":                                 "EIGRP Neighbors debugging is on",
			"undebug eigrp neighbors":                        "EIGRP Neighbors debugging is off",
			"undebug all":                                    "",
			"no debug all":                                   "",
		}
		seen := map[string]bool{}
		for line, want := range lines {
			if line == "show debugging" {
				hub.Exec("debug eigrp neighbors", false)
			}
			time.Sleep(time.Minute) // after what was cleared
			if out := hub.Exec(line, false); !strings.Contains(out, want) {
				t.Errorf("%s: %q, want %q", line, out, want)
			}
			if out := hub.Exec(line, true); out != "" && !json.Valid([]byte(out)) {
				t.Errorf("%s: no JSON: %s", line, out)
			}
			m, _ := program.Grammar.Parse([]string{cli.ModeEnable}, line)
			seen[m.Command.ID] = true
		}
		if err := hub.Daemon.Exec(context.Background(), plugin.Command{ID: "eigrp.show-downgrade"}, io.Discard); err == nil {
			t.Error("a router that is not there was converted")
		}
		for _, c := range eigrpd.Grammar().Commands {
			if (c.Mode == cli.ModeExec || c.Mode == cli.ModeEnable) && !seen[c.ID] && !strings.Contains(c.ID, "debug") {
				t.Errorf("command %s (%s) was not tried", c.ID, c.Pattern)
			}
		}
	})
}

// TestEnd: what a router that dies told is kept for the hold time, and what one that
// says goodbye told, no longer.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := exchanged(t)
		if err := spoke.Daemon.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		same(t, "after the goodbye", hub.Zebra.Routes(), "")
		spoke.Kill()
		spoke.Start(config)
		time.Sleep(time.Minute)
		same(t, "after its return", hub.Zebra.Routes(), atHub)
		spoke.Kill()
		time.Sleep(9 * time.Second)
		same(t, "within the hold time", hub.Zebra.Routes(), atHub)
		time.Sleep(7 * time.Second)
		same(t, "after the hold time", hub.Zebra.Routes(), "")
	})
}

// TestRestart: routes outlive the daemon, at home and with its neighbours, and what its
// next life does not hear again goes when the neighbours have told their tables.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		hub.Start(config)
		spoke.Start(config)
		time.Sleep(time.Minute)
		same(t, "hub", hub.Zebra.Routes(), atHub)
		gone := rib.Route{Prefix: netip.MustParsePrefix("10.99.0.0/24"), Protocol: rib.EIGRP, Instance: 100, Distance: 90, Metric: 3,
			NextHops: []rib.NextHop{{Addr: netip.MustParseAddr("172.31.0.99"), Interface: "Tunnel0"}}}
		hub.Kill()
		hub.Zebra.State(gone) // of a neighbour that ended meanwhile
		both := atHub + "; 10.99.0.0/24 via 172.31.0.99 Tunnel0 [90/3]"
		same(t, "without the daemon", hub.Zebra.Routes(), both)
		ended := hub.Zebra.Ends()
		hub.Start(config)
		same(t, "before the end of replay", hub.Zebra.Routes(), both)
		for range 30 {
			time.Sleep(time.Second)
			same(t, "spoke", spoke.Zebra.Routes(), atSpoke)
		}
		same(t, "after the end of replay", hub.Zebra.Routes(), atHub)
		if n := hub.Zebra.Ends() - ended; n != 1 {
			t.Errorf("%d ends of replay", n)
		}
	})
}

// TestZebraRestart: the daemon lives on and states everything again at once. An
// interface that went meanwhile is gone.
func TestZebraRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _ := exchanged(t)
		hub.Zebra = plugintest.NewZebra()
		hub.Attach()
		same(t, "to another zebra", hub.Zebra.Routes(), atHub)
		if n := hub.Zebra.Ends(); n != 1 {
			t.Errorf("%d ends of replay", n)
		}
		hub.Zebra = plugintest.NewZebra()
		hub.Interfaces = hub.Interfaces[:1]
		hub.Attach()
		same(t, "without the tunnel", hub.Zebra.Routes(), "")
	})
}

// TestTunnelMadeAnew: the tunnel's device vanishes and comes back under another
// index.
func TestTunnelMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		w := n.Wire()
		hub, spoke := newStation(t, n, w, "172.31.0.1/24", "10.1.0.1/24"), newStation(t, n, w, "172.31.0.11/24", "10.11.0.1/24")
		hub.Start(config)
		spoke.Start(config)
		time.Sleep(time.Minute)
		old := spoke.Interfaces[1]
		spoke.Devices["Tunnel0"].Remove()
		spoke.Tell(rib.InterfaceGone{Name: "Tunnel0"})
		same(t, "without the device", spoke.Zebra.Routes(), "")
		renewed := old
		renewed.Index = 30
		spoke.Host.Add(w, memnet.Spec{Index: 30, Name: "Tunnel0", Addrs: []netip.Addr{netip.MustParseAddr("172.31.0.11")}})
		spoke.Tell(rib.InterfaceChanged{Interface: renewed})
		time.Sleep(time.Minute)
		same(t, "by the new device", spoke.Zebra.Routes(), atSpoke)
		same(t, "hub", hub.Zebra.Routes(), atHub)
	})
}

// TestMetricChange: a bandwidth that changes is in the metric.
func TestMetricChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := exchanged(t)
		faster := hub.Interfaces[1]
		faster.Bandwidth = 1000
		hub.Tell(rib.InterfaceChanged{Interface: faster})
		time.Sleep(10 * time.Second)
		same(t, "hub", hub.Zebra.Routes(), "10.11.0.0/24 via 172.31.0.11 Tunnel0 [90/3840256]")
		same(t, "spoke", spoke.Zebra.Routes(), atSpoke)
	})
}

// TestVRF: an instance in a VRF has its own socket, table and neighbours.
func TestVRF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		w := n.Wire()
		far := newStation(t, n, w, "172.31.0.7/24", "10.7.0.1/24")
		near := newStation(t, n, n.Wire(), "172.31.0.1/24", "10.1.0.1/24") // nobody is on its tunnel
		red := rib.Interface{Name: "RED", KernelName: "vrf-red", Index: 40, Type: rib.TypeVRF, AdminUp: true, Up: true}
		near.Interfaces = append(near.Interfaces, red)
		near.Add(w, rib.Interface{Name: "GigabitEthernet3", KernelName: "eth3", Index: 41, VRF: "RED", Bandwidth: 1_000_000, Delay: 1}, "172.31.0.8/24")
		near.Start(config + "router eigrp TEST\n address-family ipv4 unicast vrf RED autonomous-system 100\n  network 172.31.0.0\n")
		far.Start(config)
		time.Sleep(time.Minute)
		same(t, "in the VRF", near.Zebra.Routes(), "RED 10.7.0.0/24 via 172.31.0.7 GigabitEthernet3 [90/15360]")
		if out := near.Exec("show ip eigrp vrf RED topology", false); !strings.Contains(out, "10.7.0.0/24") || strings.Contains(out, "10.1.0.0/24") {
			t.Errorf("shown:\n%s", out)
		}
		same(t, "at the other side", far.Zebra.Routes(), "")
		near.Tell(rib.InterfaceGone{Name: "RED"})
		if logs := near.Zebra.TakeLogs(); strings.Contains(logs, "NOSOCKET") {
			t.Errorf("logs: %s", logs)
		}
	})
}

// TestIPv6: EIGRP of IPv6 goes between link-local addresses.
func TestIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		w := n.Wire()
		hub, spoke := newStation(t, n, w, "fe80::1/64", "2001:db8:1::1/64"), newStation(t, n, w, "fe80::b/64", "2001:db8:b::1/64")
		for i, s := range []*plugintest.Station{hub, spoke} {
			s.Interfaces[0].Addresses = append(s.Interfaces[0].Addresses, rib.Address{Prefix: netip.MustParsePrefix("fe80::99/64")})
			s.Start("router eigrp TEST\n address-family ipv6 unicast autonomous-system 100\n  eigrp router-id 192.0.2." + []string{"1", "2"}[i] + "\n")
		}
		time.Sleep(time.Minute)
		if got := hub.Zebra.Routes(); !strings.HasPrefix(got, "2001:db8:b::/64 via fe80::b Tunnel0 [90/") {
			t.Errorf("hub: %s", got)
		}
		if got := spoke.Zebra.Routes(); !strings.HasPrefix(got, "2001:db8:1::/64 via fe80::1 Tunnel0 [90/") {
			t.Errorf("spoke: %s", got)
		}
	})
}

// TestRedistribute: zebra is asked for routes, and they are announced.
func TestRedistribute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		static := rib.Route{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Protocol: rib.Static, Distance: 1}
		hub.Zebra.Others = []rib.Route{static}
		hub.Start(config + " redistribute static metric 1000000 1 255 1 1500\n")
		spoke.Start(config)
		time.Sleep(time.Minute)
		const learnt = "192.0.2.0/24 via 172.31.0.1 Tunnel0 [170/26880256]"
		same(t, "redistributed", spoke.Zebra.Routes(), atSpoke+"; "+learnt)
		watch := rib.Watch{Kind: rib.WatchRedistribute, Family: rib.IPv4, Protocol: rib.Static}
		if got := hub.Zebra.Watched(); !slices.Equal(got, []rib.Watch{watch}) {
			t.Errorf("watched: %+v", got)
		}
		hub.Tell(rib.RouteChanged{Watch: watch, Route: static, Withdrawn: true})
		time.Sleep(10 * time.Second)
		same(t, "withdrawn", spoke.Zebra.Routes(), atSpoke)
		hub.Configure(config)
		if got := hub.Zebra.Watched(); len(got) != 0 {
			t.Errorf("watched: %+v", got)
		}
	})
}

const (
	keyed = `key chain EIGRPKEYS
 key 1
  key-string S3CRET
  accept-lifetime 00:00:00 Jan 1 2000 12:00:00 Jan 1 2000
  send-lifetime 00:00:00 Jan 1 2000 12:00:00 Jan 1 2000
interface Tunnel0
 ip authentication mode eigrp 100 md5
 ip authentication key-chain eigrp 100 EIGRPKEYS
` + config
)

// TestWallClock: the lifetimes of keys follow the time of day, also where that is
// set while the daemon runs.
func TestWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins on 1 January 2000, 00:00 UTC
		hub, spoke := pair(t)
		hub.Start(keyed)
		spoke.Start(keyed)
		time.Sleep(time.Minute)
		same(t, "while the key lives", hub.Zebra.Routes(), atHub)
		hub.Wall.Store(int64(24 * time.Hour))
		time.Sleep(time.Minute)
		same(t, "a day later", hub.Zebra.Routes(), "")
		same(t, "at the spoke", spoke.Zebra.Routes(), "")
		hub.Wall.Store(0)
		time.Sleep(time.Minute)
		same(t, "back again", hub.Zebra.Routes(), atHub)
		same(t, "at the spoke", spoke.Zebra.Routes(), atSpoke)
		if all := hub.Log.String() + hub.Zebra.TakeLogs(); strings.Contains(all, "S3CRET") {
			t.Errorf("the key is in a log:\n%s", all)
		}
	})
}

// TestDebug: lines in Cisco's words, while they are wanted.
func TestDebug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		hub.Start(keyed)
		spoke.Start(keyed)
		time.Sleep(time.Minute)
		hub.Zebra.TakeLogs()
		time.Sleep(time.Minute)
		if got := hub.Zebra.TakeLogs(); strings.Contains(got, "EIGRP: ") {
			t.Errorf("nobody asked for: %s", got)
		}
		hub.Exec("debug eigrp packets", false)
		time.Sleep(time.Minute)
		got := hub.Zebra.TakeLogs()
		for _, want := range []string{"EIGRP: Received HELLO on Tu0", "EIGRP: Sending HELLO on Tu0"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in:\n%s", want, got)
			}
		}
		if strings.Contains(got, "DUAL: ") {
			t.Errorf("events that nobody asked for:\n%s", got)
		}
		spoke.Configure(strings.ReplaceAll(keyed, "S3CRET", "0TH3R"))
		time.Sleep(time.Minute)
		got = hub.Zebra.TakeLogs()
		if !strings.Contains(got, "EIGRP: Tu0: ignored packet from 172.31.0.11 (authentication failure)") {
			t.Errorf("no ignored packet in:\n%s", got)
		}
		if strings.Contains(got, "S3CRET") || strings.Contains(got, "0TH3R") {
			t.Errorf("a key is in:\n%s", got)
		}
		hub.Exec("undebug all", false)
		hub.Zebra.TakeLogs()
		time.Sleep(time.Minute)
		if got := hub.Zebra.TakeLogs(); strings.Contains(got, "EIGRP: Received") {
			t.Errorf("nobody asked any more for: %s", got)
		}
	})
}

// TestClear: a neighbour that is cleared comes back, and one that is cleared softly
// stays.
func TestClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _ := exchanged(t)
		hub.Zebra.TakeLogs()
		hub.Exec("clear ip eigrp neighbors", false)
		same(t, "cleared", hub.Zebra.Routes(), "")
		time.Sleep(10 * time.Second)
		same(t, "back", hub.Zebra.Routes(), atHub)
		hub.Zebra.TakeLogs()
		hub.Exec("clear ip eigrp neighbors soft", false)
		same(t, "cleared softly", hub.Zebra.Routes(), atHub)
		time.Sleep(10 * time.Second)
		same(t, "afterwards", hub.Zebra.Routes(), atHub)
		if got := hub.Zebra.TakeLogs(); strings.Contains(got, "is down") {
			t.Errorf("logs: %s", got)
		}
	})
}

// TestInterfaceGone: what was learnt by an interface goes with it.
func TestInterfaceGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _ := exchanged(t)
		tunnel := hub.Interfaces[1]
		hub.Tell(rib.InterfaceGone{Name: "Tunnel0"})
		same(t, "without the tunnel", hub.Zebra.Routes(), "")
		hub.Tell(rib.InterfaceChanged{Interface: tunnel})
		time.Sleep(20 * time.Second)
		same(t, "with the tunnel", hub.Zebra.Routes(), atHub)
	})
}

// TestCheck: lines that make no sense are refused, each under its own path, and
// nothing of it is in force.
func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _ := exchanged(t)
		bad := "router eigrp 100\n network 10.0.0.0\n metric weights 0 0 0 0 0 0\n" // without the tunnel's network
		for _, phase := range []plugin.Phase{plugin.Check, plugin.Commit} {
			errs, err := hub.Daemon.Configure(context.Background(), plugin.Configuration{Revision: 2, Tree: program.Parse(t, bad), Phase: phase})
			if err != nil || len(errs) == 0 {
				t.Fatalf("phase %d: %v, %v", phase, errs, err)
			}
			router := program.Parse(t, bad).Nodes[0]
			if diff := cmp.Diff(router.Key, errs[0].Path[0]); diff != "" {
				t.Errorf("phase %d: path (-want +got):\n%s", phase, diff)
			}
		}
		if errs, err := hub.Daemon.Configure(context.Background(), plugin.Configuration{Revision: 2, Tree: program.Parse(t, ""), Phase: plugin.Check}); err != nil || len(errs) > 0 {
			t.Errorf("%v, %v", errs, err)
		}
		same(t, "still in force", hub.Zebra.Routes(), atHub)
		hub.Configure("")
		same(t, "without EIGRP", hub.Zebra.Routes(), "")
	})
}

// TestLife: the daemon proves that its loop turns, and says who it is.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _ := pair(t)
		hub.Start("")
		if err := hub.Daemon.Alive(context.Background()); err != nil {
			t.Error(err)
		}
		id, err := hub.Daemon.Hello(context.Background(), plugin.Host{})
		if err != nil || id.Name != eigrpd.Name || id.HoldLimit != 5*time.Minute {
			t.Errorf("%+v, %v", id, err)
		}
		if n := hub.Zebra.Ends(); n != 1 {
			t.Errorf("%d ends of replay without a configuration", n)
		}
		if err := hub.Daemon.Exec(context.Background(), plugin.Command{ID: "nosuch"}, io.Discard); err == nil || !strings.Contains(err.Error(), "nosuch") {
			t.Errorf("an unknown command: %v", err)
		}
		hub.Kill()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := hub.Daemon.Alive(ctx); err == nil {
			t.Error("a core that has ended is alive")
		}
	})
}
