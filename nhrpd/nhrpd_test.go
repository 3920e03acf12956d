package nhrpd_test

import (
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd"
)

const (
	atHub   = "172.31.0.11 at 198.51.100.1; 172.31.0.12 at 203.0.113.1"
	atSpoke = "172.31.0.1 at 192.0.2.1"
)

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// TestRegistration: two spokes register over sockets, and each daemon's
// neighbours reach its zebra. The shows are Cisco's.
func TestRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke1, spoke2 := cloud(t)
		hub.start(hubConfig)
		spoke1.start(spokeConfig)
		spoke2.start(spokeConfig)
		same(t, "hub", hub.neighbors(), atHub)
		same(t, "spoke1", spoke1.neighbors(), atSpoke)
		same(t, "spoke2", spoke2.neighbors(), atSpoke)
		time.Sleep(90 * time.Second)
		for _, line := range []string{"show ip nhrp", "show ip nhrp brief", "show ip nhrp detail", "show ip nhrp dynamic", "show ip nhrp static",
			"show ip nhrp 172.31.0.12", "show ip nhrp nhs", "show ip nhrp nhs detail", "show ip nhrp traffic", "show ip nhrp traffic detail",
			"show ip nhrp multicast", "show ip nhrp summary", "show ip nhrp self", "show nhrp interfaces", "show ip nhrp shortcut", "show ip nhrp local detail", "show dmvpn",
			"show dmvpn detail", "show dmvpn peer tunnel 172.31.0.12", "show dmvpn peer nbma 192.0.2.1 static",
			"show dmvpn peer network 172.31.0.11 255.255.255.255", "show dmvpn vrf RED"} {
			file := strings.ReplaceAll(strings.TrimPrefix(line, "show "), " ", "-")
			golden(t, "hub-"+file+".txt", hub.exec(line, false))
			golden(t, "spoke-"+file+".txt", spoke1.exec(line, false))
			for _, s := range []*station{hub, spoke1} {
				if out := s.exec(line, true); !json.Valid([]byte(out)) || !strings.HasPrefix(out, "{") {
					t.Errorf("%s: no JSON: %s", line, out)
				}
			}
		}
		golden(t, "hub-dmvpn.json", hub.exec("show dmvpn", true))
		golden(t, "hub-ip-nhrp.json", hub.exec("show ip nhrp", true))
		golden(t, "spoke-ip-nhrp-nhs.json", spoke1.exec("show ip nhrp nhs", true))
		for _, s := range []*station{hub, spoke1} {
			s.zebra.mu.Lock()
			logs := strings.Join(s.zebra.logs, "\n")
			s.zebra.mu.Unlock()
			if !strings.Contains(logs, "%DMVPN-5-NHRP_NH") {
				t.Errorf("no log of a registration: %q", logs)
			}
			if strings.Contains(logs+s.log.String(), "S3CRET") {
				t.Error("the key is in a log")
			}
		}
	})
}

// TestResolution: a spoke sends to another one, and learns where it is; what nobody
// has stays with the hub, and is shown as such.
func TestResolution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke1, spoke2 := cloud(t)
		hub.start(hubConfig)
		spoke1.start(spokeConfig)
		spoke2.start(spokeConfig)
		spoke1.neighbors() // at rest
		spoke1.miss("172.31.0.12")
		spoke1.miss("172.31.0.99")
		same(t, "spoke1", spoke1.neighbors(), atSpoke+"; 172.31.0.12 at 203.0.113.1; 172.31.0.99 at 192.0.2.1")
		time.Sleep(5 * time.Second)
		for _, line := range []string{"show ip nhrp", "show ip nhrp incomplete", "show ip nhrp detail", "show dmvpn"} {
			golden(t, "resolved-"+strings.ReplaceAll(strings.TrimPrefix(line, "show "), " ", "-")+".txt", spoke1.exec(line, false))
		}
		golden(t, "resolved-ip-nhrp.json", spoke1.exec("show ip nhrp", true))
		time.Sleep(6 * time.Second)
		same(t, "spoke1, after the refusal is over", spoke1.neighbors(), atSpoke+"; 172.31.0.12 at 203.0.113.1")

		// A life later it still knows, without asking.
		hub.kill()
		spoke1.kill()
		spoke1.start(spokeConfig)
		same(t, "spoke1, restarted", spoke1.neighbors(), atSpoke+"; 172.31.0.12 at 203.0.113.1")
		time.Sleep(10 * time.Minute)
		same(t, "spoke1, after the holding time", spoke1.neighbors(), atSpoke)
	})
}

