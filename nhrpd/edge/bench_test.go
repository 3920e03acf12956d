package edge

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// spokes is how many spokes register in one operation of BenchmarkRegistrations.
const spokes = 10000

// request is the Registration Request of spoke k.
func request(b *testing.B, k uint32, server netip.Addr) (nbma netip.Addr, octets []byte) {
	var tunnel, outer [4]byte
	binary.BigEndian.PutUint32(tunnel[:], 0xac100010+k)
	binary.BigEndian.PutUint32(outer[:], 0x0a000000+k)
	m := packet.Message{NBMA: packet.AFNIPv4, Protocol: packet.ProtocolIPv4, HopCount: 255, Type: packet.RegistrationRequest,
		RequestID: k, SrcNBMA: netip.AddrFrom4(outer), SrcProtocol: netip.AddrFrom4(tunnel), DstProtocol: server,
		CIEs: []packet.CIE{{PrefixLength: 32, HoldingTime: 600, MTU: 1400}}}
	octets, err := m.AppendBinary(nil)
	if err != nil {
		b.Fatal(err)
	}
	return m.SrcNBMA, octets
}

// BenchmarkRegistrations has 10,000 new spokes register at a hub: from the octets
// of the request, over the daemon's inbox and core, to the neighbour in zebra's
// end of the session.
func BenchmarkRegistrations(b *testing.B) {
	server := netip.MustParseAddr("172.16.0.1")
	tunnel := rib.Interface{Name: "Tunnel0", KernelName: "Tunnel0", Index: 10, Type: rib.TypeTunnel, AdminUp: true, Up: true, MTU: 1400,
		Addresses: []rib.Address{{Prefix: netip.PrefixFrom(server, 12)}},
		Tunnel:    &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: netip.MustParseAddr("192.0.2.1")}}
	type rx struct {
		nbma   netip.Addr
		octets []byte
	}
	var requests []rx
	for k := range uint32(spokes) {
		nbma, octets := request(b, k, server)
		requests = append(requests, rx{nbma, octets})
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		e := New(slog.New(slog.DiscardHandler), memnet.New().Host(), DNS{})
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); e.Run(ctx) }()
		daemonEnd, zebraEnd := session.Pipe()
		go e.Attach(ctx, daemonEnd)
		cfg := core.DefaultInterfaceConfig("Tunnel0", rib.IPv4)
		cfg.NetworkID, cfg.MaxSend = 1, 1<<30
		e.driver.Post(core.ConfigSet{Config: core.Config{Interfaces: []core.InterfaceConfig{cfg}}})
		for _, ev := range []rib.Event{rib.Attached{Epoch: 1}, rib.InterfaceChanged{Interface: tunnel}, rib.InterfacesKnown{}} {
			e.event(ev)
		}
		neighbors := make(chan int)
		go func() {
			n := 0
			for n < spokes {
				ups, err := zebraEnd.Recv()
				if err != nil {
					break
				}
				for _, up := range ups {
					if put, ok := up.(session.Put); ok && put.Object.Key().Kind == rib.KindNeighbor {
						n++
					}
				}
			}
			neighbors <- n
		}()
		if err := e.Alive(ctx); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		for _, r := range requests {
			for !e.driver.Offer(core.RxPacket{Interface: "Tunnel0", NBMA: r.nbma, Packet: r.octets}) {
				time.Sleep(50 * time.Microsecond) // the inbox is full: a real socket would drop
			}
		}
		if n := <-neighbors; n != spokes {
			b.Fatalf("%d neighbours", n)
		}
		b.StopTimer()
		zebraEnd.Close()
		stop()
		<-ended
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N)*spokes/b.Elapsed().Seconds(), "registrations/s")
}
