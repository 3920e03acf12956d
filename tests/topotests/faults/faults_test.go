package faults

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain lets the clouds run side by side, also where there is one CPU: they wait
// for timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.MainConfig(m, harness.Config{IPsec: true})
}

// The cloud, Phase 1: a hub, and two spokes of which the first gets the faults.
type trio struct {
	*cloud.Cloud
	hub, spoke1, spoke2 *cloud.Site
	marks               map[*cloud.Site]int64 // sizes of the logs before the fault
	well                func() error          // what is so where nothing is broken
}

// Lines of the tunnels. The spokes ask again soon, so that a repair shows soon.
const (
	hubLines   = cloud.NHRP + cloud.Multipoint + cloud.Key
	spokeLines = cloud.NHRP + cloud.Quick + cloud.Multipoint + cloud.Key
)

func build(t *testing.T) *trio {
	c := cloud.New(t)
	d := &trio{Cloud: c, hub: c.Add("hub", "192.0.2.1", "172.31.0.1", 10),
		spoke1: c.Add("spoke1", "198.51.100.1", "172.31.0.11", 11), spoke2: c.Add("spoke2", "203.0.113.1", "172.31.0.12", 12)}
	c.Start(func(s *cloud.Site) string {
		if s == d.hub {
			return s.Config(hubLines + " no ip split-horizon\n" + cloud.RIP(""))
		}
		return s.Config(spokeLines + " ip nhrp map 172.31.0.1 192.0.2.1\n ip nhrp map multicast 192.0.2.1\n ip nhrp nhs 172.31.0.1\nip route 10.0.0.0/8 172.31.0.1\n" + cloud.RIP(""))
	})
	d.well = d.healthy
	d.Await(d.well)
	return d
}

// healthy tells whether all are UP, and packets flow from LAN to LAN.
func (d *trio) healthy() error {
	if err := d.hub.ShowJSON("show dmvpn", `{"interfaces": [{"interface": "Tunnel0", "type": "Hub", "nbmaPeers": 2, "peers": [
		{"nbma": "198.51.100.1", "tunnel": "172.31.0.11", "state": "UP", "attributes": "D"},
		{"nbma": "203.0.113.1", "tunnel": "172.31.0.12", "state": "UP", "attributes": "D"}]}]}`); err != nil {
		return err
	}
	for _, s := range []*cloud.Site{d.spoke1, d.spoke2} {
		if err := state(s, "UP")(); err != nil {
			return err
		}
	}
	if err := rip(d.hub, d.spoke1.LAN, d.spoke2.LAN)(); err != nil {
		return err
	}
	if err := rip(d.spoke1, d.hub.LAN, d.spoke2.LAN)(); err != nil {
		return err
	}
	return d.spoke1.Host.Reaches(d.spoke2.HostIP)
}

// rip tells whether a kernel has the routes of RIP to these prefixes.
func rip(s *cloud.Site, prefixes ...string) func() error {
	return func() error { return s.HasRoutes(harness.ProtocolNumber(rib.RIP), prefixes...) }
}

// state tells whether a spoke shows its hub in a State.
func state(spoke *cloud.Site, want string) func() error {
	return func() error {
		return spoke.ShowJSON("show dmvpn", fmt.Sprintf(
			`{"interfaces": [{"type": "Spoke", "peers": [{"nbma": "192.0.2.1", "tunnel": "172.31.0.1", "state": %q, "attributes": "S"}]}]}`, want))
	}
}

// diagnosed tells whether a spoke finds the layer that fails on the way to its hub, and
// says this of it.
func diagnosed(spoke *cloud.Site, failing, want string) func() error {
	return func() error {
		out, err := spoke.Vtysh("diagnose dmvpn")
		for _, part := range []string{"(NBMA 192.0.2.1): fails at " + failing + "\n", "Interface  OK ", "Transport  OK     192.0.2.1 by static 0.0.0.0/0, wan via ", want} {
			if err == nil && !strings.Contains(out, part) {
				err = fmt.Errorf("no %q in the diagnosis:\n%s", part, out)
			}
		}
		return err
	}
}

// missing tells whether the hub has no peer at an NBMA address.
func (d *trio) missing(spoke *cloud.Site) func() error {
	return func() error {
		out, err := d.hub.Vtysh("show dmvpn")
		if err == nil && strings.Contains(out, spoke.NBMA) {
			err = fmt.Errorf("the hub has %s:\n%s", spoke.NBMA, out)
		}
		return err
	}
}

// logs tells whether a router has logged this since the fault.
func (d *trio) logs(s *cloud.Site, want string) func() error {
	return func() error {
		b, err := os.ReadFile(filepath.Join(s.Rundir(), "zebra.log"))
		if err == nil && !strings.Contains(string(b[d.marks[s]:]), want) {
			err = fmt.Errorf("%s logged no %q", s.Name(), want)
		}
		return err
	}
}

