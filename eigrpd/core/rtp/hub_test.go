package rtp

import (
	"flag"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

var simSpokes = flag.Int("sim-spokes", 300, "spokes of TestSimHub")

// hubCase is a hub that was restarted: its spokes get a table each, by packets for
// each alone; then all are told changes.
type hubCase struct {
	name      string
	bandwidth uint64 // kbit/s
	loss      int    // percent
	table     int    // packets
	changes   int    // packets for all, one second apart
	gone      int    // spokes that fall silent before the changes
}

var hubCases = []hubCase{
	{"tunnel of 100 kbit/s", 100, 0, 1, 10, 0},
	{"tunnel of 1 Mbit/s", 1000, 0, 3, 30, 0},
	{"fast", 1_000_000, 0, 3, 30, 0},
	{"fast, with loss", 1_000_000, 5, 3, 30, 0},
	{"fast, spokes gone", 1_000_000, 0, 3, 30, 3},
	{"100 kbit/s, spokes gone", 100, 0, 1, 10, 3},
}

// TestSimHub wants a hub to stay within its bandwidth (RFC 7868 section 5.2.1),
// everything to arrive, nothing to be sent twice where nothing is lost, and spokes that
// are gone not to hold up the others.
func TestSimHub(t *testing.T) {
	for _, c := range hubCases {
		t.Run(c.name, func(t *testing.T) { c.run(t) })
	}
}

func (c hubCase) run(t *testing.T) {
	net := newNetwork(1, 0)
	net.loss, net.double, net.delay, net.star = c.loss, 0, 40*time.Millisecond, true
	net.link = Link{ID: segment, Bandwidth: c.bandwidth, Multicast: true}
	for i := range *simSpokes + 1 {
		net.join(PeerID(i + 1))
	}
	net.boot()
	hub, end := net.nodes[0], clock.Instant(0)
	for !net.settled() && end < clock.Instant(time.Hour) {
		end = end.Add(time.Second)
		net.run(end)
	}
	up := end
	for _, n := range net.nodes[1 : *simSpokes+1] {
		for range c.table {
			hub.send([]PeerID{n.id}, nil, packet.Update, 0)
		}
	}
	hub.work()
	for !net.settled() && end < clock.Instant(time.Hour) {
		end = end.Add(time.Second)
		net.run(end)
	}
	full := end
	for _, n := range net.nodes[*simSpokes+1-c.gone:] {
		n.silent = true
	}
	for range c.changes {
		hub.send(nil, nil, packet.Update, 0)
		hub.work()
		end = end.Add(time.Second)
		net.run(end)
	}
	for !net.settled() && end < clock.Instant(time.Hour) {
		end = end.Add(time.Second)
		net.run(end)
	}
	if !net.settled() || net.err != nil {
		t.Fatalf("not everything arrived: %v", net.err)
	}
	s, _ := hub.t.LinkStats(segment)
	t.Logf("%d spokes: up after %v, tables after %v more, changes after %v more; %d octets; %d multicasts (%d CR, %d exceptions), %d unicasts, %d retransmissions; SRTT %v, flow timer %v",
		*simSpokes, up, full.Sub(up), end.Sub(full), hub.octets, s.ReliableMulticasts, s.CRPackets, s.MulticastExceptions, s.ReliableUnicasts, s.Retransmissions, s.MeanSRTT, s.FlowTimer)
	if c.loss+c.gone == 0 && s.Retransmissions > 0 {
		t.Errorf("%d retransmissions, and nothing was lost", s.Retransmissions)
	}
	if limit := (end.Sub(0).Milliseconds() + 1000) * int64(c.bandwidth) / 2 / 8; int64(hub.octets) > limit {
		t.Errorf("%d octets sent in %v, more than half of %d kbit/s", hub.octets, end, c.bandwidth)
	}
	if spare := time.Duration(c.changes+10) * time.Second; end.Sub(full) > spare {
		t.Errorf("changes took %v, longer than %v", end.Sub(full), spare)
	}
}

// settled reports whether all that talk have what they were sent.
func (net *network) settled() bool {
	for _, n := range net.nodes {
		for _, p := range n.t.links[segment].peers {
			if p.queue.len() > 0 && !net.nodes[p.id-1].silent && !n.silent {
				return false
			}
		}
	}
	return true
}
