package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }

// IOS IP command reference, ip prefix-list: an exact length without ge and le,
// from ge to 32 with ge alone, from the network's own to le with le alone.
func TestPrefixList(t *testing.T) {
	set := read(t, `ip prefix-list exact permit 10.0.0.0/8
ip prefix-list ge permit 10.0.0.0/8 ge 16
ip prefix-list le permit 10.0.0.0/8 le 16
ip prefix-list both permit 10.0.0.0/8 ge 16 le 24
ip prefix-list default permit 0.0.0.0/0
ip prefix-list all permit 0.0.0.0/0 le 32
ip prefix-list order seq 5 deny 10.1.0.0/16 le 32
ip prefix-list order seq 10 permit 10.0.0.0/8 le 32
ip prefix-list reversed seq 5 permit 10.0.0.0/8 le 32
ip prefix-list reversed seq 10 deny 10.1.0.0/16 le 32
ip prefix-list described description no lines
ipv6 prefix-list six permit 2001:db8::/32 ge 64 le 64
`)
	for _, c := range []struct {
		list, prefix  string
		permit, found bool
	}{
		{"exact", "10.0.0.0/8", true, true}, {"exact", "10.0.0.0/9", false, false}, {"exact", "0.0.0.0/0", false, false},
		{"ge", "10.0.0.0/8", false, false}, {"ge", "10.1.0.0/16", true, true}, {"ge", "10.1.2.3/32", true, true}, {"ge", "10.0.0.0/15", false, false},
		{"le", "10.0.0.0/8", true, true}, {"le", "10.1.0.0/16", true, true}, {"le", "10.1.0.0/17", false, false},
		{"both", "10.1.0.0/16", true, true}, {"both", "10.1.2.0/24", true, true}, {"both", "10.1.2.0/25", false, false}, {"both", "11.1.2.0/24", false, false},
		{"default", "0.0.0.0/0", true, true}, {"default", "10.0.0.0/8", false, false},
		{"all", "0.0.0.0/0", true, true}, {"all", "1.2.3.4/32", true, true}, {"all", "2001:db8::/32", false, false},
		{"order", "10.1.2.0/24", false, true}, {"order", "10.2.0.0/16", true, true},
		{"reversed", "10.1.2.0/24", true, true},
		{"described", "1.2.3.0/24", true, false},
		{"undefined", "1.2.3.0/24", true, false},
	} {
		if permit, found := set.PrefixList(c.list).Match(prefix(c.prefix)); permit != c.permit || found != c.found {
			t.Errorf("%s, %s: permit %v found %v", c.list, c.prefix, permit, found)
		}
	}
	if permit, found := set.PrefixList6("six").Match(prefix("2001:db8:1:2::/64")); !permit || !found {
		t.Error("an IPv6 prefix does not match")
	}
	if set.PrefixList("six") != nil {
		t.Error("an IPv6 list is an IPv4 list too")
	}
	if permit, _ := set.PrefixList("all").Match(netip.Prefix{}); permit {
		t.Error("no prefix at all is permitted")
	}
}

// The index says what going through the lines one by one says.
func TestPrefixListRapid(t *testing.T) {
	bits4 := func(t *rapid.T, label string) netip.Prefix {
		a := addr4(rapid.Uint32().Draw(t, label) & 0xC0000300)
		p, _ := a.Prefix(rapid.IntRange(0, 32).Draw(t, "bits"))
		return p
	}
	bits6 := func(t *rapid.T, label string) netip.Prefix {
		var b [16]byte
		b[0], b[8] = rapid.Byte().Draw(t, label)&0xC0, rapid.Byte().Draw(t, label)&3
		p, _ := netip.AddrFrom16(b).Prefix(rapid.IntRange(0, 128).Draw(t, "bits"))
		return p
	}
	rapid.Check(t, func(t *rapid.T) {
		draw, width := bits4, 32
		if rapid.Bool().Draw(t, "IPv6") {
			draw, width = bits6, 128
		}
		l := &PrefixList{}
		for range rapid.IntRange(0, 40).Draw(t, "lines") {
			p := draw(t, "network")
			lo := rapid.IntRange(p.Bits(), width).Draw(t, "min")
			l.Entries = append(l.Entries, PrefixEntry{Seq: rapid.Uint32().Draw(t, "seq"), Permit: rapid.Bool().Draw(t, "permit"), Prefix: p,
				Min: lo, Max: rapid.IntRange(lo, width).Draw(t, "max")})
		}
		l.index()
		for range 50 {
			q := draw(t, "prefix")
			wantPermit, wantFound := naivePrefixList(l, q)
			if permit, found := l.Match(q); permit != wantPermit || found != wantFound {
				t.Fatalf("%v in %v: %v %v, want %v %v", q, l.Entries, permit, found, wantPermit, wantFound)
			}
		}
	})
}

