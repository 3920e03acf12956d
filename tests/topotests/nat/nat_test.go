package nat

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain lets the clouds run side by side, also where there is one CPU.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.Main(m)
}

const spokeLines = cloud.NHRP + cloud.Quick + cloud.Multipoint + cloud.Key

// behind is a spoke behind a NAT, with the address that others see.
type behind struct {
	*cloud.Site
	public string
}

// routes are static routes to the LANs of other spokes by their tunnel addresses, as
// Phase 2 has them.
func routes(others ...behind) string {
	lines := ""
	for _, o := range others {
		lines += fmt.Sprintf("ip route %s %s\n", o.LAN, o.Tunnel)
	}
	return lines
}

// sees tells whether a router has a spoke at its public address, with the claimed one
// beside where a NAT is between, and the kernel sends there.
func sees(s *cloud.Site, o behind) func() error {
	return func() error {
		claimed, flags := "null", `[]`
		if o.public != o.NBMA {
			claimed, flags = fmt.Sprintf("%q", o.NBMA), `["nat"]`
		}
		if err := s.ShowJSON("show ip nhrp", fmt.Sprintf(
			`{"entries": [{"target": "%s/32", "nbma": %q, "claimedNbma": %s, "type": "dynamic", "flags": %s}]}`,
			o.Tunnel, o.public, claimed, flags)); err != nil {
			return err
		}
		if got := s.Peers("Tunnel0")[o.Tunnel]; got != o.public {
			return fmt.Errorf("the kernel of %s has %s at %q, want %s", s.Name(), o.Name(), got, o.public)
		}
		return nil
	}
}

// TestNAT has a spoke with a public address, two behind one NAT with a public address
// each, and one that is alone behind the only address of another NAT. The hub shows
// what they claim; each pair resolves the translated addresses, and packets go
// directly.
func TestNAT(t *testing.T) {
	t.Parallel()
	c := cloud.New(t)
	hub := c.Add("hub", "192.0.2.1", "172.31.0.1", 10)
	nat1 := c.Topology.NAT("nat1", c.Inet, "198.51.100.1/30", "192.168.1.1/24")
	nat2 := c.Topology.NAT("nat2", c.Inet, "203.0.113.1/30", "192.168.2.1/24")
	plain := behind{c.Add("spoke1", "203.0.113.5", "172.31.0.11", 11), "203.0.113.5"}
	static1 := behind{c.AddBehind(nat1, "spoke2", "192.168.1.2", "172.31.0.12", 12), "198.51.100.102"}
	static2 := behind{c.AddBehind(nat1, "spoke3", "192.168.1.3", "172.31.0.13", 13), "198.51.100.103"}
	alone := behind{c.AddBehind(nat2, "spoke4", "192.168.2.2", "172.31.0.14", 14), "203.0.113.1"}
	nat1.Static(static1.NBMA, static1.public)
	nat1.Static(static2.NBMA, static2.public)
	nat2.Masquerade()
	spokes := []behind{plain, static1, static2, alone}
	c.Start(func(s *cloud.Site) string {
		if s == hub {
			return s.Config(cloud.NHRP + cloud.Multipoint + cloud.Key + routes(spokes...))
		}
		others := ""
		for _, o := range spokes {
			if o.Site != s {
				others += routes(o)
			}
		}
		return s.Config(spokeLines + cloud.NHS(hub) + "ip route 10.10.0.0/24 172.31.0.1\n" + others)
	})
	for _, s := range spokes {
		c.Await(sees(hub, s))
	}
	out := hub.MustVtysh("show ip nhrp " + static1.Tunnel)
	for _, line := range []string{"NBMA address: 198.51.100.102", "(Claimed NBMA address: 192.168.1.2)", "nat"} {
		if !strings.Contains(out, line) {
			t.Errorf("show ip nhrp of a spoke behind a NAT has no %q:\n%s", line, out)
		}
	}
	c.Await(func() error { // which the hub's reply says
		return static1.ShowJSON("show ip nhrp nhs", `{"servers": [{"ownNbmaSeenByServer": "198.51.100.102"}]}`)
	})

	for _, pair := range []struct {
		name     string
		from, to behind
	}{{"one NAT", plain, static1}, {"two behind one", static1, static2}, {"two NATs", static1, alone}, {"from the NAT's own address", alone, plain}} {
		flow := pair.from.Host.Flow(pair.to.HostIP, 20*time.Millisecond)
		if pair.to == alone {
			// Its NAT lets nobody in to whom the spoke has not sent: answers alone do not
			// do, as the first ones go by way of the hub.
			back := pair.to.Host.Flow(pair.from.HostIP, 20*time.Millisecond)
			defer back.Stop()
		}
		c.Await(sees(pair.from.Site, pair.to), sees(pair.to.Site, pair.from), pair.from.Path(pair.to.Site, pair.to.Site))
		t.Logf("%s: resolved", pair.name)
		if pair.to == alone || pair.from == alone {
			// Nor does its NAT let in what comes directly before a packet went so, which is
			// lost until both ends are resolved.
			r := flow.Stop()
			t.Logf("%s: %d of %d packets arrived until then", pair.name, r.Received, r.Sent)
			flow = pair.from.Host.Flow(pair.to.HostIP, 20*time.Millisecond)
		}
		c.More(flow, 20)
		hub.WAN.Clear()
		c.More(flow, 20)
		if n := hub.WAN.Count(cloud.Data(pair.from.Site, pair.to.Site)); n != 0 {
			t.Errorf("%s: %d packets passed the hub", pair.name, n)
		}
		c.Lossless(flow, pair.name)
	}
	for _, s := range spokes {
		if err := harness.CheckDissected("nhrp", 2, s.WAN); err != nil {
			t.Errorf("%s: %v", s.Name(), err)
		}
	}
}

