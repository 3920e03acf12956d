package faults

import (
	"fmt"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// The cloud, Phase 1: a hub, and two spokes of which the first gets the faults.
type trio struct {
	*cloud.Cloud
	hub, spoke1, spoke2 *cloud.Site
}

// Lines of the tunnels. The spokes ask again soon, so that a repair shows soon.
const (
	hubLines   = cloud.NHRP + cloud.Multipoint + cloud.Key
	spokeLines = cloud.NHRP + cloud.Quick + cloud.Multipoint + cloud.Key
)

func build(t *testing.T) *trio {
	c := cloud.New(t)
	d := &trio{c, c.Add("hub", "192.0.2.1", "172.31.0.1", 10), c.Add("spoke1", "198.51.100.1", "172.31.0.11", 11),
		c.Add("spoke2", "203.0.113.1", "172.31.0.12", 12)}
	c.Start(func(s *cloud.Site) string {
		if s == d.hub {
			return s.Config(hubLines + "ip route 10.11.0.0/24 172.31.0.11\nip route 10.12.0.0/24 172.31.0.12\n")
		}
		return s.Config(spokeLines + " ip nhrp map 172.31.0.1 192.0.2.1\n ip nhrp map multicast 192.0.2.1\n ip nhrp nhs 172.31.0.1\nip route 10.0.0.0/8 172.31.0.1\n")
	})
	d.Await(d.healthy)
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
	return d.spoke1.Host.Reaches(d.spoke2.HostIP)
}

// state tells whether a spoke shows its hub in a State.
func state(spoke *cloud.Site, want string) func() error {
	return func() error {
		return spoke.ShowJSON("show dmvpn", fmt.Sprintf(
			`{"interfaces": [{"type": "Spoke", "peers": [{"nbma": "192.0.2.1", "tunnel": "172.31.0.1", "state": %q, "attributes": "S"}]}]}`, want))
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

// logs tells whether a router has logged this since the log was cleared.
func logs(s *cloud.Site, want string) func() error {
	return func() error {
		out, err := s.Vtysh("show logging")
		if err == nil && !strings.Contains(out, want) {
			err = fmt.Errorf("%s logged no %q", s.Name(), want)
		}
		return err
	}
}

// fault is one thing that is broken and repaired.
type fault struct {
	name   string
	at     func(*trio) *cloud.Site
	enter  string // configuration lines that break
	repair string
	shows  func(*trio) []func() error
}

func atHub(d *trio) *cloud.Site    { return d.hub }
func atSpoke1(d *trio) *cloud.Site { return d.spoke1 }

// nhsDown is what a spoke logs whose registrations are not answered.
const nhsDown = "%DMVPN-5-NHRP_NHS_DOWN: Tunnel0: Next Hop Server: (Tunnel: 172.31.0.1 NBMA: 192.0.2.1) for (Tunnel: 172.31.0.11 NBMA: 198.51.100.1) is DOWN, Reason: Registration Failure"

var matrix = []fault{{
	name: "network-id missing at the hub", at: atHub,
	enter: "interface Tunnel0\nno ip nhrp network-id", repair: "interface Tunnel0\nip nhrp network-id 1",
	shows: func(d *trio) []func() error {
		return []func() error{d.missing(d.spoke1), d.missing(d.spoke2), state(d.spoke1, "NHRP"), state(d.spoke2, "NHRP"),
			logs(d.hub, "%DMVPN-5-NHRP_NETID_UNCONFIGURED: Tunnel0: "), logs(d.spoke1, nhsDown)}
	},
}, {
	name: "tunnel key differs", at: atSpoke1,
	enter: "interface Tunnel0\ntunnel key 101", repair: "interface Tunnel0\ntunnel key 100",
	shows: func(d *trio) []func() error { return []func() error{state(d.spoke1, "NHRP"), state(d.spoke2, "UP"), logs(d.spoke1, nhsDown)} },
}, {
	name: "authentication differs", at: atSpoke1,
	enter: "interface Tunnel0\nip nhrp authentication WRONG", repair: "interface Tunnel0\nip nhrp authentication DMVPNKEY",
	shows: func(d *trio) []func() error {
		return []func() error{state(d.spoke1, "NHRP"), state(d.spoke2, "UP"),
			logs(d.hub, "%DMVPN-3-DMVPN_NHRP_ERROR: Tunnel0: NHRP Encountered Error: Registration Request: Authentication Failure (code: 11)"), logs(d.spoke1, nhsDown)}
	},
}}

// TestMatrix breaks and repairs, one thing after the other in one cloud.
func TestMatrix(t *testing.T) {
	d := build(t)
	for _, f := range matrix {
		t.Run(f.name, func(t *testing.T) {
			d.T = t
			for _, s := range d.Sites {
				s.MustVtysh("clear logging")
			}
			f.at(d).Configure(f.enter)
			d.Await(f.shows(d)...)
			f.at(d).Configure(f.repair)
			d.Await(d.healthy)
		})
	}
}