// naivePrefixList is the meaning of a prefix-list, line by line.
func naivePrefixList(l *PrefixList, q netip.Prefix) (permit, found bool) {
	for _, e := range l.Entries {
		if e.Prefix.Contains(q.Addr()) && e.Prefix.Bits() <= q.Bits() && e.Min <= q.Bits() && q.Bits() <= e.Max {
			return e.Permit, true
		}
	}
	return len(l.Entries) == 0, false
}

func TestAccessListAddresses(t *testing.T) {
	set := read(t, `access-list 1 deny 10.0.0.5
access-list 1 permit 10.0.0.0 0.0.0.255
access-list 2 permit 10.0.1.0 0.0.254.255
access-list 3 remark nothing
access-list 4 permit host 10.0.0.1
access-list 100 permit ip 10.0.0.0 0.255.255.255 any
access-list 101 permit tcp 10.0.0.0 0.255.255.255 any
`)
	for _, c := range []struct {
		list, addr    string
		permit, found bool
	}{
		{"1", "10.0.0.5", false, true}, {"1", "10.0.0.6", true, true}, {"1", "10.0.1.6", false, false},
		{"2", "10.0.3.9", true, true}, {"2", "10.0.2.9", false, false}, // odd third byte
		{"3", "1.2.3.4", true, false}, {"4", "10.0.0.1", true, true}, {"4", "10.0.0.2", false, false},
		{"100", "10.9.9.9", true, true}, {"101", "10.9.9.9", false, false}, {"99", "10.9.9.9", true, false},
		{"1", "2001:db8::1", false, false},
	} {
		if permit, found := set.AccessList(c.list).MatchAddr(addr(c.addr)); permit != c.permit || found != c.found {
			t.Errorf("%s, %s: permit %v found %v", c.list, c.addr, permit, found)
		}
	}
}

// The classic idioms: a network and its mask in a route-map, the router that
// sent the update and the network in a distribute-list.
func TestAccessListRoutes(t *testing.T) {
	set := read(t, `access-list 1 permit 10.0.0.0 0.255.255.255
access-list 101 permit ip host 10.0.0.0 host 255.0.0.0
access-list 102 permit ip 192.168.0.0 0.0.255.255 host 255.255.255.0
access-list 103 deny ip any 255.255.255.128 0.0.0.127
access-list 103 permit ip any any
access-list 104 permit ip host 10.1.1.1 192.168.0.0 0.0.255.255
`)
	for _, c := range []struct {
		list, prefix string
		permit       bool
	}{
		{"1", "10.0.0.0/8", true}, {"1", "10.5.0.0/16", true}, {"1", "11.0.0.0/8", false}, {"1", "0.0.0.0/0", false},
		{"101", "10.0.0.0/8", true}, {"101", "10.0.0.0/16", false}, {"102", "192.168.7.0/24", true}, {"102", "192.168.0.0/16", false},
		{"103", "10.0.0.0/25", false}, {"103", "10.0.0.1/32", false}, {"103", "10.0.0.0/24", true}, {"103", "0.0.0.0/0", true},
		{"1", "2001:db8::/32", false}, {"9", "2001:db8::/32", true},
	} {
		if permit, _ := set.AccessList(c.list).MatchPrefix(prefix(c.prefix)); permit != c.permit {
			t.Errorf("%s, %s: %v", c.list, c.prefix, permit)
		}
	}
	for _, c := range []struct {
		list, from, prefix string
		permit             bool
	}{
		{"104", "10.1.1.1", "192.168.7.0/24", true}, {"104", "10.1.1.2", "192.168.7.0/24", false}, {"104", "10.1.1.1", "10.0.0.0/8", false},
		{"1", "10.1.1.2", "10.7.0.0/16", true}, {"77", "10.1.1.2", "10.7.0.0/16", true}, {"1", "192.168.0.1", "10.7.0.0/16", true},
	} {
		if permit, _ := set.AccessList(c.list).MatchUpdate(addr(c.from), prefix(c.prefix)); permit != c.permit {
			t.Errorf("update, %s, %s from %s: %v", c.list, c.prefix, c.from, permit)
		}
	}
}