// mark has logs begin anew.
func (d *trio) mark() {
	d.marks = map[*cloud.Site]int64{}
	for _, s := range d.Sites {
		if st, err := os.Stat(filepath.Join(s.Rundir(), "zebra.log")); err == nil {
			d.marks[s] = st.Size()
		}
	}
}

// fault is one thing that is broken and repaired, at the router that breaks.
type fault struct {
	name   string
	enter  string // configuration lines that break
	repair string
	clear  string                                    // what has the lines take hold, where associations outlive them
	wire   func(d *trio, s *cloud.Site, broken bool) // breaks and mends what is not configured
	shows  func(d *trio, broken *cloud.Site) []func() error
}

// nhsDown is what a spoke logs whose registrations are not answered.
func nhsDown(spoke *cloud.Site) string {
	return fmt.Sprintf("%%DMVPN-5-NHRP_NHS_DOWN: Tunnel0: Next Hop Server: (Tunnel: 172.31.0.1 NBMA: 192.0.2.1) for (Tunnel: %s NBMA: %s) is DOWN, Reason: Registration Failure",
		spoke.Tunnel, spoke.NBMA)
}

// Faults of the hub.
var (
	noNetworkID = fault{
		name:  "network-id missing",
		enter: "no ip nhrp network-id", repair: "ip nhrp network-id 1",
		shows: func(d *trio, hub *cloud.Site) []func() error {
			return []func() error{d.logs(hub, "%DMVPN-5-NHRP_NETID_UNCONFIGURED: Tunnel0: "), d.logs(d.spoke1, nhsDown(d.spoke1)),
				d.logs(d.spoke2, nhsDown(d.spoke2)), d.missing(d.spoke1), d.missing(d.spoke2), state(d.spoke1, "NHRP"), state(d.spoke2, "NHRP")}
		},
	}
	pointToPoint = fault{
		name:  "point-to-point tunnel at the hub",
		enter: "no tunnel mode gre multipoint\ntunnel destination 198.51.100.1", repair: "no tunnel destination\ntunnel mode gre multipoint",
		shows: func(d *trio, _ *cloud.Site) []func() error {
			return []func() error{d.logs(d.spoke2, nhsDown(d.spoke2)), state(d.spoke1, "UP"), state(d.spoke2, "NHRP"), d.missing(d.spoke2)}
		},
	}
	noMulticast = fault{
		name:  "no multicast to clients",
		enter: "no ip nhrp map multicast dynamic", repair: "ip nhrp map multicast dynamic",
		shows: func(d *trio, hub *cloud.Site) []func() error { // routes go in one direction only
			return []func() error{rip(d.spoke1), rip(d.spoke2), rip(hub, d.spoke1.LAN, d.spoke2.LAN), state(d.spoke1, "UP"), state(d.spoke2, "UP"),
				func() error {
					v, err := hub.JSON("show ip nhrp multicast")
					if err == nil && len(v.(map[string]any)["entries"].([]any)) > 0 {
						err = fmt.Errorf("the hub sends multicast to %v", v)
					}
					return err
				}}
		},
	}
)