// TestExpiry: a spoke that dies is forgotten after its holding time; one that
// says goodbye, at once.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke1, spoke2 := cloud(t)
		hub.start(hubConfig)
		spoke1.start(spokeConfig)
		spoke2.start(spokeConfig)
		same(t, "at first", hub.neighbors(), atHub)
		if err := spoke2.daemon.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		spoke2.kill()
		same(t, "after the goodbye", hub.neighbors(), "172.31.0.11 at 198.51.100.1")
		spoke1.kill()
		time.Sleep(9 * time.Minute)
		same(t, "within the holding time", hub.neighbors(), "172.31.0.11 at 198.51.100.1")
		time.Sleep(time.Minute + time.Second)
		same(t, "after the holding time", hub.neighbors(), "")
	})
}

// TestHubRestart: a new life of the hub's daemon has the entries of the former
// one without a word of the spokes.
func TestHubRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke1, spoke2 := cloud(t)
		hub.start(hubConfig)
		spoke1.start(spokeConfig)
		spoke2.start(spokeConfig)
		same(t, "at first", hub.neighbors(), atHub)
		time.Sleep(time.Minute)
		spoke1.kill()
		spoke2.kill()
		hub.kill()
		same(t, "without the daemon", hub.neighbors(), atHub)
		ended := hub.zebra.ended
		hub.start(hubConfig)
		same(t, "with another one", hub.neighbors(), atHub)
		if out := hub.exec("show ip nhrp brief", false); strings.Count(out, "D/") != 2 {
			t.Errorf("the new daemon does not know the spokes:\n%s", out)
		}
		// They were to live for ten minutes from their registration, not from the restart.
		time.Sleep(9*time.Minute - time.Second)
		same(t, "to the end of the holding time", hub.neighbors(), atHub)
		time.Sleep(2 * time.Second)
		same(t, "after the holding time", hub.neighbors(), "")
		time.Sleep(time.Minute)
		synctest.Wait()
		if hub.zebra.ended != ended+1 {
			t.Errorf("%d ends of replay by the second life", hub.zebra.ended-ended)
		}
	})
}

// TestZebraRestart: the daemon lives on and states everything again.
func TestZebraRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke1, spoke2 := cloud(t)
		hub.start(hubConfig)
		spoke1.start(spokeConfig)
		spoke2.start(spokeConfig)
		same(t, "at first", hub.neighbors(), atHub)
		hub.zebra = &zebra{objects: map[rib.Key]rib.Object{}, topics: map[string][]byte{}}
		hub.attach()
		same(t, "to another zebra", hub.neighbors(), atHub)
		if hub.zebra.ended != 1 || len(hub.zebra.topics) != 2 {
			t.Errorf("%d ends of replay, %d entries to remember", hub.zebra.ended, len(hub.zebra.topics))
		}
	})
}

// TestTunnelMadeAnew: the tunnel's device vanishes and comes back under another
// index: the spoke registers over a new socket.
func TestTunnelMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		w := n.Wire()
		hub, spoke := newStation(t, n, w, "172.31.0.1/24", "192.0.2.1"), newStation(t, n, w, "172.31.0.11/24", "198.51.100.1")
		old := spoke.host.Add(w, memnet.Spec{Index: 20, Name: "Tunnel0"})
		tunnel := &spoke.interfaces[1]
		hub.start(hubConfig)
		tunnel.Index = 20
		spoke.start(spokeConfig)
		same(t, "with a device of another kind", hub.neighbors(), "")
		old.Remove()
		tunnel.Index = 10
		spoke.tell(rib.InterfaceGone{Name: "Tunnel0"})
		spoke.tell(rib.InterfaceChanged{Interface: *tunnel})
		same(t, "with the device made anew", hub.neighbors(), "172.31.0.11 at 198.51.100.1")
	})
}

