package core_test

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
	"github.com/godmvpn/godmvpn/lib/wire"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// target is a core that takes whatever arrives: a hub with a static map, or a
// spoke that waits for the reply to request 101.
func target(spoke bool) *core.Core {
	c := core.New(core.Options{Source: rand.NewPCG(1, 1), RequestID: 100})
	addr := netip.MustParsePrefix("172.31.0.1/24")
	for _, in := range append(tunnel(addr, hubNBMA, func(cfg *core.InterfaceConfig) {
		cfg.Authentication = ""
		cfg.Maps = []core.StaticMap{{Prefix: netip.MustParsePrefix("172.31.0.2/32"), NBMA: netip.MustParseAddr("192.0.2.2")}}
		if spoke {
			cfg.NHSs = []core.NHSConfig{{Addr: netip.MustParseAddr("172.31.0.2")}}
		}
	}), core.Attached{}, core.InterfacesKnown{}) {
		c.Step(0, in)
	}
	c.Drain(nil)
	return c
}

// repair makes length and checksum of a packet right, so that what lies behind
// them is reached.
func repair(b []byte) {
	if len(b) < packet.FixedLen {
		return
	}
	binary.BigEndian.PutUint16(b[10:], uint16(len(b)))
	b[16] = packet.Version
	b[12], b[13] = 0, 0
	binary.BigEndian.PutUint16(b[12:], wire.Checksum(b))
}

// asking is a spoke that waits for the reply to request 102, about 172.31.0.12.
func asking() *core.Core {
	c := target(true)
	reply, err := message(scripttest.ParseArgs("rx Tunnel0 registration-reply nbma=192.0.2.1 src=172.31.0.1 dst=172.31.0.2 id=101")).AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	c.Step(0, core.RxPacket{Interface: "Tunnel0", NBMA: netip.MustParseAddr("192.0.2.2"), Packet: reply})
	c.Step(0, core.NeighborMiss{Interface: "Tunnel0", Addr: netip.MustParseAddr("172.31.0.12")})
	if out := c.Drain(nil); !slices.ContainsFunc(out, func(e core.Effect) bool { tx, ok := e.(core.TxPacket); return ok && tx.Packet[17] == 1 }) {
		panic("nothing is asked")
	}
	return c
}

// seeking is a spoke that waits for the reply to request 103, about 10.12.0.10, which is
// behind its server by a summary.
func seeking() *core.Core {
	c := asking()
	hint, err := message(scripttest.ParseArgs("rx Tunnel0 traffic-indication src=172.31.0.2 dst=172.31.0.1")).AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	c.Step(0, core.RxPacket{Interface: "Tunnel0", NBMA: netip.MustParseAddr("192.0.2.2"), Packet: hint})
	c.Step(0, core.NextHopChanged{Addr: netip.MustParseAddr("10.12.0.10"), Prefix: netip.MustParsePrefix("10.0.0.0/8"), Protocol: rib.RIP,
		NextHops: []rib.NextHop{{Interface: "Tunnel0", Addr: netip.MustParseAddr("172.31.0.2")}}})
	if out := c.Drain(nil); !slices.ContainsFunc(out, func(e core.Effect) bool { tx, ok := e.(core.TxPacket); return ok && tx.Packet[17] == 1 }) {
		panic("nothing is asked")
	}
	return c
}

