package ipsecphase3

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.MainConfig(m, harness.Config{IPsec: true}) }

// flowEvery is the time between two packets of the traffic under which things happen.
const flowEvery = 20 * time.Millisecond

// crypto are the lines of encryption; a dead peer is noticed within seconds. Of who a
// router is, its profile says local.
const crypto = `crypto ikev2 proposal PROP
 encryption aes-gcm-256
 prf sha256
 group 19
crypto ikev2 policy POL
 match fvrf any
 proposal PROP
crypto ikev2 keyring KR
 peer ANY
  address 0.0.0.0 0.0.0.0
  pre-shared-key Lab-Psk-2026
crypto ikev2 profile IKE
 match identity remote fqdn domain example.org
 identity local fqdn %s.example.org
 authentication remote pre-share
 authentication local pre-share
 keyring local KR
 dpd 10 2 periodic
crypto ipsec transform-set TS esp-gcm 256
 mode transport
crypto ipsec profile DMVPN
 set transform-set TS
 set ikev2-profile IKE
`

// Lines of Tunnel0.
const (
	protectionLine = " tunnel protection ipsec profile DMVPN\n"
	hubLines       = cloud.NHRP + " ip nhrp registration identity spoke1.example.org 172.31.0.11\n ip nhrp registration identity spoke2.example.org 172.31.0.12\n" +
		" ip nhrp registration require-identity\n" + cloud.Multipoint + cloud.Key + protectionLine
	spokeLines = cloud.NHRP + cloud.Multipoint + cloud.Key + protectionLine
)

// trio is a hub with two spokes.
type trio struct {
	*cloud.Cloud
	hub, spoke1, spoke2 *cloud.Site
	provider            []*harness.Capture // what the provider sees of each site
}

func build(t *testing.T) *trio {
	c := cloud.New(t)
	d := &trio{Cloud: c, hub: c.Add("hub", "192.0.2.1", "172.31.0.1", 10),
		spoke1: c.Add("spoke1", "198.51.100.1", "172.31.0.11", 11), spoke2: c.Add("spoke2", "203.0.113.1", "172.31.0.12", 12)}
	for _, s := range d.Sites {
		s.WarmESP()
		d.provider = append(d.provider, d.Inet.Capture("to-"+s.Name()))
	}
	d.Start(func(s *cloud.Site) string {
		lines := fmt.Sprintf(crypto, s.Name())
		if s == d.hub {
			return lines + fmt.Sprintf("ip route %s %s\nip route %s %s\n", d.spoke1.LAN, d.spoke1.Tunnel, d.spoke2.LAN, d.spoke2.Tunnel) + s.Config(hubLines)
		}
		return lines + fmt.Sprintf("ip route 10.0.0.0/8 %s\n", d.hub.Tunnel) + s.Config(spokeLines+cloud.NHS(d.hub))
	})
	t.Cleanup(func() {
		if t.Failed() {
			d.tell()
		}
	})
	return d
}

// tell keeps what the routers say.
func (d *trio) tell() {
	for _, s := range d.Sites {
		for _, command := range []string{"show dmvpn detail", "show ip nhrp detail", "show crypto session detail", "diagnose dmvpn", "show logging"} {
			out, err := s.Vtysh(command)
			d.T.Logf("%s# %s: %v\n%s", s.Name(), command, err, out)
		}
	}
}

// guarded looks whether a packet passed in clear.
func (d *trio) guarded() {
	d.T.Helper()
	for i, c := range d.provider {
		const gre = 47
		if all := c.Frames(func(f harness.Frame) bool { return f.IP && f.Protocol == gre }); len(all) > 0 {
			d.T.Errorf("%d packets passed %s in clear, the first is %v", len(all), d.Sites[i].Name(), all[0])
		}
	}
}

// secured tells how many packets the associations between two sites have protected at
// each of them, and how many there are in each direction at the first.
func secured(a, b *cloud.Site) (packets [2]uint64, out, in int) {
	x, y := netip.MustParseAddr(a.NBMA), netip.MustParseAddr(b.NBMA)
	for k, s := range []*cloud.Site{a, b} {
		for _, sa := range s.ESP() {
			switch {
			case k == 0 && sa.Source == x && sa.Destination == y:
				out++
				packets[0] += sa.Packets
			case k == 0 && sa.Source == y && sa.Destination == x:
				in++
			case k == 1 && sa.Source == y && sa.Destination == x:
				packets[1] += sa.Packets
			}
		}
	}
	return packets, out, in
}

