package ospfd_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/plugin/plugintest"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
	"github.com/godmvpn/godmvpn/ospfd"
)

// TestExchange: two daemons become neighbours over sockets, learn each other's networks,
// and tell zebra.
func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _ := exchanged(t)
		if got := hub.Zebra.TakeLogs(); !strings.Contains(got, "%OSPF-5-ADJCHG: Process 1, Nbr 172.31.0.11 on Tunnel0 from LOADING to FULL, Loading Done") {
			t.Errorf("logs: %s", got)
		}
	})
}

// TestDesignated: four routers on a network have the routes of all; those that are
// neither designated router nor backup tell by AllDRouters.
func TestDesignated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		w := n.Wire()
		var all []*plugintest.Station
		for _, a := range []string{"1", "2", "3", "4"} {
			all = append(all, newStation(t, n, w, "172.31.0."+a+"/24", "10."+a+".0.1/24"))
		}
		for _, s := range all {
			s.Start(broadcast)
		}
		time.Sleep(30 * time.Second)
		all[0].Configure(strings.Replace(broadcast, "ip ospf hello", "ip ospf cost 7\n ip ospf hello", 1)) // a change, after the election
		time.Sleep(3 * time.Second)                                                                        // not so long that it is told again, to each by itself
		same(t, "router 1", all[0].Zebra.Routes(), "10.2.0.0/24 via 172.31.0.2 Tunnel0 [110/1001]; 10.3.0.0/24 via 172.31.0.3 Tunnel0 [110/1001]; 10.4.0.0/24 via 172.31.0.4 Tunnel0 [110/1001]")
		for _, s := range all[1:3] { // 4 and 3 are elected: 1 has to tell them by AllDRouters
			if got := s.Zebra.Routes(); !strings.Contains(got, "10.1.0.0/24 via 172.31.0.1 Tunnel0 [110/1007]") {
				t.Errorf("%s", got)
			}
		}
	})
}

// TestEnd: what a router that dies told is kept for the dead interval, and what one that
// says goodbye told, no longer.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := exchanged(t)
		if err := spoke.Daemon.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		same(t, "after the goodbye", hub.Zebra.Routes(), "")
		spoke.Kill()
		spoke.Start(broadcast)
		time.Sleep(30 * time.Second)
		same(t, "after its return", hub.Zebra.Routes(), atHub)
		spoke.Kill()
		time.Sleep(2 * time.Second)
		same(t, "within the dead interval", hub.Zebra.Routes(), atHub)
		time.Sleep(5 * time.Second)
		same(t, "after the dead interval", hub.Zebra.Routes(), "")
	})
}

// gone is a route of a former life, by a neighbour that ended meanwhile.
var gone = rib.Route{Prefix: netip.MustParsePrefix("10.99.0.0/24"), Protocol: rib.OSPF, Instance: 1, Distance: 110, Metric: 3,
	NextHops: []rib.NextHop{{Addr: netip.MustParseAddr("172.31.0.99"), Interface: "Tunnel0"}}}

// graceful is broadcast with graceful restart.
const graceful = broadcast + " nsf ietf restart-interval 60\n"

// TestCrash: routes outlive the daemon, at home and with its neighbours that help, and
// what its next life does not hear again goes at the end of the restart (RFC 3623
// section 5).
func TestCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		hub.Start(graceful)
		spoke.Start(graceful)
		time.Sleep(30 * time.Second)
		hub.Kill()
		hub.Zebra.State(gone)
		both := atHub + "; 10.99.0.0/24 via 172.31.0.99 Tunnel0 [110/3]"
		ended := hub.Zebra.Ends()
		time.Sleep(time.Second)
		hub.Start(graceful)
		same(t, "before the end of replay", hub.Zebra.Routes(), both)
		spoke.Zebra.TakeLogs()
		for range 60 {
			time.Sleep(500 * time.Millisecond)
			same(t, "spoke", spoke.Zebra.Routes(), atSpoke)
		}
		same(t, "after the end of replay", hub.Zebra.Routes(), atHub)
		if n := hub.Zebra.Ends() - ended; n != 1 {
			t.Errorf("%d ends of replay", n)
		}
		if got := spoke.Zebra.TakeLogs(); strings.Contains(got, "to DOWN") {
			t.Errorf("the adjacency went: %s", got)
		}
	})
}