// seedPackets are packets of all kinds.
func seedPackets() (seeds [][]byte) {
	for _, line := range []string{
		"rx Tunnel0 registration-request",
		"rx Tunnel0 registration-request unique nat auth=KEY ext=0x8123",
		"rx Tunnel0 registration-request dst=172.31.0.2 record=172.31.0.9 nat cie=- cie=10.0.0.0/8",
		"rx Tunnel0 registration-reply from=192.0.2.2 nbma=192.0.2.1 src=172.31.0.1 dst=172.31.0.2 id=101 nat seen=203.0.113.1",
		"rx Tunnel0 purge-request cie=172.31.0.0/24", "rx Tunnel0 purge-reply cie=172.31.0.0/24",
		"rx Tunnel0 resolution-request", "rx Tunnel0 resolution-reply",
		"rx Tunnel0 resolution-request src=172.31.0.2 dst=172.31.0.1 flags=0xd802 cie=- nat record=172.31.0.9",
		"rx Tunnel0 resolution-request src=172.31.0.2 dst=172.31.0.12 flags=0xc802",
		"rx Tunnel0 resolution-reply src=172.31.0.1 dst=172.31.0.12 id=102 cie=172.31.0.12/32,nbma:203.0.113.1 nat behind=172.31.0.12,203.0.113.2",
		"rx Tunnel0 resolution-reply src=172.31.0.1 dst=172.31.0.12 id=102 cie=-,code:12",
		"rx Tunnel0 resolution-reply src=172.31.0.2 dst=172.31.0.12 reverse=172.31.0.9 responder=172.31.0.8",
		"rx Tunnel0 purge-request src=172.31.0.2 dst=172.31.0.1 cie=172.31.0.0/24", "rx Tunnel0 error code=11 about=101", "rx Tunnel0 traffic-indication",
		"rx Tunnel0 traffic-indication inner=10.11.0.10,10.12.0.11", "rx Tunnel0 traffic-indication inner=10.11.0.10,172.31.0.13",
		"rx Tunnel0 resolution-request src=172.31.0.2 dst=10.12.0.10 flags=0xc802 cie=-",
		"rx Tunnel0 resolution-reply src=172.31.0.1 dst=10.12.0.10 id=103 cie=172.31.0.12/24,nbma:203.0.113.1",
		"rx Tunnel0 resolution-reply src=172.31.0.1 dst=10.12.0.10 id=103 cie=172.31.0.12/1,nbma:192.0.2.2",
		"rx Tunnel0 registration-request src=2001:db8::1 dst=2001:db8::2",
	} {
		b, err := message(scripttest.ParseArgs(line)).AppendBinary(nil)
		if err != nil {
			panic(err)
		}
		seeds = append(seeds, b)
	}
	return seeds
}

// FuzzReceive hands arbitrary packets to a hub, to a spoke, and to spokes that
// resolve an address or seek a shortcut. None may panic, answer a packet by more than
// one (but for the last ones, which ask again after a purge or by another server), answer an Error Indication at all, send what
// cannot be parsed, or send an error that is longer than the packet and its own
// header.
func FuzzReceive(f *testing.F) {
	for _, b := range seedPackets() {
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, right bool) {
		if right {
			b = append([]byte(nil), b...)
			repair(b)
		}
		for k, c := range []*core.Core{target(false), target(true), asking(), seeking()} {
			for _, from := range []string{"198.51.100.1", "192.0.2.2"} {
				c.Step(0, core.RxPacket{Interface: "Tunnel0", NBMA: netip.MustParseAddr(from), Packet: b})
				checkAnswer(t, c, b, max(k, 1))
			}
			c.Step(0, core.Query{Kind: core.ReportPeers})
			c.Step(clock.Instant(20*time.Hour), core.Query{Kind: core.ReportCache})
			for _, e := range c.Drain(nil) {
				if a, ok := e.(core.Answer); ok {
					if r, ok := a.Report.(*core.CacheReport); ok && len(r.Entries) > 1 {
						t.Errorf("entries outlive the longest holding time: %+v", r.Entries)
					}
				}
			}
		}
	})
}

func checkAnswer(t *testing.T, c *core.Core, b []byte, most int) {
	sent := 0
	for _, e := range c.Drain(nil) {
		tx, ok := e.(core.TxPacket)
		if !ok {
			continue
		}
		sent++
		m, err := packet.Parse(tx.Packet)
		if err != nil {
			t.Fatalf("sent what cannot be parsed: %v\n%x", err, tx.Packet)
		}
		if len(b) > 17 && b[17] == uint8(packet.ErrorIndication) {
			t.Fatalf("%v in answer to an Error Indication", m.Type)
		}
		if m.Type == packet.ErrorIndication && len(tx.Packet) > len(b)+packet.FixedLen+2*16+16+8 {
			t.Fatalf("an error of %d octets for a packet of %d", len(tx.Packet), len(b))
		}
	}
	if sent > most {
		t.Fatalf("%d packets in answer to one", sent)
	}
}

