package cli_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// TestBothFamilies: whatever there is about IPv4 is there about IPv6.
func TestBothFamilies(t *testing.T) {
	patterns := map[string][]string{}
	for _, c := range cli.Grammar().Commands {
		patterns[c.ID] = append(patterns[c.ID], c.Pattern)
	}
	found := 0
	for _, c := range cli.Grammar().Commands {
		if !strings.Contains(" "+c.Pattern+" ", " ip nhrp ") || c.ID == cli.CmdGroup || c.ID == cli.CmdMapGroup { // the group is that of both
			continue
		}
		found++
		twin := patterns["nhrp6."+strings.TrimPrefix(c.ID, "nhrp.")]
		if len(twin) != len(patterns[c.ID]) {
			t.Errorf("%q has no twin about IPv6", c.Pattern)
		}
		for _, p := range twin {
			if strings.Contains(p, "addr:A.B.C.D") || strings.Contains(p, "PREFIX4") || !strings.Contains(p, "ipv6 nhrp") {
				t.Errorf("%q is about IPv4", p)
			}
		}
	}
	if found < 15 {
		t.Errorf("%d lines about IPv4", found)
	}
}

// messages joins what is wrong with lines.
func messages(errs []plugin.LineError) string {
	var all []string
	for _, e := range errs {
		all = append(all, e.Msg)
	}
	return strings.Join(all, "; ")
}

func TestReadBothFamilies(t *testing.T) {
	cfg, errs := read(t, `interface Tunnel0
 ip nhrp network-id 4
 ip nhrp nhs 172.31.0.1 nbma 192.0.2.1
 ipv6 nhrp network-id 6
 ipv6 nhrp authentication 7 0468223E
 ipv6 nhrp holdtime 300
 ipv6 nhrp map 2001:db8::1 192.0.2.1
 ipv6 nhrp map 2001:db8:1::1/64 192.0.2.9
 ipv6 nhrp map multicast 192.0.2.1
 no ipv6 nhrp map multicast dynamic
 ipv6 nhrp nhs 2001:db8::1 priority 2
interface Tunnel1
 ipv6 nhrp network-id 1
 ip nhrp group GOLD
`)
	if len(errs) > 0 || len(cfg.Interfaces) != 4 {
		t.Fatalf("%+v, %v", cfg, errs)
	}
	four := core.DefaultInterfaceConfig("Tunnel0", rib.IPv4)
	four.NetworkID, four.NHSs = 4, []core.NHSConfig{{Addr: addr("172.31.0.1"), NBMA: addr("192.0.2.1")}}
	six := core.DefaultInterfaceConfig("Tunnel0", rib.IPv6)
	six.NetworkID, six.Authentication, six.Holdtime, six.MulticastDynamic = 6, "SIX", 300e9, false
	six.Maps = []core.StaticMap{{Prefix: prefix("2001:db8:1::1/64"), NBMA: addr("192.0.2.9")}, {Prefix: prefix("2001:db8::1/128"), NBMA: addr("192.0.2.1")}}
	six.MulticastMaps = []netip.Addr{addr("192.0.2.1")}
	six.NHSs = []core.NHSConfig{{Addr: addr("2001:db8::1"), Priority: 2}}
	only := core.DefaultInterfaceConfig("Tunnel1", rib.IPv6)
	only.NetworkID, only.Group = 1, "GOLD"
	off := core.DefaultInterfaceConfig("Tunnel1", rib.IPv4)
	off.Group = "GOLD"
	for i, want := range []core.InterfaceConfig{four, six, off, only} {
		if !cfg.Interfaces[i].Equal(want) {
			t.Errorf("%+v, want %+v", cfg.Interfaces[i], want)
		}
	}
	for line, want := range map[string]string{
		"interface Tunnel0\n ipv6 nhrp map ff02::1 192.0.2.1\n":                "not the protocol address of a station",
		"interface Tunnel0\n ipv6 nhrp nhs ff02::1\n":                          "ff02::1 is not the protocol address of a server",
		"interface Tunnel0\n ipv6 nhrp nhs 2001:db8::1 nbma ff02::1\n":         "ff02::1 is not the NBMA address of a server",
		"interface GigabitEthernet1\n ipv6 nhrp network-id 1\n":                "GigabitEthernet1 is no tunnel; NHRP is for tunnels",
		"interface Tunnel0\n ipv6 nhrp map 2001:db8::1/64 224.0.0.9\n":         "224.0.0.9 is not the NBMA address of a station",
		"interface Tunnel0\n ip nhrp authentication WAYTOOLONG\n":              "the secret is longer than 8 characters",
		"interface Tunnel0\n ip nhrp authentication 7 SIX\n":                   "the secret is not in Cisco's type 7",
		"interface Tunnel0\n ipv6 nhrp network-id 1\n ip nhrp nhs 224.0.0.1\n": "224.0.0.1 is not the protocol address of a server",
	} {
		if _, errs := read(t, line); messages(errs) != want {
			t.Errorf("%q: %q, want %q", line, messages(errs), want)
		}
	}
}