func TestAccessListPackets(t *testing.T) {
	set := read(t, `ip access-list extended X
 deny tcp any host 10.0.0.1 eq telnet
 permit tcp any host 10.0.0.1 established
 permit tcp any range 1000 2000 host 10.0.0.2 neq 80
 permit udp any lt 100 any gt 60000
 permit gre any any
 permit 50 host 1.1.1.1 any
 permit udp any lt 100 host 5.5.5.5
`)
	part := Packet{Protocol: 17, Source: addr("9.9.9.9"), Destination: addr("5.5.5.5")}
	whole := part
	whole.HasPorts = true
	tcp := func(from uint16, to string, port uint16) Packet {
		return Packet{Protocol: 6, Source: addr("9.9.9.9"), Destination: addr(to), SourcePort: from, DestPort: port, HasPorts: true}
	}
	ack := tcp(5, "10.0.0.1", 80)
	ack.Established = true
	telnet := tcp(5, "10.0.0.1", 23)
	telnet.Established = true
	fragment := tcp(0, "10.0.0.2", 0)
	fragment.HasPorts = false
	udp := tcp(99, "1.2.3.4", 60001)
	udp.Protocol = 17
	late := udp
	late.DestPort = 60000
	for i, c := range []struct {
		p             Packet
		permit, found bool
	}{
		{telnet, false, true}, {ack, true, true}, {tcp(5, "10.0.0.1", 80), false, false},
		{tcp(1000, "10.0.0.2", 81), true, true}, {tcp(2000, "10.0.0.2", 81), true, true}, {tcp(2001, "10.0.0.2", 81), false, false},
		{tcp(1000, "10.0.0.2", 80), false, false}, {fragment, false, false}, {part, false, false}, {whole, true, true}, {udp, true, true}, {late, false, false},
		{Packet{Protocol: 47, Source: addr("9.9.9.9"), Destination: addr("9.9.9.8")}, true, true},
		{Packet{Protocol: 50, Source: addr("1.1.1.1"), Destination: addr("9.9.9.8")}, true, true},
		{Packet{Protocol: 50, Source: addr("1.1.1.2"), Destination: addr("9.9.9.8")}, false, false},
	} {
		if permit, found := set.AccessList("X").MatchPacket(c.p); permit != c.permit || found != c.found {
			t.Errorf("packet %d: permit %v found %v", i, permit, found)
		}
	}
}

// A wildcard compares bit by bit where it has zeros.
func TestWildcardRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, w, b := rapid.Uint32().Draw(t, "addr"), rapid.Uint32().Draw(t, "wild"), rapid.Uint32().Draw(t, "other")
		if rapid.Bool().Draw(t, "near") {
			b = a ^ b&w
		}
		got, err := readWildcard(fmt.Sprint(addr4(a), " ", addr4(w)))
		want := true
		for bit := range 32 {
			want = want && (w>>bit&1 == 1 || a>>bit&1 == b>>bit&1)
		}
		if err != nil || got.Match(addr4(b)) != want {
			t.Fatalf("%v %v against %v: %v, %v", addr4(a), addr4(w), addr4(b), !want, err)
		}
	})
}

// largeList has n lines of many lengths.
func largeList(n int) *PrefixList {
	l := &PrefixList{}
	for i := range n {
		length := 12 + i%17
		p, _ := addr4(uint32(i) * 2654435761 >> 1).Prefix(length)
		l.Entries = append(l.Entries, PrefixEntry{Seq: uint32(i), Permit: true, Prefix: p, Min: length, Max: 32})
	}
	l.index()
	return l
}

func BenchmarkPrefixList(b *testing.B) {
	for _, n := range []int{10, 1000, 10000, 100000} {
		l := largeList(n)
		hit, miss := l.Entries[n-1].Prefix, prefix("200.0.0.1/32")
		b.Run(fmt.Sprintf("%d/hit", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.Match(hit)
			}
		})
		b.Run(fmt.Sprintf("%d/miss", n), func(b *testing.B) {
			for b.Loop() {
				l.Match(miss)
			}
		})
	}
	l := largeList(10000)
	b.Run("10000/naive", func(b *testing.B) {
		for b.Loop() {
			naivePrefixList(l, prefix("200.0.0.1/32"))
		}
	})
}

func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	for i := range 10000 {
		fmt.Fprintf(&text, "ip prefix-list P seq %d permit %v\n", i+1, netip.PrefixFrom(addr4(uint32(i)<<8), 24))
	}
	_, _, tree := load(b, text.String())
	b.ResetTimer()
	for b.Loop() {
		Read(tree)
	}
}