// guarded is a hub on a protected tunnel that knows nobody: nobody is secured.
func guarded() *core.Core {
	c := core.New(core.Options{Source: rand.NewPCG(1, 1), RequestID: 100})
	for _, in := range append(tunnel(netip.MustParsePrefix("172.31.0.1/24"), hubNBMA, func(cfg *core.InterfaceConfig) {
		cfg.Authentication = ""
		cfg.Identities = []core.IdentityBinding{{Identity: "spoke1", Prefix: netip.MustParsePrefix("172.31.0.11/32")}}
	}), core.Attached{}, core.InterfacesKnown{}) {
		c.Step(0, protect(in))
	}
	c.Drain(nil)
	return c
}

// FuzzSecured hands arbitrary packets to a hub on a protected tunnel. Nothing may be sent
// before the peer is secured, and then no more than waited; who is not its identity
// registers nothing; and in the end nobody is wanted.
func FuzzSecured(f *testing.F) {
	for _, b := range seedPackets() {
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, right bool) {
		if right {
			b = append([]byte(nil), b...)
			repair(b)
		}
		c, wanted := guarded(), map[netip.Addr]bool{}
		step := func(now clock.Instant, in core.Input) (sent int) {
			c.Step(now, in)
			for _, e := range c.Drain(nil) {
				switch e := e.(type) {
				case core.TxPacket:
					sent++
				case core.WantPeer:
					wanted[e.NBMA] = true
				case core.UnwantPeer:
					delete(wanted, e.NBMA)
				case core.PutNeighbor:
					if e.Neighbor.Addr.String() == "172.31.0.11" {
						t.Errorf("registered by who is not its identity")
					}
				}
			}
			return sent
		}
		peer := netip.MustParseAddr("198.51.100.1")
		for range 6 {
			if n := step(0, core.RxPacket{Interface: "Tunnel0", NBMA: peer, Packet: b}); n > 0 {
				t.Fatalf("%d packets sent to who is not secured", n)
			}
		}
		if n := step(0, core.PeerSecured{Interface: "Tunnel0", NBMA: peer, State: protection.State{Security: protection.Up, Generation: 1, Identity: "spoke2"}}); n > 8 {
			t.Errorf("%d packets waited", n)
		}
		step(clock.Instant(20*time.Hour), core.Tick{})
		if step(clock.Instant(40*time.Hour), core.Tick{}); len(wanted) > 0 {
			t.Errorf("still wanted: %v", wanted)
		}
	})
}

