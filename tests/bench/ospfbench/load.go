package main

import (
	"time"

	"github.com/godmvpn/godmvpn/ospfd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// loadLimit is how long a table may take to be there or to go.
const loadLimit = 2 * time.Minute

// figure is what one run of the load measured.
type figure struct {
	full     time.Duration // from the receiver's first Database Description until it tells of the adjacency
	table    time.Duration // until its kernel has all routes
	cpu      time.Duration // of OSPF's daemon and zebra, until all is at rest
	ospf     time.Duration // of the former alone
	memory   int           // octets that it and zebra grew by
	ospfSize int           // of the former alone, all told
	refresh  time.Duration // processor time for a new instance of each external LSA that says the same
	flush    time.Duration // from the first external LSA of MaxAge until the kernel has none of their routes
	flushCPU time.Duration
}

// receiver is a router of a suite that is to learn the feeder's database.
type receiver struct {
	suite     suite
	tp        *harness.Topology
	from      *harness.Node // the feeder's
	watch     *harness.RouteWatch
	all, ospf *harness.Usage
}

func newReceiver(t harness.TB, s suite) *receiver {
	r := &receiver{suite: s, tp: harness.New(t)}
	n := r.tp.Router("receiver")
	r.from = r.tp.Node("feeder")
	r.tp.Link(n, loadDevice, receiverAddress+"/24", r.from, loadDevice, feederAddress+"/24")
	r.watch = n.WatchRoutes(s.protocol)
	s.start(n, router{id: receiverID, ports: []port{{loadDevice, 10}}})
	r.all, r.ospf = n.Usage(s.programs...), n.Usage(s.daemon)
	return r
}

// loads has a router of each suite learn a database, one after the other.
func loads(t harness.TB, o options) (all []figure) {
	var rs []*receiver
	for _, s := range o.suites {
		rs = append(rs, newReceiver(t, s))
	}
	time.Sleep(settle)
	for _, r := range rs {
		all = append(all, r.load(t, o))
		r.tp.Close()
	}
	return all
}

func (r *receiver) load(t harness.TB, o options) (f figure) {
	d := newDatabase(o.routers, o.external)
	harness.WaitIdle(t, loadLimit, r.all)
	cpu, ospf, memory := r.all.CPU(), r.ospf.CPU(), r.all.Memory()
	feed := newFeeder(t, r.from, d)
	end := r.routes(t, d.networks)
	begun, full := feed.adjacent(t, r.suite)
	harness.WaitIdle(t, loadLimit, r.all)
	f.full, f.table = full.Sub(begun), end.Sub(begun)
	f.cpu, f.ospf = r.all.CPU()-cpu, r.ospf.CPU()-ospf
	f.memory, f.ospfSize = r.all.Memory()-memory, r.ospf.Memory()

	cpu = r.all.CPU()
	feed.flood(again(d.external, 1, 1))
	feed.acknowledged(t, r.suite)
	harness.WaitIdle(t, loadLimit, r.all)
	f.refresh = r.all.CPU() - cpu

	cpu = r.all.CPU()
	began := time.Now()
	feed.flood(again(d.external, 1, packet.MaxAge))
	f.flush = r.routes(t, d.networks-o.external).Sub(began)
	feed.acknowledged(t, r.suite)
	harness.WaitIdle(t, loadLimit, r.all)
	f.flushCPU = r.all.CPU() - cpu
	feed.end()
	if feed.failure != nil {
		t.Fatalf("the feeder: %v", feed.failure)
	}
	return f
}

// routes waits until the receiver's kernel has routes to so many networks.
func (r *receiver) routes(t harness.TB, n int) time.Time {
	at, err := r.watch.WaitPrefixes(n, loadLimit)
	if err != nil {
		t.Fatalf("%s: %v", r.suite.name, err)
	}
	return at
}

// again makes later instances of LSAs.
func again(lsas []packet.LSA, later int32, age uint16) (out []packet.LSA) {
	for _, l := range lsas {
		h := l.LSAHeader
		h.Sequence += later
		h.Age = age
		out = append(out, instance(h, l.Body()))
	}
	return out
}
