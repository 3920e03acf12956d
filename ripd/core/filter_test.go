package core

import (
	"net/netip"
	"testing"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
)

const ruleLists = `ip prefix-list NO10 deny 10.0.0.0/8 le 32
ip prefix-list NO10 permit 0.0.0.0/0 le 32
access-list 1 deny 172.16.0.0 0.0.255.255
access-list 1 permit any
access-list 2 permit 192.168.0.0 0.0.255.255
access-list 100 deny ip host 10.9.9.1 192.168.0.0 0.0.255.255
access-list 100 permit ip any any
access-list 101 permit ip 192.168.0.0 0.0.255.255 host 255.255.255.0
`

// TestPermit: all distribute-lists that apply must permit.
func TestPermit(t *testing.T) {
	r := newRules(RouterConfig{Filters: []Filter{
		{Prefix: true, List: "NO10"},
		{List: "1", Interface: "Eth0"},
		{List: "100", Interface: "Eth1"},
		{List: "101", Out: true},
		{List: "UNDEFINED"},
		{Prefix: true, List: "UNDEFINED", Out: true},
	}}, policytest.Parse(t, ruleLists))
	for _, x := range []struct {
		out          bool
		ifname       string
		from, prefix string
		want         bool
	}{
		{false, "Eth2", "10.9.9.1", "10.1.0.0/16", false}, // for all interfaces
		{false, "Eth2", "10.9.9.1", "172.16.0.0/24", true},
		{false, "Eth0", "10.9.9.1", "172.16.0.0/24", false}, // for one
		{false, "Eth0", "10.9.9.1", "172.17.0.0/24", true},
		{false, "Eth0", "10.9.9.1", "10.1.0.0/16", false},    // for both, one refuses
		{false, "Eth1", "10.9.9.1", "192.168.1.0/24", false}, // extended: router and network
		{false, "Eth1", "10.9.9.2", "192.168.1.0/24", true},
		{false, "Eth1", "10.9.9.1", "192.169.1.0/24", true},
		{true, "Eth0", "", "192.168.1.0/24", true}, // extended outwards: network and mask
		{true, "Eth0", "", "192.168.1.0/25", false},
		{true, "Eth0", "", "172.16.0.0/24", false},
	} {
		var from netip.Addr
		if x.from != "" {
			from = netip.MustParseAddr(x.from)
		}
		if got := r.permit(x.out, x.ifname, from, netip.MustParsePrefix(x.prefix)); got != x.want {
			t.Errorf("%+v: %v", x, got)
		}
	}
}

// TestOffset: one list decides, one with an interface before one without.
func TestOffset(t *testing.T) {
	r := newRules(RouterConfig{Offsets: []OffsetList{
		{Offset: 2},
		{List: "2", Offset: 5, Interface: "Eth0"},
		{List: "1", Offset: 7, Out: true},
		{List: "2", Offset: 9, Out: true},
	}}, policytest.Parse(t, ruleLists))
	for _, x := range []struct {
		out            bool
		ifname, prefix string
		want           uint32
	}{
		{false, "Eth1", "192.168.1.0/24", 2},
		{false, "Eth0", "192.168.1.0/24", 5},
		{false, "Eth0", "172.16.0.0/24", 2}, // the list with the interface does not fit
		{true, "Eth0", "192.168.1.0/24", 7}, // the first of two
		{true, "Eth0", "172.16.1.0/24", 0},
	} {
		if got := r.offset(x.out, x.ifname, netip.MustParsePrefix(x.prefix)); got != x.want {
			t.Errorf("%+v: %d", x, got)
		}
	}
}

// TestDistance: the first rule that fits router and route decides.
func TestDistance(t *testing.T) {
	host := policy.Wildcard{Addr: 0x0a090901}
	subnet := policy.Wildcard{Addr: 0x0a090900, Bits: 0xff}
	rules := []SourceDistance{{Distance: 90, Source: host, List: "2"}, {Distance: 100, Source: subnet}, {Distance: 80, Source: host}}
	set := policytest.Parse(t, ruleLists)
	for _, x := range []struct {
		from, prefix string
		general      uint8
		want         uint8
	}{
		{"10.9.9.1", "192.168.1.0/24", 0, 90},
		{"10.9.9.1", "172.16.1.0/24", 0, 100},
		{"10.9.9.2", "192.168.1.0/24", 0, 100},
		{"10.9.8.2", "192.168.1.0/24", 0, 120},
		{"10.9.8.2", "192.168.1.0/24", 130, 130},
	} {
		r := newRules(RouterConfig{Distance: x.general, Distances: rules}, set)
		if got := r.distance(netip.MustParseAddr(x.from), netip.MustParsePrefix(x.prefix)); got != x.want {
			t.Errorf("%+v: %d", x, got)
		}
	}
	if got := newRules(RouterConfig{}, nil).distance(netip.MustParseAddr("10.0.0.1"), netip.MustParsePrefix("10.0.0.0/8")); got != 120 {
		t.Errorf("nothing configured: %d", got)
	}
}