// TestRouterID: the router ID that was chosen stays over a crash, though a higher address
// came meanwhile; without its address it goes.
func TestRouterID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		hub := newStation(t, n, n.Wire(), "172.31.0.1/24", "10.1.0.1/24")
		hub.Start(broadcast)
		hub.Add(n.Wire(), rib.Interface{Name: "GigabitEthernet3", KernelName: "lan3", Index: 3}, "192.168.0.1/24")
		for _, want := range []string{"172.31.0.1", "192.168.0.1"} {
			hub.Kill()
			hub.Start(broadcast)
			if got := hub.Exec("show ip ospf", false); !strings.Contains(got, "with ID "+want) {
				t.Errorf("want %s: %s", want, got)
			}
			hub.Interfaces = append(hub.Interfaces[:1:1], hub.Interfaces[2:]...) // without the tunnel, the next time
		}
	})
}

// TestPlannedRestart: a daemon that is to be started again asks its neighbours to wait
// longer than their dead interval.
func TestPlannedRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		var d *ospfd.Daemon
		p := *program
		p.New = func(log *slog.Logger, w daemon.World) plugintest.Daemon {
			d = ospfd.New(log, "test", w)
			return d
		}
		hub.Program = &p
		hub.Start(graceful)
		spoke.Start(graceful)
		time.Sleep(30 * time.Second)
		if err := d.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		hub.Kill()
		for range 20 {
			time.Sleep(time.Second)
			same(t, "spoke, without the hub", spoke.Zebra.Routes(), atSpoke)
		}
		hub.Start(graceful)
		for range 60 {
			time.Sleep(500 * time.Millisecond)
			same(t, "spoke", spoke.Zebra.Routes(), atSpoke)
			same(t, "hub", hub.Zebra.Routes(), atHub)
		}
		time.Sleep(time.Minute)
		same(t, "spoke, later", spoke.Zebra.Routes(), atSpoke)
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
		if n := len(hub.Zebra.Topic("ospfd.memory")); n != 1 {
			t.Errorf("%d instances are remembered", n)
		}
		hub.Zebra = plugintest.NewZebra()
		hub.Interfaces = hub.Interfaces[:1]
		hub.Attach()
		time.Sleep(6 * time.Second) // throttle of computations
		same(t, "without the tunnel", hub.Zebra.Routes(), "")
	})
}

// TestVRF: an instance in a VRF has its own socket, table and neighbours.
func TestVRF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		w := n.Wire()
		far := newStation(t, n, w, "172.31.0.7/24", "10.7.0.1/24")
		near := newStation(t, n, n.Wire(), "172.31.0.1/24", "10.1.0.1/24") // nobody is on its tunnel
		near.Interfaces = append(near.Interfaces, rib.Interface{Name: "RED", KernelName: "vrf-red", Index: 40, Type: rib.TypeVRF, AdminUp: true, Up: true})
		near.Add(w, rib.Interface{Name: "GigabitEthernet3", KernelName: "red0", Index: 41, VRF: "RED", Bandwidth: 1_000_000}, "172.31.0.5/24")
		far.Start(broadcast)
		near.Start("vrf definition RED\n address-family ipv4\ninterface GigabitEthernet3\n vrf forwarding RED\n ip ospf hello-interval 1\n" + router +
			"router ospf 2 vrf RED\n network 0.0.0.0 255.255.255.255 area 0\n")
		time.Sleep(60 * time.Second)
		same(t, "in the VRF", near.Zebra.Routes(), "RED 10.7.0.0/24 via 172.31.0.7 GigabitEthernet3 [110/2]")
	})
}