// routes tells whether a kernel has exactly these routes of NHRP's.
func routes(s *cloud.Site, want ...string) func() error {
	return func() error { return s.HasRoutes(harness.ProtocolNumber(rib.NHRP), want...) }
}

// short are the routes by which a spoke sends to another directly.
func short(s, to *cloud.Site) func() error {
	return routes(s, to.Tunnel+"/32 dev Tunnel0", fmt.Sprintf("%s via %s dev Tunnel0", to.LAN, to.Tunnel))
}

// says tells whether the output of a command has a text.
func says(s *cloud.Site, command, want string) func() error {
	return func() error {
		out, err := s.Vtysh(command)
		if err != nil || !strings.Contains(out, want) {
			return fmt.Errorf("%s# %s: %v, no %q in\n%s", s.Name(), command, err, want, out)
		}
		return nil
	}
}

// not turns what is said into its contrary.
func not(f func() error, what string) func() error {
	return func() error {
		if f() == nil {
			return fmt.Errorf("still %s", what)
		}
		return nil
	}
}

// TestOnDemand: both spokes begin to send to each other at once. Until packets pass
// directly they go by way of the hub, and none is lost; the two IKE negotiations that
// cross become one pair of associations, whose counters show that the traffic takes it.
func TestOnDemand(t *testing.T) {
	d := build(t)
	d.Await(d.hub.Knows(d.spoke1, d.spoke2), d.spoke1.Path(d.spoke2, d.hub, d.spoke2), d.spoke2.Path(d.spoke1, d.hub, d.spoke1))
	if _, out, in := secured(d.spoke1, d.spoke2); out+in > 0 {
		t.Fatalf("%d and %d associations from spoke to spoke, and nobody redirects", out, in)
	}
	flow1, flow2 := d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery), d.spoke2.Host.Flow(d.spoke1.HostIP, flowEvery)
	d.More(flow1, 20)
	d.More(flow2, 20)
	d.hub.Configure("interface Tunnel0\nip nhrp redirect")
	d.Await(short(d.spoke1, d.spoke2), short(d.spoke2, d.spoke1))
	d.More(flow1, 50)
	d.More(flow2, 50)
	d.Lossless(flow1, "from spoke1, the way became direct")
	d.Lossless(flow2, "from spoke2, the way became direct")
	d.Await(d.spoke1.Path(d.spoke2, d.spoke2), d.spoke2.Path(d.spoke1, d.spoke1), d.spoke1.Knows(d.hub, d.spoke2), d.spoke2.Knows(d.hub, d.spoke1),
		says(d.spoke1, "show dmvpn", "203.0.113.1         172.31.0.12    UP"))

	// One pair is left, and counts.
	d.Await(func() error {
		if _, out, in := secured(d.spoke1, d.spoke2); out != 1 || in != 1 {
			return fmt.Errorf("%d and %d associations: %v", out, in, d.spoke1.ESP())
		}
		return nil
	}, cloud.OneIKE(d.spoke1.Node, d.spoke2.NBMA, d.spoke2.Node, d.spoke1.NBMA))
	before, _, _ := secured(d.spoke1, d.spoke2)
	flow1 = d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	d.More(flow1, 100)
	d.Lossless(flow1, "directly")
	after, _, _ := secured(d.spoke1, d.spoke2)
	for k := range after {
		if n := after[k] - before[k]; n < 100 {
			t.Errorf("end %d protected %d packets of 100", k, n)
		}
	}
	if err := says(d.hub, "show dmvpn detail", "Phase1_id: spoke1.example.org")(); err != nil {
		t.Error(err)
	}
	d.guarded()
}

// atOnce is how long a thing may take that happens at once: there is one CPU, and a
// question to vtysh takes a while.
const atOnce = 3 * time.Second