// TestAuthenticationMismatch: no entry, an error that says so, and no key in it.
func TestAuthenticationMismatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke, _ := cloud(t)
		hub.start(hubConfig)
		spoke.start(strings.ReplaceAll(spokeConfig, "S3CRET", "0TH3R"))
		same(t, "hub", hub.neighbors(), "")
		out := hub.exec("show ip nhrp traffic detail", false) + spoke.exec("show ip nhrp nhs detail", false)
		if !strings.Contains(out, "uthentication") || strings.Contains(out, "0TH3R") || strings.Contains(hub.log.String()+spoke.log.String(), "0TH3R") {
			t.Errorf("shown:\n%s", out)
		}
		spoke.configure(spokeConfig)
		time.Sleep(time.Minute)
		same(t, "with the right key", hub.neighbors(), "172.31.0.11 at 198.51.100.1")
	})
}

// TestClear removes learnt entries and counters.
func TestClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke1, spoke2 := cloud(t)
		hub.start(hubConfig)
		spoke1.start(spokeConfig)
		spoke2.start(spokeConfig)
		same(t, "at first", hub.neighbors(), atHub)
		hub.exec("clear ip nhrp 172.31.0.11", false)
		same(t, "one cleared", hub.neighbors(), "172.31.0.12 at 203.0.113.1")
		hub.exec("clear ip nhrp", false)
		same(t, "all cleared", hub.neighbors(), "")
		hub.exec("clear ip nhrp vrf RED", false)
		hub.exec("clear ip nhrp Tu7", false)
		spoke1.exec("clear dmvpn session static", false)
		same(t, "registered again", hub.neighbors(), "172.31.0.11 at 198.51.100.1")
		hub.exec("clear ip nhrp Tu0", false)
		same(t, "one tunnel cleared", hub.neighbors(), "")
		spoke1.exec("clear dmvpn session peer nbma 192.0.2.1", false)
		same(t, "spoke1 has to register again", hub.neighbors(), "172.31.0.11 at 198.51.100.1")
		spoke2.exec("clear dmvpn session", false)
		same(t, "spoke2 has nothing learnt", hub.neighbors(), "172.31.0.11 at 198.51.100.1")
		spoke2.exec("clear dmvpn session interface Tunnel0 static", false)
		same(t, "spoke2 has to register again", hub.neighbors(), atHub)
		hub.exec("clear dmvpn session peer tunnel 172.31.0.12", false)
		hub.exec("clear ip nhrp shortcut", false)
		same(t, "one session ended", hub.neighbors(), "172.31.0.11 at 198.51.100.1")
		hub.exec("clear dmvpn statistics", false)
		if out := hub.exec("show ip nhrp traffic", false); !strings.Contains(out, "Rcvd: Total 0") {
			t.Errorf("counters after clear:\n%s", out)
		}
	})
}

// TestCheck: lines that make no sense are refused, each under its own path, and
// nothing is in force.
func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _, _ := cloud(t)
		hub.start(hubConfig)
		for line, want := range map[string]string{
			"interface Tunnel0\n ip nhrp nhs 0.0.0.0":                    "0.0.0.0 is not the protocol address of a server",
			"interface Tunnel0\n ip nhrp nhs 172.31.0.1 nbma 224.0.0.1":  "224.0.0.1 is not the NBMA address of a server",
			"interface Tunnel0\n ip nhrp map 172.31.0.1 255.255.255.255": "255.255.255.255 is not the NBMA address of a station",
			"interface Tunnel0\n ip nhrp map 224.0.0.5 192.0.2.1":        "not the protocol address of a station",
			"interface Tunnel0\n ip nhrp map multicast 224.0.0.5":        "224.0.0.5 is not the NBMA address of a station",
			"interface GigabitEthernet1\n ip nhrp network-id 1":          "GigabitEthernet1 is no tunnel; NHRP is for tunnels",
			"interface GigabitEthernet1\n ip nhrp authentication S3CRET": "GigabitEthernet1 is no tunnel; NHRP is for tunnels",
			"interface Tunnel0\n ip nhrp holdtime 10":                    "",
		} {
			tree := parse(t, line)
			for _, phase := range []plugin.Phase{plugin.Check, plugin.Commit} {
				if want == "" && phase == plugin.Commit {
					continue
				}
				errs, err := hub.daemon.Configure(context.Background(), plugin.Configuration{Revision: 2, Tree: tree, Phase: phase})
				got := ""
				if len(errs) == 1 {
					got = errs[0].Msg
					block := tree.Nodes[0]
					if diff := cmp.Diff([]string{block.Key, block.Nodes[0].Key}, errs[0].Path); diff != "" {
						t.Errorf("%q: path (-want +got):\n%s", line, diff)
					}
				}
				if err != nil || got != want || strings.Contains(got, "S3CRET") {
					t.Errorf("%q: %v, %v; want %q", line, errs, err, want)
				}
			}
		}
		if out := hub.exec("show dmvpn detail", false); !strings.Contains(out, "Interface Tunnel0 is up/up") {
			t.Errorf("the configuration in force went:\n%s", out)
		}
	})
}

