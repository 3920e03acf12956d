package ripd_test

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

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/plugin/plugintest"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd"
)

// TestExchange: two daemons learn each other's networks over sockets, and tell
// zebra.
func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		hub.Start(config)
		spoke.Start(config)
		// The spoke asks for the table as soon as it is there (RFC 2453 section 3.9.1).
		time.Sleep(6 * time.Second)
		same(t, "hub", hub.Zebra.Routes(), atHub)
		same(t, "spoke", spoke.Zebra.Routes(), atSpoke)
	})
}

// TestCommands runs every exec command of the grammar, for people and for
// programs, in the global table and in a VRF where there is nothing.
func TestCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _ := exchanged(t)
		lines := map[string]string{ // what they must say
			"show ip rip":                                  "10.11.0.0/24",
			"show ip rip 10.11.0.0/24":                     "172.31.0.11",
			"show ip rip 10.11.0.77":                       "172.31.0.11",
			"show ip rip vrf RED":                          "RIP is not configured in VRF RED",
			"show ip rip database":                         "via 172.31.0.11",
			"show ip rip database vrf RED":                 "RIP is not configured in VRF RED",
			"show ip rip database 10.11.0.0 255.255.255.0": "via 172.31.0.11",
			"show ip rip status":                           "Tunnel0",
			"show ip rip status vrf RED":                   "RIP is not configured in VRF RED",
			"show ip protocols":                            `Routing Protocol is "rip"`,
			"show ip protocols vrf RED":                    "",
			"clear ip rip counters":                        "",
			"clear ip rip":                                 "",
			"clear ip rip vrf RED":                         "",
			"debug rip events":                             "RIP event debugging is on",
			"debug rip":                                    "RIP protocol debugging is on",
			"show debugging":                               "RIP packet debugging is on",
			"undebug rip packets":                          "RIP packet debugging is off",
			"no debug rip":                                 "RIP protocol debugging is off",
			"undebug all":                                  "",
			"no debug all":                                 "",
		}
		seen := map[string]bool{}
		for line, want := range lines {
			if line == "show debugging" {
				hub.Exec("debug rip", false)
			}
			if out := hub.Exec(line, false); !strings.Contains(out, want) || want == "" && out != "" {
				t.Errorf("%s: %q, want %q", line, out, want)
			}
			if out := hub.Exec(line, true); out != "" && !json.Valid([]byte(out)) {
				t.Errorf("%s: no JSON: %s", line, out)
			}
			m, _ := program.Grammar.Parse([]string{cli.ModeEnable}, line)
			seen[m.Command.ID] = true
		}
		for _, c := range ripd.Grammar().Commands {
			if (c.Mode == cli.ModeExec || c.Mode == cli.ModeEnable) && !seen[c.ID] {
				t.Errorf("command %s (%s) was not tried", c.ID, c.Pattern)
			}
		}
	})
}

// TestEnd: what a router that dies told is kept for the timeout, and what one
// that says goodbye told, no longer.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := exchanged(t)
		if err := spoke.Daemon.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		same(t, "after the goodbye", hub.Zebra.Routes(), "")
		spoke.Kill()
		spoke.Start(config)
		time.Sleep(6 * time.Second)
		same(t, "after its return", hub.Zebra.Routes(), atHub)
		spoke.Kill()
		time.Sleep(140 * time.Second)
		same(t, "within the timeout", hub.Zebra.Routes(), atHub)
		time.Sleep(50 * time.Second)
		same(t, "after the timeout", hub.Zebra.Routes(), "")
	})
}

