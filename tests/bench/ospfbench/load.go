package main

import (
	"time"

	"github.com/godmvpn/godmvpn/ospfd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

const (
	// loadLimit is how long a table may take to be there or to go.
	loadLimit = 2 * time.Minute
	// quiet is until memory is looked at: processes of this suite give back what they do not
	// need when nothing has happened for 3 s.
	quiet = 7 * time.Second
)

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
	feed      *feeder
	before    int // octets of memory
	figure    figure
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

// loads has a router of each suite learn a database, run by run, one after the other.
func loads(t harness.TB, o options) (runs [][]figure) {
	all := make([][]*receiver, o.runs)
	for k := range all {
		for _, s := range o.suites {
			all[k] = append(all[k], newReceiver(t, s))
		}
	}
	time.Sleep(settle)
	d := newDatabase(o.routers, o.external)
	for _, rs := range all {
		for _, r := range rs {
			r.learn(t, d)
		}
		time.Sleep(quiet)
		var figures []figure
		for _, r := range rs {
			r.forget(t, d)
			figures = append(figures, r.figure)
		}
		runs = append(runs, figures)
	}
	return runs
}

// learn has the receiver learn the database.
func (r *receiver) learn(t harness.TB, d database) {
	f := &r.figure
	harness.WaitIdle(t, loadLimit, r.all)
	cpu, ospf := r.all.CPU(), r.ospf.CPU()
	r.before = r.all.Memory()
	r.feed = newFeeder(t, r.from, d)
	end := r.routes(t, d.networks)
	begun, full := r.feed.adjacent(t, r.suite)
	harness.WaitIdle(t, loadLimit, r.all)
	f.full, f.table = full.Sub(begun), end.Sub(begun)
	f.cpu, f.ospf = r.all.CPU()-cpu, r.ospf.CPU()-ospf
}

// forget looks what the database takes, has it come again, and go.
func (r *receiver) forget(t harness.TB, d database) {
	f := &r.figure
	f.memory, f.ospfSize = r.all.Memory()-r.before, r.ospf.Memory()
	cpu := r.all.CPU()
	r.feed.flood(again(d.external, 1, 1))
	r.feed.acknowledged(t, r.suite)
	harness.WaitIdle(t, loadLimit, r.all)
	f.refresh = r.all.CPU() - cpu

	cpu = r.all.CPU()
	began := time.Now()
	r.feed.flood(again(d.external, 1, packet.MaxAge))
	f.flush = r.routes(t, d.networks-len(d.external)).Sub(began)
	r.feed.acknowledged(t, r.suite)
	harness.WaitIdle(t, loadLimit, r.all)
	f.flushCPU = r.all.CPU() - cpu
	r.feed.end()
	if r.feed.failure != nil {
		t.Fatalf("the feeder: %v", r.feed.failure)
	}
	r.tp.Close()
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