// TestShared has two spokes that share one public address. No NAT can tell their GRE
// packets apart: one of the two works, and the other says that its server does not
// answer. Cisco's routers do not support that either.
func TestShared(t *testing.T) {
	t.Parallel()
	c := cloud.New(t)
	hub := c.Add("hub", "192.0.2.1", "172.31.0.1", 10)
	nat := c.Topology.NAT("nat", c.Inet, "198.51.100.1/30", "192.168.1.1/24")
	nat.Masquerade()
	first := c.AddBehind(nat, "spoke1", "192.168.1.2", "172.31.0.11", 11)
	second := c.AddBehind(nat, "spoke2", "192.168.1.3", "172.31.0.12", 12)
	config := func(s *cloud.Site) string {
		if s == hub {
			return s.Config(cloud.NHRP + cloud.Multipoint + cloud.Key)
		}
		return s.Config(spokeLines + cloud.NHS(hub))
	}
	c.Start(config, hub, first)
	c.Await(sees(hub, behind{first, nat.Outside()}))
	c.Start(config, second)
	c.Await(func() error {
		return second.ShowJSON("show dmvpn", `{"interfaces": [{"peers": [{"nbma": "192.0.2.1", "tunnel": "172.31.0.1", "state": "NHRP"}],
			"servers": [{"address": "172.31.0.1", "up": false, "state": "E"}]}]}`)
	}, func() error {
		out, err := second.Vtysh("show logging")
		if want := "%DMVPN-5-NHRP_NHS_DOWN: Tunnel0: Next Hop Server: (Tunnel: 172.31.0.1 NBMA: 192.0.2.1)"; err == nil && !strings.Contains(out, want) {
			err = fmt.Errorf("no %q in\n%s", want, out)
		}
		return err
	})
	if err := hub.KnowsAt(map[string]string{first.Tunnel: nat.Outside()})(); err != nil {
		t.Error(err)
	}
	first.MustPing(hub.Tunnel, 3)
}
