package ipsecphase3

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// shared is a hub, two spokes behind the only address of a NAT that translates ports, and
// one with an address of its own.
type shared struct {
	*trio
	spoke3 *cloud.Site
	nat    *harness.NAT
}

func buildShared(t *testing.T) *shared {
	c := cloud.New(t)
	d := &shared{trio: &trio{Cloud: c, hub: c.Add("hub", "192.0.2.1", "172.31.0.1", 10)}}
	d.nat = c.Topology.NAT("nat", c.Inet, "198.51.100.1/30", "192.168.1.1/24")
	d.nat.Masquerade()
	d.spoke1, d.spoke2 = c.AddBehind(d.nat, "spoke1", "192.168.1.2", "172.31.0.11", 11), c.AddBehind(d.nat, "spoke2", "192.168.1.3", "172.31.0.12", 12)
	d.spoke3 = c.Add("spoke3", "203.0.113.1", "172.31.0.13", 13)
	for _, s := range d.Sites {
		s.WarmESP()
	}
	t.Cleanup(func() {
		if t.Failed() {
			d.tell()
		}
	})
	return d
}

// config is a site's configuration.
func (d *shared) config(s *cloud.Site) string {
	lines := fmt.Sprintf(crypto, s.Name())
	if s != d.hub {
		return lines + fmt.Sprintf("ip route 10.0.0.0/8 %s\n", d.hub.Tunnel) + s.Config(spokeLines+cloud.NHS(d.hub))
	}
	for _, o := range []*cloud.Site{d.spoke1, d.spoke2, d.spoke3} {
		lines += fmt.Sprintf("ip route %s %s\n", o.LAN, o.Tunnel)
	}
	return lines + s.Config(hubLines+" ip nhrp registration identity spoke3.example.org 172.31.0.13\n ip nhrp redirect\n")
}

// places tells whether the hub reaches the spokes where they are: the first by the address
// of the NAT, the second by an alias.
func (d *shared) places(alias *string) func() error {
	return func() error {
		got := d.hub.Peers("Tunnel0")
		a, err := netip.ParseAddr(got[d.spoke2.Tunnel])
		if err != nil || !protection.IsAlias(a) || *alias != "" && a.String() != *alias || got[d.spoke1.Tunnel] != d.nat.Outside() || got[d.spoke3.Tunnel] != d.spoke3.NBMA || len(got) != 3 {
			return fmt.Errorf("the hub's kernel has the spokes at %v; the alias was %q", got, *alias)
		}
		*alias = a.String()
		return nil
	}
}

// counts returns what the associations of the hub with each port of the NAT protected and
// opened.
func (d *shared) counts() map[uint16][2]uint64 {
	got, outside := map[uint16][2]uint64{}, netip.MustParseAddr(d.nat.Outside())
	for _, sa := range d.hub.ESP() {
		switch {
		case sa.Destination == outside:
			n := got[sa.DestinationPort]
			got[sa.DestinationPort] = [2]uint64{n[0] + sa.Packets, n[1]}
		case sa.Source == outside:
			n := got[sa.SourcePort]
			got[sa.SourcePort] = [2]uint64{n[0], n[1] + sa.Packets}
		}
	}
	return got
}

// flows begins a flow from each spoke to each other.
func (d *shared) flows() (all []*harness.Flow, names []string) {
	spokes := []*cloud.Site{d.spoke1, d.spoke2, d.spoke3}
	for _, from := range spokes {
		for _, to := range spokes {
			if from != to {
				all, names = append(all, from.Host.Flow(to.HostIP, 5*flowEvery)), append(names, from.Name()+" to "+to.Name())
			}
		}
	}
	return all, names
}

// watch records what passes at the provider and inside of the NAT, and returns what tells
// whether something passed that must not: GRE in clear, or an alias on the wire.
func (d *shared) watch() func() {
	captures := []*harness.Capture{d.Inet.Capture("to-hub"), d.Inet.Capture("to-spoke3"), d.nat.Capture("wan"), d.nat.Capture("inside")}
	return func() {
		d.T.Helper()
		for i, c := range captures {
			const gre = 47
			bad := c.Frames(func(f harness.Frame) bool {
				return f.IP && (f.Protocol == gre || protection.IsAlias(f.Src) || protection.IsAlias(f.Dst))
			})
			if len(bad) > 0 {
				d.T.Errorf("%d packets that must not have been seen at place %d, the first is %v", len(bad), i, bad[0])
			}
		}
	}
}

