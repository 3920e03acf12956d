package core_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// benchCore is a core on Eth0 and Eth1; passive, it sends nothing.
func benchCore(passive bool) *core.Core {
	c := core.New(core.Options{Source: rand.NewPCG(1, 1)})
	c.Step(0, core.Attached{})
	for k, name := range []string{"Eth0", "Eth1"} {
		c.Step(0, core.InterfaceChanged{Interface: rib.Interface{Name: name, Up: true, AdminUp: true,
			Addresses: []rib.Address{{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(k), 1}), 24)}}}})
	}
	c.Step(0, core.InterfacesKnown{})
	r := core.RouterConfig{Version: 2, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, PassiveDefault: passive}
	r.Timers.Update, r.Timers.Invalid, r.Timers.Flush = time.Minute, 24*time.Hour, 25*time.Hour
	c.Step(0, core.ConfigSet{Config: core.Config{Routers: []core.RouterConfig{r}}})
	c.Drain(nil)
	return c
}

// benchPackets tell n routes, 25 in each.
func benchPackets(n int) (all []core.RxPacket) {
	var entries []packet.Entry
	for k := range uint32(n) {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 20<<24|k<<8)
		entries = append(entries, packet.Route(netip.PrefixFrom(netip.AddrFrom4(a), 24), 0, netip.Addr{}, 1))
		if len(entries) == packet.MaxEntries {
			all = append(all, core.RxPacket{Interface: "Eth0", Source: netip.MustParseAddrPort("10.0.0.2:520"), Dest: packet.Group, Packet: encode(2, 2, entries)})
			entries = nil
		}
	}
	return all
}

const benchRoutes = 10_000

// BenchmarkKnown measures a response with 25 routes that are known: what a hub
// does all day.
func BenchmarkKnown(b *testing.B) {
	c, packets := benchCore(true), benchPackets(benchRoutes)
	for _, p := range packets {
		c.Step(0, p)
	}
	out := c.Drain(nil)
	now := clock.Instant(0)
	b.ReportAllocs()
	for k := 0; b.Loop(); k++ {
		now = now.Add(time.Microsecond)
		c.Step(now, packets[k%len(packets)])
		if out = c.Drain(out[:0]); len(out) > 0 {
			b.Fatalf("%+v", out)
		}
	}
	b.ReportMetric(float64(b.N)*packet.MaxEntries/b.Elapsed().Seconds(), "routes/s")
}

// BenchmarkLearn measures learning 10,000 routes.
func BenchmarkLearn(b *testing.B) {
	packets := benchPackets(benchRoutes)
	var out []core.Effect
	b.ReportAllocs()
	for b.Loop() {
		c := benchCore(true)
		for _, p := range packets {
			c.Step(0, p)
			out = c.Drain(out[:0])
		}
	}
	b.ReportMetric(float64(b.N)*benchRoutes/b.Elapsed().Seconds(), "routes/s")
}

// BenchmarkUpdate measures a full update of 10,000 routes on one interface, from
// the first of its packets to the last.
func BenchmarkUpdate(b *testing.B) {
	c := benchCore(false)
	now := clock.Instant(0)
	for _, p := range benchPackets(benchRoutes) {
		c.Step(now, p)
	}
	var out []core.Effect
	sent, entries := 0, 0
	run := func(d time.Duration) {
		for end := now.Add(d); ; {
			at, ok := c.Wake()
			if !ok || at > end {
				now = end
				return
			}
			now = max(now, at)
			c.Step(now, core.Tick{})
			out = c.Drain(out[:0])
			for _, e := range out {
				if tx, ok := e.(core.TxPacket); ok {
					sent, entries = sent+1, entries+(len(tx.Packet)-packet.HeaderLen)/packet.EntryLen
				}
			}
		}
	}
	run(10 * time.Minute) // the triggered updates of what was learnt
	sent, entries = 0, 0
	b.ReportAllocs()
	for b.Loop() {
		run(time.Minute) // one regular update on each interface, on average
	}
	b.ReportMetric(float64(entries)/float64(b.N), "routes/op")
	b.ReportMetric(float64(sent)/float64(b.N), "packets/op")
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(max(entries, 1)), "ns/route")
}

// BenchmarkMemory reports what 100,000 learnt routes take.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	packets := benchPackets(n)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		c := benchCore(true)
		var out []core.Effect
		for _, p := range packets {
			c.Step(0, p)
			out = c.Drain(out[:0])
			clear(out)
		}
		b.ReportMetric(float64(heap()-before)/n, "bytes/route")
		runtime.KeepAlive(c)
	}
}
