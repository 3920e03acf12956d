package rib_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	lib "github.com/godmvpn/godmvpn/lib/rib"

	"github.com/godmvpn/godmvpn/zebra/rib"
)

// nthPrefix returns the n-th of many distinct /24 from 16.0.0.0 on.
func nthPrefix(n int) netip.Prefix {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 16<<24+uint32(n)<<8)
	return netip.PrefixFrom(netip.AddrFrom4(b), 24)
}

// drive steps the core and lets the FIB accept everything.
func drive(c *rib.Core, buf []rib.Effect, in rib.Input) []rib.Effect {
	c.Step(0, in)
	buf = c.Drain(buf[:0])
	var results []rib.Result
	for _, e := range buf {
		switch e := e.(type) {
		case rib.FIBPut:
			results = append(results, rib.Result{Key: e.Key(), Gen: e.Gen})
		case rib.FIBDelete:
			results = append(results, rib.Result{Key: e.Key(), Gen: e.Gen})
		}
	}
	if len(results) > 0 {
		c.Step(0, rib.Installed{Results: results})
		buf = c.Drain(buf[:0])
	}
	return buf
}

func linkUp(c *rib.Core, name, address string) {
	drive(c, nil, rib.InterfaceChanged{Interface: lib.Interface{
		Name: name, Up: true, Addresses: []lib.Address{{Prefix: netip.MustParsePrefix(address)}},
	}})
}

// fill inserts n routes out of one interface, as a daemon does.
func fill(c *rib.Core, n int, nh lib.NextHop) {
	var buf []rib.Effect
	for i := range n {
		buf = drive(c, buf, rib.Put{Owner: "bgpd", Seq: uint64(i + 1), Object: lib.Route{
			Prefix: nthPrefix(i), Protocol: lib.BGP, Distance: 20, NextHops: []lib.NextHop{nh},
		}})
	}
}

var direct = lib.NextHop{Addr: netip.MustParseAddr("10.0.0.2"), Interface: "eth0"}

// BenchmarkInsert inserts into an empty RIB, FIB verdicts and Acks included.
func BenchmarkInsert(b *testing.B) {
	for _, nh := range []struct {
		name string
		hop  lib.NextHop
	}{{"direct", direct}, {"recursive", lib.NextHop{Addr: netip.MustParseAddr("10.0.0.2")}}} {
		for _, n := range []int{100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", nh.name, n), func(b *testing.B) {
				for range b.N {
					b.StopTimer()
					var before, after runtime.MemStats
					runtime.GC()
					runtime.ReadMemStats(&before)
					c := rib.New(rib.Options{})
					linkUp(c, "eth0", "10.0.0.1/24")
					b.StartTimer()
					fill(c, n, nh.hop)
					b.StopTimer()
					runtime.GC()
					runtime.ReadMemStats(&after)
					b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/route")
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/float64(b.N), "ns/route")
					runtime.KeepAlive(c)
				}
			})
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	c := rib.New(rib.Options{})
	linkUp(c, "eth0", "10.0.0.1/24")
	const n = 1_000_000
	fill(c, n, direct)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok := c.Lookup("", nthPrefix(i*7919%n).Addr()); !ok {
			b.Fatal("not found")
		}
	}
}

// BenchmarkPage fetches a page of 100 from the middle of a large table.
func BenchmarkPage(b *testing.B) {
	c := rib.New(rib.Options{})
	linkUp(c, "eth0", "10.0.0.1/24")
	const n = 1_000_000
	fill(c, n, direct)
	for i := 0; b.Loop(); i++ {
		if page, _ := c.Page("", lib.IPv4, nthPrefix(i*7919%(n-200)), 100); len(page) != 100 {
			b.Fatal("short page")
		}
	}
}

// BenchmarkChurn changes one route among a million.
func BenchmarkChurn(b *testing.B) {
	c := rib.New(rib.Options{})
	linkUp(c, "eth0", "10.0.0.1/24")
	const n = 1_000_000
	fill(c, n, direct)
	var buf []rib.Effect
	seq := uint64(n)
	for i := 0; b.Loop(); i++ {
		seq++
		nh := direct
		nh.Addr = netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + i&1)})
		buf = drive(c, buf, rib.Put{Owner: "bgpd", Seq: seq, Object: lib.Route{
			Prefix: nthPrefix(i / 2 * 7919 % n), Protocol: lib.BGP, Distance: 20, Metric: uint32(i), NextHops: []lib.NextHop{nh},
		}})
	}
}

// BenchmarkFlap moves the route to a next hop that 10,000 others use, in a RIB
// of 100,000.
func BenchmarkFlap(b *testing.B) {
	const dependants = 10_000
	c := rib.New(rib.Options{})
	linkUp(c, "eth0", "10.0.0.1/24")
	loopback := netip.MustParseAddr("9.9.9.9")
	seq := uint64(0)
	move := func(buf []rib.Effect, host byte) []rib.Effect {
		seq++
		return drive(c, buf, rib.Put{Owner: "ospfd", Seq: seq, Object: lib.Route{
			Prefix: netip.PrefixFrom(loopback, 32), Protocol: lib.OSPF, Distance: 110,
			NextHops: []lib.NextHop{{Addr: netip.AddrFrom4([4]byte{10, 0, 0, host}), Interface: "eth0"}},
		}})
	}
	buf := move(nil, 2)
	fill(c, dependants, lib.NextHop{Addr: loopback})
	for i := dependants; i < 100_000; i++ {
		buf = drive(c, buf, rib.Put{Owner: "ripd", Seq: uint64(i), Object: lib.Route{
			Prefix: nthPrefix(i), Protocol: lib.RIP, Distance: 120, NextHops: []lib.NextHop{direct},
		}})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		buf = move(buf, byte(3+i&1))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/dependants, "ns/dependant")
}
