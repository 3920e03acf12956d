package dataplane

import (
	"net/netip"
	"testing"
)

func TestValidSysctl(t *testing.T) {
	for path, want := range map[string]bool{
		"ipv4/ip_forward": true, "ipv4/conf/eth0.100/rp_filter": true,
		"": false, "/ipv4": false, "../kernel/hostname": false, "ipv4/../../kernel": false, "..": false,
		"ipv4//x": false, "ipv4/./x": false, "ipv4/x/": false, "ipv4/x\n": false, "ipv4/\x00": false,
	} {
		if have := ValidSysctl(path); have != want {
			t.Errorf("%q: %v", path, have)
		}
	}
}

func TestKeyDevice(t *testing.T) {
	for path, want := range map[string]string{
		"ipv4/conf/Tunnel0/rp_filter": "Tunnel0", "ipv6/neigh/Tunnel0/app_solicit": "Tunnel0",
		"ipv4/conf/all/rp_filter": "", "ipv4/conf/default/rp_filter": "", "ipv4/ip_forward": "",
	} {
		if have := (Sysctl{Path: path}).Key().Device(); have != want {
			t.Errorf("%s: %q", path, have)
		}
	}
}

// A shaper is what it was if its rate, in bytes a second, and its burst, as the kernel
// keeps it, are. What it counted does not matter.
func TestShaperEqual(t *testing.T) {
	s := Shaper{Device: "Tunnel0", NBMA: netip.MustParseAddr("192.0.2.2"), Rate: 1e6}
	fast := Shaper{Device: "Tunnel0", NBMA: s.NBMA, Rate: 10e9, Burst: 12500000}
	with := func(s Shaper, f func(*Shaper)) Shaper { f(&s); return s }
	for _, c := range []struct {
		name string
		a, b Shaper
		ok   bool
	}{
		{"default burst", s, with(s, func(s *Shaper) { s.Burst = 3000 }), true},
		{"default burst of a high rate", fast, with(fast, func(s *Shaper) { s.Burst = 0 }), true},
		{"burst", s, with(s, func(s *Shaper) { s.Burst = 3001 }), false},
		{"burst of a high rate, nearly", fast, with(fast, func(s *Shaper) { s.Burst += 80 }), true},
		{"burst of a high rate", fast, with(fast, func(s *Shaper) { s.Burst += 81 }), false},
		{"bits", s, with(s, func(s *Shaper) { s.Rate++ }), true},
		{"rate", s, with(s, func(s *Shaper) { s.Rate += 8; s.Burst = 3000 }), false},
		{"counters", s, with(s, func(s *Shaper) { s.Count.Packets = 7 }), true},
		{"peer", s, with(s, func(s *Shaper) { s.NBMA = netip.MustParseAddr("192.0.2.3") }), false},
	} {
		if c.a.Equal(c.b) != c.ok || c.b.Equal(c.a) != c.ok {
			t.Errorf("%s: %v", c.name, !c.ok)
		}
	}
}

func TestSatisfied(t *testing.T) {
	local := netip.MustParseAddr("192.0.2.1")
	open := Tunnel{Name: "Tunnel0", Local: local}
	have := Tunnel{Name: "Tunnel0", Local: local, Attrs: Attrs{Admin: AdminUp, MTU: 1476}}
	route := Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Protocol: 196, NextHops: []NextHop{{Device: "eth0"}}}
	weighed := route
	weighed.NextHops = []NextHop{{Device: "eth0", Weight: 1}}
	heavier := route
	heavier.NextHops = []NextHop{{Device: "eth0", Weight: 2}}
	with := func(f func(*Tunnel)) Tunnel { t := open; f(&t); return t }
	for _, c := range []struct {
		name       string
		want, have Object
		ok         bool
	}{
		{"what is open", open, have, true},
		{"0.0.0.0 is none", with(func(t *Tunnel) { t.Remote = netip.IPv4Unspecified() }), have, true},
		{"MTU", with(func(t *Tunnel) { t.MTU = 1400 }), have, false},
		{"down", with(func(t *Tunnel) { t.Admin = AdminDown }), have, false},
		{"mode", with(func(t *Tunnel) { t.Remote = local }), have, false},
		{"key without having one", with(func(t *Tunnel) { t.GREKey = 5 }), have, true},
		{"key", with(func(t *Tunnel) { t.HasKey = true }), have, false},
		{"resolution", with(func(t *Tunnel) { t.Resolve = true }), have, false},
		{"VRF", with(func(t *Tunnel) { t.Master = "RED" }), have, false},
		{"link of others", Link{Name: "d"}, Link{Name: "d", Type: LinkDummy, Attrs: Attrs{Admin: AdminUp, MTU: 1500}}, true},
		{"out of the VRF", Link{Name: "d"}, Link{Name: "d", Attrs: Attrs{Master: "RED"}}, false},
		{"table", Link{Name: "v", Type: LinkVRF, Table: 1}, Link{Name: "v", Type: LinkVRF, Table: 2}, false},
		{"weight 0 is 1", route, weighed, true},
		{"weight", route, heavier, false},
		{"another kind", open, Link{Name: "Tunnel0"}, false},
	} {
		if ok := Satisfied(c.want, c.have); ok != c.ok {
			t.Errorf("%s: %v", c.name, ok)
		}
	}
}

func TestOwn(t *testing.T) {
	for _, c := range []struct {
		o   Object
		own bool
	}{
		{Route{Protocol: 196}, true}, {Route{Protocol: 191}, true}, {Route{Protocol: 4}, false}, {Route{Protocol: 2}, false},
		{Addr{Foreign: true}, false}, {Addr{}, true}, {Link{}, false}, {Link{Type: LinkDummy}, true}, {Tunnel{}, true}, {MSSClamp{}, true},
	} {
		if Own(c.o) != c.own {
			t.Errorf("%+v: %v", c.o, !c.own)
		}
	}
}