// TestLife: the daemon proves that its loop turns, and says who it is.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _, _ := cloud(t)
		hub.start("")
		if err := hub.daemon.Alive(context.Background()); err != nil {
			t.Error(err)
		}
		id, err := hub.daemon.Hello(context.Background(), plugin.Host{})
		if err != nil || id.Name != nhrpd.Name || id.HoldLimit != 2*time.Hour {
			t.Errorf("%+v, %v", id, err)
		}
		hub.kill()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := hub.daemon.Alive(ctx); err == nil {
			t.Error("a core that has ended is alive")
		}
		if err := hub.daemon.Exec(context.Background(), plugin.Command{ID: "nosuch"}, io.Discard); err == nil || !strings.Contains(err.Error(), "nosuch") {
			t.Errorf("an unknown command: %v", err)
		}
	})
}

// TestServerByName: the server's NBMA address is that of a name, which can be
// resolved only after a while and changes later.
func TestServerByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke, _ := cloud(t)
		hub.start(hubConfig)
		spoke.start("interface Tunnel0\n ip nhrp network-id 1\n ip nhrp authentication S3CRET\n ip nhrp nhs 172.31.0.1 nbma hub.example multicast\n")
		same(t, "without the name", spoke.neighbors(), "")
		if out := spoke.exec("show ip nhrp nhs detail", false); !strings.Contains(out, "hub.example") || !strings.Contains(out, "no such name") {
			t.Errorf("shown:\n%s", out)
		}
		spoke.names.set("hub.example", "192.0.2.1")
		time.Sleep(2 * time.Minute)
		same(t, "with the name", spoke.neighbors(), atSpoke)
		same(t, "hub", hub.neighbors(), "172.31.0.11 at 198.51.100.1")
	})
}

// TestPointToPoint: on a point-to-point tunnel the peer is the tunnel's
// destination; nobody needs a neighbour entry.
func TestPointToPoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		w := n.Wire()
		hub, spoke := newStation(t, n, w, "172.31.0.1/24", "192.0.2.1"), newStation(t, n, w, "172.31.0.11/24", "198.51.100.1")
		wire := n.Wire()
		for s, far := range map[*station]string{hub: "198.51.100.1", spoke: "192.0.2.1"} {
			s.host.Add(wire, memnet.Spec{Index: 30, Name: "Tunnel0"})
			i := &s.interfaces[1]
			i.Index, i.Tunnel.Mode, i.Tunnel.Destination = 30, rib.TunnelGRE, netip.MustParseAddr(far)
		}
		hub.start(hubConfig)
		spoke.start("interface Tunnel0\n ip nhrp network-id 1\n ip nhrp authentication S3CRET\n ip nhrp nhs 172.31.0.1\n")
		if out := spoke.exec("show ip nhrp nhs", false); !strings.Contains(out, "172.31.0.1  RE  NBMA Address: 192.0.2.1") {
			t.Errorf("shown:\n%s", out)
		}
		if out := hub.exec("show ip nhrp", false); !strings.Contains(out, "172.31.0.11/32 via 172.31.0.11\n") || !strings.Contains(out, "NBMA address: 198.51.100.1") {
			t.Errorf("shown:\n%s", out)
		}
		same(t, "neighbours", hub.neighbors()+spoke.neighbors(), "")
	})
}