// TestTunnelPeer: on a tunnel whose neighbours are named those of NHRP are neighbours, and
// go at once when NHRP loses them.
func TestTunnelPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const p2mp = "interface Tunnel0\n ip ospf network point-to-multipoint non-broadcast\n ip ospf hello-interval 10\n" + router
		hub, spoke := pair(t)
		hub.Start(p2mp)
		spoke.Start(p2mp)
		time.Sleep(5 * time.Minute)
		same(t, "without NHRP", hub.Zebra.Routes(), "")
		at := func(addr string) string {
			return tunnelpeer.Peer{Tunnel: "Tunnel0", Addr: netip.MustParseAddr(addr)}.Key()
		}
		hub.Publish(tunnelpeer.Topic, at("172.31.0.11"), tunnelpeer.Client.Append(nil))
		spoke.Publish(tunnelpeer.Topic, at("172.31.0.1"), tunnelpeer.Server.Append(nil))
		hub.Publish(tunnelpeer.Topic, "nonsense", tunnelpeer.Client.Append(nil))
		time.Sleep(time.Minute)
		const learned = "10.11.0.0/24 via 172.31.0.11 Tunnel0 [110/1001]"
		if got := hub.Zebra.Routes(); !strings.Contains(got, learned) {
			t.Errorf("with NHRP: %s", got)
		}
		if got := hub.Log.String(); strings.Count(got, "cannot be read") != 1 {
			t.Errorf("log: %s", got)
		}
		hub.Publish(tunnelpeer.Topic, at("172.31.0.11"), nil) // nhrpd ended: nothing is said
		time.Sleep(time.Second)
		if got := hub.Zebra.Routes(); !strings.Contains(got, learned) {
			t.Errorf("without nhrpd: %s", got)
		}
		hub.Zebra.TakeLogs()
		hub.Publish(tunnelpeer.Topic, at("172.31.0.11"), tunnelpeer.Lost.Append(nil))
		time.Sleep(time.Second)
		if got := hub.Zebra.Routes(); strings.Contains(got, learned) {
			t.Errorf("NHRP lost it: %s", got)
		}
		if got := hub.Zebra.TakeLogs(); !strings.Contains(got, "from FULL to DOWN, Neighbor Down: NHRP lost it") {
			t.Errorf("logs: %s", got)
		}

		// Both are cut off from each other for a while, of which NHRP takes no notice: they
		// ask each other again within a dead interval.
		hub.Publish(tunnelpeer.Topic, at("172.31.0.11"), tunnelpeer.Client.Append(nil))
		time.Sleep(time.Minute)
		for _, s := range []*plugintest.Station{hub, spoke} {
			s.Devices["Tunnel0"].SetUp(false)
		}
		time.Sleep(5 * time.Minute)
		if got := hub.Zebra.Routes(); strings.Contains(got, learned) {
			t.Errorf("cut off: %s", got)
		}
		for _, s := range []*plugintest.Station{hub, spoke} {
			s.Devices["Tunnel0"].SetUp(true)
		}
		time.Sleep(50 * time.Second)
		if got := hub.Zebra.Routes(); !strings.Contains(got, learned) {
			t.Errorf("not cut off any more: %s", got)
		}
	})
}

// TestRedistribution: routes of another protocol are external ones of the neighbour.
func TestRedistribution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		hub.Zebra.Others = []rib.Route{{Prefix: netip.MustParsePrefix("192.168.7.0/24"), Protocol: rib.Static, Distance: 1}}
		hub.Start(broadcast + " redistribute static subnets\n")
		spoke.Start(broadcast)
		time.Sleep(30 * time.Second)
		same(t, "spoke", spoke.Zebra.Routes(), atSpoke+"; 192.168.7.0/24 via 172.31.0.1 Tunnel0 [110/20]")
		hub.Configure(broadcast)
		time.Sleep(10 * time.Second)
		same(t, "without it", spoke.Zebra.Routes(), atSpoke)
		if got := hub.Zebra.Watched(); len(got) != 0 {
			t.Errorf("watched: %v", got)
		}
	})
}

