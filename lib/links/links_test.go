package links

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rib"
)

func link(name, vrf string, addrs ...string) rib.Interface {
	l := rib.Interface{Name: name, VRF: vrf, Up: true}
	for _, a := range addrs {
		l.Addresses = append(l.Addresses, rib.Address{Prefix: netip.MustParsePrefix(a)})
	}
	return l
}

// TestOwn counts addresses, as interfaces share them, move to another VRF and go.
func TestOwn(t *testing.T) {
	var l Table
	a := netip.MustParseAddr("10.0.0.1")
	want := func(step string, global, red int) {
		t.Helper()
		if g, r := l.Own("", a), l.Own("RED", a); g != global || r != red {
			t.Errorf("%s: %d interfaces have it, %d in RED", step, g, r)
		}
	}
	want("none", 0, 0)
	l.Put(link("eth0", "", "10.0.0.1/24"))
	l.Put(link("Tunnel0", "", "10.0.0.1/32", "10.0.0.2/32"))
	want("two", 2, 0)
	if l.Put(link("eth0", "", "10.0.0.1/24")) {
		t.Error("the same is a change")
	}
	want("told again", 2, 0)
	if !l.Put(link("eth0", "RED", "10.0.0.1/24")) || l.VRF("eth0") != "RED" {
		t.Error("another VRF is no change")
	}
	want("moved", 1, 1)
	if !l.Delete("Tunnel0") || l.Delete("Tunnel0") {
		t.Error("deleted once")
	}
	want("gone", 0, 1)
	if _, ok := l.Get("Tunnel0"); ok || !slices.Equal(l.Names(), []string{"eth0"}) {
		t.Errorf("left: %v", l.Names())
	}
}

// TestUntold finds what a zebra that began anew does not have any more, once.
func TestUntold(t *testing.T) {
	var l Table
	for _, name := range []string{"c", "b", "a"} {
		l.Put(link(name, ""))
	}
	if got := l.Untold(); len(got) != 0 {
		t.Errorf("in the first session: %v", got)
	}
	l.Expect()
	l.Put(link("b", ""))
	if got := l.Untold(); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("not told: %v", got)
	}
	if got := l.Untold(); len(got) != 0 {
		t.Errorf("a second time: %v", got)
	}
}
