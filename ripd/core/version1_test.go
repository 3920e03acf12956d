package core

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/ripd/packet"
)

// TestVersion1Prefix has the rules of RFC 2453 section 4.3 and RFC 1058 section
// 3.2 one by one.
func TestVersion1Prefix(t *testing.T) {
	for _, x := range []struct{ what, iface, p, want string }{
		{"the default route", "10.1.1.1/24", "0.0.0.0/0", "0.0.0.0/0"},
		{"half of everything", "10.1.1.1/24", "0.0.0.0/1", ""},
		{"subnet of the same network and mask", "10.1.1.1/24", "10.1.2.0/24", "10.1.2.0/24"},
		{"longer subnet of the same network", "10.1.1.1/24", "10.1.2.128/25", ""},
		{"shorter subnet of the same network", "10.1.1.1/24", "10.2.0.0/16", ""},
		{"the same network as a whole", "10.1.1.1/24", "10.0.0.0/8", ""},
		{"the same network, not subnetted", "10.1.1.1/8", "10.0.0.0/8", "10.0.0.0/8"},
		{"host of the same network", "10.1.1.1/24", "10.1.2.3/32", "10.1.2.3/32"},
		{"host that would be taken for a subnet", "10.1.1.1/24", "10.1.2.0/32", ""},
		{"subnet of another network", "10.1.1.1/24", "172.16.5.0/24", "172.16.0.0/16"},
		{"host of another network", "10.1.1.1/24", "192.168.3.4/32", "192.168.3.0/24"},
		{"another network", "10.1.1.1/24", "192.168.3.0/24", "192.168.3.0/24"},
		{"supernet", "10.1.1.1/24", "192.168.0.0/16", ""},
		{"supernet of the interface's network", "192.168.1.1/24", "192.168.0.0/16", ""},
		{"network on a supernetted interface", "192.168.1.1/16", "192.168.1.0/24", "192.168.1.0/24"},
		{"host route on a point-to-point link", "10.1.1.1/32", "10.1.2.0/32", "10.1.2.0/32"},
		{"host bits are not looked at", "10.1.1.1/24", "10.1.2.9/24", "10.1.2.0/24"},
	} {
		got, ok := version1Prefix(netip.MustParsePrefix(x.iface), netip.MustParsePrefix(x.p))
		switch {
		case x.want == "" && ok:
			t.Errorf("%s: %s on %s is said as %v", x.what, x.p, x.iface, got)
		case x.want != "" && (!ok || got != netip.MustParsePrefix(x.want)):
			t.Errorf("%s: %s on %s is said as %v, %v, want %s", x.what, x.p, x.iface, got, ok, x.want)
		}
	}
}

// TestVersion1Understood: what is said is what a receiver on the same subnet
// makes of it, and leads nowhere but to the prefix and to the rest of its class.
func TestVersion1Understood(t *testing.T) {
	addr := rapid.Custom(func(t *rapid.T) netip.Addr {
		var b [4]byte
		v := rapid.Uint32Range(1<<24, 223<<24|0xffffff).Draw(t, "address")
		if rapid.Bool().Draw(t, "in 10") {
			v = 10<<24 | v&0xffffff
		}
		binary.BigEndian.PutUint32(b[:], v)
		return netip.AddrFrom4(b)
	})
	rapid.Check(t, func(t *rapid.T) {
		iface := netip.PrefixFrom(addr.Draw(t, "interface"), rapid.IntRange(8, 32).Draw(t, "length"))
		p := netip.PrefixFrom(addr.Draw(t, "prefix"), rapid.IntRange(1, 32).Draw(t, "bits")).Masked()
		said, ok := version1Prefix(iface, p)
		if !ok {
			return
		}
		e := packet.Entry{Family: packet.FamilyIP, Addr: said.Addr(), Metric: 1}
		heard, ok := e.Prefix(iface)
		if !ok || heard != said {
			t.Fatalf("%v on %v is said as %v and heard as %v", p, iface, said, heard)
		}
		if said != p && said.Bits() != packet.NaturalBits(p.Addr()) || !said.Contains(p.Addr()) {
			t.Fatalf("%v on %v is said as %v", p, iface, said)
		}
	})
}