// TestErrors: what the daemon refuses changes nothing; it says who it is and that it lives.
func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _ := exchanged(t)
		bad := broadcast + " distribute-list 7 out\n" + " area 0 stub\n"
		for _, phase := range []plugin.Phase{plugin.Check, plugin.Commit} {
			errs, err := hub.Daemon.Configure(context.Background(), plugin.Configuration{Revision: 2, Tree: program.Parse(t, bad), Phase: phase})
			if err != nil || len(errs) == 0 {
				t.Errorf("%v: %v, %v", phase, errs, err)
			}
		}
		if errs, err := hub.Daemon.Configure(context.Background(), plugin.Configuration{Revision: 2, Tree: program.Parse(t, ""), Phase: plugin.Check}); err != nil || len(errs) > 0 {
			t.Error(errs, err)
		}
		time.Sleep(10 * time.Second)
		same(t, "after what was refused", hub.Zebra.Routes(), atHub)
		id, err := hub.Daemon.Hello(context.Background(), plugin.Host{})
		if err != nil || id.Name != "ospfd" || id.HoldLimit != 5*time.Minute {
			t.Errorf("%+v, %v", id, err)
		}
		if err := hub.Daemon.Exec(context.Background(), plugin.Command{ID: "nosuch"}, io.Discard); err == nil || !strings.Contains(err.Error(), "nosuch") {
			t.Error(err)
		}
		hub.Kill()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := hub.Daemon.Alive(ctx); err == nil {
			t.Error("a daemon that does not run is alive")
		}
	})
}

// TestCommands runs every exec command of the grammar, for people and for programs.
func TestCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _ := exchanged(t)
		lines := map[string]string{ // what they must say
			"show ip ospf":                           "172.31.0.1",
			"show ip ospf 1":                         "172.31.0.1",
			"show ip ospf neighbor":                  "172.31.0.11",
			"show ip ospf neighbor detail":           "172.31.0.11",
			"show ip ospf request-list":              "Process ID 1",
			"show ip ospf retransmission-list":       "Process ID 1",
			"show ip ospf neighbor Tunnel0":          "172.31.0.11",
			"show ip ospf interface":                 "Tunnel0",
			"show ip ospf interface brief":           "Tu0",
			"show ip ospf database":                  "172.31.0.11",
			"show ip ospf database router":           "172.31.0.11",
			"show ip ospf database self-originate":   "172.31.0.1",
			"show ip ospf border-routers":            "172.31.0.1",
			"show ip ospf route":                     "10.11.0.0/24",
			"show ip ospf rib":                       "10.11.0.0/24",
			"show ip ospf statistics":                "",
			"show ip ospf traffic":                   "",
			"show ip ospf virtual-links":             "",
			"show ip ospf summary-address":           "",
			"show ip ospf max-metric":                "",
			"show ip ospf nsf":                       "",
			"show ip ospf database database-summary": "Router",
			"show ip protocols":                      `Routing Protocol is "ospf 1"`,
			"clear ip ospf counters":                 "",
			"clear ip ospf neighbor":                 "",
			"clear ip ospf redistribution":           "",
			"clear ip ospf force-spf":                "",
			"clear ip ospf process":                  "",
			"debug ip ospf adj":                      "OSPF adjacency debugging is on",
			"undebug ip ospf adj":                    "",
			"show debugging":                         "OSPF hello debugging is on",
			"undebug all":                            "",
			"no debug all":                           "",
		}
		seen := map[string]bool{}
		for line, want := range lines {
			if line == "show debugging" {
				hub.Exec("debug ip ospf hello", false)
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
		for _, c := range ospfd.Grammar().Commands {
			if (c.Mode == cli.ModeExec || c.Mode == cli.ModeEnable) && !seen[c.ID] && !strings.Contains(c.ID, "debug") {
				t.Errorf("command %s (%s) was not tried", c.ID, c.Pattern)
			}
		}
	})
}

// TestDebug: what happens is told under the facilities that are on, and no others.
func TestDebug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := exchanged(t)
		for _, c := range []struct{ words, want, not string }{
			{"hello", "ello", "LSA"},
			{"packet", "172.31.0.11", "nothing"},
			{"adj", "172.31.0.11", "ello"},
			{"flood", "172.31.0.11", "ello"},
			{"lsa-generation", "172.31.0.1", "ello"},
			{"spf", "SPF", "ello"},
			{"rib", "10.11.0.0/24", "ello"},
		} {
			hub.Exec("debug ip ospf "+c.words, false)
			hub.Zebra.TakeLogs()
			spoke.Exec("clear ip ospf process", false)
			time.Sleep(time.Minute)
			hub.Exec("undebug all", false)
			if got := hub.Zebra.TakeLogs(); !strings.Contains(got, c.want) || strings.Contains(got, c.not) {
				t.Errorf("debug ip ospf %s: %s", c.words, got)
			}
		}
	})
}