// TestRestart: routes outlive the daemon, and what its next life does not hear
// again goes when every living neighbour has had time to speak.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := exchanged(t)
		gone := rib.Route{Prefix: netip.MustParsePrefix("10.99.0.0/24"), Protocol: rib.RIP, Distance: 120, Metric: 3,
			NextHops: []rib.NextHop{{Addr: netip.MustParseAddr("172.31.0.99"), Interface: "Tunnel0"}}}
		hub.Kill()
		hub.Zebra.State(gone) // of a neighbour that ended meanwhile
		both := atHub + "; 10.99.0.0/24 via 172.31.0.99 Tunnel0 [120/3]"
		same(t, "without the daemon", hub.Zebra.Routes(), both)
		ended := hub.Zebra.Ends()
		hub.Start(config)
		time.Sleep(40 * time.Second)
		same(t, "before the end of replay", hub.Zebra.Routes(), both)
		if n := hub.Zebra.Ends() - ended; n != 0 {
			t.Errorf("%d ends of replay after 40 s", n)
		}
		time.Sleep(10 * time.Second)
		same(t, "after the end of replay", hub.Zebra.Routes(), atHub)
		if n := hub.Zebra.Ends() - ended; n != 1 {
			t.Errorf("%d ends of replay", n)
		}
		same(t, "spoke", spoke.Zebra.Routes(), atSpoke)
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
		old := spoke.Add(w, rib.Interface{Name: "Tunnel1", KernelName: "Tunnel1", Index: 20}, "172.31.0.12/24")
		spoke.Interfaces[1], spoke.Interfaces[2] = spoke.Interfaces[2], spoke.Interfaces[1]
		hub.Start(config)
		spoke.Start(config)
		time.Sleep(time.Minute)
		old.Remove()
		spoke.Tell(rib.InterfaceGone{Name: "Tunnel1"})
		renewed := spoke.Interfaces[1]
		renewed.Index = 30
		spoke.Host.Add(w, memnet.Spec{Index: 30, Name: "Tunnel1", Addrs: []netip.Addr{netip.MustParseAddr("172.31.0.12")}})
		spoke.Tell(rib.InterfaceChanged{Interface: renewed})
		time.Sleep(time.Minute)
		if got := spoke.Zebra.Routes(); !strings.Contains(got, "172.31.0.1 Tunnel1") {
			t.Errorf("nothing was learnt by the new device: %s", got)
		}
	})
}

// TestVRF: an instance in a VRF has its own socket, table and neighbours.
func TestVRF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		n := memnet.New()
		w := n.Wire()
		far := newStation(t, n, w, "172.31.0.7/24", "10.7.0.1/24")
		near := newStation(t, n, n.Wire(), "172.31.0.1/24", "10.1.0.1/24") // nobody is on its tunnel
		red := rib.Interface{Name: "RED", KernelName: "vrf-red", Index: 40, Type: rib.TypeVRF, AdminUp: true, Up: true}
		near.Interfaces = append(near.Interfaces, red)
		near.Add(w, rib.Interface{Name: "GigabitEthernet3", KernelName: "eth3", Index: 41, VRF: "RED"}, "172.31.0.8/24")
		near.Start(config + " address-family ipv4 vrf RED\n  version 2\n  network 172.31.0.0\n")
		far.Start(config)
		time.Sleep(time.Minute)
		same(t, "in the VRF", near.Zebra.Routes(), "RED 10.7.0.0/24 via 172.31.0.7 GigabitEthernet3 [120/1]")
		if out := near.Exec("show ip rip vrf RED", false); !strings.Contains(out, "10.7.0.0/24") || strings.Contains(out, "10.1.0.0/24") {
			t.Errorf("shown:\n%s", out)
		}
		if out := near.Exec("show ip protocols vrf RED", false); !strings.Contains(out, "172.31.0.7") {
			t.Errorf("shown:\n%s", out)
		}
		same(t, "at the other side", far.Zebra.Routes(), "")
		near.Tell(rib.InterfaceGone{Name: "RED"})
		if logs := near.Zebra.TakeLogs(); strings.Contains(logs, "NOSOCKET") {
			t.Errorf("logs: %s", logs)
		}
		_, _ = hub, spoke
	})
}

// TestRedistribute: zebra is asked for routes, and they are announced.
func TestRedistribute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		static := rib.Route{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Protocol: rib.Static, Distance: 1}
		hub.Zebra.Others = []rib.Route{static}
		hub.Start(config + " redistribute static metric 4\n")
		spoke.Start(config)
		time.Sleep(time.Minute)
		const learnt = "192.0.2.0/24 via 172.31.0.1 Tunnel0 [120/4]"
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