// Faults of a spoke.
var (
	otherKey = fault{
		name:  "tunnel key differs",
		enter: "tunnel key 101", repair: "tunnel key 100",
		shows: func(d *trio, spoke *cloud.Site) []func() error {
			return []func() error{d.logs(spoke, nhsDown(spoke)), state(spoke, "NHRP"), diagnosed(spoke, "GRE", "for no tunnel: Tunnel0 has key 101")}
		},
	}
	otherAuthentication = fault{
		name:  "authentication differs",
		enter: "ip nhrp authentication WRONG", repair: "ip nhrp authentication DMVPNKEY",
		shows: func(d *trio, spoke *cloud.Site) []func() error {
			return []func() error{d.logs(spoke, nhsDown(spoke)), state(spoke, "NHRP"),
				diagnosed(spoke, "NHRP", "authentication: the hub reports Authentication Failure (11) since "),
				d.logs(d.hub, "%DMVPN-3-DMVPN_NHRP_ERROR: Tunnel0: NHRP Encountered Error: Registration Request: Authentication Failure (code: 11) "+
					"for (Tunnel: 172.31.0.1 NBMA: 192.0.2.1) with (NBMA: "+spoke.NBMA)}
		},
	}
	wrongServer = fault{
		name:   "wrong tunnel address of the server",
		enter:  "no ip nhrp nhs 172.31.0.1\nip nhrp map 172.31.0.9 192.0.2.1\nip nhrp nhs 172.31.0.9",
		repair: "no ip nhrp nhs 172.31.0.9\nno ip nhrp map 172.31.0.9 192.0.2.1\nip nhrp nhs 172.31.0.1",
		shows: func(d *trio, spoke *cloud.Site) []func() error {
			return []func() error{d.logs(d.hub, "Registration Request: Protocol Address Unreachable (code: 6)"),
				d.logs(spoke, "Registration Request: Protocol Address Unreachable, reported by the peer (code: 6)"), d.missing(spoke),
				diagnosed(spoke, "NHRP", "NHS 172.31.0.9 is unknown at 192.0.2.1: it reports Protocol Address Unreachable (6) since "),
				func() error {
					return spoke.ShowJSON("show dmvpn", `{"interfaces": [{"peers": [{"nbma": "192.0.2.1", "tunnel": "172.31.0.9", "state": "NHRP"}],
						"servers": [{"address": "172.31.0.9", "up": false, "lastError": "Protocol Address Unreachable (6)"}]}]}`)
				}}
		},
	}
	noServer = fault{
		name:  "map but no server",
		enter: "no ip nhrp nhs 172.31.0.1", repair: "ip nhrp nhs 172.31.0.1",
		shows: func(d *trio, spoke *cloud.Site) []func() error {
			return []func() error{d.missing(spoke), diagnosed(spoke, "NHRP", "there is no \"ip nhrp nhs\""), func() error {
				return spoke.ShowJSON("show dmvpn", `{"interfaces": [{"servers": [], "peers": [{"nbma": "192.0.2.1", "tunnel": "172.31.0.1", "state": "NHRP"}]}]}`)
			}}
		},
	}
	otherNetworkID = fault{
		name:  "another network-id: works",
		enter: "ip nhrp network-id 77\nshutdown\nno shutdown", repair: "ip nhrp network-id 1",
		shows: func(d *trio, spoke *cloud.Site) []func() error {
			return []func() error{d.logs(spoke, "NHRP_NHS_UP"), d.healthy}
		},
	}
	noMTU = fault{
		name:  "no ip mtu: works",
		enter: "no ip mtu\nno ip tcp adjust-mss", repair: "ip mtu 1400\nip tcp adjust-mss 1360",
		shows: func(d *trio, spoke *cloud.Site) []func() error {
			return []func() error{d.healthy, func() error { // 1,400 bytes that must not be fragmented
				_, err := spoke.Host.Run("ping", "-c", "1", "-W", "2", "-M", "do", "-s", "1372", d.hub.HostIP)
				return err
			}}
		},
	}
)

// broken is a fault in its place.
type broken struct {
	at *cloud.Site
	fault
}

// round breaks several things, looks at what is said of each, and repairs them.
func (d *trio) round(all ...broken) {
	d.T.Helper()
	d.mark()
	for _, b := range all {
		d.T.Logf("%s: %s", b.at.Name(), b.name)
		b.at.Configure("interface Tunnel0\n" + b.enter)
		if b.wire != nil {
			b.wire(d, b.at, true)
		}
		if b.clear != "" {
			b.at.MustVtysh(b.clear)
		}
	}
	for _, b := range all {
		d.Await(b.shows(d, b.at)...)
	}
	for _, b := range all {
		b.at.Configure("interface Tunnel0\n" + b.repair)
		if b.wire != nil {
			b.wire(d, b.at, false)
		}
	}
	d.Await(d.well)
}

// TestSpokes breaks spokes, one thing at each.
func TestSpokes(t *testing.T) {
	t.Parallel()
	d := build(t)
	d.round(broken{d.spoke1, otherKey}, broken{d.spoke2, otherAuthentication})
	d.round(broken{d.spoke1, wrongServer}, broken{d.spoke2, noServer})
	d.round(broken{d.spoke1, otherNetworkID}, broken{d.spoke2, noMTU})
}

// TestHub breaks the hub, and at last all three.
func TestHub(t *testing.T) {
	t.Parallel()
	d := build(t)
	d.round(broken{d.hub, pointToPoint})
	d.round(broken{d.hub, noMulticast})
	all := noNetworkID
	all.shows = func(d *trio, hub *cloud.Site) []func() error {
		return []func() error{d.logs(hub, "%DMVPN-5-NHRP_NETID_UNCONFIGURED: Tunnel0: "), d.logs(d.spoke1, nhsDown(d.spoke1)), d.missing(d.spoke1), d.missing(d.spoke2)}
	}
	silent := func(f fault) fault { // without what the other faults hide
		f.shows = func(*trio, *cloud.Site) []func() error { return nil }
		return f
	}
	d.round(broken{d.hub, noNetworkID})
	d.round(broken{d.spoke1, silent(otherAuthentication)}, broken{d.spoke2, silent(wrongServer)}, broken{d.hub, all})
}
