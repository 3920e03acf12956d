package core_test

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// registrationPackets are what n spokes send.
func registrationPackets(b *testing.B, n int) []core.RxPacket {
	var all []core.RxPacket
	for k := range uint32(n) {
		var over, nbma [4]byte
		binary.BigEndian.PutUint32(over[:], 0xac100010+k)
		binary.BigEndian.PutUint32(nbma[:], 0x0a000000+k)
		nat, _ := packet.ClearTextAuthentication("BENCHKEY")
		m := packet.Message{
			NBMA: packet.AFNIPv4, Protocol: packet.ProtocolIPv4, HopCount: 255, Type: packet.RegistrationRequest, RequestID: k,
			Flags: packet.FlagNAT, SrcNBMA: netip.AddrFrom4(nbma), SrcProtocol: netip.AddrFrom4(over), DstProtocol: hubAddr.Addr(),
			CIEs: []packet.CIE{{PrefixLength: 32, HoldingTime: 600, MTU: 1400}},
			Extensions: []packet.Extension{
				{Type: packet.ResponderAddress, Compulsory: true}, {Type: packet.ForwardTransitNHS, Compulsory: true},
				{Type: packet.ReverseTransitNHS, Compulsory: true}, nat,
				{Type: packet.NATAddress, CIEs: []packet.CIE{{PrefixLength: 32, NBMA: hubNBMA, Protocol: hubAddr.Addr()}}},
			},
		}
		raw, err := m.AppendBinary(nil)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, core.RxPacket{Interface: "Tunnel0", NBMA: m.SrcNBMA, Packet: raw})
	}
	return all
}

func benchHub() *core.Core {
	w := newWorld()
	for _, in := range append(tunnel(hubAddr, hubNBMA, func(cfg *core.InterfaceConfig) {
		cfg.Authentication, cfg.MaxSend = "BENCHKEY", 1<<30
	}), core.Attached{}, core.InterfacesKnown{}) {
		w.core.Step(0, in)
	}
	w.core.Drain(nil)
	return w.core
}

// BenchmarkRegistration measures what a hub with 10,000 spokes does for each
// registration: decode, authenticate, refresh the entry, save it, encode the
// reply.
func BenchmarkRegistration(b *testing.B) {
	packets := registrationPackets(b, 10000)
	c := benchHub()
	var out []core.Effect
	for _, p := range packets {
		c.Step(0, p)
	}
	c.Drain(nil)
	b.ReportAllocs()
	now := clock.Instant(0)
	k := 0
	for b.Loop() {
		now = now.Add(time.Millisecond)
		c.Step(now, packets[k%len(packets)])
		out = c.Drain(out[:0])
		if len(out) == 0 {
			b.Fatal("no answer")
		}
		k++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "registrations/s")
}

// BenchmarkResolution measures what a hub with 10,000 spokes does for each
// Resolution Request: decode, authenticate, look up, remember who asked, encode.
func BenchmarkResolution(b *testing.B) {
	packets := registrationPackets(b, 10000)
	c := benchHub()
	var m packet.Message
	for k := range packets {
		c.Step(0, packets[k])
		if err := m.Decode(packets[k].Packet); err != nil {
			b.Fatal(err)
		}
		m.Type, m.Flags = packet.ResolutionRequest, packet.FlagRouter|packet.FlagAuthoritative|packet.FlagNAT
		m.DstProtocol = simOverlay((k * 7) % len(packets))
		raw, err := m.AppendBinary(nil)
		if err != nil {
			b.Fatal(err)
		}
		packets[k].Packet = raw
	}
	out := c.Drain(nil)
	b.ReportAllocs()
	k := 0
	for b.Loop() {
		c.Step(clock.Instant(time.Second), packets[k%len(packets)])
		out = c.Drain(out[:0])
		if tx, ok := out[0].(core.TxPacket); !ok || tx.Packet[17] != uint8(packet.ResolutionReply) {
			b.Fatalf("%v", out)
		}
		k++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "resolutions/s")
}

// BenchmarkNewRegistration measures the registrations of spokes that the hub does
// not know: 10,000 for each operation.
func BenchmarkNewRegistration(b *testing.B) {
	packets := registrationPackets(b, 10000)
	b.ReportAllocs()
	var out []core.Effect
	for b.Loop() {
		c := benchHub()
		for _, p := range packets {
			c.Step(0, p)
			out = c.Drain(out[:0])
		}
	}
	b.ReportMetric(float64(b.N)*float64(len(packets))/b.Elapsed().Seconds(), "registrations/s")
}

// BenchmarkMemory reports what a hub keeps for each of 10,000 spokes.
func BenchmarkMemory(b *testing.B) {
	packets := registrationPackets(b, 10000)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		c := benchHub()
		var out []core.Effect
		for _, p := range packets {
			c.Step(0, p)
			out = c.Drain(out[:0])
		}
		clear(out)
		b.ReportMetric(float64(heap()-before)/float64(len(packets)), "bytes/spoke")
		runtime.KeepAlive(c)
	}
}