// gone waits until the NHRP routes to a LAN are gone, and returns when.
func (d *trio) gone(w *harness.RouteWatch, prefix string) (at time.Time) {
	d.T.Helper()
	d.Await(func() error {
		changes, err := w.Changes()
		for _, c := range changes {
			if c.Removed && c.Route.Prefix.String() == prefix {
				at = c.At
				return err
			}
		}
		return fmt.Errorf("the route to %s is still there", prefix)
	})
	w.Stop()
	return at
}

// TestLoss: with the associations between two spokes go entries, routes and neighbours, at
// both ends at once, and traffic goes by way of the hub until there are others. A spoke
// that dies is noticed by the hub and by the other spoke as soon as IKE notices it, long
// before any holding time ends.
func TestLoss(t *testing.T) {
	d := build(t)
	d.hub.Configure("interface Tunnel0\nip nhrp redirect")
	d.Await(d.hub.Knows(d.spoke1, d.spoke2))
	flow := d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	d.Await(short(d.spoke1, d.spoke2), short(d.spoke2, d.spoke1))
	d.More(flow, 20)

	watch1, watch2 := d.spoke1.WatchRoutes(harness.ProtocolNumber(rib.NHRP)), d.spoke2.WatchRoutes(harness.ProtocolNumber(rib.NHRP))
	cleared := time.Now()
	d.spoke1.MustVtysh("clear crypto session remote " + d.spoke2.NBMA)
	began, last := time.Now(), time.Time{}
	for k, at := range []time.Time{d.gone(watch1, d.spoke2.LAN), d.gone(watch2, d.spoke1.LAN)} {
		if took := at.Sub(began); took > atOnce {
			t.Errorf("the shortcut of spoke%d went after %v", k+1, took)
		}
		if at.After(last) {
			last = at
		}
	}
	d.Await(says(d.spoke2, "show logging", "%DMVPN-5-NHRP_NHP_DOWN: Tunnel0: Next Hop Peer: (Tunnel: 172.31.0.11 NBMA: 198.51.100.1) for (Tunnel: 172.31.0.12 NBMA: 203.0.113.1) is DOWN, Reason: IPsec Session Lost"))
	d.Await(short(d.spoke1, d.spoke2), short(d.spoke2, d.spoke1)) // the traffic goes on
	d.More(flow, 50)
	r := flow.Stop()
	t.Logf("sessions cleared under traffic: %d of %d packets arrived", r.Received, r.Sent)
	// Until both shortcuts were gone, and for a second more at most.
	if most := last.Sub(cleared) + time.Second; r.Sent-r.Received > int(most/flowEvery) {
		t.Errorf("%d packets lost, more than %v", r.Sent-r.Received, most)
	}
	d.guarded()
	d.died()
}

// died has spoke2 die without a word.
func (d *trio) died() {
	d.T.Helper()
	watch := d.spoke1.WatchRoutes(harness.ProtocolNumber(rib.NHRP))
	began := time.Now()
	d.KillSite(d.spoke2)
	d.spoke2.Uplink.Cut()
	at := d.gone(watch, d.spoke2.LAN)
	d.T.Logf("the shortcut to a spoke that died went after %v", at.Sub(began))
	d.Await(d.hub.Knows(d.spoke1), d.spoke1.Knows(d.hub))
	const limit = 40 * time.Second // dpd 10 2: ten seconds, and six questions within twelve
	if took := time.Since(began); took > limit {
		d.T.Errorf("it took %v until nobody knew it", took)
	}
	d.Await(says(d.hub, "show logging", "%DMVPN-5-NHRP_NHC_DOWN: Tunnel0: Next Hop Client: (Tunnel: 172.31.0.12 NBMA: 203.0.113.1) for (Tunnel: 172.31.0.1 NBMA: 192.0.2.1) is DOWN, Reason: IPsec Session Lost"),
		not(says(d.hub, "show ip nhrp multicast", d.spoke2.NBMA), "sending multicast to the spoke that died"),
		says(d.spoke1, "show dmvpn", "192.0.2.1            172.31.0.1    UP"))
	d.guarded()

	// It comes back: secured and registered anew.
	d.spoke2.Uplink.Mend()
	d.spoke2.Restart()
	d.Await(d.hub.Knows(d.spoke1, d.spoke2), says(d.spoke2, "show dmvpn", "192.0.2.1            172.31.0.1    UP"))
	d.guarded()
}