// TestIPv6: the same with IPv6 in the tunnel, beside IPv4; each family by itself.
func TestIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke1, spoke2 := cloud(t)
		for i, s := range []*station{hub, spoke1, spoke2} {
			tunnel := &s.interfaces[1]
			tunnel.Addresses = append(tunnel.Addresses,
				rib.Address{Prefix: netip.MustParsePrefix([]string{"2001:db8::1/64", "2001:db8::11/64", "2001:db8::12/64"}[i])})
		}
		const at4 = "172.31.0.1 at 192.0.2.1; "
		const config = "interface Tunnel0\n ip nhrp network-id 1\n ipv6 nhrp network-id 1\n ipv6 nhrp authentication S3CRET\n"
		hub.start(config)
		spoke := config + " ip nhrp nhs 172.31.0.1 nbma 192.0.2.1\n ipv6 nhrp nhs 2001:db8::1 nbma 192.0.2.1\n"
		spoke1.start(spoke)
		spoke2.start(spoke)
		same(t, "spoke1", spoke1.neighbors(), at4+"2001:db8::1 at 192.0.2.1")
		spoke1.miss("2001:db8::12")
		same(t, "spoke1, after a packet", spoke1.neighbors(), at4+"2001:db8::1 at 192.0.2.1; 2001:db8::12 at 203.0.113.1")
		for _, line := range []string{"show ipv6 nhrp", "show ipv6 nhrp brief", "show ipv6 nhrp 2001:db8::12", "show ipv6 nhrp nhs", "show ipv6 nhrp traffic",
			"show ipv6 nhrp multicast", "show dmvpn ipv6", "show dmvpn ipv6 detail", "show dmvpn",
			"show dmvpn peer network 2001:db8::12/128"} {
			golden(t, "six-"+strings.NewReplacer(" ", "-", ":", "-", "/", "-").Replace(strings.TrimPrefix(line, "show "))+".txt", spoke1.exec(line, false))
			if out := spoke1.exec(line, true); !json.Valid([]byte(out)) || !strings.HasPrefix(out, "{") {
				t.Errorf("%s: no JSON: %s", line, out)
			}
		}
		golden(t, "six-dmvpn.json", spoke1.exec("show dmvpn ipv6", true))
		spoke1.exec("clear ip nhrp", false)
		same(t, "spoke1, after clearing IPv4", spoke1.neighbors(), at4+"2001:db8::1 at 192.0.2.1; 2001:db8::12 at 203.0.113.1")
		spoke1.exec("clear ipv6 nhrp 2001:db8::12/128", false)
		same(t, "spoke1, after clearing it", spoke1.neighbors(), at4+"2001:db8::1 at 192.0.2.1")
	})
}

// TestOverIPv6: the transport is IPv6; the source changes, and with it the socket.
func TestOverIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		w := n.Wire()
		hub, spoke := newStation(t, n, w, "172.31.0.1/24", "2001:db8:f::1"), newStation(t, n, w, "172.31.0.11/24", "2001:db8:f::11")
		hub.start(hubConfig)
		spoke.start(strings.ReplaceAll(spokeConfig, "192.0.2.1", "2001:db8:f::1"))
		same(t, "hub", hub.neighbors(), "172.31.0.11 at 2001:db8:f::11")
		same(t, "spoke", spoke.neighbors(), "172.31.0.1 at 2001:db8:f::1")
		golden(t, "over6-dmvpn-detail.txt", spoke.exec("show dmvpn detail", false))

		tunnel := spoke.interfaces[1]
		side := *tunnel.Tunnel
		side.Source = netip.Addr{}
		tunnel.Tunnel, tunnel.Up = &side, false
		spoke.tell(rib.InterfaceChanged{Interface: tunnel})
		same(t, "spoke, without a source", spoke.neighbors(), "172.31.0.1 at 2001:db8:f::1")
		tunnel = spoke.interfaces[1]
		spoke.tell(rib.InterfaceChanged{Interface: tunnel})
		same(t, "hub, after it came back", hub.neighbors(), "172.31.0.11 at 2001:db8:f::11")
		if out := spoke.exec("show ip nhrp nhs", false); !strings.Contains(out, "172.31.0.1  RE") {
			t.Errorf("the spoke does not register again: %s", out)
		}
	})
}
