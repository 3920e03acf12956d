package core_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// ready is a core on two Ethernets and a multipoint tunnel, with everything that
// looks at packets and routes switched on.
func ready(m *mirror, edit func(*core.Config)) {
	cfg := core.Config{
		Routers: []core.RouterConfig{{Version: 2, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}},
		Interfaces: []core.InterfaceConfig{
			{Name: "Eth0", Receive: core.Version1 | core.Version2, Send: core.Version1 | core.Version2},
			{Name: "Eth1", SplitHorizon: core.SplitHorizonPoison, Summaries: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")}},
			{Name: "Tunnel0", SplitHorizon: core.SplitHorizonOff},
		},
	}
	if edit != nil {
		edit(&cfg)
	}
	m.step(core.Attached{})
	for k, name := range linkNames {
		i := rib.Interface{Name: name, Index: k + 2, AdminUp: true, Up: true, MTU: 1400, Multicast: true,
			Addresses: []rib.Address{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(k), 1}), 24)}}}
		if name == "Tunnel0" {
			i.Type, i.Tunnel = rib.TypeTunnel, &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: netip.MustParseAddr("192.0.2.1")}
		}
		m.step(core.InterfaceChanged{Interface: i})
	}
	m.step(core.InterfacesKnown{})
	m.step(core.ConfigSet{Config: cfg})
}

// FuzzCore hands a sequence of hostile datagrams to a core: each is an octet for
// the interface and the sender's port, one for the sender, one for the time that
// passes, two for the length, and the datagram. What is sent and stated must be
// valid, and memory stays bounded by what was said.
func FuzzCore(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files { // the packets of a script in a row
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if seed := scriptPackets(string(b)); len(seed) > 0 && len(seed) < 4096 {
			f.Add(seed)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := newMirror(9)
		ready(m, nil)
		for n := 0; len(b) >= 5 && n < 32; n++ {
			port := uint16(packet.Port)
			if b[0]&0x80 != 0 {
				port = 3000
			}
			ifname := linkNames[int(b[0]&0x7f)%len(linkNames)]
			from := netip.AddrFrom4([4]byte{10, 0, b[0] & 0x7f % byte(len(linkNames)), b[1]})
			pass, size := time.Duration(b[2])*time.Second, int(binary.BigEndian.Uint16(b[3:]))%(packet.MaxDatagram+1)
			b = b[5:]
			size = min(size, len(b))
			m.advance(pass)
			m.step(core.RxPacket{Interface: ifname, Source: netip.AddrPortFrom(from, port), Dest: packet.Group, Packet: b[:size:size]})
			b = b[size:]
		}
		table := m.ask(core.ReportRoutes, "").(*core.RouteReport)
		if len(table.Routes) > 32*packet.MaxEntries+8 {
			t.Fatalf("%d routes", len(table.Routes))
		}
		m.ask(core.ReportStatus, "")
		m.advance(20 * time.Minute)
		for _, e := range m.ask(core.ReportRoutes, "").(*core.RouteReport).Routes {
			if len(e.Paths) > 0 || e.Garbage {
				t.Fatalf("outlives its timers: %+v", e)
			}
		}
		if len(m.routes) > 0 {
			t.Fatalf("left: %v", m.routes)
		}
		if len(m.trouble) > 0 {
			t.Fatal(m.trouble)
		}
	})
}

// scriptPackets writes the rx lines of a script as FuzzCore reads them.
func scriptPackets(script string) (out []byte) {
	for line := range strings.Lines(script) {
		if !strings.HasPrefix(line, "rx ") {
			continue
		}
		a := scripttest.ParseArgs(line)
		b := datagram(a, a.Number("version", 2))
		first := byte(0)
		for k, name := range linkNames {
			if name == a.Word(1) {
				first = byte(k)
			}
		}
		from, port, _ := strings.Cut(a.Get("from", "10.0.0.2"), ":")
		if port != "" {
			first |= 0x80
		}
		addr := netip.MustParseAddr(from).As4()
		out = append(out, first, addr[3], 1)
		out = binary.BigEndian.AppendUint16(out, uint16(len(b)))
		out = append(out, b...)
	}
	return out
}

// TestLimits tells a core of more routes and neighbours than it takes. What it
// has goes on, the rest is counted.
func TestLimits(t *testing.T) {
	c := core.New(core.Options{Source: rand.NewPCG(1, 1)})
	m := &mirror{core: c, routes: map[rib.Key]rib.Route{}, listens: map[string]core.Listen{}, watches: map[rib.Watch]bool{}}
	ready(m, func(cfg *core.Config) {
		cfg.Routers[0].PassiveDefault = true
		cfg.Routers[0].Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	m.step(core.InterfaceChanged{Interface: rib.Interface{Name: "Eth0", Up: true, AdminUp: true, Addresses: []rib.Address{{Prefix: netip.MustParsePrefix("10.0.0.1/8")}}}})
	var entries []packet.Entry
	tell := func(from uint32, entries []packet.Entry) {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 10<<24|from)
		m.step(core.RxPacket{Interface: "Eth0", Source: netip.AddrPortFrom(netip.AddrFrom4(a), 520), Dest: packet.Group, Packet: encode(2, 2, entries)})
	}
	for n := range uint32(core.MaxRoutes + 100) {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 20<<24|n<<4)
		if entries = append(entries, packet.Route(netip.PrefixFrom(netip.AddrFrom4(a), 28), 0, netip.Addr{}, 1)); len(entries) == packet.MaxEntries {
			tell(2, entries)
			entries = entries[:0]
		}
	}
	if len(m.routes) > core.MaxRoutes || len(m.routes) < core.MaxRoutes-10 {
		t.Errorf("%d routes", len(m.routes))
	}
	status := m.ask(core.ReportStatus, "").(*core.StatusReport)
	if n := status.Counters.Dropped[core.DropEntryTable]; n < 100 {
		t.Errorf("%d entries refused", n)
	}
	first := packet.Route(netip.MustParsePrefix("20.0.0.0/28"), 0, netip.Addr{}, 7)
	tell(2, []packet.Entry{first})
	if r := m.routes[rib.Key{Kind: rib.KindRoute, Prefix: netip.MustParsePrefix("20.0.0.0/28"), Protocol: rib.RIP}]; r.Metric != 7 {
		t.Errorf("at the bound, what is known does not change: %+v", r)
	}
	for n := range uint32(core.MaxNeighbors + 50) {
		tell(1000+n, []packet.Entry{packet.Route(netip.MustParsePrefix("20.0.0.16/28"), 0, netip.Addr{}, 9)})
	}
	status = m.ask(core.ReportStatus, "").(*core.StatusReport)
	if n := len(status.Neighbors); n != core.MaxNeighbors {
		t.Errorf("%d neighbours", n)
	}
	if n := status.Counters.Dropped[core.DropTooManyNeighbors]; n != 51 {
		t.Errorf("%d packets of too many neighbours", n)
	}
	if len(m.trouble) > 0 {
		t.Error(m.trouble[:min(3, len(m.trouble))])
	}
}