const keyed = `key chain RIPKEYS
 key 1
  key-string S3CRET
  cryptographic-algorithm md5
  accept-lifetime 00:00:00 Jan 1 2000 12:00:00 Jan 1 2000
  send-lifetime 00:00:00 Jan 1 2000 12:00:00 Jan 1 2000
interface Tunnel0
 ip rip authentication mode md5
 ip rip authentication key-chain RIPKEYS
` + config

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
		time.Sleep(250 * time.Second)
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
		if got := hub.Zebra.TakeLogs(); strings.Contains(got, "RIP: ") {
			t.Errorf("nobody asked for: %s", got)
		}
		hub.Exec("debug rip packets", false)
		time.Sleep(time.Minute)
		got := hub.Zebra.TakeLogs()
		for _, want := range []string{
			"RIP: received v2 update from 172.31.0.11 on Tunnel0\n     10.11.0.0/24 via 0.0.0.0 in 1 hops",
			"RIP: sending v2 update to 224.0.0.9 via Tunnel0 (172.31.0.1)\n     10.1.0.0/24 via 0.0.0.0, metric 1, tag 0",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in:\n%s", want, got)
			}
		}
		if strings.Contains(got, "regular update") {
			t.Errorf("events that nobody asked for:\n%s", got)
		}
		hub.Exec("debug rip events", false)
		time.Sleep(time.Minute)
		if got := hub.Zebra.TakeLogs(); !strings.Contains(got, "RIP: regular update on Tunnel0") {
			t.Errorf("no regular update in:\n%s", got)
		}
		spoke.Configure(strings.ReplaceAll(keyed, "S3CRET", "0TH3R"))
		time.Sleep(time.Minute)
		got = hub.Zebra.TakeLogs()
		if !strings.Contains(got, "RIP: ignored packet from 172.31.0.11 on Tunnel0 (invalid authentication") {
			t.Errorf("no invalid authentication in:\n%s", got)
		}
		if strings.Contains(got, "S3CRET") || strings.Contains(got, "0TH3R") {
			t.Errorf("a key is in:\n%s", got)
		}
		hub.Exec("undebug all", false)
		hub.Zebra.TakeLogs()
		time.Sleep(time.Minute)
		if got := hub.Zebra.TakeLogs(); strings.Contains(got, "RIP: ") {
			t.Errorf("nobody asked any more for: %s", got)
		}
	})
}

// TestClear: learnt routes go and are asked for anew.
func TestClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := exchanged(t)
		hub.Exec("clear ip rip", false)
		time.Sleep(10 * time.Second)
		same(t, "after the answer", hub.Zebra.Routes(), atHub)
		spoke.Kill()
		hub.Exec("clear ip rip", false)
		same(t, "without one", hub.Zebra.Routes(), "")
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
		time.Sleep(6 * time.Second)
		same(t, "with the tunnel", hub.Zebra.Routes(), atHub)
	})
}

// TestCheck: lines that make no sense are refused, each under its own path, and
// nothing of it is in force.
func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _ := exchanged(t)
		bad := config + " timers basic 30 20 0 10\n"
		for _, phase := range []plugin.Phase{plugin.Check, plugin.Commit} {
			errs, err := hub.Daemon.Configure(context.Background(), plugin.Configuration{Revision: 2, Tree: program.Parse(t, bad), Phase: phase})
			if err != nil || len(errs) == 0 {
				t.Fatalf("phase %d: %v, %v", phase, errs, err)
			}
			router := program.Parse(t, bad).Nodes[0]
			if diff := cmp.Diff([]string{router.Key, router.Nodes[1].Key}, errs[0].Path); diff != "" { // behind the version
				t.Errorf("phase %d: path (-want +got):\n%s", phase, diff)
			}
		}
		if errs, err := hub.Daemon.Configure(context.Background(), plugin.Configuration{Revision: 2, Tree: program.Parse(t, ""), Phase: plugin.Check}); err != nil || len(errs) > 0 {
			t.Errorf("%v, %v", errs, err)
		}
		same(t, "still in force", hub.Zebra.Routes(), atHub)
		hub.Configure("")
		same(t, "without RIP", hub.Zebra.Routes(), "")
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
		if err != nil || id.Name != ripd.Name || id.HoldLimit != 4*time.Minute {
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
