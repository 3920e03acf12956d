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