// FuzzRestore hands arbitrary memory to a core.
func FuzzRestore(f *testing.F) {
	f.Add("peer/Tunnel0/198.51.100.1", append([]byte{0x13, 7}, "Tunnel0\x04\xc6\x33\x64\x01\x00\x00\x00\x01\x00\x06spoke1"...), int64(time.Second))
	w := newWorld()
	for _, line := range []string{
		"config Tunnel0", "link Tunnel0 up addr=172.31.0.1/24", "start",
		"rx Tunnel0 registration-request nbma=10.0.0.1", "rx Tunnel0 registration-request src=172.31.0.12 unique",
		"rx Tunnel0 resolution-request from=198.51.100.1 dst=10.10.0.10 cie=-", "route 10.10.0.10 by=10.10.0.0/24 hop=eth1",
		"rx Tunnel0 resolution-request from=198.51.100.1 dst=10.12.0.10 cie=-", "route 10.12.0.10 by=10.12.0.0/24 hop=Tunnel0,172.31.0.12",
	} {
		w.Command(line)
	}
	for _, key := range slices.Sorted(maps.Keys(w.saved)) {
		f.Add(key, w.saved[key].data, int64(time.Second))
	}
	f.Fuzz(func(t *testing.T, key string, data []byte, elapsed int64) {
		c := core.New(core.Options{Source: rand.NewPCG(1, 1)})
		c.Step(0, core.RestoreEntry{Key: key, Data: data, Elapsed: time.Duration(elapsed)})
		for _, in := range append(tunnel(netip.MustParsePrefix("172.31.0.1/24"), hubNBMA, nil), core.Attached{Stale: 1}, core.InterfacesKnown{}) {
			c.Step(0, in)
		}
		c.Step(0, core.Query{Kind: core.ReportCache})
		c.Step(0, core.Query{Kind: core.ReportPeers})
		c.Step(clock.Instant(20*time.Hour), core.Query{ID: 9, Kind: core.ReportCache})
		for _, e := range c.Drain(nil) {
			switch e := e.(type) {
			case core.PutNeighbor:
				if !e.Neighbor.Addr.IsValid() || !e.Neighbor.NBMA.IsValid() || rib.FamilyOf(e.Neighbor.Addr) != rib.IPv4 {
					t.Fatalf("unusable neighbour %+v", e.Neighbor)
				}
			case core.PutMulticastPeer:
				if !e.Peer.NBMA.IsValid() || e.Peer.NBMA.IsMulticast() || e.Peer.NBMA.IsUnspecified() {
					t.Fatalf("unusable multicast peer %+v", e.Peer)
				}
			case core.Answer:
				if e.ID == 9 && len(e.Report.(*core.CacheReport).Entries) > 0 {
					t.Fatal("a remembered entry has no end")
				}
			}
		}
	})
}

// TestMemoryBounded registers more than a hub takes, by packets with many CIEs
// from forged sources: the cache stops at its bound with code 5 (RFC 2332
// section 5.2.4), and refreshing goes on.
func TestMemoryBounded(t *testing.T) {
	c := target(false)
	var last []byte
	send := func(n uint32) {
		m := &packet.Message{
			NBMA: packet.AFNIPv4, Protocol: packet.ProtocolIPv4, Type: packet.RegistrationRequest, RequestID: n,
			SrcNBMA: netip.MustParseAddr("198.51.100.1"), SrcProtocol: netip.MustParseAddr("172.31.0.11"), DstProtocol: netip.MustParseAddr("172.31.0.1"),
		}
		for k := range uint32(100) {
			var a [4]byte
			binary.BigEndian.PutUint32(a[:], 0x0a000000+n*100+k)
			m.CIEs = append(m.CIEs, packet.CIE{HoldingTime: 600, Protocol: netip.AddrFrom4(a)})
		}
		b, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var src [4]byte
		binary.BigEndian.PutUint32(src[:], 0xc6120000+n)
		c.Step(0, core.RxPacket{Interface: "Tunnel0", NBMA: netip.AddrFrom4(src), Packet: b})
		for _, e := range c.Drain(nil) {
			if tx, ok := e.(core.TxPacket); ok {
				last = tx.Packet
			}
		}
	}
	for n := range uint32(core.MaxEntries/100 + 2) {
		send(n)
	}
	m, err := packet.Parse(last)
	if err != nil || m.CIEs[99].Code != packet.CodeInsufficientResources || m.CIEs[99].HoldingTime != 0 {
		t.Errorf("beyond the bound: %+v, %v", m.CIEs[99], err)
	}
	send(0)
	if m, err := packet.Parse(last); err != nil || m.CIEs[0].Code != packet.CodeSuccess {
		t.Errorf("refreshing at the bound: %+v, %v", m.CIEs[0], err)
	}
	c.Step(0, core.Query{Kind: core.ReportCache})
	for _, e := range c.Drain(nil) {
		if a, ok := e.(core.Answer); ok {
			if n := len(a.Report.(*core.CacheReport).Entries); n != core.MaxEntries+1 {
				t.Errorf("%d entries, want %d and the static one", n, core.MaxEntries)
			}
		}
	}
}