// TestShared: two spokes behind one address of a NAT, which differ in the ports of UDP. The
// hub serves both: the second by an alias, which nobody else hears of. Between that one and
// others traffic stays by the hub; the first is reached directly by who it can reach.
func TestShared(t *testing.T) {
	d := buildShared(t)
	d.Start(d.config, d.hub, d.spoke1)
	d.Await(d.hub.KnowsAt(map[string]string{d.spoke1.Tunnel: d.nat.Outside()}))
	clean := d.watch()
	d.Start(d.config, d.spoke2, d.spoke3)
	alias := ""
	d.Await(d.places(&alias))
	t.Logf("the second spoke goes by %s", alias)
	d.Await(
		func() error {
			return d.hub.ShowJSON("show ip nhrp", fmt.Sprintf(`{"entries": [{"target": "172.31.0.12/32", "nbma": %q, "claimedNbma": "192.168.1.3", "type": "dynamic", "flags": ["nat"]}]}`, alias))
		},
		func() error {
			return d.hub.ShowJSON("show crypto session", fmt.Sprintf(`{"sessions": [{"peer": "198.51.100.1", "alias": %q, "peerId": "spoke2.example.org", "status": "UP-ACTIVE"}]}`, alias))
		},
		func() error {
			return d.hub.ShowJSON("show ip route", fmt.Sprintf(`{"routes": [{"prefix": "%s/32"}]}`, alias))
		},
		says(d.hub, "show dmvpn", alias), says(d.hub, "show logging", "it goes by "+alias+" here"))
	for _, s := range []*cloud.Site{d.spoke1, d.spoke2} {
		d.Await(func() error {
			return s.ShowJSON("show ip nhrp nhs", `{"servers": [{"ownNbmaSeenByServer": "198.51.100.1"}]}`)
		})
	}

	before := d.counts()
	flows, names := d.flows()
	for _, f := range flows {
		d.More(f, 30)
	}
	d.Await(d.spoke1.Path(d.spoke3, d.spoke3), d.spoke3.Path(d.spoke1, d.spoke1))
	for _, f := range flows {
		d.More(f, 30)
	}
	for i, f := range flows {
		// Between spoke1 and spoke3 the way becomes direct, through a NAT that lets nobody in
		// to whom nothing went.
		if r := f.Stop(); r.Sent-r.Received > 0 && !strings.Contains("spoke1 to spoke3 to spoke1", names[i]) || r.Sent-r.Received > 10 {
			t.Errorf("%s: %d of %d packets arrived, lost %v", names[i], r.Received, r.Sent, r.Lost)
		}
	}
	d.Await(d.spoke2.Path(d.spoke3, d.hub, d.spoke3), d.spoke3.Path(d.spoke2, d.hub, d.spoke2), d.spoke1.Path(d.spoke2, d.hub, d.spoke2), d.spoke2.Path(d.spoke1, d.hub, d.spoke1))
	after := d.counts()
	if len(after) != 2 {
		t.Errorf("associations with the ports %v", after)
	}
	for port, n := range after {
		if out, in := n[0]-before[port][0], n[1]-before[port][1]; out < 60 || in < 60 {
			t.Errorf("port %d: %d packets protected and %d opened", port, out, in)
		}
	}
	for _, s := range []*cloud.Site{d.spoke1, d.spoke2, d.spoke3} {
		for tunnel, nbma := range s.Peers("Tunnel0") {
			if a := netip.MustParseAddr(nbma); protection.IsAlias(a) || s == d.spoke2 && nbma != d.hub.NBMA {
				t.Errorf("%s has %s at %s", s.Name(), tunnel, nbma)
			}
		}
	}
	clean()
	d.killed(alias)
	clean()
}

// killed kills ipsecd of the hub under traffic. What comes in UDP while it has no socket is
// lost (docs/operations.md); then all goes on, by the same alias, which stays when the spokes
// have negotiated anew.
func (d *shared) killed(alias string) {
	d.T.Helper()
	flows, names := d.flows()
	for _, f := range flows {
		d.More(f, 10)
	}
	old := d.hub.ESP()
	d.KillDaemon(d.hub, "ipsecd")
	for _, f := range flows {
		d.More(f, 10)
	}
	if err := d.places(&alias)(); err != nil {
		d.T.Errorf("%v", err)
	}
	d.Await(func() error { // dpd 10 2: the spokes find out, and begin anew
		for _, sa := range d.hub.ESP() {
			if slices.ContainsFunc(old, func(o harness.ESP) bool { return o.SPI == sa.SPI }) {
				return fmt.Errorf("%v is not replaced", sa)
			}
		}
		return d.places(&alias)()
	})
	for _, f := range flows {
		d.More(f, 10)
	}
	for i, f := range flows {
		r := f.Stop()
		d.T.Logf("%s: %d of %d packets arrived, lost %v", names[i], r.Received, r.Sent, r.Lost)
		if lost := time.Duration(r.Sent-r.Received) * 5 * flowEvery; lost > 15*time.Second { // started again after a second, on a machine that does much else
			d.T.Errorf("%s: nothing passed for %v", names[i], lost)
		}
	}
}
