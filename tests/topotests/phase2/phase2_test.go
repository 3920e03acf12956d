package phase2

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/lab1"
)

// TestMain lets the clouds run side by side, also where there is one CPU: they wait
// for timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.Main(m)
}

// converge is how long a cloud may take until something has come to be.
const converge = 60 * time.Second

const (
	hub, spoke1, spoke2 = "192.0.2.1", "198.51.100.1", "203.0.113.1"
)

// config is that of lab1, with multipoint tunnels and a way to the LAN of the other
// spoke by that one's tunnel address.
func config(router string) string {
	c := strings.Replace(lab1.Config(router), "tunnel destination 192.0.2.1", "tunnel mode gre multipoint", 1)
	switch router {
	case "spoke1":
		c += "ip route 10.12.0.0 255.255.255.0 172.31.0.12\n"
	case "spoke2":
		c += "ip route 10.11.0.0 255.255.255.0 172.31.0.11\n"
	}
	return c
}

// neighbors are the IPv4 neighbours on the tunnel, by the kernel's own table.
func neighbors(n *harness.Node) map[string]string {
	got := map[string]string{}
	for _, e := range n.Neighbors("Tunnel0") {
		if e.Address.Is4() && !e.Address.IsMulticast() && e.NBMA.IsValid() {
			got[e.Address.String()] = e.NBMA.String()
		}
	}
	return got
}

// nhrp matches NHRP packets of a type.
func nhrp(t packet.Type) harness.Match {
	return harness.All(harness.IsNHRP, func(f harness.Frame) bool {
		m, err := packet.Parse(f.Payload)
		return err == nil && m.Type == t
	})
}

// want waits for the neighbours of a router to be these.
func want(t *testing.T, n *harness.Node, neighbor map[string]string) {
	t.Helper()
	harness.Eventually(t, converge, func() error {
		if diff := cmp.Diff(neighbor, neighbors(n)); diff != "" {
			return fmt.Errorf("neighbours of %s in the kernel (-want +got):\n%s", n.Name(), diff)
		}
		return nil
	})
}

// TestPhase2: the first packet between two spokes already arrives, by way of the
// hub; what follows goes directly. An address that nobody has stays with the hub.
// What the hub takes back by a Purge Request is resolved anew.
func TestPhase2(t *testing.T) {
	t.Parallel()
	c := lab1.Build(harness.New(t))
	wan := c.Spoke1.Capture("wan")
	for _, r := range c.Routers() {
		r.StartZebra(config(r.Name()))
	}
	for _, s := range []*harness.Node{c.Spoke1, c.Spoke2} {
		harness.Eventually(t, converge, func() error {
			return s.ShowJSON("show ip nhrp nhs", `{"servers": [{"address": "172.31.0.1", "nbma": "192.0.2.1", "up": true}]}`)
		})
		want(t, s, map[string]string{"172.31.0.1": hub})
	}

	flow := c.LAN1.Flow("10.12.0.10", 20*time.Millisecond)
	want(t, c.Spoke1, map[string]string{"172.31.0.1": hub, "172.31.0.12": spoke2})
	want(t, c.Spoke2, map[string]string{"172.31.0.1": hub, "172.31.0.11": spoke1})
	if n := cloud.Questions(wan, harness.All(nhrp(packet.ResolutionRequest), harness.Between(spoke1, hub))); n != 1 {
		t.Errorf("%d Resolution Requests for one flow, want 1", n)
	}
	arrived := flow.Received()
	harness.Eventually(t, converge, func() error {
		if n := flow.Received(); n < arrived+20 {
			return fmt.Errorf("%d packets since both are resolved", n-arrived)
		}
		return nil
	})
	echo := func(src, dst string) harness.Match {
		return harness.All(harness.IsGRE, harness.Between(src, dst), harness.Inside(harness.IsProtocol(1)))
	}
	if out, back := wan.Count(echo(spoke1, spoke2)), wan.Count(echo(spoke2, spoke1)); out < 20 || back < 20 {
		t.Errorf("%d packets to and %d from the other spoke on the underlay, want 20 at least", out, back)
	}

	if r := flow.Stop(); r.Received < r.Sent || r.Sent < 20 {
		t.Errorf("%d of %d packets arrived while the spokes resolved each other; lost: %v", r.Received, r.Sent, r.Lost)
	}

	// The hub forgets the station, and purges it from the one that it told. As soon as
	// the station is registered again, it is resolved again.
	c.Spoke2.Configure("interface Tunnel0\nip nhrp registration timeout 5")
	wan.Clear()
	flow = c.LAN1.Flow("10.12.0.10", 100*time.Millisecond)
	c.Hub.MustVtysh("clear ip nhrp 172.31.0.12")
	harness.Eventually(t, converge, func() error {
		for _, m := range []packet.Type{packet.PurgeRequest, packet.ResolutionReply} {
			if wan.Count(harness.All(nhrp(m), harness.Between(hub, spoke1))) == 0 {
				return fmt.Errorf("no %v", m)
			}
		}
		return nil
	})
	want(t, c.Spoke1, map[string]string{"172.31.0.1": hub, "172.31.0.12": spoke2})
	flow.Stop()
	if err := c.Spoke1.ShowJSON("show ip nhrp", `{"entries": [{"target": "172.31.0.1/32", "type": "static"},
		{"target": "172.31.0.12/32", "type": "dynamic", "nbma": "203.0.113.1"}]}`); err != nil {
		t.Error(err)
	}
	if err := harness.CheckDissected("nhrp", 4, wan); err != nil {
		t.Error(err)
	}

	// Nobody has it. A refusal is remembered for ten seconds.
	flow = c.Spoke1.Flow("172.31.0.99", 100*time.Millisecond)
	harness.Eventually(t, converge, func() error {
		return c.Spoke1.ShowJSON("show ip nhrp incomplete", `{"entries": [{"target": "172.31.0.99/32", "type": "incomplete", "nbma": "192.0.2.1"}]}`)
	})
	if r := flow.Stop(); r.Received != 0 {
		t.Errorf("an address that nobody has answers: %+v", r)
	}
}
