package dataplane

import (
	"fmt"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
)

// TestDormant has a tunnel wait for something, and compares what the kernel shows:
// the state of RFC 2863, and the routes that it makes of addresses, gone while the
// tunnel waits and back as they were; an address that comes meanwhile included.
// What is up and has neighbours stays so.
func TestDormant(t *testing.T) {
	e := lktest.New(t)
	vrf := dataplane.Link{Name: "RED", Type: dataplane.LinkVRF, Table: 1001, Attrs: dataplane.Attrs{Admin: dataplane.AdminUp}}
	for _, master := range []string{"", "RED"} {
		tunnel := mgre
		tunnel.Master = master
		n := dataplane.Neighbor{Device: "Tunnel0", Addr: ip("10.0.0.2"), NBMA: ip("192.0.2.2")}
		put(t, e.P, vrf, tunnel, dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.0.1/24")},
			dataplane.Addr{Device: "Tunnel0", Prefix: pfx("2001:db8::1/64")}, n)
		routes := func() string {
			var all []string
			for _, family := range []string{"-4", "-6"} {
				out := shown(t, e, "ip", family, "route", "show", "table", "all", "proto", "kernel", "type", "unicast", "dev", "Tunnel0")
				for line := range strings.Lines(out) {
					if !strings.Contains(line, "fe80") {
						all = append(all, strings.Join(strings.Fields(line), " "))
					}
				}
			}
			return strings.Join(all, "\n")
		}
		link := func() string { return shown(t, e, "ip", "link", "show", "Tunnel0") }
		before := routes()
		if !strings.Contains(before, "10.0.0.0/24") || !strings.Contains(before, "2001:db8::/64") || strings.Contains(link(), "DORMANT") {
			t.Fatalf("at first: %s\n%s", before, link())
		}
		tunnel.Dormant = true
		late := dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.1.1/24")}
		put(t, e.P, tunnel, late, tunnel)
		if got := link(); !strings.Contains(got, "state DORMANT") || !strings.Contains(got, ",UP,LOWER_UP") {
			t.Errorf("dormant: %s", got)
		}
		if got := routes(); got != "" {
			t.Errorf("routes of a dormant tunnel: %s", got)
		}
		if got := shown(t, e, "ip", "neigh", "show", "dev", "Tunnel0"); !strings.Contains(got, "10.0.0.2 lladdr 192.0.2.2 PERMANENT") {
			t.Errorf("neighbours of a dormant tunnel: %s", got)
		}
		await(t, e.P, "dormant", func(ev dataplane.Event) bool {
			l, ok := ev.(dataplane.LinkChanged)
			return ok && l.Link.Name == "Tunnel0" && l.Link.Dormant && !l.Link.Running && l.Link.Up
		})
		tunnel.Dormant = false
		put(t, e.P, tunnel)
		if got := routes(); !strings.Contains(got, "10.0.1.0/24") {
			t.Errorf("the address that came meanwhile has no route: %s", got)
		}
		if r := e.P.Apply(t.Context(), []dataplane.Op{dataplane.Delete(late.Key())}); r[0].Err != nil {
			t.Fatal(r[0].Err)
		}
		harness.Eventually(t, limit, func() error {
			if now := routes(); now != before {
				return fmt.Errorf("routes\n%s\nnot as before:\n%s", now, before)
			}
			return nil
		})
		await(t, e.P, "awake", func(ev dataplane.Event) bool {
			l, ok := ev.(dataplane.LinkChanged)
			return ok && l.Link.Name == "Tunnel0" && !l.Link.Dormant && l.Link.Running
		})
	}
}
