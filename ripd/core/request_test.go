package core

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ripd/packet"
)

// ask has somebody ask for the whole table.
func (r *rig) ask(ifname, from string) {
	r.t.Helper()
	m := packet.WholeTableRequest(2)
	r.rxMessage(ifname, netip.MustParseAddrPort(from), &m)
}

// TestRequestTable: RFC 2453 section 3.9.1. The answer goes to the port that asked,
// with split horizon.
func TestRequestTable(t *testing.T) {
	r := hub(t, nil)
	r.ask("eth0", "10.0.0.7:1234")
	var dests []netip.AddrPort
	out := r.take()
	for _, x := range packets(t, out) {
		dests = append(dests, x.dest)
	}
	same(t, "answer", entries(t, out, func(sent) bool { return true }), "10.1.0.0/24 1")
	if len(dests) != 1 || dests[0] != netip.MustParseAddrPort("10.0.0.7:1234") {
		t.Errorf("sent to %v", dests)
	}

	off := hub(t, func(r *rig) { r.iface("eth0").SplitHorizon = SplitHorizonOff })
	off.ask("eth0", "10.0.0.2:520")
	same(t, "who told it", off.responses("eth0"), "10.1.0.0/24 1")
	off.ask("eth0", "10.0.0.3:520")
	same(t, "who did not", off.responses("eth0"), "10.1.0.0/24 1", net1+" 3 via 10.0.0.2 tag 9")
}

// TestRequestSpecific: the metrics are filled in, without split horizon.
func TestRequestSpecific(t *testing.T) {
	r := hub(t, nil)
	m := packet.Message{Command: packet.Request, Version: 2, Entries: []packet.Entry{
		told{prefix: net1, tag: 5}.entry(), told{prefix: "192.168.0.0/16"}.entry(), {Family: 0, Metric: 16}}}
	r.rxMessage("eth0", netip.MustParseAddrPort("10.0.0.7:4000"), &m)
	out := r.take()
	same(t, "answer", entries(t, out, func(x sent) bool { return x.dest.Port() == 4000 }), net1+" 3 tag 5", "192.168.0.0/16 16")
	r.rxMessage("eth0", netip.MustParseAddrPort("10.0.0.7:4000"), &packet.Message{Command: packet.Request, Version: 2})
	if n := len(packets(t, r.take())); n != 0 {
		t.Errorf("%d packets answer a request for nothing", n)
	}
}

// TestRequestPassive: only configured neighbours are answered there.
func TestRequestPassive(t *testing.T) {
	r := hub(t, func(r *rig) {
		r.cfg.Routers[0].Passive, r.cfg.Routers[0].Neighbors = []string{"eth0"}, []netip.Addr{addr("10.0.0.3")}
	})
	r.ask("eth0", "10.0.0.7:520")
	if n := len(packets(t, r.take())); n != 0 || r.status().Counters.Dropped[DropPassiveRequest] != 1 {
		t.Errorf("%d packets, %v", n, r.status().Counters.Dropped)
	}
	r.ask("eth0", "10.0.0.3:520")
	same(t, "a neighbour", r.responses("eth0"), "10.1.0.0/24 1")
}

// TestRequestVersion: a version that is not sent is answered in one that is.
func TestRequestVersion(t *testing.T) {
	r := newRig(t)
	r.cfg.Routers[0].Version = 0
	r.iface("eth0").Send = Version1 | Version2
	r.start(link("eth0", "10.0.0.1/24"), link("eth1", "10.1.0.1/24"))
	r.quietDown()
	for _, x := range []struct {
		ifname    string
		ask, want uint8
	}{{"eth0", 1, 1}, {"eth0", 2, 2}, {"eth1", 2, 1}} {
		m := packet.WholeTableRequest(x.ask)
		link, _ := r.core.links.Get(x.ifname)
		from := netip.AddrPortFrom(primary(link).Addr().Next().Next(), 520)
		r.rxMessage(x.ifname, from, &m)
		got := packets(t, r.take())
		if len(got) != 1 || got[0].m.Version != x.want {
			t.Errorf("version %d on %s: %+v", x.ask, x.ifname, got)
		}
	}
}

// TestRequestsBounded: answers wait, but not without bound, and who asks again
// while being answered is told from the start.
func TestRequestsBounded(t *testing.T) {
	r := newRig(t)
	r.cfg.Routers[0].OutputDelay = time.Second
	for k := range 25 * 3 {
		r.cfg.Routers[0].Static = append(r.cfg.Routers[0].Static, netip.PrefixFrom(addrOf(0xc0000000+uint32(k)<<8), 24))
	}
	r.start(link("eth0", "10.0.0.1/8"))
	r.quietDown()
	r.ask("eth0", "10.0.0.2:520")
	first := r.responses("eth0")
	r.ask("eth0", "10.0.0.2:520")
	r.advance(3 * time.Second)
	again := entries(t, r.take(), func(x sent) bool { return x.dest.Addr() == addr("10.0.0.2") })
	if len(first) != 25 || len(again) != 75 || !slices.Equal(first, again[:25]) {
		t.Errorf("%d entries, then %d", len(first), len(again))
	}
	for k := range maxAnswers + 5 {
		r.ask("eth0", netip.AddrPortFrom(addrOf(0x0a010000+uint32(k)), 520).String())
	}
	in := r.core.order[0]
	if n := r.status().Counters.Dropped[DropBusy]; n != 5 || len(in.answers) != maxAnswers {
		t.Errorf("%d dropped, %d wait", n, len(in.answers))
	}
	r.advance(3 * (maxAnswers + 5) * time.Second)
	if len(in.answers) != 0 || len(in.ifaces["eth0"].unicast.jobs) != 0 {
		t.Errorf("%d answers never end", len(in.answers))
	}
}
