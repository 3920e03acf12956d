package core

import (
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestLastUpdate: a neighbour's silence is counted from what it told of routes, not from
// its Hellos.
func TestLastUpdate(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.advance(time.Minute)
	status := func() NeighborStatus {
		r := a.query(Query{Kind: ReportNeighbors}).(*NeighborReport)
		return r.Instances[0].Neighbors[0]
	}
	if n := status(); n.LastUpdate < 50*time.Second || n.LastUpdate > n.Uptime {
		t.Errorf("last update %v ago, up for %v", n.LastUpdate, n.Uptime)
	}
	b.edit("Eth1", func(x *rib.Interface) { x.Addresses = nil })
	l.advance(3 * time.Second)
	if n := status(); n.LastUpdate > 3*time.Second || n.Uptime < time.Minute {
		t.Errorf("after a change: last update %v ago, up for %v", n.LastUpdate, n.Uptime)
	}
}

// TestMaximumOfRemoteNeighbors is reported with the neighbours.
func TestMaximumOfRemoteNeighbors(t *testing.T) {
	l, a, _ := pair(t)
	a.instance().Listen = &RemoteListen{Interface: "Eth1", Maximum: 7}
	l.start()
	if r := a.query(Query{Kind: ReportNeighbors}).(*NeighborReport); r.Instances[0].MaxRemote != 7 {
		t.Errorf("%d", r.Instances[0].MaxRemote)
	}
}

// TestOtherAutonomousSystem: a router of another AS is no neighbour, and the packets of
// it that came are counted (RFC 7868 section 6.5); those of a second instance are not.
func TestOtherAutonomousSystem(t *testing.T) {
	l, a, b := pair(t)
	b.instance().AS = 101
	l.start()
	l.advance(time.Minute)
	same(t, "neighbours", a.neighbors())
	if n := a.drops(DropAS); n < 10 {
		t.Errorf("%d packets of another AS were counted", n)
	}
	both := *a.instance()
	both.AS = 101
	a.cfg.Instances = append(a.cfg.Instances, both)
	a.configure()
	before := a.drops(DropAS)
	l.advance(time.Minute)
	if n := a.drops(DropAS); n != before {
		t.Errorf("%d packets of the second instance were counted", n-before)
	}
}
