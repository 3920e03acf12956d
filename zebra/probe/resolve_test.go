package probe

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/rib"
)

type names map[string][]netip.Addr

func (n names) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	if found, ok := n[host]; ok && network == "ip" {
		return found, nil
	}
	return nil, errors.New("no such host")
}

func device(name, kernel, vrf string, index int, up bool, addrs ...string) rib.Interface {
	i := rib.Interface{Name: name, KernelName: kernel, VRF: vrf, Index: index, Up: up}
	for _, a := range addrs {
		i.Addresses = append(i.Addresses, rib.Address{Prefix: netip.MustParsePrefix(a)})
	}
	return i
}

var devices = []rib.Interface{
	device("GigabitEthernet1", "eth0", "", 2, true, "fe80::1/64", "10.11.0.1/24", "10.11.1.1/24", "2001:db8:1::1/64"),
	device("GigabitEthernet2", "eth1", "", 3, false, "10.13.0.1/24"),
	device("Tunnel0", "Tunnel0", "BLUE", 4, true, "172.31.0.1/24"),
	device("Tunnel1", "", "", 0, false, "172.31.1.1/24"),
	device("Tunnel2", "Tunnel2", "", 7, true, "fe80::2/64"),
	{Name: "BLUE", KernelName: "BLUE", Index: 5, Type: rib.TypeVRF, Up: true},
	{Name: "RED", Type: rib.TypeVRF},
}

// TestResolve reads the words of commands. A want that is no path is an error.
func TestResolve(t *testing.T) {
	dns := names{"both": {netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1")},
		"six": {netip.MustParseAddr("2001:db8::1")}, "none": nil}
	for _, c := range []struct{ vrf, target, source, want string }{
		{"", "10.12.0.10", "", "[] 10.12.0.10 from invalid IP"},
		{"BLUE", "10.12.0.10", "", "[BLUE] 10.12.0.10 from invalid IP"},
		{"", "10.12.0.10", "10.11.1.1", "[] 10.12.0.10 from 10.11.1.1"},
		{"", "10.12.0.10", "gi1", "[] 10.12.0.10 from 10.11.0.1"},
		{"", "2001:db8::9", "GigabitEthernet1", "[] 2001:db8::9 from 2001:db8:1::1"},
		{"", "2001:db8::9", "Tunnel2", "[] 2001:db8::9 from fe80::2%Tunnel2"},
		{"", "fe80::9", "Gi1", "[] fe80::9%eth0 from fe80::1%eth0"},
		{"BLUE", "10.12.0.10", "Tunnel0", "[BLUE] 10.12.0.10 from 172.31.0.1"},
		{"", "both", "", "[] 192.0.2.1 from invalid IP"},
		{"", "both", "2001:db8:1::1", "[] 2001:db8::1 from 2001:db8:1::1"},
		{"", "six", "", "[] 2001:db8::1 from invalid IP"},

		{"GREEN", "10.12.0.10", "", "VRF GREEN does not exist"},
		{"RED", "10.12.0.10", "", "VRF RED does not exist"},
		{"Tunnel0", "10.12.0.10", "", "VRF Tunnel0 does not exist"},
		{"", "nowhere", "", "unknown host nowhere: no such host"},
		{"", "none", "", "unknown host none: it has no address"},
		{"", "six", "10.11.0.1", "six has no address of the source's family"},
		{"", "0.0.0.0", "", "0.0.0.0 is no target"},
		{"", "224.0.0.5", "", "224.0.0.5 is a multicast address: only unicast targets can be probed"},
		{"", "ff02::5", "", "ff02::5 is a multicast address: only unicast targets can be probed"},
		{"", "255.255.255.255", "", "255.255.255.255 is the broadcast address"},
		{"", "10.11.0.255", "", "10.11.0.255 is the broadcast address of GigabitEthernet1"},
		{"", "fe80::9", "", "fe80::9 is link-local: a source interface says on which link"},
		{"", "fe80::9", "2001:db8:1::1", "fe80::9 is link-local: a source interface says on which link"},
		{"", "2001:db8::9", "fe80::1", "source fe80::1 is link-local: name its interface instead"},
		{"", "10.12.0.10", "2001:db8:1::1", "source 2001:db8:1::1 and target 10.12.0.10 are of different address families"},
		{"", "10.12.0.10", "10.99.0.1", "source 10.99.0.1 is no address of an interface that is up"},
		{"", "10.12.0.10", "0.0.0.0", "source 0.0.0.0 is no address of an interface that is up"},
		{"", "10.12.0.10", "10.13.0.1", "source 10.13.0.1 is no address of an interface that is up"},
		{"BLUE", "10.12.0.10", "10.11.0.1", "source 10.11.0.1 is no address of an interface that is up in VRF BLUE"},
		{"", "10.12.0.10", "Null0", "source Null0: there is no such interface, and it is no address"},
		{"", "10.12.0.10", "Gi2", "source GigabitEthernet2: it is down"},
		{"", "10.12.0.10", "Tunnel0", "source Tunnel0: it is in VRF BLUE"},
		{"BLUE", "10.12.0.10", "Gi1", "source GigabitEthernet1: it is in no VRF"},
		{"", "10.12.0.10", "Tunnel1", "source Tunnel1: the kernel has no such device now"},
		{"", "10.12.0.10", "Tunnel2", "source Tunnel2: it has no IPv4 address"},
	} {
		p, err := Resolve(t.Context(), Request{VRF: c.vrf, Target: c.target, Source: c.source}, devices, dns)
		got := "[" + p.Device + "] " + p.Target.String() + " from " + p.Source.String()
		if err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s %s %s: %s", c.vrf, c.target, c.source, diff)
		}
	}
}

// TestBroadcast holds the last address against counting.
func TestBroadcast(t *testing.T) {
	for bits := 8; bits <= 30; bits++ {
		p := netip.PrefixFrom(netip.MustParseAddr("10.173.201.77"), bits)
		if b := broadcast(p); !p.Contains(b) || p.Contains(b.Next()) || strings.Contains(b.String(), "invalid") {
			t.Errorf("%v: %v", p, b)
		}
	}
}
